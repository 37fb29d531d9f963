"""Tables of edges: files whose rows join nodes of tables, or say something about them more than once.

Enters: samples of such files, and the tables. Leaves: lines under `edges:`, with reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.draft_files import DraftFiles
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.logs import Held
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Match, reference

#: names of numbers that tell how strong an edge is
_WEIGHT = re.compile(
    r"(.*_)?(counts?|weight|relevance|similarity|score|strength|confidence|frequency|freq|votes?|importance|n|tf|tfidf|times"
    r"|quantity|amount|cnt|num|total|probability|prob|share|percent|degree)"
)
#: names of columns whose values are those of another column
_ATTRIBUTE, _ITS_VALUE = ("property", "attribute", "feature", "field", "key", "variable"), ("value", "val")
#: largest share of values that differ, in a column whose values become nodes
_DIFFERENT = 0.5


@dataclass(frozen=True)
class End:
    """One end of an edge."""

    column: str
    #: type, or `type.column` of another key
    reference: str
    reason: str


def edge_lines(files: DraftFiles, doubts: Doubts) -> Iterator[str]:
    """The lines of all tables of edges, and reasons for files that give none."""
    taken: set[str] = set()
    for sample in files.facts:
        ends, why = _ends(sample, files, doubts)
        if len(ends) < 2:
            sample.why("*", "left out", why or sample.left_out or "it joins no nodes of tables")
            continue
        weight = _weight(sample, [end.column for end in ends]) if len(ends) == 2 else None
        stem = re.sub(r"\W+", "_", names.snake(sample.source.path.name.split(".")[0])) or "edges"
        for end in ends[1:]:
            relation = stem if len(ends) == 2 else f"{stem}_{names.snake(end.column) or end.column}"
            relation = names.unique(relation, taken)
            taken.add(relation)
            yield f"  {written(relation)}:"
            yield from (f"    {line}" for line in sample.file_lines())
            yield f"    from: {{{written(ends[0].reference)}: {written(ends[0].column)}}}"
            yield f"    to: {{{written(end.reference)}: {written(end.column)}}}"
            if weight is not None:
                yield f"    weight: {written(weight)}"
        _say(sample, ends, weight)


def _say(sample: Sample, ends: Sequence[End], weight: str | None) -> None:
    for end, role in zip(ends, ["from", *["to"] * (len(ends) - 1)], strict=True):
        sample.why(end.column, f"{role} {end.reference}", end.reason)
    if weight is not None:
        sample.why(weight, "weight", "it is the only number in a table of edges, and named like a weight")
    used = [end.column for end in ends] + [weight]
    rest = [name for name in sample.columns if name not in used]
    if rest:
        sample.why(", ".join(rest), "not read", "edges have two ends and a weight")


def _ends(sample: Sample, files: DraftFiles, doubts: Doubts) -> tuple[list[End], str]:
    """The ends of the edges, that which they leave first; and the reason if there are none."""
    held = files.held(sample)
    refs = {name: match for name, found in held.items() if (match := _sure(found)) is not None}
    users = [name for name in sample.plain if names.user_rank(name) > 1]
    if not refs:
        return [], _why_none(sample, users, held)
    first = min(
        refs, key=lambda name: (refs[name].target.table is not files.item.table, *_order(sample, name))
    )
    if _is_attribute(sample):
        doubts.warn(
            f"{sample.source.name}: each row has the name and the value of a property, which a mapping cannot tell apart.",
            "Write one file per property, with the columns of the item and of the value.",
        )
        return [], "its rows are properties of many kinds"
    ends = [_end(name, match) for name, match in refs.items() if name != first]
    ends += [
        end
        for name in sample.plain
        if name not in refs and name not in users and (end := _named(sample, name, files))
    ]
    ends.sort(key=lambda end: list(sample.columns).index(end.column))
    return [_end(first, refs[first]), *ends], _why_left(sample)


def _sure(found: Sequence[Match]) -> Match | None:
    best = found[0]
    return best if best.strength >= 2 or (best.strength and best.named >= 2) else None


def _order(sample: Sample, name: str) -> tuple[bool, int]:
    """Columns named like the start of an edge come first, then the first ones."""
    return re.search(r"cited|target|to|dst|tail|next|parent|2", names.snake(name)) is not None, list(
        sample.columns
    ).index(name)


def _end(name: str, match: Match) -> End:
    return End(name, reference(match.target), match.why)


def _named(sample: Sample, name: str, files: DraftFiles) -> End | None:
    """A column whose values become nodes: ids without a table, or names that repeat."""
    profile = sample.profile(name)
    taken = [table.type for table in files.tables]
    if profile.is_list or profile.is_time or not len(profile.filled) or names.is_event(name):
        return None
    differ = len(profile.values) / len(profile.filled)
    is_id = names.is_id(name) and not names.is_plain_id(name) and not names.is_code(name)
    is_name = (
        profile.numbers is None
        and not looks.is_long(profile.filled)
        and looks.parts_of(profile.filled, name)[1] is None
    )
    if len(profile.values) > 1 and (
        (is_id and profile.may_be_ids and differ < 1) or (is_name and differ <= _DIFFERENT)
    ):
        type_ = names.type_of_values(names.base(name) if is_id else name, taken)
        return End(
            name,
            type_,
            f"{len(profile.values):,} of its {len(profile.filled):,} values differ, and no table has them",
        )
    return None


def _is_attribute(sample: Sample) -> bool:
    columns = {names.snake(name) for name in sample.columns}
    return bool(columns.intersection(_ATTRIBUTE)) and bool(columns.intersection(_ITS_VALUE))


def _weight(sample: Sample, ends: Sequence[str]) -> str | None:
    numbers = [name for name in sample.plain if name not in ends and sample.profile(name).numbers is not None]
    named = [name for name in numbers if _WEIGHT.fullmatch(names.snake(name))]
    return named[0] if len(named) == 1 else None


def _why_none(sample: Sample, users: Sequence[str], held: Held) -> str:
    if len(users) > 1 or (users and any(names.base(name) == "friend" for name in sample.columns)):
        return "it joins users, and what is known of users is not read"
    low = [found[0] for found in held.values() if found[0].named >= 2]
    if low:
        return f"few of its values are keys: {'; '.join(f'{match.name}: {match.why}' for match in low)}"
    return sample.left_out or "no column is filled and unique, and none holds keys of a table"


def _why_left(sample: Sample) -> str:
    return (
        sample.left_out or "beside the keys of one table, none of its columns has keys, or names that repeat"
    )


def unjoined(files: DraftFiles, lines: Sequence[str], doubts: Doubts) -> None:
    """Note tables without edges: neither items, nor named by `to:` or `from:`, nor with references of their own."""
    text = "\n".join(lines)
    for table in files.tables:
        named = re.search(rf"(to|from): {{?\"?{re.escape(table.type)}\b", text)
        if table is not files.item.table and not named and not _has_edges(table, text):
            doubts.warn(
                f"{table.source.name}: nothing refers to its nodes of type {table.type}, and they refer to nothing.",
                "They take no part in the model. Name the file that joins them to the items, or leave this one out.",
            )


def _has_edges(table: Sample, text: str) -> bool:
    own = re.search(rf"^  {re.escape(written(table.type))}:\n((    .*\n)*)", text, re.MULTILINE)
    return (
        own is not None
        and re.search(r"as: (ref|node|category|same_as)|: (category|same_as)$", own[1], re.MULTILINE)
        is not None
    )
