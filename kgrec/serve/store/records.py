"""What goes into a feedback store and comes out of it, as plain values.

Times are milliseconds since 1970 in UTC. A revision is a position on the clock of the store; see `Store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class StoredEvent(NamedTuple):
    """What a user did with an item."""

    #: revision of the store at which the event was added; no two events have the same one
    seq: int
    event_id: str
    user: str
    item: str
    #: such as "click"
    type: str
    #: such as a number of stars; None if the event has none
    value: float | None
    #: when it happened
    time: int
    #: id of the recommendation that showed the item, if any
    rid: str | None
    #: rank of the item in that list, from 1
    position: int | None
    #: when the store received it
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
    """What became of the events of one call; the counts add up to their number."""

    accepted: int
    #: events whose event_id the store, or the call, already had: the first one counts
    duplicate: int
    rejected: tuple[Rejected, ...]
    #: of the store, from which on readers see the accepted events
    revision: int


@dataclass(frozen=True)
class Impression:
    """A list that was shown."""

    #: id of the recommendation
    rid: str
    #: None if the list was made for no known user
    user: str | None
    #: items in the order of the list
    items: tuple[str, ...]
    #: when it was shown
    time: int
    scenario: str | None = None
    variant: str | None = None
    #: name of the model that made it
    model: str | None = None
    #: of the store, which the list was based on
    revision: int = 0
    #: probability of each item at its place, if the list was drawn
    propensities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class StoredItem:
    """An item that was added, changed or removed since the model was trained."""

    id: str
    #: JSON value as it was put; None if the item is removed and was never put
    rows: Any
    removed: bool
    #: of the last change
    revision: int


class Erasure(NamedTuple):
    """A user whose data was erased."""

    user: str
    #: when
    time: int
    revision: int


@dataclass(frozen=True)
class StoreFigures:
    """How much a store holds."""

    #: table -> rows
    rows: dict[str, int]
    #: bytes of the database file, or of the tables and indexes on a server
    bytes: int
    revision: int
    watermark: int
