"""RDF files as streams of triples.

Enters: Turtle, N-Triples, N-Quads, TriG, RDF/XML or JSON-LD, plain or compressed. Leaves: usable triples as columns, with
stable labels of blank nodes. Malformed lines are counted in line-based formats; in other formats they are an error.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyoxigraph as ox

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import unreadable
from kgrec.ingest.blank_nodes import blank_numbers, digests
from kgrec.ingest.build_report import Tally
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.jsonld_contexts import KnownContexts
from kgrec.ingest.mapping.schema import RdfSource
from kgrec.ingest.rdf_faults import check_end, explained, no_line, refuse_another
from kgrec.ingest.rdf_terms import BLANK, TRIPLE, Triples, cut
from kgrec.ingest.sources import Source

_RDF_FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "nquads": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdfxml": ox.RdfFormat.RDF_XML,
    "jsonld": ox.RdfFormat.JSON_LD,
}
_SUFFIXES = {
    ".ttl": "turtle",
    ".nt": "ntriples",
    ".nq": "nquads",
    ".trig": "trig",
    ".rdf": "rdfxml",
    ".owl": "rdfxml",
    ".xml": "rdfxml",
    ".jsonld": "jsonld",
}
_BY_LINE = ("ntriples", "nquads")
_WITH_GRAPHS = ("nquads", "trig", "jsonld")
#: bytes of triples per batch; they are parsed in smaller pieces that fit in the cache
_BYTES = 16 << 20
#: bytes per piece for line-based formats, and triples per piece for other formats
_BLOCK, _PIECE = 1 << 20, 2_000
_LONGEST_LINE, _NEWLINE, _HEAD = 64 << 20, 10, 1 << 14
#: prefix of the labels that blank nodes of several files may share; no label in a file begins like this
EQUAL = "="
MALFORMED = "is malformed"
HAS_BLANK_NODE = "has a blank node, which the mapping drops"
HAS_QUOTED_TRIPLE = "is about a triple"


def read_triples(source: Source, mapped: RdfSource, base: str, tally: Tally) -> Iterator[Triples]:
    """Batches of usable triples, with blank nodes last; unusable triples are counted."""
    kind = mapped.format or _format(source)
    waiting: list[Triples] = []
    for text in _parsed(source, kind, base, tally):
        triples = cut(text)
        tally.report.rows += len(triples)
        quoted = triples.object_kinds == TRIPLE
        _drop(triples, quoted, HAS_QUOTED_TRIPLE, source, tally)
        blank = _has_blank(triples) & ~quoted
        if mapped.blank_nodes == "drop":
            _drop(triples, blank, HAS_BLANK_NODE, source, tally)
        elif kind in _BY_LINE and mapped.blank_nodes == "skolemize":
            blank[:] = False
        elif blank.any():
            waiting.append(triples.take(np.flatnonzero(blank)))
        kept = ~(quoted | blank)
        yield triples if kept.all() else triples.take(np.flatnonzero(kept))
    malformed = tally.report.dropped.get(MALFORMED)
    if malformed is not None and malformed.count == tally.report.rows:
        raise no_line(source, kind)
    if kind == "jsonld" and not tally.report.rows:
        raise SourceError(
            f"{source.name} has no triples: without a context, the keys of JSON mean nothing.",
            'Write `"@context": {"@vocab": "http://example.org/"}` into its first object, or read it as a table.',
        )
    # outside N-Triples and N-Quads the parser chooses random labels; the new ones depend only on the content
    if waiting:
        yield _relabelled(
            concatenated(waiting), keep=kind in _BY_LINE, merge=mapped.blank_nodes == "merge_equal"
        )


def _has_blank(triples: Triples) -> np.ndarray:
    return np.asarray((triples.subject_kinds == BLANK) | (triples.object_kinds == BLANK))


def _drop(triples: Triples, rows: np.ndarray, reason: str, source: Source, tally: Tally) -> None:
    at = np.flatnonzero(rows)
    names = triples.predicates.take(pa.array(at[:10])).to_pylist()
    tally.drop(reason, len(at), [f"{source.name}: {name}" for name in names])


def concatenated(parts: list[Triples]) -> Triples:
    """The concatenation of at least one batch."""
    languages = sorted({tag for part in parts for tag in part.languages})
    code = {tag: i for i, tag in enumerate(languages)}
    langs = [np.array([code[tag] for tag in part.languages], dtype=np.int32)[part.langs] for part in parts]
    return Triples(
        pa.concat_arrays([part.subjects for part in parts]),
        np.concatenate([part.subject_kinds for part in parts]),
        pa.concat_arrays([part.predicates for part in parts]),
        pa.concat_arrays([part.objects for part in parts]),
        np.concatenate([part.object_kinds for part in parts]),
        np.concatenate(langs),
        languages,
    )


def _relabelled(triples: Triples, *, keep: bool, merge: bool) -> Triples:
    """The triples, with labels of blank nodes that depend only on the content.

    Args:
        triples: All triples of a file with blank nodes.
        keep: Whether labels already come from the file.
        merge: Whether blank nodes with the same statements get the same label.
    """
    names = {} if keep else {label: f"b{number}" for label, number in blank_numbers(triples).items()}
    if merge:
        names |= {label: EQUAL + digest for label, digest in digests(triples).items()}
    return replace(
        triples,
        subjects=_renamed(triples.subjects, triples.subject_kinds == BLANK, names),
        objects=_renamed(triples.objects, triples.object_kinds == BLANK, names),
    )


def _renamed(terms: pa.Array, blank: np.ndarray, named: dict[str, str]) -> pa.Array:
    codes, labels = cells.encode(terms.filter(pa.array(blank)))
    names = pa.array([named.get(label, label) for label in labels], pa.large_string()).take(pa.array(codes))
    return pc.replace_with_mask(terms, pa.array(blank), names)


def rdf_by_suffix(source: Source) -> str | None:
    """The RDF format by suffix; None if the suffix is not an RDF suffix."""
    return _SUFFIXES.get(source.suffix)


def _format(source: Source) -> str:
    kind = rdf_by_suffix(source)
    if kind is None:
        raise SourceError(
            f"{source.name}: the suffix does not show the RDF format.",
            f"Give `format:` beside `file:` in the mapping: {', '.join(_RDF_FORMATS)}.",
        )
    return kind


def _parsed(source: Source, kind: str, base: str, tally: Tally) -> Iterator[bytes]:
    """The triples as canonical N-Triples, a few hundred thousand per piece."""
    if source.path.stat().st_size == 0:
        raise SourceError(f"{source.name} is empty.", "Write triples, or take the file out of the mapping.")
    faults = _Faults(source, kind, tally)
    try:
        with _opened(source) as stream:
            guarded = _guarded(stream, source, kind)
            pieces = (
                _by_line(guarded, kind, faults)
                if kind in _BY_LINE
                else _by_count(guarded, kind, base, faults)
            )
            yield from _texts(pieces, faults)
        if kind == "rdfxml":
            check_end(source)
    except OSError as error:
        raise unreadable(source, error) from None
    except ValueError as error:
        raise SourceError(
            f"{source.name} cannot be read: {error}", "Check that the file is complete."
        ) from None


def _guarded(stream: Any, source: Source, kind: str) -> Any:
    """A stream that is safe to parse."""
    if kind == "rdfxml":
        stream = _NoEntities(stream, source.name)
    stream = _Shallow(_WithoutMark(stream, source, kind), source.name, kind)
    return KnownContexts(stream, source.name) if kind == "jsonld" else stream


def _opened(source: Source) -> Any:
    try:
        return open_bytes(source.path)
    except OSError as error:
        raise unreadable(source, error) from None


def _by_line(stream: Any, kind: str, faults: _Faults) -> Iterator[Iterator[Any]]:
    """Triples of about a megabyte of lines per piece; from a stream the parser reads only two kilobytes at a time."""
    partial: list[bytes] = []
    while data := stream.read(_BLOCK):
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*partial, data[:end]])
            yield _parse(block, kind, None)
            faults.lines += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE))
            partial = [data[end:]]
        elif len(partial) * _BLOCK >= _LONGEST_LINE:
            longest = f"{_LONGEST_LINE >> 20} MB"
            raise SourceError(
                f"{faults.name} has a line of more than {longest}.", "Check that the file is N-Triples."
            )
        else:
            partial.append(data)
    yield _parse(b"".join(partial), kind, None)


def _by_count(stream: Any, kind: str, base: str, faults: _Faults) -> Iterator[Iterator[Any]]:
    """Pieces of `_PIECE` triples."""
    triples = _parse(stream, kind, base)
    try:
        for first in triples:
            yield chain([first], islice(triples, _PIECE - 1))
    except SyntaxError as error:
        faults.add(error)


def _parse(source: Any, kind: str, base: str | None) -> Iterator[Any]:
    found: Iterator[Any] = ox.parse(source, format=_RDF_FORMATS[kind], base_iri=base)
    return map(attrgetter("triple"), found) if kind in _WITH_GRAPHS else found


def _texts(pieces: Iterator[Iterator[Any]], faults: _Faults) -> Iterator[bytes]:
    """The triples as N-Triples, a few megabytes per piece."""
    text = io.BytesIO()
    for piece in pieces:
        _write(piece, text, faults)
        if text.tell() > _BYTES:
            yield text.getvalue()
            text = io.BytesIO()
    yield text.getvalue()


def _write(triples: Iterator[Any], text: io.BytesIO, faults: _Faults) -> None:
    """Serialize all triples. After an error the serializer has written the triples before it, and can continue."""
    while True:
        try:
            ox.serialize(triples, text, format=ox.RdfFormat.N_TRIPLES)
            return
        except SyntaxError as error:
            faults.add(error)


class _Faults:
    """Counts each malformed line once, however many errors it has; raises if the parser cannot continue."""

    def __init__(self, source: Source, kind: str, tally: Tally) -> None:
        self.source, self.kind, self.tally, self.last, self.repeated = source, kind, tally, 0, 0
        #: number of lines before those that the parser counts
        self.lines = 0

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.source.name

    def add(self, error: SyntaxError) -> None:
        """Count the line of an error.

        Raises:
            SourceError: The parser cannot continue in this format, or makes no progress.
        """
        line = self.lines + (error.lineno or 0)
        self.repeated = self.repeated + 1 if line == self.last else 0
        if self.kind not in _BY_LINE or self.repeated > 1000:
            raise explained(error, self.source, self.kind, line) from None
        # the parser reports an incomplete last line again at the end of the file
        again = line == self.last or (line == self.last + 1 and "Unexpected end" in str(error.msg))
        self.last = line
        if not again:
            self.tally.report.rows += 1
            self.tally.drop(MALFORMED, 1, (f"{self.name}:{line}",))


class _WithoutMark:
    """A byte stream without the UTF-8 byte order mark at its beginning; rejects files in another format."""

    def __init__(self, stream: Any, source: Source, kind: str) -> None:
        self.stream = stream
        self.head: bytes = stream.read(_HEAD)
        if kind in _BY_LINE or self.head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            refuse_another(source, kind, self.head)
        self.head = self.head.removeprefix(codecs.BOM_UTF8)

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, at most `size`."""
        if not self.head:
            return bytes(self.stream.read(size))
        piece, self.head = self.head[:size], self.head[size:]
        return piece


