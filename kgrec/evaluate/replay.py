r"""Replay of a feedback store: what was shown, at which position, by which variant, and what was clicked.

Enters: impressions and events. Leaves: `Replay`: the share of lists with a click, by variant, and clicks per shown item corrected for the
position. Nothing is written.

Users look at the first positions more often, so an item gets more clicks there whatever its relevance. If :math:`p_k` is the probability
that a user looks at position k, a click there counts :math:`1/p_k` (inverse propensity; Joachims, Swaminathan and Schnabel 2017,
"Unbiased Learning-to-Rank with Biased Feedback", eq. 4). As in their section 5, :math:`p_k = k^{-\eta}`.

The exponent is estimated from items that were shown at several positions. The clicks :math:`c_{ik}` of item i at position k are Poisson
with mean :math:`n_{ik} r_i k^{-\eta}`, if it was shown there :math:`n_{ik}` times. Given the clicks of an item, its relevance :math:`r_i`
cancels (conditional likelihood; Hausman, Hall and Griliches 1984):

.. math::
    \ell(\eta) = \sum_{ik} c_{ik} \log \frac{n_{ik} k^{-\eta}}{\sum_l n_{il} l^{-\eta}}

This assumes that the relevance of an item does not depend on where it is shown. In personal lists, an item has a higher position for
users who like it more, and :math:`\eta` is overestimated.

Intervals are normal intervals of a ratio of sums over users, by the delta method (Deng, Knoblich and Lu 2018), because the lists of one
user are not independent.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kgrec.serve.event_rules import NEGATIVE

if TYPE_CHECKING:
    from kgrec.serve.store.records import Impression, StoredEvent

#: largest weight of a click, relative to a click at the first position
MAX_WEIGHT = 100.0
#: quantile of the normal distribution, two-sided 95 %
_Z = 1.959963984540054
#: range of the exponent
_ETA = (0.0, 5.0)


@dataclass(frozen=True)
class Estimate:
    """A ratio and its 95 % interval; nan if there are fewer than two users."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class VariantReplay:
    """The outcome of the lists of one variant."""

    #: None: lists without a variant
    variant: str | None
    lists: int
    #: each list without a user counts as a user
    users: int
    #: number of items in the lists
    shown: int
    #: number of clicked items among them
    clicks: int
    #: share of the lists with at least one click
    click_rate: Estimate
    #: clicks per shown item, as if every position were looked at like the first one; None if positions and items cannot be separated
    corrected: Estimate | None


@dataclass(frozen=True)
class Replay:
    """Results by variant, and how attention falls with the position."""

    #: sorted by name
    variants: tuple[VariantReplay, ...]
    #: exponent of the position, and its standard error; None if no clicked item was shown at two positions
    eta: float | None
    eta_error: float | None
    #: number of clicks that name an unknown list, and of clicks that name an item that was not in the list
    without_list: int
    not_in_list: int


def replay(
    impressions: Iterable[Impression], events: Iterable[StoredEvent], *, clicks: Collection[str] | None = None
) -> Replay:
    """Match events with the lists that caused them.

    Args:
        impressions: Kept in memory.
        events: Events without a rid are ignored. An item that was clicked several times in a list counts once.
        clicks: Event types that count as a click; None: all but dislike, hide, skip and seen.
    """
    lists = {one.rid: one for one in impressions}
    clicked, without_list, not_in_list = clicked_places(lists, events, clicks)
    found = _eta(*_counts(lists.values(), clicked))
    eta, error = found if found is not None else (None, None)
    by_variant: dict[str | None, list[Impression]] = defaultdict(list)
    for one in lists.values():
        by_variant[one.variant].append(one)
    variants = [
        _variant(name, by_variant[name], clicked, eta)
        for name in sorted(by_variant, key=lambda v: (v is not None, v))
    ]
    return Replay(tuple(variants), eta, error, without_list, not_in_list)


def clicked_places(
    lists: Mapping[str, Impression], events: Iterable[StoredEvent], types: Collection[str] | None
) -> tuple[dict[str, set[int]], int, int]:
    """Rid -> positions of clicked items, from 1; the number of clicks with an unknown list; and of clicks whose item is not in the list."""
    clicked: dict[str, set[int]] = defaultdict(set)
    without_list = not_in_list = 0
    for event in events:
        counts = event.type not in NEGATIVE if types is None else event.type in types
        if event.rid is None or not counts:
            continue
        shown = lists.get(event.rid)
        if shown is None:
            without_list += 1
        elif event.item not in shown.items:
            not_in_list += 1
        else:
            # the position in the list is known here; the client's position may use another numbering
            clicked[event.rid].add(shown.items.index(event.item) + 1)
    return clicked, without_list, not_in_list


