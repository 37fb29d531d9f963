"""Values as kgrec.yaml has them.

Enters: text, names, roles. Leaves: YAML, with quotes where it would be misread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: a word, or two with a colon between, as prefixed names are
_PLAIN = re.compile(r"[A-Za-z_][\w.\-/]*(:[A-Za-z_][\w.\-/]*)?")
#: what YAML takes for no text, though JSON does
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NO_TEXT = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")

Role = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Guess:
    """The role of a column or a predicate."""

    #: as kgrec.yaml has it, `as` first
    role: Role
    reason: str

    def __str__(self) -> str:
        return as_role(self.role)


def quoted(text: str) -> str:
    """Plain where YAML cannot misread it."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def listed(names: Iterable[str]) -> str:
    """A list in one line."""
    return f"[{', '.join(map(quoted, names))}]"


def as_role(role: Role) -> str:
    """A role in its short form where it has no other keys."""
    if len(role) == 1:
        return str(role["as"])
    parts = [
        f"{key}: {quoted(value) if isinstance(value, str) else listed(value)}" for key, value in role.items()
    ]
    return f"{{{', '.join(parts)}}}"
