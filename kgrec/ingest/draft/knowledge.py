"""RDF's part of the mapping.

Enters: samples of RDF, and what the tables are. Leaves: lines of kgrec.yaml, with reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.draft.classes import NodeType
from kgrec.ingest.draft.files import Files
from kgrec.ingest.draft.iris import Prefixes, namespace_and_name
from kgrec.ingest.draft.joins import all_below, joining
from kgrec.ingest.draft.known import Known
from kgrec.ingest.draft.lines import Guess, listed, quoted
from kgrec.ingest.draft.logs import Keys
from kgrec.ingest.draft.names import singular
from kgrec.ingest.draft.predicates import predicate_roles
from kgrec.ingest.draft.rdf import SAME_AS, RdfSample
from kgrec.ingest.draft.values import IRIS, overlap
from kgrec.ingest.terms import IRI

#: predicates that are listed, and predicates of links among them
_LISTED, _LINKS = 60, 20


@dataclass
class Joined:
    """How RDF and tables are one."""

    base: str
    known: Known
    reasons: list[str]


def keys_of_types(types: Sequence[NodeType]) -> list[Keys]:
    """What a log may have of the nodes: IRIs, or what these end in."""
    found = []
    for type_ in types:
        ends = [pc.cast(one.keys, pa.large_string()) for one in all_below(type_.nodes)]
        found.append(Keys(type_.name, pc.unique(pa.concat_arrays([type_.nodes, *ends]))))
    return found


def no_classes(samples: Sequence[RdfSample]) -> SourceError:
    """The error for RDF that would have to bring the items, and does not say what its nodes are."""
    said: Counter[str] = Counter()
    for sample in samples:
        iris = sample.triples.subjects.filter(pa.array(sample.triples.subject_kinds == IRI))
        for count in pc.value_counts(iris).to_pylist():
            said[namespace_and_name(count["values"])[0]] += count["counts"]
    namespace = max(said, key=lambda name: (said[name], name), default="http://example.org/movie/")
    type_ = singular(namespace_and_name(namespace)[1].rstrip("/#:"))
    return SourceError(
        f"{samples[0].source.name} names no classes (rdf:type), so nothing says which of its nodes are the items.",
        "Name a table of the items as well; or write in kgrec.yaml, under `rdf:`,"
        f' types: {{{type_}: "{namespace}*"}}, items: [{type_}], which takes all IRIs that begin so.',
    )


def join(files: Files, samples: Sequence[RdfSample], types: list[NodeType], base: str) -> Joined:
    """Find what makes nodes of RDF and rows of tables, or of the log, one: IRIs in a column, or a base.

    With a base, the table or the type that it joins is called as the IRIs have it.
    """
    subjects = _all([sample.subjects for sample in samples])
    iris = _all([sample.iris for sample in samples])
    in_tables = _all([_iris_of(array) for table in files.tables for array in table.columns.values()])
    reasons: list[str] = []
    if samples and not overlap(in_tables, subjects):
        found = _base_by_table(files, iris, base) if files.item.table else _base_by_log(files, types)
        if found is not None:
            base = found[0]
            reasons.append(f"kgrec.yaml: base: {base}, since {found[1]}")
        elif files.tables:
            for sample in samples:
                why = "no table has a column of its IRIs, nor keys that they end in"
                sample.why("*", "joined to no table", why)
    ours = tuple(f"{base}{table.type}/" for table in files.tables)
    named = pa.array([iri for iri in iris.to_pylist() if ours and iri.startswith(ours)], pa.large_string())
    below = [one for one in all_below(iris) if one.base == base]
    return Joined(base, Known(files.tables, types, subjects, _all([in_tables, named]), below), reasons)


def _all(parts: Sequence[pa.Array]) -> pa.Array:
    return pc.unique(pa.concat_arrays([pa.array([], pa.large_string()), *parts]))


def _iris_of(array: pa.Array) -> pa.Array:
    values = pa.array([], pa.string()) if cells.is_list(array) else cells.split(array, "|")[1]
    return pc.cast(values.filter(pc.match_substring_regex(values, IRIS)), pa.large_string())


def _base_by_table(files: Files, iris: pa.Array, base: str) -> tuple[str, str] | None:
    """A base by which IRIs name rows of a table, and why; that of the items is tried first."""
    below = all_below(iris)
    if any(iri.startswith(base) for iri in iris.to_pylist()):
        # the reader itself puts relative IRIs there
        below = [one for one in below if one.base == base]
    for table in sorted(files.tables, key=lambda table: table is not files.item.table):
        one = joining(table.keys, table.type, below)
        if one is not None and one.type not in [other.type for other in files.tables if other is not table]:
            table.type = one.type
            return one.base, f"IRIs of RDF end in the keys of {table.source.name}"
    return None


def _base_by_log(files: Files, types: list[NodeType]) -> tuple[str, str] | None:
    """A base by which the IRIs of the items are what the log has, and why."""
    if files.log is None:
        return None
    type_ = next(type_ for type_ in types if type_.name == files.item.type)
    column = files.log.log["item"]
    taken = files.log.columns[column]
    if overlap(taken, type_.nodes) >= 0.5:
        return None
    one = joining(pc.unique(taken), type_.name, all_below(type_.nodes))
    if one is None:
        files.log.why(column, "not understood", f"few of its values are IRIs of the type {type_.name}")
        return None
    type_.name = one.type
    return one.base, f"the IRIs of the items end in what {files.log.source.name} has"


def rdf_lines(
    sample: RdfSample, known: Known, prefixes: Prefixes, *, item: NodeType | None, why_items: str
) -> Iterator[str]:
    """What stands under `rdf:` for a file; `item` is the type that is recommended, if RDF brings it."""
    yield f"  - file: {quoted(sample.source.name)}"
    if sample.format:
        yield f"    format: {sample.format}"
    types = _types_of(sample, known, item)
    if types:
        yield "    types:"
    for type_ in types:
        names = [prefixes.short(iri) for iri in type_.classes]
        sample.why(", ".join(names), f"type {type_.name}", f"it has {_counted(type_)}")
        yield f"      {quoted(type_.name)}: {quoted(names[0]) if len(names) == 1 else listed(names)}"
    if item in types:
        sample.why(item.name, "items", why_items)
        yield f"    items: [{quoted(item.name)}]"
    yield "    predicates:"
    for predicate, guess in _chosen(sample, predicate_roles(sample, known)).items():
        name = predicate if predicate == "*" else prefixes.short(predicate)
        sample.why(name, guess, guess.reason)
        if predicate != SAME_AS:
            yield f"      {quoted(name)}: {guess}"


def _types_of(sample: RdfSample, known: Known, item: NodeType | None) -> list[NodeType]:
    """The types that a file brings. Of a node's types the first counts: that of the items, then the narrower ones."""
    there = {iri for iri, _ in sample.classes()}
    ours = [type_ for type_ in known.types if there.intersection(type_.classes)]
    return sorted(ours, key=lambda type_: (type_ is not item, len(type_.nodes), type_.name))