def _counts(
    lists: Iterable[Impression], clicked: dict[str, set[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Item number, position, times shown and clicks, per item and position; each of shape (n,)."""
    shown: Counter[tuple[str, int]] = Counter()
    clicks: Counter[tuple[str, int]] = Counter()
    for one in lists:
        shown.update(zip(one.items, range(1, len(one.items) + 1), strict=True))
        clicks.update((one.items[place - 1], place) for place in clicked.get(one.rid, ()))
    keys = sorted(shown)
    number = {item: at for at, item in enumerate(dict.fromkeys(item for item, _ in keys))}
    items = np.array([number[item] for item, _ in keys], np.int64)
    places = np.array([place for _, place in keys], np.int64)
    times, clicked_times = (np.array([counts[key] for key in keys], np.float64) for counts in (shown, clicks))
    return items, places, times, clicked_times


def _eta(
    items: np.ndarray, places: np.ndarray, shown: np.ndarray, clicks: np.ndarray
) -> tuple[float, float] | None:
    """The exponent that maximises the conditional likelihood, and its standard error; None if no clicked item was at two positions."""
    if not len(items):
        return None
    total = np.bincount(items, clicks)
    logs = np.log(places)

    def moments(eta: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of log k given the item, weighted by the expected clicks."""
        weight = shown * np.exp(-eta * logs)
        mass = np.bincount(items, weight)
        mean = np.bincount(items, weight * logs) / mass
        return mean, np.maximum(np.bincount(items, weight * logs**2) / mass - mean**2, 0)

    if not (total @ moments(0.0)[1] > 1e-12):
        return None
    observed = float(clicks @ logs)
    low, high = _ETA
    # The mean of log k falls with eta, so there is a single root.
    for _ in range(60):
        eta = (low + high) / 2
        low, high = (eta, high) if total @ moments(eta)[0] > observed else (low, eta)
    return eta, 1 / math.sqrt(total @ moments(eta)[1])


def _variant(
    name: str | None, lists: list[Impression], clicked: dict[str, set[int]], eta: float | None
) -> VariantReplay:
    codes = users_of_lists(lists)
    n_users = int(codes.max()) + 1
    places = [clicked.get(one.rid, set()) for one in lists]

    def by_user(values: list[float]) -> np.ndarray:
        return np.bincount(codes, values, minlength=n_users)

    shown = by_user([len(one.items) for one in lists])
    hits = by_user([float(bool(some)) for some in places])
    corrected = None
    if eta is not None:
        weights = [sum(min(place**eta, MAX_WEIGHT) for place in some) for some in places]
        corrected = _ratio(by_user(weights), shown)
    return VariantReplay(
        variant=name,
        lists=len(lists),
        users=n_users,
        shown=int(shown.sum()),
        clicks=sum(map(len, places)),
        click_rate=_ratio(hits, by_user([1.0] * len(lists))),
        corrected=corrected,
    )


def users_of_lists(lists: Sequence[Impression]) -> np.ndarray:
    """Number of the user of each list, from 0; a list for nobody in particular has one of its own; shape (len(lists),), int64."""
    names = [f"list {one.rid}" if one.user is None else f"user {one.user}" for one in lists]
    return np.asarray(np.unique(names, return_inverse=True)[1])


def estimate(value: float, influences: np.ndarray, *, least: float = 0.0) -> Estimate:
    """A value with its normal 95 % interval.

    Args:
        value: The estimate.
        influences: How much each user moves it: their sum is 0, or nearly so; shape (n_users,).
        least: The interval ends there.
    """
    n = len(influences)
    if n < 2 or math.isnan(value):
        return Estimate(value, math.nan, math.nan)
    half = _Z * math.sqrt(influences @ influences * n / (n - 1))
    return Estimate(value, max(value - half, least), value + half)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
    """The ratio of two sums over users; the arrays have shape (n_users,)."""
    size = denominator.sum()
    if not size:
        return Estimate(math.nan, math.nan, math.nan)
    value = float(numerator.sum() / size)
    return estimate(value, (numerator - value * denominator) / size)
