"""The training graph for the next model, with the items and events of a feedback store.

Enters: a graph, and a store. Leaves: `TrainingFeedback`: a graph with the added items and received interactions, and counts of what was
left out. Writes nothing.

As in a running server, the mapping decides the meaning of an event; see `EventRules`. The graph records the revision of the store up to
which it is complete; a model trained on it keeps this revision, so a server knows which events the model includes.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec.errors import ConfigError, KgrecError
from kgrec.graph.build import read_addition
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.ingest.interaction_rows import InteractionRows
from kgrec.serve.event_rules import EventRules
from kgrec.serve.live import FEEDBACK
from kgrec.serve.live_items import with_items

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender
    from kgrec.serve.store.records import Erasure, StoredEvent, StoredItem
    from kgrec.serve.store.store import Store

logger = logging.getLogger(__name__)

_EVENTS = 50_000
#: number of names of unknown items and unlisted types that are kept
_NAMES = 5


@dataclass(frozen=True)
class TrainingFeedback:
    """A training graph, and counts of what was taken from a store."""

    #: with the added items, the interactions, and the revision among its inputs
    graph: KnowledgeGraph
    #: revision of the store
    revision: int
    #: number of events that became interactions, and number of their users
    events: int
    users: int
    #: number of items that were added from the store
    added_items: int
    #: number of events with an unknown item
    unknown: int
    #: some of the unknown items, sorted
    unknown_items: tuple[str, ...]
    #: type that the mapping's `events:` does not list -> number of events
    unlisted: dict[str, int]
    #: number of users whose earlier interactions were left out of the graph
    erased: int
    #: items of the store, each in its latest state
    items: tuple[StoredItem, ...]

    def completed(self, recommender: Recommender) -> Recommender:
        """A recommender trained on the graph, with items changed and removed as in the store, and the counts in its metrics."""
        recommender.model.metrics["feedback"] = self.figures()
        return with_items(recommender, self.items)

    def figures(self) -> dict[str, Any]:
        """The counts, for metrics and messages."""
        names = ("revision", "events", "users", "added_items", "unknown", "unlisted", "erased")
        return {**{name: getattr(self, name) for name in names}, "unknown_items": list(self.unknown_items)}


def opened_store(url: str) -> Store:
    """An existing feedback store; `NoStore` if it does not exist, ConfigError if its libraries are not installed."""
    try:
        from kgrec.serve.store.store import Store

        return Store.open(url, create=False)
    except ModuleNotFoundError as error:
        extra = "serve" if error.name == "sqlalchemy" else "serve,postgres"
        raise ConfigError(
            f"The feedback store needs {error.name}, which is not installed.", f"pip install 'kgrec[{extra}]'"
        ) from None


def training_feedback(graph: KnowledgeGraph, store: Store) -> TrainingFeedback:
    """Join a graph with everything that a store has received so far.

    An event is an interaction with the weight that the mapping's `events:` gives its type, or 1 if there is no `events:`; types that
    `events:` does not list are left out. If the mapping has `positive:`, an event with a value is positive if the value meets it.
    Dislike, hide, skip and seen are never positive. The latest row of each pair of user and item counts, as in a log.

    Interactions of an erased user in the graph are left out if they are not later than the erasure, or have no time.

    Args:
        graph: The graph; it is not modified.
        store: The store; it is not modified. Events that arrive during this call are left for the next model.
    """
    revision = store.revision()
    # Items and erasures that arrive during this call are included; a server that reads them again finds nothing to change.
    items = tuple(store.items_since())
    larger = _with_items(graph, items)
    rules = EventRules.of(graph.mapping)
    known, erased = _without_erased(larger.interactions, list(store.erased_since()))
    rows = _rows_like(known, rules)
    counted = _append_events(rows, larger, store.events_since(until=revision), rules)
    joined = _joined(known, rows)
    return TrainingFeedback(
        graph=replace(larger, interactions=joined, inputs={**larger.inputs, FEEDBACK: str(revision)}),
        revision=revision,
        events=counted.used,
        users=len(counted.users),
        added_items=len(larger.item_ids) - len(graph.item_ids),
        unknown=sum(counted.unknown.values()),
        unknown_items=tuple(sorted(counted.unknown)[:_NAMES]),
        unlisted=dict(counted.unlisted.most_common(_NAMES)),
        erased=erased,
        items=items,
    )


@dataclass
class _Counted:
    used: int
    users: set[str]
    unknown: Counter[str]
    unlisted: Counter[str]


def _with_items(graph: KnowledgeGraph, items: Sequence[StoredItem]) -> KnowledgeGraph:
    """The graph with the missing items added; unusable rows are logged and left out."""
    there = graph.item_ids.ids([item.id for item in items]) >= 0
    new = [item for item, known in zip(items, there, strict=True) if not known and not item.removed]
    if not new:
        return graph
    try:
        return _extended(graph, new)
    except KgrecError:
        for item in new:
            try:
                graph = _extended(graph, [item])
            except KgrecError as error:
                logger.warning("Item %s of the store was left out: %s", item.id, error.problem)
    return graph


def _extended(graph: KnowledgeGraph, items: Sequence[StoredItem]) -> KnowledgeGraph:
    frames: dict[str, dict[str, Any]] = {}
    for item in items:
        for type_, rows in item.rows.items():
            # every item carries the rows of other nodes that it may refer to
            frames.setdefault(type_, {}).update({json.dumps(row, sort_keys=True): row for row in rows})
    given = {type_: list(rows.values()) for type_, rows in frames.items()}
    return graph.extended(read_addition(graph.mapping, frames=given, known=graph, partial_rows=True))[0]


def _without_erased(log: Interactions, erased: Sequence[Erasure]) -> tuple[Interactions, int]:
    """The interactions without those of erased users before their erasure, and the number of such users."""
    users = log.users.ids([one.user for one in erased])
    until = np.full(len(log.users), -1, np.int64)
    until[users[users >= 0]] = [one.time // 1000 for one, row in zip(erased, users, strict=True) if row >= 0]
    time = np.zeros(len(log), np.int64) if log.time is None else log.time
    gone = time <= until[log.user]
    return log.rows(~gone), len(np.unique(log.user[gone]))


def _rows_like(log: Interactions, rules: EventRules) -> InteractionRows:
    """The interactions as rows with times, so that events can be appended."""
    users, user = np.unique(log.user, return_inverse=True)
    n = len(log)
    rows = InteractionRows(
        has_value=log.value is not None,
        has_time=True,
        has_position=log.position is not None,
        has_weight=log.weight is not None or bool(rules.kinds),
    )
    rows.users.append(pa.array(log.users.take(users), pa.large_string()))
    rows.user.append(user.astype(np.int32))
    rows.item.append(log.item)
    rows.positive.append(log.positive)
    rows.time.append(np.zeros(n, np.int64) if log.time is None else log.time)
    if log.value is not None:
        rows.value.append(log.value)
    if log.position is not None:
        rows.position.append(log.position)
    if rows.has_weight:
        rows.weight.append(np.ones(n, np.float32) if log.weight is None else log.weight)
    return rows


def _append_events(
    rows: InteractionRows, graph: KnowledgeGraph, events: Iterator[StoredEvent], rules: EventRules
) -> _Counted:
    counted = _Counted(0, set(), Counter(), Counter())
    codes = graph.item_codes_by(None)
    while some := list(islice(events, _EVENTS)):
        item = codes(pa.array([event.item for event in some], pa.large_string()))
        listed = np.array([rules.error(event.type) is None for event in some])
        counted.unlisted.update(event.type for event, there in zip(some, listed, strict=True) if not there)
        unknown = listed & (item < 0)
        counted.unknown.update(event.item for event, gone in zip(some, unknown, strict=True) if gone)
        chosen = np.flatnonzero(listed & ~unknown)
        _append(rows, [some[at] for at in chosen.tolist()], item[chosen], rules, counted)
    return counted


def _append(
    rows: InteractionRows,
    events: Sequence[StoredEvent],
    item: np.ndarray,
    rules: EventRules,
    counted: _Counted,
) -> None:
    weight = np.array([rules.weight(event.type, event.value) for event in events], np.float32)
    users = pa.array([event.user for event in events], pa.large_string()).dictionary_encode()
    first = sum(map(len, rows.users))
    rows.users.append(users.dictionary)
    rows.user.append(users.indices.to_numpy(zero_copy_only=False).astype(np.int32) + first)
    rows.item.append(item.astype(np.int32))
    rows.positive.append(weight > 0)
    rows.time.append(np.array([event.time // 1000 for event in events], np.int64))
    if rows.has_value:
        rows.value.append(np.array([np.nan if e.value is None else e.value for e in events], np.float32))
    if rows.has_position:  # events follow the rows of the log in order of arrival
        first = 1 + max((int(part.max(initial=-1)) for part in rows.position), default=-1)
        rows.position.append(np.arange(first, first + len(events), dtype=np.int64))
    if rows.has_weight:
        rows.weight.append(weight)
    counted.used += len(events)
    counted.users.update(users.dictionary.to_pylist())


def _joined(known: Interactions, rows: InteractionRows) -> Interactions:
    """All rows as interactions, ordered by time if the known interactions have times or there are none."""
    joined = Interactions.from_log(rows, known.items)
    joined = replace(joined, count=_counts(joined, known))
    if known.time is not None or not len(known):
        return joined
    if known.position is not None:
        return replace(joined, time=None)
    # Rows without a time are no older than others. Until here events counted as later, so that the latest of a pair was kept.
    order = np.lexsort((joined.item, joined.user))
    return replace(joined, time=None).rows(order)


def _counts(joined: Interactions, known: Interactions) -> np.ndarray:
    """Rows of each pair: a known one stands for as many rows as it counts; int32."""
    size = max(len(joined.items), 1)
    pair = joined.user.astype(np.int64) * size + joined.item
    user = joined.users.ids(known.users.labels)[known.user]
    order = np.argsort(pair)
    place = order[np.searchsorted(pair[order], user.astype(np.int64) * size + known.item)]
    count = joined.count.copy()
    np.add.at(count, place, known.count - 1)
    return count
