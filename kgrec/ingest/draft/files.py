"""Which file is what: tables of nodes with their keys, and logs of interactions.

Enters: samples. Leaves: the same, with `key` and `type`, or `item`, decided.
"""

from __future__ import annotations

import re
from pathlib import Path

from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import is_long, is_unique, overlap

USER = re.compile(r"(user|customer|visitor|member|account|uid)([_ ]?(id|key))?", re.IGNORECASE)
_ITEM = re.compile(
    r"(item|product|movie|book|article|paper|artist|track|song|asin|sku|iid)s?([_ ]?(id|key))?", re.I
)
VALUE = re.compile(r"rating|score|stars|value|count|weight|quantity|plays?", re.IGNORECASE)
TIME = re.compile(r"time(stamp)?|date|ts|created(_at)?|at", re.IGNORECASE)
LABEL = ("title", "name", "label", "headline")
_NAMED_ID = re.compile(r"(.*[_ .-])?(id|key|code|sku|asin|isbn|uri|iri)|.*Id", re.IGNORECASE)


def tables_and_logs(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Samples with a key, and samples of users and items; the rest is left out, which `reasons` says."""
    for sample in samples:
        sample.item = named_item(sample)
        if not sample.item:
            _find_key(sample)
    tables = [sample for sample in samples if sample.key]
    for sample in samples:
        if not sample.key and not sample.item:
            sample.item = _keyed_item(sample, tables)
            if not sample.item:
                sample.why("*", "left out", "no column is filled and unique")
    logs = [sample for sample in samples if sample.item]
    for log in logs[1:]:
        log.why("*", "left out", f"a mapping has one log, and {logs[0].source.name} is taken")
    return tables, logs


def named_item(sample: Sample) -> str:
    """The column of the item in what looks like a log by the names of its columns; "" elsewhere."""
    names = list(sample.columns)
    user, item = first_like(names, USER), _item_column(names)
    is_log = user is not None and item is not None and not is_unique(sample.columns[item])
    return item or "" if is_log else ""


def _keyed_item(sample: Sample, tables: list[Sample]) -> str:
    """The column that holds keys of a table, where there are users, too; "" elsewhere."""
    taken = (USER, VALUE, TIME)
    if first_like(list(sample.columns), USER) is None:
        return ""
    rest = [name for name in sample.columns if not any(pattern.fullmatch(name) for pattern in taken)]
    keys = [table.columns[table.key] for table in tables]
    fits = (name for name in rest if any(overlap(sample.columns[name], key) >= 0.9 for key in keys))
    return next(fits, "")


def _item_column(names: list[str]) -> str | None:
    rest = [name for name in names if not USER.fullmatch(name)]
    named = [name for name in rest if _NAMED_ID.fullmatch(name)]
    return first_like(rest, _ITEM) or (named[0] if named else None)


def first_like(names: list[str], pattern: re.Pattern[str]) -> str | None:
    """The first of some names that matches a pattern."""
    return next((name for name in names if pattern.fullmatch(name)), None)


def _find_key(sample: Sample) -> None:
    unique = [name for name, array in sample.columns.items() if is_unique(array)]
    named = [name for name in unique if _NAMED_ID.fullmatch(name)]
    plain = [name for name in unique if not is_long(sample.columns[name]) and name.lower() not in LABEL]
    chosen = next(iter(named or plain), None)
    if chosen is None:
        return
    sample.key, sample.type = chosen, type_name(sample.source.path)
    named_so = " and named like an id" if named else ""
    sample.why(chosen, "key", f"it is filled and unique in the rows looked at{named_so}")


def type_name(path: Path) -> str:
    """What a file's nodes are, in the singular."""
    stem = re.sub(r"\W+", "_", path.name.partition(".")[0]).strip("_").lower() or "item"
    if stem.endswith("ies") and stem not in ("movies", "series", "cookies"):
        return stem[:-3] + "y"
    return stem[:-1] if stem.endswith("s") and not stem.endswith(("ss", "series")) else stem


def item_table(tables: list[Sample], log: Sample | None) -> Sample:
    """The table whose keys the log has, or the first."""
    if log is None:
        return tables[0]
    taken = log.columns[log.item]
    return max(tables, key=lambda table: overlap(taken, table.columns[table.key]))
