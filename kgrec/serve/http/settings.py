"""Limits and times of the server.

Enters: options of the command line. Leaves: `Settings`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Limits of the server, and waiting times."""

    queue: int = 256
    """Largest number of waiting requests; further requests get status 429."""
    deadline: float = 2.0
    """Seconds after which a waiting request is dropped."""
    write_deadline: float = 60.0
    """Seconds after which a waiting change is dropped; a change may have to load the text encoder."""
    batch: int = 64
    """Largest number of waiting questions joined into one library call."""
    body: int = 1 << 20
    """Largest number of bytes in a request body."""
    large_body: int = 32 << 20
    """Largest number of bytes in a request body with rows of items or with events."""
    kept_lists: int = 10_000
    """Number of lists kept for requests of their next pages."""
    sessions: int = 10_000
    """Number of sessions kept; the least recently used session is dropped first."""
    session_seconds: float = 3600.0
    """Seconds after which an unused session is dropped."""
    impressions: bool = True
    """Whether shown lists are stored, for measuring experiments."""
    sparql_seconds: float = 2.0
    """Largest number of seconds per SPARQL query."""
    sparql_rows: int = 10_000
    """Largest number of rows in the answer to a SPARQL query."""
    sparql_triples: int = 20_000_000
    """Number of statements in the largest graph for which SPARQL is offered."""
