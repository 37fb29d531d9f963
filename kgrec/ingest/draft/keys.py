"""Keys of tables, and the columns that hold them.

Enters: samples. Leaves: the key column of each, with the reason; all unique columns as `Target`s; the `Match`es of each
column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.sample import REPEATED, Sample
from kgrec.ingest.draft.targets import Match, Target, is_same, matches

#: names of columns that number the rows
ROW_NUMBERS = ("", "unnamed_0", "unnamed", "index", "row", "level_0")
_HALF = 0.5


def held_by(sample: Sample, targets: Sequence[Target]) -> dict[str, list[Match]]:
    """Column -> the identifiers that it holds, best first; a table's own columns are not compared row by row."""
    found = {}
    for name in sample.plain:
        profile = sample.profile(name)
        others = [one for one in targets if not is_same(sample, name, one)]
        if (one := matches(profile, others, sample, has_names=sample.has_names)) and not profile.is_time:
            found[name] = one
    return found


def find_key(sample: Sample) -> None:
    """Set the key and its reason; the key stays None if no column can be the key."""
    type_ = names.type_of_file(sample.source.path)
    alone = [
        name
        for name in sample.plain
        if looks.is_unique(sample.columns[name]) and name not in sample.repeating
    ]
    named = [name for name in alone if names.is_id(name) and not names.is_code(name)]
    usual = [name for name in named if names.is_plain_id(name) or names.base(name) == type_]
    rest = [name for name in alone if not sample.profile(name).is_time and not _is_measure(name)]
    ids = [name for name in rest if sample.profile(name).may_be_ids]
    short = [
        name for name in rest if not looks.is_long(sample.columns[name]) and name.lower() not in names.LABELS
    ]
    # a column without a name usually numbers the rows: use it only as a last resort
    plain = [name for name in [*ids, *short] if names.snake(name) not in ROW_NUMBERS] or ids
    for name in usual or named or plain:
        sample.key = name
        like = " and named like an id" if named else ""
        sample.why_key = f"it is filled and unique in all sampled rows{like}"
        break
    else:
        _find_repeated_key(sample)
    sample.type = names.type_of_file(sample.source.path, sample.key or "")


def _is_measure(name: str) -> bool:
    """Whether a column is named like numbers or values, which may be unique by chance in a small table."""
    return not names.is_id(name) and (
        names.is_numeric(name) or names.is_value(name) or names.is_popularity(name)
    )


def _find_repeated_key(sample: Sample) -> None:
    for name in (name for name in sample.plain if names.is_id(name)):
        array = sample.columns[name]
        repeated = len(array) - looks.distinct(array)
        if len(looks.filled(array)) == len(array) and repeated <= REPEATED * len(array):
            sample.key = name
            sample.why_key = (
                f"it is named like an id, and only {repeated:,} of the sampled rows repeat a value"
            )
            return


def targets_of(samples: Iterable[Sample]) -> list[Target]:
    """The unique columns of tables, as identifiers that other columns may hold."""
    return [target for sample in samples if sample.key is not None for target in _unique_columns(sample)]


def _unique_columns(sample: Sample) -> Iterator[Target]:
    worth = _worth(sample)
    for name in sample.plain:
        profile = sample.profile(name)
        named = names.is_label(name)
        fits = profile.may_be_ids or (named and not looks.is_long(profile.filled))
        fits &= looks.share(profile.values, looks.IRIS) < _HALF
        is_other = sample.has_names and profile.is_unique and name not in sample.repeating and fits
        is_number = names.is_numeric(name) and not names.is_id(name)
        if name == sample.key or (is_other and not profile.is_time and not is_number and name):
            yield Target(sample.type, sample.values(name), worth, sample, name)


def _worth(sample: Sample) -> float:
    texts = [sample.profile(name) for name in sample.plain]
    lengths = [looks.mean_length(one.filled) for one in texts if one.numbers is None and not one.is_time]
    has_label = any(map(names.is_label, sample.plain))
    return max(lengths, default=0.0) + 1000 * has_label + 500 * (sample.type == names.base(sample.key or ""))
