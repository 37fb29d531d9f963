"""What users did."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from kgrec.serve.http.bodies import FeedbackAnswer, FeedbackBody
from kgrec.serve.http.routes.common import answer, scoped, service_of

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/feedback", summary="Events of users", **scoped("feedback", FeedbackAnswer))
async def feedback(body: FeedbackBody, request: Request) -> Response:
    """Keep events, at most 10,000 at a time. They are durable when the answer comes, and count in the next request.

    An event whose `event_id` is known is a duplicate, so a request that may have failed can be sent again. The type is one of the
    mapping's events; without these, any: "dislike", "hide", "skip" and "seen" are seen and not learned from, others are positive
    unless the mapping's condition on `value` says otherwise. Events of unknown items are rejected.
    """
    return answer(await service_of(request).add_events(body.events))