def _counted(type_: NodeType) -> str:
    return f"{len(type_.nodes):,} node{'' if len(type_.nodes) == 1 else 's'}"


def _chosen(sample: RdfSample, roles: dict[str, Guess]) -> dict[str, Guess]:
    """The roles that are written: rare predicates, and links where they are many, are left to "*"."""
    links = [predicate for predicate, guess in roles.items() if guess.role == {"as": "ref"}]
    others = [predicate for predicate in roles if predicate not in links]
    others.sort(key=lambda predicate: roles[predicate].role["as"] not in ("label", "text"))
    listed_links = links if len(links) <= _LINKS else []
    kept = set(others[:_LISTED]) | set(listed_links)
    chosen = {predicate: guess for predicate, guess in roles.items() if predicate in kept}
    chosen["*"] = _rest(sample, len(links) - len(listed_links), len(others) - len(others[:_LISTED]))
    return chosen


def _rest(sample: RdfSample, links: int, others: int) -> Guess:
    if links:
        return Guess({"as": "ref"}, f"{links:,} predicates lead to nodes, and are not listed each")
    if not sample.is_whole:
        return Guess({"as": "ref"}, f"only the first {len(sample.triples):,} triples were looked at")
    left = f", and {others:,} rare ones are left out" if others else ""
    return Guess({"as": "ignore"}, f"the predicates that join or describe are named{left}")
