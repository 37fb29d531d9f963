"""The app: routes, errors, OpenAPI.

Enters: a `Service`. Leaves: an ASGI app.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kgrec._version import __version__
from kgrec.serve.http import problems
from kgrec.serve.http.gate import Gate
from kgrec.serve.http.routes import (
    admin,
    documentation,
    explain,
    feedback,
    fields,
    graph,
    health,
    items,
    page,
    recommend,
    scenarios,
    sessions,
    similar,
    sparql,
    users,
)
from kgrec.serve.http.service import Service
from kgrec.serve.http.swaps import Swaps

_ROUTERS = (
    recommend,
    similar,
    explain,
    fields,
    items,
    feedback,
    users,
    sessions,
    scenarios,
    graph,
    sparql,
    admin,
    health,
    documentation,
    page,
)
_DESCRIPTION = """\
Recommendations from a knowledge graph, with explanations. New items and events take effect in the next request.

Every answer comes from one model and names it (`model`), together with the last change that it includes (`revision`). Each change returns its
revision; give it as `min_revision` to get an answer that includes the change. Errors are `application/problem+json` with `problem`, `remedy` and `where`.

If the server has keys, send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Scopes are read, feedback, write and admin.
"""


def create_app(service: Service, swaps: Swaps | None = None) -> FastAPI:
    """The app of a service; the app starts and stops the service.

    Args:
        service: Answers the requests.
        swaps: Replaces the model; None: the model is never replaced.
    """

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        if swaps is not None and swaps.releases is not None:
            service.follow(swaps.follow())
        yield
        await service.stop()

    app = FastAPI(
        title="kgrec",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.service, app.state.swaps = service, swaps
    problems.install(app)
    app.router.routes.insert(0, recommend.at_once)
    for part in _ROUTERS:
        app.include_router(part.router)
    app.add_middleware(Gate, settings=service.settings, metrics=service.metrics, only_local=not service.keys)
    return app
