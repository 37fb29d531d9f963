"""Triples as columns.

Enters: canonical N-Triples as pyoxigraph writes them: one triple per line, one space between terms, line breaks and
quotes escaped. Leaves: `Triples`. Lines are cut at known bytes, column by column, so that no triple becomes a Python
object. pyoxigraph parses literals with escapes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyoxigraph as ox

from kgrec.ingest import cells

IRI, BLANK, LITERAL, TRIPLE = 0, 1, 2, 3
_NEWLINE, _EXCLAMATION, _QUOTE, _BACKSLASH, _AT, _LESS = (ord(character) for character in '\n!"\\@<')


@dataclass(frozen=True)
class Triples:
    """A batch of triples; every column has the shape (len(self),)."""

    #: IRIs, and labels of blank nodes
    subjects: pa.Array
    #: IRI or BLANK, uint8
    subject_kinds: np.ndarray
    predicates: pa.Array
    #: IRIs, labels of blank nodes, values of literals
    objects: pa.Array
    #: IRI, BLANK, LITERAL or TRIPLE, uint8
    object_kinds: np.ndarray
    #: language tag of each object, an index into `languages`; int32
    langs: np.ndarray
    #: tags in lower case; the first is "" for no language
    languages: Sequence[str]

    def __len__(self) -> int:
        return len(self.subjects)

    def take(self, rows: np.ndarray) -> Triples:
        """A subset of the triples."""
        at = pa.array(rows)
        return Triples(
            self.subjects.take(at),
            self.subject_kinds[rows],
            self.predicates.take(at),
            self.objects.take(at),
            self.object_kinds[rows],
            self.langs[rows],
            self.languages,
        )


def cut(data: bytes) -> Triples:
    """Cut lines of canonical N-Triples into columns."""
    text = np.frombuffer(data, dtype=np.uint8)
    # ends of lines, spaces, quotes, and other control characters, which occur only in literals
    low = np.flatnonzero(text <= _QUOTE)
    low = low[text[low] != _EXCLAMATION]
    last = np.flatnonzero(text[low] == _NEWLINE)
    first = np.concatenate([np.zeros(min(1, len(last)), dtype=np.int64), last[:-1] + 1])
    subject_end, predicate_end, ends = low[first], low[first + 1], low[last]
    starts = np.concatenate([np.zeros(min(1, len(last)), dtype=np.int64), ends[:-1] + 1])
    begin, end = predicate_end + 1, ends - 2
    object_kinds = _kinds(text, begin)
    closing = end.copy()
    literal = np.flatnonzero(object_kinds == LITERAL)
    # the closing quote of a literal is followed by one more space, before the final dot
    closing[literal] = low[last[literal] - 2]
    subject_kinds = _kinds(text, starts)
    langs, languages = _languages(data, text, closing, end, literal)
    objects = _pieces(data, begin + 1 + (object_kinds == BLANK), closing - (object_kinds == IRI))
    return Triples(
        _pieces(data, starts + 1 + (subject_kinds == BLANK), subject_end - (subject_kinds == IRI)),
        subject_kinds,
        _pieces(data, subject_end + 2, predicate_end - 1),
        _unescaped(data, text, starts, ends, objects, literal),
        object_kinds,
        langs,
        languages,
    )


def _kinds(text: np.ndarray, at: np.ndarray) -> np.ndarray:
    kinds = np.full(len(at), BLANK, dtype=np.uint8)
    kinds[text[at] == _QUOTE] = LITERAL
    is_iri = text[at] == _LESS
    kinds[is_iri] = np.where(text[at[is_iri] + 1] == _LESS, TRIPLE, IRI)
    return kinds


def _pieces(data: bytes, begins: np.ndarray, ends: np.ndarray) -> pa.Array:
    """The text from each begin to its end."""
    offsets = np.empty(2 * len(begins) + 1, dtype=np.int64)
    offsets[:-1:2], offsets[1::2], offsets[-1:] = begins, ends, ends[-1:] if len(ends) else 0
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    # every second piece is the text between two wanted pieces
    pieces = pa.LargeStringArray.from_buffers(2 * len(begins), buffers[1], buffers[2])
    return pieces.take(pa.array(np.arange(0, 2 * len(begins), 2)))


def _languages(
    data: bytes, text: np.ndarray, closing: np.ndarray, end: np.ndarray, literal: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    langs = np.zeros(len(closing), dtype=np.int32)
    tagged = literal[text[closing[literal] + 1] == _AT]
    codes, tags = cells.encode(_pieces(data, closing[tagged] + 2, end[tagged]))
    langs[tagged] = codes + 1
    # a tag may have a base direction, as in ar--rtl
    return langs, ["", *(tag.partition("--")[0] for tag in tags)]


def _unescaped(
    data: bytes,
    text: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    objects: pa.Array,
    literal: np.ndarray,
) -> pa.Array:
    if b"\\" not in data or not len(literal):
        return objects
    rows = cells.distinct(np.searchsorted(ends, np.flatnonzero(text == _BACKSLASH)))
    rows = rows[np.isin(rows, literal)]
    lines = b"".join(data[starts[row] : ends[row] + 1] for row in rows)
    values = [triple.object.value for triple in ox.parse(lines, format=ox.RdfFormat.N_TRIPLES)]
    escaped = np.zeros(len(objects), dtype=bool)
    escaped[rows] = True
    return pc.replace_with_mask(objects, pa.array(escaped), pa.array(values, pa.large_string()))
