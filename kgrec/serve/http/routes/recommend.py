"""Lists for users and histories, one or several per request, and their next pages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from kgrec.errors import ConfigError, KgrecError
from kgrec.rank.lists.explore import Exploration
from kgrec.recommend.request import Request as ListRequest
from kgrec.serve.http.bodies import MAX_K, BatchBody, Id, ListAnswer, Name, RecommendBody, Text
from kgrec.serve.http.lists import Kept, Listed, ListOf, Whom, because, check_explored, kind_of
from kgrec.serve.http.problems import Problem, invalid_body, no_json, problem_of
from kgrec.serve.http.routes.common import allow, answer, of_owner, scoped, service_of, until_of
from kgrec.serve.http.service import Service

router = APIRouter(prefix="/v1", tags=["lists"])
_allow = allow("read")

#: largest number of items over all pages of one list
_MOST_SHOWN = 5_000


class BatchAnswer(BaseModel):
    """One list or problem per query, in the order of the queries."""

    results: list[ListAnswer | dict[str, Any]]


@router.post("/recommend", summary="A list for a user or a history", **scoped("read", ListAnswer))
async def recommend(body: RecommendBody, request: Request) -> Response:
    """The best items for a user, a history, or both.

    Events and added items take effect at once. With `explain: n`, the first n items say why they are listed.
    """
    return answer(await list_of(service_of(request), body, until_of(request)))


async def recommend_at_once(request: Request) -> Response:
    """A faster `recommend` for the most frequent request: the body is read and validated in one step instead of FastAPI's many."""
    request.scope["route"] = at_once
    await _allow(request)
    if "json" not in request.headers.get("content-type", ""):
        raise no_json()
    try:
        body = RecommendBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_body(error) from None
    except ClientDisconnect:
        raise HTTPException(
            400
        ) from None  # as FastAPI does: nobody reads it, but it is no failure of the server
    return await recommend(body, request)


#: placed before FastAPI's route, which describes it in OpenAPI
at_once = Route("/v1/recommend", recommend_at_once, methods=["POST"])


@router.get("/users/{user:path}/recommendations", summary="A list for a user", **scoped("read", ListAnswer))
async def for_user(
    request: Request,
    user: Id,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    where: Annotated[Text | None, Query()] = None,
    scenario: Annotated[Name | None, Query()] = None,
    explain: Annotated[int, Query(ge=0, le=10)] = 0,
    exclude_seen: bool = True,
    min_revision: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Like `POST /v1/recommend`, with the most frequent options."""
    given: dict[str, Any] = {"k": k, "exclude_seen": exclude_seen, "where": where, "scenario": scenario}
    chosen = {
        name: value for name, value in given.items() if name in request.query_params and value is not None
    }
    body = RecommendBody(user=user, explain=explain, min_revision=min_revision, **chosen)
    return answer(await list_of(service_of(request), body, until_of(request)))


@router.post("/recommend/batch", summary="Several lists", **scoped("read", BatchAnswer))
async def batch(body: BatchBody, request: Request) -> Response:
    """At most 256 lists; lists with the same options are computed together. A failed query has a problem in its place."""
    service, until = service_of(request), until_of(request)
    results = await asyncio.gather(*(_or_problem(service, query, until) for query in body.queries))
    return answer({"results": results})


@router.get("/recommendations/{rid}/next", summary="The next page of a list", **scoped("read", ListAnswer))
async def next_page(
    request: Request, rid: Id, k: Annotated[int | None, Query(ge=1, le=MAX_K)] = None
) -> Response:
    """The items after those already shown; no item is shown twice, even if the model has changed meanwhile."""
    if (passed_on := await of_owner(request, rid)) is not None:
        return passed_on
    service = service_of(request)
    kept = service.kept.get(rid)
    if kept is None:
        raise Problem(
            "unknown-id", "There is no such list, or it has expired.", "Request a new list.", "path.rid"
        )
    if len(kept.shown) >= _MOST_SHOWN:
        raise Problem(
            "conflict",
            f"The list has already shown {len(kept.shown):,} items.",
            "Request a new list.",
            "path.rid",
        )
    asked = kept.options.request
    deny = [*(asked.deny or ()), *kept.shown]
    # pages after a drawn list are not drawn, because their propensities would depend on the items already shown
    options = replace(
        kept.options, explore=None, request=replace(asked, deny=deny, k=k or asked.k, on_unknown="skip")
    )
    listed = await service.list_for(kept.whom, options, service.peers.new_name(), until_of(request))
    first = len(kept.shown) + 1
    items = [{**item, "rank": rank} for rank, item in enumerate(listed.items, first)]
    kept.shown += [item["item"] for item in items]
    service.shown(service.peers.new_name(), kept.whom, listed, kept.scenario, kept.variant)
    return answer(_values(rid, replace(listed, items=items), kept))


async def list_of(service: Service, body: RecommendBody, until: float) -> dict[str, Any]:
    """The answer to one request for a list."""
    if body.user is None and body.history is None and body.likes is None:
        raise Problem("not-valid", "No user or history is given.", "Give user, or history, or both.", "body")
    await service.at_revision(body.min_revision, until)
    options, variant = service.scenarios.options(body.scenario, body.user, body.options())
    whom = Whom(body.user, tuple(body.liked), tuple(body.dislikes or ()))
    explore = service.scenarios.exploration(body.scenario, variant)
    key = repr((kind_of(whom), sorted(options.items()), body.fields, explore))
    chosen = service.list_options.get(key)
    if chosen is None:
        chosen = ListOf(kind_of(whom), checked_request(options, explore), tuple(body.fields), explore)
        service.list_options.put(key, chosen)
    # exposure depends on all lists of a call, so such a list gets a separate call
    listed = await service.list_for(
        whom, chosen, service.peers.new_name() if chosen.request.exposure else key, until
    )
    if body.explain and listed.items:
        listed = await _explained(service, whom, chosen, listed, body.explain, until)
    rid = service.peers.new_name()
    kept = Kept(whom, chosen, body.scenario, variant, [item["item"] for item in listed.items])
    service.kept.put(rid, kept)
    service.shown(rid, whom, listed, body.scenario, variant)
    return _values(rid, listed, kept)


def checked_request(options: Mapping[str, Any], explore: Exploration | None = None) -> ListRequest:
    """Options as a `Request` whose lists can be drawn; the error names the invalid option."""
    try:
        request = ListRequest.from_dict(options)
        check_explored(request, explore)
        return request
    except ConfigError as error:
        named = [name for name in options if name in error.problem]
        raise problem_of(error, f"body.{named[0]}" if len(named) == 1 else "body") from None


async def _explained(
    service: Service, whom: Whom, options: ListOf, listed: Listed, n: int, until: float
) -> Listed:
    """A copy of the list with reasons for its first items; other requests may share the given list."""
    first = [item["item"] for item in listed.items[:n]]
    found = await service.compute(lambda: because(listed.state, whom, options.request, first), until)
    reasons = [{**item, "because": why} for item, why in zip(listed.items, found, strict=False)]
    return replace(listed, items=[*reasons, *listed.items[n:]])


async def _or_problem(service: Service, query: RecommendBody, until: float) -> dict[str, Any]:
    try:
        return await list_of(service, query, until)
    except Problem as problem:
        return problem.body()
    except KgrecError as error:
        return problem_of(error).body()


def _values(rid: str, listed: Listed, kept: Kept) -> dict[str, Any]:
    return {
        "rid": rid,
        "model": listed.state.name,
        "revision": listed.state.revision,
        "scenario": kept.scenario,
        "variant": kept.variant,
        "fallback": listed.fallback,
        "items": listed.items,
    }
