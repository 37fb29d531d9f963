"""What an event of a user says about an item: whether it is learned from, and how much it weighs.

Enters: the mapping of a model, and events of a store. Leaves: `NewInteractions` in rows of the model. Writes nothing.

The mapping's tables of interactions decide: `events:` gives the weight of each kind, `positive:` the condition on the value. Where they
say nothing, every event is positive but those of the kinds in `NEGATIVE`, which are seen and not learned from.
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

#: kinds of events after which an item is seen, and not liked
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
    """What is read of an event."""

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
        """A rating, say."""

    @property
    def time(self) -> int:
        """Milliseconds since 1970."""


@dataclass(frozen=True)
class EventRules:
    """Rules of a mapping."""

    #: kind -> weight; empty: every kind is known, and weighs 1
    kinds: dict[str, float]
    #: operator and number that the value of a positive event meets
    condition: tuple[str, float] | None = None

    @classmethod
    def of(cls, mapping: CatalogueMapping) -> EventRules:
        """The rules of the tables of interactions; of several the first one that has a rule counts."""
        tables = mapping.interactions
        kinds = next((dict(table.events) for table in tables if table.events), {})
        condition = next((table.condition for table in tables if table.condition), None)
        return cls(kinds, condition)

    def error(self, kind: str) -> ConfigError | None:
        """The error of a kind that the mapping does not list; None for a known one."""
        if not self.kinds or kind in self.kinds or kind in NEGATIVE:
            return None
        problem = f"'{kind}' is no type of event of this catalogue."
        return ConfigError(problem, did_you_mean(kind, sorted(self.kinds)))

    def weight(self, kind: str, value: float | None) -> float:
        """Weight of an event, 0 if it is not learned from."""
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
    """Events as interactions of a model; of a pair of user and item the latest event counts.

    Args:
        model: Knows items and users.
        events: In the order of their arrival.
        rules: What they say.
        mean_weight: Of the interactions of the training, of which weights are multiples.

    Returns:
        Names of new users in the order of their rows, the interactions, and how many events name an item that the model lacks.
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
        # of histories in an order without times, the times of the events give their order
        time[last] if known.has_times or known.ordered else None,
        weight[last] / np.float32(mean_weight) if rules.kinds else None,
    )
    return [names[at] for at in fresh.tolist()], interactions, len(events) - len(kept)


def mean_weight(model: Model, rules: EventRules) -> float:
    """Mean weight of the positive interactions of the training; 1 where no event has a weight of its own."""
    if not rules.kinds:
        return 1.0
    log = model.graph().interactions
    if log.weight is None or not log.positive.any():
        return 1.0
    return float(log.weight[log.positive].mean(dtype=np.float64))


def _last_of_pairs(user: np.ndarray, item: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of the latest event of each pair, of simultaneous ones the last to arrive, and the number of events of the pair."""
    order = np.lexsort((time, item, user))
    ends = (np.diff(user[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0)
    last = np.flatnonzero(ends)
    count = np.diff(last, prepend=-1)
    return order[last], count.astype(np.int32)


def refusals(
    model: Model, rules: EventRules, events: Sequence[Mapping[str, Any]]
) -> dict[int, ConfigError | UnknownId]:
    """Why some events cannot be used, by their position: their item or their type is unknown.

    Events without a text in these fields are left to the store, which checks the form.
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
