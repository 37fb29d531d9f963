"""Similar items and users, items by text, and ranking of the caller's items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kgrec.recommend.request import Request as ListRequest
from kgrec.serve.http.bodies import RankBody, SearchBody, SimilarItemsBody, SimilarUsersBody
from kgrec.serve.http.lists import Listed, ListOf, Whom, item_values, kind_of
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, known_item, scoped, service_of, until_of
from kgrec.serve.http.routes.recommend import checked_request
from kgrec.serve.live import LiveState

router = APIRouter(prefix="/v1", tags=["lists"])


@router.post("/similar/items", summary="Items similar to an item", **scoped("read"))
async def similar_items(body: SimilarItemsBody, request: Request) -> Response:
    """The items with the nearest embeddings, with the same filters as lists."""
    asked = checked_request(_without(body.options(), "exclude_seen"))

    def compute(state: LiveState) -> list[dict[str, Any]]:
        known_item(state, body.item, "body.item")
        table = state.recommender.similar_items([body.item], request=asked, arrow=True)
        return _items(state, table, body.fields)

    return await _answered(request, body.min_revision, compute)


@router.post("/similar/users", summary="Users similar to a user", **scoped("read"))
async def similar_users(body: SimilarUsersBody, request: Request) -> Response:
    """The users with the nearest embeddings."""

    def compute(state: LiveState) -> list[dict[str, Any]]:
        if not state.knows(body.user):
            raise Problem(
                "not-valid", "There is no such user in the model.", "Give a user with a history.", "body.user"
            )
        asked = ListRequest(body.k + len(state.erased), min_score=body.min_score)
        table = state.recommender.similar_users([body.user], request=asked, arrow=True)
        found = [
            (name, score)
            for name, score in zip(table["similar_id"].to_pylist(), table["score"].to_pylist(), strict=True)
            if name not in state.erased
        ]
        return [
            {"user": name, "rank": rank, "score": round(score, 6)}
            for rank, (name, score) in enumerate(found[: body.k], 1)
        ]

    return await _answered(request, body.min_revision, compute, "users")


@router.post("/search", summary="Items by a text", **scoped("read"))
async def search(body: SearchBody, request: Request) -> Response:
    """Items described by a text, or items by name.

    The first search by meaning loads the text encoder, which takes a few seconds.
    """
    if body.mode == "name":
        return await _answered(request, body.min_revision, lambda state: _by_name(state, body))
    asked = checked_request(_without(body.options(), "exclude_seen"))

    def compute(state: LiveState) -> list[dict[str, Any]]:
        return _items(
            state, state.recommender.recommend_for_text([body.text], request=asked, arrow=True), body.fields
        )

    return await _answered(request, body.min_revision, compute)


@router.post("/rank", summary="Rank given items", **scoped("read"))
async def rank(body: RankBody, request: Request) -> Response:
    """The caller's items, best first, including items that the user has seen. Items that the model does not recommend are in `unknown`."""
    service, until = service_of(request), until_of(request)
    await service.at_revision(body.min_revision, until)
    whom = Whom(body.user, (*(body.history or ()), *(body.likes or ())), tuple(body.dislikes or ()))
    asked = ListRequest(len(body.items), candidates=body.items, exclude_seen=False, on_unknown="skip")
    options = ListOf(kind_of(whom), asked, tuple(body.fields))
    listed: Listed = await service.list_for(whom, options, object(), until)
    there = {item["item"] for item in listed.items}
    state = listed.state
    rows = state.model.items.rows(body.items).tolist()
    names = [state.model.items.ids[row] if row >= 0 else None for row in rows]
    unknown = [given for given, name in zip(body.items, names, strict=True) if name not in there]
    return answer(
        {
            "model": state.name,
            "revision": state.revision,
            "fallback": listed.fallback,
            "items": listed.items,
            "unknown": unknown,
        }
    )


async def _answered(
    request: Request, revision: int, compute: Callable[[LiveState], list[dict[str, Any]]], what: str = "items"
) -> Response:
    service, until = service_of(request), until_of(request)
    await service.at_revision(revision, until)

    def call() -> dict[str, Any]:
        state = service.state
        return {"model": state.name, "revision": state.revision, what: compute(state)}

    return answer(await service.compute(call, until))


def _items(state: LiveState, table: Any, fields: Sequence[str]) -> list[dict[str, Any]]:
    return item_values(
        state, table.column(1).to_pylist(), table["score"].to_pylist(), fields, table["rank"].to_pylist()
    )[0]


def _by_name(state: LiveState, body: SearchBody) -> list[dict[str, Any]]:
    asked = replace(checked_request(_without(body.options(), "exclude_seen")), k=1)
    allowed = asked.rows(state.model)
    found = state.model.items.names.search(body.text, body.k if allowed is None else len(state.model.items))
    if allowed is not None:
        kept = set(allowed.tolist())
        found = [one for one in found if one.row in kept][: body.k]
    names = [state.model.items.ids[one.row] for one in found]
    items, _ = item_values(state, names, [one.score for one in found], body.fields)
    return [{**item, "match": one.match} for item, one in zip(items, found, strict=True)]


def _without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
