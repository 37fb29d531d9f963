"""Whether the first line of a file names its columns.

Enters: the first lines, split. Leaves: why the first line has values rather than names, or "".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from kgrec.ingest.draft.names import NULLS

#: what a cell holds -> how it is told
_KINDS = {
    "a number": re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?"),
    "a date": re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\D.*)?|\d{1,2}[- ]\w{3,9}[- ,]+\d{4}(\D.*)?"),
    "an address": re.compile(r"https?://\S+"),
}
_NOTHING = ("", *NULLS)
_NAMES = re.compile(
    r"(\w*[_ .-])?(id|key|code|name|title|label|type|date|time|timestamp|rating|user|item|genres?|tags?|text|url|link"
    r"|year|price|category|description|author|artist|country|language)|\w+(Id|ID|Name|Title|Type|Date)",
    re.IGNORECASE,
)
_LONG = 50


def reason_for_data(rows: Sequence[Sequence[str]]) -> str:
    """Why the first row has values; "" if it is more like names.

    Each column has one vote. Names win a tie, since files mostly have them.
    """
    if not rows:
        return ""
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    counted = _counted(first)
    votes = [
        _vote(cell.strip(), [row[i].strip() for row in below])
        for i, cell in enumerate(first)
        if i not in counted
    ]
    values = [why for is_value, why in votes if is_value]
    names = sum(is_value is False for is_value, _ in votes)
    return values[0] if len(values) > names else ""


def _counted(first: Sequence[str]) -> list[int]:
    """The places of names that are numbers one after the other, as columns of a matrix are called; they have no vote."""
    places = [i for i, cell in enumerate(first) if re.fullmatch(r"\d{1,4}", cell.strip())]
    numbers = [int(first[i]) for i in places]
    # user 1 took item 2 with 3 stars: three numbers alone are values
    are_many = len(places) > 4 or 2 < len(places) < len(first)
    return places if are_many and all(b - a == 1 for a, b in pairwise(numbers)) else []


def _vote(cell: str, below: list[str]) -> tuple[bool | None, str]:
    """Whether a cell of the first line is a value, None if that cannot be told, and why."""
    below = [other for other in below if other not in _NOTHING]
    if cell in _NOTHING:
        return None, ""
    kind, kinds = _kind(cell), [_kind(other) for other in below]
    if not below:
        return (True, f"'{_cut(cell)}' is {kind}") if kind else (None, "")
    usual = max(set(kinds), key=kinds.count)
    if usual and kinds.count(usual) >= 0.9 * len(kinds):
        return kind == usual, f"'{_cut(cell)}' is {usual}, as are those below it"
    return _vote_of_words(cell, below)


def _vote_of_words(cell: str, below: list[str]) -> tuple[bool | None, str]:
    if cell in below:
        return True, f"'{_cut(cell)}' stands in the lines below it, too"
    shapes = set(map(_shape, below))
    if len(shapes) == 1 and "0" in next(iter(shapes)):
        return _shape(cell) in shapes, f"'{_cut(cell)}' is made as those below it are"
    is_name = _NAMES.fullmatch(cell) or (len(cell) < _LONG and sum(map(len, below)) > _LONG * len(below))
    return (False if is_name else None), ""


def _kind(cell: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(cell)), "")


def _shape(cell: str) -> str:
    """Runs of letters as "a", of digits as "0"; what else there is stays."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", cell))


def _cut(cell: str) -> str:
    return cell if len(cell) <= 40 else f"{cell[:37]}..."
