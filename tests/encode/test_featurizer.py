import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import kgrec
from kgrec.encode.featurizer import Featurizer, ItemFeatures, item_numbers
from kgrec.graph.build import read_addition
from kgrec.graph.vocabulary import Vocabulary

MAPPING = """\
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
      sequel_of: {as: ref, to: film}
  person: {file: people.csv, key: id, columns: {name: label}}
edges:
  acted_in: {file: cast.csv, from: {person: actor}, to: {film: film}, weight: billing}
"""
FILMS = """\
id,title,plot,genres,sequel_of
a,Dawn,a crew lands,x|y,
b,Noon,,x|z,a
c,,,x|y,a
"""
PEOPLE = "id,name\np,Pat\nq,Quin\nr,Ray\n"
CAST = "actor,film,billing\np,a,1\np,b,2\nq,c,1\nr,a,3\nr,c,1\n"
#: text vectors of a, b and c; c has no text
TEXT = {"": np.array([[1, 0], [0, 1], [0, 0]], np.float32)}
#: entity ids; entities are sorted by type and key
A, B, C, X, Y, P, R = 0, 1, 2, 3, 4, 6, 8
#: weight of a neighbour of three and of two of the three items
THREE, TWO = math.log(1 + 3 / 3) ** 1.5, math.log(1 + 3 / 2) ** 1.5
#: an item with links to other items weighs 0.7 among them, to their 1 together; made a unit vector
OWN, OTHERS = 0.7 / math.sqrt(1.49), 1 / math.sqrt(1.49)


