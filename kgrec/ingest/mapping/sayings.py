"""Templates of reasons: how kgrec.yaml phrases why an item is recommended, in any language.

Enters: `say:` of kgrec.yaml. Leaves: a frozen `Sayings` with checked templates; and phrases for relations without a template.

A template is data: each `{name}` is replaced by text once, and nothing in it is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from kgrec.ingest.mapping.roles import MappingPart

#: characters of a template
_MAX_LENGTH = 300
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
#: endings after which the name of a relation can be followed by names: "directed by Ada", "starring Bo"
_LEADS_ON = re.compile(r".*\b(by|in|at|on|of|for|from|with|to|about|\w+ing)")


def _template(*names: str, needed: bool = True) -> AfterValidator:
    """A check that a template has only these placeholders; with `needed`, it must have all of them."""
    shown = " and ".join(f"{{{name}}}" for name in names) or "no placeholder"

    def check(text: str) -> str:
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"a template has at most {_MAX_LENGTH} characters")
        rest = _PLACEHOLDER.sub("", text)
        if "{" in rest or "}" in rest:
            raise ValueError(f"braces may only enclose the name of a placeholder; here that is {shown}")
        used = _PLACEHOLDER.findall(text)
        for name in used:
            if name not in names:
                raise ValueError(f"there is no placeholder {{{name}}}; here it is {shown}")
        if needed and set(names) - set(used):
            raise ValueError(f"the template needs {shown}")
        return text

    return AfterValidator(check)


Phrase = Annotated[str, _template("nodes", needed=False)]
Fixed = Annotated[str, _template()]
Items = Annotated[str, _template("items")]
Pair = Annotated[str, _template("first", "second")]


class Sayings(MappingPart):
    """Templates of the sentences that say why an item is recommended."""

    shared: dict[str, Phrase] = Field(default_factory=dict)
    """Relation, or column of numbers -> what the item has in common with liked items, such as "also starring {nodes}"."""
    often: dict[str, Phrase] = Field(default_factory=dict)
    """Relation, or column of numbers -> what the item has in common with much of the history, such as "you often choose {nodes}"."""
    liked: Items = "Because you liked {items}"
    """Beginning, if single items of the history matter."""
    history: Fixed = "Because of what you like"
    """Beginning, if no single item matters."""
    typical: Fixed = "Many users like such items"
    """Beginning for a user without a history."""
    otherwise: Fixed = "Something else to try"
    """Beginning, if nothing in the history supports the item, for example a boosted item."""
    users: Fixed = "users with the same taste like it"
    """Reason: item co-occurrence, and what the encoder learned from the item's own users."""
    text: Fixed = "its description is similar"
    """Reason: texts and vectors."""
    link: Phrase = "linked to {nodes}"
    """Reason: an edge between the item and a liked item, for a relation without a template."""
    words: Phrase = "words such as {nodes}"
    """Reason: shared words in names, of the item or of its neighbours."""
    item: Annotated[str, _template("item")] = "{item}"
    """The name of a liked item, such as "“{item}”" with quotes."""
    pair: Pair = "{first} and {second}"
    """Two names."""
    reasons: Pair = "{first}, and {second}"
    """Two reasons."""
    sentence: Annotated[str, _template("why", "reasons")] = "{why}: {reasons}."
    """A beginning and its reasons."""
    alone: Annotated[str, _template("why")] = "{why}."
    """A beginning without reasons."""


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its placeholders replaced once; braces in the values do not change."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def shared_phrase(relation: str, *, is_number: bool = False, name: str | None = None) -> str:
    """A template for what items share through a relation: "also directed by {nodes}", "the same genre ({nodes})", "a similar year".

    Args:
        relation: As named in the graph; "^directed" from tail to head; "starring / born in" over several edges.
        is_number: Whether it is a column of numbers or dates.
        name: What the relation names, in the singular; None or "": the relation's own name.
    """
    words = relation_words(name or relation)
    if is_number:
        return f"a similar {words}"
    if relation.startswith("^"):
        return f"also {words} of {{nodes}}"
    return f"also {words} {{nodes}}" if _LEADS_ON.fullmatch(words) else f"the same {words} ({{nodes}})"


def often_phrase(relation: str, *, is_number: bool = False) -> str:
    """A template for what an item shares with much of a history through a relation."""
    return (
        f"your choices often have a similar {relation_words(relation)}"
        if is_number
        else "you often choose {nodes}"
    )


def relation_words(relation: str) -> str:
    """The name of a relation as words, without its namespace: "directed by" for dbo:directedBy and directed_by."""
    last = re.split(r"[:/#]", relation.rstrip("/#"))[-1]
    return " ".join(_WORD.findall(_CAMEL.sub(" ", last))).lower() or relation
