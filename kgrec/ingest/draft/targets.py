"""The identifiers that a column holds.

Enters: a column, and the sets of identifiers in tables and RDF. Leaves: `Match`es, best first, with the measured share of the
column's values that are identifiers, the share expected by chance, and how well the names fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.profile import Profile, chance
from kgrec.ingest.draft.sample import Sample

#: shares of a column's values that are identifiers
_NEARLY_ALL, _HALF, _SOME = 0.9, 0.5, 0.2
#: below this share by chance, values alone identify a match; below the second share, half of the values suffice
_BY_CHANCE, _HARDLY = 0.5, 0.1
#: last words of names that may count something, or identify it, as in `order_number`
_COUNTED = (("number",), ("num",), ("no",), ("nr",))
#: names of columns that refer to their own table
_OWN = re.compile(
    r"(.*_)?(parent|cit(ed|ing|es)|ref(erence|erenced)?|source|target|from|to|src|dst|head|tail|next|previous)(_.*)?"
)


@dataclass(frozen=True, eq=False)
class Target:
    """Identifiers that a column may hold: a unique column of a table, or nodes of an RDF class."""

    type: str
    #: distinct identifiers
    values: pa.Array
    #: how much information the table has about its rows: whether it has labels, is named like its key, has long texts
    worth: float = 0.0
    #: the table; None for a class of RDF
    table: Sample | None = None
    #: the unique column; "" for a class of RDF
    column: str = ""

    @property
    def are_users(self) -> bool:
        """Whether the nodes, or their keys, are called users."""
        return names.user_rank(self.type) > 0 or names.user_rank(self.column) == 3

    @property
    def is_key(self) -> bool:
        """Whether kgrec.yaml can refer to the identifiers: nodes of a class, or a key of a table."""
        return self.table is None or self.column == self.table.key or self.column in self.table.other_keys

    @property
    def source(self) -> str:
        """The source of the identifiers, for reasons."""
        return self.table.source.name if self.table is not None else f"the type {self.type}"


@dataclass(frozen=True, eq=False)
class Match:
    """A column, and identifiers that it may hold."""

    name: str
    target: Target
    #: share of the column's distinct values that are identifiers
    share: float
    #: share of the identifiers that are in the column
    cover: float
    #: share of the values that would be identifiers by chance
    chance: float
    #: how well the names fit: 3 equal, 2 similar, 1 barely, 0 unknown, -1 not at all
    named: int

    @property
    def strength(self) -> int:
        """3 sure, 2 likely, 1 weak, 0 none."""
        if self.named < 0 or self.share < _SOME:
            return 0
        if self.share >= _NEARLY_ALL:
            return 3 if self.named >= 2 else 2 if self.named or self.chance < _BY_CHANCE else 1
        if self.share >= _HALF:
            return 2 if self.named >= 2 or self.chance < _HARDLY else 1
        return 1 if self.named >= 2 or self.chance < _HARDLY else 0

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key for the best match."""
        nearly = self.share >= _NEARLY_ALL
        return (
            self.strength,
            nearly,
            self.named,
            round(self.share, 2),
            round(self.cover, 1),
            self.target.worth,
        )

    @property
    def why(self) -> str:
        """The reason, with the measured share."""
        column = f" ({self.target.column})" if self.target.column else ""
        return f"{shown(self.share)} of its values are keys of {self.target.source}{column}"


def shown(share: float) -> str:
    """A share in per cent, never rounded to 0 or 100."""
    if 0 < share < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < share < 1 else f"{share:.0%}"


def matches(
    profile: Profile, targets: Sequence[Target], own: Sample | None, *, has_names: bool = True
) -> list[Match]:
    """The identifiers that a column may hold, best first; useless matches are left out, unless the names fit.

    Args:
        profile: The column.
        targets: Identifiers.
        own: The column's own table, if it is a table of nodes.
        has_names: Whether the file names its columns.
    """
    if not len(profile.values):
        return []
    types = {target.type for target in targets}
    found = [_match(profile, target, own, types, has_names=has_names) for target in targets]
    return sorted(
        (one for one in found if one.strength or one.named >= 2), key=lambda one: one.rank, reverse=True
    )


def reference(target: Target) -> str:
    """How kgrec.yaml names identifiers: the type, or `type.column` for another key."""
    table = target.table
    if table is None:
        return target.type
    # columns without a name in the file are renamed later; only the key is an identifier then
    is_key = not table.has_names or target.column == table.key
    return table.type if is_key else f"{table.type}.{target.column}"


def is_same(sample: Sample, name: str, target: Target) -> bool:
    """Whether the target is the column itself, or a column that repeats it row by row."""
    if target.table is not sample:
        return False
    if target.column == name or target.column not in sample.columns or cells.is_list(sample.columns[name]):
        return target.column == name
    one, other = (pc.utf8_trim_whitespace(sample.columns[column]) for column in (name, target.column))
    return bool(cells.mask(pc.equal(one, other)).mean() >= _HALF) if len(one) else True


def _match(
    profile: Profile, target: Target, own: Sample | None, types: set[str], *, has_names: bool
) -> Match:
    share = looks.overlap(profile.values, target.values)
    named = name_fit(profile.name, target, types, is_own=target.table is own) if has_names else 0
    by_chance = chance(profile.values, target.values) if share >= _SOME else 0.0
    cover = looks.overlap(target.values, profile.values)
    return Match(profile.name, target, share, cover, by_chance, named)


def may_be_own(name: str) -> bool:
    """Whether a column is named like a reference to another node of the same type: `parentid`, `cited`, `item2`."""
    return any(_OWN.fullmatch(one) for one in (names.snake(name), names.base(name)))


def name_fit(name: str, target: Target, types: set[str], *, is_own: bool) -> int:
    """How well the name of a column fits the identifiers; see `Match.named`."""
    own, about, key = names.snake(name), names.base(name), names.base(target.column)
    if own == names.snake(target.column) and not names.is_plain_id(name):
        return 3
    of_target = {key} - {""}
    if (
        not target.column
        or names.is_id(target.column)
        or (target.table and target.table.key == target.column)
    ):
        of_target |= {target.type, names.singular(names.snake(target.type))}
    is_count = names.words(name)[-1:] in _COUNTED
    if about in of_target:
        return 0 if is_count else 3
    if about == target.type:
        return 2
    if names.user_rank(name) == 3 and not target.are_users:
        return -1
    if names.is_id(name) and not is_count and any(about.endswith(f"_{one}") for one in of_target):
        return 2
    if is_own and may_be_own(name):
        return 2
    if names.is_numeric(name) or names.is_value(name) or (about in types and not target.are_users):
        return -1
    if names.item_rank(name) > 1 and (names.item_rank(target.type) or names.item_rank(target.column)):
        return 1
    return 1 if may_be_own(name) or (names.user_rank(name) and target.are_users) else 0
