"""All sources of a mapping as statements.

Enters: a `Mapping`, and a function that finds its files. Leaves: `Reading`: statements, the report so far, and hashes of
the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.interaction_rows import InteractionRows, read_log
from kgrec.ingest.mapping.schema import Mapping, TableFormat
from kgrec.ingest.rdf_statements import read_rdf
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import Nodes, Statements
from kgrec.ingest.table_files import frame_table, open_table
from kgrec.ingest.table_statements import read_edges, read_nodes
from kgrec.storage.files import digest

#: the files that `file:` of a part of the mapping names
SourceFinder = Callable[[tuple[str, ...]], list[Source]]
#: called when a stage begins, with its name, such as "reading films.csv", the number of sources read, and of those to read
SourceProgress = Callable[[str, int, int], None]


@dataclass
class Reading:
    """Statements and counts of the sources read so far."""

    mapping: Mapping
    statements: Statements
    report: Report = field(default_factory=Report)
    #: name of each source -> SHA-256
    inputs: dict[str, str] = field(default_factory=dict)
    #: nodes with a row in a node table, per source
    tabled: list[np.ndarray] = field(default_factory=list)

    def tally(self, name: str) -> Tally:
        """The tally for one source."""
        return Tally(name, self.report.file(name), self.mapping.errors)

    def note(self, source: Source) -> None:
        """Keep the hash of a source."""
        if source.name not in self.inputs:
            self.inputs[source.name] = digest(source.path)


def begin(mapping: Mapping) -> Reading:
    """A reading without any source."""
    return Reading(mapping, Statements(Nodes(mapping.base)))


def read_files(reading: Reading, find: SourceFinder, progress: SourceProgress | None = None) -> None:
    """Read the tables of nodes, then of edges, then RDF; interactions are read later, when the items are known.

    Raises:
        SourceError: A file is absent or cannot be read.
        MappingError: A column has no role.
    """
    steps = list(_steps(reading, find))
    for done, (source, step) in enumerate(steps):
        if progress is not None:
            progress(f"reading {source.name}", done, len(steps))
        reading.note(source)
        step()


def read_frames(reading: Reading, frames: Dict[str, Any]) -> None:
    """Read frames, by node type, with the columns of that type's table.

    Raises:
        SourceError: The mapping has no table of that type.
    """
    for type_, frame in frames.items():
        mapped = reading.mapping.nodes.get(type_)
        if mapped is None:
            known = ", ".join(reading.mapping.nodes) or "none"
            raise SourceError(
                f"There is no node table '{type_}' in the mapping.", f"Its node tables are: {known}."
            )
        table = frame_table(frame, type_).without(mapped.nulls)
        reading.tabled.append(read_nodes(reading.statements, table, type_, mapped, reading.tally(type_)))


def read_interactions(
    reading: Reading,
    find: SourceFinder,
    item_ids: Callable[[pa.Array], np.ndarray],
    progress: SourceProgress | None = None,
) -> InteractionRows:
    """Read the log of interactions, if the mapping has one.

    Raises:
        SourceError: A file is absent or cannot be read.
    """
    log = InteractionRows()
    mapped = reading.mapping.interactions
    sources = find(mapped.file) if mapped else []
    for done, source in enumerate(sources):
        assert mapped is not None
        if progress is not None:
            progress(f"reading {source.name}", done, len(sources))
        reading.note(source)
        table = open_table(source, mapped)
        read_log(log, table, mapped, reading.tally(source.name), reading.report, item_ids)
    return log


def _steps(reading: Reading, find: SourceFinder) -> Iterator[tuple[Source, Callable[[], None]]]:
    mapping = reading.mapping
    for type_, nodes in mapping.nodes.items():
        for source in find(nodes.file):
            yield source, lambda s=source, t=type_: _nodes(reading, s, t)  # type: ignore[misc]
    for relation, edges in mapping.edges.items():
        for source in find(edges.file):
            yield source, lambda s=source, r=relation: _edges(reading, s, r)  # type: ignore[misc]
    for i, rdf in enumerate(mapping.rdf):
        for source in find(rdf.file):
            yield source, lambda s=source, i=i: _rdf(reading, s, i)  # type: ignore[misc]


def _nodes(reading: Reading, source: Source, type_: str) -> None:
    mapped = reading.mapping.nodes[type_]
    table = open_table(source, mapped)
    reading.tabled.append(read_nodes(reading.statements, table, type_, mapped, reading.tally(source.name)))


def _edges(reading: Reading, source: Source, relation: str) -> None:
    mapped: TableFormat = reading.mapping.edges[relation]
    table = open_table(source, mapped)
    with_table = list(reading.mapping.nodes)
    read_edges(
        reading.statements,
        table,
        relation,
        reading.mapping.edges[relation],
        reading.tally(source.name),
        with_table,
    )


def _rdf(reading: Reading, source: Source, i: int) -> None:
    mapped = reading.mapping.rdf[i]
    read_rdf(reading.statements, source, mapped, reading.mapping, reading.tally(source.name), reading.report)
