"""Ratings on a scale, counts and kinds of events."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kgrec.ingest.draft.profile import Profile
from kgrec.ingest.draft.scales import kinds_of, scale_of


def profile(name, values):
    return Profile(name, pa.array([str(value) for value in values], pa.string()))


@pytest.mark.parametrize(
    ("name", "values", "positive"),
    [
        ("rating", [1, 2, 3, 4, 5], ">= 4"),
        ("Book-Rating", [5, 7, 10], ">= 8"),
        ("rating", [0.5, 3.5, 4, 5], ">= 4"),
        ("score", [0, 6, 8, 9, 10, 7, 7, 7], ">= 8"),
        ("liked", [0, 1, 1], ">= 1"),
        ("label", [0, 1], ">= 1"),
        ("thumbs", [-1, 1], "> 0"),
        ("feedback", [-1, 0, 1], "> 0"),
        ("percent", [0, 40, 100], ">= 75"),
        ("watch_ratio", [0.1, 0.5, 1.0], ">= 0.75"),
        ("rating", [-1, 6, 8, 10], ">= 8"),
        ("rating", [-9.5, 3.1, 8.2], "> 0"),
        ("rating", [1, 2, 3] * 400, ">= 3"),
        ("rating", [1, 2, 3, 4, 5, 6, 7] * 200, ">= 6"),
        ("play_count", [1, 2, 500], ""),
        ("plays", [1, 2, 5], ""),
        ("weight", [12, 900, 4], ""),
        ("rating", [3, 3, 3], ""),
        ("rating", [300, 700, 1000], ""),
    ],
)
def test_from_which_value_on_a_rating_is_positive(name, values, positive):
    assert scale_of(profile(name, values), has_name=True).positive == positive


@pytest.mark.parametrize(
    ("values", "doubt", "others"),
    [
        ([1, 3, 5], "", ("",)),
        ([1, 8, 10], "", ("",)),
        (
            [0, 0, 8, 10],
            "0, in 50% of the rows, may mean 'not rated': such rows count as seen, not as liked",
            ("> 0", ""),
        ),
        (
            [-1, 8, 10],
            "-1, in 33% of the rows, may mean 'not rated': such rows count as seen, not as liked",
            (">= 0", ""),
        ),
        ([2, 6, 7], "the largest value found is 7, which may be the end of the scale", (">= 6", "")),
        ([5, 50, 100], "where liking begins on such a scale is a guess", (">= 50", "")),
        ([100, 500, 900], "no known scale of ratings has such values", (">= 500",)),
    ],
)
def test_scales_that_are_doubtful(values, doubt, others):
    scale = scale_of(profile("rating", values), has_name=True)
    assert (scale.doubt, scale.others) == (doubt, others)


def test_the_name_of_a_column_without_a_name_tells_nothing():
    assert scale_of(profile("column_3", [1, 2, 5]), has_name=False).positive == ">= 4"
    assert scale_of(profile("column_3", [1, 2, 70]), has_name=False).positive == ""


@pytest.mark.parametrize(
    ("name", "values", "weights"),
    [
        ("event_type", ["view", "cart", "purchase"], {"view": 1, "cart": 3, "purchase": 10}),
        ("event", ["view", "addtocart", "transaction"], {"view": 1, "addtocart": 3, "transaction": 10}),
        ("column_4", ["pv", "buy", "cart", "fav"], {"pv": 1, "fav": 2, "cart": 3, "buy": 10}),
        ("action", ["Add to Cart", "remove_from_cart"], {"remove_from_cart": 0, "Add to Cart": 1}),
        ("is_recommended", ["True", "False"], {"False": 0, "True": 1}),
        ("event", ["ProductView", "OrderPlaced", "OrderPlaced"], None),
    ],
)
def test_kinds_of_events(name, values, weights):
    kinds = kinds_of(profile(name, values))
    if weights is None:
        assert kinds is not None and kinds.weights["ProductView"] == 1
    else:
        assert kinds is not None and kinds.weights == weights and not kinds.unknown


def test_kinds_whose_weight_is_a_guess():
    kinds = kinds_of(profile("event", ["view", "blorb", "view", "blorb"]))
    assert kinds is not None and kinds.unknown == ["blorb"]
    # codes tell nothing of themselves
    kinds = kinds_of(profile("behavior_type", ["1", "4", "1", "4"]))
    assert kinds is not None and kinds.unknown == ["1", "4"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("genre", ["drama", "war", "drama", "war"]),
        ("event", ["view"] * 4),
        ("event", [f"e{i}" for i in range(30)]),
        ("event", ["", "", "view", "buy"]),
        ("event", ["remove", "skip"]),
        ("stars", ["1", "5", "1", "5"]),
    ],
)
def test_other_values_are_no_kinds_of_events(name, values):
    assert kinds_of(profile(name, values)) is None
