"""Graphs from sources.

Enters: a mapping and the files that it names, or new rows in the same layout. Leaves: a sorted `KnowledgeGraph`, or an
addition to one. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kgrec.arguments import options
from kgrec.errors import SourceError
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.tables import TABLES, items_of
from kgrec.ingest.assemble import Assembled, assemble
from kgrec.ingest.batches import Table
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping, TableFormat, load_mapping
from kgrec.ingest.partial_tables import with_columns_of
from kgrec.ingest.reader import Reading, SourceProgress, begin, read_files, read_frames, read_interactions
from kgrec.ingest.sources import Source, find_files
from kgrec.ingest.table_files import frame_table, open_table
from kgrec.ingest.unconnected import unconnected
from kgrec.ingest.unmatched import Catalogue, check_references

#: share of the rows of an addition that may be bad, unless the mapping allows more
_STOP_ABOVE = 0.5


def build_graph(
    mapping: str | Path | Mapping, *, allow_outside: bool = False, progress: SourceProgress | None = None
) -> KnowledgeGraph:
    """Build the graph that a mapping describes.

    Args:
        mapping: Path of kgrec.yaml, or a mapping that `load_mapping` returned.
        allow_outside: Whether files outside the mapping's folder may be read.
        progress: Called when a stage begins, with its name, the number of sources read so far, and the total.

    Raises:
        MappingError: The mapping is not valid.
        SourceError: A source cannot be read.
        TooManyBadRows: A source has more bad rows than the mapping allows.

    Example:
        >>> graph = build_graph("kgrec.yaml")  # doctest: +SKIP
    """
    mapping = mapping if isinstance(mapping, Mapping) else load_mapping(mapping)
    options.flag("allow_outside", allow_outside)
    options.callback("progress", progress, "the name of a source, the number of sources read, and the total")
    find = partial(find_files, mapping.folder, allow_outside=allow_outside)
    reading = begin(mapping)
    read_files(reading, find, progress)
    if progress is not None:
        progress("joining the sources", 0, 0)
    assembled = assemble(reading.statements, mapping, reading.report)
    # the triples are in `assembled` now: free the edges before reading the interactions
    reading.statements.edges.clear()
    catalogue = Catalogue(mapping, assembled.entities, assembled.aliases, find)
    check_references(mapping, reading.report, catalogue)
    reading.report.warnings.extend(unconnected(assembled.entities, assembled.triples, mapping.item_types))
    item_ids = items_of(assembled.entities, mapping.item_types)[0]
    graph = graph_of(assembled, Interactions.none(item_ids), mapping, reading.report, reading.inputs)
    log = read_interactions(reading, find, graph.item_codes_by, catalogue, progress)
    interactions = Interactions.from_log(log, graph.item_ids)
    reading.report.repeated_pairs = sum(map(len, log.user)) - len(interactions)
    return replace(graph, interactions=interactions)


class HasIds(Protocol):
    """The part of a graph's interface that an addition needs."""

    def ids(self, names: Sequence[str]) -> np.ndarray:
        """Entity of each type/key, -1 where unknown; shape (len(names),), int64."""


