"""What came of shown lists, computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kgrec.evaluate.replay import Estimate, Replay, replay
from kgrec.serve.store.records import Impression, StoredEvent

#: 2026-11-30T12:00:00Z
NOW = 1_796_040_000_000


def shown(rid: str, user: str | None, items: str, variant: str | None = "a") -> Impression:
    return Impression(rid, user, tuple(items.split()), NOW, "home", variant)


def click(rid: str | None, item: str, type_: str = "click") -> StoredEvent:
    return StoredEvent(0, f"{rid}{item}{type_}", "u", item, type_, None, NOW, rid, None, NOW)


def test_rates_by_variant():
    lists = [
        shown("r1", "u1", "x y"),
        shown("r2", "u1", "y x"),
        shown("r3", "u2", "x"),
        shown("r4", "u3", "x", "b"),
    ]
    events = [click("r1", "x"), click("r1", "y"), click("r1", "x", "play"), click("r3", "x")]
    first, second = replay(lists, events).variants
    assert (first.variant, first.lists, first.users, first.shown, first.clicks) == ("a", 3, 2, 5, 3)
    # per user: 1 of 2 lists, 1 of 1; the residuals from 2/3 are -1/3 and 1/3
    half = 1.959963984540054 * math.sqrt(2 / 9 * 2) / 3
    assert first.click_rate == Estimate(2 / 3, pytest.approx(2 / 3 - half), pytest.approx(2 / 3 + half))
    assert (second.variant, second.lists, second.clicks, second.click_rate.value) == ("b", 1, 0, 0.0)
    assert math.isnan(second.click_rate.low) and math.isnan(second.click_rate.high)


def test_what_is_no_click_is_left_out():
    lists = [shown("r1", "u1", "x y")]
    events = [click(None, "x"), click("r1", "x", "hide"), click("r9", "x"), click("r1", "z")]
    found = replay(lists, events)
    assert (found.variants[0].clicks, found.without_list, found.not_in_list) == (0, 1, 1)
    assert replay(lists, [click("r1", "x"), click("r1", "y", "buy")], clicks=["buy"]).variants[0].clicks == 1


def test_no_lists():
    assert replay([], [click("r1", "x")]) == Replay((), None, None, 1, 0)


def test_lists_for_nobody_count_as_a_user_each():
    lists = [shown("r1", None, "x"), shown("r2", None, "x"), shown("r3", "r1", "x")]
    (found,) = replay(lists, []).variants
    assert (found.users, found.lists) == (3, 3)


def test_positions_are_not_corrected_where_each_item_has_one_place():
    found = replay([shown("r1", "u1", "x y"), shown("r2", "u2", "x y")], [click("r1", "x"), click("r2", "y")])
    assert (found.eta, found.eta_error, found.variants[0].corrected) == (None, None, None)


def test_the_exponent_of_one_item_at_two_places():
    """As often at both places: with 2 clicks at the first for 1 at the second, 2^-eta is 1/2."""
    lists = [shown(f"r{n}", f"u{n}", "x y" if n % 2 else "y x") for n in range(8)]
    events = [click("r1", "x"), click("r3", "x"), click("r2", "x")]
    found = replay(lists, events)
    assert found.eta == pytest.approx(1.0)
    # 3 clicks, and log k is 0 or log 2 with probabilities 2/3 and 1/3
    assert found.eta_error == pytest.approx(1 / math.sqrt(3 * 2 / 9 * math.log(2) ** 2))
    corrected = found.variants[0].corrected
    assert corrected is not None
    assert corrected.value == pytest.approx((1 + 1 + 2) / 16)


def simulated(eta: float, swap: bool, rng: np.random.Generator, n: int = 6000) -> tuple[list[Any], list[Any]]:
    """Variant b shows the best item last, variant a first; items are worth the same in both."""
    worth = {"p": 0.6, "q": 0.3, "r": 0.15, "s": 0.1}
    orders = {"a": "p q r s", "b": "s r q p" if swap else "q p s r"}
    lists, events = [], []
    for at in range(n):
        variant = "ab"[at % 2]
        one = shown(f"r{at}", f"u{at}", orders[variant], variant)
        lists.append(one)
        for place, item in enumerate(one.items, 1):
            if rng.random() < worth[item] * place**-eta:
                events.append(click(one.rid, item))
    return lists, events


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("swap", [True, False])
def test_the_exponent_of_simulated_users_is_found(eta: float, swap: bool):
    found = replay(*simulated(eta, swap, np.random.default_rng(0)))
    assert found.eta is not None and found.eta_error is not None
    assert abs(found.eta - eta) < 4 * found.eta_error
    assert found.eta_error < 0.15


def test_a_variant_that_only_moves_items_is_as_good_when_corrected():
    first, second = replay(*simulated(1.0, True, np.random.default_rng(1))).variants
    assert first.click_rate.low > second.click_rate.high
    assert first.corrected is not None and second.corrected is not None
    truth = (0.6 + 0.3 + 0.15 + 0.1) / 4
    assert first.corrected.value == pytest.approx(truth, rel=0.1)
    assert second.corrected.value == pytest.approx(truth, rel=0.1)
