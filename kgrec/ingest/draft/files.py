"""Which file is what: tables of nodes with their keys, and the log of interactions.

Enters: samples, and the identifiers that RDF has. Leaves: `Files`; in the samples `key` and `type`, or `log`, decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.draft.dates import date_form
from kgrec.ingest.draft.logs import (
    Choices,
    Keys,
    is_log_by_values,
    is_named_log,
    log_by_values,
    may_be_ids,
    named_log,
)
from kgrec.ingest.draft.names import ITEM, LABELS, NAMED_ID, type_of_file, type_of_key, unique
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import (
    distinct,
    filled,
    is_clock,
    is_long,
    is_unique,
    mean_length,
    numbers_of,
    overlap,
)
from kgrec.ingest.statements import RESOURCE

#: share of the rows that may repeat a key which is named like one
_REPEATED = 0.005
#: keys that have nothing in common for having one name
_PLAIN_KEYS = ("id", "key")


@dataclass(frozen=True)
class Files:
    """What the files are."""

    tables: list[Sample]
    log: Sample | None
    #: what is recommended
    item: Keys


def sort_files(samples: list[Sample], of_rdf: Sequence[Keys], otherwise: SourceError | None = None) -> Files:
    """Tell tables from logs, and find their keys; what is left out, `reasons` says.

    Args:
        samples: Of tables and logs.
        of_rdf: Identifiers that RDF has.
        otherwise: What is wrong if nothing can be the items; None: what the samples say.

    Raises:
        SourceError: Nothing can be the items.
    """
    for sample in samples:
        if not is_named_log(sample):
            _find_key(sample)
    _name_types(samples)
    tables = [sample for sample in samples if sample.key is not None]
    for sample in tables:
        others = [*(keys_of(other) for other in tables if other is not sample), *of_rdf]
        if is_log_by_values(sample, others):
            sample.key = None
    tables = [sample for sample in tables if sample.key is not None]
    all_keys = [*map(keys_of, tables), *of_rdf]
    log = _log_of([sample for sample in samples if sample.key is None], all_keys)
    if not all_keys:
        raise otherwise or _no_items(log)
    item = _items(all_keys, log)
    return Files(_kept(tables, log, item), log, item)


def keys_of(table: Sample) -> Keys:
    """The identifiers of a table's nodes."""
    texts = [array for array in table.columns.values() if not cells.is_list(array)]
    return Keys(table.type, table.keys, max(map(mean_length, map(filled, texts)), default=0.0), table)


def _find_key(sample: Sample) -> None:
    """Decide the key, and why; it stays None if no column can be one."""
    names = [name for name, array in sample.columns.items() if not cells.is_list(array)]
    alone = [name for name in names if is_unique(sample.columns[name])]
    named = [name for name in alone if NAMED_ID.fullmatch(name)]
    usual = [name for name in named if name.lower() in _usual_keys(sample)]
    rest = [name for name in alone if not _is_time(sample, name)]
    ids = [name for name in rest if may_be_ids(sample.columns[name])]
    short = [name for name in rest if not is_long(sample.columns[name]) and name.lower() not in LABELS]
    # a column without a name counts the rows: the last resort
    plain = [name for name in [*ids, *short] if name] or ids
    sample.key = next(iter(usual or named or plain), None)
    if sample.key is not None:
        named_so = " and named like an id" if named else ""
        sample.why_key = f"it is filled and unique in the rows looked at{named_so}"
    else:
        _find_nearly_key(sample, [name for name in names if NAMED_ID.fullmatch(name)])


def _is_time(sample: Sample, name: str) -> bool:
    array = sample.columns[name]
    return bool(is_clock(array)) or (numbers_of(array) is None and date_form(array, name) is not None)


def _usual_keys(sample: Sample) -> tuple[str, ...]:
    type_ = type_of_file(sample.source.path)
    return (*_PLAIN_KEYS, f"{type_}_id", f"{type_}id")


def _find_nearly_key(sample: Sample, names: Sequence[str]) -> None:
    for name in names:
        array = sample.columns[name]
        repeated = len(array) - distinct(array)
        if len(filled(array)) == len(array) and repeated <= _REPEATED * len(array):
            sample.key = name
            sample.why_key = f"it is named like an id, and only {repeated:,} of the rows looked at repeat one"
            return


def _name_types(samples: list[Sample]) -> None:
    # nodes of RDF that have no type are resources, and would be items if these were
    taken = {RESOURCE}
    for sample in samples:
        if sample.key is not None:
            sample.type = unique(type_of_file(sample.source.path), taken)
            taken.add(sample.type)


def _log_of(samples: list[Sample], all_keys: Sequence[Keys]) -> Sample | None:
    """The first log among the files that are no tables; the others are left out."""
    log = None
    for sample in samples:
        choices = named_log(sample, all_keys) if is_named_log(sample) else log_by_values(sample, all_keys)
        if not choices:
            sample.why("*", "left out", "no column is filled and unique")
        elif log is not None:
            sample.why("*", "left out", f"a mapping has one log, and {log.source.name} is taken")
        else:
            log = sample
            _note_log(log, choices)
    return log


def _note_log(log: Sample, choices: Choices) -> None:
    log.log = {role: name for role, (name, _) in choices.items()}
    if not log.has_names:
        log.rename({name: role for role, name in log.log.items()})
    for role, (_, why) in choices.items():
        log.why(log.log[role], role, why)


def _no_items(log: Sample | None) -> SourceError:
    if log is None:
        return SourceError(
            "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
        )
    return SourceError(
        f"{log.source.name} says who took what, and no file has the items.",
        "Name a table with an item a row as well, or RDF: kgrec init items.csv ratings.csv",
    )


def _items(all_keys: list[Keys], log: Sample | None) -> Keys:
    """The keys that the log has, of several those that are called so, are most, or are covered best; or have words.

    Without a log, what is called items, else the first, tables before RDF.
    """
    if log is None:
        return max(all_keys, key=_likely)
    name = log.log["item"]
    taken = log.columns[name]

    def fit(keys: Keys) -> tuple[bool, bool, bool, float, float, float]:
        share, cover = round(overlap(taken, keys.values), 2), round(overlap(keys.values, taken), 1)
        is_named = log.has_names and keys.type == type_of_key(name)
        return share >= 0.9, not keys.are_users, is_named, share, cover, keys.words

    return max(all_keys, key=fit)


def _likely(keys: Keys) -> tuple[bool, bool, bool]:
    return not keys.are_users, keys.table is not None, ITEM.fullmatch(keys.type) is not None


def _kept(tables: list[Sample], log: Sample | None, item: Keys) -> list[Sample]:
    """The tables but those of the log's users, and further ones of the items."""
    kept = []
    for table in tables:
        why = "" if table is item.table else _of_users(table, log) or _of_items(table, item)
        if why:
            table.why("*", "left out", why)
        else:
            kept.append(table)
    return kept


def _of_users(table: Sample, log: Sample | None) -> str:
    """Why a table is of users: a user is the items that he or she took, and no node."""
    keys = keys_of(table)
    if log is None or not keys.are_users or overlap(log.columns[log.log["user"]], keys.values) < 0.5:
        return ""
    return f"its keys are the users of {log.source.name}, and facts about users are not read"


def _of_items(table: Sample, item: Keys) -> str:
    """Why a table says more about the items, in a file of its own."""
    other = item.table
    if other is None or table.key is None or table.key != other.key or table.key.lower() in _PLAIN_KEYS:
        return ""
    if overlap(table.keys, item.values) < 0.9:
        return ""
    return f"it has the keys of {other.source.name}, and a type has one table: join the two"
