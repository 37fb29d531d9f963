"""Logs without a header: per line a user, an item, and optionally a label or a rating and a time; with triples in other files.

Enters: ratings_final.txt or .npy, or train, valid and test files, and kg_final.txt, .npy or kg.txt, whose entities use the
numbers of the items. Leaves: items.csv, interactions.csv, valid.csv, test.csv, knowledge.nt, kgrec.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch
from kgrec.ingest.datasets.job import InteractionWriter, Job, TripleWriter, iri_of, relation_iri
from kgrec.ingest.datasets.names import beside, names_of
from kgrec.ingest.datasets.shapes import UNUSED, LogShape, delimiter_of, log_shapes, part_of
from kgrec.ingest.statements import node_iri

NEGATIVE = "is a sampled negative (label 0), not an interaction"
TRIPLE_FILES = ("kg_final.txt", "kg_final.npy", "kg.txt", "kg.npy")
TRIPLE_COLUMNS = ("head", "relation", "tail")
_TARGETS = {"train": "interactions.csv", "valid": "valid.csv", "test": "test.csv"}
#: largest difference between the numbers of labels 0 and 1, as a share of them, at which labels 0 count as sampled
_BALANCED = 0.02
#: share of the items that must be entities
_JOINED = 0.5


def log_files(job_files: dict[str, LogShape]) -> dict[str, str]:
    """File -> part: train, and valid and test if there are any; empty if the files do not make one log."""
    parts = {name: part_of(name) for name in job_files}
    named = {name: part for name, part in parts.items() if part is not None}
    if "train" in named.values():
        return named if len(set(named.values())) == len(named) else {}
    rest = [name for name, part in parts.items() if part is None]
    return {rest[0]: "train"} if len(rest) == 1 else {}


def read_log(job: Job) -> None:
    """Read one log and its triples.

    Raises:
        SourceError: There is no log, or there are several.
    """
    shapes = log_shapes(job.files)
    parts = log_files(shapes)
    if not parts:
        found = ", ".join(shapes) or "none"
        raise SourceError(
            f"Exactly one log without a header, with a user and an item per line, is needed: found {found}.",
            "Name the files of one log, or draft a mapping: kgrec init FILE ...",
        )
    sampled = any(_is_sampled(job, name, shapes[name]) for name, part in parts.items() if part == "train")
    items: dict[str, None] = {}
    logs = {
        part: _log(job, name, shapes[name], _TARGETS[part], items, sampled=sampled)
        for name, part in sorted(parts.items(), key=lambda pair: list(_TARGETS).index(pair[1]))
    }
    _remark(job, logs["train"], shapes, sampled=sampled)
    keys = (
        sorted(items, key=lambda key: (len(key), key)) if all(key.isdigit() for key in items) else list(items)
    )
    write_items(job, keys)
    job.mapping["interactions"] = logs["train"].mapped(_positive(logs["train"], shapes, sampled=sampled))
    name = next((name for name in TRIPLE_FILES if name in job.files), None)
    lists = sorted(name for name in job.files if name.endswith(".edgelist"))
    if name is not None or lists:
        _knowledge(job, [name] if name is not None else lists, items)


def write_items(job: Job, keys: list[str]) -> None:
    """Write items.csv with the names and other ids from the dataset's other files, and its part of the mapping."""
    found = beside(job, "item", dict.fromkeys(keys))
    columns = {"name": ("label", found.names), "other_id": ("ignore", found.others)}
    columns = {name: column for name, column in columns.items() if column[1]}
    rows = [[key, *(values.get(key, "") for _, values in columns.values())] for key in keys]
    job.write("items.csv", ("item_id", *columns), rows)
    item = {"item": True, "file": "items.csv", "key": "item_id"}
    roles = {name: role for name, (role, _) in columns.items()}
    job.mapping["nodes"]["item"] = {**item, "columns": roles} if roles else item


def read_knowledge(
    job: Job,
    names: Sequence[str],
    entity: Callable[[str], Sequence[str]],
    relation: Callable[[str], str | None] = relation_iri,
) -> TripleWriter:
    """Write the triples of files without a header, with the names from the dataset's other files."""
    met: dict[str, None] = {}
    for name in names:
        for batch in _triples(job, name, counted=False):
            met.update(dict.fromkeys(pc.unique(batch.columns["relation"]).to_pylist()))
    named = names_of(job, "relation", met)
    knowledge = TripleWriter(job, entity, lambda key: relation(named.get(key, key)))
    for name in names:
        for batch in _triples(job, name):
            knowledge.add(batch, *TRIPLE_COLUMNS)
        job.close(job.tally(name))
    knowledge.add_names(names_of(job, "entity", knowledge.met))
    job.mapping["rdf"] = knowledge.mapped()
    return knowledge


