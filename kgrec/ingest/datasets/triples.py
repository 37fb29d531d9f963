"""Plain triples: head, relation, tail, separated by tabs, without a header.

Enters: files of triples, and optionally a list of the heads that are items. Leaves: items.csv, knowledge.nt, kgrec.yaml.
"""

from __future__ import annotations

from pathlib import Path

from kgrec.errors import SourceError
from kgrec.ingest.datasets.job import Job, iri_of
from kgrec.ingest.datasets.log import TRIPLE_COLUMNS, read_knowledge
from kgrec.ingest.datasets.names import names_of
from kgrec.ingest.datasets.plain import first_line, first_lines
from kgrec.ingest.statements import node_iri

#: number of lines examined to see whether relations repeat, and the share of them that may differ
_ENOUGH, _DISTINCT = 20, 0.5
_SUFFIXES = (".tsv", ".txt", ".tab", ".tsv.gz", ".txt.gz")


def read_triples_table(job: Job) -> None:
    """Read all files of triples; without a list of items, every head is an item.

    Raises:
        SourceError: A file is absent, or no line is a triple.
    """
    names = _chosen(job)
    items = _listed(job) if job.items else _heads(job, names)
    base = job.mapping["base"]

    def entity(key: str) -> list[str]:
        return [node_iri(base, "item", key) if key in items else iri_of("entity", key)]

    knowledge = read_knowledge(job, names, entity)
    lost = [item for item in items if item not in knowledge.met]
    if lost:
        job.remarks.append(f"Items without a triple: {len(lost):,}, such as {lost[0]}.")
    known = names_of(job, "item", items) or knowledge.names
    job.write("items.csv", ("item_id", "name"), [[item, known.get(item, item)] for item in items])
    job.mapping["nodes"]["item"] = {
        "item": True,
        "file": "items.csv",
        "key": "item_id",
        "columns": {"name": "label"},
    }
    job.remarks.append("There is no log: a model can learn only from triples and names.")


def triple_files(files: dict[str, Path]) -> list[str]:
    """The files whose lines are triples; only train.txt if the folder is split for link prediction."""
    fits = [name for name in _three_columns(files) if _relations_repeat(files[name], name)]
    return ["train.txt"] if {"train.txt", "test.txt"} <= set(fits) else fits


def _three_columns(files: dict[str, Path]) -> list[str]:
    names = [name for name in files if name.lower().endswith(_SUFFIXES)]
    return sorted(name for name in names if first_line(files[name], name).count("\t") == 2)


def _relations_repeat(path: Path, name: str) -> bool:
    """Whether the second column repeats, as opposed to naming the first, as in a list of ids, names and addresses."""
    lines = [line.split("\t") for line in first_lines(path, name)]
    relations = [line[1] for line in lines if len(line) == 3]
    return len(relations) < _ENOUGH or len(set(relations)) <= _DISTINCT * len(relations)


def _chosen(job: Job) -> list[str]:
    names = triple_files(job.files) or _three_columns(job.files)
    if not names:
        found = ", ".join(sorted(job.files)) or "no file"
        raise SourceError("There is no file of triples: three columns, separated by tabs.", f"Found {found}.")
    return names


def _listed(job: Job) -> dict[str, None]:
    assert job.items is not None
    job.files = {**job.files, job.items.name: job.items}
    items = {text.strip(): None for _, text in job.lines(job.items.name)}
    part = job.report.file(job.items.name)
    part.rows = part.used = len(items)
    if not items:
        raise SourceError(f"{job.items} is empty.", "Write one head per line.")
    return items


def _heads(job: Job, names: list[str]) -> dict[str, None]:
    job.remarks.append("Every head is an item; use --items to give a file with the items, one per line.")
    heads: dict[str, None] = {}
    for name in names:
        for batch in job.rows(name, TRIPLE_COLUMNS, "\t", counted=False):
            heads.update(dict.fromkeys(batch.columns["head"].unique().to_pylist()))
    heads.pop("", None)
    return heads
