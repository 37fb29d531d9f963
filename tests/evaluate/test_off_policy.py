"""Off-policy estimates: three lists by hand, and simulated logs whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kgrec.evaluate.off_policy import OffPolicy, off_policy
from kgrec.evaluate.replay import Estimate
from kgrec.rank.lists.explore import Exploration, drawn
from kgrec.serve.store.records import Impression, StoredEvent

NOW = 1_796_040_000_000
N_USERS, N_ITEMS, LISTS, K = 300, 12, 6, 3


def shown(rid: str, user: str, items: str, propensities: tuple[float, ...] | None) -> Impression:
    return Impression(rid, user, tuple(items.split()), NOW, "home", "a", propensities=propensities)


def click(rid: str, item: str) -> StoredEvent:
    return StoredEvent(0, f"{rid}{item}", "u", item, "click", None, NOW, rid, None, NOW)


def test_estimates_by_hand():
    lists = [
        shown("r1", "u1", "x y", (0.5, 0.25)),
        shown("r2", "u2", "y x", (0.25, 0.5)),
        shown("r3", "u2", "x z", (0.5, 1.0)),
        shown("r4", "u3", "x y", None),
    ]
    others = {"r1": ["x", "z"], "r2": ["y", "x", "z"], "r3": ["z"], "r4": ["x", "y"]}
    found = off_policy(
        lists, [click("r1", "x"), click("r2", "x"), click("r3", "x"), click("r4", "x")], others
    )
    assert (found.lists, found.users, found.matches) == (3, 2, 3)
    assert found.shown.value == pytest.approx(1)
    # weights 2, 4, 2; clicks on the first and the last
    assert found.ips.value == pytest.approx((2 + 2) / 3)
    assert found.effective == pytest.approx(8**2 / (4 + 16 + 4))
    assert found.reach == pytest.approx(8 / 5)
    # place 1: 2 of 6; place 2: 2 of 2, which two of three other lists have
    assert found.snips.value == pytest.approx(2 / 6 + 2 / 3)


def test_without_propensities_there_is_nothing_to_say():
    found = off_policy([shown("r", "u", "x", None)], [], {"r": ["x"]})
    assert (found.lists, found.matches) == (0, 0)
    assert all(math.isnan(one.value) for one in (found.ips, found.snips, found.doubly_robust, found.shown))


def test_lists_without_a_match_have_no_self_normalised_estimate():
    found = off_policy(
        [shown("r", "u", "x", (0.5,)), shown("s", "v", "x", (0.5,))], [], {"r": ["y"], "s": ["y"]}
    )
    assert math.isnan(found.snips.value)
    assert (found.ips.value, found.reach) == (0, 0)


def simulated(exploration: Exploration, seed: int) -> tuple[OffPolicy, float, float]:
    """Estimates for a better policy, its true clicks per list, and those of the policy that was shown.

    The model of the log ranks all users alike; the other policy ranks by what each user likes. A place is looked at with probability 1/k.
    """
    rng = np.random.default_rng(seed)
    like = rng.beta(1, 3, (N_USERS, N_ITEMS))
    scores = np.sort(rng.random(N_ITEMS))[::-1]
    looks = 1 / np.arange(1, K + 1)
    lists, events, others = [], [], {}
    expected = []
    for user in range(N_USERS):
        best = np.argsort(-like[user])[:K]
        for number in range(LISTS):
            found = drawn(exploration, scores, np.zeros(N_ITEMS), K, rng)
            rid = f"{user}-{number}"
            chance = like[user, found.positions] * looks
            expected.append(chance.sum())
            names = [str(item) for item in found.positions]
            lists.append(
                Impression(
                    rid, f"u{user}", tuple(names), NOW, propensities=tuple(found.propensities.tolist())
                )
            )
            hit = rng.random(K) < chance
            events += [click(rid, name) for name, one in zip(names, hit, strict=True) if one]
            others[rid] = [str(item) for item in best]
    truth = float((np.sort(like, axis=1)[:, ::-1][:, :K] * looks).sum(axis=1).mean())
    return off_policy(lists, events, others), truth, float(np.mean(expected))


def error(one: Estimate) -> float:
    return (one.high - one.value) / 1.959963984540054


@pytest.mark.parametrize(
    "exploration",
    [Exploration(epsilon=0.5), Exploration(epsilon=1), Exploration(method="thompson", scale=20)],
    ids=["epsilon", "random", "thompson"],
)
def test_estimates_of_a_simulated_log_have_the_truth(exploration: Exploration):
    """Each estimate within three of its standard errors of the truth, which the clicks of the log are far from."""
    found, truth, logged = simulated(exploration, 11)
    for one in (found.ips, found.snips, found.doubly_robust):
        assert abs(one.value - truth) < 3 * error(one)
    assert abs(found.shown.value - logged) < 3 * error(found.shown)
    assert truth - found.shown.value > 10 * error(found.shown)
    assert truth - found.shown.value > 3 * error(found.snips)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 30 logs, a 95 % interval leaves the truth out in 1 or 2; more than 6 have a probability below .001."""
    logs = [simulated(Exploration(epsilon=0.6), seed) for seed in range(30)]
    for name in ("ips", "snips", "doubly_robust"):
        outside = [not getattr(one, name).low <= truth <= getattr(one, name).high for one, truth, _ in logs]
        assert sum(outside) <= 6
    # the self-normalised estimate varies less than the plain one
    spread = {
        name: np.std([getattr(one, name).value - truth for one, truth, _ in logs])
        for name in ("ips", "snips")
    }
    assert spread["snips"] < spread["ips"]


def test_reach_says_what_could_not_be_drawn():
    """The log draws from the first six of twelve items, so half of the places of an even policy are out of reach."""
    rng = np.random.default_rng(0)
    lists, others = [], {}
    for number in range(2000):
        found = drawn(Exploration(epsilon=1), np.arange(6.0)[::-1], np.zeros(6), 2, rng)
        rid = str(number)
        lists.append(
            Impression(
                rid, rid, tuple(map(str, found.positions)), NOW, propensities=tuple(found.propensities)
            )
        )
        others[rid] = [str(item) for item in rng.choice(12, 2, replace=False)]
    assert off_policy(lists, [], others).reach == pytest.approx(0.5, abs=4 * math.sqrt(6 * 0.5 / 4000))
