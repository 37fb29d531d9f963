"""Tables of nodes with their keys, and the log of interactions with its columns.

Enters: samples, and identifiers in RDF. Leaves: `DraftFiles`, samples with `key` and `type`, or with `log`; and the log's
lines of kgrec.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.draft import looks
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.looks import ITEM, LABELS, NAMED_ID, TIME, USER, VALUE
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.statements import RESOURCE

#: share of the rows that may repeat a key, if its column is named like an id
_REPEATED = 0.005
#: names of keys so common that equal names mean nothing
_PLAIN_KEYS = ("id", "key")
#: up to this many distinct numbers are few
_MAX_SCALE_VALUES = 101
_BY_NAME = "its name fits, in a file of users and items"
#: a column, and the reason
_Choice = tuple[str, str]


@dataclass(frozen=True)
class Keys:
    """Identifiers that a column of the log may hold: keys of a table, or nodes of an RDF class."""

    type: str
    values: pa.Array
    #: mean length, in characters, of the longest column of text: items have longer texts than users
    words: float = 0.0
    #: the table; None for a class of RDF
    table: Sample | None = None

    @property
    def are_users(self) -> bool:
        """Whether the nodes, or their keys, are called users."""
        return any(USER.fullmatch(name) for name in (self.type, (self.table and self.table.key) or ""))


@dataclass(frozen=True)
class DraftFiles:
    """The tables, the log, and the keys of the items."""

    tables: list[Sample]
    log: Sample | None
    #: keys of the items
    item: Keys


def sort_files(
    samples: list[Sample], of_rdf: Sequence[Keys], otherwise: SourceError | None = None
) -> DraftFiles:
    """Separate tables from logs, and find their keys; files that are left out get a reason.

    Args:
        samples: Samples of tables and logs.
        of_rdf: Identifiers in RDF.
        otherwise: Error to raise if nothing can be the items; None: one about the samples.

    Raises:
        SourceError: Nothing can be the items.
    """
    # RDF nodes without a type are resources: no table may have this type
    taken = {RESOURCE}
    for sample in samples:
        if _named_pair(sample) is None:
            _find_key(sample)
        if sample.key is not None:
            sample.type = looks.unique(looks.type_of_file(sample.source.path), taken)
            taken.add(sample.type)
    tables = [sample for sample in samples if sample.key is not None]
    for sample in tables:
        others = [_keys_of(other) for other in tables if other is not sample and other.key is not None]
        if _has_events(sample, [*others, *of_rdf]):
            sample.key = None
    tables = [sample for sample in tables if sample.key is not None]
    all_keys = [*map(_keys_of, tables), *of_rdf]
    log = _log_of([sample for sample in samples if sample.key is None], all_keys)
    if not all_keys:
        raise otherwise or _no_items(log)
    item = _items(all_keys, log)
    left_out = {sample.source: _why_left_out(sample, log, item) for sample in tables}
    for sample in tables:
        if left_out[sample.source]:
            sample.why("*", "left out", left_out[sample.source])
    return DraftFiles([sample for sample in tables if not left_out[sample.source]], log, item)


def log_lines(log: Sample) -> Iterator[str]:
    """Lines under `interactions:`."""
    yield "interactions:"
    yield from (f"  {line}" for line in log.file_lines())
    yield from (f"  {role}: {written(name)}" for role, name in log.log.items())
    if "time" in log.log:
        form = looks.date_form(looks.filled(log.columns[log.log["time"]]), log.log["time"])
        if form is not None and form.format:
            yield f"  time_format: {written(form.format)}"
    if "value" in log.log and _are_stars(log.columns[log.log["value"]]):
        log.why(log.log["value"], "positive: >= 4", "it looks like ratings from 1 to 5")
        yield '  positive: ">= 4"'


# tables


def _keys_of(table: Sample) -> Keys:
    lengths = [looks.mean_length(looks.filled(table.columns[name])) for name in table.plain]
    return Keys(table.type, table.keys, max(lengths, default=0.0), table)


def _find_key(sample: Sample) -> None:
    """Set the key and its reason; the key stays None if no column can be one."""
    arrays, type_ = sample.columns, looks.type_of_file(sample.source.path)
    alone = [name for name in sample.plain if looks.is_unique(arrays[name])]
    named = [name for name in alone if NAMED_ID.fullmatch(name)]
    usual = [name for name in named if name.lower() in (*_PLAIN_KEYS, f"{type_}_id", f"{type_}id")]
    rest = [name for name in alone if not _is_time(arrays[name], name)]
    ids = [name for name in rest if _may_be_ids(arrays[name])]
    short = [name for name in rest if not looks.is_long(arrays[name]) and name.lower() not in LABELS]
    # a column without a name usually numbers the rows: the last resort
    plain = [name for name in [*ids, *short] if name] or ids
    for name in usual or named or plain:
        sample.key = name
        like = " and named like an id" if named else ""
        sample.why_key = f"it is filled and unique in all sampled rows{like}"
        return
    for name in (name for name in sample.plain if NAMED_ID.fullmatch(name)):
        array = arrays[name]
        repeated = len(array) - looks.distinct(array)
        if len(looks.filled(array)) == len(array) and repeated <= _REPEATED * len(array):
            sample.key = name
            sample.why_key = (
                f"it is named like an id, and only {repeated:,} of the sampled rows repeat a value"
            )
            return


def _is_time(array: pa.Array, name: str) -> bool:
    if looks.numbers_of(array) is not None:
        return bool(looks.clock_of(array))
    return looks.date_form(array, name) is not None


def _may_be_ids(array: pa.Array) -> bool:
    """Whether the values are short, have no spaces, and are not fractions."""
    full = looks.filled(array)
    if not len(full) or looks.is_long(full) or len(full) < 0.9 * len(array):
        return False
    return looks.share(full, r"\S\s+\S|^[+-]?\d*[.,]\d+$") < 0.1


def _items(all_keys: list[Keys], log: Sample | None) -> Keys:
    """The keys of the items: those in the log's item column, the best by name, share, coverage and length of texts.

    Without a log: those named like items, or else the first, tables before RDF.
    """
    if log is None:
        return max(
            all_keys, key=lambda k: (not k.are_users, k.table is not None, ITEM.fullmatch(k.type) is not None)
        )
    name = log.log["item"]
    taken = log.columns[name]

    def fit(keys: Keys) -> tuple[bool, bool, bool, float, float, float]:
        share = round(looks.overlap(taken, keys.values), 2)
        cover = round(looks.overlap(keys.values, taken), 1)
        is_named = log.has_names and keys.type == looks.type_of_key(name)
        return share >= 0.9, not keys.are_users, is_named, share, cover, keys.words

    return max(all_keys, key=fit)


def _why_left_out(table: Sample, log: Sample | None, item: Keys) -> str:
    """Reason why a table is not read: it describes users, who are no nodes, or repeats the items; "" if it is read."""
    if table is item.table:
        return ""
    is_of_users = log is not None and _keys_of(table).are_users
    if log is not None and is_of_users and looks.overlap(log.columns[log.log["user"]], table.keys) >= 0.5:
        return f"its keys are the users of {log.source.name}, and attributes of users are not read"
    other, key = item.table, table.key or ""
    if other is None or key != other.key or key.lower() in _PLAIN_KEYS:
        return ""
    if looks.overlap(table.keys, item.values) < 0.9:
        return ""
    return f"it has the keys of {other.source.name}, and a type has one table: join the two"


# the log


def _log_of(samples: list[Sample], all_keys: Sequence[Keys]) -> Sample | None:
    """The first log among the files that are not tables; the others are left out."""
    log = None
    for sample in samples:
        choices = _log_columns(sample, all_keys)
        if not choices:
            sample.why("*", "left out", "no column is filled and unique")
        elif log is not None:
            sample.why("*", "left out", f"a mapping has one log, and {log.source.name} is taken")
        else:
            log = sample
            log.log = {role: name for role, (name, _) in choices.items()}
            if not log.has_names:
                log.rename({name: role for role, name in log.log.items()})
            for role, (_, why) in choices.items():
                log.why(log.log[role], role, why)
    return log


def _no_items(log: Sample | None) -> SourceError:
    if log is None:
        return SourceError(
            "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
        )
    return SourceError(
        f"{log.source.name} is a log of interactions, and no file has the items.",
        "Also name a table with one item per row, or RDF: kgrec init items.csv ratings.csv",
    )


def _has_events(sample: Sample, others: Sequence[Keys]) -> bool:
    """Whether a file without column names has times and keys of another file, so that its rows are events."""
    arrays = () if sample.has_names else sample.columns.values()
    has_keys = (looks.overlap(array, keys.values) >= 0.9 for array in arrays for keys in others)
    return any(map(looks.clock_of, arrays)) and any(has_keys)


def _named_pair(sample: Sample) -> tuple[str, str] | None:
    """Columns of user and item, if the names of the columns show that the file is a log."""
    names = sample.plain if sample.has_names else []
    users = [name for name in names if USER.fullmatch(name)]
    rest = [name for name in names if name not in users]
    items = [name for name in rest if ITEM.fullmatch(name)]
    others = [name for name in rest if NAMED_ID.fullmatch(name)]
    if not users or not (items or others):
        return None
    user, item = users[0], (items or others)[0]
    # a table of users may have a column of codes, too
    is_log = bool(items) or not looks.is_unique(sample.columns[user])
    return (user, item) if is_log and not looks.is_unique(sample.columns[item]) else None


def _log_columns(sample: Sample, all_keys: Sequence[Keys]) -> dict[str, _Choice]:
    """Role -> column and reason; empty if the file is not a log.

    Columns are found by name, or else by value: then a column must hold keys, and a file with column names must also
    have a user by name, a time, or a rating.
    """
    pair = _named_pair(sample)
    chosen: dict[str, _Choice | None] = {}

    def free() -> list[str]:
        taken = {choice[0] for choice in chosen.values() if choice is not None}
        return [name for name in sample.plain if name not in taken.union(pair or ())]

    if pair is not None:
        chosen["user"] = (pair[0], _BY_NAME)
        chosen["item"] = _named_item(sample, pair[1], free(), all_keys)
        chosen["time"] = _time(sample, free(), by_name=True)
    else:
        chosen["time"] = _time(sample, free())
        chosen["item"] = _item_by_keys(sample, free(), all_keys)
        chosen["user"] = _user(sample, free(), all_keys)
    chosen["value"] = _value(sample, free())
    user = chosen["user"]
    has_evidence = not sample.has_names or chosen["time"] or chosen["value"] or (user and user[1] == _BY_NAME)
    if user is None or chosen["item"] is None or not has_evidence:
        return {}
    return {role: choice for role in ("user", "item", "value", "time") if (choice := chosen[role])}


def _named_item(sample: Sample, item: str, others: list[str], all_keys: Sequence[Keys]) -> _Choice:
    """The column named like an item, unless it holds few of the keys and another column holds them."""
    share = max((looks.overlap(sample.columns[item], keys.values) for keys in all_keys), default=0.0)
    if share >= 0.9:
        return item, "its values are keys of the items"
    return (_item_by_keys(sample, others, all_keys) if share < 0.5 else None) or (item, _BY_NAME)


def _item_by_keys(sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]) -> _Choice | None:
    """The column of keys that are not named like users; for several tables, that of the table with the longest texts."""
    chosen = _columns_of_keys(sample, names, all_keys)
    best = max(chosen, key=lambda n: (not all_keys[n].are_users, all_keys[n].words), default=None)
    if best is None:
        return None
    name, cover = chosen[best]
    share = "" if sample.has_names else f", of which it has {cover:.0%}"
    return name, f"its values are keys of the items{share}"


def _columns_of_keys(
    sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]
) -> dict[int, tuple[str, float]]:
    """Index of keys -> the column that holds them, and the share of the keys that it has.

    Numbers of users may also be keys of items, but cover fewer of them: each column is assigned to the keys that it
    covers best.
    """
    fits = [
        (round(share, 2), looks.overlap(keys.values, sample.columns[name]), name, number)
        for name in names
        for number, keys in enumerate(all_keys)
        if (share := looks.overlap(sample.columns[name], keys.values)) >= 0.9
    ]
    chosen: dict[int, tuple[str, float]] = {}
    for _, cover, name, number in sorted(fits, key=lambda fit: (-fit[0], -fit[1])):
        if number not in chosen and name not in [other for other, _ in chosen.values()]:
            chosen[number] = (name, cover)
    return chosen


def _user(sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]) -> _Choice | None:
    """A column of users' keys, or named like users, or else the one with the most distinct ids that are no ratings."""
    of_users = _columns_of_keys(sample, names, [keys for keys in all_keys if keys.are_users])
    for name, _ in of_users.values():
        return name, "its values are keys of users"
    for name in names:
        if sample.has_names and USER.fullmatch(name):
            return name, _BY_NAME
    ids = [name for name in names if _may_be_ids(sample.columns[name])]
    ids = [name for name in ids if not _are_stars(sample.columns[name])] or ids
    chosen = max(ids, key=lambda name: looks.distinct(sample.columns[name]), default=None)
    if chosen is None:
        return None
    return (
        chosen,
        f"it has the most distinct values of the other columns, {looks.distinct(sample.columns[chosen]):,}",
    )


