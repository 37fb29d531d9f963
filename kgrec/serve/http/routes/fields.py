"""Names and values for conditions on items, for callers who write a condition."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from kgrec.graph.where_names import OPERATORS, condition_names, condition_values
from kgrec.serve.http.bodies import Text
from kgrec.serve.http.routes.common import answer, scoped, service_of, until_of

router = APIRouter(prefix="/v1", tags=["lists"])


@router.get("/fields", summary="Names for conditions", **scoped("read"))
async def fields(request: Request) -> Response:
    """Relations, numbers, dates and texts of items that `where` can use, and how each is compared."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        names = condition_names(service.state.model.graph())
        return {
            "fields": [
                {"name": one.name, "kind": one.kind, "operators": list(OPERATORS[one.kind])} for one in names
            ]
        }

    return answer(await service.compute(compute, until_of(request)))


@router.get("/fields/{name:path}/values", summary="Values of a relation", **scoped("read"))
async def values(
    request: Request,
    name: Text,
    text: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Labels of neighbours that contain a text, by decreasing number of items; empty for numbers, dates and texts."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        return {"values": condition_values(service.state.model.graph(), name, text, limit)}

    return answer(await service.compute(compute, until_of(request)))
