"""Errors in the form of RFC 9457: `application/problem+json` with problem, remedy and where.

Enters: errors raised by routes. Leaves: responses. They repeat no values of the request except those in the library's messages.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kgrec.errors import ArtifactError, ConfigError, EncoderNotFound, KgrecError, SourceError, UnknownId

logger = logging.getLogger("kgrec.serve")

#: kind of problem -> status and title
KINDS: dict[str, tuple[int, str]] = {
    "not-valid": (422, "The request is not valid"),
    "unknown-id": (404, "The id is unknown"),
    "not-json": (400, "The body is not JSON"),
    "no-key": (401, "A key is needed"),
    "not-allowed": (403, "The key does not allow this"),
    "no-route": (404, "The path does not exist"),
    "no-method": (405, "The path does not support this method"),
    "conflict": (409, "The state does not allow this"),
    "too-large": (413, "The body is too large"),
    "overloaded": (429, "Too many requests are waiting"),
    "failed": (500, "The server failed"),
    "not-ready": (503, "The server is not ready"),
    "too-late": (503, "The request waited too long"),
}
_MEDIA_TYPE = "application/problem+json"


class ProblemBody(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str = Field(
        description="Kind of problem, as a path of this server.", examples=["/problems/unknown-id"]
    )
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="Problem and remedy as one text.")
    problem: str = Field(description="What is wrong.")
    remedy: str = Field(description="What to do about it.")
    where: str = Field(description="The part of the request with the problem.", examples=["body.where"])
    errors: list[dict[str, str]] | None = Field(
        default=None, description="All problems, if there are several."
    )


class Problem(Exception):
    """An error of a request.

    Args:
        kind: One of `KINDS`.
        problem: One sentence that states the problem.
        remedy: What the caller can do.
        where: The part of the request, such as "body.k".
        headers: Further headers.
    """

    def __init__(
        self,
        kind: str,
        problem: str,
        remedy: str,
        where: str = "request",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem)
        self.kind, self.problem, self.remedy, self.where = kind, problem, remedy, where
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        status, title = KINDS[self.kind]
        return {
            "type": f"/problems/{self.kind}",
            "title": title,
            "status": status,
            "detail": f"{self.problem} {self.remedy}".strip(),
            "problem": self.problem,
            "remedy": self.remedy,
            "where": self.where,
        }

    def response(self, **more: Any) -> Response:
        """The response."""
        return Response(
            json.dumps({**self.body(), **more}, ensure_ascii=False).encode("utf-8", "backslashreplace"),
            KINDS[self.kind][0],
            self.headers,
            _MEDIA_TYPE,
        )


def problem_of(error: KgrecError, where: str = "body") -> Problem:
    """The problem for an error of the library."""
    lines = (" ".join(error.problem.split()), " ".join(error.remedy.split()))
    if isinstance(error, UnknownId):
        return Problem("unknown-id" if where.startswith("path") else "not-valid", *lines, where)
    if isinstance(error, ConfigError | SourceError | EncoderNotFound):
        return Problem("not-valid", *lines, where)
    kind = "conflict" if isinstance(error, ArtifactError) else "failed"
    logger.error("%s: %s", type(error).__name__, error.problem)
    return Problem(kind, *lines, where)


def install(app: FastAPI) -> None:
    """Turn every error of the app into a problem."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(KgrecError, _of_library)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_starlette)


async def _of_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _of_library(request: Request, error: Exception) -> Response:
    assert isinstance(error, KgrecError)
    return problem_of(error, "path" if request.method == "GET" and request.path_params else "body").response()


def invalid_body(error: ValidationError) -> RequestValidationError:
    """The error of a body that was read in one step, in the form of FastAPI."""
    found = []
    for one in error.errors(include_url=False):
        if one["type"] == "json_invalid":
            found.append(
                {
                    **one,
                    "loc": ("body", 0),
                    "ctx": {"error": str(one.get("ctx", {}).get("error", "it ends too early"))},
                }
            )
        else:
            found.append({**one, "loc": ("body", *one["loc"])})
    return RequestValidationError(found)


def no_json() -> Problem:
    """The problem of a body that is not a JSON object or not declared as JSON; without this rule, any web page could send a body."""
    remedy = "Send a JSON object, with the header Content-Type: application/json."
    return Problem("not-valid", "The body of the request is not a JSON object.", remedy, "body")


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [_validation(one) for one in error.errors()[:20]]
    first = found[0]
    if len(found) == 1:
        return first.response()
    return first.response(
        errors=[{name: one.body()[name] for name in ("problem", "remedy", "where")} for one in found]
    )


def _validation(error: Mapping[str, Any]) -> Problem:
    place = _place(error["loc"])
    kind = error["type"]
    if kind == "json_invalid":
        return Problem(
            "not-json",
            f"The body is not JSON: {error['ctx']['error']}.",
            f"Look at character {error['loc'][1]}." if error["loc"][1] else "Send a JSON object.",
            "body",
        )
    if place == "body" and kind in ("missing", "model_attributes_type", "dict_type"):
        return no_json()
    if kind == "extra_forbidden":
        return Problem(
            "not-valid",
            f"There is no option '{error['loc'][-1]}' here.",
            "Leave it out, or see /openapi.json.",
            place,
        )
    if kind == "missing":
        return Problem("not-valid", f"{place} is missing.", "Give it.", place)
    return Problem(
        "not-valid", f"{place}: {_sentence(error['msg'])}", "See /openapi.json for what is allowed.", place
    )


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _place(loc: Sequence[Any]) -> str:
    """The place in the request, without values of the caller except names of options."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


async def _of_starlette(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: "no-route", 405: "no-method", 400: "not-json", 413: "too-large"}
    kind = kinds.get(error.status_code, "failed")
    remedies = {
        "no-route": "See /openapi.json for the paths.",
        "no-method": f"It takes {(error.headers or {}).get('Allow', 'another method')}.",
        "not-json": "Send JSON in UTF-8, nested less deeply than 100 levels.",
    }
    title = KINDS[kind][1]
    return Problem(
        kind, f"{title}.", remedies.get(kind, "Look at the log of the server."), headers=error.headers
    ).response()
