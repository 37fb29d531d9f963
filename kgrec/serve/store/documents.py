"""Statements for impressions, items and scenarios, which contain JSON.

Enters: a transaction, and checked values. Leaves: rows of `impressions`, `items` and `scenarios`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from kgrec.serve.store import tables
from kgrec.serve.store.database import Change
from kgrec.serve.store.records import Impression, StoredItem
from kgrec.serve.store.tables import IMPRESSIONS, ITEMS, SCENARIOS


def impression(connection: Connection, rid: str) -> Impression | None:
    """The list of a recommendation."""
    row = connection.execute(select(IMPRESSIONS).where(IMPRESSIONS.c.rid == rid)).one_or_none()
    return None if row is None else _impression(row)


def impressions_after(connection: Connection, rid: str, scenario: str | None, limit: int) -> list[Impression]:
    """At most `limit` impressions in the order of rid, after a rid."""
    query = select(IMPRESSIONS).where(IMPRESSIONS.c.rid > rid)
    if scenario is not None:
        query = query.where(IMPRESSIONS.c.scenario == scenario)
    return [_impression(row) for row in connection.execute(query.order_by(IMPRESSIONS.c.rid).limit(limit))]


def put_items(change: Change, texts: Mapping[str, str]) -> None:
    """Add items, or replace stored items."""
    _put_items(change, [{"id": name, "rows": text, "removed": False} for name, text in texts.items()])


def changed_items(connection: Connection, revision: int) -> set[str]:
    """Ids of the items that were put or removed after a revision."""
    return set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.revision > revision)))


def remove_items(change: Change, ids: Sequence[str]) -> None:
    """Mark items as removed, including items that were never put, because the model may have them."""
    _put_items(change, [{"id": name, "rows": "null", "removed": True} for name in ids])


def items_after(connection: Connection, revision: int, limit: int) -> list[StoredItem]:
    """At most `limit` items after a revision, in order of revision."""
    query = select(ITEMS).where(ITEMS.c.revision > revision).order_by(ITEMS.c.revision).limit(limit)
    return [
        StoredItem(row.id, json.loads(row.rows), bool(row.removed), row.revision)
        for row in connection.execute(query)
    ]


def put_scenario(change: Change, name: str, text: str) -> None:
    """Add or replace a scenario."""
    row = {"name": name, "body": text, "revision": change.take()}
    tables.put(change.connection, SCENARIOS, [row], replace=True)


def scenarios(connection: Connection) -> dict[str, Any]:
    """Name -> body, sorted."""
    query = select(SCENARIOS.c.name, SCENARIOS.c.body)
    return {name: json.loads(body) for name, body in sorted(map(tuple, connection.execute(query)))}


def scenario(connection: Connection, name: str) -> Any:
    """The body of a scenario; None if there is none."""
    body = connection.scalar(select(SCENARIOS.c.body).where(SCENARIOS.c.name == name))
    return None if body is None else json.loads(body)


def _put_items(change: Change, rows: list[dict[str, Any]]) -> None:
    first = change.take(len(rows))
    numbered = [{**row, "revision": first + at} for at, row in enumerate(rows)]
    tables.put(change.connection, ITEMS, numbered, replace=True)


def _impression(row: Row[Any]) -> Impression:
    return Impression(
        rid=row.rid,
        user=row.user_id,
        items=tuple(json.loads(row.items)),
        time=row.time,
        scenario=row.scenario,
        variant=row.variant,
        model=row.model,
        revision=row.revision,
        propensities=None if row.propensities is None else tuple(json.loads(row.propensities)),
    )
