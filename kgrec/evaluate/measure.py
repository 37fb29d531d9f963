"""All metrics of the lists of one model, per user and per bucket.

Enters: a `Fold`, and lists of items for its test users. Leaves: an `Evaluation`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
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

#: function of hits, shape (n_users, k), and numbers of positives, shape (n_users,), to values, shape (n_users,)
Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: function of lists and hits, both of shape (n_users, k), to names of metrics with values per user
NamedMetrics = Callable[[np.ndarray, np.ndarray], Iterable[tuple[str, np.ndarray]]]

ACCURACY_METRICS: dict[str, Metric] = {
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
    """Measure the lists that a model recommends to the test users of a fold.

    Args:
        fold: The split; see `split_graph`.
        lists: A frame with user_id, item_id, and rank (from 1) or score, as `recommend` returns it. A test user without
            a row has an empty list; rows of other users are ignored.
        k: Lengths at which lists are measured: only the first k entries count.
        embeddings: `Embeddings` of items, for the metric `diversity`; None: without it. An item without a vector has
            cosine 0 with every other item.
        classes: Node types, such as "genre", for the metric `calibration`: how far the shares of a list's genres are
            from those of the user's history.

    Returns:
        Metrics of accuracy and beyond accuracy per user, over all items and per bucket; see `ACCURACY_METRICS`,
        `kgrec.metrics.accuracy` and `kgrec.metrics.beyond_accuracy`.

    Raises:
        SourceError: `lists` lacks a column, or a user's list has an item twice or one that the user has seen.
        UnknownId: An item or a node type is unknown.
        ConfigError: A `k` is below 1.

    Example:
        >>> lists = rec.recommend(users, k=20)  # doctest: +SKIP
        >>> evaluate_lists(fold, lists, classes=["genre"]).frame()  # doctest: +SKIP
    """
    if not k or min(k) < 1:
        raise ConfigError(f"k is {list(k)}.", "Give lengths of 1 or more.")
    ground_truth = ground_truth_of(fold, embeddings, classes)
    return measure_lists(ground_truth, lists_as_rows(fold, lists, max(k)), k)


def measure_lists(
    ground_truth: GroundTruth,
    lists: np.ndarray,
    ks: Sequence[int],
    by_subset: Mapping[str, np.ndarray] | None = None,
) -> Evaluation:
    """Measure lists that hold rows of items.

    Args:
        ground_truth: What the lists are compared with.
        lists: Rows of items, best first, -1 past the end of a list; shape (n_users, max(ks)), int32.
        ks: Lengths at which lists are measured.
        by_subset: Lists for which only one of `ground_truth.candidate_subsets` was ranked, by the name of the subset.
            Each becomes a bucket, such as "among new items".
    """
    ks = sorted(set(ks))
    values = _values_by_bucket(ground_truth, lists, ks)
    for bucket, ranked in (by_subset or {}).items():
        part = ground_truth.restricted_to(ground_truth.candidate_subsets[bucket])
        values[bucket] = _at_each_k(partial(_accuracy_values, part), ranked, gains(ranked, part.truth), ks)
    totals, sizes = _totals_by_bucket(ground_truth, lists, ks)
    return Evaluation(ground_truth.users, values, totals, sizes)


def lists_as_rows(fold: Fold, lists: Any, k: int) -> np.ndarray:
    """A frame of lists as rows of the fold's items, one list per test user; shape (n_users, k), int32, padded with -1.

    Raises:
        SourceError: A column is missing, or a user's list has an item twice or one that the user has seen.
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
    users = fold.test.users
    user, item = users.ids(table["user_id"].cast(pa.large_string())), _items(fold.source, table["item_id"])
    order_by = table[key].to_numpy().astype(np.float64) * (1 if key == "rank" else -1)
    order = np.lexsort((item, order_by, user))
    order = order[user[order] >= 0]
    user, item = user[order], item[order]
    _check_lists(fold, user, item)
    counts = np.bincount(user, minlength=len(users))
    place = np.arange(len(user)) - (np.cumsum(counts) - counts)[user]
    codes = np.full((len(users), k), -1, np.int32)
    codes[user[place < k], place[place < k]] = item[place < k]
    return codes