@pytest.fixture
def graph(tmp_path: Path):
    for name, text in {
        "kgrec.yaml": MAPPING,
        "films.csv": FILMS,
        "people.csv": PEOPLE,
        "cast.csv": CAST,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return kgrec.build_graph(tmp_path / "kgrec.yaml")


def number_of(featurizer: Featurizer, nodes: np.ndarray) -> list[float]:
    """The values of the bins, which are the nodes after the entities."""
    values = np.concatenate(list(featurizer.bins.values()))
    return values[nodes - len(featurizer.entities)].tolist()


def names_of(graph, *entities: int) -> list[str]:
    return [graph.names[one] for one in entities]


@pytest.fixture
def featurizer(graph) -> Featurizer:
    return Featurizer.learn(graph, graph.item_entities, TEXT)


def weights(featurizer: Featurizer, features: ItemFeatures) -> list[dict[tuple[str, str], float]]:
    """The neighbours of each item: (relation, key) -> weight."""
    keys = [name.partition("/")[2] for name in featurizer.entities]
    rows = []
    for row in features.neighbors:
        columns = row.tocoo().col
        named = [(featurizer.relations[features.relation[c]], keys[features.entity[c]]) for c in columns]
        rows.append(dict(zip(named, row.data.tolist(), strict=True)))
    return rows


def test_a_featurizer_has_relations_both_ways_and_entities_of_two_items(graph, featurizer):
    assert featurizer.relations == ("acted_in", "genres", "sequel_of", "^acted_in", "^genres", "^sequel_of")
    assert graph.names.tolist() == [
        "film/a", "film/b", "film/c", "genre/x", "genre/y", "genre/z", "person/p", "person/q", "person/r",
    ]  # fmt: skip
    # a film linked to films is a neighbour of itself too; z and q are neighbours of one item each
    assert featurizer.entities.tolist() == names_of(graph, A, B, C, X, Y, P, R)
    np.testing.assert_allclose(featurizer.idf, [THREE, TWO, TWO, THREE, TWO, TWO, TWO], rtol=1e-6)
    assert featurizer.idf.dtype == np.float32
    assert list(featurizer.whitenings) == [""] and featurizer.dense_dim == 2
    assert featurizer.whitenings[""].mean.tolist() == [0.5, 0.5]


def test_the_neighbours_of_each_item_have_these_weights(graph, featurizer):
    features = featurizer.features(graph, graph.item_entities, TEXT)
    genre = math.hypot(THREE, TWO)
    both = {("genres", "x"): THREE / genre, ("genres", "y"): TWO / genre}
    half = OTHERS / math.sqrt(2)
    sequels = {("sequel_of", "a"): OWN, ("sequel_of", "b"): half, ("sequel_of", "c"): half}
    actors = {("^acted_in", "p"): 1 / math.sqrt(10), ("^acted_in", "r"): 3 / math.sqrt(10)}
    assert weights(featurizer, features) == [
        pytest.approx(both | sequels | actors),
        pytest.approx(
            {
                ("genres", "x"): 1,
                ("sequel_of", "a"): OTHERS,
                ("sequel_of", "b"): OWN,
                ("^acted_in", "p"): 1,
            }
        ),
        pytest.approx(both | {("sequel_of", "a"): OTHERS, ("sequel_of", "c"): OWN, ("^acted_in", "r"): 1}),
    ]
    assert features.neighbors.dtype == np.float32
    assert (features.relation.dtype, features.entity.dtype) == (np.int64, np.int64)


def test_columns_are_pairs_of_relation_and_entity_in_order(graph, featurizer):
    features = featurizer.features(graph, graph.item_entities, TEXT)
    ids = graph.names.ids(featurizer.entities.tolist())
    assert [*zip(features.relation.tolist(), ids[features.entity].tolist(), strict=True)] == [
        (1, X), (1, Y), (2, A), (2, B), (2, C), (3, P), (3, R),
    ]  # fmt: skip
    genre = math.hypot(THREE, TWO)
    x, y, half, root = THREE / genre, TWO / genre, OTHERS / math.sqrt(2), math.sqrt(10)
    np.testing.assert_allclose(
        features.neighbors.toarray(),
        [
            [x, y, OWN, half, half, 1 / root, 3 / root],
            [1, 0, OTHERS, OWN, 0, 1, 0],
            [x, y, OTHERS, 0, OWN, 0, 1],
        ],
        rtol=1e-6,
    )


def test_text_is_centred_and_of_unit_length_and_stays_zero_where_there_is_none(graph, featurizer):
    features = featurizer.features(graph, graph.item_entities, TEXT)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(features.dense, [[half, -half], [-half, half], [0, 0]], rtol=1e-6)
    assert features.dense.dtype == np.float32


def test_a_text_equal_to_the_mean_has_a_zero_vector(graph, featurizer):
    features = featurizer.features(graph, graph.item_entities[:1], {"": np.array([[0.5, 0.5]], np.float32)})
    assert features.dense.tolist() == [[0, 0]]


def test_text_and_vectors_stand_side_by_side_in_order_of_their_names(graph):
    """A vector of one number: centred on 3, then of unit length."""
    raw = {"size": np.array([[2], [0], [4]], np.float32)} | TEXT
    featurizer = Featurizer.learn(graph, graph.item_entities, raw)
    assert featurizer.dense_dim == 3 and list(featurizer.whitenings) == ["", "size"]
    half = math.sqrt(0.5)
    np.testing.assert_allclose(
        featurizer.features(graph, graph.item_entities, raw).dense,
        [[half, -half, -1], [-half, half, 0], [0, 0, 1]],
        rtol=1e-6,
    )


def test_without_raw_vectors_only_the_dense_part_is_zero(graph, featurizer):
    features = featurizer.features(graph, graph.item_entities)
    assert features.dense.tolist() == [[0, 0]] * 3 and features.dense.dtype == np.float32
    whole = featurizer.features(graph, graph.item_entities, TEXT)
    np.testing.assert_array_equal(features.neighbors.toarray(), whole.neighbors.toarray())


def test_relations_and_entities_unknown_to_training_are_left_out(graph, featurizer):
    smaller = Featurizer(
        ("^acted_in", "genres"),
        Vocabulary(names_of(graph, X, P)),
        np.array([1, 1], np.float32),
        whitenings=featurizer.whitenings,
    )
    features = smaller.features(graph, graph.item_entities, TEXT)
    assert weights(smaller, features) == [
        {("genres", "x"): 1, ("^acted_in", "p"): 1},
        {("genres", "x"): 1, ("^acted_in", "p"): 1},
        {("genres", "x"): 1},
    ]


def test_a_new_item_keeps_only_the_neighbours_of_the_featurizer(graph, featurizer):
    rows = pd.DataFrame([{"id": "n", "title": "Dusk", "plot": "", "genres": "y|new", "sequel_of": "b"}])
    addition = read_addition(graph.mapping, frames={"film": rows}, known=graph)
    larger, places = graph.extended(addition)
    new = places[addition.item_entities]
    # itself it cannot have as a neighbour, for lack of a parameter; genre "new" neither
    features = featurizer.features(larger, new)
    assert weights(featurizer, features) == [{("genres", "y"): 1, ("sequel_of", "b"): 1}]
    # b is named by it, and stays what it was
    before, after = (featurizer.features(g, np.array([B])) for g in (graph, larger))
    assert weights(featurizer, after) == weights(featurizer, before)


def test_an_item_that_links_to_unknown_items_only_is_no_neighbour_of_itself(graph):
    featurizer = Featurizer(("sequel_of",), Vocabulary(["film/b"]), np.array([1], np.float32))
    features = featurizer.features(graph, graph.item_entities)
    assert weights(featurizer, features) == [{("sequel_of", "b"): 1}, {}, {}]


def test_no_known_entity_and_no_relation_at_all_give_items_without_neighbours(graph):
    bare = replace(graph, triples=graph.triples[:0])
    for featurizer in (
        Featurizer((), Vocabulary([]), np.zeros(0, np.float32)),
        Featurizer.learn(bare, graph.item_entities, {}),
    ):
        features = featurizer.features(graph, graph.item_entities, {})
        assert features.neighbors.shape == (3, 0) and features.dense.shape == (3, 0)
        assert len(features.take(np.array([2, 0]))) == 2


def test_edges_of_weight_zero_are_no_neighbours(graph, featurizer):
    weight = np.zeros(len(graph.triples), np.float32)
    idle = replace(graph, triples=graph.triples.set_column(3, "weight", pa.array(weight)))
    assert not featurizer.features(idle, graph.item_entities, TEXT).neighbors.nnz
    assert not len(Featurizer.learn(idle, graph.item_entities, TEXT).entities)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_only_the_proportions_of_weights_count(graph, featurizer, size):
    weight = graph.triples["weight"].to_numpy() * np.float32(size)
    scaled = replace(graph, triples=graph.triples.set_column(3, "weight", pa.array(weight, pa.float32())))
    np.testing.assert_allclose(
        featurizer.features(scaled, graph.item_entities, TEXT).neighbors.toarray(),
        featurizer.features(graph, graph.item_entities, TEXT).neighbors.toarray(),
        rtol=1e-5,
    )


def tied(graph, *edges: tuple[int, int, int, float]):
    """The graph with only these edges: head, relation, tail, weight."""
    head, relation, tail, weight = zip(*edges, strict=True)
    triples = pa.table(
        {
            "head": pa.array(head, pa.int32()),
            "relation": pa.array(relation, pa.int32()),
            "tail": pa.array(tail, pa.int32()),
            "weight": pa.array(weight, pa.float32()),
        }
    )
    return replace(graph, triples=triples)


def test_a_relation_followed_both_ways_to_one_entity_is_two_neighbours(graph):
    """a has genre x, and x has a; b has genre x."""
    looped = tied(graph, (A, 1, X, 1), (X, 1, A, 1), (B, 1, X, 1))
    featurizer = Featurizer.learn(looped, graph.item_entities, TEXT)
    # two items, however many edges lead to them
    assert featurizer.entities.tolist() == ["genre/x"]
    np.testing.assert_allclose(featurizer.idf, [TWO], rtol=1e-6)
    features = featurizer.features(looped, graph.item_entities, TEXT)
    both = {("genres", "x"): 1, ("^genres", "x"): 1}
    assert weights(featurizer, features) == [both, {("genres", "x"): 1}, {}]


def test_a_link_between_two_items_is_undirected(graph):
    """a is b's sequel and b is a's, c is b's."""
    looped = tied(graph, (A, 2, B, 1), (B, 2, A, 1), (C, 2, B, 1))
    featurizer = Featurizer.learn(looped, graph.item_entities, TEXT)
    assert featurizer.entities.tolist() == ["film/a", "film/b", "film/c"]
    np.testing.assert_allclose(featurizer.idf, [TWO, THREE, TWO], rtol=1e-6)
    half = OTHERS / math.sqrt(2)
    assert weights(featurizer, featurizer.features(looped, graph.item_entities, TEXT)) == [
        pytest.approx({("sequel_of", "a"): OWN, ("sequel_of", "b"): OTHERS}),
        pytest.approx({("sequel_of", "a"): half, ("sequel_of", "b"): OWN, ("sequel_of", "c"): half}),
        pytest.approx({("sequel_of", "b"): OTHERS, ("sequel_of", "c"): OWN}),
    ]


def test_of_two_links_between_the_same_items_the_heavier_counts(graph):
    looped = tied(graph, (A, 2, B, 1), (B, 2, A, 3), (A, 2, C, 1))
    featurizer = Featurizer.learn(looped, graph.item_entities, TEXT)
    row = weights(featurizer, featurizer.features(looped, graph.item_entities, TEXT))[0]
    root = math.sqrt(10)
    assert row == pytest.approx(
        {
            ("sequel_of", "a"): OWN,
            ("sequel_of", "b"): 3 / root * OTHERS,
            ("sequel_of", "c"): 1 / root * OTHERS,
        }
    )


def test_an_edge_from_an_item_to_itself_is_no_link(graph):
    looped = tied(graph, (A, 2, A, 1), (B, 2, B, 1), (A, 1, X, 1), (B, 1, X, 1))
    featurizer = Featurizer.learn(looped, graph.item_entities, TEXT)
    assert featurizer.entities.tolist() == ["genre/x"]
    features = featurizer.features(looped, graph.item_entities, TEXT)
    assert weights(featurizer, features) == [{("genres", "x"): 1}, {("genres", "x"): 1}, {}]


def numbered(graph, predicate: str, values: dict[int, float]):
    """The graph with a number for some entities."""
    numbers = pa.table(
        {
            "id": pa.array(list(values), pa.int32()),
            "predicate": pa.array([predicate] * len(values)),
            "value": pa.array(list(values.values()), pa.float64()),
        }
    )
    return replace(graph, numbers=numbers)


def test_a_number_is_a_neighbour_of_the_two_quantiles_around_it(graph):
    years = numbered(graph, "year", {0: 10, 1: 20, 2: 40})
    featurizer = Featurizer.learn(years, graph.item_entities, TEXT)
    # eighths of the way through 10, 20, 40
    bins = [10, 10 + 20 / 7, 10 + 40 / 7, 10 + 60 / 7, 20 + 20 / 7, 20 + 60 / 7, 20 + 100 / 7, 40]
    np.testing.assert_allclose(featurizer.bins["year"], bins)
    assert featurizer.relations[-1] == "year" and featurizer.n_nodes == 7 + 8
    features = featurizer.features(years, graph.item_entities, TEXT)
    of_year = features.relation == 6
    assert features.entity[of_year].tolist() == [7, 10, 11, 14]
    near, far = 2 / math.sqrt(5), 1 / math.sqrt(5)  # 20 is a third of the way from the 4th to the 5th
    np.testing.assert_allclose(
        features.neighbors.toarray()[:, of_year], [[1, 0, 0, 0], [0, near, far, 0], [0, 0, 0, 1]], rtol=1e-6
    )


def test_a_number_past_the_quantiles_is_the_last_one_and_a_single_value_has_no_bins(graph):
    featurizer = Featurizer.learn(numbered(graph, "year", {0: 10, 1: 20}), graph.item_entities, TEXT)
    far = numbered(graph, "year", {0: -99, 1: 99, 2: float("nan")})
    features = featurizer.features(far, graph.item_entities, TEXT)
    of_year = features.relation == 6
    assert features.neighbors.toarray()[:, of_year].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert features.entity[of_year].tolist() == [7, 14]
    assert Featurizer.learn(numbered(graph, "year", {0: 7, 1: 7}), graph.item_entities, TEXT).bins == {}
    # p is no item
    assert Featurizer.learn(numbered(graph, "year", {P: 7, R: 8}), graph.item_entities, TEXT).bins == {}


def test_the_numbers_of_items_are_the_finite_ones_of_the_predicate(graph):
    years = numbered(graph, "year", {A: 10, B: math.inf, C: 40, P: 7})
    row, value = item_numbers(years, np.array([C, B, A]), "year")
    assert dict(zip(row.tolist(), value.tolist(), strict=True)) == {0: 40, 2: 10}
    assert not len(item_numbers(years, np.array([A]), "month")[0])


@st.composite
def _features(draw) -> ItemFeatures:
    n, columns = draw(st.integers(1, 6)), draw(st.integers(0, 8))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    neighbors = sp.random(n, columns, 0.4, format="csr", dtype=np.float32, rng=rng)
    return ItemFeatures(
        rng.normal(size=(n, 2)).astype(np.float32),
        neighbors,
        rng.integers(0, 9, columns),
        rng.integers(0, 9, columns),
    )


@given(_features(), st.data())
def test_taking_rows_equals_slicing(features, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(features) - 1), max_size=8)), np.int64)
    taken = features.take(rows)
    np.testing.assert_array_equal(taken.dense, features.dense[rows])
    # each column of the part is the column that it names, and no column that has an entry is missing
    whole = {}
    for column, pair in enumerate(zip(features.relation.tolist(), features.entity.tolist(), strict=True)):
        whole[pair] = whole.get(pair, 0) + features.neighbors.toarray()[rows, column]
    part = {pair: np.zeros(len(rows)) for pair in whole}
    for column, pair in enumerate(zip(taken.relation.tolist(), taken.entity.tolist(), strict=True)):
        part[pair] = part[pair] + taken.neighbors.toarray()[:, column]
    for pair, values in whole.items():
        np.testing.assert_allclose(part[pair], values, rtol=1e-6)


