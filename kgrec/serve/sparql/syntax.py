"""Check that a SPARQL text is a query that does not access other servers.

Enters: a text. Leaves: its form, or a ConfigError. The engine's parser reads the text again after this check.
"""

from __future__ import annotations

import re
from typing import Literal

from kgrec.errors import ConfigError

Form = Literal["SELECT", "ASK", "CONSTRUCT"]
_FORMS: dict[str, Form] = {"SELECT": "SELECT", "ASK": "ASK", "CONSTRUCT": "CONSTRUCT"}
#: texts, IRIs and comments, whose words have no meaning
_QUOTED = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n\r]|\\.)*"'
    r"|'(?:[^'\\\n\r]|\\.)*'"
    r"|<[^<>\"{}|^`\\\x00-\x20]*>"
    r"|#[^\n\r]*"
)
_PROLOGUE = re.compile(r"\s*(?:BASE\b|PREFIX\s+[^\s:]*:)", re.IGNORECASE)
_WORD = re.compile(r"\s*([A-Za-z]+)")
_SERVICE = re.compile(r"(?<![\w?$:.-])SERVICE(?![\w:-])", re.IGNORECASE)


def form_of(query: str) -> Form:
    """SELECT, ASK or CONSTRUCT.

    Raises:
        ConfigError: The text has another form, or queries another server.
    """
    bare = _QUOTED.sub(" ", query)
    if _SERVICE.search(bare):
        raise ConfigError("SERVICE queries another server.", "Leave it out; queries can only use the graph.")
    at = 0
    while found := _PROLOGUE.match(bare, at):
        at = found.end()
    word = _WORD.match(bare, at)
    form = _FORMS.get(word[1].upper()) if word else None
    if form is None:
        named = f"begins with {word[1]}" if word else "has no query"
        raise ConfigError(f"The text {named}.", "Write SELECT, ASK or CONSTRUCT.")
    return form