def _values_by_bucket(
    ground_truth: GroundTruth, lists: np.ndarray, ks: Sequence[int]
) -> dict[str, dict[str, np.ndarray]]:
    """Bucket -> metric@k -> value per user, for lists in which all items were ranked."""
    hits = gains(lists, ground_truth.truth)
    values = {"": _at_each_k(partial(_values, ground_truth), lists, hits, ks)}
    for bucket, mask in ground_truth.user_buckets.items():
        values[bucket] = {name: np.where(mask, value, np.nan) for name, value in values[""].items()}
    for bucket, mask in ground_truth.item_buckets.items():
        values[bucket] = _at_each_k(partial(_item_bucket_values, ground_truth, mask), lists, hits, ks)
    return values


def _totals_by_bucket(
    ground_truth: GroundTruth, lists: np.ndarray, ks: Sequence[int]
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Bucket -> metric@k -> value of all lists together; and bucket -> number of these lists."""
    everybody, every_item = slice(None), np.ones(len(ground_truth.counts), bool)
    buckets: dict[str, tuple[Any, np.ndarray]] = {"": (everybody, every_item)}
    buckets |= {bucket: (users, every_item) for bucket, users in ground_truth.user_buckets.items()}
    buckets |= {bucket: (everybody, items) for bucket, items in ground_truth.item_buckets.items()}
    totals = {
        bucket: {
            f"{name}@{k}": metric(lists[users, :k], items)
            for k in ks
            for name, metric in (("coverage", beyond_accuracy.coverage), ("gini", beyond_accuracy.gini))
        }
        for bucket, (users, items) in buckets.items()
    }
    return totals, {bucket: len(lists[users]) for bucket, (users, _) in buckets.items()}


def _at_each_k(
    metrics: NamedMetrics, lists: np.ndarray, hits: np.ndarray, ks: Sequence[int]
) -> dict[str, np.ndarray]:
    """metric@k -> value per user, for the first k entries of the lists."""
    return {f"{name}@{k}": value for k in ks for name, value in metrics(lists[:, :k], hits[:, :k])}


def _accuracy_values(
    ground_truth: GroundTruth, lists: np.ndarray, hits: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    positives = np.diff(ground_truth.truth.indptr)
    for name, metric in ACCURACY_METRICS.items():
        yield name, metric(hits, positives)
    yield "auc", accuracy.auc(hits, positives, (lists >= 0).sum(axis=1), ground_truth.n_candidates)


def _values(
    ground_truth: GroundTruth, lists: np.ndarray, hits: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    yield from _accuracy_values(ground_truth, lists, hits)
    yield "novelty", beyond_accuracy.novelty(lists, ground_truth.counts, ground_truth.n_users)
    yield "popularity_lift", beyond_accuracy.popularity_lift(lists, ground_truth.known, ground_truth.counts)
    yield "serendipity", beyond_accuracy.serendipity(lists, hits, ground_truth.counts, ground_truth.seen)
    if ground_truth.vectors is not None:
        yield "diversity", beyond_accuracy.diversity(lists, ground_truth.vectors)
    if ground_truth.neighbors is not None:
        yield "graph_diversity", beyond_accuracy.diversity(lists, ground_truth.neighbors)
    for name, classes in ground_truth.classes.items():
        yield f"calibration of {name}", beyond_accuracy.calibration(lists, ground_truth.known, classes)


def _item_bucket_values(
    ground_truth: GroundTruth, mask: np.ndarray, lists: np.ndarray, hits: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Accuracy when only items in the mask count as positives; they keep their ranks among all items."""
    truth = ground_truth.truth
    positives = np.bincount(rows_of(truth)[mask[truth.indices]], minlength=truth.shape[0])
    hits_here = hits & mask[lists]
    for name, metric in ACCURACY_METRICS.items():
        yield name, metric(hits_here, positives)
    lengths = (lists >= 0).sum(axis=1)
    others = np.diff(truth.indptr) - positives
    yield (
        "auc",
        accuracy.auc(hits_here, positives, lengths, ground_truth.n_candidates, hits & ~hits_here, others),
    )


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
    for wrong, problem in (
        (in_order[1:][np.diff(in_order) == 0], "twice in the list"),
        (np.intersect1d(pair, seen), "in the list, and had it before"),
    ):
        for one in wrong[:1].tolist():
            row, code = divmod(one, len(fold.source.item_ids))
            raise SourceError(
                f"User '{fold.test.users[row]}' has item '{fold.source.item_ids[code]}' {problem}.",
                "List each item once, and none that is in the training part or in the user's history.",
            )
