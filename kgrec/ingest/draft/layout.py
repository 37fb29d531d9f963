"""What separates the columns of a text file, and whether quotes enclose its cells.

Enters: the first lines of a file. Leaves: a `Layout`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from kgrec.errors import SourceError
from kgrec.ingest.sources import Source

#: in the order in which they are preferred: where numbers have decimal commas, `;` and `,` split alike
_DELIMITERS = ("\t", ";", "|", ",")
_ROWS = 1000
#: share of the lines that must have as many columns as most have
_EVEN = 0.9


@dataclass(frozen=True)
class Layout:
    """The first lines, split."""

    delimiter: str
    #: whether quotes enclose cells
    quoted: bool
    #: without blank lines
    rows: list[list[str]]

    @property
    def width(self) -> int:
        """The number of columns that most lines have."""
        return Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0

    @property
    def is_even(self) -> bool:
        """Whether it splits nearly all lines, and the first, into the same number of columns."""
        same = sum(len(row) == self.width for row in self.rows)
        return self.width > 1 and len(self.rows[0]) == self.width and same >= _EVEN * len(self.rows)


def best_layout(source: Source, text: str, kind: str | None) -> Layout:
    """The delimiter that splits the lines evenly, and into the most columns; else the one that the format has.

    Raises:
        SourceError: Columns are separated by `::`, which cannot be a delimiter; or nothing separates them, and the
            suffix names no format.
    """
    layouts = [_split(text, delimiter) for delimiter in _DELIMITERS]
    even = [layout for layout in layouts if layout.is_even]
    best = max(even, key=lambda layout: layout.width, default=None)
    _refuse_colons(source, text, best)
    if best is None and kind is None:
        best = _by_spaces(source, text)
    return best or _split(text, "\t" if kind == "tsv" else ",")


def _by_spaces(source: Source, text: str) -> Layout | None:
    """The lines split at single spaces, as in lists of edges; None if each line is one word."""
    layout = _split(text, " ")
    if layout.is_even:
        return layout
    if re.search(r"\S[^\S\r\n]+\S|[;|,]", text):
        raise SourceError(
            f"{source.name}: nothing splits its lines evenly into columns.",
            "Write it as CSV; a dataset in a published format is read by kgrec import FOLDER.",
        )
    return None


def _split(text: str, delimiter: str) -> Layout:
    quoted = _quotes_enclose(text, delimiter)
    rows: list[list[str]] = []
    lines = io.StringIO(text, newline="")
    reader = (
        csv.reader(lines, delimiter=delimiter)
        if quoted
        else csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    )
    try:
        rows.extend(row for row in islice(reader, _ROWS) if any(row))
    except csv.Error:
        return Layout(delimiter, quoted, [])
    return Layout(delimiter, quoted, rows)


def _quotes_enclose(text: str, delimiter: str) -> bool:
    """Whether the quotes that begin cells mostly end them, too."""
    if '"' not in text:
        return True
    after = f"(?:{re.escape(delimiter)}|\\r?$|\\Z)"
    begins = f'(?:^|(?<={re.escape(delimiter)}))"'
    cells = re.finditer(f'{begins}([^"]*(?:""[^"]*)*"(?={after}))?', text, re.MULTILINE)
    enclosed = Counter(cell[1] is not None for cell in cells)
    return enclosed[True] >= enclosed[False]


def _refuse_colons(source: Source, text: str, best: Layout | None) -> None:
    lines = [line for line in text.splitlines()[:_ROWS] if line]
    layout = Layout("::", quoted=False, rows=[line.split("::") for line in lines])
    if layout.is_even and (best is None or layout.width > best.width):
        raise SourceError(
            f"{source.name}:1: columns are separated by '::', and a delimiter is one character.",
            "A dataset of MovieLens and the like is read by kgrec import FOLDER; else put tabs in place of '::'.",
        )
