"""Sessions: the user refines a list turn by turn."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from kgrec.serve.http.bodies import MAX_EXPLAINED, Body, Id, Length, ListedItem, Name, Text
from kgrec.serve.http.conversation import Conversation, Heard, Turn, hear, reply
from kgrec.serve.http.lists import Listed, ListOf, Whom
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, of_owner, scoped, service_of, until_of
from kgrec.serve.http.routes.recommend import checked_request
from kgrec.serve.http.service import Service

router = APIRouter(prefix="/v1", tags=["sessions"])

_Names = Annotated[list[Id], Field(max_length=100)]


class SessionBody(Body):
    """The start of a session."""

    user: Id | None = Field(None, description="A user whose history counts from the beginning.")
    where: Text | None = Field(None, description="A condition for all lists.")


class TurnBody(Body):
    """One message of the user."""

    text: Text | None = Field(
        None,
        description="Free text; nodes named in it are preferred, or avoided after 'not' and 'without'.",
    )
    likes: _Names = Field(default_factory=list, description="Items by id or label.")
    dislikes: _Names = Field(default_factory=list, description="Items by id or label.")
    where: Text | None = Field(None, description="A condition for this and later lists.")
    forget: _Names = Field(
        default_factory=list,
        description="Input to drop: likes, dislikes, conditions, wishes, text, or one of the items, conditions and wishes in `understood`.",
    )
    k: Length = 10
    fields: list[Name] = Field(default_factory=list, max_length=16)
    explain: int = Field(0, ge=0, le=MAX_EXPLAINED)


class Named(BaseModel):
    """An item by id and label."""

    item: str
    label: str


class Understood(BaseModel):
    """The input that a list is based on."""

    likes: list[Named]
    dislikes: list[Named]
    conditions: list[str]
    wishes: list[str] = Field(description="Conditions on items that are preferred.")
    text: str | None


class SessionAnswer(BaseModel):
    """A session."""

    session: str
    understood: Understood
    turns: int


class TurnAnswer(SessionAnswer):
    """The list of a turn."""

    rid: str
    model: str
    revision: int
    remarks: list[str]
    items: list[ListedItem]


@router.post("/sessions", summary="Begin a session", **scoped("read", SessionAnswer))
async def begin(request: Request, body: SessionBody | None = None) -> Response:
    """A session is kept for an hour after its last turn."""
    service = service_of(request)
    given = body or SessionBody()
    if given.where is not None:
        checked_request({"where": given.where})
    name, said = (
        service.peers.new_name(),
        Conversation(given.user, conditions=(given.where,) if given.where else ()),
    )
    service.sessions.put(name, said)
    return answer(_values(service, name, said))


@router.get("/sessions/{session}", summary="The state of a session", **scoped("read", SessionAnswer))
async def get(request: Request, session: Id) -> Response:
    """Likes, dislikes, conditions, wishes and text."""
    if (passed_on := await of_owner(request, session)) is not None:
        return passed_on
    service = service_of(request)
    return answer(_values(service, session, _said(service, session)))


@router.post("/sessions/{session}/turns", summary="A turn of a session", **scoped("read", TurnAnswer))
async def turn(body: TurnBody, request: Request, session: Id) -> Response:
    """State a wish in words, by liked and disliked items, or by conditions; the answer contains a list and its interpretation.

    Items are given by id or label. A failed turn changes nothing.
    """
    if (passed_on := await of_owner(request, session)) is not None:
        return passed_on
    service = service_of(request)
    before = _said(service, session)
    heard_turn = Turn(body.text, tuple(body.likes), tuple(body.dislikes), body.where, tuple(body.forget))
    asked = checked_request({"k": body.k, **({"where": body.where} if body.where else {})})
    options = ListOf("history", checked_request({"k": asked.k}), tuple(body.fields))

    def compute() -> tuple[Heard, Listed, list[str]]:
        state = service.state
        heard = hear(state, service.mentions(), before, heard_turn)
        return heard, *reply(state, heard.conversation, options, body.explain)

    heard, listed, remarks = await service.compute(compute, until_of(request))
    said, rid = heard.conversation, service.peers.new_name()
    service.sessions.put(session, said)
    whom = Whom(said.user, said.likes, said.dislikes)
    service.shown(rid, whom, listed, None, None)
    shown: dict[str, Any] = {
        "rid": rid,
        "model": listed.state.name,
        "revision": listed.state.revision,
        "remarks": [*heard.remarks, *remarks],
        "items": listed.items,
    }
    return answer({**_values(service, session, said), **shown})


def _said(service: Service, session: str) -> Conversation:
    said = service.sessions.get(session)
    if said is None:
        raise Problem(
            "unknown-id",
            "There is no such session, or it has ended.",
            "Begin one with POST /v1/sessions.",
            "path.session",
        )
    return said


def _values(service: Service, session: str, said: Conversation) -> dict[str, Any]:
    return {"session": session, "understood": said.understood(service.state), "turns": said.turns}
