"""A request: what it refuses, its JSON, and the rows of a model that it leaves."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgrec
from kgrec.errors import ConfigError, UnknownId
from kgrec.recommend.request import Request, merged

DEFAULTS = {
    "k": 10,
    "candidates": None,
    "deny": None,
    "where": None,
    "min_score": None,
    "exclude_seen": True,
    "new_item_boost": 0.0,
    "on_unknown": "raise",
    "item_boost": None,
    "where_boost": None,
    "user_candidates": None,
    "user_deny": None,
    "diversity": 0.0,
    "diversity_method": "mmr",
    "calibration": 0.0,
    "calibrate_by": None,
    "novelty": 0.0,
    "exposure": 0.0,
    "exposure_by": None,
    "exposure_target": "equal",
    "at_most": None,
    "at_least": None,
    "explain": False,
}


def test_the_defaults():
    assert Request().to_dict() == DEFAULTS
    assert Request.from_dict({}) == Request()


@pytest.mark.parametrize(
    ("values", "problem", "remedy"),
    [
        ({"k": 0}, "k is 0.", "It must be a whole number, 1 or more, such as 1."),
        ({"k": "5"}, "k is '5'.", "It must be a whole number, 1 or more, such as 1."),
        ({"k": 2.7}, "k is 2.7.", "It must be a whole number, 1 or more, such as 3."),
        ({"k": True}, "k is True.", "It must be a whole number, 1 or more, such as 1."),
        (
            {"candidates": []},
            "candidates is empty, so there is no item to rank.",
            "Give ids of items, or None for all items.",
        ),
        ({"candidates": {"f1": 1}}, "candidates is a dict.", "Give a list of ids; list(d) returns the keys."),
        (
            {"candidates": ["f1", None]},
            "candidates[1] is None: the id is missing.",
            "Leave it out, or give the id.",
        ),
        ({"deny": False}, "deny[0] is False, which is not an id.", "Give ids as texts or whole numbers."),
        ({"where": 1990}, "where is 1990.", "Give a text, such as 'year >= 1990'."),
        ({"min_score": "high"}, "min_score is 'high'.", "It must be a finite number, such as 0.01."),
        ({"min_score": float("nan")}, "min_score is nan.", "It must be a finite number, such as 0.01."),
        (
            {"new_item_boost": float("inf")},
            "new_item_boost is inf.",
            "It must be a finite number, such as 0.01.",
        ),
        ({"new_item_boost": None}, "new_item_boost is None.", "It must be a finite number, such as 0.01."),
        ({"exclude_seen": "false"}, "exclude_seen is 'false'.", "It must be True or False."),
        (
            {"on_unknown": "Raise"},
            "on_unknown is 'Raise'.",
            "Did you mean 'raise'? Choose one of raise, skip.",
        ),
        ({"on_unknown": "ignore"}, "on_unknown is 'ignore'.", "Choose one of raise, skip."),
        (
            {"item_boost": ["f1"]},
            "item_boost is ['f1'].",
            'Give a dict from items to numbers: {"alien-1979": 0.05}.',
        ),
        (
            {"item_boost": {"f1": "high"}},
            "item_boost['f1'] is 'high'.",
            "It must be a finite number, such as 0.01.",
        ),
        (
            {"where_boost": "year > 1"},
            "where_boost is 'year > 1'.",
            'Give a dict from conditions to numbers: {"year >= 2000": 0.05}.',
        ),
        (
            {"where_boost": {"year > 1": float("nan")}},
            "where_boost['year > 1'] is nan.",
            "It must be a finite number, such as 0.01.",
        ),
        (
            {"user_deny": ["f1"]},
            "user_deny is ['f1'].",
            "Give a dict from users to their items, or a frame with user_id and item_id.",
        ),
        ({"kk": 5}, "A request has no option 'kk'.", "Did you mean 'k'?"),
    ],
)
def test_what_is_refused(values: dict[str, Any], problem: str, remedy: str):
    with pytest.raises(ConfigError) as caught:
        Request.from_dict(values)
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)


def test_a_condition_is_parsed_at_once():
    with pytest.raises(ConfigError, match=r"^where, character 9:"):
        Request(where="genres =")


def test_ids_are_kept_as_strings_whatever_holds_them():
    assert Request(candidates=iter(["f1", "f2"])).candidates == ("f1", "f2")
    assert Request(deny="f1").deny == ("f1",)
    assert Request(candidates=np.array([7, 8])).candidates == ("7", "8")
    assert Request(deny=[]).deny == ()


def test_numbers_of_numpy_are_plain():
    request = Request(np.int64(3), min_score=np.float32(0.5), exclude_seen=np.bool_(False))  # type: ignore[arg-type]
    assert json.loads(json.dumps(request.to_dict())) == DEFAULTS | {
        "k": 3,
        "min_score": 0.5,
        "exclude_seen": False,
    }


IDS = st.none() | st.lists(st.text(max_size=3), min_size=1, max_size=3)
REQUESTS = st.builds(
    Request,
    k=st.integers(1, 99),
    candidates=IDS,
    deny=IDS,
    where=st.sampled_from([None, "year >= 1990"]),
    min_score=st.none() | st.floats(-2, 2),
    exclude_seen=st.booleans(),
    new_item_boost=st.floats(-1, 1),
    on_unknown=st.sampled_from(["raise", "skip"]),
)


@given(REQUESTS)
def test_json_brings_it_back(request_: Request):
    again = Request.from_dict(json.loads(json.dumps(request_.to_dict())))
    assert again == request_ and hash(again) == hash(request_)


def test_keywords_and_a_request_are_not_mixed():
    request = Request(k=3)
    assert merged(None, Request(k=5)) == Request(k=5)
    assert merged(request, Request()) is request
    with pytest.raises(ConfigError) as caught:
        merged(request, Request(k=5))
    assert caught.value.problem == "Options are given both in the request and as keywords."


def test_options_without_a_meaning_are_refused():
    Request(k=3, exclude_seen=False).refuse(["deny", "where"], "similar users")
    with pytest.raises(ConfigError) as one:
        Request(deny=["f1"]).refuse(["deny", "where"], "similar users")
    assert (one.value.problem, one.value.remedy) == ("deny does not apply to similar users.", "Leave it out.")
    with pytest.raises(ConfigError, match=r"^deny and where do not apply to texts\.\n  Leave them out\.$"):
        Request(deny=["f1"], where="year > 3").refuse(["deny", "where"], "texts")


# rows of a model


@pytest.fixture(scope="module")
def model(shared_catalogue):
    config = kgrec.Config.read(settings=["text.model=none", "epochs=1", "train.threads=1"])
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    return kgrec.Recommender(config).fit(graph).model


def rows(request: Request, model: Any) -> list[int] | None:
    found = request.rows(model)
    return None if found is None else found.tolist()


def test_rows_that_may_be_ranked(model):
    """f1, f2 and f3 are science fiction; their rows are 0, 1 and 2."""
    assert rows(Request(), model) is None
    assert rows(Request(candidates=["f5", "f2"]), model) == [1, 4]
    assert rows(Request(deny=["f5", "f2"]), model) == [0, 2, 3, 5]
    assert rows(Request(candidates=["f5", "f2"], deny=["f2"]), model) == [4]
    space = "genres = 'Science fiction'"
    assert rows(Request(where=space), model) == [0, 1, 2]
    assert rows(Request(where=space, deny=["f1"], candidates=["f1", "f3", "f6"]), model) == [2]


def test_removed_items_may_not(model):
    without = model.without(np.array([1, 4]))
    assert rows(Request(), without) == [0, 2, 3, 5]
    assert rows(Request(candidates=["f1", "f2"]), without) == [0]
    assert rows(Request(deny=["f1"]), without) == [2, 3, 5]


def test_unknown_items_are_refused_or_skipped(model):
    with pytest.raises(UnknownId, match="There is no item 'f9' in the model"):
        Request(deny=["f9"]).rows(model)
    assert rows(Request(deny=["f9", "f1"], on_unknown="skip"), model) == [1, 2, 3, 4, 5]
    assert rows(Request(candidates=["f9"], on_unknown="skip"), model) == []
    assert rows(Request(where="genres = Western", on_unknown="skip"), model) == []


def test_a_list_is_no_longer_than_the_items_are_many():
    assert [Request(k=5).length(available) for available in (3, 5, 9)] == [3, 5, 5]


def test_boosts_and_lists_of_users_are_plain_values_and_back():
    frame = pd.DataFrame({"user_id": ["u1", "u2", "u1"], "item_id": ["f1", "f2", 3]})
    request = Request(
        item_boost=pd.DataFrame({"item_id": ["f1", 7], "boost": [0.1, -2]}),
        where_boost={"year >= 1990": 1},
        user_candidates=frame,
        user_deny={"u1": [], 2: ["f1"]},
    )
    values = json.loads(json.dumps(request.to_dict()))
    assert values == DEFAULTS | {
        "item_boost": {"f1": 0.1, "7": -2},
        "where_boost": {"year >= 1990": 1},
        "user_candidates": {"u1": ["f1", "3"], "u2": ["f2"]},
        "user_deny": {"u1": [], "2": ["f1"]},
    }
    assert Request.from_dict(values) == request
    assert Request.from_dict(values | {"user_deny": {"u1": ["f1"]}}) != request


def test_a_frame_of_boosts_names_each_item_once():
    with pytest.raises(ConfigError, match="item_boost has 'f1' twice"):
        Request(item_boost=pd.DataFrame({"item_id": ["f1", "f2", "f1"], "boost": [1, 2, 3]}))
    with pytest.raises(kgrec.SourceError, match="item_boost has no column 'boost'"):
        Request(item_boost=pd.DataFrame({"item_id": ["f1"], "boots": [1]}))
    with pytest.raises(kgrec.SourceError, match="user_deny has no column 'user_id'"):
        Request(user_deny=pd.DataFrame({"user": ["u1"], "item_id": ["f1"]}))


def test_a_condition_of_a_boost_is_parsed_at_once():
    with pytest.raises(ConfigError, match=r"^where, character 9:"):
        Request(where_boost={"genres =": 0.1})
