"""Content-based baselines, with values computed by hand."""

from __future__ import annotations

import numpy as np
from baseline_examples import example_data, matrix

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.graph.histories import Histories


def test_tfidf_by_hand():
    """Four items: `space` is in two of them, `war` in three; `crew` in none that is known."""
    texts = ["Space space, war", "war", "space war", "", "war crew"]
    hidden = np.array([False] * 4 + [True])
    data = BaselineData(matrix(np.zeros((1, 5))), None, texts, hidden=hidden)
    space, war = np.log(5 / 3), np.log(5 / 4)
    first = np.array([(1 + np.log(2)) * space, war])
    first, third = first / np.linalg.norm(first), np.array([space, war]) / np.hypot(space, war)
    scores = (
        ContentTfidf("words")
        .fit(data)
        .scores(Histories.of_matrix(matrix([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]])))
    )
    to_first = np.array([1, first[1], first @ third, 0, first[1]])
    to_second = np.array([first[1], 1, third[1], 0, 1])
    np.testing.assert_allclose(scores, [to_first, (to_first + to_second) / 2], rtol=1e-5)


def test_words_and_graph_count_half_each():
    data = example_data()
    words, graph, both = (
        ContentTfidf(terms).fit(data).scores(data.histories) for terms in ("words", "graph", "both")
    )
    np.testing.assert_allclose(both, (words + graph) / 2, atol=1e-6)


def test_embeddings_by_hand():
    """The mean of the known items that have a text is (1, 1)."""
    vectors = np.array([[2, 1], [0, 1], [0, 0], [1, 5]], np.float32)
    data = BaselineData(
        matrix(np.zeros((1, 4))), vectors=vectors, hidden=np.array([False, False, False, True])
    )
    histories = matrix([[1, 0, 0, 0], [0, 0, 0, 1]])
    found = ContentEmbedding().fit(data).scores(Histories.of_matrix(histories))
    np.testing.assert_allclose(found, [[1, -1, 0, 0], [0, 0, 0, 1]], atol=1e-6)
    plain = ContentEmbedding(centred=False).fit(data).scores(Histories.of_matrix(histories))
    np.testing.assert_allclose(plain[0], [1, 1 / 5**0.5, 0, 7 / (5 * 26) ** 0.5], rtol=1e-6)
