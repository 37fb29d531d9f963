"""What an event says about an item."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from models import items, model

from kgrec.ingest.mapping.schema import Mapping
from kgrec.serve.event_rules import EventRules, new_interactions, refusals


class Event(NamedTuple):
    user: str
    item: str
    type: str = "click"
    value: float | None = None
    time: int = 1_000


def rules(**table) -> EventRules:
    nodes = {"film": {"item": True, "file": "f.csv", "key": "id"}}
    log = {"file": "log.csv", "user": "u", "item": "i", **table}
    return EventRules.of(
        Mapping.model_validate({"version": 1, "base": "https://x.org/", "nodes": nodes, "interactions": log})
    )


def test_without_rules_every_kind_but_the_negative_ones_is_positive():
    found = rules()
    assert [found.weight(kind, None) for kind in ("click", "buy", "hide", "dislike", "skip", "seen")] == [
        1,
        1,
        0,
        0,
        0,
        0,
    ]
    assert found.error("anything") is None


def test_the_condition_on_the_value_decides_where_there_is_one():
    found = rules(value="stars", positive=">= 4")
    assert [found.weight("rating", value) for value in (5.0, 4.0, 3.9, None)] == [1, 1, 0, 1]
    assert found.weight("dislike", 5.0) == 0


def test_listed_kinds_have_their_weights_and_others_are_refused():
    found = rules(event="what", events={"view": 0, "click": 1, "purchase": 4})
    assert [found.weight(kind, None) for kind in ("view", "click", "purchase", "hide")] == [0, 1, 4, 0]
    error = found.error("purchese")
    assert error is not None and error.remedy == "Did you mean 'purchase'?"
    assert found.error("hide") is None


@pytest.fixture
def small():
    return model(items(np.eye(3, dtype=np.float32)), sp.csr_matrix(np.array([[1, 0, 0]], np.float32)))


def test_events_become_interactions_of_the_latest_of_each_pair(small):
    events = [
        Event("u0", "i1"),
        Event("v", "i2", time=5_000),
        Event("v", "i2", "hide", time=9_000),
        Event("v", "nothing"),
        Event("v", "i0"),
    ]
    names, new, unusable = new_interactions(small, events, EventRules({}))
    assert (names, unusable) == (["v"], 1)
    rows = list(
        zip(new.user.tolist(), new.item.tolist(), new.positive.tolist(), new.count.tolist(), strict=True)
    )
    assert rows == [(0, 1, True, 1), (1, 0, True, 1), (1, 2, False, 2)]
    assert new.time is None and new.weight is None


def test_weights_are_multiples_of_the_mean_weight(small):
    _, new, _ = new_interactions(small, [Event("u0", "i1", "buy")], EventRules({"buy": 6.0}), mean_weight=2.0)
    assert new.weight is not None and new.weight.tolist() == [3.0]


def test_refusals_name_items_and_types(small):
    events = [
        {"item": "i1", "type": "buy"},
        {"item": "x", "type": "buy"},
        {"item": "i2", "type": "by"},
        {"type": 3},
        {"item": 5},
    ]
    found = refusals(small, EventRules({"buy": 1.0}), events)
    assert {at: type(error).__name__ for at, error in found.items()} == {1: "UnknownId", 2: "ConfigError"}
