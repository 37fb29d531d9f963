"""Why keys that should match do not: each candidate cause is tested against the existing keys.

Enters: keys as a file has them, existing keys, and other columns of both files. Leaves: the `Mismatch` that explains most keys,
with a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: smallest share of the unmatched keys that a candidate must match
LEAST_SHARE = 0.5
#: smallest share of distinct values in a column that may be a key
_UNIQUE = 0.9
#: smallest share of the keys' distinct values that another column must have; a column of ratings matches by chance
_VARIETY = 0.5
#: numbers are compared at an offset only if there are at least this many, and at least this share of them matches
_LEAST_NUMBERS, _OFFSET_SHARE = 3, 0.9

#: largest number of distinct keys to compare
_MOST_KEYS = 20_000

Change = Callable[[pa.Array], pa.Array]
Spelling = tuple[str, tuple[Change, ...], str]


@dataclass(frozen=True)
class Keys:
    """Distinct values of a column, without empty ones."""

    #: name in messages, such as "ratings.csv"
    file: str
    column: str
    #: large_string
    values: pa.Array
    #: number of filled cells that were read
    cells: int

    @property
    def some(self) -> Keys:
        """At most as many values as are compared."""
        return replace(self, values=self.values.slice(0, _MOST_KEYS))

    @property
    def are_unique(self) -> bool:
        """Whether the column may be a key."""
        return len(self.values) > 0 and len(self.values) >= _UNIQUE * self.cells


@dataclass(frozen=True)
class Mismatch:
    """A likely cause of a mismatch."""

    #: share of the distinct keys that match if the cause is removed
    share: float
    cause: str
    mend: str

    def __str__(self) -> str:
        return f"Likely cause: {self.cause} ({self.share:.0%} of these ids match then). {self.mend}"


@dataclass(frozen=True)
class Setting:
    """How the mapping would refer to other columns."""

    #: column of the catalogue -> what to write to look keys up there
    by_column: Callable[[str], str]
    #: other column of the file -> what to write to read the keys from it
    from_column: Callable[[str], str]
    #: column that may be swapped with the column of the keys, what to write then, and the existing keys of that column
    partner: str = ""
    swapped: str = ""
    partner_known: Keys | None = None


def likely_mismatch(
    wanted: Keys, known: Keys, beside: Mapping[str, Keys], catalogue: Mapping[str, Keys], setting: Setting
) -> Mismatch | None:
    """The candidate that explains most keys; None if none explains the mismatch.

    Args:
        wanted: Keys as the file has them.
        known: Existing keys.
        beside: Other columns of the file, by name.
        catalogue: Other columns of the table of the nodes, by name.
        setting: How to write the remedy.
    """
    if not len(wanted.values) or not len(known.values):
        return None
    wanted = wanted.some
    already = _share(wanted.values, known.values)
    least = already + LEAST_SHARE * (1 - already) - 1e-9  # shares are rounded
    texts, numbers = _texts_and_numbers(beside, setting, wanted)
    # in order of evidence, because numbers match other numbers by chance
    found = [
        *_by_spelling(wanted, known, _SPELLINGS),
        *_by_catalogue(wanted, known, catalogue, setting),
        *_by_file(wanted, known, texts, setting),
        *_by_spelling(wanted, known, _LOOSE_SPELLINGS),
        *_by_file(wanted, known, numbers, setting),
        *_by_offset(wanted, known),
    ]
    good = [candidate for candidate in found if candidate.share >= least]
    # among equal shares, the first one
    return max(good, key=lambda candidate: round(candidate.share, 2), default=None)


def counted_from(unknown: str, known: pa.Array) -> str:
    """A sentence if the only unknown key continues the existing numbers at one end: the files may count from different starts."""
    numbers = _numbers(known)
    if len(numbers) < max(_LEAST_NUMBERS, len(known)) or not unknown.isdecimal():
        return ""
    first, last = int(numbers.min()), int(numbers.max())
    if int(unknown) not in (first - 1, last + 1):
        return ""
    return (
        f"the only unknown id is {unknown}, next to the ids {first} to {last}: perhaps one file counts from "
        f"another start, and all ids are shifted. Check with a few labels."
    )


def _share(wanted: pa.Array, known: pa.Array) -> float:
    return float(np.mean(_matches(wanted, known)))


def _matches(wanted: pa.Array, known: pa.Array) -> np.ndarray:
    return np.asarray(pc.is_in(wanted, value_set=known).to_numpy(zero_copy_only=False), dtype=bool)


# spelling


def _replaced(pattern: str, by: str) -> Change:
    return lambda values: pc.replace_substring_regex(values, pattern, by)


def _without_prefix(values: pa.Array) -> pa.Array:
    """Without the beginning that all values share, which ends before a digit."""
    ends = pc.min_max(values)
    first, last = ends["min"].as_py(), ends["max"].as_py()
    size = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    begin = first[:size].rstrip("0123456789")
    return pc.utf8_slice_codeunits(values, len(begin))


_FRACTION = _replaced(r"^([+-]?\d+)\.0+$", r"\1")
_ZEROS = _replaced(r"^0+(\d)", r"\1")
_BLANKS = _replaced(r"[\s\p{Z}]+", "")
_MARKS = _replaced(r"[\s\p{Z}\p{P}]+", "")
_LOCAL = _replaced(r"^.*[/#:]", "")
#: what differs, the change that removes the difference, and the remedy
_SPELLINGS: tuple[Spelling, ...] = (
    (
        'a final ".0"',
        (_FRACTION,),
        "Write the ids as whole numbers: a column with gaps was saved as floats (in pandas, use astype('Int64')).",
    ),
    (
        "leading zeros",
        (_ZEROS,),
        "Write the ids as text in both files: a program that took them for numbers dropped the zeros.",
    ),
    ("upper and lower case", (pc.utf8_lower,), "Write the ids in the same case in both files."),
    ("blanks", (_BLANKS,), "Write the ids without blanks in both files."),
    ("punctuation", (_MARKS,), "Write the ids with the same punctuation in both files."),
)
#: changes under which different ids may become equal
_LOOSE_SPELLINGS: tuple[Spelling, ...] = (
    ("a prefix", (_LOCAL,), "Write the ids with the same prefix in both files."),
    ("a prefix", (_without_prefix,), "Write the ids with the same prefix in both files."),
    ('leading zeros and a final ".0"', (_FRACTION, _ZEROS), "Write the ids as the same text in both files."),
    (
        "blanks, case and leading zeros",
        (_BLANKS, pc.utf8_lower, _FRACTION, _ZEROS),
        "Write the ids as the same text in both files.",
    ),
    (
        "prefix, punctuation, case and leading zeros",
        (_without_prefix, _MARKS, pc.utf8_lower, _ZEROS),
        "Write the ids as the same text in both files.",
    ),
)


def _by_spelling(wanted: Keys, known: Keys, spellings: Sequence[Spelling]) -> Iterator[Mismatch]:
    plain = _matches(wanted.values, known.values)
    for what, changes, mend in spellings:
        ours, theirs = (
            reduce(lambda values, change: change(values), changes, keys.values) for keys in (wanted, known)
        )
        found = _matches(ours, theirs)
        new = np.flatnonzero(found & ~plain)
        if not len(new):
            continue
        one = int(new[0])
        other = known.values[int(pc.index(theirs, ours[one]).as_py())].as_py()
        example = f'"{wanted.values[one].as_py()}" in {wanted.file} is "{other}" in {known.file}'
        yield Mismatch(float(found.mean()), f"{what}: {example}", mend)


# columns


def _texts_and_numbers(
    beside: Mapping[str, Keys], setting: Setting, wanted: Keys
) -> tuple[dict[str, Keys], dict[str, Keys]]:
    """The columns whose matches are evidence, and columns of numbers, which match by chance.

    A swapped column of numbers is evidence if the keys of the other column match in its place.
    """
    partner = setting.partner_known
    proven = partner is not None and _share(wanted.values, partner.values) >= LEAST_SHARE
    numbers = {
        name: keys
        for name, keys in beside.items()
        if 2 * len(_numbers(keys.some.values)) > len(keys.some.values)
        and not (proven and name == setting.partner)
    }
    return {name: keys for name, keys in beside.items() if name not in numbers}, numbers


def _by_catalogue(
    wanted: Keys, known: Keys, catalogue: Mapping[str, Keys], setting: Setting
) -> Iterator[Mismatch]:
    for name, keys in catalogue.items():
        if keys.are_unique:
            share = _share(wanted.values, keys.values)
            cause = (
                f"'{wanted.column}' has values of the column '{name}' of {keys.file}, not of '{known.column}'"
            )
            yield Mismatch(share, cause, setting.by_column(name))


def _by_file(wanted: Keys, known: Keys, beside: Mapping[str, Keys], setting: Setting) -> Iterator[Mismatch]:
    for name, keys in beside.items():
        if len(keys.values) < max(1, _VARIETY * min(len(wanted.values), len(known.values))):
            continue
        share = _share(keys.some.values, known.values)
        if name == setting.partner:
            yield Mismatch(share, f"the columns '{wanted.column}' and '{name}' are swapped", setting.swapped)
        else:
            cause = f"the ids are in the column '{name}' of {keys.file}, not in '{wanted.column}'"
            yield Mismatch(share, cause, setting.from_column(name))


# numbers


def _by_offset(wanted: Keys, known: Keys) -> Iterator[Mismatch]:
    ours, theirs = _numbers(wanted.values), _numbers(known.values)
    if min(len(ours), len(theirs)) < _LEAST_NUMBERS or len(ours) < len(wanted.values):
        return
    offsets = {int(ours.min() - theirs.min()), int(ours.max() - theirs.max())} - {0}
    for offset in sorted(offsets, key=abs):
        share = float(np.isin(ours - offset, theirs).mean())
        if share >= _OFFSET_SHARE:
            way = f"{abs(offset):,} {'above' if offset > 0 else 'below'}"
            yield Mismatch(
                share,
                f"the ids of {wanted.file} are {way} those of {known.file}",
                "Number both files from the same start; check with a few labels that the items are the same.",
            )


def _numbers(values: pa.Array) -> np.ndarray:
    """The values that are whole numbers; int64."""
    whole = values.filter(pc.match_substring_regex(values, r"^[+-]?\d{1,17}$"))
    return np.asarray(pc.cast(pc.utf8_ltrim(whole, "+"), pa.int64()).to_numpy(zero_copy_only=False))
