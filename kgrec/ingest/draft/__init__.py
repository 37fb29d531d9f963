"""A first mapping, from what files hold.

Enters: paths of files. Leaves: a `Draft`: kgrec.yaml as text, and why each column got its role. Guesses are plain rules
on names and values, so that the reasons can be given; the user has the last word.

looks      what names and values look like
lines      what kgrec.yaml says: text, roles, names with prefixes
sniff      how a table's file is to be read
sample     the first rows of a table
files      which file is a table with a key, which is the log, and the log's columns
rdf        the first triples of an RDF file, the types of its nodes, what their IRIs are made of
columns    the roles of a table's columns, and of values in general
knowledge  RDF's part: what joins it to tables, and the roles of predicates
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kgrec.errors import SourceError
from kgrec.ingest.draft.columns import Known, node_lines
from kgrec.ingest.draft.files import DraftFiles, log_lines, sort_files
from kgrec.ingest.draft.knowledge import join, keys_of_types, no_classes, rdf_lines
from kgrec.ingest.draft.lines import Prefixes, namespace_and_name
from kgrec.ingest.draft.looks import ITEM
from kgrec.ingest.draft.rdf import NodeType, RdfSample, node_types, rdf_format, read_rdf_sample
from kgrec.ingest.draft.sample import Sample, read_sample, source_of
from kgrec.ingest.draft.sniff import head_of

_BASE = "https://example.org/"


@dataclass(frozen=True)
class Draft:
    """A drafted mapping."""

    yaml: str
    #: "file: column: role, since ..." for every decision
    reasons: list[str]


def draft_mapping(paths: list[Path], folder: Path | None = None) -> Draft:
    """Draft a mapping for some files.

    Args:
        paths: Tables, a log, RDF.
        folder: Where the mapping will stand; names in it are relative to that. None: beside the first file.

    Raises:
        SourceError: There is no file, one cannot be read, or none of them can be the items.
    """
    if not paths:
        raise SourceError(
            "There is no file to draft a mapping from.", "Name the tables: kgrec init items.csv ratings.csv"
        )
    samples = list(_read(paths, Path(paths[0]).parent if folder is None else folder))
    tables = [sample for sample in samples if isinstance(sample, Sample)]
    rdf = [sample for sample in samples if isinstance(sample, RdfSample)]
    types = node_types(rdf)
    files = sort_files(tables, keys_of_types(types), no_classes(rdf) if rdf and not types else None)
    # join may rename it
    of_rdf = [type_ for type_ in types if files.item.table is None and type_.name == files.item.type]
    known = join(files, rdf, types, _BASE)
    reasons = [f"kgrec.yaml: base: {known.base}, since {known.why_base}"] if known.why_base else []
    lines = "\n".join(_lines(files, rdf, known, of_rdf)) + "\n"
    return Draft(lines, reasons + [reason for sample in samples for reason in sample.reasons])


def _read(paths: Sequence[Path], folder: Path) -> Iterator[Sample | RdfSample]:
    for path in paths:
        source = source_of(Path(path), folder)
        head = head_of(source)
        is_rdf = rdf_format(source, head) is not None
        yield read_rdf_sample(source, head, _BASE) if is_rdf else read_sample(source, head)


def _lines(
    files: DraftFiles, rdf: Sequence[RdfSample], known: Known, of_rdf: Sequence[NodeType]
) -> Iterator[str]:
    item, why = next(iter(of_rdf), None), _why_items(files, of_rdf)
    iris = {iri for sample in rdf for iri in sample.parts}
    iris |= {iri for type_ in known.types for iri in type_.classes}
    declared = {prefix: iri for sample in rdf for prefix, iri in sample.declared.items()}
    prefixes = Prefixes(known.base, declared, {namespace_and_name(iri)[0] for iri in iris})
    # first, since they decide which prefixes there are
    knowledge = [line for sample in rdf for line in rdf_lines(sample, known, prefixes, item, why)]
    yield "version: 1"
    yield f"base: {known.base}"
    yield from prefixes.lines()
    if files.tables:
        yield "nodes:"
    for table in files.tables:
        yield from node_lines(table, known, why if table is files.item.table else "")
    if rdf:
        yield "rdf:"
    yield from knowledge
    if files.log is not None:
        yield from log_lines(files.log)


def _why_items(files: DraftFiles, of_rdf: Sequence[NodeType]) -> str:
    if files.log is not None:
        return "its keys are in the interactions"
    if of_rdf:
        return f"no table brings items, and the most is said about its {len(of_rdf[0].nodes):,} nodes"
    if len(files.tables) == 1:
        return "it is the only table"
    return "its name says so" if ITEM.fullmatch(files.item.type) else "it is the first table"
