"""Why an item has its score and rank, and which rules keep it out of a list."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from kgrec.serve.http.bodies import ExplainBody, Reason
from kgrec.serve.http.lists import Whom
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, known_item, scoped, service_of, until_of
from kgrec.serve.http.routes.recommend import checked_request
from kgrec.serve.http.why_not import explained

router = APIRouter(prefix="/v1", tags=["explanations"])


class Parts(BaseModel):
    """Parts of a score, each with name, contribution, and optional members."""

    history: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    paths: list[dict[str, Any]]


class Exclusion(BaseModel):
    """A rule that keeps an item out of a list."""

    by: str
    detail: str


class NamedItem(BaseModel):
    """An item."""

    item_id: str
    label: str


class Counterfactual(BaseModel):
    """History items whose removal drops the item from the list; empty if no tried set is sufficient."""

    k: int
    rank: int
    removed: list[NamedItem]
    is_smallest: bool = Field(description="Whether every smaller set was tried.")
    instead: NamedItem | None
    lists: int = Field(description="Number of lists ranked to verify this.")
    text: str


class ExplainAnswer(BaseModel):
    """The explanation of a score."""

    model: str
    revision: int
    item: str
    label: str
    score: float
    rank: int | None
    parts: Parts
    excluded_by: list[Exclusion]
    exact: bool = Field(
        description="Whether parts of the history are exact shares; otherwise each is the change of the score without the item."
    )
    because: Reason | None = None
    text: str
    edges: dict[str, list[dict[str, Any]]] | None = None
    counterfactual: Counterfactual | None = None


@router.post("/explain", summary="Why, and why not", **scoped("read", ExplainAnswer))
async def explain(body: ExplainBody, request: Request) -> Response:
    """The exact parts of the score of an item, its rank, and the rules that keep it out of the list with these options.

    Parts by history and parts by source each sum to the score. `excluded_by` is empty for an item in the list; otherwise it contains the
    rules (removed, candidates, deny, where, seen, disliked, min_score), or "score" if the item only ranks lower than k.
    """
    service, until = service_of(request), until_of(request)
    if body.user is None and body.history is None and body.likes is None:
        raise Problem("not-valid", "No user or history is given.", "Give user, or history, or both.", "body")
    await service.at_revision(body.min_revision, until)
    whom = Whom(body.user, (*(body.history or ()), *(body.likes or ())), tuple(body.dislikes or ()))
    asked = checked_request(body.options())

    def compute() -> dict[str, Any]:
        state = service.state
        known_item(state, body.item, "body.item")
        return {
            "model": state.name,
            "revision": state.revision,
            **explained(state, whom, body.item, asked, body.edges, body.counterfactual),
        }

    return answer(await service.compute(compute, until))
