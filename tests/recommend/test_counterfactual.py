"""Counterfactuals of a model by hand: the score of an item is the cosine with the mean of the history."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from models import items, model

import kgrec
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend.counterfactual import MOST_LISTS, Counterfactual, counterfactual
from kgrec.recommend.request import Request

#: a and b point along x, c and d along y; p is near x, q near y
NAMES = ["a", "b", "c", "d", "p", "q"]
VECTORS = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0.9, np.sqrt(0.19)], [np.sqrt(0.19), 0.9]], np.float32)


@pytest.fixture
def plane() -> Model:
    return model(items(VECTORS, NAMES), sp.csr_matrix(np.eye(1, 6, dtype=np.float32)))


def found(plane: Model, liked: str, item: str, request: Request | None = None) -> Counterfactual:
    """The counterfactual of a list for the items whose names are letters of `liked`, which the list leaves out."""
    seen = sp.csr_matrix(np.array([[float(name in liked) for name in NAMES]], np.float32))
    return counterfactual(plane, Histories.of_matrix(seen), NAMES.index(item), request or Request(1), seen)


def test_one_item_decides(plane: Model):
    """u = a + c is on the diagonal, where p and q are alike, and p comes first by its row; c alone gives q."""
    answer = found(plane, "ac", "p")
    assert (answer.rank, answer.removed, answer.is_smallest) == (1, (("a", "A"),), True)
    assert answer.instead == ("d", "D")
    assert str(answer) == "without A it would not be in the list of 1, but D would"


def test_two_items_decide_together(plane: Model):
    """a, b and c: without a the rest is on the diagonal still; c alone is not."""
    answer = found(plane, "abc", "p", Request(1, deny=["d"]))
    assert (answer.removed, answer.is_smallest) == ((("a", "A"), ("b", "B")), True)
    assert answer.instead == ("q", "Q")
    assert answer.lists <= MOST_LISTS


def test_larger_sets_are_found_greedily_and_what_is_not_needed_is_put_back():
    """e, on the diagonal, has the largest contribution to p; but a, b and f have to go, and then e and c prefer q."""
    names, half = ["a", "b", "f", "e", "c", "p", "q"], np.sqrt(0.5)
    vectors = np.concatenate([VECTORS[[0, 0, 0]], [[half, half]], VECTORS[[2, 4, 5]]]).astype(np.float32)
    wider = model(items(vectors, names), sp.csr_matrix(np.eye(1, 7, dtype=np.float32)))
    seen = sp.csr_matrix(np.array([[1.0] * 5 + [0.0] * 2]))
    answer = counterfactual(wider, Histories.of_matrix(seen), 5, Request(1), seen)
    assert {item for item, _ in answer.removed} == {"a", "b", "f"}
    # all single items and all pairs were tried
    assert answer.is_smallest


def test_no_set_suffices_where_there_is_nothing_else(plane: Model):
    answer = found(plane, "ab", "p", Request(1, candidates=["p"]))
    assert (answer.removed, answer.is_smallest, answer.instead) == ((), False, None)
    assert str(answer) == "rank 1 of 1, also without the 50 items that matter most, singly or together"


def test_an_item_that_is_not_listed(plane: Model):
    with pytest.raises(kgrec.ConfigError, match=r"'q' is not in the list of 1, so nothing keeps it there"):
        found(plane, "a", "q")


def test_a_lowest_score_counts_as_the_end_of_the_list(plane: Model):
    """Without a, p has its sine, .436, and not its cosine."""
    answer = found(plane, "ac", "p", Request(5, min_score=0.6))
    assert answer.removed == (("a", "A"),)


def test_removed_items_stay_seen(plane: Model):
    """Without a, the list would have a itself if it did not stay seen."""
    answer = found(plane, "ac", "p", Request(1))
    assert answer.instead is not None and answer.instead[0] not in ("a", "c")


def test_it_is_verified_on_a_trained_model(catalogue, bag_of_words):
    config = kgrec.Config.read(settings=["dim=8", "epochs=2", "train.threads=1", "search_seconds=0"])
    rec = kgrec.Recommender(config, text_encoder=bag_of_words).fit(
        kgrec.build_graph(catalogue / "kgrec.yaml")
    )
    request = kgrec.Request(k=1)
    history = ["f1", "f2", "f4"]
    best = rec.recommend_for_history([history], request=request)["item_id"][0]
    without = rec.explain_history(history, best, counterfactual=True, request=request).counterfactual
    assert without is not None and without.removed
    rest = [item for item in history if item not in dict(without.removed)]
    kept_out = kgrec.Request(k=1, deny=history)
    assert rec.recommend_for_history([rest], request=kept_out)["item_id"][0] != best
    plain = without.to_dict()
    assert plain["text"] == str(without) and plain["removed"][0].keys() == {"item_id", "label"}
    assert rec.explain_history(history, best, request=request).counterfactual is None
    assert str(without) in str(rec.explain_history(history, best, counterfactual=True, request=request))
