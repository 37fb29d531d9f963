"""Tables of edges: files whose rows connect nodes of tables, or have several rows per node.

Enters: samples of such files, and the tables. Leaves: lines under `edges:`, with reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.items import DraftFiles
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.logs import Held
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Match, may_be_own, reference

#: names of numbers that give the strength of an edge
_WEIGHT = re.compile(
    r"(.*_)?(counts?|weight|relevance|similarity|score|strength|confidence|frequency|freq|votes?|importance|n|tf|tfidf|times"
    r"|quantity|amount|cnt|num|total|probability|prob|share|percent|degree)"
)
#: largest share of distinct values in a column whose values become nodes
_DIFFERENT = 0.5
_NEARLY_ALL = 0.9


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
        if not files.logs:
            _warn_of_baskets(sample, ends, files, doubts)
        if sample.home is not None:
            _warn_of_columns(sample, sample.home, [end.column for end in ends], doubts)
        if len(ends) < 2:
            sample.why("*", "left out", why or sample.left_out or "it joins no nodes of tables")
            continue
        weight = (
            _weight(sample, [end.column for end in ends]) if len(ends) == 2 and sample.home is None else None
        )
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


def _warn_of_baskets(sample: Sample, ends: Sequence[End], files: DraftFiles, doubts: Doubts) -> None:
    """Record interactions that are split over two files: orders of users, and items of orders."""
    for end in ends:
        orders = next((table for table in files.tables if table.type == end.reference), None)
        users = [name for name in orders.plain if names.user_rank(name) > 1] if orders is not None else []
        if (
            orders is not None
            and users
            and orders is not files.item.table
            and files.item.type in [one.reference for one in ends]
        ):
            doubts.warn(
                f"{sample.source.name} has the items of each {end.column}, and {orders.source.name} its {users[0]}: together they are"
                " interactions, but a mapping cannot join two files.",
                f"Write one file with the columns {users[0]} and {ends[0].column}, and draft again.",
            )


def _warn_of_columns(sample: Sample, home: Sample, used: Sequence[str], doubts: Doubts) -> None:
    """Record columns about the nodes of a table that are in another file."""
    rest = [
        name
        for name in sample.columns
        if name not in used and name != sample.key and name not in home.columns
    ]
    rest = [
        name
        for name in rest
        if not names.is_id(name) and not names.is_code(name) and len(sample.profile(name).filled)
    ]
    if rest:
        doubts.warn(
            f"{sample.source.name}: {', '.join(rest)} of the nodes of {home.source.name} are left out, since a type has one table.",
            "Join the two files.",
        )


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
    """The ends of the edges, the outgoing one first; and the reason if there are none."""
    held = files.held(sample)
    refs = {name: match for name, found in held.items() if (match := _sure(found)) is not None}
    users = [name for name in sample.plain if names.user_rank(name) > 1]
    if not refs:
        return [], _why_none(sample, users, held)
    first = min(
        refs, key=lambda name: (refs[name].target.table is not files.item.table, *_order(sample, name))
    )
    if names.are_properties(sample.columns):
        doubts.warn(
            f"{sample.source.name}: each row has the name and the value of a property, which a mapping cannot separate.",
            "Write one file per property, with the columns of the item and of the value.",
        )
        return [], "its rows are properties of many kinds"
    refs |= _further(sample, refs[first], held, [*refs, *users])
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


def _further(sample: Sample, first: Match, held: Held, taken: Sequence[str]) -> dict[str, Match]:
    """Another column of keys of the same table, as in papers that cite papers, although they may be keys by chance."""
    found = {}
    for name, others in held.items():
        match = next((one for one in others if one.target is first.target), None)
        is_named = not names.base(name) or may_be_own(name) or (match is not None and match.named > 0)
        if (
            match is not None
            and match.strength
            and (is_named or not sample.has_names)
            and name not in taken
            and match.share >= _NEARLY_ALL
        ):
            found[name] = match
    return found


def _order(sample: Sample, name: str) -> tuple[bool, int]:
    """Sort key: columns named like the start of an edge come first, then in the order of the file."""
    return re.search(r"cited|target|to|dst|tail|next|parent|2", names.snake(name)) is not None, list(
        sample.columns
    ).index(name)


def _end(name: str, match: Match) -> End:
    return End(name, reference(match.target), match.why)


def _named(sample: Sample, name: str, files: DraftFiles) -> End | None:
    """A column whose values become nodes: ids without a table, or repeating names."""
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
        about = names.base(name) if is_id and not names.is_area(name) else name
        type_ = names.type_of_values(about, taken)
        return End(
            name,
            type_,
            f"{len(profile.values):,} of its {len(profile.filled):,} values differ, and no table has them",
        )
    return None


def _weight(sample: Sample, ends: Sequence[str]) -> str | None:
    numbers = [name for name in sample.plain if name not in ends and sample.profile(name).numbers is not None]
    named = [name for name in numbers if _WEIGHT.fullmatch(names.snake(name))]
    return named[0] if len(named) == 1 else None


def _why_none(sample: Sample, users: Sequence[str], held: Held) -> str:
    if len(users) > 1 or (users and any(names.base(name) == "friend" for name in sample.columns)):
        return "it joins users, and attributes of users are not read"
    low = [found[0] for name, found in held.items() if found[0].named >= 2 and names.is_id(name)]
    if low:
        return f"few of its values are keys: {'; '.join(f'{match.name}: {match.why}' for match in low)}"
    return sample.left_out or "no column is filled and unique, and none is clearly a reference to a table"


def _why_left(sample: Sample) -> str:
    return (
        sample.left_out or "beside the keys of one table, none of its columns has keys, or names that repeat"
    )


def unjoined(files: DraftFiles, lines: Sequence[str], doubts: Doubts) -> None:
    """Record tables whose nodes no edges connect to the items.

    Args:
        files: The tables.
        lines: The lines of kgrec.yaml under `nodes:` and `edges:`, including those of these tables.
        doubts: Doubts about the draft.
    """
    joined, links = {files.item.type}, _links(files, yaml.safe_load("\n".join(lines)))
    size = 0
    while size < len(joined):
        size = len(joined)
        joined |= {type_ for link in links if link & joined for type_ in link}
    for table in files.tables:
        if table.type not in joined:
            doubts.warn(
                f"{table.source.name}: no column joins its nodes of type {table.type} to the items.",
                "They have no effect on the model. Name the file that joins them, or leave this one out.",
            )


def _links(files: DraftFiles, mapping: dict[str, Any]) -> list[set[str]]:
    """Pairs of types that edges connect."""
    types = sorted((table.type for table in files.tables), key=len, reverse=True)

    def type_of(named: str) -> str:
        return next((one for one in types if named == one or named.startswith(f"{one}.")), named)

    found = [
        {type_of(next(iter(edge[end]))) for end in ("from", "to")}
        for edge in (mapping.get("edges") or {}).values()
    ]
    for type_, table in mapping["nodes"].items():
        for name, role in table["columns"].items():
            spelled = role if isinstance(role, dict) else {"as": role}
            if spelled["as"] in ("ref", "category", "node"):
                found.append({type_, type_of(str(spelled.get("to") or spelled.get("type") or name))})
    return found
