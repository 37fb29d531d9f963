"""Decides which files are logs, and which are tables of nodes.

Enters: samples, and all identifiers. Leaves: the tables, and the `Log`s that are read, surest first; copies, held-out parts and
tables of tags are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.keys import held_by
from kgrec.ingest.draft.logs import ENOUGH, Log, log_of
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Target, shown

#: evidence from which on a file with a key is a table of nodes, although its columns might be those of a log
SURELY_NODES = 4
#: share of the rows from which on one log is a copy of another
_COPY = 0.9


def split(samples: Sequence[Sample], targets: Sequence[Target]) -> tuple[list[Sample], list[Sample]]:
    """Tables of nodes, and the files that are logs or have no key."""
    used = uses(samples, targets)
    tables: list[Sample] = []
    rest: list[Sample] = []
    for sample in samples:
        others = [target for target in targets if target.table is not sample]
        log = log_of(sample, held_by(sample, others), others)
        is_log = log is not None and log.score >= ENOUGH
        if not sample.has_names:
            is_log = log is not None and ("time" in log.columns or log.kinds is not None)
        if log is not None and log.score >= ENOUGH - 1 and names.is_held_out(sample.source.path):
            rest.append(sample)
            continue
        is_table = sample.key is not None and not (is_log and signs_of_nodes(sample, used) < SURELY_NODES)
        (tables if is_table else rest).append(sample)
    return tables, rest


def signs_of_nodes(sample: Sample, used: Mapping[tuple[int, str], int]) -> int:
    """How much a file with a key looks like a table of nodes."""
    key, signs = sample.key or "", 0
    if not names.is_of_rows(key) and not (names.is_plain_id(key) and names.is_of_rows(sample.type)):
        of_its_own = names.item_rank(key) > 1 or names.user_rank(key) > 1 or names.base(key) == sample.type
        signs += 3 if of_its_own else 2 if names.item_rank(sample.type) and names.is_plain_id(key) else 0
    signs += 2 * bool(used.get((id(sample), key)))
    signs += names.is_id(key)
    return signs + any(
        names.words(name)[-1:] in [(label,) for label in names.LABELS] for name in sample.plain
    )


def uses(samples: Sequence[Sample], targets: Sequence[Target]) -> dict[tuple[int, str], int]:
    """(table, column) -> number of columns in other files that hold its identifiers, also according to their names."""
    counts: dict[tuple[int, str], int] = {}
    for sample in samples:
        for found in held_by(sample, targets).values():
            best = found[0]
            if best.target.table not in (None, sample) and best.strength >= 2 and best.named >= 2:
                place = (id(best.target.table), best.target.column)
                counts[place] = counts.get(place, 0) + 1
    return counts


def chosen_logs(rest: Sequence[Sample], targets: Sequence[Target], doubts: Doubts) -> list[Log]:
    """The logs, surest first; copies, held-out parts and tables of tags are left out."""
    found = [log_of(sample, held_by(sample, targets), targets) for sample in rest]
    logs = [
        log
        for log in found
        if log is not None
        and (log.score >= ENOUGH - names.is_held_out(log.sample.source.path) or not log.sample.has_names)
    ]
    logs.sort(
        key=lambda log: (
            names.is_held_out(log.sample.source.path),
            -log.score,
            -names.log_rank(log.sample.source.path),
            -_size(log.sample),
            log.sample.source.name,
        )
    )
    kept: list[Log] = []
    tags = [log for log in logs if _has_tags(log, targets)]
    if len(tags) < len(logs):
        logs = [log for log in logs if log not in tags]
    for log in logs:
        why = _why_no_log(log, kept, doubts)
        if why:
            log.sample.why("*", "left out", why)
            log.sample.left_out = why
        else:
            kept.append(log)
    return _checked(kept, doubts)


def _size(sample: Sample) -> int:
    return (
        sample.rows
        if sample.rest is None
        else sum(one.source.path.stat().st_size for one in (sample, *sample.parts))
    )


def _why_no_log(log: Log, kept: Sequence[Log], doubts: Doubts) -> str:
    """Reason to leave a log out: it is held out, or is a copy of another one; "" if it is read."""
    name = log.sample.source.name
    if kept and names.is_held_out(log.sample.source.path):
        return "its name is that of test rows, which must not be learned from: see kgrec evaluate"
    for other in kept:
        share, back = (
            looks.overlap(_rows(log, other), _rows(other, log)),
            looks.overlap(_rows(other, log), _rows(log, other)),
        )
        if share < _COPY:
            continue
        if back >= _COPY or _are_timed(log, other):
            return f"{shown(share)} of its rows are in {other.sample.source.name}"
        doubts.warn(
            f"{shown(share)} of the pairs of user and item of {name} are in {other.sample.source.name}, too.",
            f"If {name} is a part of it, leave it out.",
        )
    return ""


def _are_timed(log: Log, other: Log) -> bool:
    return "time" in log.columns and "time" in other.columns


def _rows(log: Log, other: Log) -> pa.Array:
    """The rows as text: user, item, and the value, time and event that both logs have."""
    shared = [role for role in log.columns if role in other.columns]
    columns = [pc.utf8_trim_whitespace(log.sample.columns[log.columns[role][0]]) for role in shared]
    return pc.binary_join_element_wise(*(column.cast(pa.string()) for column in columns), "\x1f")


_TAGS = ("tag", "tags", "label", "genre", "category", "keyword", "shelf", "collection", "topic", "list")


def _has_tags(log: Log, targets: Sequence[Target]) -> bool:
    """Whether the rows only record that users gave tags to items."""
    if log.kinds is not None or "value" in log.columns or not log.sample.has_names:
        return False
    held = held_by(log.sample, targets)
    for name in log.sample.plain:
        best = next(iter(held.get(name, ())), None)
        is_ref = best is not None and best.strength >= 2 and not best.target.are_users
        if name not in (log.user, log.item) and (
            is_ref or names.words(name)[-1:] in [(tag,) for tag in _TAGS] or names.base(name) in _TAGS
        ):
            return True
    return False


def _checked(logs: list[Log], doubts: Doubts) -> list[Log]:
    """The logs; doubtful logs are asked about or marked."""
    if len(logs) > 1 and logs[0].score == ENOUGH:
        first, why = doubts.choose(
            "Which file has the interactions of users with items?",
            [str(log) for log in logs],
            "its columns and its name fit best",
        )
        logs = [logs[first]]
        logs[0].sample.why("*", "interactions", why)
    for log in logs:
        if log.sample.has_names and "most distinct" in log.columns["user"][1]:
            doubts.warn(
                f"{log.sample.source.name}: no column is named like users; {log.user} is taken, since {log.columns['user'][1]}.",
                "If the file is not a log, take `interactions:` out.",
            )
    return logs
