"""A graph that grows by additions, against the same additions joined one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.extend import matched
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.live_graph import LiveGraph
from kgrec.graph.tables import TABLES

MAPPING = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, genres: {as: node, type: genre, split: "|"}, maker: {as: ref, to: studio}, year: number}
  studio: {file: studios.csv, key: id, columns: {name: label, city: {as: node, type: city}}}
"""
HEADER = "id,title,genres,maker,year\n"
#: additions in their order: a new genre, which the next one names; a studio with a new city; a known one
ADDITIONS = [
    "d,Dog,x|w,s,1994\n",
    "e,Eel,w,s,\n",
    "f,Fox,,t,1996\n",
    "g,Gnu,y|v,,1997\nh,Hen,v,s,\n",
]


@pytest.fixture
def graph(tmp_path: Path) -> KnowledgeGraph:
    (tmp_path / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "films.csv").write_text(
        HEADER + "a,Ape,x,s,1991\nb,Bee,x|y,s,1992\nc,Cat,y,t,1993\n", encoding="utf-8"
    )
    (tmp_path / "studios.csv").write_text("id,name,city\ns,Sun,Rome\nt,Tor,Oslo\n", encoding="utf-8")
    return build_graph(tmp_path / "kgrec.yaml")


def addition(graph: KnowledgeGraph, folder: Path, rows: str, known: LiveGraph) -> KnowledgeGraph:
    folder.mkdir(exist_ok=True)
    (folder / "films.csv").write_text(HEADER + rows, encoding="utf-8")
    return read_addition(graph.mapping, folder, known=known)


def grown(graph: KnowledgeGraph, folder: Path) -> tuple[LiveGraph, KnowledgeGraph, list[np.ndarray]]:
    """The graph with all additions, live and joined at once, and the ids that each addition's entities got."""
    live, whole, given = LiveGraph(lambda: graph), graph, []
    for rows in ADDITIONS:
        new = addition(graph, folder, rows, live)
        around, places = live.around(new)
        ids, _ = matched(around, new)
        known = np.append(places, -1)[np.minimum(ids, len(around))]
        live, mine = live.with_addition(new, known)
        whole, expected = whole.extended(new)
        assert mine.tolist() == expected.tolist()
        given.append(mine)
    return live, whole, given


def test_the_whole_graph_is_that_of_additions_joined_one_by_one(graph: KnowledgeGraph, tmp_path: Path):
    live, whole, _ = grown(graph, tmp_path / "new")
    assert live.n_pending == 5 + 3 + 2 + 3 - 2
    assert live().names == whole.names
    for name in TABLES:
        one, other = getattr(live(), name), getattr(whole, name)
        assert one.to_pylist() == other.to_pylist(), name
    assert live().item_ids == whole.item_ids
    assert live.base() is graph, "the base stays as it is"


def test_names_are_found_in_the_base_and_in_additions(graph: KnowledgeGraph, tmp_path: Path):
    live, whole, _ = grown(graph, tmp_path / "new")
    asked = ["film/a", "genre/w", "genre/x", "film/h", "city/Rome", "film/x", "genre/a", "nothing"]
    assert live.ids(asked).tolist() == whole.ids(asked).tolist()
    assert live.ids([]).tolist() == []
    assert (live.mapping, live.item_types) == (graph.mapping, ("film",))


def test_around_an_addition_are_the_entities_that_it_names(graph: KnowledgeGraph, tmp_path: Path):
    live = LiveGraph(lambda: graph)
    new = addition(graph, tmp_path / "new", "d,Dog,x|w,s,1994\n", live)
    near, places = live.around(new)
    assert [graph.names[at] for at in places] == near.names.tolist() == ["genre/x", "studio/s"]
    assert near.entities["label"].to_pylist()[1] == "Sun"
    assert not len(near.triples) and not len(near.text) and not len(near.numbers)
    # two hops away: the studio's city, and the edge that leads there
    far, places = live.around(new, hops=2)
    assert far.names.tolist() == ["city/Rome", "genre/x", "studio/s"]
    edges = far.triples.to_pylist()
    assert [(far.names[edge["head"]], far.names[edge["tail"]]) for edge in edges] == [
        ("studio/s", "city/Rome")
    ]
    assert [graph.names[at] for at in places] == far.names.tolist()


def test_a_live_graph_without_additions_is_its_base(graph: KnowledgeGraph):
    live = LiveGraph.of(lambda: graph)
    assert live() is graph and live.n_pending == 0
    assert LiveGraph.of(live) is live
