"""The format of RippleNet (Wang et al. 2018) and KGCN (Wang et al. 2019).

Enters: kg.txt: triples; item_index2entity_id.txt: the entity of each item; and the log: user_artists.dat, ratings.csv, or
the authors' ratings_final.txt, half of which are sampled negatives. Leaves: items.csv, interactions.csv, knowledge.nt,
kgrec.yaml. The items are those of item_index2entity_id.txt, as in the papers.
"""

from __future__ import annotations

import fnmatch

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch
from kgrec.ingest.datasets.job import EMPTY, InteractionWriter, Job, TripleWriter, iri_of, relation_iri
from kgrec.ingest.statements import node_iri
from kgrec.ingest.table_statements import filled

LINK_FILES = "item_index2entity_id*.txt"
NEGATIVE = "is a sampled negative (label 0), not an interaction"
OUTSIDE = "names an item that is not in item_index2entity_id.txt"
_TRIPLE_FILES = ("kg.txt", "kg_rehashed.txt", "kg_part*_rehashed.txt")
_RATINGS = {"user_id": "userId", "item_id": "movieId", "rating": "rating", "timestamp": "timestamp"}
_ARTISTS = {"user_id": "userID", "item_id": "artistID", "rating": "weight"}
_FINAL = {"user_id": "user", "item_id": "item"}


def read_kgcn(job: Job) -> None:
    """Read one dataset.

    Raises:
        SourceError: A file is absent, or has another format.
    """
    linked, order = _links(job)
    job.write("items.csv", ("item_id",), [[item] for item in order])
    job.mapping["nodes"]["item"] = {"item": True, "file": "items.csv", "key": "item_id"}
    _knowledge(job, linked)
    _log(job, order)


def _matching(job: Job, pattern: str) -> list[str]:
    return sorted(fnmatch.filter(job.files, pattern))


def _links(job: Job) -> tuple[dict[str, list[str]], list[str]]:
    """Entity -> its items, and the items in the order of the file, by which ratings_final.txt numbers them."""
    name = next(iter(_matching(job, LINK_FILES)), None) or job.need("item_index2entity_id.txt")
    linked: dict[str, list[str]] = {}
    order: dict[str, None] = {}
    tally = job.tally(name)
    for batch in job.rows(name, ["item", "entity"], "\t"):
        full = filled(batch, "item") & filled(batch, "entity")
        tally.drop(EMPTY, int((~full).sum()), batch.places(np.flatnonzero(~full)))
        for row in np.flatnonzero(full).tolist():
            item, entity = batch.columns["item"][row].as_py(), batch.columns["entity"][row].as_py()
            if item in order:
                tally.drop("has the item of an earlier row", 1, batch.places(np.array([row])))
                continue
            order[item] = None
            linked.setdefault(entity, []).append(item)
    tally.report.used = len(order)
    job.close(tally)
    shared = [entity for entity, items in linked.items() if len(items) > 1]
    if shared:
        job.remarks.append(
            f"{name}: entities with several items: {len(shared):,}, such as {shared[0]}; each item gets the triples of the entity."
        )
    return linked, list(order)


def _knowledge(job: Job, linked: dict[str, list[str]]) -> None:
    names = [name for pattern in _TRIPLE_FILES for name in _matching(job, pattern)] or [job.need("kg.txt")]

    def entity(key: str) -> list[str]:
        return [node_iri(job.mapping["base"], "item", item) for item in linked.get(key, [])] or [
            iri_of("entity", key)
        ]

    knowledge = TripleWriter(job, entity, relation_iri)
    for name in names:
        for batch in job.rows(name, ["head", "relation", "tail"], "\t"):
            knowledge.add(batch, "head", "relation", "tail")
        job.close(job.tally(name))
    job.mapping["rdf"] = knowledge.mapped()


def _log(job: Job, order: list[str]) -> None:
    for name, columns, delimiter in (("user_artists.dat", _ARTISTS, "\t"), ("ratings.csv", _RATINGS, ",")):
        if name in job.files:
            log = _raw(job, name, columns, delimiter, order)
            break
    else:
        log = _final(job, order)
    stars = log.name == "interactions.csv" and log.columns.get("rating") == "rating"
    if stars:
        job.remarks.append("Ratings of 4 and more are positive: see `positive:` in kgrec.yaml.")
    job.mapping["interactions"] = log.mapped(">= 4" if stars else None)


def _raw(job: Job, name: str, columns: dict[str, str], delimiter: str, order: list[str]) -> InteractionWriter:
    """The log with original ids of users and items."""
    header, batches = job.table(name, delimiter=delimiter)
    missing = [column for target, column in columns.items() if column not in header and target != "timestamp"]
    if missing:
        raise SourceError(f"{name} has no column '{missing[0]}'.", f"It has {', '.join(header)}.")
    known = set(order)
    present = {target: column for target, column in columns.items() if column in header}
    log = InteractionWriter(
        job, "interactions.csv", present, lambda ids: [i if i in known else None for i in ids], OUTSIDE
    )
    for batch in batches:
        log.add(batch)
    job.close(job.tally(name))
    if "ratings_final.txt" in job.files:
        job.remarks.append(f"ratings_final.txt: left out, since {name} has the original ids and values.")
    return log


def _final(job: Job, order: list[str]) -> InteractionWriter:
    """ratings_final.txt: items by their row in item_index2entity_id.txt; label 1 for interactions, 0 for sampled negatives."""
    name = job.need("ratings_final.txt")
    keys = {str(number): item for number, item in enumerate(order)}
    log = InteractionWriter(job, "interactions.csv", _FINAL, lambda ids: [keys.get(i) for i in ids], OUTSIDE)
    for batch in job.rows(name, ["user", "item", "label"], "\t"):
        log.add(_positives(job, batch))
    job.close(job.tally(name))
    job.remarks.append(
        f"{name} renumbers users, so their ids are these numbers; the items have their original ids."
    )
    return log


def _positives(job: Job, batch: Batch) -> Batch:
    tally = job.tally(batch.name)
    label = pc.utf8_trim_whitespace(batch.columns["label"])
    negative, positive = (cells.mask(pc.equal(label, value)) for value in ("0", "1"))
    job.leave(tally, NEGATIVE, int(negative.sum()), batch.places(np.flatnonzero(negative)))
    odd = np.flatnonzero(~negative & ~positive)
    tally.drop("has a label that is neither 0 nor 1", len(odd), batch.places(odd))
    lines = batch.lines[positive]
    columns = {column: array.filter(pa.array(positive)) for column, array in batch.columns.items()}
    return Batch(columns, batch.name, lambda: lines)
