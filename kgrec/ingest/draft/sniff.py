"""How a table's file is to be read, from its first lines.

Enters: a file. Leaves: `Sniffed`: the keys that stand beside `file:` in kgrec.yaml where the defaults do not hold, and why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kgrec.errors import SourceError
from kgrec.ingest.draft.encoding import decoded, encoding_of
from kgrec.ingest.draft.header import reason_for_data
from kgrec.ingest.draft.layout import Layout, best_layout
from kgrec.ingest.draft.names import UNNAMED
from kgrec.ingest.sources import Source
from kgrec.ingest.tables import format_by_suffix

_MARKS = {b"PK\x03\x04": "a workbook or another archive", b"SQLite": "a database", b"%PDF": "a PDF"}


@dataclass(frozen=True)
class Sniffed:
    """How a file is to be read."""

    #: keys of `TableFormat` of which the default does not hold
    options: dict[str, Any]
    #: (key, value as kgrec.yaml has it, why) for each
    reasons: list[tuple[str, str, str]]


class _Findings:
    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.reasons: list[tuple[str, str, str]] = []

    def add(self, key: str, value: str, why: str) -> None:
        self.options[key] = value
        self.reasons.append((key, value if value.isalnum() else json.dumps(value), why))


def sniff(source: Source, head: bytes) -> Sniffed:
    """Decide how to read a file.

    Args:
        source: The file.
        head: Its first bytes, decompressed.

    Raises:
        SourceError: It is no text, or nothing splits its lines into columns that a mapping could name.
    """
    found = _Findings()
    kind = format_by_suffix(source)
    if kind == "parquet" or (kind is None and head.startswith(b"PAR1")):
        if kind is None:
            found.add("format", "parquet", "its first bytes say so")
        return Sniffed(found.options, found.reasons)
    _check_text(source, head)
    encoding, why = encoding_of(source, head)
    text = decoded(source, head, encoding)
    layout = None
    if kind == "jsonl" or (kind is None and text.lstrip()[:1] in ("{", "[")):
        _check_objects(source, text)
        if kind is None:
            found.add("format", "jsonl", "each line is a JSON object")
    else:
        layout = best_layout(source, text, kind)
        _add_layout(found, layout, kind)
    if why:
        found.add("encoding", encoding, why)
    if layout is not None and (reason := reason_for_data(layout.rows)):
        found.options["header"] = [f"{UNNAMED}{i}" for i in range(1, len(layout.rows[0]) + 1)]
        found.reasons.append(("header", f"{_columns(layout)} named here", f"line 1 has values: {reason}"))
    return Sniffed(found.options, found.reasons)


def _check_text(source: Source, head: bytes) -> None:
    what = next((what for mark, what in _MARKS.items() if head.startswith(mark)), None)
    if what is None and b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "no text"
    if what is not None:
        raise SourceError(f"{source.name} is {what}.", "Save it as CSV, TSV, JSON Lines or Parquet.")


def _check_objects(source: Source, text: str) -> None:
    lines = [line for line in islice(text.splitlines(), 100) if line.strip()]
    if sum(map(_is_object, lines)) * 2 < len(lines):
        raise SourceError(
            f"{source.name} has no JSON object a line.",
            f"Write one object a line; of an array, jq -c '.[]' {source.path.name} makes that.",
        )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _add_layout(found: _Findings, layout: Layout, kind: str | None) -> None:
    usual = {"csv": ",", "tsv": "\t"}.get(kind or "", ",")
    columns = _columns(layout)
    if kind is None:
        form = "tsv" if layout.delimiter == "\t" else "csv"
        usual = "\t" if form == "tsv" else ","
        found.add("format", form, f"the suffix does not say it, and the lines have {columns}")
    if layout.delimiter != usual:
        found.add("delimiter", layout.delimiter, f"it splits the lines into {columns}")
    if not layout.quoted:
        found.add("quote", "", "quotes begin cells that they do not end")


def _columns(layout: Layout) -> str:
    return f"{layout.width:,} columns" if layout.width > 1 else "one column"