#: marks that open, close or reset a level, and marks that open one: elements of RDF/XML; quoted triples elsewhere
_NESTING = {
    "rdfxml": (re.compile(rb"<(?=[^\s/!?>])|</|/>"), re.compile(b"<")),
    "other": (re.compile(rb'<<|>>|"'), re.compile(b"<<")),
}
_DEEPEST = 1000


class _Shallow:
    """A byte stream that rejects deeply nested RDF, on which parsers take very long or overflow the stack."""

    def __init__(self, stream: Any, name: str, kind: str) -> None:
        self.stream, self.name, self.depth, self.tail = stream, name, 0, b""
        self.marks, self.opening = _NESTING.get(kind, _NESTING["other"])
        # the JSON-LD parser has its own bound
        self.checked = kind != "jsonld"

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes.

        Raises:
            SourceError: The RDF is nested too deeply.
        """
        data = bytes(self.stream.read(size if size > 0 else 1 << 16))
        if self.checked and (self.depth or self.opening.search(self.tail + data)):
            self._follow(self.tail + data)
        # a mark of two bytes may be split between two reads
        self.tail = data[-1:] if data[-1:] in (b"<", b">", b"/") else b""
        return data

    def _follow(self, data: bytes) -> None:
        for mark in self.marks.finditer(data):
            if self.opening.fullmatch(mark[0]):
                self.depth += 1
            elif mark[0] == b'"':
                self.depth = 0
            else:
                self.depth = max(0, self.depth - 1)
            if self.depth > _DEEPEST:
                raise SourceError(
                    f"{self.name} is nested more than {_DEEPEST:,} levels deep.",
                    "Flatten it, or convert the file to N-Triples.",
                )


_DECLARES = b"<!ENTITY"
_MAX_DECLARATION_BYTES = 600
_ENTITY = re.compile(rb"""<!ENTITY\s+[^\s%]+\s+("[^"&%<]{0,256}"|'[^'&%<]{0,256}')\s*>""")


class _NoEntities:
    """A byte stream of RDF/XML that allows only short plain entities, because nested entities can expand without bound."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream, self.name, self.tail = stream, name, b""

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes.

        Raises:
            SourceError: An entity declaration is not short and plain.
        """
        data = bytes(self.stream.read(size if size > 0 else 1 << 16))
        seen = self.tail + data
        # the beginning of a declaration may be at the end of the previous read
        self.tail = seen[1 - len(_DECLARES) :]
        start = seen.find(_DECLARES)
        while start >= 0:
            end = seen.find(b">", start)
            if end < 0 and len(seen) - start < _MAX_DECLARATION_BYTES:
                self.tail = seen[start:]
                break
            self._check(seen[start : end + 1])
            start = seen.find(_DECLARES, start + 1)
        return data

    def _check(self, text: bytes) -> None:
        if not _ENTITY.fullmatch(text):
            raise SourceError(
                f"{self.name} declares an XML entity that is not a plain short text.",
                "Expand such entities, or convert the file to Turtle.",
            )
