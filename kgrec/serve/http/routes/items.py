"""The catalogue: read, add, change and remove items; a change takes effect in the next request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from kgrec.errors import did_you_mean
from kgrec.ingest.mapping.schema import NodeTable
from kgrec.recommend.results import Placed
from kgrec.serve.http.bodies import Id, ItemsBody, Name
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, known_item, scoped, service_of, until_of
from kgrec.serve.item_values import item_columns
from kgrec.serve.live import LiveState

router = APIRouter(prefix="/v1", tags=["items"])

Columns = Annotated[
    dict[Name, Any], Body(max_length=1000, examples=[{"title": "Moon Base", "genres": "Drama"}])
]
ItemType = Annotated[
    Name | None, Query(description="Type of the item; required if items have several types.")
]


class ItemAnswer(BaseModel):
    """An item of the catalogue."""

    item: str
    label: str
    type: str
    state: Literal["trained", "added", "removed"]
    fields: dict[str, Any]


class ChangeAnswer(BaseModel):
    """The outcome of a change of items; lists include it."""

    revision: int
    added: list[str]
    updated: list[str]
    known: list[str]
    unknown: list[str]
    linked: dict[str, int]
    words: dict[str, int]
    bare: list[str]


@router.get("/items", summary="Items by name or in the order of their ids", **scoped("read"))
async def every(
    request: Request,
    text: Annotated[str | None, Query(min_length=1, max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    start: Annotated[int, Query(ge=0, description="The `next` of the previous page.")] = 0,
) -> Response:
    """Ids and labels; with `text`, items whose id or label matches it, best first."""
    service = service_of(request)
    state = service.state

    def found() -> list[int]:
        if text is None:
            return list(range(start, min(start + limit, len(state.model.items))))
        return [one.row for one in state.model.items.names.search(text, start + limit)][start:]

    rows = await service.compute(found, until_of(request))
    items = [
        {
            "item": state.model.items.ids[row],
            "label": state.model.items.label(row),
            "state": _state(state, row),
        }
        for row in rows
    ]
    more = len(rows) == limit and (text is not None or start + limit < len(state.model.items))
    return answer({"revision": state.revision, "items": items, "next": start + limit if more else None})


@router.get("/items/{item:path}", summary="An item", **scoped("read", ItemAnswer))
async def get(request: Request, item: Id) -> Response:
    """Label and state of the item, and its values in the graph: relations, numbers, dates and texts."""
    service = service_of(request)
    state = service.state
    row = known_item(state, item)

    def compute() -> dict[str, Any]:
        type_, fields = item_columns(state.model, row)
        return {
            "item": state.model.items.ids[row],
            "label": state.model.items.label(row),
            "type": type_,
            "state": _state(state, row),
            "fields": fields,
            "revision": state.revision,
        }

    return answer(await service.compute(compute, until_of(request)))


@router.post("/items", summary="Add items", **scoped("write", ChangeAnswer))
async def add(body: ItemsBody, request: Request) -> Response:
    """Add items by rows with the columns in kgrec.yaml, and optional rows of other nodes. Known items are not changed.

    The server answers when lists can contain the items: `linked` counts the neighbours known to the model, `words` the words of text, and
    `bare` names items without any content that the model reads.
    """
    service = service_of(request)
    rows = _complete(service.state, body.rows)
    done, state = await service.change(lambda: service.live.add_items(rows))
    return answer(_changed(done, state, added=done.ids, known=done.known))


@router.put("/items/{item:path}", summary="Add or replace an item", **scoped("write", ChangeAnswer))
async def put(columns: Columns, request: Request, item: Id, type: ItemType = None) -> Response:
    """The item then has exactly these columns; its key is taken from the path."""
    service = service_of(request)

    def change() -> dict[str, Any]:
        state = service.state
        name, table = _table(state, type)
        row = _whole_row(name, table, {**columns, table.key: _key_of(item, name)}, "body")
        return _put(request, item, {name: [row]})

    return answer(await service.change(change))


@router.patch("/items/{item:path}", summary="Change columns of an item", **scoped("write", ChangeAnswer))
async def patch(columns: Columns, request: Request, item: Id, type: ItemType = None) -> Response:
    """The given columns replace those of the item; other columns keep their values."""
    service = service_of(request)
    known_item(service.state, item)

    def change() -> dict[str, Any]:
        state = service.state
        name, table = _table(state, type)
        row = {**columns, table.key: _key_of(item, name)}
        _whole_row(name, table, row, "body")
        done, after = service.live.update_items({name: [row]})
        return _changed(done, after, updated=done.ids, known=done.same, unknown=done.unknown)

    return answer(await service.change(change))


@router.delete("/items/{item:path}", summary="Remove an item", **scoped("write"))
async def remove(request: Request, item: Id) -> Response:
    """Stop recommending the item; it still counts in histories. `PUT` restores it."""
    service = service_of(request)
    row = known_item(service.state, item)
    name = service.state.model.items.ids[row]
    state = await service.change(lambda: service.live.remove_items([name]))
    return answer({"revision": state.revision, "removed": [name]})


def _put(request: Request, item: str, rows: dict[str, Any]) -> dict[str, Any]:
    live = service_of(request).live
    if not _is_offered(live.catch_up(), item):
        done, state = live.add_items(rows)
        if len(done):
            return _changed(done, state, added=done.ids, known=done.known)
    updated, state = live.update_items(rows)
    return _changed(updated, state, updated=updated.ids, known=updated.same, unknown=updated.unknown)


def _is_offered(state: LiveState, item: str) -> bool:
    row = int(state.model.items.rows([item])[0])
    return row >= 0 and row not in state.model.items.removed


def _table(state: LiveState, type_: str | None) -> tuple[str, NodeTable]:
    """The type of an item and its table."""
    tables = {name: table for name, table in state.model.mapping.nodes.items() if table.item}
    if type_ is None and len(tables) == 1:
        return next(iter(tables.items()))
    if type_ is None or type_ not in tables:
        named = ", ".join(tables) or "none: items come only from RDF"
        raise Problem(
            "not-valid",
            "The type of the item is ambiguous.",
            f"Give ?type=. Types with a table: {named}.",
            "query.type",
        )
    return type_, tables[type_]


def _complete(state: LiveState, rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows with all columns of their tables; the cells of missing columns are empty."""
    known = state.model.mapping.nodes
    for name in rows:
        if name not in known:
            remedy = did_you_mean(name, sorted(known))
            raise Problem(
                "not-valid",
                f"There is no node table '{name}' in the mapping.",
                remedy,
                f"body.rows.{name}",
            )
    return {
        name: [_whole_row(name, known[name], row, f"body.rows.{name}[{at}]") for at, row in enumerate(some)]
        for name, some in rows.items()
    }


