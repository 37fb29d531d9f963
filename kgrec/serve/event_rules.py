"""The meaning of an event: whether the model learns from it, and its weight.

Enters: the mapping of a model, and events of a store. Leaves: `NewInteractions` in rows of the model. Writes nothing.

The mapping's tables of interactions decide: `events:` gives the weight of each kind, `positive:` the condition on the value. Without
these, every event is positive except the kinds in `NEGATIVE`, which mark the item as seen but are not learned from.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kgrec.arguments.options import encodable
from kgrec.errors import ConfigError, UnknownId, did_you_mean
from kgrec.graph.live_histories import LiveHistories, NewInteractions
from kgrec.ingest.mapping.schema import Mapping as CatalogueMapping
from kgrec.model.model import Model

#: kinds of events that mark an item as seen but not liked
NEGATIVE = frozenset({"dislike", "hide", "skip", "seen"})
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


class Event(Protocol):
    """The fields of an event that the rules read."""

    @property
    def user(self) -> str:
        """Id of the user."""

    @property
    def item(self) -> str:
        """Id of the item."""

    @property
    def type(self) -> str:
        """Kind, such as "click"."""

    @property
    def value(self) -> float | None:
        """Value, such as a rating."""

    @property
    def time(self) -> int:
        """Milliseconds since 1970."""


@dataclass(frozen=True)
class EventRules:
    """Rules of a mapping."""

    #: kind -> weight; empty: every kind is known, and weighs 1
    kinds: dict[str, float]
    #: comparison operator and number for the value of a positive event
    condition: tuple[str, float] | None = None

    @classmethod
    def of(cls, mapping: CatalogueMapping) -> EventRules:
        """The rules of the tables of interactions; if several tables have a rule, the first counts."""
        tables = mapping.interactions
        kinds = next((dict(table.events) for table in tables if table.events), {})
        condition = next((table.condition for table in tables if table.condition), None)
        return cls(kinds, condition)

    def error(self, kind: str) -> ConfigError | None:
        """The error for a kind that the mapping does not list; None for a known kind."""
        if not self.kinds or kind in self.kinds or kind in NEGATIVE:
            return None
        problem = f"'{kind}' is not an event type of this catalogue."
        return ConfigError(problem, did_you_mean(kind, sorted(self.kinds)))

    def weight(self, kind: str, value: float | None) -> float:
        """Weight of an event; 0 if it is not learned from."""
        if kind in self.kinds:
            return self.kinds[kind]
        if kind in NEGATIVE or self.kinds:
            return 0.0
        if self.condition is None or value is None:
            return 1.0
        comparison, bound = self.condition
        return float(_COMPARISONS[comparison](value, bound))


def new_interactions(
    model: Model, events: Iterable[Event], rules: EventRules, mean_weight: float = 1.0
) -> tuple[list[str], NewInteractions, int]:
    """Events as interactions of a model; the latest event of each pair of user and item counts.

    Args:
        model: Contains items and users.
        events: Events in the order of their arrival.
        rules: Rules for the meaning of events.
        mean_weight: Mean weight of the training interactions; weights are relative to it.

    Returns:
        Names of new users in the order of their rows, the interactions, and the number of events whose item is not in the model.
    """
    events = list(events)
    items = model.items.rows([event.item for event in events])
    there = np.flatnonzero(items >= 0)
    kept = [events[at] for at in there.tolist()]
    names = list(dict.fromkeys(event.user for event in kept))
    rows = model.users.ids(names)
    fresh = np.flatnonzero(rows < 0)
    rows[fresh] = len(model.users) + np.arange(len(fresh))
    row_of = dict(zip(names, rows.tolist(), strict=True))
    user = np.array([row_of[event.user] for event in kept], np.int64)
    time = np.array([event.time // 1000 for event in kept], np.int64)
    weight = np.array([rules.weight(event.type, event.value) for event in kept], np.float32)
    last, count = _last_of_pairs(user, items[there], time)
    known = LiveHistories.of(model.histories)
    interactions = NewInteractions(
        user[last],
        items[there][last].astype(np.int32),
        weight[last] > 0,
        count,
        # in histories with an order but without times, events are ordered by their own times
        time[last] if known.has_times or known.ordered else None,
        weight[last] / np.float32(mean_weight) if rules.kinds else None,
    )
    return [names[at] for at in fresh.tolist()], interactions, len(events) - len(kept)


def mean_weight(model: Model, rules: EventRules) -> float:
    """Mean weight of the positive training interactions; 1 if the mapping gives no weights to events."""
    if not rules.kinds:
        return 1.0
    log = model.graph().interactions
    if log.weight is None or not log.positive.any():
        return 1.0
    return float(log.weight[log.positive].mean(dtype=np.float64))


def _last_of_pairs(user: np.ndarray, item: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of the latest event of each pair (the last to arrive if times are equal), and the number of events of the pair."""
    order = np.lexsort((time, item, user))
    ends = (np.diff(user[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0)
    last = np.flatnonzero(ends)
    count = np.diff(last, prepend=-1)
    return order[last], count.astype(np.int32)


def refusals(
    model: Model, rules: EventRules, events: Sequence[Mapping[str, Any]]
) -> dict[int, ConfigError | UnknownId]:
    """Errors of unusable events by position: their item or type is unknown.

    Events without a text in these fields are skipped here; the store checks their form.
    """
    names = [event.get("item") for event in events]
    texts = [at for at, name in enumerate(names) if isinstance(name, str) and encodable(name)]
    rows = model.items.rows([str(names[at]) for at in texts])
    found: dict[int, ConfigError | UnknownId] = {
        texts[at]: UnknownId("There is no such item in the model.", "Add the item first, or check its id.")
        for at in np.flatnonzero(rows < 0).tolist()
    }
    errors: dict[str, ConfigError | None] = {}
    for at, event in enumerate(events):
        kind = event.get("type")
        if at in found or not isinstance(kind, str):
            continue
        if kind not in errors:
            errors[kind] = rules.error(kind)
        if (error := errors[kind]) is not None:
            found[at] = error
    return found
