"""The first triples of an RDF file.

Enters: a file. Leaves: an `RdfSample`: its triples, predicate by predicate, and the classes of its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.report import FileReport, Tally
from kgrec.ingest.sources import Source
from kgrec.ingest.tables import format_by_suffix
from kgrec.ingest.terms import IRI, LITERAL, Triples
from kgrec.ingest.triples import concatenated, rdf_by_suffix, read_triples
from kgrec.mapping import ErrorPolicy, RdfSource
from kgrec.prefixes import PREFIXES

TYPE, SAME_AS = PREFIXES["rdf"] + "type", PREFIXES["owl"] + "sameAs"
_TRIPLES = 200_000
_NTRIPLES = re.compile(rb"^(<[^<>\s]+>|_:\S+)\s+<[^<>\s]+>\s+\S.*\.\s*$", re.MULTILINE)
_TURTLE = re.compile(rb"^\s*(@prefix|@base|PREFIX)\s+\S*\s*<", re.MULTILINE)
_DECLARED = re.compile(r"""(?:@prefix|PREFIX|xmlns:)\s*([A-Za-z][\w-]*)(?::\s*<([^>]+)>|="([^"]+)")""")


@dataclass(frozen=True)
class Part:
    """The triples of one predicate."""

    predicate: str
    subjects: pa.Array
    objects: pa.Array
    kinds: np.ndarray
    #: language of each literal, "" for none
    tags: np.ndarray

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def is_literal(self) -> np.ndarray:
        """Which objects are literals, shape (len(self),), bool."""
        return np.asarray(self.kinds == LITERAL)

    def literals(self, tags: tuple[str, ...] = ()) -> pa.Array:
        """The values of the literals in some languages, in all if none is given; text."""
        chosen = self.is_literal
        if tags:
            chosen = chosen & np.array(
                [any(_is_variant(own, tag) for tag in tags) for own in self.tags], bool
            )
        return pc.cast(self.objects.filter(pa.array(chosen)), pa.string())


def _is_variant(own: str, tag: str) -> bool:
    return own == tag or (tag != "" and own.startswith(f"{tag}-"))


@dataclass
class RdfSample:
    """The first triples of one file."""

    source: Source
    triples: Triples
    #: whether these are all
    is_whole: bool
    #: `format:`, where the suffix does not say it
    format: str = ""
    #: prefix -> namespace, as the file has them
    declared: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def why(self, what: str, role: object, reason: str) -> None:
        """Note a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {what}: {role}, since {reason}")

    @cached_property
    def parts(self) -> dict[str, Part]:
        """The triples of each predicate, those with the most first."""
        triples = self.triples
        codes, predicates = cells.encode(triples.predicates)
        tags = np.array(triples.languages, dtype=object)[triples.langs]
        order = np.argsort(codes, kind="stable")
        pieces = np.split(order, np.cumsum(np.bincount(codes, minlength=len(predicates)))[:-1])
        parts = {
            name: Part(
                name,
                triples.subjects.take(pa.array(rows)),
                triples.objects.take(pa.array(rows)),
                triples.object_kinds[rows],
                tags[rows],
            )
            for name, rows in zip(predicates, pieces, strict=True)
        }
        return dict(sorted(parts.items(), key=lambda item: (-len(item[1]), item[0])))

    @cached_property
    def subjects(self) -> pa.Array:
        """The IRIs that something is said about, each once."""
        return pc.unique(self.triples.subjects.filter(pa.array(self.triples.subject_kinds == IRI)))

    @cached_property
    def iris(self) -> pa.Array:
        """The IRIs of all nodes but classes, each once."""
        linked = (self.triples.object_kinds == IRI) & pc.not_equal(self.triples.predicates, TYPE).to_numpy(
            zero_copy_only=False
        )
        return pc.unique(pa.concat_arrays([self.subjects, self.triples.objects.filter(pa.array(linked))]))

    @cached_property
    def repeated(self) -> pa.Array:
        """The nodes that occur twice or more, as subject or as object, each once."""
        triples = self.triples
        linked = triples.objects.filter(pa.array(triples.object_kinds != LITERAL))
        counts = pc.value_counts(pa.concat_arrays([pc.unique(triples.subjects), linked]))
        return counts.field("values").filter(pc.greater(counts.field("counts"), 1))

    def classes(self) -> Iterator[tuple[str, pa.Array]]:
        """Each class with its nodes."""
        part = self.parts.get(TYPE)
        if part is None:
            return
        codes, names = cells.encode(part.objects)
        for code, name in enumerate(names):
            yield name, part.subjects.filter(pa.array((codes == code) & ~part.is_literal))


def rdf_format(source: Source, head: bytes) -> str | None:
    """The format of RDF that a file is in, by its suffix or its first bytes; None for what is no RDF."""
    by_suffix = rdf_by_suffix(source)
    if by_suffix is not None or format_by_suffix(source) is not None:
        return by_suffix
    if _TURTLE.search(head[:10_000]):
        return "turtle"
    first = next((line for line in head[:10_000].splitlines() if line.strip() and line[:1] != b"#"), b"")
    return "ntriples" if _NTRIPLES.match(first) else None


def read_rdf_sample(source: Source, head: bytes, base: str) -> RdfSample:
    """Read the first triples of a file; relative IRIs are below `base`.

    Raises:
        SourceError: It cannot be read, or has no triples.
    """
    kind = "" if rdf_by_suffix(source) else rdf_format(source, head) or ""
    mapped = RdfSource.model_validate({"file": source.name, **({"format": kind} if kind else {})})
    tally = Tally(source.name, FileReport(), ErrorPolicy())
    parts, rows, is_whole = [], 0, True
    for triples in read_triples(source, mapped, base, tally):
        parts.append(triples.take(np.arange(min(len(triples), _TRIPLES - rows))))
        is_whole = len(parts[-1]) == len(triples)
        rows += len(parts[-1])
        if not is_whole:
            break
    if not rows:
        raise SourceError(
            f"{source.name} has no triples.", "Leave it out, or name the file that has the data."
        )
    sample = RdfSample(source, concatenated(parts), is_whole, kind, _declared(head))
    if kind:
        sample.why("format", kind, "the suffix does not say it, and the first lines do")
    return sample


def _declared(head: bytes) -> dict[str, str]:
    text = head[:100_000].decode("utf-8", "replace")
    return {match[1]: match[2] or match[3] for match in _DECLARED.finditer(text)}
