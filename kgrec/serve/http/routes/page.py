"""The page at `/`, and its files under /static/; no key is needed, because the page asks for one."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parents[2] / "page"
_FILES = StaticFiles(directory=_FOLDER)
#: those of the operating system may differ, and browsers take scripts and styles of no other type
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@router.get("/")
async def page() -> Response:
    """The page."""
    return FileResponse(_FOLDER / "index.html", media_type="text/html")


@router.get("/static/{name:path}")
async def part(name: str, request: Request) -> Response:
    """A script, a style or an image."""
    response = await _FILES.get_response(name, request.scope)
    if (kind := _TYPES.get(Path(name).suffix)) is not None:
        response.headers["content-type"] = f"{kind}; charset=utf-8"
    # revalidated on each request, and sent again only if it changed
    response.headers["cache-control"] = "no-cache"
    return response
