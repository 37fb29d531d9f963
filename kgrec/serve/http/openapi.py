"""The description of the API (OpenAPI 3.1).

Enters: an app. Leaves: the description, which is built once.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_PROBLEM = "application/problem+json"


def openapi(app: FastAPI) -> dict[str, Any]:
    """Paths, bodies, answers and keys; errors are described as `application/problem+json`."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        )
        schema.setdefault("components", {})["securitySchemes"] = _KEYS
        for path in schema["paths"].values():
            for operation in path.values():
                _name_problems(operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _name_problems(operation: dict[str, Any]) -> None:
    """Set the media type of errors, which differs from that of answers; FastAPI cannot know this."""
    for status, response in operation.get("responses", {}).items():
        content = response.get("content", {})
        if status.startswith(("4", "5")) and "application/json" in content:
            content[_PROBLEM] = content.pop("application/json")
