"""RDF files as streams of triples.

Enters: Turtle, N-Triples, N-Quads, TriG, RDF/XML or JSON-LD, plain or compressed. Leaves: the triples that can be used,
blank nodes with stable labels; what is malformed is counted, or an error where the format cannot go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyoxigraph as ox

from kgrec.errors import SourceError
from kgrec.ingest.batches import open_bytes
from kgrec.ingest.report import Tally
from kgrec.ingest.sources import Source
from kgrec.mapping import RdfSource

_FORMATS = {
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
MALFORMED = "is malformed"
BLANK = "has a blank node, which the mapping drops"
QUOTED = "is about a triple"


def read_triples(source: Source, mapped: RdfSource, base: str, tally: Tally) -> Iterator[Any]:
    """Triples that can be used, those with blank nodes last; the others are counted."""
    kind = mapped.format or _format(source)
    blank = ox.Dataset()
    for quad in _parsed(source, kind, base, tally):
        tally.report.rows += 1
        if type(quad.subject) is ox.Triple or type(quad.object) is ox.Triple:
            tally.drop(QUOTED, 1, (f"{source.name}: {quad.predicate.value}",))
        elif type(quad.subject) is ox.NamedNode and type(quad.object) is not ox.BlankNode:
            yield quad
        elif mapped.blank_nodes == "drop":
            tally.drop(BLANK, 1, (f"{source.name}: {quad.predicate.value}",))
        elif kind in _BY_LINE:
            yield quad
        else:
            blank.add(quad)
    # labels in these formats are chosen by the parser; canonical ones depend on the content alone
    if len(blank):
        blank.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        yield from blank


def _format(source: Source) -> str:
    suffixes = [suffix.lower() for suffix in source.path.suffixes if suffix.lower() not in (".gz", ".zst")]
    if suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    raise SourceError(
        f"{source.name}: the suffix does not say what RDF format it is.",
        f"Give `format:` beside `file:` in the mapping: {', '.join(_FORMATS)}.",
    )


def _parsed(source: Source, kind: str, base: str, tally: Tally) -> Iterator[Any]:
    if source.path.stat().st_size == 0:
        raise SourceError(f"{source.name} is empty.", "Write triples, or take the file out of the mapping.")
    with open_bytes(source.path) as stream:
        guarded: Any = _NoEntities(stream, source.name) if kind == "rdfxml" else stream
        base_iri = None if kind in _BY_LINE else base
        triples = ox.parse(guarded, format=_FORMATS[kind], base_iri=base_iri)
        yield from (
            _tolerant(triples, source.name, tally) if kind in _BY_LINE else _strict(triples, source.name)
        )


def _strict(triples: Any, name: str) -> Iterator[Any]:
    try:
        yield from triples
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise SourceError(
            f"{name}{line}: {_reason(error)}.", "Mend the file; N-Triples would go on."
        ) from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be read: {error}", "Check that the file is whole.") from None


def _tolerant(triples: Any, name: str, tally: Tally) -> Iterator[Any]:
    """The triples of a format with one a line; a malformed line is counted once, however many errors it has."""
    last = 0
    repeated = 0
    while True:
        try:
            yield next(triples)
        except StopIteration:
            return
        except SyntaxError as error:
            repeated = repeated + 1 if error.lineno == last else 0
            if repeated > 1000:
                raise SourceError(f"{name}:{last}: {_reason(error)}.", "Is this N-Triples?") from None
            if error.lineno != last:
                last = error.lineno or 0
                tally.report.rows += 1
                tally.drop(MALFORMED, 1, (f"{name}:{last}",))
        except OSError as error:
            raise SourceError(f"{name} cannot be read: {error}", "Check that the file is whole.") from None


def _reason(error: SyntaxError) -> str:
    return re.sub(r"^Parser error at line \d+ (between columns \d+ and \d+|column \d+): ", "", str(error.msg))


_DECLARES = b"<!ENTITY"
_LONGEST = 600
_ENTITY = re.compile(rb"""<!ENTITY\s+[^\s%]+\s+("[^"&%<]{0,256}"|'[^'&%<]{0,256}')\s*>""")


class _NoEntities:
    """A stream of RDF/XML that may declare short names for namespaces, no more: nested entities fill any memory."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream, self.name, self.tail = stream, name, b""

    def read(self, size: int = -1) -> bytes:
        """Read on, refusing declarations that are not plain."""
        data = bytes(self.stream.read(size if size > 0 else 1 << 16))
        seen = self.tail + data
        # what may be the beginning of a declaration waits for the next piece
        self.tail = seen[1 - len(_DECLARES) :]
        start = seen.find(_DECLARES)
        while start >= 0:
            end = seen.find(b">", start)
            if end < 0 and len(seen) - start < _LONGEST:
                self.tail = seen[start:]
                break
            self._check(seen[start : end + 1])
            start = seen.find(_DECLARES, start + 1)
        return data

    def _check(self, text: bytes) -> None:
        if not _ENTITY.fullmatch(text):
            raise SourceError(
                f"{self.name} declares an XML entity that is not a plain short text.",
                "Write such entities out, or convert the file to Turtle.",
            )
