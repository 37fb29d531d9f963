"""References to nodes that no source has.

Enters: the edges of `Statements`, and the entity of each node. Leaves: counts in the `Report`, per relation and type, and per
file, where a row of an edge table counts as not used.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.build_report import MISSING_NODE, Places, Report
from kgrec.ingest.mapping.schema import ErrorPolicy
from kgrec.ingest.statements import Edges, Statements


def report_missing(
    statements: Statements,
    type_codes: np.ndarray,
    entity_of: np.ndarray,
    policy: ErrorPolicy,
    report: Report,
) -> None:
    """Count the ends of edges that are not entities.

    Args:
        statements: Their edges.
        type_codes: Type of each node; shape (len(nodes),).
        entity_of: Entity of each node, -1 if it is not in the graph; shape (len(nodes),), int64.
        policy: Whether to stop at the first missing end.
        report: Counts for the whole build.

    Raises:
        SourceError: An end is missing, and `missing_ref` is `fail`.
    """
    names = {code: name for name, (code, _) in statements.relations.items()}
    spoiled: dict[str, list[np.ndarray]] = {}
    for edges in statements.edges:
        absent = [entity_of[ends] < 0 for ends in (edges.heads, edges.tails)]
        for ends, missing in zip((edges.heads, edges.tails), absent, strict=True):
            for type_, rows in _by_type(np.flatnonzero(missing), type_codes[ends]):
                places = _places(edges, rows, [statements.nodes.keys[node] for node in ends[rows[:10]]])
                name = statements.nodes.types[type_]
                if policy.missing_ref == "fail":
                    raise _unknown(places[0], name)
                report.missing.setdefault(f"{names[edges.relation]} -> {name}", Places()).add(
                    len(rows), places
                )
        rows = np.flatnonzero(absent[0] | absent[1])
        if edges.are_rows:
            _drop(edges, rows, report)
        elif edges.lines is not None and len(rows):
            # a list of references is useful if some of them lead to a node
            alone = ~np.isin(edges.lines[rows], np.delete(edges.lines, rows))
            spoiled.setdefault(edges.source, []).append(edges.lines[rows[alone]])
    for source, lines in spoiled.items():
        distinct = np.unique(np.concatenate(lines))
        report.file(source).missing.add(len(distinct), (f"{source}:{line}" for line in distinct))


def _by_type(rows: np.ndarray, codes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for code in np.unique(codes[rows]).tolist():
        yield code, rows[codes[rows] == code]


def _places(edges: Edges, rows: np.ndarray, keys: list[str]) -> list[str]:
    if edges.lines is None:
        return [f'{edges.source}: "{key}"' for key in keys]
    return [f'{edges.source}:{edges.lines[row]}: "{key}"' for row, key in zip(rows[:10], keys, strict=True)]


def _drop(edges: Edges, rows: np.ndarray, report: Report) -> None:
    """Count rows of edges as not used; they were counted as used when read, before their ends were known."""
    if not len(rows):
        return
    assert edges.lines is not None
    part = report.file(edges.source)
    part.used -= len(rows)
    places = (f"{edges.source}:{edges.lines[row]}" for row in rows)
    part.dropped.setdefault(MISSING_NODE, Places()).add(len(rows), places)


def _unknown(place: str, type_: str) -> SourceError:
    return SourceError(
        f"{place} is not a {type_} in any source.",
        f"Add that {type_}, or set `errors: {{missing_ref: report}}`.",
    )
