from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from by_hand import csr, users

from kgrec.encode.featurizer import Featurizer
from kgrec.graph.histories import Histories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.rank.ranking_features import FeatureSource, GraphFeatures, item_statistics
from kgrec.rank.scorers import GraphScorer
from kgrec.storage.segments import Rows

DAY = 86_400


def featurizer() -> Featurizer:
    """Entities a and b by the relation `in`, and a number `year` with three bins, the nodes 2 to 4."""
    return Featurizer(
        ("in", "year"),
        Vocabulary(pa.array(["t/a", "t/b"], pa.large_string())),
        np.ones(2, np.float32),
        bins={"year": np.array([1990.0, 2000.0, 2010.0])},
    )


def graph() -> GraphScorer:
    """Item 0 is in a, between the first bins; item 1 in a and b, without a year; item 2 at the last bin."""
    columns = featurizer().codes(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4]))
    return GraphScorer(Rows.of(csr([0.6, 0, 0.2, 0.6, 0], [0.6, 0.8, 0, 0, 0], [0, 0, 0, 0, 1])), columns)


def test_what_a_log_says_of_items():
    """Item 0 has two users, and was first met ten days before the end; nobody likes item 1; item 2 is the newest one."""
    time = sp.csr_matrix(np.array([[1, 0, 0], [5, 9, 11]]) * DAY)
    bags = Histories.of_matrix(csr([1, 0, 0], [1, 1, 1]), time)
    bags.positive[bags.item == 1] = False
    popularity, recent, age = item_statistics(bags).T
    np.testing.assert_allclose(popularity, np.log1p([2, 0, 1]), rtol=1e-6)
    np.testing.assert_allclose(recent, np.log1p([0, 0, 1]), rtol=1e-6)
    np.testing.assert_allclose(age, np.log1p([10, 2, 0]), rtol=1e-6)


def test_without_times_nothing_is_recent_and_nothing_has_an_age():
    statistics = item_statistics(Histories.of_matrix(csr([1, 0, 1])))
    np.testing.assert_allclose(statistics, [[np.log(2), 0, 0], [0, 0, 0], [np.log(2), 0, 0]], rtol=1e-6)


def test_features_of_the_graph_are_neighbours_numbers_and_the_most_frequent_entities():
    features = GraphFeatures.of(graph(), featurizer())
    assert features.names == ("neighbors", "year", "in t/a", "in t/b")
    values = features.of_items(graph().neighbors.whole)
    # a year three quarters of the way from the first bin to the second is at 3/8 of all
    np.testing.assert_allclose(
        values, [[np.log(4), 0.375, 1, 0], [np.log(3), np.nan, 1, 1], [np.log(2), 1, 0, 0]], rtol=1e-6
    )


def test_values_of_pairs():
    statistics = np.array([[np.log(3), 0, 1], [np.log(2), 0, 2], [0, 0, 0]], np.float32)
    source = FeatureSource(("embedding",), Rows.of(statistics), GraphFeatures.of(graph(), featurizer()))
    assert source.names == (
        *("embedding", "history_length", "history_popularity", "popularity", "recent_popularity", "age"),
        *("neighbors", "year", "in t/a", "in t/b"),
    )
    cosines = np.array([[0.5, -np.inf], [0.25, 0.125]], np.float32)
    # the second user dislikes item 1, which is no part of the history's length
    values = source.values(
        users([1, 1, 0], [1, -0.2, 0]),
        np.array([[2, 0], [1, 0]]),
        {"embedding": cosines},
        graph().neighbors,
    )
    two = [np.log(3), (np.log(3) + np.log(2)) / 2]
    np.testing.assert_allclose(values[0, 0], [0.5, *two, 0, 0, 0, np.log(2), 1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(values[0, 1, 0], 0)
    one = [np.log(2), np.log(3)]
    np.testing.assert_allclose(
        values[1, 0], [0.25, *one, np.log(2), 0, 2, np.log(3), np.nan, 1, 1], rtol=1e-6
    )


def test_an_added_item_has_no_users_and_no_age():
    source = FeatureSource(
        ("embedding",), Rows.of(np.ones((3, 3), np.float32)), GraphFeatures.of(graph(), featurizer())
    )
    more = source.with_items(5)
    assert more.statistics[np.array([2, 3, 4])].tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert more.is_known(np.array([[0, 4]])).tolist() == [[True, False]]
    assert len(more.merged().statistics.base) == 5
    assert source.is_known(np.array([2])).tolist() == [True]


def test_an_empty_history_has_zeros():
    source = FeatureSource(
        ("embedding",), Rows.of(np.ones((3, 3), np.float32)), GraphFeatures.of(graph(), featurizer())
    )
    values = source.values(
        users([0, 0, 0]), np.array([[1]]), {"embedding": np.zeros((1, 1))}, graph().neighbors
    )
    assert values[0, 0, 1:3] == pytest.approx([0, 0])