def _whole_row(name: str, table: NodeTable, row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A row with exactly the columns of its table."""
    columns = [table.key, *table.keys, *(column for column in table.columns if column != "*")]
    unknown = [column for column in row if column not in columns]
    if unknown and "*" not in table.columns:
        problem = f"'{name}' has no column '{unknown[0]}'."
        raise Problem(
            "not-valid", problem, did_you_mean(unknown[0], sorted(set(columns))), f"{where}.{unknown[0]}"
        )
    return {**dict.fromkeys(columns), **row}


def _key_of(item: str, type_: str) -> str:
    return item.removeprefix(f"{type_}/")


def _state(state: LiveState, row: int) -> str:
    items = state.model.items
    at = int(np.searchsorted(items.removed, row))
    if at < len(items.removed) and items.removed[at] == row:
        return "removed"
    return "trained" if items.trained[row] else "added"


def _changed(done: Placed, state: LiveState, **lists: list[str]) -> dict[str, Any]:
    empty: dict[str, list[str]] = {"added": [], "updated": [], "known": [], "unknown": []}
    return {
        "revision": state.revision,
        **empty,
        **lists,
        "linked": dict(zip(done.ids, done.linked, strict=True)),
        "words": dict(zip(done.ids, done.words, strict=True)),
        "bare": done.bare,
    }
