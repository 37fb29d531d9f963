"""All sources of a mapping as statements.

Enters: a `Mapping`, and a function that finds its files. Leaves: `Reading`: statements, the report so far, and hashes of
the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.interaction_rows import InteractionRows, ItemCodes, LogReader
from kgrec.ingest.mapping.references import References
from kgrec.ingest.mapping.schema import Mapping
from kgrec.ingest.rdf_statements import read_rdf
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import Nodes, Statements
from kgrec.ingest.table_files import frame_table, open_table
from kgrec.ingest.table_statements import read_edges, read_nodes
from kgrec.ingest.unmatched import Catalogue, check_log
from kgrec.storage.files import digest

#: the files that `file:` of a part of the mapping names
SourceFinder = Callable[[tuple[str, ...]], list[Source]]
#: called when a stage begins, with its name, such as "reading films.csv", the number of sources read so far, and the total
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

    @cached_property
    def references(self) -> References:
        """The types and keys that the mapping can refer to."""
        return self.mapping.references

    def tally(self, name: str) -> Tally:
        """The tally for one source."""
        return Tally(name, self.report.file(name), self.mapping.errors)

    def note(self, source: Source) -> None:
        """Store the hash of a source."""
        if source.name not in self.inputs:
            self.inputs[source.name] = digest(source.path)


def begin(mapping: Mapping) -> Reading:
    """An empty reading, before any source is read."""
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
    """Read frames by node type, with the columns of that type's table.

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
        table = frame_table(frame, type_, [mapped.key]).without(mapped.nulls)
        reading.tabled.append(
            read_nodes(reading.statements, table, type_, mapped, reading.tally(type_), reading.references)
        )


def read_interactions(
    reading: Reading,
    find: SourceFinder,
    item_codes: Callable[[str | None], ItemCodes],
    catalogue: Catalogue,
    progress: SourceProgress | None = None,
) -> InteractionRows:
    """Read the tables of interactions, if the mapping has any.

    Args:
        reading: Counts the rows.
        find: Finds the files of a table.
        item_codes: Returns the codes of items by a reference: their key, or another key.
        catalogue: The nodes, used to find out why rows name unknown items.
        progress: Called with the name of each file before it is read.

    Raises:
        SourceError: A file is absent or cannot be read.
        TooManyBadRows: More rows name unknown items than the mapping allows.
    """
    log = InteractionRows.of(reading.mapping.interactions)
    for mapped in reading.mapping.interactions:
        reader = LogReader(log, mapped, reading.report, item_codes(mapped.item_reference))
        sources = find(mapped.file)
        for done, source in enumerate(sources):
            if progress is not None:
                progress(f"reading {source.name}", done, len(sources))
            reading.note(source)
            reader.read(open_table(source, mapped), reading.tally(source.name))
        reader.close()
        check_log(reader, catalogue, reading.report)
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
    tally = reading.tally(source.name)
    reading.tabled.append(read_nodes(reading.statements, table, type_, mapped, tally, reading.references))


def _edges(reading: Reading, source: Source, relation: str) -> None:
    mapped = reading.mapping.edges[relation]
    table, tally = open_table(source, mapped), reading.tally(source.name)
    read_edges(reading.statements, table, relation, mapped, tally, reading.references)


def _rdf(reading: Reading, source: Source, i: int) -> None:
    mapped = reading.mapping.rdf[i]
    read_rdf(reading.statements, source, mapped, reading.mapping, reading.tally(source.name), reading.report)
