"""The data of a user, and its erasure."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow.compute as pc
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from kgrec.serve.history_items import newest_items
from kgrec.serve.http.bodies import Id
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, scoped, service_of, until_of
from kgrec.serve.live import LiveState

router = APIRouter(prefix="/v1", tags=["users"])


class UserAnswer(BaseModel):
    """The known data of a user."""

    user: str
    interactions: int
    liked: int
    revision: int


class HistoryItem(BaseModel):
    """An item that the user interacted with."""

    item: str
    label: str
    liked: bool
    count: int
    time: str | None


class HistoryAnswer(BaseModel):
    """Interactions, newest first."""

    user: str
    revision: int
    items: list[HistoryItem]
    next: int | None


@router.get("/users", summary="Users by name", **scoped("read"))
async def every(
    request: Request,
    text: Annotated[str, Query(max_length=512)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Ids that contain a text, ignoring case: first an equal id, then ids that begin with the text."""
    service = service_of(request)
    return answer(
        {"users": await service.compute(lambda: _named(service.state, text, limit), until_of(request))}
    )


@router.get("/users/{user:path}/history", summary="The history of a user", **scoped("read", HistoryAnswer))
async def history(
    request: Request,
    user: Id,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    start: Annotated[int, Query(ge=0, description="The `next` of the previous page.")] = 0,
) -> Response:
    """Items that the user has interacted with, newest first if times are known."""
    state = service_of(request).state
    found, model = _history(state, user), state.model
    items = newest_items(model, found, start, limit)
    more = start + limit < len(found.item)
    return answer(
        {"user": user, "revision": state.revision, "items": items, "next": start + limit if more else None}
    )


@router.get("/users/{user:path}", summary="A user", **scoped("read", UserAnswer))
async def get(request: Request, user: Id) -> Response:
    """Numbers of items that the user has interacted with and liked, including events."""
    state = service_of(request).state
    history = _history(state, user)
    return answer(
        {
            "user": user,
            "interactions": len(history.item),
            "liked": int(history.positive.sum()),
            "revision": state.revision,
        }
    )


@router.delete("/users/{user:path}", summary="Erase a user", **scoped("write"))
async def erase(request: Request, user: Id) -> Response:
    """Remove the user's events and lists from the store, and the history from the model in memory.

    A tombstone remains, so the next training leaves the user out; until then the model folder still contains the training interactions.
    """
    service = service_of(request)
    service.forget(user)
    await service.flush()
    state = await service.change(lambda: service.live.erase_user(user))
    service.forget(user)
    return answer({"user": user, "erased": True, "revision": state.revision})


def _named(state: LiveState, text: str, limit: int) -> list[str]:
    labels = state.model.users.labels
    found = labels.filter(pc.match_substring(labels, text, ignore_case=True)) if text else labels
    first = found.filter(pc.starts_with(found, text, ignore_case=True))
    # some may have been erased since
    most = limit + len(state.erased)
    names = dict.fromkeys([text, *first[:most].to_pylist(), *found[:most].to_pylist()])
    return [name for name in names if state.knows(name)][:limit]


def _history(state: LiveState, user: str) -> Any:
    if not state.knows(user):
        raise Problem(
            "unknown-id",
            "There is no such user in the model.",
            "Check the id, or send events for the user.",
            "path.user",
        )
    return state.model.histories.take(state.model.users.ids([user]))
