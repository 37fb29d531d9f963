"""Code shared by routes: the service of a request, scopes of keys, answers as JSON.

Enters: requests. Leaves: values for handlers, and responses.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from kgrec.errors import UnknownId
from kgrec.serve.http.keys import Scope
from kgrec.serve.http.peers import is_of_peer
from kgrec.serve.http.problems import Problem, ProblemBody
from kgrec.serve.http.service import Service
from kgrec.serve.live import LiveState

_PASSED_ON = ("authorization", "x-api-key", "content-type")
_ERRORS: dict[int, str] = {
    401: "A key is needed.",
    403: "The key does not allow this.",
    422: "The request is not valid.",
    429: "Too many requests are waiting.",
    503: "The request waited too long, or the server is not ready.",
}


def service_of(request: Request) -> Service:
    """The service of the app."""
    service: Service = request.app.state.service
    return service


def until_of(request: Request) -> float:
    """The deadline of a request."""
    return service_of(request).until(request.scope["kgrec_began"])


def answer(values: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Values as JSON."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode("utf-8", "backslashreplace"), status, headers, "application/json")


async def of_owner(request: Request, name: str) -> Response | None:
    """The answer of the other worker that holds a list or a session in memory; None if there is no such worker."""
    owner = service_of(request).peers.owner(name)
    if owner is None or is_of_peer(request.scope):
        return None
    peers, target, sent = service_of(request).peers, request.url.path, await request.body()
    if request.url.query:
        target += f"?{request.url.query}"
    headers = headers_passed_on(request)
    reply = await run_in_threadpool(peers.ask, owner, request.method, target, headers, sent)
    if reply is None:
        return None
    again = {name: value for name, value in reply.headers.items() if name == "retry-after"}
    return Response(reply.body, reply.status, again, reply.headers.get("content-type"))


def headers_passed_on(request: Request) -> dict[str, str]:
    """Headers of a request that a forwarded request needs."""
    return {name: request.headers[name] for name in _PASSED_ON if name in request.headers}


def scoped(scope: Scope, model: type[BaseModel] | None = None, *, status: int = 200) -> dict[str, Any]:
    """Arguments of a route that requires a scope and answers with a model.

    Handlers return responses, which FastAPI does not validate again: the models describe them in OpenAPI.
    """
    responses: dict[int | str, dict[str, Any]] = {
        code: {"model": ProblemBody, "description": text} for code, text in _ERRORS.items()
    }
    if model is not None:
        responses[status] = {"model": model}
    return {
        "dependencies": [Depends(allow(scope))],
        "responses": responses,
        "status_code": status,
        "openapi_extra": {"security": [{"bearer": []}, {"header": []}, {}], "x-scope": scope},
    }


def known_item(state: LiveState, item: str, where: str = "path.item") -> int:
    """Row of an item.

    Raises:
        Problem: The item is unknown.
    """
    from kgrec.recommend.ids import item_rows

    try:
        return int(item_rows(state.model, [item])[0])
    except UnknownId as error:
        raise Problem("unknown-id", error.problem, error.remedy, where) from None


def allow(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    """A dependency that rejects requests without a key of this scope, if the server has keys."""

    async def check(request: Request) -> None:
        keys = service_of(request).keys
        if not keys:
            return
        key = _key(request)
        if not key:
            raise Problem(
                "no-key",
                "The request has no key.",
                "Send Authorization: Bearer KEY, or X-API-Key: KEY.",
                "header.Authorization",
                {"WWW-Authenticate": "Bearer"},
            )
        scopes = keys.scopes(key)
        if not scopes:
            raise Problem(
                "no-key",
                "The key is unknown.",
                "Check it, or make one.",
                "header.Authorization",
                {"WWW-Authenticate": "Bearer"},
            )
        if scope not in scopes:
            raise Problem(
                "not-allowed",
                f"The key does not have the scope '{scope}'.",
                "Use another key.",
                "header.Authorization",
            )

    return check


def _key(request: Request) -> str:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")
