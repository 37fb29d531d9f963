"""Names and values that a condition on the six films can have."""

from __future__ import annotations

from pathlib import Path

import pytest

import kgrec
from kgrec.graph.where import matching
from kgrec.graph.where_names import OPERATORS, condition_names, condition_values
from kgrec.graph.where_syntax import parse

MORE = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      genres: {as: node, type: genre, split: "|"}
      released: date
      year: number
  person: {file: people.csv, key: id, columns: {age: number, name: label}}
edges:
  directed: {file: seen.csv, from: {person: person}, to: {film: film}}
interactions: {file: log.csv, user: user, item: film}
"""


@pytest.fixture
def graph(tmp_path: Path) -> kgrec.KnowledgeGraph:
    files = {
        "kgrec.yaml": MORE,
        "films.csv": "id,title,plot,genres,released,year\na,A,x,Drama|War,1990-01-02,1990\nb,B,y,Drama,1991-01-02,1991\n",
        "people.csv": "id,age,name\np,50,Ada\n",
        "seen.csv": "person,film\np,a\n",
        "log.csv": "user,film\nu,a\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return kgrec.build_graph(tmp_path / "kgrec.yaml")


def test_names_are_those_that_items_have(graph: kgrec.KnowledgeGraph):
    assert [(one.name, one.kind) for one in condition_names(graph)] == [
        ("genres", "relation"),
        ("^directed", "relation"),
        ("year", "number"),
        ("released", "date"),
        ("plot", "text"),
        ("label", "label"),
        ("type", "type"),
    ]


def test_every_name_can_be_compared_by_its_operators(graph: kgrec.KnowledgeGraph):
    value = {"relation": "Drama", "number": "1990", "date": "1990", "text": "x", "label": "A", "type": "film"}
    for one in condition_names(graph):
        for operator in OPERATORS[one.kind]:
            compared = "Ada" if one.name == "^directed" else value[one.kind]
            given = f"({compared})" if operator == "in" else compared
            matching(graph, parse(f"{one.name} {operator} {given}"))


def test_values_are_labels_that_most_items_have_first(graph: kgrec.KnowledgeGraph):
    assert condition_values(graph, "genres", "", 9) == ["Drama", "War"]
    assert condition_values(graph, "genres", "", 1) == ["Drama"]
    assert condition_values(graph, "genres", "wA", 9) == ["War"]
    assert condition_values(graph, "^directed", "", 9) == ["Ada"]
    assert condition_values(graph, "type", "", 9) == ["film"]


def test_other_names_have_no_values(graph: kgrec.KnowledgeGraph):
    assert condition_values(graph, "year", "", 9) == condition_values(graph, "nothing", "", 9) == []
