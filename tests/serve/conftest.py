"""A model of six films, f1 to f6, and six users, u1 to u6, in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import kgrec


@pytest.fixture(scope="session")
def model(shared_catalogue: Path) -> Path:
    """A model folder, for reading only."""
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    folder = shared_catalogue.parent / "served"
    kgrec.Recommender(config).fit(graph).save(folder)
    return folder


@pytest.fixture(scope="session")
def rec(model: Path) -> kgrec.Recommender:
    """The recommender of that folder."""
    return kgrec.Recommender.load(model)
