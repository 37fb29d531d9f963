"""The columns of a log of interactions.

Enters: a `Sample`, and the keys that items may have. Leaves: which column is user, item, value and time, by their names
or by their values; and the log's lines of kgrec.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.dates import date_form
from kgrec.ingest.draft.lines import quoted
from kgrec.ingest.draft.names import ITEM, NAMED_ID, TIME, USER, VALUE, first_like
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import (
    distinct,
    filled,
    is_clock,
    is_long,
    is_unique,
    numbers_of,
    overlap,
    share_matching,
)

#: so many different numbers are still few
_FEW = 101
BY_NAME = "its name says so, in a file of users and items"


@dataclass(frozen=True)
class Keys:
    """Identifiers that a column of the log may hold: those of a table, or of a class of RDF."""

    type: str
    values: pa.Array
    #: mean characters of the longest texts that the nodes have: those of items are longer than those of users
    words: float = 0.0
    #: the table; None for a class of RDF
    table: Sample | None = None

    @property
    def are_users(self) -> bool:
        """Whether the nodes, or their keys, are called users."""
        names = (self.type, (self.table.key if self.table else None) or "")
        return any(USER.fullmatch(name) for name in names)


#: role -> column, and why
Choices = dict[str, tuple[str, str]]


def is_named_log(sample: Sample) -> bool:
    """Whether the names of its columns say that a file is a log."""
    names = list(sample.columns) if sample.has_names else []
    user, item = first_like(names, USER), _item_column(names)
    if user is None or item is None or is_unique(sample.columns[item]):
        return False
    # a table of users has codes, too
    return ITEM.fullmatch(item) is not None or not is_unique(sample.columns[user])


def named_log(sample: Sample, all_keys: Sequence[Keys]) -> Choices:
    """Role -> (column, why) in a log by the names of its columns."""
    names = [name for name, array in sample.columns.items() if not cells.is_list(array)]
    user, item = first_like(names, USER), _item_column(names)
    assert user is not None and item is not None
    rest = [name for name in names if name not in (user, item)]
    chosen = _named_item(sample, item, rest, all_keys)
    rest = [name for name in rest if name != chosen[0]]
    time = _named_time(sample, rest) or _time_column(sample, rest)
    value = _named_value(sample, [name for name in rest if time is None or name != time[0]])
    return _chosen(user=(user, BY_NAME), item=chosen, value=value, time=time)


def _named_item(sample: Sample, item: str, rest: list[str], all_keys: Sequence[Keys]) -> tuple[str, str]:
    """The column named so, unless another one has the keys and it has few."""
    share = max((overlap(sample.columns[item], keys.values) for keys in all_keys), default=0.0)
    if share >= 0.9:
        return item, "its values are keys of the items"
    keyed = _item_by_keys(sample, rest, all_keys) if share < 0.5 else None
    return keyed or (item, BY_NAME)


def _chosen(**found: tuple[str, str] | None) -> Choices:
    return {role: choice for role, choice in found.items() if choice is not None}


def _item_column(names: list[str]) -> str | None:
    rest = [name for name in names if not USER.fullmatch(name)]
    named = [name for name in rest if NAMED_ID.fullmatch(name)]
    return first_like(rest, ITEM) or (named[0] if named else None)


def is_log_by_values(sample: Sample, others: Sequence[Keys]) -> bool:
    """Whether a file that does not name its columns has times of day, and keys of another: each row happened once."""
    if sample.has_names or not any(map(is_clock, sample.columns.values())):
        return False
    return any(overlap(array, keys.values) >= 0.9 for array in sample.columns.values() for keys in others)


def log_by_values(sample: Sample, all_keys: Sequence[Keys]) -> Choices:
    """Role -> (column, why), where one column holds keys; nothing where the file is no log.

    A file that names its columns is a log only if it has a user by name, a time, or stars.
    """
    names = [name for name, array in sample.columns.items() if not cells.is_list(array)]
    time = _time_column(sample, names)
    rest = [name for name in names if time is None or name != time[0]]
    item = _item_by_keys(sample, rest, all_keys)
    if item is None:
        return {}
    rest = [name for name in rest if name != item[0]]
    user = _user_by_keys(sample, rest, all_keys) or _user_column(sample, rest)
    value = _value_column(sample, [name for name in rest if user is None or name != user[0]])
    if user is None or not (not sample.has_names or time or value or user[1] == BY_NAME):
        return {}
    return _chosen(user=user, item=item, value=value, time=time)


def _named_time(sample: Sample, names: Sequence[str]) -> tuple[str, str] | None:
    """The first column named as times are that has them, or else numbers."""
    name = first_like([name for name in names if _time_reason(sample, name)], TIME)
    numbers = first_like([name for name in names if numbers_of(sample.columns[name]) is not None], TIME)
    if name is None or numbers == name:
        return (numbers, BY_NAME) if numbers is not None else None
    form = date_form(filled(sample.columns[name]), name)
    return name, form.reason if form is not None and form.format else BY_NAME


def _time_column(sample: Sample, names: Sequence[str]) -> tuple[str, str] | None:
    """The first column of times, by its values."""
    found = ((name, why) for name in names if (why := _time_reason(sample, name)))
    return next(found, None)


def _time_reason(sample: Sample, name: str) -> str:
    full = filled(sample.columns[name])
    if clock := is_clock(full):
        return f"its numbers are like {clock}"
    form = date_form(full, name)
    return form.reason if form is not None else ""


def _item_by_keys(sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]) -> tuple[str, str] | None:
    """The column of keys that are not called those of users; of several tables it is that with the longest texts."""
    chosen = _columns_of_keys(sample, names, all_keys)
    if not chosen:
        return None
    best = max(chosen, key=lambda number: (not all_keys[number].are_users, all_keys[number].words))
    name, cover = chosen[best]
    share = "" if sample.has_names else f", of which it has {cover:.0%}"
    return name, f"its values are keys of the items{share}"


def _user_by_keys(sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]) -> tuple[str, str] | None:
    """The column of keys that are called those of users."""
    users = [keys for keys in all_keys if keys.are_users]
    found = next(iter(_columns_of_keys(sample, names, users).values()), None)
    return (found[0], "its values are keys of users") if found is not None else None


def _columns_of_keys(
    sample: Sample, names: Sequence[str], all_keys: Sequence[Keys]
) -> dict[int, tuple[str, float]]:
    """Which of the keys a column's values are -> column, and the share of the keys that it has.

    Users are numbered as items are, so their numbers may be keys of items, too, but cover fewer of them: each column
    stands for the keys that it covers best.
    """
    fits = [
        (round(share, 2), overlap(keys.values, sample.columns[name]), name, number)
        for name in names
        for number, keys in enumerate(all_keys)
        if (share := overlap(sample.columns[name], keys.values)) >= 0.9
    ]
    chosen: dict[int, tuple[str, float]] = {}
    for _, cover, name, number in sorted(fits, key=lambda fit: (-fit[0], -fit[1])):
        if number not in chosen and name not in [other for other, _ in chosen.values()]:
            chosen[number] = (name, cover)
    return chosen


def _user_column(sample: Sample, names: Sequence[str]) -> tuple[str, str] | None:
    """A column named as users are, else the one with the most different values that can be ids, and are no stars."""
    named = first_like(names, USER) if sample.has_names else None
    if named is not None:
        return named, BY_NAME
    ids = [name for name in names if may_be_ids(sample.columns[name])]
    if not ids:
        return None
    ids = [name for name in ids if not _positive(sample.columns[name])] or ids
    chosen = max(ids, key=lambda name: distinct(sample.columns[name]))
    return chosen, f"of the rest it has the most different values, {distinct(sample.columns[chosen]):,}"


def may_be_ids(array: pa.Array) -> bool:
    """Whether the values are short, without spaces, and no fractions."""
    full = filled(array)
    if not len(full) or is_long(full) or len(full) < 0.9 * len(array):
        return False
    return share_matching(full, r"\S\s+\S|^[+-]?\d*[.,]\d+$") < 0.1


def _value_column(sample: Sample, names: Sequence[str]) -> tuple[str, str] | None:
    """A column of few different numbers; where the file names its columns, by name, or of stars."""
    if sample.has_names:
        return _named_value(sample, names)
    for name in names:
        found = numbers_of(sample.columns[name])
        if found is not None and distinct(sample.columns[name]) <= _FEW:
            return name, f"it has few different numbers, {distinct(sample.columns[name]):,}"
    return None


def _named_value(sample: Sample, names: Sequence[str]) -> tuple[str, str] | None:
    numeric = [name for name in names if numbers_of(sample.columns[name]) is not None]
    named = first_like(numeric, VALUE)
    if named is not None:
        return named, BY_NAME
    stars = next((name for name in numeric if _positive(sample.columns[name])), None)
    return (stars, "its values are like stars") if stars is not None else None


def _positive(values: pa.Array) -> str:
    found = numbers_of(values)
    few = found is not None and found.max() == 5 and found.min() >= 0 and distinct(values) <= 11
    return ">= 4" if few else ""


def log_lines(log: Sample) -> Iterator[str]:
    """What stands under `interactions:`."""
    yield "interactions:"
    yield from (f"  {line}" for line in log.file_lines())
    for role in ("user", "item", "value", "time"):
        if role in log.log:
            yield f"  {role}: {quoted(log.log[role])}"
    if "time" in log.log and (form := _time_format(log)):
        yield f"  time_format: {quoted(form)}"
    if "value" in log.log and (positive := _positive(log.columns[log.log["value"]])):
        log.why(log.log["value"], f"positive: {positive}", "it looks like stars from 1 to 5")
        yield f"  positive: {quoted(positive)}"


def _time_format(log: Sample) -> str | None:
    name = log.log["time"]
    full = filled(log.columns[name])
    if numbers_of(full) is not None and is_clock(full):
        return None
    form = date_form(full, name)
    return form.format if form is not None else None
