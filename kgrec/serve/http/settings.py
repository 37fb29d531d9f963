"""Bounds and times of the server.

Enters: options of the command line. Leaves: `Settings`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What the server allows, and how long it waits."""

    queue: int = 256
    """Requests that may wait for an answer; further ones get 429."""
    deadline: float = 2.0
    """Seconds after which a waiting question is dropped."""
    write_deadline: float = 60.0
    """The same of a change, which may have to load the text encoder."""
    batch: int = 64
    """Waiting questions that become one call of the library."""
    body: int = 1 << 20
    """Bytes of a request."""
    large_body: int = 32 << 20
    """Bytes of a request with rows of items, or with events."""
    kept_lists: int = 10_000
    """Lists whose next pages can be asked for."""
    sessions: int = 10_000
    """Sessions that are kept; the one that was used least recently is forgotten first."""
    session_seconds: float = 3600.0
    """Time after which an unused session is forgotten."""
    impressions: bool = True
    """Whether shown lists are kept in the store, for figures of experiments."""
    sparql_seconds: float = 2.0
    """Time of a SPARQL query."""
    sparql_rows: int = 10_000
    """Rows of its answer."""
    sparql_triples: int = 20_000_000
    """Statements of the largest graph that SPARQL is offered for."""
