from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgrec
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.neighborhoods import hops_of, neighborhoods_of
from kgrec.graph.build import read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.ingest.deduplicate import unique_triples

MAPPING = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      directors: {as: ref, to: person, edge: directed_by, split: "|"}
      sequel_of: {as: ref, to: film}
  person: {file: people.csv, key: id, columns: {born_in: {as: ref, to: country}, idol: {as: ref, to: person}}}
  country: {file: countries.csv, key: id, columns: {within: {as: ref, to: region}}}
  region: {file: regions.csv, key: id}
edges:
  acted_in: {file: cast.csv, from: {person: actor}, to: {film: film}, weight: billing}
"""
FILES = {
    "kgrec.yaml": MAPPING,
    "films.csv": "id,directors,sequel_of\na,p,\nb,q,a\nc,p|r,\n",
    "people.csv": "id,born_in,idol\np,fr,p\nq,fr,p\nr,us,\n",
    "countries.csv": "id,within\nfr,eu\nus,am\n",
    "regions.csv": "id\neu\nam\n",
    "cast.csv": "actor,film,billing\nr,a,3\n",
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    folder = tmp_path_factory.mktemp("films")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return kgrec.build_graph(folder / "kgrec.yaml")


def named(graph: KnowledgeGraph, hops: int) -> dict[tuple[str, str, str], float]:
    """(item, relation, entity) -> weight of each path, self-neighbours left out."""
    links = neighborhoods_of(graph, graph.item_entities, hops)
    key = graph.entities["key"].to_pylist()
    return {
        (graph.item_ids[item], links.names[relation], key[entity]): float(weight)
        for item, relation, entity, weight, own in zip(*links.arrays(), strict=True)
        if not own
    }


FIRST = {
    ("a", "directed_by", "p"): 1,
    ("a", "^acted_in", "r"): 3,
    ("a", "sequel_of", "b"): 1,
    ("b", "directed_by", "q"): 1,
    ("b", "sequel_of", "a"): 1,
    ("c", "directed_by", "p"): 1,
    ("c", "directed_by", "r"): 1,
}
#: neither from a person to the films of theirs, nor from a sequel on, nor from p to p
SECOND = {
    ("a", "directed_by / born_in", "fr"): 1,
    ("a", "^acted_in / born_in", "us"): 3,
    ("b", "directed_by / born_in", "fr"): 1,
    ("b", "directed_by / idol", "p"): 1,
    ("c", "directed_by / born_in", "fr"): 1,
    ("c", "directed_by / born_in", "us"): 1,
}
THIRD = {
    ("a", "directed_by / born_in / within", "eu"): 1,
    ("a", "^acted_in / born_in / within", "am"): 3,
    ("b", "directed_by / born_in / within", "eu"): 1,
    ("b", "directed_by / idol / born_in", "fr"): 1,
    ("c", "directed_by / born_in / within", "eu"): 1,
    ("c", "directed_by / born_in / within", "am"): 1,
}


@pytest.mark.parametrize(("hops", "links"), [(1, FIRST), (2, FIRST | SECOND), (3, FIRST | SECOND | THIRD)])
def test_neighborhoods_reach_the_given_number_of_hops(graph, hops, links):
    assert named(graph, hops) == links


def test_hops_of_counts_the_edges_of_a_relation():
    assert [hops_of(name) for name in ("directed_by", "^acted_in / born_in", "a / b / c")] == [1, 2, 3]


def test_a_new_item_has_neighbours_two_hops_away(graph, tmp_path):
    rows = {"films.csv": "id,directors,sequel_of\nd,s,\n", "people.csv": "id,born_in,idol\ns,us,\n"}
    for name, text in (FILES | rows).items():
        (tmp_path / name).write_text(text if name in rows else text.splitlines()[0] + "\n", encoding="utf-8")
    addition = read_addition(graph.mapping, tmp_path, known=graph)
    larger, places = graph.extended(addition)
    new = places[addition.item_entities].astype(np.int64)

    def neighbours(hops: int) -> list[tuple[str, str]]:
        featurizer = Featurizer.learn(graph, graph.item_entities, {}, hops)
        features = featurizer.features(larger, new)
        entities = larger.names.ids(featurizer.entities.tolist())[features.entity]
        key = larger.entities["key"].to_pylist()
        names = [featurizer.relations[r] for r in features.relation]
        return list(zip(names, [key[e] for e in entities], strict=True))

    # nobody knows the director, but two films are by people who were born where this one was
    assert neighbours(1) == []
    assert neighbours(2) == [("directed_by / born_in", "us")]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 7), st.integers(0, 2), st.integers(0, 7), st.sampled_from([0.0, 0.5, 1, -2])
        ),
        max_size=25,
    ),
    st.integers(1, 3),
)
def test_neighborhoods_are_the_paths_of_the_graph(graph, edges, hops):
    distinct = {(h, r, t): w for h, r, t, w in edges}
    columns = np.array([(*edge, weight) for edge, weight in distinct.items()]).reshape(-1, 4)
    head, relation, tail = columns[:, :3].astype(np.int32).T
    tangled = replace(graph, triples=unique_triples(head, relation, tail, columns[:, 3].astype(np.float32)))
    links = neighborhoods_of(tangled, graph.item_entities, hops)
    found = {
        (int(graph.item_entities[item]), links.names[relation], int(entity)): abs(weight)
        for item, relation, entity, weight in zip(*links.arrays()[:4], strict=True)
        if hops_of(links.names[relation]) > 1
    }
    expected: dict[tuple[int, str, int], float] = {}
    for item in graph.item_entities.tolist():
        for name, end, weight in paths(distinct, set(graph.item_entities.tolist()), graph, item, hops):
            expected[item, name, end] = max(abs(weight), expected.get((item, name, end), 0))
    assert found == pytest.approx(expected)


def paths(
    edges: dict[tuple[int, int, int], float], items: set[int], graph: KnowledgeGraph, item: int, hops: int
) -> Iterator[tuple[str, int, float]]:
    """Name, end and weight of each path of two edges or more from an item, one edge after the other."""
    names = graph.relations["name"].to_pylist()
    near = [(names[r], t, w) for (h, r, t), w in edges.items() if h == item and t not in items]
    near += [("^" + names[r], h, w) for (h, r, t), w in edges.items() if t == item and h not in items]
    for _ in range(1, hops):
        near = [
            (f"{name} / {names[r]}", t, weight * w)
            for name, end, weight in near
            for (h, r, t), w in edges.items()
            if h == end and t not in items and t != h
        ]
        yield from (path for path in near if path[2])
