r"""Off-policy estimates: the clicks that other lists would have had, estimated from lists that were partly drawn at random.

Enters: impressions with propensities, events, other lists for the same requests. Leaves: `OffPolicy`. Nothing is written.

An impression shows item :math:`a_k` at position k, drawn there with probability :math:`p_k`, and :math:`c_k` is 1 if the item was
clicked. The other list has item :math:`e_k` there. With the weight :math:`w_k = [a_k = e_k] / p_k`, over n impressions:

.. math::
    V_{IPS} = \frac{1}{n} \sum \sum_k w_k c_k \qquad
    V_{SNIPS} = \sum_k \frac{\sum w_k c_k}{\sum w_k} \qquad
    V_{DR} = \frac{1}{n} \sum \sum_k \left( \hat{q}(e_k, k) + w_k (c_k - \hat{q}(a_k, k)) \right)

Inverse propensity scores (Horvitz and Thompson 1952; for places of lists, the item-position model of Li et al. 2018, "Offline evaluation of
ranking policies with click models"), self-normalised (Swaminathan and Joachims 2015), and doubly robust (Dudik, Langford and Li 2011). A click
is assumed to depend on the item, its position and the user, but not on the rest of the list. IPS and DR are unbiased if all items of the
other list could have been drawn at their positions; `reach` gives the share that could.

:math:`\hat{q}` is the click rate of a position times the relative click rate of the item, :math:`(c_i + 5) / (x_i + 5)` with
:math:`x_i` expected clicks. It is fitted on the other half of the users, so that no click predicts itself.

Users are the sampling unit of the intervals, as in `kgrec.evaluate.replay`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kgrec.evaluate.replay import Estimate, clicked_places, estimate, users_of_lists
from kgrec.model.model import Model
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.request import Request

if TYPE_CHECKING:
    from kgrec.serve.store.records import Impression, StoredEvent

#: clicks and expected clicks added to those of each item
_SMOOTHING = 5.0


@dataclass(frozen=True)
class OffPolicy:
    """Clicks per list."""

    #: impressions with propensities, and their users
    lists: int
    users: int
    #: number of positions at which the other list has the same item as the impression
    matches: int
    #: (sum w)^2 / sum w^2: how many places that were not weighed would tell as much
    effective: float
    #: estimated share of the positions of the other lists whose item could have been drawn there; may exceed 1 by chance
    reach: float
    #: clicks per list of the lists that were shown
    shown: Estimate
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate


def off_policy(
    impressions: Iterable[Impression],
    events: Iterable[StoredEvent],
    others: Mapping[str, Sequence[str]],
    *,
    clicks: Collection[str] | None = None,
) -> OffPolicy:
    """Estimate the clicks of other lists.

    Args:
        impressions: Impressions without propensities, or without another list, are left out.
        events: As in `replay`.
        others: rid -> the items of the other list; items beyond the length of the impression are ignored.
        clicks: As in `replay`.
    """
    lists = [one for one in impressions if one.propensities is not None and one.rid in others]
    clicked = clicked_places({one.rid: one for one in lists}, events, clicks)[0]
    log = _Log.of(lists, clicked, others)
    n = log.n_lists
    weight = np.where(log.item == log.other, 1 / log.propensity, 0.0)
    rated, rated_other = log.rates()
    robust = rated_other + weight * (log.click - rated)
    total, squares = weight.sum(), (weight**2).sum()
    return OffPolicy(
        lists=n,
        users=log.n_users,
        matches=int((weight > 0).sum()),
        effective=float(total**2 / squares) if squares else 0.0,
        reach=float(total / (log.other >= 0).sum()) if (log.other >= 0).any() else math.nan,
        shown=_per_list(log, log.click),
        ips=_per_list(log, weight * log.click),
        snips=_self_normalised(log, weight),
        doubly_robust=_per_list(log, robust),
    )


def lists_of(
    recommender: Recommender, impressions: Iterable[Impression], request: Request
) -> tuple[dict[str, list[str]], int]:
    """The lists that a recommender makes for the users of impressions with propensities, from the histories that it has.

    A recommender trained on the outcome of the impressions would leave out clicked items: give one from before.

    Args:
        recommender: Not modified. Unknown users get the list for a user without a history.
        impressions: Lists as they were shown.
        request: Options of the lists; `k` is that of the longest impression.

    Returns:
        rid -> items; and the number of items of impressions that are in the histories of their users.
    """
    drawn = [one for one in impressions if one.propensities is not None]
    if not drawn:
        return {}, 0
    request = replace(request, k=max(len(one.items) for one in drawn))
    model = recommender.model
    names = sorted({one.user for one in drawn if one.user is not None})
    known = [name for name, row in zip(names, model.users.ids(names), strict=True) if row >= 0]
    table = recommender.recommend(known, request=request, arrow=True)
    nobody = recommender.recommend_for_history([[]], request=request, arrow=True)
    lists: dict[str | None, list[str]] = {name: [] for name in known}
    for user, item in zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True):
        lists[user].append(item)
    typical = nobody["item_id"].to_pylist()
    return {one.rid: lists.get(one.user, typical) for one in drawn}, _known_items(model, drawn)


def _known_items(model: Model, impressions: Sequence[Impression]) -> int:
    pairs = [(one.user, item) for one in impressions if one.user is not None for item in one.items]
    if not pairs:
        return 0
    users = model.users.ids([user for user, _ in pairs])
    items = model.items.ids.ids([item for _, item in pairs])
    there = (users >= 0) & (items >= 0)
    return int(np.count_nonzero(model.seen[users[there], items[there]]))


@dataclass(frozen=True)
class _Log:
    """Places of all lists; arrays of shape (n_places,)."""

    n_lists: int
    n_users: int
    #: of each place: number of the user; place in the list, from 0; items by number, -1 for none in the other list
    user: np.ndarray
    place: np.ndarray
    item: np.ndarray
    other: np.ndarray
    propensity: np.ndarray
    click: np.ndarray
    #: number of the user of each list; shape (n_lists,)
    user_of_list: np.ndarray

    @classmethod
    def of(
        cls,
        lists: Sequence[Impression],
        clicked: Mapping[str, set[int]],
        others: Mapping[str, Sequence[str]],
    ) -> _Log:
        user_of_list = users_of_lists(lists)
        lengths = np.array([len(one.items) for one in lists], np.int64)
        names: dict[str, int] = {}
        number = [names.setdefault(item, len(names)) for one in lists for item in one.items]
        other = [
            names.setdefault(item, len(names)) if item is not None else -1
            for one in lists
            for item in _padded(others[one.rid], len(one.items))
        ]
        place = np.concatenate([np.zeros(0, np.int64), *(np.arange(length) for length in lengths)])
        click = [at + 1 in clicked.get(one.rid, ()) for one in lists for at in range(len(one.items))]
        return cls(
            len(lists),
            int(user_of_list.max(initial=-1)) + 1,
            np.repeat(user_of_list, lengths),
            place,
            np.array(number, np.int64),
            np.array(other, np.int64),
            np.array([p for one in lists for p in one.propensities or ()], np.float64),
            np.array(click, np.float64),
            user_of_list,
        )

    def by_user(self, values: np.ndarray) -> np.ndarray:
        """Sums over the positions of each user; shape (n_users,)."""
        return np.bincount(self.user, values, self.n_users)

    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted clicks of the item that was shown and of the other one, from the other half of the users; 0 for none."""
        shown, other = np.zeros(len(self.item)), np.zeros(len(self.item))
        half = self.user % 2 == 0
        n_items = int(max(self.item.max(initial=-1), self.other.max(initial=-1))) + 1
        for known, asked in ((half, ~half), (~half, half)):
            times = np.bincount(self.place[known], minlength=int(self.place.max(initial=-1)) + 1)
            hits = np.bincount(self.place[known], self.click[known], len(times))
            of_place = hits / np.maximum(times, 1)
            expected = np.bincount(self.item[known], of_place[self.place[known]], n_items)
            lift = (np.bincount(self.item[known], self.click[known], n_items) + _SMOOTHING) / (
                expected + _SMOOTHING
            )
            at = of_place[self.place[asked]]
            shown[asked] = at * lift[self.item[asked]]
            other[asked] = np.where(self.other[asked] >= 0, at * lift[self.other[asked]], 0)
        return shown, other


