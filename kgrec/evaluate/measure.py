"""All figures of the lists of one model, for each user and in buckets.

Enters: a `Fold`, and lists of items for its users. Leaves: an `Evaluation`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.errors import ConfigError, SourceError, UnknownId, did_you_mean
from kgrec.evaluate.evaluation import Evaluation
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.ground_truth import GroundTruth, ground_truth_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.metrics import accuracy, beyond_accuracy
from kgrec.metrics.topk import gains, rows_of

Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: name -> figure of gains and numbers of positives
ACCURACY: dict[str, Metric] = {
    "recall": accuracy.recall,
    "precision": accuracy.precision,
    "f1": accuracy.f1,
    "hit": accuracy.hit,
    "ndcg": accuracy.ndcg,
    "map": accuracy.average_precision,
    "mrr": accuracy.reciprocal_rank,
}


def evaluate_lists(
    fold: Fold,
    lists: Any,
    k: Sequence[int] = (20,),
    *,
    embeddings: Any = None,
    classes: Sequence[str] = (),
) -> Evaluation:
    """Measure what a model recommends.

    Args:
        fold: What was held back; see `split_graph`.
        lists: A frame with user_id, item_id, and rank (from 1) or score, as `recommend` gives; a user of
            the test part without a row has an empty list, other users are left out.
        k: Lengths of lists; of longer lists the first k count.
        embeddings: `Embeddings` of items, for the diversity of lists; None: without. Items that have none are
            like no other.
        classes: Types of nodes, such as "genre", by which lists are held against histories.

    Returns:
        Figures of accuracy of each user, over everything and in buckets, and what lists are beyond that; see `ACCURACY`,
        `kgrec.metrics.accuracy` and `kgrec.metrics.beyond_accuracy`.

    Raises:
        SourceError: `lists` lack a column, or name an item twice for a user or one that the user has seen.
        UnknownId: An item, or a type of nodes, is unknown.
        ConfigError: A `k` is below 1.

    Example:
        >>> lists = rec.recommend(users, k=20)  # doctest: +SKIP
        >>> evaluate_lists(fold, lists, classes=["genre"]).frame()  # doctest: +SKIP
    """
    if not k or min(k) < 1:
        raise ConfigError(f"k is {list(k)}.", "Give lengths of 1 or more.")
    world = ground_truth_of(fold, embeddings, classes)
    return measured(world, codes_of(fold, lists, max(k)), k)


def measured(
    world: GroundTruth, lists: np.ndarray, ks: Sequence[int], among: Mapping[str, np.ndarray] | None = None
) -> Evaluation:
    """Measure lists of items by their rows.

    Args:
        world: What the lists are held against.
        lists: rows of items, best first, -1 where there is none; shape (n_users, max(ks)).
        ks: Lengths.
        among: lists in which one part of `world.parts` alone was ranked, by the name of the part; each becomes a bucket,
            "among new items" say.
    """
    taken = gains(lists, world.truth)
    values: dict[str, dict[str, np.ndarray]] = {"": {}}
    totals: dict[str, dict[str, float]] = {}
    sizes: dict[str, int] = {}
    for k in sorted(set(ks)):
        for name, figure in _figures(world, lists[:, :k], taken[:, :k]):
            values[""][f"{name}@{k}"] = figure
    for bucket, mask in world.user_buckets.items():
        values[bucket] = {name: np.where(mask, figure, np.nan) for name, figure in values[""].items()}
    for bucket, mask in world.item_buckets.items():
        values[bucket] = {
            f"{name}@{k}": figure
            for k in sorted(set(ks))
            for name, figure in _figures_of_items(world, lists[:, :k], taken[:, :k], mask)
        }
    for bucket, ranked in (among or {}).items():
        part = world.within(world.parts[bucket])
        found = gains(ranked, part.truth)
        values[bucket] = {
            f"{name}@{k}": figure
            for k in sorted(set(ks))
            for name, figure in _figures_of_accuracy(part, ranked[:, :k], found[:, :k])
        }
    every = np.ones(len(world.counts), bool)
    for k in sorted(set(ks)):
        parts: dict[str, tuple[Any, np.ndarray]] = {"": (slice(None), every)}
        parts |= {bucket: (users, every) for bucket, users in world.user_buckets.items()}
        parts |= {bucket: (slice(None), items) for bucket, items in world.item_buckets.items()}
        for bucket, (users, items) in parts.items():
            some = lists[users, :k]
            figures = {
                f"coverage@{k}": beyond_accuracy.coverage(some, items),
                f"gini@{k}": beyond_accuracy.gini(some, items),
            }
            totals.setdefault(bucket, {}).update(figures)
            sizes[bucket] = len(some)
    return Evaluation(world.users, values, totals, sizes)


def codes_of(fold: Fold, lists: Any, k: int) -> np.ndarray:
    """A frame of lists as rows of the fold's items, a row a user of `test`; shape (n_users, k), int32, -1 for none.

    Raises:
        SourceError: A column is not there, or an item is listed twice or was seen.
        UnknownId: An item is unknown.
    """
    table = (
        pa.Table.from_pandas(lists, preserve_index=False)
        if isinstance(lists, pd.DataFrame)
        else pa.table(lists)
    )
    key = next((name for name in ("rank", "score") if name in table.column_names), "rank")
    for name in ("user_id", "item_id", key):
        if name not in table.column_names:
            raise SourceError(
                f"The lists have no column '{name}'.", "Give user_id, item_id, and rank or score."
            )
    asked = fold.test.users
    user, item = asked.ids(table["user_id"].cast(pa.large_string())), _items(fold.source, table["item_id"])
    order_by = table[key].to_numpy().astype(np.float64) * (1 if key == "rank" else -1)
    order = np.lexsort((item, order_by, user))
    order = order[user[order] >= 0]
    user, item = user[order], item[order]
    _check_lists(fold, user, item)
    counts = np.bincount(user, minlength=len(asked))
    place = np.arange(len(user)) - (np.cumsum(counts) - counts)[user]
    codes = np.full((len(asked), k), -1, np.int32)
    codes[user[place < k], place[place < k]] = item[place < k]
    return codes


def _figures_of_accuracy(
    world: GroundTruth, lists: np.ndarray, taken: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    positives = np.diff(world.truth.indptr)
    for name, metric in ACCURACY.items():
        yield name, metric(taken, positives)
    yield "auc", accuracy.auc(taken, positives, (lists >= 0).sum(axis=1), world.candidates)


def _figures(world: GroundTruth, lists: np.ndarray, taken: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield from _figures_of_accuracy(world, lists, taken)
    yield "novelty", beyond_accuracy.novelty(lists, world.counts, world.n_users)
    yield "popularity_lift", beyond_accuracy.popularity_lift(lists, world.known, world.counts)
    yield "serendipity", beyond_accuracy.serendipity(lists, taken, world.counts, world.seen)
    if world.vectors is not None:
        yield "diversity", beyond_accuracy.diversity(lists, world.vectors)
    if world.neighbors is not None:
        yield "graph_diversity", beyond_accuracy.diversity(lists, world.neighbors)
    for name, classes in world.classes.items():
        yield f"calibration of {name}", beyond_accuracy.calibration(lists, world.known, classes)


def _figures_of_items(
    world: GroundTruth, lists: np.ndarray, taken: np.ndarray, mask: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Figures of accuracy in which only positives with these items count, at the ranks that they have among all."""
    truth = world.truth
    positives = np.bincount(rows_of(truth)[mask[truth.indices]], minlength=truth.shape[0])
    theirs = taken & mask[lists]
    for name, metric in ACCURACY.items():
        yield name, metric(theirs, positives)
    lengths = (lists >= 0).sum(axis=1)
    others = np.diff(truth.indptr) - positives
    yield "auc", accuracy.auc(theirs, positives, lengths, world.candidates, taken & ~theirs, others)


def _items(graph: KnowledgeGraph, column: pa.ChunkedArray) -> np.ndarray:
    names = column.cast(pa.large_string()).combine_chunks()
    codes = graph.item_codes(names)
    for at in np.flatnonzero(codes < 0)[:1]:
        name = names[int(at)].as_py()
        raise UnknownId(
            f"There is no item '{name}' in the graph.", did_you_mean(name, graph.item_ids.sorted_labels)
        )
    return codes


def _check_lists(fold: Fold, user: np.ndarray, item: np.ndarray) -> None:
    pair = user * len(fold.source.item_ids) + item
    in_order = np.sort(pair)
    seen = rows_of(fold.seen) * len(fold.source.item_ids) + fold.seen.indices
    for wrong, what in (
        (in_order[1:][np.diff(in_order) == 0], "twice"),
        (np.intersect1d(pair, seen), "and has taken it before"),
    ):
        for one in wrong[:1].tolist():
            row, code = divmod(one, len(fold.source.item_ids))
            raise SourceError(
                f"User '{fold.test.users[row]}' has item '{fold.source.item_ids[code]}' in the list {what}.",
                "Give lists without items that training or the question knows, each item once.",
            )
