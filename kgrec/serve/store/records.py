"""The records of a feedback store, as plain values.

Times are in milliseconds since 1970, UTC. A revision is a position on the clock of the store; see `Store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class StoredEvent(NamedTuple):
    """An action of a user on an item."""

    #: revision of the store at which the event was added; it is unique
    seq: int
    event_id: str
    user: str
    item: str
    #: such as "click"
    type: str
    #: such as a number of stars; None if the event has none
    value: float | None
    #: time of the event
    time: int
    #: id of the recommendation that showed the item, if any
    rid: str | None
    #: rank of the item in that list, from 1
    position: int | None
    #: time at which the store received the event
    received: int


@dataclass(frozen=True)
class Rejected:
    """An event that was not added."""

    #: position among the events of the call, from 0
    index: int
    problem: str
    remedy: str


@dataclass(frozen=True)
class Added:
    """The outcome of adding the events of one call; the counts sum to the number of events."""

    accepted: int
    #: number of events whose event_id was already in the store or earlier in the call; the first event counts
    duplicate: int
    rejected: tuple[Rejected, ...]
    #: revision of the store from which readers see the accepted events
    revision: int


@dataclass(frozen=True)
class Impression:
    """A list that was shown."""

    #: id of the recommendation
    rid: str
    #: None if the list was not made for a known user
    user: str | None
    #: items in the order of the list
    items: tuple[str, ...]
    #: time at which the list was shown
    time: int
    scenario: str | None = None
    variant: str | None = None
    #: name of the model that made the list
    model: str | None = None
    #: revision of the store on which the list was based
    revision: int = 0
    #: probability of each item at its place, if the list was drawn
    propensities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class StoredItem:
    """An item that was added, changed or removed since the model was trained."""

    id: str
    #: JSON value as put; None if the item was removed and never put
    rows: Any
    removed: bool
    #: revision of the last change
    revision: int


class Erasure(NamedTuple):
    """A user whose data was erased."""

    user: str
    #: time of the erasure
    time: int
    revision: int


@dataclass(frozen=True)
class StoreFigures:
    """Figures about the contents of a store."""

    #: table -> number of rows
    rows: dict[str, int]
    #: bytes of the database file, or of the tables and indexes on a server
    bytes: int
    revision: int
    watermark: int
