"""Read-only graph queries in SPARQL."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from kgrec.serve.http.bodies import Body
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, scoped, service_of, until_of
from kgrec.serve.sparql.process import Answer, TooSlowError

router = APIRouter(prefix="/v1", tags=["graph"])


class SparqlBody(Body):
    """A query."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] = Field(
        description="SELECT, ASK or CONSTRUCT; the prefixes of the mapping are predefined.",
        examples=["SELECT ?item ?label WHERE { ?item rdfs:label ?label } LIMIT 5"],
    )


@router.post("/sparql", summary="A query in SPARQL", **scoped("read"))
async def sparql(body: SparqlBody, request: Request) -> Response:
    """SELECT and ASK answer with SPARQL 1.1 Query Results JSON, CONSTRUCT with N-Triples.

    A query may take 2 seconds and return 10,000 rows; `X-Truncated: true` means that there are more. Updates, SERVICE and DESCRIBE are rejected.
    Changed items appear in the graph within a minute; `X-Revision` is the last change that the graph includes.
    """
    service = service_of(request)
    state = service.state

    def compute() -> Answer:
        return service.sparql.query(state.model.graph(), state.revision, body.query)

    try:
        found = await service.query(compute, until_of(request))
    except TooSlowError as error:
        raise Problem("too-late", error.problem, error.remedy, "body.query") from None
    headers = {"X-Revision": str(found.revision), "X-Truncated": str(found.truncated).lower()}
    if found.results is None:
        return Response(
            (found.statements or "").encode(), headers=headers, media_type="application/n-triples"
        )
    response = answer(found.results, headers=headers)
    response.headers["content-type"] = "application/sparql-results+json"
    return response
