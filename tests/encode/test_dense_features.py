import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import kgrec
from kgrec.encode.dense_features import TEXT, item_texts, item_vectors, raw_blocks, text_vectors
from kgrec.encode.whitening import Whitening
from kgrec.errors import ConfigError

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns: {title: label, plot: text, look: vector}
"""
FILMS = """\
id,title,plot,look
a,Dawn,a crew lands,"[1, 2]"
b,Noon,,"[3, 4]"
c,,,
"""


@pytest.fixture
def graph(tmp_path: Path):
    (tmp_path / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "films.csv").write_text(FILMS, encoding="utf-8")
    return kgrec.build_graph(tmp_path / "kgrec.yaml")


def with_vectors(graph, *vectors: tuple[int, str, list[float]]):
    """The graph with only these vectors: entity, predicate, numbers."""
    ids, predicates, numbers = zip(*vectors, strict=True)
    table = pa.table(
        {
            "id": pa.array(ids, pa.int32()),
            "predicate": pa.array(predicates),
            "vector": pa.array(numbers, pa.list_(pa.float32())),
        }
    )
    return replace(graph, vectors=table)


def test_a_whitening_has_this_mean_and_map():
    """Variances 9 and 1, which are 9/5 and 1/5 of their mean, 5.

    Four vectors of two numbers keep 4/6 of the covariance: 2/3 * 9/5 + 1/3 = 23/15, and 2/3 * 1/5 + 1/3 = 7/15.
    """
    whitening = Whitening.learn(np.array([[4, 2], [4, 4], [10, 2], [10, 4]], np.float32))
    assert whitening.mean.tolist() == [7, 3]
    np.testing.assert_allclose(whitening.map, np.diag([(23 / 15) ** -0.35, (7 / 15) ** -0.35]), atol=1e-6)
    assert (whitening.mean.dtype, whitening.map.dtype) == (np.float32, np.float32)


def test_whitening_turns_a_vector_towards_the_direction_of_small_variance():
    whitening = Whitening.learn(np.array([[4, 2], [4, 4], [10, 2], [10, 4]], np.float32))
    wide, narrow = 3 * (23 / 15) ** -0.35, (7 / 15) ** -0.35
    length = math.hypot(wide, narrow)
    units = whitening(np.array([[10, 4], [7, 5], [0, 0]], np.float32))
    np.testing.assert_allclose(units, [[wide / length, narrow / length], [0, 1], [0, 0]], atol=1e-6)
    assert units.dtype == np.float32


def test_with_more_vectors_the_covariance_is_shrunk_less():
    """A thousand copies of four vectors: 4000/4002 of the covariance is kept."""
    four = np.array([[4, 2], [4, 4], [10, 2], [10, 4]], np.float32)
    kept = 4000 / 4002
    variances = np.array([kept * 9 / 5 + 1 - kept, kept * 1 / 5 + 1 - kept])
    np.testing.assert_allclose(
        Whitening.learn(np.tile(four, (1000, 1))).map, np.diag(variances**-0.35), atol=1e-6
    )


def test_zero_rows_count_neither_for_the_mean_nor_the_covariance():
    rows = np.array([[4, 2], [4, 4], [10, 2], [10, 4]], np.float32)
    alone, padded = (
        Whitening.learn(rows),
        Whitening.learn(np.concatenate([rows, np.zeros((9, 2), np.float32)])),
    )
    np.testing.assert_array_equal(padded.mean, alone.mean)
    np.testing.assert_array_equal(padded.map, alone.map)


def test_a_block_of_no_vector_or_of_one_gives_finite_numbers():
    none = Whitening.learn(np.zeros((3, 2), np.float32))
    assert none.mean.tolist() == [0, 0] and none.map.tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(none(np.array([[3, 4]], np.float32)), [[0.6, 0.8]], rtol=1e-6)
    one = Whitening.learn(np.array([[1, 2]], np.float32))
    assert one(np.array([[1, 2]], np.float32)).tolist() == [[0, 0]]
    # one vector has no covariance, so no direction is scaled
    np.testing.assert_allclose(one(np.array([[4, 6]], np.float32)), [[0.6, 0.8]], rtol=1e-5)


def test_texts_are_the_label_and_the_texts_of_an_item(graph):
    assert item_texts(graph, graph.item_entities) == ["Dawn. a crew lands", "Noon", ""]
    assert item_texts(graph, graph.item_entities[[2, 0]]) == ["", "Dawn. a crew lands"]


def test_only_items_with_text_are_encoded(bag_of_words):
    told = []
    vectors = text_vectors(bag_of_words, ["", "one two", ""], lambda done, total: told.append((done, total)))
    assert vectors.any(axis=1).tolist() == [False, True, False] and vectors.dtype == np.float32
    assert told == [(1, 1)]
    np.testing.assert_array_equal(vectors[1], bag_of_words.encode(["one two"])[0])
    assert text_vectors(None, ["one"]).shape == (1, 0)
    assert text_vectors(bag_of_words, ["", ""]).shape == (2, 0)


def test_item_vectors_are_in_the_order_of_the_given_items(graph):
    assert item_vectors(graph, graph.item_entities, "look").tolist() == [[1, 2], [3, 4], [0, 0]]
    vectors = item_vectors(graph, graph.item_entities[[2, 1]], "look")
    assert vectors.tolist() == [[0, 0], [3, 4]] and vectors.dtype == np.float32
    assert item_vectors(graph, graph.item_entities, "sound").shape == (3, 0)


def test_several_vectors_of_one_item_are_averaged(graph):
    several = with_vectors(graph, (1, "look", [1, 2]), (1, "look", [3, 8]), (0, "sound", [9]))
    assert item_vectors(several, graph.item_entities, "look").tolist() == [[0, 0], [2, 5], [0, 0]]


def test_vectors_of_different_lengths_are_refused(graph):
    uneven = with_vectors(graph, (0, "look", [1, 2]), (1, "look", [1, 2, 3]))
    with pytest.raises(ConfigError, match="'look' have 2 and 3 numbers"):
        item_vectors(uneven, graph.item_entities, "look")
    # those of other items do not matter
    assert item_vectors(uneven, graph.item_entities[:1], "look").tolist() == [[1, 2]]


def test_blocks_are_the_text_and_each_predicate_of_vectors(graph, bag_of_words):
    blocks = raw_blocks(graph, graph.item_entities, bag_of_words)
    assert sorted(blocks) == [TEXT, "look"]
    expected = bag_of_words.encode(["Dawn. a crew lands", "Noon"])
    np.testing.assert_array_equal(blocks[TEXT][:2], expected)
    assert not blocks[TEXT][2].any() and not blocks["look"][2].any()
    assert list(raw_blocks(graph, graph.item_entities, None)) == ["look"]
    # c has neither
    assert raw_blocks(graph, graph.item_entities[2:], bag_of_words) == {}


def test_an_item_without_text_or_vector_stays_zero_when_whitened(graph, bag_of_words):
    for name, block in raw_blocks(graph, graph.item_entities, bag_of_words).items():
        units = Whitening.learn(block)(block)
        np.testing.assert_allclose(np.linalg.norm(units, axis=1), [1, 1, 0], rtol=1e-5, err_msg=name)


def test_blocks_of_a_trained_model_have_its_widths_even_without_any_vector(graph, bag_of_words):
    blocks = raw_blocks(graph, graph.item_entities[2:], bag_of_words, {TEXT: 32, "look": 2, "sound": 5})
    assert {name: block.shape for name, block in blocks.items()} == {
        TEXT: (1, 32),
        "look": (1, 2),
        "sound": (1, 5),
    }
    assert not any(block.any() for block in blocks.values())
    # a block that the model lacks is left out
    only = raw_blocks(graph, graph.item_entities, bag_of_words, {"look": 2})
    assert list(only) == ["look"] and only["look"].tolist() == [[1, 2], [3, 4], [0, 0]]


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ({TEXT: 384}, "text encoder gives vectors of 32 numbers; the model was trained with 384"),
        ({"look": 3}, "'look' has vectors of 2 numbers; the model was trained with 3"),
    ],
)
def test_blocks_of_another_width_than_in_training_are_refused(graph, bag_of_words, widths, message):
    with pytest.raises(ConfigError, match=message):
        raw_blocks(graph, graph.item_entities, bag_of_words, widths)
