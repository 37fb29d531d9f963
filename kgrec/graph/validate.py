"""Checks of a graph, also by SHACL shapes.

Enters: `GraphTables`, and shapes in Turtle. Leaves: findings. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments import options
from kgrec.errors import ConfigError, SourceError
from kgrec.graph.tables import GraphTables
from kgrec.graph.views import to_rdflib
from kgrec.graph.vocabulary import named
from kgrec.ingest.mapping.roles import is_type_name

_IRI = r"^[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|^`\\]*$"
_SHACL = "http://www.w3.org/ns/shacl#"


@dataclass(frozen=True)
class Finding:
    """A violation of the rules of a graph, a warning, or a remark."""

    severity: Literal["violation", "warning", "info"]
    #: name of the table, or IRI of the node
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message}"


def validate(graph: GraphTables, shapes: str | Path | None = None) -> list[Finding]:
    """Findings, violations first; see `KnowledgeGraph.validate`."""
    found = list(_entities(graph))
    # items are determined by type and key, so the entities are checked first
    if all(finding.severity != "violation" for finding in found):
        found += _items(graph)
    found += [*_relations(graph), *_triples(graph), *_values(graph)]
    if shapes is not None:
        found += _shapes(graph, options.path("shapes", shapes))
    order = ("violation", "warning", "info")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _violation(where: str, count: int, message: str) -> Iterator[Finding]:
    if count:
        yield Finding("violation", where, f"{count:,} {message}")


def _warning(where: str, count: int, message: str) -> Iterator[Finding]:
    if count:
        yield Finding("warning", where, f"{count:,} {message}")


def _entities(graph: GraphTables) -> Iterator[Finding]:
    table, where = graph.entities, "entities"
    wrong = int((table["id"].to_numpy() != np.arange(len(table))).sum())
    yield from _violation(where, wrong, "ids are not the numbers of their rows")
    yield from _violation(where, sum(column.null_count for column in table.columns), "cells are null")
    types = pc.cast(table["type"], pa.string()).unique().to_pylist()
    yield from _violation(where, sum(not is_type_name(t or "") for t in types), "types have an invalid name")
    yield from _violation(where, _count(pc.equal(table["key"], "")), "keys are empty")
    yield from _violation(
        where, len(table) - len(named(table).unique()), "entities repeat the type and key of another"
    )
    yield from _violation(
        where, len(table) - len(table["iri"].unique()), "entities repeat the IRI of another"
    )
    bad = pc.invert(pc.match_substring_regex(table["iri"], _IRI))
    yield from _violation(where, _count(bad), "IRIs are invalid")
    yield from _warning(where, _count(pc.equal(table["label"], "")), "entities have no label")


def _relations(graph: GraphTables) -> Iterator[Finding]:
    table, where = graph.relations, "relations"
    wrong = int((table["id"].to_numpy() != np.arange(len(table))).sum())
    yield from _violation(where, wrong, "ids are not the numbers of their rows")
    yield from _violation(
        where, len(table) - len(table["name"].unique()), "relations repeat the name of another"
    )
    bad = pc.invert(pc.match_substring_regex(table["iri"], _IRI))
    yield from _violation(where, _count(bad), "IRIs are invalid")
    used = len(graph.triples["relation"].unique())
    yield from _warning(where, max(len(table) - used, 0), "relations have no triples")


def _triples(graph: GraphTables) -> Iterator[Finding]:
    where, columns = "triples", [graph.triples[n].to_numpy() for n in ("relation", "head", "tail", "weight")]
    for name, values, size in zip(
        ("relations", "heads", "tails"), columns, (len(graph.relations), len(graph), len(graph)), strict=False
    ):
        yield from _violation(where, _outside(values, size), f"{name} do not exist")
    rise = np.zeros(max(len(columns[0]) - 1, 0), dtype=np.int8)
    for values in columns[:3]:
        rise = np.where(rise == 0, np.sign(np.diff(values.astype(np.int64))), rise)
    yield from _violation(where, int((rise < 0).sum()), "triples are not sorted")
    yield from _violation(where, int((rise == 0).sum()), "triples are duplicates")
    yield from _violation(where, int((~np.isfinite(columns[3])).sum()), "weights are not finite")
    yield from _warning(where, int((columns[3] <= 0).sum()), "weights are not positive")
    yield from _warning(where, int((columns[1] == columns[2]).sum()), "triples link an entity to itself")


def _values(graph: GraphTables) -> Iterator[Finding]:
    for where in ("text", "numbers", "vectors", "aliases"):
        ids = getattr(graph, where)["id"].to_numpy()
        yield from _violation(where, _outside(ids, len(graph)), "entities do not exist")
        yield from _violation(where, int((np.diff(ids) < 0).sum()), "rows are not sorted")
    numbers = graph.numbers["value"].to_numpy()
    yield from _violation("numbers", int((~np.isfinite(numbers)).sum()), "numbers are not finite")
    yield from _warning("text", _count(pc.equal(graph.text["text"], "")), "texts are empty")
    lengths = pc.list_value_length(graph.vectors["vector"])
    pairs = pa.table({"predicate": graph.vectors["predicate"], "length": lengths})
    kinds = pairs.group_by(["predicate", "length"]).aggregate([])
    yield from _violation(
        "vectors",
        len(kinds) - len(kinds["predicate"].unique()),
        "vectors differ in length from others of their predicate",
    )
    taken = pc.is_in(named(graph.aliases), value_set=named(graph.entities).combine_chunks())
    yield from _violation("aliases", _count(taken), "names belong to an entity")


def _items(graph: GraphTables) -> Iterator[Finding]:
    log = graph.interactions
    if not len(graph.item_ids):
        yield Finding("warning", "items", "there are none")
    if log.items != graph.item_ids:
        yield Finding("violation", "interactions", "the items are not those of the graph")
    yield from _violation("interactions", _outside(log.item, len(log.items)), "items do not exist")
    yield from _violation("interactions", _outside(log.user, len(log.users)), "users do not exist")
    pairs = log.user.astype(np.int64) * max(len(log.items), 1) + log.item
    yield from _violation("interactions", len(pairs) - len(np.unique(pairs)), "pairs are duplicates")


def _shapes(graph: GraphTables, path: Path) -> Iterator[Finding]:
    """Results of SHACL on the graph as RDF."""
    try:
        import pyshacl
    except ImportError:
        raise ConfigError(
            "SHACL shapes need the package pyshacl, which is not installed.", "pip install 'kgrec[shacl]'"
        ) from None
    shapes = _parsed(path)
    _, results, _ = pyshacl.validate(to_rdflib(graph), shacl_graph=shapes, advanced=True)
    yield from sorted(_results(results), key=lambda finding: (finding.where, finding.message))


def _parsed(path: Path) -> Any:
    import rdflib

    try:
        return rdflib.Graph().parse(path, format="turtle" if path.suffix in ("", ".shacl") else None)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror or error}).", "Give a file of shapes."
        ) from None
    except Exception as error:  # each parser of rdflib raises its own errors
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{path} is not valid RDF: {reason}.", "Give SHACL shapes in Turtle.") from None


def _results(results: Any) -> Iterator[Finding]:
    import rdflib

    shacl = rdflib.Namespace(_SHACL)
    kinds: dict[Any, Literal["violation", "warning", "info"]] = {
        shacl.Warning: "warning",
        shacl.Info: "info",
    }
    for result in results.subjects(rdflib.RDF.type, shacl.ValidationResult):
        path, value = results.value(result, shacl.resultPath), results.value(result, shacl.value)
        message = " ".join(str(results.value(result, shacl.resultMessage) or "violates its shape").split())
        about = f"{path}: " if isinstance(path, rdflib.URIRef) else ""
        shown = f" (the value is {value.n3()})" if isinstance(value, rdflib.Literal) else ""
        severity = kinds.get(results.value(result, shacl.resultSeverity), "violation")
        yield Finding(severity, str(results.value(result, shacl.focusNode)), f"{about}{message}{shown}")


def _count(mask: Any) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _outside(values: np.ndarray, size: int) -> int:
    return int(((values < 0) | (values >= size)).sum())
