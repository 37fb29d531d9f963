"""Interactive lists: a session collects what a user says, and each turn returns a list and the interpretation of the turn.

Enters: texts, names of liked and disliked items, conditions. Leaves: a list, and the input that it is based on. Nothing is written.

Nodes named in a text are preferred or avoided; items after "like" count as liked. If the model reads texts, the whole text is also compared
with the texts of items. With likes or a user, the best items for the text are ranked by the history; otherwise the text ranks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kgrec.errors import ConfigError, EncoderNotFound
from kgrec.recommend.item_names import named_items
from kgrec.recommend.request import Request
from kgrec.serve.http.lists import Listed, ListOf, Whom, because, item_values, kind_of, lists
from kgrec.serve.live import LiveState
from kgrec.serve.mentions import Mention, Mentions

#: added to the score of items linked to a node that the user wants; unwanted items are left out
BOOST = 0.1
#: number of items retrieved by text, which the history then ranks
_BY_TEXT = 300
#: largest number of turns in a session, and of items and conditions in it
MAX_TURNS, MAX_NAMED, MAX_CONDITIONS = 200, 200, 20


@dataclass(frozen=True)
class Turn:
    """One message of a user."""

    text: str | None = None
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    where: str | None = None
    forget: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """The interpretation of a session so far."""

    user: str | None = None
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    #: conditions that all apply together
    conditions: tuple[str, ...] = ()
    #: conditions on items that are preferred
    wishes: tuple[str, ...] = ()
    text: str | None = None
    turns: int = 0

    def forgotten(self, names: Iterable[str]) -> Conversation:
        """The conversation without some of its fields, or without an item, a condition or a wish."""
        new = self
        for name in names:
            if name in _EMPTY:
                new = replace(new, **{name: _EMPTY[name]})
                continue
            kept: dict[str, Any] = {
                part: tuple(one for one in getattr(new, part) if one != name)
                for part in ("likes", "dislikes", "conditions", "wishes")
            }
            new = replace(new, **kept)
        return new

    def understood(self, state: LiveState) -> dict[str, Any]:
        """Everything that the next list is based on."""
        return {
            "likes": _labelled(state, self.likes),
            "dislikes": _labelled(state, self.dislikes),
            "conditions": list(self.conditions),
            "wishes": list(self.wishes),
            "text": self.text,
        }


_EMPTY: dict[str, Any] = {"likes": (), "dislikes": (), "conditions": (), "wishes": (), "text": None}


@dataclass(frozen=True)
class Heard:
    """A conversation after a turn, and remarks on the interpretation of the turn."""

    conversation: Conversation
    remarks: list[str] = field(default_factory=list)


def hear(state: LiveState, mentions: Mentions, before: Conversation, turn: Turn) -> Heard:
    """Apply a turn to a conversation.

    Raises:
        UnknownId: A liked or disliked item is unknown.
        ConfigError: There are too many turns, items or conditions.
    """
    likes, dislikes = named_items(state.model, turn.likes), named_items(state.model, turn.dislikes)
    now, remarks = before.forgotten(turn.forget), [*likes.remarks, *dislikes.remarks]
    liked, disliked, wishes, avoided = list(likes.ids), list(dislikes.ids), list[str](), list[str]()
    for one in mentions.found(turn.text) if turn.text else ():
        item = _item_of(state, mentions, one)
        if item is not None:
            (liked if one.wanted else disliked).append(item)
        elif (condition := _condition(state, mentions, one)) is not None:
            (wishes if one.wanted else avoided).append(condition if one.wanted else f"not {condition}")
            remarks.append(f"'{one.said}' is {condition}.")
    conditions = [*now.conditions, *avoided, *([turn.where] if turn.where else [])]
    heard = replace(
        now,
        likes=_joined(now.likes, liked, disliked),
        dislikes=_joined(now.dislikes, disliked, liked),
        conditions=tuple(dict.fromkeys(conditions)),
        wishes=tuple(one for one in dict.fromkeys([*now.wishes, *wishes]) if f"not {one}" not in conditions),
        text=turn.text or now.text,
        turns=now.turns + 1,
    )
    _check(heard)
    return Heard(heard, remarks)


def reply(
    state: LiveState, said: Conversation, options: ListOf, explain: int = 0
) -> tuple[Listed, list[str]]:
    """The list of a conversation, and remarks."""
    whom = Whom(said.user, said.likes, said.dislikes)
    where = " and ".join(
        f"({one})" for one in [*said.conditions, *([options.request.where] if options.request.where else [])]
    )
    wishes = {**dict.fromkeys(said.wishes, BOOST), **(options.request.where_boost or {})}
    request = replace(options.request, where=where or None, where_boost=wishes or None)
    by_text, remarks = _by_text(state, said, replace(request, exclude_seen=True))
    if by_text is not None and not said.likes and said.user is None:
        items, new = item_values(state, by_text[0][: request.k], by_text[1][: request.k], options.fields)
        return Listed(state, items, None, new), remarks
    if by_text is not None and by_text[0]:
        request = replace(request, candidates=by_text[0])
    listed = lists(state, ListOf(kind_of(whom), request, options.fields), [whom])[0]
    if explain:
        why = because(state, whom, request, [item["item"] for item in listed.items[:explain]])
        first = [{**item, "because": reasons} for item, reasons in zip(listed.items, why, strict=False)]
        listed = replace(listed, items=[*first, *listed.items[explain:]])
    return listed, remarks


def _by_text(
    state: LiveState, said: Conversation, request: Request
) -> tuple[tuple[list[str], list[float]] | None, list[str]]:
    """Ids and scores of the items nearest to the text; None without a text, or if the model does not read texts."""
    if said.text is None:
        return None, []
    deny = [*(request.deny or ()), *said.dislikes, *said.likes]
    asked = replace(request, k=max(_BY_TEXT, request.k), deny=deny or None, new_item_boost=0.0)
    try:
        table = state.recommender.recommend_for_text([said.text], request=asked, arrow=True)
    except (ConfigError, EncoderNotFound) as error:
        if request.where is not None and "where" in error.problem:
            raise
        return None, [f"Only the names in the text are used: {error.problem}"]
    return (table["item_id"].to_pylist(), table["score"].to_pylist()), []


def _item_of(state: LiveState, mentions: Mentions, mention: Mention) -> str | None:
    if mention.entity not in mentions.graph.row_of_item:
        return None
    name = mentions.graph.item_ids[mentions.graph.row_of_item[mention.entity]]
    return name if int(state.model.items.rows([name])[0]) >= 0 else None


def _condition(state: LiveState, mentions: Mentions, mention: Mention) -> str | None:
    """The condition for items linked to a node; None if no item is linked to it."""
    row = mentions.graph.entities.slice(mention.entity, 1).to_pylist()[0]
    condition = f"{_quoted(row['type'])} = {_quoted(row['label'])}"
    try:
        return condition if state.model.matching(condition, True).any() else None
    except ConfigError:
        return None


def _quoted(text: str) -> str:
    return (
        text
        if text.isidentifier() and text.lower() not in ("and", "or", "not", "in", "has")
        else '"' + text.replace('"', '""') + '"'
    )


def _joined(before: Sequence[str], now: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """Distinct items, without those that the new turn names as the opposite."""
    return tuple(one for one in dict.fromkeys([*before, *now]) if one not in other)


def _labelled(state: LiveState, items: Sequence[str]) -> list[dict[str, str]]:
    rows = state.model.items.rows(list(items)).tolist()
    return [
        {"item": item, "label": state.model.items.label(row)} for item, row in zip(items, rows, strict=True)
    ]


def _check(said: Conversation) -> None:
    bounds = {
        "turns": (said.turns, MAX_TURNS),
        "liked items": (len(said.likes), MAX_NAMED),
        "disliked items": (len(said.dislikes), MAX_NAMED),
        "conditions": (len(said.conditions) + len(said.wishes), MAX_CONDITIONS),
    }
    for what, (count, most) in bounds.items():
        if count > most:
            raise ConfigError(
                f"The session has {count} {what}.", f"At most {most} are allowed; begin another session."
            )
