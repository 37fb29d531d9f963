"""Plain triples: head, relation, tail, separated by tabs, without a header.

Enters: files of triples, and maybe a list of the heads that are items. Leaves: items.csv, knowledge.nt, kgrec.yaml.
"""

from __future__ import annotations

from kgrec.errors import SourceError
from kgrec.ingest.foreign.job import Job, Knowledge, iri_of, relation_iri
from kgrec.ingest.statements import node_iri

_COLUMNS = ["head", "relation", "tail"]


def read_triples_table(job: Job) -> None:
    """Read all files of triples; without a list of items, every head is one.

    Raises:
        SourceError: A file is absent, or no line is a triple.
    """
    names = chosen(job)
    items = _listed(job) if job.items else _heads(job, names)
    base = job.mapping["base"]

    def entity(key: str) -> list[str]:
        return [node_iri(base, "item", key) if key in items else iri_of("entity", key)]

    knowledge = Knowledge(job, entity, relation_iri)
    for name in names:
        for batch in job.rows(name, _COLUMNS, "\t"):
            knowledge.add(batch, *_COLUMNS)
        job.close(job.tally(name))
    lost = [item for item in items if item not in knowledge.met]
    if lost:
        job.remarks.append(f"{len(lost):,} items are in no triple, such as {lost[0]}.")
    job.write("items.csv", ("item_id", "name"), [[item, item] for item in items])
    job.mapping["nodes"]["item"] = {
        "item": True,
        "file": "items.csv",
        "key": "item_id",
        "columns": {"name": "label"},
    }
    job.mapping["rdf"] = knowledge.mapped()
    job.remarks.append("There is no log: the model will rest on the triples and the names alone.")


def chosen(job: Job) -> list[str]:
    """The files of triples: train.txt alone where a folder is split for link prediction."""
    names = sorted(name for name in job.files if name.lower().endswith((".tsv", ".txt", ".tab", ".gz")))
    names = ["train.txt"] if {"train.txt", "test.txt"} <= set(names) else names
    if not names:
        raise SourceError(
            "There is no file of triples.", f"Found {', '.join(sorted(job.files)) or 'no file'}."
        )
    return names


def _listed(job: Job) -> dict[str, None]:
    assert job.items is not None
    job.files = {**job.files, job.items.name: job.items}
    items = {text.strip(): None for _, text in job.lines(job.items.name)}
    part = job.report.file(job.items.name)
    part.rows = part.used = len(items)
    if not items:
        raise SourceError(f"{job.items} is empty.", "Write one head a line.")
    return items


def _heads(job: Job, names: list[str]) -> dict[str, None]:
    job.remarks.append("Every head is taken as an item; --items names a file that lists them, one a line.")
    heads: dict[str, None] = {}
    for name in names:
        for batch in job.rows(name, _COLUMNS, "\t", counted=False):
            heads.update(dict.fromkeys(batch.columns["head"].unique().to_pylist()))
    heads.pop("", None)
    return heads
