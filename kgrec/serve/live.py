"""A model that answers while it changes: items and events of a store take effect at once.

Enters: a recommender, and a feedback store. Leaves: `LiveState`, which is immutable: a request answers from a single state. Changes
go to the store first and then into a new state, so a restart reads the same changes from the store.

Only one thread at a time makes changes; readers never wait.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from kgrec.encode.text import TextEncoder
from kgrec.errors import ConfigError, KgrecError
from kgrec.model.model import Model
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.results import Added, Placed, Updated
from kgrec.serve.event_rules import EventRules, mean_weight, new_interactions, refusals
from kgrec.serve.item_fields import ItemFields
from kgrec.serve.live_items import rows_by_item, with_columns, with_items
from kgrec.serve.self_test import self_test

if TYPE_CHECKING:
    from kgrec.serve.store.records import Added as AddedEvents
    from kgrec.serve.store.records import StoredEvent
    from kgrec.serve.store.store import Store

PlacedT = TypeVar("PlacedT", bound=Placed)

#: input of a model that records the revision of the store up to which it was trained on events
FEEDBACK = "feedback"
#: number of events read from the store at once
_EVENTS = 50_000
#: number of cached field columns, with one value per item each
_FIELDS = 32


@dataclass(frozen=True)
class LiveState:
    """The state from which a request is answered."""

    #: never changed after the state is made
    recommender: Recommender
    #: revision of the store up to which this state includes its changes
    revision: int
    #: name of the trained model: the first characters of the seal of its folder
    name: str
    #: times when the model was written and when it was loaded, in seconds since 1970
    written: float
    loaded: float
    rules: EventRules
    mean_weight: float
    #: users who were erased since the training and have no later events
    erased: frozenset[str] = frozenset()
    _fields: dict[str, pa.Array] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> Model:
        """The model."""
        return self.recommender.model

    def fields(self, names: Iterable[str]) -> dict[str, pa.Array]:
        """One value per item for each field, with the names of `ItemFields`; ConfigError for an unknown field."""
        found = {}
        for name in dict.fromkeys(names):
            column = self._fields.get(name)
            if column is None:
                column = ItemFields.of(self.model, [name]).columns[name]
                if len(self._fields) < _FIELDS:
                    self._fields[name] = column
            found[name] = column
        return found

    def knows(self, user: str) -> bool:
        """Whether the user has interactions, and was not erased."""
        row = int(self.model.users.ids([user])[0])
        return (
            row >= 0 and user not in self.erased and len(self.model.histories.take(np.array([row])).item) > 0
        )


@dataclass(frozen=True)
class EventReceipt:
    """The outcome of adding events."""

    accepted: int
    #: number of events that were already in the store
    duplicate: int
    #: position, problem and remedy of each event that was not stored
    rejected: list[tuple[int, str, str]]
    #: revision up to which answers include changes
    revision: int


class LiveModel:
    """The writer of states.

    Args:
        recommender: A recommender just loaded from its folder.
        store: Contains changes since the training.
        clock: Returns the seconds since 1970.
    """

    def __init__(
        self, recommender: Recommender, store: Store, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._clock = store, clock
        self._turn = threading.Lock()
        #: rows of items as in the store
        self._rows: dict[str, Any] = {}
        #: events of the store whose items are not in the model
        self.unusable = 0
        self._state = self._caught_up(self._fresh(recommender))

    @classmethod
    def load(
        cls,
        folder: str | Path,
        store: Store,
        *,
        text_encoder: TextEncoder | None = None,
        clock: Callable[[], float] = time.time,
    ) -> LiveModel:
        """Load a model folder, test the model, and apply the changes in the store.

        Raises:
            ArtifactError: The folder cannot be read.
            SelfTestError: The model fails its test.
        """
        recommender = Recommender.load(folder, text_encoder=text_encoder)
        self_test(recommender)
        return cls(recommender, store, clock=clock)

    @property
    def state(self) -> LiveState:
        """The current state."""
        return self._state

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    def catch_up(self) -> LiveState:
        """Apply newer changes in the store, regardless of who wrote them."""
        with self._turn:
            self._state = self._caught_up(self._state)
            return self._state

    def add_events(self, batches: Sequence[Sequence[Mapping[str, Any]]]) -> list[EventReceipt]:
        """Store events of one or several callers; they take effect in the next request.

        Args:
            batches: The events of each caller, as for `Store.add_events`. An event is rejected if its item is not in the model, or
                if the mapping does not list its type.

        Returns:
            One receipt per caller.
        """
        receipts = self._kept_events(batches)
        revision = self.catch_up().revision
        return [replace(receipt, revision=revision) for receipt in receipts]

    def _kept_events(self, batches: Sequence[Sequence[Mapping[str, Any]]]) -> list[EventReceipt]:
        """Write the usable events to the store in one transaction."""
        refused = [refusals(self._state.model, self._state.rules, events) for events in batches]
        places = [
            [at for at in range(len(events)) if at not in errors]
            for events, errors in zip(batches, refused, strict=True)
        ]
        usable = [[events[at] for at in some] for events, some in zip(batches, places, strict=True)]
        added = self._store.add_batches(usable)
        return [_receipt(*one) for one in zip(added, places, refused, strict=True)]

    def add_items(self, rows: Mapping[str, Any]) -> tuple[Added, LiveState]:
        """Add items, like `Recommender.add_items`; known items are left out.

        Args:
            rows: Node type -> rows, each a dict of columns.
        """
        return self._put(rows, Recommender.add_items)

    def update_items(self, rows: Mapping[str, Any]) -> tuple[Updated, LiveState]:
        """Change items, like `Recommender.update_items`; unknown items are left out."""
        return self._put(rows, Recommender.update_items)

    def remove_items(self, items: Sequence[str]) -> LiveState:
        """Stop recommending items.

        Raises:
            UnknownId: An item is unknown; no item is removed.
        """
        with self._turn:
            larger = copy.copy(self._state.recommender)
            larger.remove_items(items)
            self._store.remove_items(items)
            self._state = self._caught_up(self._state)
            return self._state

    def erase_user(self, user: str) -> LiveState:
        """Remove the user's events and lists from the store, and the history from the model in memory."""
        with self._turn:
            self._store.erase_user(user)
            self._state = self._caught_up(self._state)
            return self._state

    def replace_model(self, model: Model) -> LiveState:
        """Answer from another trained and tested model, with the changes in the store since its training."""
        with self._turn:
            self._state = self._caught_up(self._fresh(self._state.recommender.with_model(model)))
            return self._state

    def snapshot(self, folder: Path) -> LiveState:
        """Write the live model, with all changes up to its revision, to a folder; a replaced folder is kept beside it.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        with self._turn:
            state = self._caught_up(self._state)
            inputs = {**state.model.inputs, FEEDBACK: str(state.revision)}
            written = state.recommender.with_model(replace(state.model, inputs=inputs))
            written.save(folder, keep=1)
            written.model.knowing(state.model)
            self._state = replace(
                state, recommender=written, **_origin(written.model, self._clock), _fields={}
            )
            return self._state

    def _fresh(self, recommender: Recommender) -> LiveState:
        """A state with the training data of a model, without later changes."""
        model = recommender.model
        rules, known = EventRules.of(model.mapping), watermark(model)
        if known > self._store.revision():
            raise ConfigError(
                f"The model has changes up to revision {known} of a store, and {self._store.place} ends at "
                f"{self._store.revision()}.",
                "Give the store that the model was trained with, by --store.",
            )
        return LiveState(
            copy.copy(recommender),
            revision=known,
            loaded=self._clock(),
            rules=rules,
            mean_weight=mean_weight(model, rules),
            **_origin(model, self._clock),
        )

    def _put(
        self, rows: Mapping[str, Any], put: Callable[[Recommender, Any], PlacedT]
    ) -> tuple[PlacedT, LiveState]:
        """Items go into a copy of the recommender, then into the store, and then the copy answers.

        If another process changed one of the items meanwhile, all of this is done again with what it wrote, so that its columns stay.
        """
        with self._turn:
            while True:
                state = self._state = self._caught_up(self._state)
                larger = copy.copy(state.recommender)
                done = put(larger, {type_: list(some) for type_, some in rows.items()})
                if not len(done):
                    return done, state
                changed = self._changed(larger.model, rows, done.ids)
                last = self._store.put_items(changed, unless_changed_since=state.revision)
                if last is not None:
                    state = replace(state, recommender=larger, _fields={})
                    self._state = self._caught_up(state, own=range(last - len(changed) + 1, last + 1))
                    return done, self._state

    def _changed(self, model: Model, rows: Mapping[str, Any], ids: Sequence[str]) -> dict[str, Any]:
        """The rows of each item in the form stored: with the columns of earlier rows."""
        found = rows_by_item(model, rows)
        return {name: with_columns(self._rows.get(name), found[name]) for name in ids if name in found}

    def _caught_up(self, state: LiveState, own: range = range(0)) -> LiveState:
        """A state with what the store has since; `own` are revisions of items that it has already.

        Erasures are applied before events, because the events that remain of an erased user came after the erasure.
        """
        revision = self._store.revision()
        if revision <= state.revision:
            return state
        items = [one for one in self._store.items_since(state.revision) if one.revision <= revision]
        self._rows.update((item.id, item.rows) for item in items)
        others = [item for item in items if item.revision not in own]
        if others:
            state = replace(state, recommender=with_items(state.recommender, others), _fields={})
        erased = [one.user for one in self._store.erased_since(state.revision) if one.revision <= revision]
        if erased:
            state = _without(state, erased)
        events = self._store.events_since(state.revision, until=revision)
        while some := list(itertools.islice(events, _EVENTS)):
            state = self._with_events(state, some)
        return replace(state, revision=revision)

    def _with_events(self, state: LiveState, events: Sequence[StoredEvent]) -> LiveState:
        names, new, unusable = new_interactions(state.model, events, state.rules, state.mean_weight)
        self.unusable += unusable
        recommender = state.recommender.with_model(state.model.with_interactions(names, new))
        back = state.erased.difference(event.user for event in events)
        return replace(state, recommender=recommender, erased=back)


def _receipt(added: AddedEvents, places: Sequence[int], refused: Mapping[int, KgrecError]) -> EventReceipt:
    """The receipt for the events of one caller: events at `places` reached the store, the others were rejected."""
    rejected = [(places[one.index], one.problem, one.remedy) for one in added.rejected]
    rejected += [(at, error.problem, error.remedy) for at, error in refused.items()]
    return EventReceipt(added.accepted, added.duplicate, sorted(rejected), added.revision)


def watermark(model: Model) -> int:
    """Revision of the store up to which a model was trained on its events; 0 if it was trained without a store."""
    return int(model.inputs.get(FEEDBACK, "0"))


def _origin(model: Model, clock: Callable[[], float]) -> dict[str, Any]:
    """Name of a model, and the time when it was written."""
    if model.origin is None:
        return {"name": "unsaved", "written": clock()}
    manifest = model.origin[1]
    return {"name": manifest.seal[:12], "written": datetime.fromisoformat(manifest.created).timestamp()}


def _without(state: LiveState, users: Sequence[str]) -> LiveState:
    """A state in which some users have no history."""
    recommender = state.recommender.with_model(state.model.without_histories(users))
    return replace(state, recommender=recommender, erased=state.erased.union(users))
