"""A model of the six films, one of which has markup as its title, as a genre has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kgrec


@pytest.fixture(scope="session")
def graph(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> kgrec.KnowledgeGraph:
    """Its films f2 and genre Romance have markup as labels."""
    folder = tmp_path_factory.mktemp("notebook") / "catalogue"
    shutil.copytree(shared_catalogue, folder)
    films = folder / "films.csv"
    text = films.read_text(encoding="utf-8")
    films.write_text(
        text.replace("Star Drift", "<script>alert(1)</script>").replace("Romance", "<b>Romance</b>"),
        encoding="utf-8",
    )
    return kgrec.build_graph(folder / "kgrec.yaml")


@pytest.fixture(scope="session")
def rec(graph: kgrec.KnowledgeGraph) -> kgrec.Recommender:
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    return kgrec.Recommender(config).fit(graph)
