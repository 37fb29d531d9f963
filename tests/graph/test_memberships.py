"""Nodes that entities are linked to, by type and by relation."""

from __future__ import annotations

import numpy as np
import pytest

from kgrec.errors import UnknownId
from kgrec.graph.build import build_graph
from kgrec.graph.memberships import linked_nodes


@pytest.fixture(scope="module")
def graph(shared_catalogue):
    return build_graph(shared_catalogue / "kgrec.yaml")


def test_nodes_of_a_type_and_by_a_relation(graph):
    films = graph.item_entities
    genres, ids = linked_nodes(graph, films, "genre")
    keys = graph.entities["key"].take(ids.tolist()).to_pylist()
    named = [[keys[column] for column in row.indices] for row in genres]
    assert named == [
        ["Horror", "Science fiction"],
        ["Science fiction"],
        ["Science fiction"],
        ["Comedy", "Romance"],
        ["Romance"],
        ["Comedy", "Romance"],
    ]
    by_type, by_relation = (linked_nodes(graph, films, name)[0] for name in ("person", "directed_by"))
    assert by_type.toarray().tolist() == by_relation.toarray().tolist()
    assert by_type.sum(axis=0).A1.tolist() == [2, 1, 2, 1]  # Ada, Bo, Cy, Di
    assert genres.dtype == np.float32 and set(genres.data.tolist()) == {1}


def test_both_directions_and_unknown_names(graph):
    people = graph.ids(["person/Ada", "person/Di"])
    films, ids = linked_nodes(graph, people, "film")
    assert films.sum(axis=1).A1.tolist() == [2, 1] and len(ids) == 6
    with pytest.raises(UnknownId, match="Did you mean 'genre'"):
        linked_nodes(graph, people, "gener")
