"""The format of RippleNet (Wang et al. 2018) and KGCN (Wang et al. 2019).

Enters: kg.txt: triples; item_index2entity_id.txt: the entity of each item; and the log: user_artists.dat, ratings.csv, or
the authors' ratings_final.txt, half of which are sampled negatives. Leaves: items.csv, interactions.csv, knowledge.nt,
kgrec.yaml. The items are those of item_index2entity_id.txt, as in the papers.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.batches import Batch
from kgrec.ingest.datasets.job import EMPTY, InteractionWriter, Job, iri_of
from kgrec.ingest.datasets.log import positives, read_knowledge, write_items
from kgrec.ingest.datasets.shapes import LogShape
from kgrec.ingest.statements import node_iri
from kgrec.ingest.table_statements import filled

LINK_FILES = "item_index2entity_id*.txt"
OUTSIDE = "names an item that is not in item_index2entity_id.txt"
_TRIPLE_FILES = ("kg.txt", "kg_rehashed.txt", "kg_part*_rehashed.txt")
_FINAL_FILES = ("kg_final.txt", "kg_final.npy")
_RATINGS = {"user_id": "userId", "item_id": "movieId", "rating": "rating", "timestamp": "timestamp"}
_ARTISTS = {"user_id": "userID", "item_id": "artistID", "rating": "weight"}
_BOOKS = {"user_id": "User-ID", "item_id": "ISBN", "rating": "Book-Rating"}
#: log with original ids -> its columns, delimiter, and encoding
_RAW = {
    "user_artists.dat": (_ARTISTS, "\t", "utf-8"),
    "ratings.csv": (_RATINGS, ",", "utf-8"),
    "BX-Book-Ratings.csv": (_BOOKS, ";", "latin-1"),
}
_FINAL = {"user_id": "user", "item_id": "item"}


def read_kgcn(job: Job) -> None:
    """Read one dataset.

    Raises:
        SourceError: A file is absent, or has another format.
    """
    linked, order = _links(job)
    write_items(job, order)
    _knowledge(job, linked, order)
    _log(job, order)


def _matching(job: Job, pattern: str) -> list[str]:
    return sorted(fnmatch.filter(job.files, pattern))


def _links(job: Job) -> tuple[dict[str, list[str]], list[str]]:
    """Entity -> its items, and the items in file order, by which ratings_final.txt numbers them."""
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


def _knowledge(job: Job, linked: dict[str, list[str]], order: list[str]) -> None:
    names = [name for pattern in _TRIPLE_FILES for name in _matching(job, pattern)]
    # kg_final numbers the entities, starting with those of the items in file order
    final = next((name for name in _FINAL_FILES if name in job.files), None)
    if not names and final is not None:
        linked = {str(number): [item] for number, item in enumerate(order)}
        names = [final]

    def entity(key: str) -> list[str]:
        return [node_iri(job.mapping["base"], "item", item) for item in linked.get(key, [])] or [
            iri_of("entity", key)
        ]

    read_knowledge(job, names or [job.need("kg.txt")], entity)


def _log(job: Job, order: list[str]) -> None:
    raw = next((name for name in _RAW if name in job.files), None)
    if raw is not None:
        log = _raw(job, raw, order)
    elif "ratings.dat" in job.files:
        log = _stars(job, order)
    else:
        log = _final(job, order)
    stars = raw == "ratings.csv" or (raw is None and "rating" in log.columns)
    if stars:
        job.remarks.append("Ratings of 4 and more are positive: see `positive:` in kgrec.yaml.")
    job.mapping["interactions"] = log.mapped(">= 4" if stars else None)


def _raw(job: Job, name: str, order: list[str]) -> InteractionWriter:
    """The log with original ids of users and items."""
    columns, delimiter, encoding = _RAW[name]
    header, batches = job.table(name, delimiter=delimiter, encoding=encoding)
    missing = [column for target, column in columns.items() if column not in header and target != "timestamp"]
    if missing:
        raise SourceError(f"{name} has no column '{missing[0]}'.", f"It has {', '.join(header)}.")
    present = {target: column for target, column in columns.items() if column in header}
    return _written(job, name, _original(job, present, order), batches)


def _stars(job: Job, order: list[str]) -> InteractionWriter:
    """ratings.dat, in the format of MovieLens."""
    shape = LogShape("::", ("user_id", "item_id", "rating", "timestamp"))
    log = _original(job, {column: column for column in shape.columns}, order)
    return _written(job, "ratings.dat", log, job.rows("ratings.dat", shape.names, ":"))


def _original(job: Job, columns: dict[str, str], order: list[str]) -> InteractionWriter:
    known = set(order)
    return InteractionWriter(
        job, "interactions.csv", columns, lambda ids: [i if i in known else None for i in ids], OUTSIDE
    )


def _written(job: Job, name: str, log: InteractionWriter, batches: Iterator[Batch]) -> InteractionWriter:
    for batch in batches:
        log.add(batch)
    job.close(job.tally(name))
    for other in ("ratings_final.txt", "ratings_final.npy"):
        if other in job.files:
            job.remarks.append(f"{other}: left out, because {name} has the original ids and values.")
    return log


def _final(job: Job, order: list[str]) -> InteractionWriter:
    """ratings_final.txt: items by their row in item_index2entity_id.txt; label 1 for interactions, 0 for sampled negatives."""
    name = "ratings_final.npy" if "ratings_final.npy" in job.files else "ratings_final.txt"
    job.need(name)
    keys = {str(number): item for number, item in enumerate(order)}
    log = InteractionWriter(job, "interactions.csv", _FINAL, lambda ids: [keys.get(i) for i in ids], OUTSIDE)
    for batch in job.rows(name, ["user", "item", "label"], "\t"):
        log.add(positives(job, batch, "label"))
    job.close(job.tally(name))
    job.remarks.append(
        f"{name} renumbers users, so their ids are these numbers; the items have their original ids."
    )
    return log
