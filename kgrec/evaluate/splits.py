"""Protocols that split a graph into a training part and a test part.

Enters: a `KnowledgeGraph` with interactions, and a `Protocol`. Leaves: `Fold`s. Writes and reads split/.

The split is made before anything is learned from the graph, so nothing that training reads contains a hidden item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from kgrec.arguments import options
from kgrec.arguments.ids import as_ids
from kgrec.arguments.sections import Section
from kgrec.errors import CorruptArtifact, SourceError, did_you_mean
from kgrec.evaluate.folds import Fold, fold_of
from kgrec.graph.interactions import NO_ORDER_REMEDY, Interactions, given
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.storage import artifacts, files
from kgrec.storage.migrations import migrated_interactions

ProtocolKind = Literal["time", "last", "random", "folds", "cold-items", "cold-users"]
_PART_NAMES = ("train", "valid", "test", "history")


class Protocol(Section, frozen=True):
    """How a graph is split into a training part and a test part.

    `time` holds out all interactions after one moment, and hides items without an earlier interaction: this is closest to a system in
    production. `last` holds out each user's last positives, `random` a share of them, and `folds` each positive once, in a
    cross-validation. `cold-items` hides whole items, `cold-users` whole users.
    """

    kind: ProtocolKind = "random"
    """What is held out."""
    share: float = Field(0.2, gt=0, lt=1)
    """Share that is held out: of all interactions (`time`), of each user's positives (`random`), of the items with a
    positive interaction (`cold-items`), or of the users with at least two positives (`cold-users`)."""
    last: int = Field(1, ge=1)
    """Number of positives per user that `last` holds out; a user with no more than these keeps all of them."""
    folds: int = Field(5, ge=2)
    """Number of folds of `folds`."""
    valid_share: float = Field(0.1, ge=0, lt=1)
    """Share of the training part that is kept for tuning. `time` and `cold-items` choose it in the same way as the test part (valid
    items stay in the graph), `last` takes as many positives again, and the others draw it at random; 0: nothing."""
    seed: int = 0
    """Seed of all random choices."""


def split_graph(graph: KnowledgeGraph, protocol: Protocol | None = None) -> list[Fold]:
    """Split a graph by a protocol.

    Args:
        graph: A graph with interactions.
        protocol: How to split; None: `Protocol()`, at random.

    Returns:
        One fold; for the protocol `folds`, as many as its option says.

    Raises:
        SourceError: The protocol needs times or an order but there is none, or no test interactions are left.

    Example:
        >>> fold = split_graph(graph, Protocol(kind="cold-items"))[0]  # doctest: +SKIP
        >>> rec = Recommender().fit(fold.graph)  # doctest: +SKIP
        >>> rec.add_items(fold.later)  # doctest: +SKIP
    """
    _check_graph(graph)
    protocol = options.optional("protocol", protocol, Protocol, _PROTOCOL_REMEDY) or Protocol()
    _check(graph, protocol)
    return _PROTOCOLS[protocol.kind](graph, protocol, np.random.default_rng(protocol.seed))


def given_split(
    graph: KnowledgeGraph,
    train: Any,
    test: Any,
    valid: Any = None,
    *,
    hide_new: bool = False,
    hidden: Sequence[str] = (),
    valid_share: float = 0.0,
    seed: int = 0,
) -> Fold:
    """Make a fold from a training part and a test part that the caller gives.

    Args:
        graph: Contains the items; its interactions are ignored.
        train: Training interactions: `Interactions`, or a frame with user_id and item_id.
        test: Test interactions, in the form of `train`; only positives count.
        valid: Interactions for tuning, in the form of `train`.
        hide_new: Hide items that are in test but neither in train nor in valid; `Fold.later` adds them.
        hidden: Ids of more items to hide.
        valid_share: If `valid` is None, hold out this share of each user's positives in train at random.
        seed: Seed of that draw.

    Raises:
        SourceError: An item is unknown, a pair of user and item is in two parts, or training has a hidden item.
    """
    _check_graph(graph)
    options.flag("hide_new", hide_new)
    options.number("valid_share", valid_share, least=0, below=1)
    options.whole_number("seed", seed, least=0)
    hidden = as_ids(hidden, "hidden")
    train, test = given(train, graph.item_ids, "train"), given(test, graph.item_ids, "test")
    if valid is None and valid_share:
        train, valid = train.split(valid_share, np.random.default_rng(seed))
    valid = Interactions.none(graph.item_ids) if valid is None else given(valid, graph.item_ids, "valid")
    later = graph.item_codes(hidden)
    for at in np.flatnonzero(later < 0)[:1]:
        near = did_you_mean(hidden[at], graph.item_ids.sorted_labels)
        raise SourceError(f"There is no item '{hidden[at]}' to hide.", near)
    if hide_new:
        new = np.setdiff1d(test.item, np.concatenate([train.item, valid.item]))
        later = np.union1d(later, new)
    return fold_of(graph, train, valid, test.rows(test.positive), hidden=later)


def save_folds(folds: Sequence[Fold], folder: str | Path, protocol: Protocol | None = None) -> None:
    """Write folds to a folder, whole or not at all: one folder per fold, one table per part.

    Raises:
        ArtifactError: The folder cannot be written.
    """
    folds = [folds] if isinstance(folds, Fold) else options.sequence("folds", folds, "a list of folds")
    for at, fold in enumerate(folds):
        options.instance(f"folds[{at}]", fold, Fold, "Give folds, as split_graph returns them.")
    options.optional("protocol", protocol, Protocol, _PROTOCOL_REMEDY)
    folder = options.path("folder", folder)
    inputs = folds[0].source.inputs if folds else {}
    config = {
        "protocol": protocol.model_dump() if protocol else None,
        "cuts": [fold.cut for fold in folds],
    }
    with artifacts.writing(folder, kind="split", inputs=inputs, config=config) as place:
        for number, fold in enumerate(folds):
            (place / str(number)).mkdir()
            for name in _PART_NAMES:
                files.write_table(getattr(fold, name).to_arrow(), place / str(number) / f"{name}.parquet")
            hidden = pa.table({"item_id": fold.source.item_ids.labels.take(pa.array(fold.hidden))})
            files.write_table(hidden, place / str(number) / "hidden.parquet")


def load_folds(graph: KnowledgeGraph, folder: str | Path) -> list[Fold]:
    """Read folds that `save_folds` wrote, and split the graph in the same way.

    Args:
        graph: The graph that was split.
        folder: The folder that `save_folds` wrote.

    Raises:
        ArtifactError: The folder is missing or corrupt, or has items that the graph lacks.
        SourceError: The split leaks.
    """
    _check_graph(graph)
    return artifacts.reading(
        options.path("folder", folder), "split", lambda place, manifest: _read(graph, place, manifest)
    )


def _read(graph: KnowledgeGraph, place: Path, manifest: artifacts.Manifest) -> list[Fold]:
    return [_read_fold(graph, place / str(n), manifest, n) for n in range(len(manifest.config["cuts"]))]


def _read_fold(graph: KnowledgeGraph, place: Path, manifest: artifacts.Manifest, number: int) -> Fold:
    tables = {name: files.read_table(place / f"{name}.parquet") for name in (*_PART_NAMES, "hidden")}
    for name, table in tables.items():
        names = pc.cast(table["item_id"], pa.large_string())
        unknown = names.filter(pa.array(graph.item_ids.ids(names) < 0))
        if len(unknown):
            raise CorruptArtifact(
                f"{place / name}.parquet: '{unknown[0]}' is not an item of this graph.",
                "Give the graph that was split.",
            )
    hidden = graph.item_ids.ids(tables.pop("hidden")["item_id"])
    tables = {name: migrated_interactions(table, manifest.format_version) for name, table in tables.items()}
    logs = {name: Interactions.from_arrow(table, graph.item_ids) for name, table in tables.items()}
    return fold_of(graph, **logs, hidden=hidden, cut=manifest.config["cuts"][number], number=number)


# the protocols


def _by_time(graph: KnowledgeGraph, protocol: Protocol, _: np.random.Generator) -> list[Fold]:
    log = graph.interactions
    cut = _moment(log, protocol.share)
    before, after = log.rows(_time(log) < cut), log.rows((_time(log) >= cut) & log.positive)
    hidden = np.setdiff1d(log.item, before.item)
    train, valid = before, before.rows(np.zeros(len(before), bool))
    if protocol.valid_share:
        earlier = _moment(before, protocol.valid_share)
        train = before.rows(_time(before) < earlier)
        valid = before.rows((_time(before) >= earlier) & before.positive)
    return [fold_of(graph, train, valid, after, hidden=hidden, cut=cut)]


def _last(graph: KnowledgeGraph, protocol: Protocol, rng: np.random.Generator) -> list[Fold]:
    left, test = _without_last(graph.interactions, protocol.last, rng)
    train, valid = (
        _without_last(left, protocol.last, rng) if protocol.valid_share else (left, left.rows(_none(left)))
    )
    return [fold_of(graph, train, valid, test)]


def _at_random(graph: KnowledgeGraph, protocol: Protocol, rng: np.random.Generator) -> list[Fold]:
    left, test = graph.interactions.split(protocol.share, rng)
    return [fold_of(graph, *_with_valid(left, protocol, rng), test)]


def _cross(graph: KnowledgeGraph, protocol: Protocol, rng: np.random.Generator) -> list[Fold]:
    """Deal each user's positives to the folds in turn, starting from a random fold per user."""
    log = graph.interactions
    rows, order, _ = log.dealt(rng)
    start = rng.integers(protocol.folds, size=len(log.users))
    part = np.full(len(log), -1)
    part[rows] = (order + start[log.user[rows]]) % protocol.folds
    folds = []
    for number in range(protocol.folds):
        train, valid = _with_valid(log.rows(part != number), protocol, rng)
        folds.append(fold_of(graph, train, valid, log.rows(part == number), number=number))
    return folds


