"""Format, encoding, delimiter, quotes and header of a table's file, from its first lines.

Enters: a file. Leaves: `Sniffed`: keys beside `file:` in kgrec.yaml with values other than the defaults, with reasons.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.batches import unreadable
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.csv_quotes import Escapes
from kgrec.ingest.draft.encodings import encoding_of
from kgrec.ingest.draft.looks import LONG, NULLS
from kgrec.ingest.draft.names import UNNAMED
from kgrec.ingest.objects import object_of
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import format_by_suffix
from kgrec.ingest.text_stream import GARBLED, TextStream

#: number of bytes in the head, and number of bytes searched for one that is not UTF-8
_HEAD, _SEARCHED = 1 << 20, 64 << 20
_BINARY = {b"PK\x03\x04": "a workbook or another archive", b"SQLite": "a database", b"%PDF": "a PDF"}
#: byte order marks; that of UTF-16 is a prefix of one of UTF-32
_WIDE = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
#: share of NUL bytes that text may have by mistake; smallest byte that begins a multi-byte character in UTF-8
_FEW_NULS, _LEAD = 0.01, 0xC0
#: in order of preference: with decimal commas, `;` and `,` may split equally well
_DELIMITERS = ("\t", ";", "|", ",")
#: number of lines to split, and smallest share of them with the most frequent number of columns
_ROWS, _EVEN = 1000, 0.9
#: kind of a cell -> its pattern
_KINDS = {
    "a number": re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?"),
    "a date": re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\D.*)?|\d{1,2}[- ]\w{3,9}[- ,]+\d{4}(\D.*)?"),
    "an address": re.compile(r"https?://\S+"),
}
_NAMES = re.compile(
    r"(\w*[_ .-])?(id|key|code|name|title|label|type|date|time|timestamp|rating|user|item|genres?|tags?|text|url|link"
    r"|year|price|category|description|author|artist|country|language)|\w+(Id|ID|Name|Title|Type|Date)",
    re.IGNORECASE,
)


@dataclass
class Sniffed:
    """Options to read a file with."""

    #: keys of `TableFormat` with values other than the defaults
    options: dict[str, Any] = field(default_factory=dict)
    #: (key, value in kgrec.yaml, reason) for each option
    reasons: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, key: str, value: str, why: str) -> None:
        """Record an option and its reason."""
        self.options[key] = value
        self.reasons.append((key, value if value.isalnum() else json.dumps(value), why))


@dataclass(frozen=True)
class _Layout:
    """The first lines, split into cells."""

    delimiter: str
    #: whether cells are enclosed in quotes
    quoted: bool
    #: without blank lines
    rows: list[list[str]]
    #: character that escapes quotes; "" if there is none
    escape: str = ""
    #: the quote
    mark: str = '"'

    @property
    def width(self) -> int:
        """The most frequent number of columns."""
        return Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0

    @property
    def is_even(self) -> bool:
        """Whether nearly all lines, including the first, have the same number of columns."""
        same = sum(len(row) == self.width for row in self.rows)
        return self.width > 1 and len(self.rows[0]) == self.width and same >= _EVEN * len(self.rows)

    def __str__(self) -> str:
        return f"{self.width:,} columns" if self.width > 1 else "one column"


def head_of(source: Source) -> bytes:
    """The first bytes of a file, decompressed by suffix.

    Raises:
        SourceError: The file is empty, or cannot be read.
    """
    try:
        with open_bytes(source.path) as stream:
            head: bytes = stream.read(_HEAD)
    except (OSError, ValueError) as error:
        raise unreadable(source, error) from None
    if not head.strip():
        raise SourceError(f"{source.name} is empty.", "Leave it out, or name the file that has the data.")
    return head


def sniff(source: Source, head: bytes) -> Sniffed:
    """Decide how to read a file.

    Args:
        source: The file.
        head: Its first bytes, decompressed.

    Raises:
        SourceError: The file is not text, or no delimiter splits its lines into columns.
    """
    found, kind = Sniffed(), format_by_suffix(source)
    if kind == "parquet" or (kind is None and head.startswith(b"PAR1")):
        if kind is None:
            found.add("format", "parquet", "its first bytes are those of Parquet")
        return found
    encoding, why = _encoding_of(source, head)
    text, layout = _decoded(head, encoding), None
    if kind in ("json", "jsonl") or (kind is None and text.lstrip()[:1] in ("{", "[")):
        _add_json(found, source, text, kind)
    else:
        layout = _best_layout(source, text, kind)
        _add_layout(found, layout, kind)
    if why and encoding == "utf-8":
        found.reasons.append(("encoding", encoding, why))
    elif why:
        found.add("encoding", encoding, why)
    if layout is not None and (reason := _reason_for_data(layout.rows)):
        found.options["header"] = [f"{UNNAMED}{i}" for i in range(1, len(layout.rows[0]) + 1)]
        found.reasons.append(("header", f"{layout} named here", f"line 1 has values: {reason}"))
    return found


def _encoding_of(source: Source, head: bytes) -> tuple[str, str]:
    """The encoding of the file, and the reason; "" for UTF-8 without faults, with or without a byte order mark."""
    wide = _wide(head)
    what = next((what for mark, what in _BINARY.items() if head.startswith(mark)), None)
    what = "a tar archive" if head[257:262] == b"ustar" else what
    if what is not None or (not wide and head.count(0) > _FEW_NULS * len(head)):
        raise SourceError(
            f"{source.name} is {what or 'not text'}.", "Save it as CSV, TSV, JSON, JSON Lines or Parquet."
        )
    if wide:
        return wide
    line, bad, good = _undecoded(source, head)
    if not bad:
        return "utf-8", ""
    if good >= bad:
        return "utf-8", (
            f"{good:,} of its characters are UTF-8, and {bad:,} are not, first in line {line:,}: such rows are bad, "
            "and are counted"
        )
    encoding, why = encoding_of(head[: head.rfind(b"\n") + 1] or head)
    return encoding, f"line {line:,} is not UTF-8" + (f", and {why}" if why else "")


def _wide(head: bytes) -> tuple[str, str] | None:
    """UTF-16 or UTF-32 by the byte order mark, or by the positions of NUL bytes; None if it is neither."""
    for name, marks in _WIDE.items():
        if head.startswith(marks):
            return name, f"it begins with the byte order mark of {name.upper()}"
    start = head[:4096]
    if len(start) < 8:
        return None
    for name, nuls, others in (
        ("utf-16-le", start[1::2], start[::2]),
        ("utf-16-be", start[::2], start[1::2]),
    ):
        if nuls.count(0) > 0.4 * len(nuls) and not others.count(0):
            return name, "every other byte is NUL"
    return None


def _undecoded(source: Source, head: bytes) -> tuple[int, int, int]:
    """The first line with bytes that are not UTF-8, the number of such characters, and the number of other characters beyond ASCII."""
    bad = good = searched = 0
    try:
        with TextStream(source, "utf-8", longest=_SEARCHED) as stream:
            for piece in stream.pieces:
                marks = piece.count(GARBLED.encode())
                bad += marks
                if not piece.isascii():
                    good += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) >= _LEAD)) - marks
                searched += len(piece)
                if searched > _SEARCHED:
                    break
    except OSError as error:
        raise unreadable(source, error) from None
    if not stream.garbled:
        return 0, 0, good
    # text without other characters beyond ASCII, but with NUL bytes, is UTF-8 as well
    return stream.garbled[0], bad, good or (bad if head.isascii() and head.count(0) >= bad else 0)


def _decoded(head: bytes, encoding: str) -> str:
    """The whole lines of the head as text."""
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text[: text.rfind("\n") + 1] or text if len(head) >= _HEAD else text


def _add_json(found: Sniffed, source: Source, text: str, kind: str | None) -> None:
    """The kind of a JSON file: with an object on each line, or one text."""
    lines = [line for line in islice(text.splitlines(), 100) if line.strip()]
    are_objects = [object_of(line) is not None for line in lines]
    if lines and are_objects[0] and (len(lines) > 1 or kind != "json"):
        if sum(are_objects) * 2 < len(lines):
            raise SourceError(
                f"{source.name} does not have one JSON object per line.",
                f"Write one object per line; jq -c '.[]' {source.path.name} converts an array.",
            )
        if kind is None:
            found.add("format", "jsonl", "each line is an object")
    elif kind != "json":
        found.add("format", "json", "it is one JSON text")


# delimiters


def _add_layout(found: Sniffed, layout: _Layout, kind: str | None) -> None:
    form = kind or ("tsv" if layout.delimiter == "\t" else "csv")
    if kind is None:
        found.add("format", form, f"the suffix does not show it, and the lines have {layout}")
    if layout.delimiter != {"csv": ",", "tsv": "\t"}[form]:
        found.add("delimiter", layout.delimiter, f"it splits the lines into {layout}")
    if not layout.quoted:
        found.add("quote", "", "cells begin with quotes that they do not end with")
    elif layout.mark != '"':
        found.add("quote", layout.mark, "it encloses cells")
    if layout.escape:
        found.add("escape", layout.escape, "it precedes quotes inside quoted cells")


def _best_layout(source: Source, text: str, kind: str | None) -> _Layout:
    """The layout whose delimiter splits the lines evenly into the most columns; otherwise the layout of the format."""
    even = [layout for delimiter in _DELIMITERS if (layout := _split(text, delimiter)).is_even]
    best = max(even, key=lambda layout: layout.width, default=None)
    lines = [line for line in text.splitlines()[:_ROWS] if line]
    colons = _Layout("::", quoted=False, rows=[line.split("::") for line in lines])
    if colons.is_even and (best is None or colons.width > best.width):
        raise SourceError(
            f"{source.name}:1: columns are separated by '::', but a delimiter is one character.",
            "kgrec import FOLDER reads datasets such as MovieLens; otherwise replace '::' with tabs.",
        )
    if best is not None or kind is not None:
        return best or _split(text, "\t" if kind == "tsv" else ",")
    # single spaces, as in edge lists
    spaces = _split(text, " ")
    if not spaces.is_even and re.search(r"\S[^\S\r\n]+\S|[;|,]", text):
        raise SourceError(
            f"{source.name}: no delimiter splits its lines evenly into columns.",
            "Write it as CSV; kgrec import FOLDER reads datasets in a published format.",
        )
    return spaces if spaces.is_even else _split(text, ",")


def _split(text: str, delimiter: str) -> _Layout:
    """The lines split at a delimiter; with escapes, if quoted cells then fit at least as well."""
    plain = _split_plain(text, delimiter)
    if not re.search(rf'\\"[^"\r\n{re.escape(delimiter)}]', text):
        return plain
    without = Escapes(delimiter, '"', "\\").without(text.encode("utf-8", "replace")).decode()
    escaped = _split_plain(without, delimiter)
    fits = [sum(len(row) == layout.width for row in layout.rows) for layout in (plain, escaped)]
    if without == text or not escaped.quoted or escaped.width < plain.width or fits[1] < fits[0]:
        return plain
    return replace(escaped, escape="\\")


def _split_plain(text: str, delimiter: str) -> _Layout:
    single = _enclosed(text, delimiter, "'") if '"' not in text else Counter[bool]()
    mark = "'" if single[True] > 1 and not single[False] else '"'
    found = _enclosed(text, delimiter, mark)
    # most cells that begin with a quote also end with one
    quoted = found[True] >= found[False]
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=mark, quoting=quoting)
    try:
        return _Layout(delimiter, quoted, [row for row in islice(reader, _ROWS) if any(row)], mark=mark)
    except csv.Error:
        return _Layout(delimiter, quoted, [])


def _enclosed(text: str, delimiter: str, mark: str) -> Counter[bool]:
    """Number of cells that begin with a quote, by whether they also end with one."""
    if mark not in text:
        return Counter()
    after = f"(?:{re.escape(delimiter)}|\\r?$|\\Z)"
    begins = f"(?:^|(?<={re.escape(delimiter)})){mark}"
    found = re.finditer(
        f"{begins}([^{mark}]*(?:{mark}{mark}[^{mark}]*)*{mark}(?={after}))?", text, re.MULTILINE
    )
    return Counter(cell[1] is not None for cell in found)


# header


def _reason_for_data(rows: Sequence[Sequence[str]]) -> str:
    """The reason to read the first row as values; "" if it looks like names.

    Each column has one vote. Names win ties, because most files have a header.
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
    """The columns with consecutive numbers in the first row, as in a matrix; they have no vote."""
    places = [i for i, cell in enumerate(first) if re.fullmatch(r"\d{1,4}", cell.strip())]
    numbers = [int(first[i]) for i in places]
    # only three numbers are values: user 1, item 2, rating 3
    are_many = len(places) > 4 or 2 < len(places) < len(first)
    return places if are_many and all(b - a == 1 for a, b in pairwise(numbers)) else []


