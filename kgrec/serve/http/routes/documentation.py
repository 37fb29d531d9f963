"""The description of the API, and a page that shows it; no key is needed."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from kgrec.serve.http.openapi import openapi
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer

router = APIRouter(include_in_schema=False)

#: of swagger-ui-dist, and the page; see swagger/VENDORED
_FILES = Path(__file__).parents[1] / "swagger"
_NAMES = frozenset(("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "page.js"))


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """OpenAPI 3.1."""
    return answer(openapi(request.app))


@router.get("/docs")
async def page() -> Response:
    """Swagger UI."""
    return FileResponse(_FILES / "index.html")


@router.get("/docs/{name}")
async def part(name: str) -> Response:
    """A file of the page."""
    if name not in _NAMES:
        raise Problem("no-route", "There is no such file.", "See /docs.", "path.name")
    return FileResponse(_FILES / name)
