"""A draft of kgrec.yaml from sample rows.

Enters: paths of files. Leaves: a `Draft`: kgrec.yaml as text, and the reason for the role of each column. Roles are guessed
by plain rules on names and values, so each has a reason; the user edits the draft.

looks        properties of names and values: unique, long, separated, dates, ...
lines        YAML text of roles, lists and prefixed names
sniff        format, encoding, delimiter and header of a table's file
sample       the first rows of a table
draft_files  which file is a table with a key, and which the log; columns of the log
rdf          the first triples of an RDF file, the types of its nodes, the parts of their IRIs
columns      roles of a table's columns, and of values in general
knowledge    roles of predicates, and how RDF joins the tables
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kgrec.errors import SourceError
from kgrec.ingest.draft.columns import References, node_lines
from kgrec.ingest.draft.draft_files import DraftFiles, log_lines, sort_files
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
        paths: Files of tables, a log, RDF.
        folder: Folder of the mapping, to which its file names are relative; None: that of the first file.

    Raises:
        SourceError: There is no file, one cannot be read, or none can hold the items.
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
    # before `join`, which may rename the type
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
    files: DraftFiles, rdf: Sequence[RdfSample], known: References, of_rdf: Sequence[NodeType]
) -> Iterator[str]:
    item, why = next(iter(of_rdf), None), _why_items(files, of_rdf)
    iris = {iri for sample in rdf for iri in sample.parts}
    iris |= {iri for type_ in known.types for iri in type_.classes}
    declared = {prefix: iri for sample in rdf for prefix, iri in sample.declared.items()}
    prefixes = Prefixes(known.base, declared, {namespace_and_name(iri)[0] for iri in iris})
    # first, since they determine the prefixes
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
        return f"no table has items, and its {len(of_rdf[0].nodes):,} nodes have the most triples"
    if len(files.tables) == 1:
        return "it is the only table"
    return "its name is that of items" if ITEM.fullmatch(files.item.type) else "it is the first table"
