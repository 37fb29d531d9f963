"""A draft of kgrec.yaml, made from sample rows.

Enters: paths of files. Leaves: a `Draft`: kgrec.yaml as text, and the reason for the role of each column. Roles are guessed
by simple rules on names and values, so each has a reason; the user edits the draft.

names        names of columns and files, and what they name
looks        properties of values: unique, long, separated, dates, ...
lines        YAML text of roles, lists and prefixed names
encodings    the encoding of text that is not UTF-8, found from its letters
sniff        format, encoding, delimiter and header of a table's file
nested       columns of objects, as columns of their fields
profile      one column's values
sample       the first rows of a table
targets      the identifiers that a column holds
doubts       doubtful choices, which are asked or marked
scales       ratings, counts and kinds of events
logs         columns of a log
log_lines    lines of a log
keys         keys of tables, and the columns that hold them
chosen_logs  the files that are logs
items        the nodes that are items
draft_files  the use of each file: nodes, logs, facts about nodes
joins        tables of edges
rdf          the first triples of an RDF file, the types of its nodes, the parts of their IRIs
columns      roles of a table's columns, and of values in general
knowledge    roles of predicates, and how RDF joins the tables
say          templates of reasons
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from kgrec.errors import SourceError
from kgrec.ingest.draft.columns import References, node_lines
from kgrec.ingest.draft.doubts import Ask, Doubt, Doubts
from kgrec.ingest.draft.draft_files import sort_files
from kgrec.ingest.draft.items import DraftFiles
from kgrec.ingest.draft.joins import edge_lines, unjoined
from kgrec.ingest.draft.knowledge import join, keys_of_types, no_classes, rdf_lines
from kgrec.ingest.draft.lines import Prefixes, namespace_and_name, written
from kgrec.ingest.draft.log_lines import log_lines
from kgrec.ingest.draft.logs import Log
from kgrec.ingest.draft.rdf import NodeType, RdfSample, node_types, rdf_format, read_rdf_sample
from kgrec.ingest.draft.sample import Sample, merge_parts, read_identifiers, read_sample, source_of
from kgrec.ingest.draft.say import say_lines
from kgrec.ingest.draft.scales import weight_of_file
from kgrec.ingest.draft.sniff import head_of
from kgrec.ingest.draft.targets import reference

_BASE = "https://example.org/"
#: characters per line of a comment
_WIDTH = 110


@dataclass(frozen=True)
class Draft:
    """A drafted mapping."""

    #: each doubt is a comment at the top, and marks the line that it is about
    yaml: str
    #: "file: column: role, since ..." for every decision
    reasons: list[str]
    #: doubts to check
    doubts: list[Doubt] = field(default_factory=list)


def draft_mapping(paths: list[Path], folder: Path | None = None, ask: Ask | None = None) -> Draft:
    """Draft a mapping for some files, in any order.

    Args:
        paths: Files of tables, logs, RDF.
        folder: Folder of the mapping; file names in it are relative to this folder; None: that of the first file.
        ask: Answers doubtful choices; None: the likeliest answers are taken and marked.

    Raises:
        SourceError: No file is given, a file cannot be read, or none can contain the items.
    """
    if not paths:
        raise SourceError(
            "There is no file to draft a mapping from.", "Name the tables: kgrec init items.csv ratings.csv"
        )
    samples = list(_read(paths, Path(paths[0]).parent if folder is None else folder))
    tables = merge_parts([sample for sample in samples if isinstance(sample, Sample)])
    rdf = sorted((one for one in samples if isinstance(one, RdfSample)), key=lambda one: one.source.name)
    for table in tables:
        read_identifiers(table)
    types, doubts = node_types(rdf), Doubts(ask)
    otherwise = no_classes(rdf) if rdf and not types else None
    files = sort_files(tables, keys_of_types(types), doubts, otherwise)
    # before `join`, which may rename the type
    of_rdf = [type_ for type_ in types if files.item.table is None and type_.name == files.item.type]
    known = join(files, rdf, types, _BASE)
    reasons = [f"kgrec.yaml: base: {known.base}, since {known.why_base}"] if known.why_base else []
    lines = list(_lines(files, rdf, known, of_rdf, doubts))
    lines += say_lines(lines)
    checks = [
        line for number, doubt in enumerate(doubts.open, 1) for line in _commented(f"CHECK {number}: {doubt}")
    ]
    reasons += [reason for one in _as_written(tables, files) for reason in one.reasons]
    reasons += [reason for one in rdf for reason in one.reasons]
    return Draft("\n".join([*checks, *lines]) + "\n", reasons, doubts.open)


def _as_written(samples: Sequence[Sample], files: DraftFiles) -> list[Sample]:
    """The samples in the order of kgrec.yaml: nodes, edges, logs, and what is left out."""
    order = [*files.tables, *files.facts, *(log.sample for log in files.logs)]
    places = {one.source.name: place for place, one in reversed(list(enumerate(order)))}
    # items from the rows of a log come with the log
    places |= {log.sample.source.name: len(order) + place for place, log in enumerate(files.logs)}
    return sorted(samples, key=lambda one: (places.get(one.source.name, 2 * len(order)), one.source.name))


def _commented(text: str) -> list[str]:
    """Text as lines of comments."""
    return [f"# {line}" for line in wrap(" ".join(text.split()), _WIDTH, break_long_words=False)]


def _read(paths: Sequence[Path], folder: Path) -> Iterator[Sample | RdfSample]:
    for path in dict.fromkeys(map(Path, paths)):
        source = source_of(path, folder)
        head = head_of(source)
        is_rdf = rdf_format(source, head) is not None
        yield read_rdf_sample(source, head, _BASE) if is_rdf else read_sample(source, head)


def _lines(
    files: DraftFiles,
    rdf: Sequence[RdfSample],
    known: References,
    of_rdf: Sequence[NodeType],
    doubts: Doubts,
) -> Iterator[str]:
    item = next(iter(of_rdf), None)
    why = (
        f"{files.why_items}, and its {len(item.nodes):,} nodes have the most triples"
        if item and not files.logs
        else files.why_items
    )
    iris = {iri for sample in rdf for iri in sample.parts}
    iris |= {iri for type_ in known.types for iri in type_.classes}
    declared = {prefix: iri for sample in rdf for prefix, iri in sample.declared.items()}
    prefixes = Prefixes(known.base, declared, {namespace_and_name(iri)[0] for iri in iris})
    # first, because they determine the prefixes
    knowledge = [line for sample in rdf for line in rdf_lines(sample, known, prefixes, item, why)]
    yield "version: 1"
    yield f"base: {known.base}"
    yield from prefixes.lines()
    nodes = [
        line
        for table in files.tables
        for line in node_lines(table, known, why if table is files.item.table else "")
    ]
    edges = list(edge_lines(files, doubts))
    if nodes and not rdf:
        unjoined(files, ["nodes:", *nodes, *(["edges:", *edges] if edges else [])], doubts)
    if nodes:
        yield "nodes:"
        yield from nodes
    if edges:
        yield "edges:"
        yield from edges
    if rdf:
        yield "rdf:"
    yield from knowledge
    yield from _interactions(files, doubts)


def _interactions(files: DraftFiles, doubts: Doubts) -> Iterator[str]:
    """Lines of one log, or of a list of logs."""
    if files.logs:
        yield "interactions:"
    weights = [weight_of_file(log.sample.source.path) for log in files.logs]
    are_kinds = None not in weights and len(set(weights)) > 1 and not any(log.kinds for log in files.logs)
    for log, weight in zip(files.logs, weights, strict=True):
        log.name_columns()
        lines = list(log_lines(log, _item_of(log, files), doubts))
        if are_kinds:
            log.sample.why("*", f"weight {weight}", "its name is that of a kind of events")
            lines.append(f"weight: {weight}")
        if len(files.logs) == 1:
            yield from (f"  {line}" for line in lines)
        else:
            yield f"  - {lines[0]}"
            yield from (f"    {line}" for line in lines[1:])


def _item_of(log: Log, files: DraftFiles) -> str:
    """The column of the items, with the key that it holds if that is not the first key."""
    match, item = log.match, files.item
    if match is None or match.target.table is None or match.target.table is not item.table:
        return written(log.item)
    named = reference(match.target)
    return written(log.item) if named == item.table.type else f"{{{written(named)}: {written(log.item)}}}"