def _vote(cell: str, below: list[str]) -> tuple[bool | None, str]:
    """Whether a cell of the first line is a value (None: unknown), and the reason."""
    below = [other for other in below if other and other not in NULLS]
    if not cell or cell in NULLS:
        return None, ""
    shown = f"'{cell if len(cell) <= 40 else f'{cell[:37]}...'}'"
    kind, kinds = _kind(cell), [_kind(other) for other in below]
    if not below:
        return (True, f"{shown} is {kind}") if kind else (None, "")
    usual = max(set(kinds), key=kinds.count)
    if usual and kinds.count(usual) >= 0.9 * len(kinds):
        return kind == usual, f"{shown} is {usual}, as are those below it"
    if cell in below:
        return True, f"{shown} is repeated in lines below it"
    shapes = set(map(_shape, below))
    if len(shapes) == 1 and "0" in next(iter(shapes)):
        return _shape(cell) in shapes, f"{shown} has the form of those below it"
    is_name = _NAMES.fullmatch(cell) or (len(cell) < LONG and sum(map(len, below)) > LONG * len(below))
    return (False if is_name else None), ""


def _kind(cell: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(cell)), "")


def _shape(cell: str) -> str:
    """The cell with runs of letters as "a", runs of digits as "0", and other characters unchanged."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", cell))
