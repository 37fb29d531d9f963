"""`kgrec.show`: which view, and with or without anywidget."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kgrec


def test_a_list_is_bounded(rec: kgrec.Recommender):
    with pytest.raises(kgrec.ConfigError, match="k is 51"):
        kgrec.show(rec, "u1", 51)


def test_unknown_names_are_refused(rec: kgrec.Recommender, graph: kgrec.KnowledgeGraph):
    with pytest.raises(kgrec.UnknownId, match="u99"):
        kgrec.show(rec, "u99")
    with pytest.raises(kgrec.UnknownId, match="film/f99"):
        kgrec.show(graph, "film/f99")


def test_without_anywidget_there_are_tables(
    rec: kgrec.Recommender, graph: kgrec.KnowledgeGraph, tmp_path: Path
):
    rec.save(tmp_path / "model")
    graph.save(tmp_path / "graph")
    code = f"""
import sys
sys.modules["anywidget"] = None
import kgrec
rec, graph = kgrec.Recommender.load({str(tmp_path / "model")!r}), kgrec.KnowledgeGraph.load({str(tmp_path / "graph")!r})
for view in (kgrec.show(rec, "u1"), kgrec.show(graph, "f1")):
    print(type(view).__name__, "Alien Dawn" in view._repr_html_())
try:
    kgrec.show(graph, "f99")
except kgrec.UnknownId as error:
    print(error.problem)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = ["StaticView True", "StaticView True", "There is no node 'f99' in the graph."]
    assert done.stdout.splitlines() == expected