def _triples(job: Job, name: str, *, counted: bool = True) -> Iterator[Batch]:
    """Batches with head, relation and tail; for a list of edges, the file name gives the relation."""
    delimiter = delimiter_of(job.files[name], name)
    if not name.endswith(".edgelist"):
        yield from job.rows(name, TRIPLE_COLUMNS, delimiter, counted=counted)
        return
    relation = pa.scalar(name.removesuffix(".edgelist"))
    for batch in job.rows(name, ("head", "tail"), delimiter, counted=counted):
        column = pa.repeat(relation, len(batch))
        yield replace(batch, columns={**batch.columns, "relation": column})


def positives(job: Job, batch: Batch, column: str = "rating") -> Batch:
    """The rows with label 1; rows with label 0 are counted as sampled negatives."""
    tally = job.tally(batch.name)
    label = pc.utf8_trim_whitespace(batch.columns[column])
    negative, positive = (cells.mask(pc.equal(label, value)) for value in ("0", "1"))
    job.leave(tally, NEGATIVE, int(negative.sum()), batch.places(np.flatnonzero(negative)))
    odd = np.flatnonzero(~negative & ~positive)
    tally.drop("has a label that is neither 0 nor 1", len(odd), batch.places(odd))
    lines = batch.lines[positive]
    columns = {name: array.filter(pa.array(positive)) for name, array in batch.columns.items()}
    return Batch(columns, batch.name, lambda: lines)


def _log(
    job: Job, name: str, shape: LogShape, target: str, items: dict[str, None], *, sampled: bool
) -> InteractionWriter:
    wanted = [column for column in shape.columns if column != UNUSED and not (sampled and column == "rating")]
    log = InteractionWriter(job, target, {column: column for column in wanted})
    for batch in _batches(job, name, shape):
        items.update(dict.fromkeys(pc.unique(batch.columns["item_id"]).to_pylist()))
        log.add(positives(job, batch) if sampled else batch)
    items.pop("", None)
    job.close(job.tally(name))
    return log


def _batches(job: Job, name: str, shape: LogShape, *, counted: bool = True) -> Iterator[Batch]:
    return job.rows(name, shape.names, shape.delimiter[:1], counted=counted)


def _is_sampled(job: Job, name: str, shape: LogShape) -> bool:
    """Whether a log has labels, and about as many 0 as 1: one negative was sampled per interaction."""
    if not shape.is_labelled:
        return False
    if name.startswith("ratings_final"):
        return True
    counts = np.zeros(2)
    for batch in _batches(job, name, shape, counted=False):
        label = pc.utf8_trim_whitespace(batch.columns["rating"])
        counts += [cells.mask(pc.equal(label, value)).sum() for value in ("0", "1")]
    return bool(abs(counts[0] - counts[1]) <= _BALANCED * counts.sum())


def _positive(log: InteractionWriter, shapes: dict[str, LogShape], *, sampled: bool) -> str | None:
    if sampled or "rating" not in log.columns:
        return None
    if log.top <= 1 and any(shape.is_labelled for shape in shapes.values()):
        return "> 0"
    return ">= 4" if log.top == 5 else None


def _remark(job: Job, log: InteractionWriter, shapes: dict[str, LogShape], *, sampled: bool) -> None:
    if sampled:
        job.remarks.append(
            "Rows with label 0 are left out: there are as many as with label 1, or the file is ratings_final, so they are sampled negatives."
        )
    elif positive := _positive(log, shapes, sampled=sampled):
        job.remarks.append(
            f"Rows with a third column {positive} are positive, the others count as seen: see `positive:` in kgrec.yaml."
        )
    elif "rating" in log.columns:
        job.remarks.append(
            "Every row counts as positive: set `positive:` in kgrec.yaml if a low third column means dislike."
        )


def _knowledge(job: Job, names: list[str], items: dict[str, None]) -> None:
    base = job.mapping["base"]

    def entity(key: str) -> list[str]:
        return [node_iri(base, "item", key) if key in items else iri_of("entity", key)]

    knowledge = read_knowledge(job, names, entity)
    name = names[0] if len(names) == 1 else f"{names[0]} and others"
    joined = sum(key in knowledge.met for key in items)
    if joined < _JOINED * len(items):
        raise SourceError(
            f"{joined:,} of {len(items):,} items are entities of {name}, so items and entities are numbered differently.",
            "Add the file with the entity of each item, such as item_index2entity_id.txt, or name the files of the log alone.",
        )
    job.remarks.append(
        f"{name}: an entity with the id of an item is this item: {joined:,} of {len(items):,} items have triples."
    )