def _time(sample: Sample, names: Sequence[str], *, by_name: bool = False) -> _Choice | None:
    """The first column of times by value; with `by_name`, columns named like times first, also if they hold numbers."""
    named = [name for name in names if by_name and TIME.fullmatch(name)]
    for name in [*named, *names]:
        full = looks.filled(sample.columns[name])
        if clock := looks.clock_of(full):
            return name, f"its numbers are like {clock}"
        if (form := looks.date_form(full, name)) is not None:
            return name, form.reason
    numbers = (name for name in named if looks.numbers_of(sample.columns[name]) is not None)
    return next(((name, _BY_NAME) for name in numbers), None)


def _value(sample: Sample, names: Sequence[str]) -> _Choice | None:
    """A column of numbers by name, or of ratings; without column names, one with few distinct numbers."""
    numeric = [name for name in names if looks.numbers_of(sample.columns[name]) is not None]
    for name in numeric:
        if sample.has_names and VALUE.fullmatch(name):
            return name, _BY_NAME
    for name in numeric:
        count = looks.distinct(sample.columns[name])
        if not sample.has_names and count <= _MAX_SCALE_VALUES:
            return name, f"it has few distinct numbers, {count:,}"
        if sample.has_names and _are_stars(sample.columns[name]):
            return name, "its values are like ratings"
    return None


def _are_stars(values: pa.Array) -> bool:
    found = looks.numbers_of(values)
    return found is not None and found.max() == 5 and found.min() >= 0 and looks.distinct(values) <= 11
