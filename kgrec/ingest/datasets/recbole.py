"""RecBole's atomic files (Zhao et al. 2021): tab-separated, with a type beside the name of each column.

Enters: NAME.inter, or NAME.train.inter and other parts, and optionally NAME.item, NAME.kg, NAME.link. Leaves: items.csv,
interactions.csv, valid.csv, test.csv, knowledge.nt, kgrec.yaml. User attributes are left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch
from kgrec.ingest.datasets.job import EMPTY, InteractionWriter, Job, TripleWriter, iri_of, relation_iri
from kgrec.ingest.datasets.names import names_of
from kgrec.ingest.statements import node_iri
from kgrec.ingest.table_statements import filled

_TYPES = ("token", "token_seq", "float", "float_seq")
_SPLITS = {"train": "interactions.csv", "valid": "valid.csv", "test": "test.csv"}
_LABEL = re.compile(r"(.*[_ ])?(title|name)", re.IGNORECASE)
_TEXT = re.compile(r".*(description|overview|plot|summary|review|abstract|text|content).*", re.IGNORECASE)
_RATING = re.compile(r"rating|label|score|stars|weight|count|play_?counts?", re.IGNORECASE)
_TIME = re.compile(r"time(stamp)?", re.IGNORECASE)
_LONG = 50


def header_of(line: str) -> dict[str, str] | None:
    """Name of each column -> its type; None if the line is not a header of RecBole."""
    parts = [cell.rpartition(":") for cell in line.rstrip("\r\n").split("\t")]
    good = all(name and type_ in _TYPES for name, _, type_ in parts)
    return {name: type_ for name, _, type_ in parts} if good else None


def read_recbole(job: Job) -> None:
    """Read one dataset of atomic files.

    Raises:
        SourceError: A file is absent, or has another format.
    """
    logs = _logs(job)
    linked = _links(job)
    known = _items(job, linked, logs)
    items = {"item": True, "file": "items.csv", "key": "item_id", "columns": known}
    job.mapping["nodes"]["item"] = items
    if name := _one(job, ".kg"):
        _knowledge(job, name, linked)
    if logs:
        job.mapping["interactions"] = logs[0].mapped(_positive(job, logs[0]))
    if name := _one(job, ".user"):
        columns, batches = _opened(job, name)
        part = job.report.file(name)
        part.unread = list(columns)
        count = sum(len(batch) for batch in batches)
        job.remarks.append(f"{name}: left out (rows: {count:,}), because kgrec does not use user attributes.")


# files


def _one(job: Job, suffix: str) -> str | None:
    """The file with that suffix; None if there is none.

    Raises:
        SourceError: Several files have this suffix.
    """
    names = sorted(name for name in job.files if name.endswith(suffix))
    if len(names) > 1:
        raise SourceError(
            f"The source has several datasets: {', '.join(names)}.",
            "Name the files of one dataset: kgrec import A.inter A.item",
        )
    return names[0] if names else None


def _opened(job: Job, name: str) -> tuple[dict[str, str], Iterator[Batch]]:
    """Name of each column -> "name:type", and the rows."""
    columns, batches = job.table(name, delimiter="\t", quote="")
    if header_of("\t".join(columns)) is None:
        odd = next(c for c in columns if header_of(c) is None)
        raise SourceError(
            f"{name}: the column '{odd}' has no RecBole type.",
            f"Write it as name:type, one of {', '.join(_TYPES)}.",
        )
    return {column.rpartition(":")[0]: column for column in columns}, batches


def _column(name: str, columns: dict[str, str], like: str, at: int) -> str:
    """The column called `like`, or one with a similar name, or otherwise column number `at`."""
    found = [c for c in columns if c.lower() == like] or [
        c for c in columns if like.partition("_")[0] in c.lower()
    ]
    names = list(columns)
    if not found and at < len(names):
        found = [names[at]]
    if not found or columns[found[0]].endswith("_seq"):
        raise SourceError(f"{name} has no column '{like}:token'.", f"It has {', '.join(columns.values())}.")
    return columns[found[0]]


# logs


def _logs(job: Job) -> list[InteractionWriter]:
    names = [name for name in job.files if name.endswith(".inter")]
    split = {part: name for part in _SPLITS for name in names if name.endswith(f".{part}.inter")}
    if split and "train" in split:
        rest = sorted(set(names) - set(split.values()))
        if rest:
            job.remarks.append(
                f"{', '.join(rest)}: left out, because there are files for {', '.join(split)}."
            )
        return [_log(job, split[part], _SPLITS[part]) for part in _SPLITS if part in split]
    name = _one(job, ".inter")
    return [_log(job, name, "interactions.csv")] if name else []


def _log(job: Job, name: str, target: str) -> InteractionWriter:
    columns, batches = _opened(job, name)
    taken = {"user_id": _column(name, columns, "user_id", 0), "item_id": _column(name, columns, "item_id", 1)}
    rest = {short: column for short, column in columns.items() if column not in taken.values()}
    for role, pattern in (("rating", _RATING), ("timestamp", _TIME)):
        found = [
            column for short, column in rest.items() if pattern.fullmatch(short) and column.endswith(":float")
        ]
        taken |= {role: found[0]} if found else {}
    job.report.file(name).unread = [column for column in columns.values() if column not in taken.values()]
    log = InteractionWriter(job, target, taken)
    for batch in batches:
        log.add(batch)
    job.close(job.tally(name))
    return log


def _positive(job: Job, log: InteractionWriter) -> str | None:
    """The condition for positive rows: at least 4 for ratings up to 5, above 0 for labels; None: every row."""
    column = log.columns.get("rating", "")
    if column.startswith("label:"):
        return "> 0"
    if column and log.top == 5:
        job.remarks.append(
            f"{column} goes up to 5, so ratings of 4 and more are positive: see `positive:` in kgrec.yaml."
        )
        return ">= 4"
    if column:
        job.remarks.append(
            f"Every row counts as positive: set `positive:` in kgrec.yaml if a low {column} means dislike."
        )
    return None


# items


def _items(job: Job, linked: dict[str, list[str]], logs: list[InteractionWriter]) -> dict[str, Any]:
    """Write items.csv; items that only a link or the log names get a row with just their key."""
    name = _one(job, ".item")
    roles: dict[str, Any] = {}
    keys: dict[str, None] = {}
    header = ["item_id"]
    if name is not None:
        roles = _item_rows(job, name, keys)
        header += roles
    named = dict.fromkeys(
        [*(item for log in logs for item in log.items), *(i for items in linked.values() for i in items)]
    )
    only = [item for item in named if item not in keys]
    if only and name is not None:
        job.remarks.append(
            f"Items that are not in {name}: {len(only):,}, such as {only[0]}; they are kept with their key alone."
        )
    columns = {"item_id": only, **{column: [""] * len(only) for column in header[1:]}}
    job.append("items.csv", pa.table({c: pa.array(values, pa.string()) for c, values in columns.items()}))
    if "label" not in roles.values() and (names := names_of(job, "item", dict.fromkeys([*keys, *only]))):
        roles = {**roles, _add_names(job, names, header): "label"}
    return roles


def _add_names(job: Job, names: dict[str, str], header: list[str]) -> str:
    """Add a column of names to items.csv; returns its name."""
    column = "name" if "name" not in header else "item_name"
    with (job.folder / "items.csv").open(encoding="utf-8", newline="") as stream:
        rows = [[*row, names.get(row[0], "")] for row in csv.reader(stream)][1:]
    job.write("items.csv", [*header, column], rows)
    return column


def _item_rows(job: Job, name: str, keys: dict[str, None]) -> dict[str, Any]:
    columns, batches = _opened(job, name)
    key = _column(name, columns, "item_id", 0)
    features = {short: column for short, column in columns.items() if column != key}
    tally = job.tally(name)
    roles: dict[str, Any] = {}
    for batch in batches:
        if not roles:
            roles = {short: _role(job, name, short, column, batch) for short, column in features.items()}
        full = filled(batch, key)
        tally.drop(EMPTY, int((~full).sum()), batch.places(np.flatnonzero(~full)))
        rows = batch.columns[key].to_pylist()
        new = np.array([bool(full[i]) and _first(keys, item) for i, item in enumerate(rows)], dtype=bool)
        again = np.flatnonzero(full & ~new)
        tally.drop("has the key of an earlier row", len(again), batch.places(again))
        written = {short: _cells(batch.columns[column], roles[short]) for short, column in features.items()}
        job.append("items.csv", pa.table({"item_id": batch.columns[key], **written}).filter(pa.array(new)))
        tally.report.used += int(new.sum())
    job.close(tally)
    return roles


def _first(keys: dict[str, None], item: str) -> bool:
    new = item not in keys
    keys[item] = None
    return new


def _cells(column: pa.Array, role: Any) -> pa.Array:
    """A column in the format of its role: vectors as JSON arrays."""
    if role != "vector":
        return column
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\s+", ", ")
    return pc.if_else(pc.equal(plain, ""), "", pc.binary_join_element_wise("[", plain, "]", ""))


def _role(job: Job, name: str, short: str, column: str, batch: Batch) -> Any:
    role, reason = _decided(short, column.rpartition(":")[2], batch.columns[column])
    shown = role if isinstance(role, str) else role["as"]
    job.remarks.append(
        f"{name}: {column} is {'an' if shown == 'ignore' else 'a'} {shown}, since {reason}.".replace(
            "is an ignore", "is left out"
        )
    )
    return role


def _decided(short: str, type_: str, values: pa.Array) -> tuple[Any, str]:
    full = values.filter(pc.not_equal(values, ""))
    if type_ == "float_seq":
        return "vector", "it is a float_seq"
    if type_ == "float":
        return "number", "it is a float"
    if _LABEL.fullmatch(short):
        return "label", "its name is that of a label"
    mean = float(pc.mean(pc.utf8_length(full)).as_py() or 0)
    if _TEXT.fullmatch(short) or mean > _LONG:
        return "text", "its values are long" if mean > _LONG else "its name is that of a text"
    if type_ == "token_seq":
        return {
            "as": "node",
            "type": _type(short),
            "edge": short,
            "split": " ",
        }, "it is a token_seq, split at spaces"
    return _token(short, full)


def _token(short: str, full: pa.Array) -> tuple[Any, str]:
    _, _, bad = cells.numbers(full)
    distinct = len(pc.unique(full))
    if len(full) and "year" in short.lower() and len(bad) <= 0.01 * len(full):
        return "number", "it is a year"
    if distinct > 20 and distinct > 0.9 * len(full):
        return "ignore", "its values rarely repeat"
    return {"as": "category", "type": _type(short), "edge": short}, "it is a token"


def _type(short: str) -> str:
    """A valid name of a node type other than `item` and `entity`."""
    name = re.sub(r"[^\w.\-]+", "_", short).strip("_.-") or "value"
    return f"{name}_" if name in ("item", "entity") else name


# knowledge


def _links(job: Job) -> dict[str, list[str]]:
    """Entity -> its items."""
    name = _one(job, ".link")
    linked: dict[str, list[str]] = {}
    if name is None:
        return linked
    columns, batches = _opened(job, name)
    tally = job.tally(name)
    item, entity = _column(name, columns, "item_id", 0), _column(name, columns, "entity_id", 1)
    for batch in batches:
        full = filled(batch, item) & filled(batch, entity)
        tally.drop(EMPTY, int((~full).sum()), batch.places(np.flatnonzero(~full)))
        kept = [batch.columns[c].filter(pa.array(full)).to_pylist() for c in (item, entity)]
        for item_id, entity_id in zip(*kept, strict=True):
            linked.setdefault(entity_id, []).append(item_id)
        tally.report.used += int(full.sum())
    job.close(tally)
    shared = [entity_id for entity_id, items in linked.items() if len(items) > 1]
    if shared:
        job.remarks.append(
            f"{name}: entities with several items: {len(shared):,}, such as {shared[0]}; each item gets the triples of the entity."
        )
    return linked


def _knowledge(job: Job, name: str, linked: dict[str, list[str]]) -> None:
    columns, batches = _opened(job, name)
    ends = [_column(name, columns, like, at) for at, like in enumerate(("head_id", "relation_id", "tail_id"))]

    def entity(key: str) -> list[str]:
        return [node_iri(job.mapping["base"], "item", item) for item in linked.get(key, [])] or [
            iri_of("entity", key)
        ]

    knowledge = TripleWriter(job, entity, relation_iri)
    for batch in batches:
        knowledge.add(batch, *ends)
    job.close(job.tally(name))
    knowledge.add_names(names_of(job, "entity", knowledge.met))
    job.mapping["rdf"] = knowledge.mapped()
    if not linked:
        job.remarks.append(
            f"There is no .link file, so no entity of {name} is an item: the triples are not linked to the items."
        )
