"""What the names of files and columns say.

Enters: names. Leaves: what they look like, and names of types made of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from kgrec.ingest.batches import COMPRESSION
from kgrec.roles import is_type_name

_ID = r"([_ .-]?(id|key|code|no|nr|number|ref|uuid|uri|iri))?"
USER = re.compile(
    "(user|customer|visitor|member|account|uid|reviewer|viewer|listener|reader|client|buyer|shopper|subscriber"
    f"|session|kunden?|benutzer)s?{_ID}",
    re.IGNORECASE,
)
ITEM = re.compile(
    "(item|product|movie|film|video|show|series|book|article|paper|artist|album|track|song|podcast|episode|game|app"
    f"|recipe|news|post|page|course|job|offer|listing|business|restaurant|hotel|place|venue|asin|sku|isbn|iid)s?{_ID}",
    re.IGNORECASE,
)
VALUE = re.compile(
    r"(.*[_ ])?(rating|score|stars?|value|count|weight|quantity|qty|plays?|listens|overall|preference)", re.I
)
TIME = re.compile(
    r"(.*[_ ])?(time(stamp)?|date(time)?|ts|at|day)|created|.*(Time(stamp)?|Date|At)|(unix|event)time", re.I
)
NAMED_ID = re.compile(r"(.*[_ .-])?(id|key|code|sku|asin|isbn|uri|iri)|.*I[dD]", re.IGNORECASE)
#: what dumps of databases, frames and spreadsheets have for nothing; the first are hardly anything else
SURE_NULLS = ("\\N", "NULL", "null", "NaN", "nan", "N/A", "n/a", "#N/A")
NULLS = (*SURE_NULLS, "NA", "na", "None", "none", "-", "--", "?")
#: what columns are called that the file gives no name
UNNAMED = "column_"
LABELS = ("title", "name", "label", "headline")
#: numbers that are no keys, be they among them
NUMERIC = re.compile(
    r"year|count|num|price|rating|score|age|length|runtime|duration|votes|rank", re.IGNORECASE
)
_NO_PLURAL = ("movies", "series", "cookies", "zombies")
#: suffixes that say how a file is written, not what it holds
_FORM = [
    "csv",
    "tsv",
    "tab",
    "jsonl",
    "ndjson",
    "json",
    "parquet",
    "pq",
    "dat",
    "data",
    "txt",
    "text",
    "out",
    "log",
    "dump",
    "list",
]


def first_like(names: Iterable[str], pattern: re.Pattern[str]) -> str | None:
    """The first of some names that matches a pattern."""
    return next((name for name in names if pattern.fullmatch(name)), None)


def singular(name: str) -> str:
    """A name in lower case, made a valid name of a type, in the singular."""
    stem = re.sub(r"\W+", "_", name).strip("_").lower() or "item"
    if stem.endswith("ies") and stem not in _NO_PLURAL:
        return stem[:-3] + "y"
    return (
        stem[:-1] if stem.endswith("s") and not stem.endswith(("ss", "us", "is", "series", "news")) else stem
    )


def type_of_key(name: str) -> str:
    """What a column refers to by its name: `artistID` to artists."""
    return singular(re.sub(r"[_ .-]?(ids?|keys?)$", "", name, flags=re.IGNORECASE))


def type_of_file(path: Path) -> str:
    """What a file's nodes are: its name, or the suffix of one such as u.item."""
    stem, *suffixes = path.name.split(".")
    rest = [s for s in suffixes if f".{s.lower()}" not in COMPRESSION and s.lower() not in _FORM]
    return singular(rest[0] if len(stem) < 2 and rest else stem)


def type_of_values(name: str, taken: Collection[str]) -> str:
    """What the values of a column or predicate are: `actor_1_name` has actors.

    Args:
        name: Of the column.
        taken: Types with keys of their own, which values are not.
    """
    bare = name if name.startswith(UNNAMED) else re.sub(r"[_ .-]?\d+(?=[_ .-]|$)", "", name)
    bare = re.sub(r"(?<=\w)([_ .-]names?|Names?)$", "", bare)
    for made in (singular(bare), singular(name), f"{singular(name)}_value"):
        if made not in taken and is_type_name(made):
            return made
    return f"{singular(name)}_value"


def unique(name: str, taken: Collection[str]) -> str:
    """`name`, with a number if it is taken."""
    number, made = 2, name
    while made in taken:
        made, number = f"{name}_{number}", number + 1
    return made