def _padded(items: Sequence[str], n: int) -> list[str | None]:
    first: list[str | None] = list(items[:n])
    return first + [None] * (n - len(first))


def _per_list(log: _Log, values: np.ndarray) -> Estimate:
    if not log.n_lists:
        return Estimate(math.nan, math.nan, math.nan)
    value = float(values.sum() / log.n_lists)
    lists = np.bincount(log.user_of_list, minlength=log.n_users)
    return estimate(value, (log.by_user(values) - value * lists) / log.n_lists)


def _self_normalised(log: _Log, weight: np.ndarray) -> Estimate:
    """Sum over places of ratios, by the delta method; a place without weight tells nothing, and makes the sum nan."""
    n_places = int(log.place.max(initial=-1)) + 1
    total = np.bincount(log.place[log.other >= 0], weight[log.other >= 0], n_places)
    wanted = np.bincount(log.place[log.other >= 0], minlength=n_places)
    if not n_places or (total[wanted > 0] == 0).any():
        return Estimate(math.nan, math.nan, math.nan)
    ratio = np.bincount(log.place, weight * log.click, n_places) / np.where(total > 0, total, 1)
    # a place that only some of the other lists have counts for these
    share = wanted / log.n_lists
    influence = weight * (log.click - ratio[log.place]) * (share / np.where(total > 0, total, 1))[log.place]
    return estimate(float(share @ ratio), log.by_user(influence))