def _cold_items(graph: KnowledgeGraph, protocol: Protocol, rng: np.random.Generator) -> list[Fold]:
    log = graph.interactions
    hidden = _some(np.unique(log.item[log.positive]), protocol.share, rng)
    with_hidden = np.isin(log.item, hidden)
    train, valid = log.rows(~with_hidden), log.rows(_none(log))
    if protocol.valid_share:
        kept = _some(np.unique(train.item[train.positive]), protocol.valid_share, rng)
        with_kept = np.isin(train.item, kept)
        train, valid = train.rows(~with_kept), train.rows(with_kept & train.positive)
    return [fold_of(graph, train, valid, log.rows(with_hidden & log.positive), hidden=hidden)]


def _cold_users(graph: KnowledgeGraph, protocol: Protocol, rng: np.random.Generator) -> list[Fold]:
    """Hide users: half of their positives are test positives, the other half their history."""
    log = graph.interactions
    counts = np.bincount(log.user[log.positive], minlength=len(log.users))
    cold = _some(np.flatnonzero(counts >= 2), protocol.share, rng)
    theirs = np.isin(log.user, cold)
    rows, order, counts = log.dealt(rng)
    held_out = np.zeros(len(log), bool)
    held_out[rows] = order < (counts[log.user[rows]] + 1) // 2
    known, history, test = log.rows(~theirs), log.rows(theirs & ~held_out), log.rows(held_out & theirs)
    return [fold_of(graph, *_with_valid(known, protocol, rng), test, history=history)]


