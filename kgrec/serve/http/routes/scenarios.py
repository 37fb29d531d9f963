"""Scenarios and experiments: named options, variants, figures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kgrec.serve.http.bodies import Name
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, scoped, service_of, until_of
from kgrec.serve.http.routes.recommend import checked_request
from kgrec.serve.http.scenarios import ScenarioBody, figures

router = APIRouter(prefix="/v1", tags=["scenarios"])


@router.get("/scenarios", summary="All scenarios", **scoped("admin"))
async def every(request: Request) -> Response:
    """The scenarios by name."""
    return answer({"scenarios": dict(service_of(request).scenarios.known)})


@router.get("/scenarios/{name}", summary="A scenario", **scoped("admin", ScenarioBody))
async def get(request: Request, name: Name) -> Response:
    """The options and variants of a scenario."""
    found = service_of(request).scenarios.known.get(name)
    if found is None:
        raise Problem("unknown-id", f"There is no scenario '{name}'.", "Make it with PUT.", "path.name")
    return answer(found)


@router.put("/scenarios/{name}", summary="Make or replace a scenario", **scoped("admin"))
async def put(body: ScenarioBody, request: Request, name: Name) -> Response:
    """Lists that name the scenario use its options from the next request on.

    Options of the request override those of the user's variant, which override those of the scenario.
    """
    service = service_of(request)
    plain = body.plain()
    checked_request(plain["options"])
    for variant, given in zip(plain["variants"].values(), body.variants.values(), strict=True):
        checked_request({**plain["options"], **variant["options"]}, given.explore)
    revision = await service.change(lambda: service.live.store.put_scenario(name, plain))
    await service.read_scenarios()
    return answer({"name": name, "revision": revision})


@router.get("/experiments/{name}", summary="Figures of a scenario", **scoped("read"))
async def experiment(request: Request, name: Name) -> Response:
    """Numbers of shown lists and of lists with a click, by variant, with 95 % intervals (Wilson); and differences (Newcombe)."""
    service = service_of(request)
    if name not in service.scenarios.known:
        raise Problem(
            "unknown-id",
            f"There is no scenario '{name}'.",
            "Make it with PUT /v1/scenarios/NAME.",
            "path.name",
        )
    await service.flush()
    store = service.live.store

    def compute() -> dict[str, Any]:
        return figures(store.impressions(scenario=name), store.events_since(0))

    return answer({"scenario": name, **await service.compute(compute, until_of(request))})
