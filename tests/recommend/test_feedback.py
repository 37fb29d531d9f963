import numpy as np
import scipy.sparse as sp
from models import rescorer

from kgrec.rank.scorers import UserProfiles
from kgrec.recommend.feedback import relevance_profile

HISTORY_WEIGHT = np.array([1.0, 0.5, 2.0, 0.25], np.float32)


def rows(*some: list[int]) -> sp.csr_matrix:
    return sp.csr_matrix(np.array(some, np.float32))


def test_dislikes_together_weigh_a_fifth_of_the_likes():
    """1 + .5 is liked; a fifth is .3: of what is disliked each counts .3 / 2, and .3 / (2 + .25)."""
    likes = rows([1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0])
    dislikes = rows([0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0])
    expected = [[1, 1, -0.15, 0], [1, 1, -0.3 / 2.25, -0.3 / 2.25], [1, 1, 0, 0]]
    both = relevance_profile(likes, dislikes, HISTORY_WEIGHT)
    np.testing.assert_allclose(both.toarray(), expected, rtol=1e-6)
    assert both.dtype == np.float32
    np.testing.assert_allclose((both.toarray() * HISTORY_WEIGHT)[:2].sum(axis=1), [1.2, 1.2], rtol=1e-6)


def test_who_likes_nothing_dislikes_nothing():
    both = relevance_profile(rows([0, 0, 0, 0]), rows([0, 1, 0, 0]), HISTORY_WEIGHT)
    assert both.shape == (1, 4) and both.nnz == 0


def test_without_dislikes_it_is_the_history_itself():
    likes = rows([1, 0, 1, 0])
    assert relevance_profile(likes, rows([0, 0, 0, 0]), HISTORY_WEIGHT) is likes


def test_each_part_of_a_score_takes_the_disliked_off():
    """Item 0 is liked, item 1 disliked, and counts -.2 * 1 / .5 = -.4 times .5."""
    scored = rescorer(
        4,
        dict.fromkeys(("embedding", "graph", "text", "co_occurrence"), 1),
        graph=sp.csr_matrix(np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 1]], np.float32)),
        columns=np.array([3, 8]),
        text=np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float16),
        co_occurrence=sp.csr_matrix(
            np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0.3, 0, 0], [0, 0.1, 0, 0]], np.float32)
        ),
    )
    history = relevance_profile(rows([1, 0, 0, 0]), rows([0, 1, 0, 0]), HISTORY_WEIGHT)
    np.testing.assert_allclose(history.toarray(), [[1, -0.4, 0, 0]], rtol=1e-6)
    length = np.sqrt(1 + 0.2**2)
    users = UserProfiles(history, HISTORY_WEIGHT)
    graph, text, together = scored.parts(users, np.array([[2, 3]])).values()
    np.testing.assert_allclose(graph, [[(0.6 - 0.2 * 0.8) / length, -0.2 / length]], rtol=1e-5)
    np.testing.assert_allclose(text, [[-0.2 / length, 1 / length]], rtol=1e-5)
    # one item is liked, whatever is disliked
    np.testing.assert_allclose(together, [[0.5 - 0.4 * 0.3, -0.4 * 0.1]], rtol=1e-5)
    for at, item in enumerate((2, 3)):
        shares = scored.shares(users, np.array([item])).values()
        parts = [graph[0, at], text[0, at], together[0, at]]
        np.testing.assert_allclose([share.sum() for share in shares], np.multiply(parts, 0.25), rtol=1e-5)
