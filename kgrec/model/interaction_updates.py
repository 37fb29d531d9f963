"""Interactions since training: read them and add them to the histories, without retraining.

Enters: a `Model`, and a table or a frame of interactions. Leaves: `InteractionUpdates`, and another `Model`. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kgrec.errors import SourceError, did_you_mean
from kgrec.graph.interactions import Interactions
from kgrec.graph.live_histories import LiveHistories, NewInteractions
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.batches import Table
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.interaction_files import describing, matching
from kgrec.ingest.interaction_rows import InteractionRows, ItemCodes, LogReader
from kgrec.ingest.mapping.schema import ErrorPolicy, InteractionTable
from kgrec.ingest.table_files import frame_table
from kgrec.model.model import Model
from kgrec.storage.files import digest

#: columns of tables that do not use the names of the mapping
USER, ITEM, TIME = "user_id", "item_id", "time"
#: largest share of bad rows, unless the mapping allows more; in a small table a single bad row is a large share
_STOP_ABOVE = 0.5

#: seconds since 1970
Clock = Callable[[], float]


@dataclass(frozen=True)
class InteractionUpdates:
    """Interactions to add, with rows of the model."""

    rows: NewInteractions
    #: users that the model does not know
    new_users: list[str]
    #: number of distinct users
    n_users: int
    report: Report
    #: name of the file -> SHA-256; empty for a frame
    inputs: dict[str, str]


def read_interaction_updates(model: Model, rows: Any, clock: Clock = time.time) -> InteractionUpdates:
    """Read interactions.

    Args:
        model: Knows the items; is not modified.
        rows: The path of a table, a frame, or `Interactions`. Columns have the names of the mapping, or are user_id, item_id and
            time. The mapping's rule decides which rows are positive; if its value column is missing, all rows are positive.
        clock: Gives the time of rows without a time, if other interactions have times; such rows are the newest.

    Raises:
        SourceError: A column is missing, or no row can be used.
        TooManyBadRows: More than half of the rows are bad, or more than the mapping allows if its limit is higher.
    """
    report, inputs = Report(), dict[str, str]()
    if isinstance(rows, Interactions):
        log = _of_items(rows, model, report)
    else:
        table, mapped, inputs = opened(model, rows)
        log = _read(table, mapped, model, report)
    users = model.users.ids(log.users.labels)
    new = np.flatnonzero(users < 0)
    users[new] = len(model.users) + np.arange(len(new))
    times = _times(log, model, clock)
    columns = (users[log.user], log.item, log.positive, log.count, times)
    added = NewInteractions(*columns, weight=_weights(log, model))
    names = [log.users[row] for row in new.tolist()]
    return InteractionUpdates(added, names, len(log.users), report, inputs)


def opened(model: Model, rows: Any) -> tuple[Table, InteractionTable, dict[str, str]]:
    """A table of interactions, the mapping of its columns, and the SHA-256 of its file by name (empty for a frame).

    Args:
        model: Has the mapping.
        rows: The path of a table, or a frame.

    Raises:
        SourceError: The file cannot be read, or a column is missing.
    """
    if isinstance(rows, str | Path):
        table, mapped = matching(Path(rows), model.mapping.interactions)
        return table, _with_time(mapped, table), {Path(rows).name: digest(Path(rows))}
    named = [name for one in model.mapping.interactions for name in (one.user, one.item_column)]
    table = frame_table(rows, "interactions", [USER, ITEM, *named])
    return table, _with_time(describing(table, model.mapping.interactions), table), {}


def read_log(
    table: Table, mapped: InteractionTable, model: Model, report: Report, item_codes: ItemCodes
) -> InteractionRows:
    """The rows of a table of interactions; the report counts the rows that are left out.

    Raises:
        SourceError: A column is missing.
        TooManyBadRows: More than half of the rows are bad, or more than the mapping allows if its limit is higher.
    """
    policy = model.mapping.errors
    tolerant = policy.model_copy(update={"stop_above": max(_STOP_ABOVE, policy.stop_above)})
    log = InteractionRows.of([mapped])
    reader = LogReader(log, mapped, report, item_codes)
    reader.read(table, Tally(table.name, report.file(table.name), tolerant))
    reader.close()
    return log


def with_interaction_updates(model: Model, new: InteractionUpdates) -> Model:
    """Return a model whose histories include these interactions; `model` does not change."""
    inputs = {f"added/{sha[:12]}/{name}": sha for name, sha in new.inputs.items()}
    larger = model.with_interactions(new.new_users, new.rows)
    return replace(larger, inputs={**model.inputs, **inputs}) if inputs else larger


def item_names_by(model: Model, reference: str | None, keys: list[str]) -> list[str]:
    """Ids of items from the keys of one item type, or from another key column; `reference` as in `InteractionTable`."""
    if reference is None:
        return keys
    target = model.mapping.references.find(reference)
    names = [f"{target.name}/{key}" for key in keys]
    if target.column is not None:
        return names
    # a key that only one item type has is a complete id
    known = model.items.rows(names) >= 0
    return [name if there else key for name, key, there in zip(names, keys, known, strict=True)]


def _read(table: Table, mapped: InteractionTable, model: Model, report: Report) -> Interactions:
    by = mapped.item_reference
    log = read_log(
        table,
        mapped,
        model,
        report,
        lambda keys: model.items.rows(item_names_by(model, by, keys.to_pylist())),
    )
    read = Interactions.from_log(log, model.items.ids)
    used = sum(map(len, log.user))
    report.repeated_pairs = used - len(read)
    _check_any(table.name, used, report, model)
    return read


def _of_items(given: Interactions, model: Model, report: Report) -> Interactions:
    """Interactions with item rows of the model; those with unknown items are counted."""
    rows = model.items.rows(given.items.tolist())
    known = rows[given.item] >= 0
    unknown = [given.items[item] for item in given.item[~known][:10].tolist()]
    counts = report.file("interactions")
    counts.rows, counts.used = len(given), int(known.sum())
    tally = Tally("interactions", counts, ErrorPolicy())
    tally.drop("names an unknown item", len(given) - counts.used, unknown)
    report.unknown_items.add(len(given) - counts.used, unknown)
    _check_any("interactions", counts.used, report, model)
    some = given.rows(known)
    users, user = np.unique(some.user, return_inverse=True)
    return replace(
        some,
        users=Vocabulary(given.users.take(users)),
        items=model.items.ids,
        user=user.astype(np.int32),
        item=rows[some.item].astype(np.int32),
    )


def _check_any(name: str, used: int, report: Report, model: Model) -> None:
    """Raise SourceError if no row of a table can be used."""
    if used:
        return
    counts = report.file(name)
    if not counts.rows:
        raise SourceError(f"{name} has no rows.", "Give one user and one item per row.")
    first = report.unknown_items.first[:1]
    why = ", ".join(
        f"{places.count:,} {reason.split(' ', 1)[1]}" for reason, places in counts.dropped.items()
    )
    where = f", first {first[0]}" if first else ""
    remedy = "Correct the rows, or add their items first."
    if first:
        item = first[0].rpartition(': "')[2].removesuffix('"')
        remedy = f"{did_you_mean(item, model.items.ids.sorted_labels)} {remedy}"
    raise SourceError(f"{name}: none of {counts.rows:,} interactions can be used ({why}{where}).", remedy)


def _with_time(mapped: InteractionTable, table: Table) -> InteractionTable:
    """The columns to read, with a column called time added."""
    if mapped.order_keys or TIME not in table.columns:
        return mapped
    return mapped.model_copy(update={"time": TIME})


def _weights(log: Interactions, model: Model) -> np.ndarray | None:
    """Weights as multiples of the mean weight in training, float32; None if neither these interactions nor those of training have weights."""
    trained = model.graph().interactions
    if log.weight is None and trained.weight is None:
        return None
    own = np.ones(len(log), np.float32) if log.weight is None else log.weight
    known = None if trained.weight is None else trained.weight[trained.positive]
    mean = 1.0 if known is None or not len(known) else float(known.mean(dtype=np.float64))
    # a row without a weight gets the mean
    return own if log.weight is None else np.asarray(own / mean, np.float32)


def _times(log: Interactions, model: Model, clock: Clock) -> np.ndarray | None:
    """Seconds since 1970, the clock's for rows without a time; None if no interactions have times, or the model's have positions."""
    given = np.zeros(len(log), np.int64) if log.time is None else log.time
    if not given.any() and not LiveHistories.of(model.histories).has_times:
        return None
    return np.where(given == 0, np.int64(clock()), given)
