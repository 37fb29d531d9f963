"""Events of users."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from kgrec.serve.http.bodies import FeedbackAnswer, FeedbackBody
from kgrec.serve.http.routes.common import answer, scoped, service_of

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/feedback", summary="Events of users", **scoped("feedback", FeedbackAnswer))
async def feedback(body: FeedbackBody, request: Request) -> Response:
    """Store events, at most 10,000 at a time. They are durable when the answer arrives, and take effect in the next request.

    An event with a known `event_id` is a duplicate, so the caller can safely repeat a request that may have failed. The type must be one of the
    mapping's events; if the mapping lists none, any type is valid: "dislike", "hide", "skip" and "seen" mark the item as seen without being
    learned from, and other types are positive unless the mapping's condition on `value` decides otherwise. Events of unknown items are rejected.
    """
    return answer(await service_of(request).add_events(body.events))
