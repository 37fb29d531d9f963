"""Middleware for every request: limits of the body, security headers, a log line, figures.

Enters: ASGI messages. Leaves: the same messages, with headers. The log contains the path of the route and therefore no ids:
`/v1/users/{user}`, not `/v1/users/u1`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kgrec.serve.http.metrics import Metrics
from kgrec.serve.http.peers import is_of_peer
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.settings import Settings

access = logging.getLogger("kgrec.serve.access")
logger = logging.getLogger("kgrec.serve")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: the pages of the documentation set styles in attributes
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
#: paths whose bodies may be large
_LARGE = ("/v1/feedback", "/v1/items")


class _TooLargeError(Exception):
    """The body has more bytes than are allowed."""


class Gate:
    """ASGI middleware.

    Args:
        app: The wrapped app.
        settings: Limits.
        metrics: Counts the requests.
        only_local: Reject requests that name a host other than this machine; a server without keys would otherwise answer web pages
            whose domain name was pointed to this machine (DNS rebinding).
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        only_local: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app, self._settings, self._metrics, self._clock = app, settings, metrics, clock
        self._only_local = only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, number, status = self._clock(), secrets.token_hex(8), 500
        scope["kgrec_began"] = time.monotonic()
        started = False

        async def sent(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message.get("headers", ()), *_headers(scope["path"], number)]
            await send(message)

        try:
            await self._bounded(scope, receive, sent)
        except asyncio.CancelledError:
            # The server cancels what still runs when its time to finish is over.
            if started:
                raise
            await _ENDS.response()(scope, receive, sent)
        except Exception as error:
            if started:
                raise
            if not isinstance(error, _TooLargeError | Problem):
                logger.exception("A request failed", extra={"request": number})
            await _refusal(error, scope)(scope, receive, sent)
        finally:
            if not is_of_peer(scope):  # the worker that forwarded the request logs it
                self._note(scope, status, self._clock() - began, number)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self._settings.large_body if scope["path"].startswith(_LARGE) else self._settings.body
        headers = dict(scope["headers"])
        if self._only_local and not _is_local(headers.get(b"host", b"")):
            raise _STRANGER
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            raise _TooLargeError
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise _TooLargeError
            return message

        await self._app(scope, counted, send)

    def _note(self, scope: Scope, status: int, seconds: float, number: str) -> None:
        route: Any = scope.get("route")
        path = (getattr(route, "path", None) or "other").replace(":path}", "}")
        self._metrics.requests.labels(path, scope["method"] if path != "other" else "other", status).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        if access.isEnabledFor(logging.INFO):
            values = {
                "request": number,
                "method": scope["method"],
                "route": path,
                "status": status,
                "ms": round(1000 * seconds, 2),
            }
            access.info("request", extra={"values": values})


def _headers(path: str, number: str) -> list[tuple[bytes, bytes]]:
    policy = _DOCS_POLICY if path.startswith("/docs") else _POLICY
    cache = [] if path.startswith(("/docs/", "/static/")) else [(b"cache-control", b"no-store")]
    return [
        *_HEADERS,
        (b"content-security-policy", policy.encode()),
        (b"x-request-id", number.encode()),
        *cache,
    ]


def _is_local(host: bytes) -> bool:
    name = host.rpartition(b":")[0] if host.rpartition(b":")[2].isdigit() else host
    return name.lower() in (b"localhost", b"127.0.0.1", b"[::1]")


_STRANGER = Problem(
    "not-allowed",
    "The request names a host other than this machine, and the server has no keys.",
    "Send it to localhost, or start the server with --keys.",
    "header.Host",
)


_ENDS = Problem(
    "not-ready",
    "The server stops, and the request did not finish in time.",
    "Ask another one, or later.",
    headers={"Retry-After": "1"},
)


def _refusal(error: Exception, scope: Scope) -> ASGIApp:
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, _TooLargeError):
        return Problem(
            "too-large",
            "The body has more bytes than the server accepts.",
            "Send fewer rows or events at a time.",
            "body",
            {"Connection": "close"},
        ).response()
    return Problem(
        "failed",
        "The server failed to answer this request.",
        "See the server's log for the X-Request-ID of this answer.",
        scope["method"],
    ).response()


class JsonLines(logging.Formatter):
    """One JSON object per line, with no data of the request except its route.

    Args:
        worker: Number of the process, if there are several processes.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            **self._worker,
            "message": record.getMessage(),
        }
        line |= getattr(record, "values", {})
        if "request" in record.__dict__:
            line["request"] = record.__dict__["request"]
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
