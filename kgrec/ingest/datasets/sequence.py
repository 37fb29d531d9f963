"""Logs of SASRec: one file with a user and an item per line, grouped by user, oldest first; without header and times.

Enters: the file. Leaves: items.csv, interactions.csv, kgrec.yaml with `order: rows`.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest.datasets.job import InteractionWriter, Job
from kgrec.ingest.datasets.log import write_items
from kgrec.ingest.datasets.plain import first_lines
from kgrec.ingest.datasets.shapes import delimiter_of, part_of

_COLUMNS = ("user_id", "item_id")


def is_sequence(path: Path, name: str) -> bool:
    """Whether each line has two numbers, there are several users, and the lines of each user are consecutive."""
    if name.endswith((".npy", ".zip")) or part_of(name) is not None:
        return False
    rows = [line.split() for line in first_lines(path, name) if line.strip()]
    if len(rows) < 2 or not all(len(row) == 2 and all(map(str.isdecimal, row)) for row in rows):
        return False
    users = [user for user, _ in rows]
    changes = sum(one != other for one, other in pairwise(users))
    return 1 < changes + 1 == len(set(users)) < len(users)


def read_sequence(job: Job) -> None:
    """Read the one file of such a log.

    Raises:
        SourceError: There is no such file, or there are several.
    """
    found = [name for name, path in job.files.items() if is_sequence(path, name)]
    if len(found) != 1:
        raise SourceError(
            f"Exactly one file with a user and an item per line, grouped by user, is needed: found {', '.join(found) or 'none'}.",
            "Name the file, or draft a mapping: kgrec init FILE",
        )
    (name,) = found
    log = InteractionWriter(job, "interactions.csv", {column: column for column in _COLUMNS})
    items: set[str] = set()
    for batch in job.rows(name, _COLUMNS, delimiter_of(job.files[name], name)):
        items.update(pc.unique(pa.array(batch.columns["item_id"])).to_pylist())
        log.add(batch)
    items.discard("")
    job.close(job.tally(name))
    write_items(job, sorted(items, key=lambda key: (len(key), key)))
    job.mapping["interactions"] = log.mapped() | {"order": "rows"}
    job.remarks.append(
        "The lines of a user are read as oldest first, like SASRec's: take `order:` out of kgrec.yaml if they are not."
    )
