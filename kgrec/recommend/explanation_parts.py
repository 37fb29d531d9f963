"""The parts of an explanation, grouped and shortened for readers.

Enters: the frames of an `Explanation`. Leaves: lists of `Part`; each list has the same sum as its frame. Nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import pandas as pd

from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.encode.neighborhoods import HOP, INVERSE

#: smallest share of the total size of all parts that the shown parts must have
SHARE = 0.9
#: number of lines from which a list is grouped more coarsely
_MANY = 10
#: a path with a smaller contribution would be printed as 0.000
_MIN_PATH = 0.0005

#: sources that do not belong to a history item
_BESIDE = ("popularity", "new", "boost")

Row = dict[Hashable, Any]


@dataclass(frozen=True)
class Part:
    """A part of a score, and its members."""

    name: str
    contribution: float
    #: largest first; empty for a part that is not divided further
    members: tuple[Part, ...] = ()
    #: whether this part is the sum of parts that are too small to show
    is_rest: bool = False
    #: whether the contribution is not a share of the score but the measured change when the part is left out
    is_measured: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values: dict[str, Any] = {"name": self.name, "contribution": self.contribution}
        if self.members:
            values["members"] = [member.to_dict() for member in self.members]
        flags = {"is_rest": self.is_rest, "is_measured": self.is_measured}
        return values | {name: True for name, flag in flags.items() if flag}


def history_parts(
    history: pd.DataFrame,
    sources: pd.DataFrame,
    paths: pd.DataFrame,
    share: float,
    joint: float | None = None,
) -> list[Part]:
    """Parts by history item, and the sources that do not belong to the history; they sum to the score.

    A long history whose items matter about equally is grouped by the nodes that each item shares with the candidate in the graph.

    Args:
        history: Frame of an `Explanation`, like the other two.
        sources: Sources, some of which do not belong to the history.
        paths: Nodes that history items share with the candidate.
        share: See `cut`.
        joint: The score minus the measured changes; None: contributions of the history are exact shares.
    """
    items = [_item(row) for row in history.to_dict("records")]
    beside = [_source(row) for row in sources.to_dict("records") if row["source"] in _BESIDE]
    corrections = sources[sources["source"] == "ranker"]
    beside += _grouped(corrections, lambda _: "learned ranker", lambda row: str(row["label"]), ": ")
    listed = cut(items, share)
    if len(listed) > _MANY and share < 1:
        listed = cut(_by_reason(history, paths), share)
    if joint is not None:
        listed = [*map(_measured, listed), Part("joint effect of these items", joint)]
    return [*listed, *beside] if items else []


def source_parts(sources: pd.DataFrame, donors: pd.DataFrame, share: float) -> list[Part]:
    """Parts by source of the candidate, with nodes of the graph grouped by relation; they sum to the score."""
    if share >= 1:
        return cut([_source(row, donors) for row in sources.to_dict("records")], share)
    graph = sources[sources["source"] == "graph"]
    others = [_source(row, donors) for row in sources[sources["source"] != "graph"].to_dict("records")]
    return cut([*_grouped(graph, lambda row: edge_name(row["relation"]), _node_name), *others], share)


def path_parts(paths: pd.DataFrame, candidate: str, share: float) -> list[Part]:
    """Parts by node that history and candidate share, without parts that round to 0; they sum to a part of the score."""
    if share >= 1:
        rows = paths.to_dict("records")
        return cut([Part(f"{_path_name(row)} {candidate}", row["contribution"]) for row in rows], share)
    shown = paths[paths["contribution"].abs() >= _MIN_PATH]
    parts = cut(_grouped(shown, _shared_name, lambda row: _label(row, "item", "item_id"), ": "), share)
    if len(parts) > _MANY:
        parts = cut(_grouped(shown, lambda row: edge_name(row["relation"]), _node_name), share)
    return parts


def cut(parts: Sequence[Part], share: float) -> list[Part]:
    """The largest parts that together reach a share of the total size, largest first, then the rest as one part.

    The rest is always smaller than the largest part.
    """
    ordered = sorted(parts, key=lambda part: -abs(part.contribution))
    whole, shown = sum(abs(part.contribution) for part in ordered), 0.0
    count = 0
    for count, part in enumerate(ordered, 1):
        shown += abs(part.contribution)
        rest = ordered[count:]
        small = abs(sum(one.contribution for one in rest)) <= abs(ordered[0].contribution)
        # Replacing a single part by a rest would not save a line.
        if shown >= share * whole and small and len(rest) > 1 and share < 1:
            break
    listed = sorted(ordered[:count], key=lambda part: -part.contribution)
    rest = ordered[count:]
    if rest:
        name = f"{len(rest):,} smaller parts"
        listed.append(Part(name, sum(part.contribution for part in rest), tuple(rest), is_rest=True))
    return listed


def largest_edges(history: pd.DataFrame, paths: pd.DataFrame, most: int) -> dict[str, list[Row]]:
    """The largest contributions by history item, and by path from such an item through a shared node; at most `most` of each."""

    def largest(frame: pd.DataFrame) -> list[Row]:
        rows = frame.iloc[(-frame["contribution"].abs()).argsort(kind="stable")[:most]].to_dict("records")
        return [{**row, "contribution": round(float(row["contribution"]), 6)} for row in rows]

    return {"history": largest(history), "paths": largest(paths)}


def readable_name(name: str) -> str:
    """A readable name: the last part of an IRI, otherwise the name itself."""
    if "://" not in name:
        return name
    last = re.split(r"[/#]", name.rstrip("/#"))[-1]
    return unquote(last).replace("_", " ")


def edge_name(relation: str) -> str:
    """A relation in words: "directed_by", or "directed_by of" in the direction from tail to head."""
    if relation == LABEL_TOKEN:
        return "words of names"
    edges = relation.split(HOP)
    return HOP.join(f"{e.removeprefix(INVERSE)} of" if e.startswith(INVERSE) else e for e in edges)


def _grouped(
    frame: pd.DataFrame, group: Callable[[Row], str], member: Callable[[Row], str], joint: str = " "
) -> list[Part]:
    """Rows with equal group names as one part, and within it rows with equal member names as one member.

    The name of a group with one member joins both names.
    """
    groups: dict[str, dict[str, float]] = {}
    for row in frame.to_dict("records"):
        sums = groups.setdefault(group(row), {})
        sums[member(row)] = sums.get(member(row), 0.0) + row["contribution"]
    parts = []
    for name, values in groups.items():
        members = [Part(*one) for one in values.items()]
        single = f"{name}{joint}{members[0].name}" if len(members) == 1 else ""
        parts.append(Part(single, members[0].contribution) if single else _sum_of(name, members))
    return parts


def _sum_of(name: str, members: Sequence[Part]) -> Part:
    ordered = sorted(members, key=lambda part: -abs(part.contribution))
    return Part(name, sum(part.contribution for part in members), tuple(ordered))


def _by_reason(history: pd.DataFrame, paths: pd.DataFrame) -> list[Part]:
    """History items grouped by the relation that contributes most to what they share with the candidate."""
    strongest = paths.sort_values("contribution", ascending=False, kind="stable").drop_duplicates("item_id")
    strongest = strongest[strongest["contribution"] > 0]
    reason = {
        row["item_id"]: f"items that share {edge_name(row['relation'])} with it"
        for row in strongest.to_dict("records")
    }
    other = "items that share nothing with it in the graph" if reason else "history items"
    groups: dict[str, list[Part]] = {}
    for row in history.to_dict("records"):
        groups.setdefault(reason.get(row["item_id"], other), []).append(_item(row))
    return [_sum_of(name, members) for name, members in groups.items()]


def _measured(part: Part) -> Part:
    """The part, marked as a measured change."""
    return replace(part, members=tuple(map(_measured, part.members)), is_measured=True)


def _item(row: Row) -> Part:
    return Part(_label(row, "label", "item_id"), row["contribution"])


def _source(row: Row, donors: pd.DataFrame | None = None) -> Part:
    named = {
        "text": "its text",
        "identity": "what training learned from its own users beyond its content",
        "co_occurrence": "liked by the same users as history items",
        "sequence": "often follows history items",
        "random_walk": "reached through users of history items",
        "inherited": "liked by users of similar items, from which it inherits (it has no users of its own)",
        "popularity": "popularity",
        "new": "unknown to training",
        "ranker": f"learned ranker: {row['label']}",
        "boost": f"boost of items with {row['label']}" if row["label"] else "boost of this item",
    }
    name = named.get(row["source"]) or f"{edge_name(row['relation'])} {_node_name(row)}"
    inherited = row["source"] == "inherited" and donors is not None
    members = (
        [_item(donor) for donor in donors.to_dict("records")] if inherited and donors is not None else []
    )
    return Part(name, row["contribution"], tuple(members))


def _node_name(row: Row) -> str:
    return _label(row, "label", "key")


def _shared_name(row: Row) -> str:
    return f"{edge_name(row['relation'])} {_node_name(row)}"


def _path_name(row: Row) -> str:
    shared, item = _node_name(row), _label(row, "item", "item_id")
    return f"{item} -{edge_name(row['history_relation'])}- {shared} -{edge_name(row['relation'])}-"


def _label(row: Row, label: str, key: str) -> str:
    """The label, or the key if there is no label."""
    return readable_name(str(row[label] or row[key]))
