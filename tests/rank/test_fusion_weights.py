import numpy as np
import pytest
import scipy.sparse as sp

from kgrec.rank import fusion_weights
from kgrec.rank.config import SCORERS
from kgrec.rank.fusion_weights import Shortlist
from kgrec.rank.rescorer import proportions
from kgrec.rank.scorers import UserProfiles


def shortlist(cosines: list[list[float]], true: list[int]) -> Shortlist:
    """User u's candidates are all items, and the truth is item true[u]."""
    shape = np.shape(cosines)
    truth = sp.csr_matrix((np.ones(len(true), np.float32), (np.arange(len(true)), true)), shape)
    candidates = np.tile(np.arange(shape[1]), (shape[0], 1))
    nobody = sp.csr_matrix(shape, dtype=np.float32)
    users, vectors = UserProfiles(nobody, np.ones(shape[1])), np.zeros((shape[1], 0), np.float32)
    return Shortlist(users, truth, candidates, np.array(cosines, np.float32), vectors)


def test_quality_is_of_the_candidates_with_the_highest_scores():
    short = shortlist([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]], [1, 0])
    # one truth is second, the other first; turned round, second and not among the two
    assert short.quality(short.cosines, 2) == pytest.approx(((1 / np.log2(3) + 1) / 2, 1))
    other = np.array([[0, 1, 2], [0, 1, 2]], np.float32)
    assert short.quality(other, 2) == pytest.approx((1 / np.log2(3) / 2, 0.5))


def test_an_informative_scorer_gets_a_weight_and_noise_gets_none():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 30, 200)
    cosines, noise = rng.normal(size=(2, 200, 30)).astype(np.float32)
    cosines[np.arange(200), true] += 0.5
    knows = np.zeros((200, 30), np.float32)
    knows[np.arange(200), true] = 1
    short = shortlist(cosines, true)
    alone = short.quality(cosines, 10)
    parts = {"graph": knows, "text": np.zeros_like(knows), "co_occurrence": -knows}
    weights, ndcg, recall = fusion_weights.best_weights(short, parts, 10)
    assert weights["graph"] > 0.1 and (weights["text"], weights["co_occurrence"]) == (0, 0)
    assert [*weights] == [*SCORERS] and sum(weights.values()) == pytest.approx(1)
    assert ndcg > 1.5 * alone[0] and recall > alone[1]
    # the figures are what these weights reach
    assert short.quality(weights["embedding"] * cosines + weights["graph"] * knows, 10) == pytest.approx(
        (ndcg, recall)
    )
    # noise can do no harm, however it falls
    assert fusion_weights.best_weights(short, {"text": noise}, 10)[1] >= alone[0]


def test_without_other_scores_the_embeddings_have_all_the_weight():
    short = shortlist([[0.9, 0.5], [0.1, 0.5]], [1, 0])
    weights, ndcg, recall = fusion_weights.best_weights(short, {"text": np.zeros((2, 2), np.float32)}, 1)
    assert weights == proportions({"embedding": 1}) and (ndcg, recall) == (0, 0)


def test_regret_is_relative_to_the_best_of_each_scenario():
    # shares lost: 0 and .5; .1 and .25; .2 and 0
    assert fusion_weights.least_regret(np.array([[1.0, 0.02], [0.9, 0.03], [0.8, 0.04]])) == 2
    assert fusion_weights.least_regret(np.array([[1.0, 0.02], [0.9, 0.03], [0.7, 0.04]])) == 1
    assert fusion_weights.least_regret(np.array([[0.3], [0.5], [0.5]])) == 1
    assert fusion_weights.least_regret(np.zeros((3, 2))) == 0