def read_addition(
    mapping: Mapping,
    folder: Path | None = None,
    frames: dict[str, Any] | None = None,
    *,
    known: HasIds,
    partial_rows: bool = False,
) -> KnowledgeGraph:
    """Read new rows, in the layout of the mapping, into a graph of their own.

    Args:
        mapping: The mapping that the known graph was built with.
        folder: Contains files with the names in the mapping; absent files are skipped.
        frames: Frames by node type.
        known: The known graph; new rows may refer to its nodes too.
        partial_rows: Whether rows may lack columns; the mapping of the result then has only the columns that they have.

    Returns:
        A graph without interactions, whose items are only the new and the changed ones.

    Raises:
        SourceError: Neither a folder nor a frame is given, or the folder has none of the mapping's files.
    """
    if folder is None and not frames:
        raise SourceError(
            "There is nothing to add: no folder, no frames.", "Give a folder with files, or frames by type."
        )
    if partial_rows:
        mapping = with_columns_of(mapping, _tables(mapping, folder, frames or {}))
    # In a small addition a single bad row is a large share: it is reported, and the other rows are added.
    tolerant = mapping.errors.model_copy(update={"stop_above": max(_STOP_ABOVE, mapping.errors.stop_above)})
    reading = begin(mapping.model_copy(update={"errors": tolerant}))
    if folder is not None:
        _check_any(mapping, Path(folder))
        read_files(reading, partial(_present, Path(folder)))
    read_frames(reading, frames or {})
    _mark_known(reading, known)
    assembled = assemble(reading.statements, mapping, reading.report)
    check_references(reading.mapping, reading.report, None)
    nodes = np.concatenate(reading.tabled) if reading.tabled else np.empty(0, dtype=np.int64)
    tabled = np.unique(assembled.entity_of[nodes])
    only = np.union1d(tabled, assembled.rdf_items)
    items = items_of(assembled.entities, mapping.item_types, only)[0]
    graph = graph_of(assembled, Interactions.none(items), mapping, reading.report, reading.inputs)
    return replace(graph, tabled=tabled, only_items=only)


def _tables(mapping: Mapping, folder: Path | None, frames: dict[str, Any]) -> dict[str, list[Table]]:
    """The node tables of an addition, by type; only their headers are read."""
    tables: dict[str, list[Table]] = {type_: [frame_table(frame, type_)] for type_, frame in frames.items()}
    for type_, mapped in mapping.nodes.items() if folder is not None else ():
        found = [open_table(source, mapped) for source in _present(Path(str(folder)), mapped.file)]
        tables.setdefault(type_, []).extend(found)
    return tables


def graph_of(
    assembled: Assembled,
    interactions: Interactions,
    mapping: Mapping,
    report: Report,
    inputs: dict[str, str],
) -> KnowledgeGraph:
    """The graph made of assembled tables."""
    return KnowledgeGraph(
        **{name: getattr(assembled, name) for name in TABLES},
        interactions=interactions,
        item_types=mapping.item_types,
        mapping=mapping,
        report=report,
        inputs=inputs,
    )


def _check_any(mapping: Mapping, folder: Path) -> None:
    """Raise SourceError if a folder has none of the mapping's files."""
    tables: list[TableFormat] = [*mapping.nodes.values(), *mapping.edges.values()]
    names = [name for table in tables for name in table.file]
    names += [name for source in mapping.rdf for name in source.file]
    if not any(_present(folder, (name,)) for name in names):
        raise SourceError(
            f"{folder} has no file to add.", f"Files are looked for by the names: {', '.join(names)}."
        )


def _present(folder: Path, names: tuple[str, ...]) -> list[Source]:
    """The files of these names that exist in the folder."""
    found = []
    for name in names:
        try:
            found.extend(find_files(folder, [name], allow_outside=False))
        except SourceError:
            # absent files are skipped; a file that exists was rejected, for example because it is outside the folder
            if (folder / name).exists():
                raise
    return found


def _mark_known(reading: Reading, known: HasIds) -> None:
    """Let references resolve to nodes of the known graph."""
    nodes = reading.statements.nodes
    pending = np.flatnonzero(np.frombuffer(nodes.exists, dtype=np.uint8) == 0)
    codes = [nodes.type_codes[node] for node in pending]
    names = [
        f"{nodes.types[c]}/{nodes.keys[n]}" if c >= 0 else "" for c, n in zip(codes, pending, strict=True)
    ]
    there = (known.ids(names) >= 0) & np.isin(pending, _referred(reading))
    nodes.mark(pending[there])


def _referred(reading: Reading) -> np.ndarray:
    """Nodes at either end of an edge, sorted."""
    ends = [end for edges in reading.statements.edges for end in (edges.heads, edges.tails)]
    return np.unique(np.concatenate(ends)) if ends else np.empty(0, dtype=np.int64)