YEARS = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, year: number, released: {as: date, format: "%Y-%m-%d"}, discs: number}
"""


def test_a_number_is_near_the_two_quantiles_around_it(tmp_path: Path):
    (tmp_path / "kgrec.yaml").write_text(YEARS)
    (tmp_path / "films.csv").write_text(
        "id,title,year,released,discs\na,Dawn,1990,1990-01-02,1\nb,Noon,2000,,1\nc,Dusk,2010,2010-01-02,1\n"
    )
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    featurizer = Featurizer.learn(graph, graph.item_entities, {})
    # `discs` has one value, which tells nothing
    assert featurizer.relations == ("released", "year")
    assert featurizer.bins["year"] == pytest.approx([1990 + 20 * k / 7 for k in range(8)])
    assert featurizer.n_nodes == 16

    features = featurizer.features(graph, graph.item_entities, {})
    years = features.neighbors.multiply(features.relation == 1).tocsr()
    years.eliminate_zeros()
    nodes = [
        dict(zip(number_of(featurizer, features.entity[row.indices]), row.data, strict=True)) for row in years
    ]
    assert nodes[0] == {1990: 1}
    # 2000 lies halfway between the quantiles 3 and 4, and the two weights have length one
    assert nodes[1] == pytest.approx({1990 + 60 / 7: math.sqrt(0.5), 1990 + 80 / 7: math.sqrt(0.5)})
    assert nodes[2] == {2010: 1}


def test_a_number_outside_the_known_range_is_at_the_outermost_quantile(tmp_path: Path):
    (tmp_path / "kgrec.yaml").write_text(YEARS)
    (tmp_path / "films.csv").write_text(
        "id,title,year,released,discs\na,Dawn,1990,,\nb,Noon,2000,,\nc,Old,1890,,\nd,No year,,,\n"
    )
    graph = kgrec.build_graph(tmp_path / "kgrec.yaml")
    featurizer = Featurizer.learn(graph, graph.item_entities[:2], {})
    features = featurizer.features(graph, graph.item_entities, {})
    assert number_of(featurizer, features.entity[features.neighbors[2].indices[:1]]) == [1990]
    assert features.neighbors[2].data.tolist() == [1]
    assert features.neighbors[3].nnz == 0