_PROTOCOLS: dict[ProtocolKind, Callable[[KnowledgeGraph, Protocol, np.random.Generator], list[Fold]]] = {
    "time": _by_time,
    "last": _last,
    "random": _at_random,
    "folds": _cross,
    "cold-items": _cold_items,
    "cold-users": _cold_users,
}


_PROTOCOL_REMEDY = 'Give kgrec.Protocol(kind="random").'


def _check_graph(graph: KnowledgeGraph) -> None:
    options.instance("graph", graph, KnowledgeGraph, "Give what build_graph or KnowledgeGraph.load returned.")


def _check(graph: KnowledgeGraph, protocol: Protocol) -> None:
    log = graph.interactions
    if not log.positive.any():
        raise SourceError(
            "The graph has no positive interactions, so there is nothing to test on.",
            "Name the table of interactions under `interactions:` in the mapping.",
        )
    if protocol.kind == "last" and not log.ordered:
        raise SourceError(
            "The interactions have no order, which the protocol 'last' needs.",
            f"{NO_ORDER_REMEDY}, or choose another protocol.",
        )
    if protocol.kind == "time" and log.position is not None:
        raise SourceError(
            "The interactions have an order but no times, and the protocol 'time' splits at one moment for all users.",
            "Choose the protocol 'last', or give `time:` under `interactions:` in the mapping.",
        )
    if protocol.kind == "time" and not log.ordered:
        raise SourceError(
            "The interactions have no times, which the protocol 'time' needs.",
            "Give `time:` under `interactions:` in the mapping, or choose another protocol.",
        )


def _with_valid(
    log: Interactions, protocol: Protocol, rng: np.random.Generator
) -> tuple[Interactions, Interactions]:
    """The log without its part for tuning, and that part, drawn at random."""
    return log.split(protocol.valid_share, rng) if protocol.valid_share else (log, log.rows(_none(log)))


def _moment(log: Interactions, share: float) -> int:
    """Time of the first of the last `share` of the interactions, which is at least one interaction."""
    times = np.sort(_time(log))
    return int(times[-max(1, round(len(times) * share))]) if len(times) else 0


def _time(log: Interactions) -> np.ndarray:
    assert log.time is not None
    return log.time


def _without_last(
    log: Interactions, last: int, rng: np.random.Generator
) -> tuple[Interactions, Interactions]:
    """The log without each user's last positives, and these; later interactions that are not positive are in neither."""
    stamps = log.stamps
    assert stamps is not None
    rows, order, counts = log.dealt(rng, "time")
    held = np.zeros(len(log), bool)
    held[rows] = (order >= (counts - last)[log.user[rows]]) & (counts > last)[log.user[rows]]
    until = np.full(len(log.users), np.iinfo(np.int64).max)
    np.minimum.at(until, log.user[held], stamps[held])
    late = ~log.positive & (stamps >= until[log.user])
    return log.rows(~held & ~late), log.rows(held)


def _some(of: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A random share of an array, at least one element and not all; sorted, int64."""
    n = min(max(1, round(len(of) * share)), len(of) - 1)
    return np.sort(rng.choice(of, max(n, 0), replace=False)).astype(np.int64)


def _none(log: Interactions) -> np.ndarray:
    return np.zeros(len(log), bool)
