"""Types of nodes without edges."""

from __future__ import annotations

import pyarrow as pa

from kgrec.ingest.unconnected import unconnected

TYPES = ["film", "film", "genre", "genre", "person", "prize"]


def said(*pairs: tuple[int, int], types: list[str] = TYPES) -> list[str]:
    ends = {
        name: pa.array([pair[at] for pair in pairs], pa.int32()) for at, name in enumerate(("head", "tail"))
    }
    return [text.split(":")[0] for text in unconnected(pa.table({"type": types}), pa.table(ends), ["film"])]


def test_all_types_are_linked():
    assert said((0, 2), (4, 1), (4, 5)) == []


def test_a_type_without_edges_is_named():
    assert said((0, 2), (1, 5)) == ["none of the 1 nodes of type 'person' has an edge"]


def test_edges_that_do_not_reach_the_items():
    assert said((0, 2), (4, 5)) == [
        "no edges lead from the items to the 1 nodes of type 'person'",
        "no edges lead from the items to the 1 nodes of type 'prize'",
    ]


def test_items_without_edges():
    assert said((4, 5))[0] == "no node of type 'film' has an edge"
    # items alone are described by their texts and numbers
    assert said(types=["film", "film"]) == []
    assert len(said()) == 4
