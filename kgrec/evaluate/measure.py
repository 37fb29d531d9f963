"""All metrics of the lists of one model, per user and per bucket.

Enters: a `Fold`, and lists of items for its test users. Leaves: an `Evaluation`. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_texts
from kgrec.errors import ConfigError, SourceError, UnknownId, did_you_mean
from kgrec.evaluate.evaluation import Evaluation
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.ground_truth import GroundTruth, ground_truth_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.metrics import accuracy, beyond_accuracy
from kgrec.metrics.propensity import propensities, snips_ndcg, snips_recall
from kgrec.metrics.topk import gains, rows_of
from kgrec.recommend.results import Embeddings

logger = logging.getLogger(__name__)

#: maps hits, shape (n_users, k), and numbers of positives, shape (n_users,), to values, shape (n_users,)
Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: maps lists and hits, both of shape (n_users, k), to names of metrics with values per user
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
    k: Sequence[int] | int = (20,),
    *,
    embeddings: Embeddings | None = None,
    classes: Sequence[str] = (),
) -> Evaluation:
    """Measure the lists that a model recommends to the test users of a fold.

    Args:
        fold: The split; see `split_graph`.
        lists: A frame with user_id, item_id, and rank (from 1) or score, as `recommend` returns it. A test user without
            a row has an empty list. Rows of other users are left out, and so are items that a user has in `fold.valid`, which a model
            recommends if it was not trained on them: `Evaluation.remarks` counts both, and they are logged as warnings.
        k: Lengths at which lists are measured: only the first k entries count.
        embeddings: `Embeddings` of items, for the metric `diversity`; None: the metric is left out. An item without a vector has
            cosine 0 with every other item.
        classes: Node types, such as "genre", for the metric `calibration`: how far the shares of a list's genres are
            from those of the user's history.

    Returns:
        Metrics of accuracy and beyond accuracy per user, over all items and per bucket; see `ACCURACY_METRICS`,
        `kgrec.metrics.accuracy` and `kgrec.metrics.beyond_accuracy`.

    Raises:
        SourceError: `lists` lacks a column, has a rank or score that is not a number, or has no rows of test users; or a
            user's list has an item twice, or an item that the user has in the training part or the history.
        UnknownId: An item or a node type is unknown.
        ConfigError: A `k` is not a whole number from 1, or another argument has the wrong type.

    Example:
        >>> lists = rec.recommend(users, k=20)  # doctest: +SKIP
        >>> evaluate_lists(fold, lists, classes=["genre"]).frame()  # doctest: +SKIP
    """
    options.instance(
        "fold", fold, Fold, "Give one of the folds that split_graph returned, or given_split(...)."
    )
    options.optional("embeddings", embeddings, Embeddings, "Give recommender.item_embeddings.")
    ks = lengths("k", k)
    ground_truth = ground_truth_of(fold, embeddings, as_texts(classes, "classes"))
    given = checked_lists(fold, lists, max(ks), knows_valid=False)
    for remark in given.remarks:
        logger.warning("%s", remark)
    return replace(measure_lists(ground_truth, given.rows, ks), remarks=given.remarks)


def measure_lists(
    ground_truth: GroundTruth,
    lists: np.ndarray,
    ks: Sequence[int],
    by_subset: Mapping[str, np.ndarray] | None = None,
) -> Evaluation:
    """Measure lists given as rows of items.

    Args:
        ground_truth: The data that lists are compared with.
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


@dataclass(frozen=True)
class CheckedLists:
    """Lists as rows of items, and remarks on what was left out."""

    #: best first, padded with -1; shape (n_users, k), int32
    rows: np.ndarray
    remarks: tuple[str, ...]


def lists_as_rows(fold: Fold, lists: Any, k: int) -> np.ndarray:
    """A frame of lists as rows of the fold's items, one list per test user; shape (n_users, k), int32, padded with -1.

    Raises:
        SourceError: A column is missing, a rank or score is not a number, or a user's list has an item twice or one that the user
            has seen.
        UnknownId: An item is unknown.
    """
    user, item = _codes(fold, _table_of_lists(lists))
    user, item = user[user >= 0], item[user >= 0]
    _check_lists(fold, user, item)
    return _padded(fold, (user, item), k)


def checked_lists(fold: Fold, lists: Any, k: int, *, knows_valid: bool) -> CheckedLists:
    """Like `lists_as_rows`, with remarks on what was left out and which users have no list.

    Args:
        fold: The split.
        lists: A frame with user_id, item_id, and rank or score.
        k: Length of the lists.
        knows_valid: Whether the model learned from `fold.valid`: an item that the user has there is then an error, and is left out
            otherwise.

    Raises:
        SourceError: No row belongs to a test user; or as in `lists_as_rows`.
    """
    table = _table_of_lists(lists)
    user, item = _codes(fold, table)
    if not (user >= 0).any():
        raise SourceError(
            f"None of the {len(table):,} rows belongs to one of the {len(fold.test.users):,} test users"
            f"{_example(table)}.",
            f"Recommend for fold.test.users.tolist(), such as '{fold.test.users[0]}'.",
        )
    wanted = (user >= 0) & (knows_valid | ~_in(fold.in_valid, user, item))
    _check_lists(fold, user[wanted], item[wanted])
    rows = _padded(fold, (user[wanted], item[wanted]), k)
    return CheckedLists(rows, tuple(_remarks(fold, table, (user, item), rows, k)))


def lengths(name: str, values: Any, most: int | None = None) -> list[int]:
    """Lengths of lists; a single number is accepted as a list of one.

    Raises:
        ConfigError: The list is empty, or a length is not a whole number from 1, or exceeds `most`.
    """
    listed = (
        [values]
        if isinstance(values, int | np.integer)
        else options.sequence(name, values, "lengths: (10, 20)")
    )
    if not listed:
        raise ConfigError(f"{name} is empty, so nothing is measured.", "Give lengths such as (10, 20).")
    return [options.whole_number(f"{name}[{at}]", length, 1, most) for at, length in enumerate(listed)]


def _table_of_lists(lists: Any) -> pa.Table:
    """Columns user_id, item_id, and a number by which the rows of a user are sorted, smallest first."""
    table = as_table(lists, "lists", ids=["user_id", "item_id"])
    key = next((name for name in ("rank", "score") if name in table.column_names), None)
    if key is None:
        raise SourceError(
            "lists has no column 'rank' or 'score'.", "Give user_id, item_id, and rank or score."
        )
    sign = 1 if key == "rank" else -1
    return table.select(["user_id", "item_id"]).append_column(
        "order", pa.array(sign * _numbers(table[key], key))
    )


def _numbers(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """A column of numbers, shape (rows,), float64."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)) and len(
        column
    ):
        raise SourceError(f"lists: '{name}' is of type {kind}.", "Give numbers.")
    numbers = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    for row in np.flatnonzero(~np.isfinite(numbers))[:1].tolist():
        raise SourceError(
            f"lists:{row + 1}: '{name}' is {numbers[row]}, so the row has no place in its list.",
            "Give ranks from 1, or scores that are numbers.",
        )
    return numbers


def _codes(fold: Fold, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """User and item of the rows, users sorted, each user's items best first; -1 for users who are not test users."""
    user, item = fold.test.users.ids(table["user_id"]), _items(fold.source, table["item_id"])
    order = np.lexsort((item, table["order"].to_numpy(), user))
    return user[order], item[order]


def _padded(fold: Fold, rows: tuple[np.ndarray, np.ndarray], k: int) -> np.ndarray:
    user, item = rows
    users = fold.test.users
    counts = np.bincount(user, minlength=len(users))
    place = np.arange(len(user)) - (np.cumsum(counts) - counts)[user]
    codes = np.full((len(users), k), -1, np.int32)
    codes[user[place < k], place[place < k]] = item[place < k]
    return codes


def _remarks(
    fold: Fold, table: pa.Table, given: tuple[np.ndarray, np.ndarray], rows: np.ndarray, k: int
) -> Iterator[str]:
    user, item = given
    others = user < 0
    if others.any():
        yield f"Left out, because the user is not a test user: {others.sum():,} of {len(table):,} rows."
    counts = np.bincount(user[~others], minlength=len(fold.test.users))
    if (counts == 0).any():
        example = fold.test.users[int(np.argmin(counts))]
        none = f"{(counts == 0).sum():,} of {len(counts):,}, such as '{example}'"
        yield f"Test users without a row, whose lists count as empty: {none}."
    in_valid = _in(fold.in_valid, user[~others], item[~others])
    if in_valid.any():
        left_out = f"{in_valid.sum():,} of {len(table):,} rows"
        now = (rows >= 0).sum(axis=1)
        short = int(((now < k) & (now < counts)).sum())
        longest = k + int(np.diff(fold.in_valid.indptr).max())
        fill = f" Lists with fewer than {k} items because of that: {short:,}; recommend {longest} items per user to fill them."
        yield (
            f"Left out, because the user has the item in the validation part of the fold: {left_out}."
            f"{fill if short else ''}"
        )


def _in(matrix: csr_matrix, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Whether each pair is in a matrix; shape (len(user),), bool."""
    size = matrix.shape[1]
    return np.isin(user * size + item, rows_of(matrix) * size + matrix.indices)


def _example(table: pa.Table) -> str:
    return f": the first is of '{table['user_id'][0].as_py()}'" if len(table) else ""


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
    """Bucket -> metric@k -> value over all lists; and bucket -> number of these lists."""
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
    propensity = propensities(ground_truth.counts)
    yield "recall_snips", snips_recall(lists, hits, ground_truth.truth, propensity)
    yield "ndcg_snips", snips_ndcg(lists, hits, ground_truth.truth, propensity)
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
    """Accuracy if only items in the mask count as positives; they keep their ranks among all items."""
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
    """Raise an error for an item twice in a list, or one that the user has in the training part or in the history."""
    size = len(fold.source.item_ids)
    pair = user * size + item
    in_order = np.sort(pair)
    for wrong, problem in (
        (in_order[1:][np.diff(in_order) == 0], "twice in the list"),
        (pair[_in(fold.seen, user, item)], "in the list, and had it before"),
    ):
        for one in wrong[:1].tolist():
            row, code = divmod(one, size)
            raise SourceError(
                f"User '{fold.test.users[row]}' has item '{fold.source.item_ids[code]}' {problem}.",
                "List each item once, and leave out items of the training part or of the user's history: these lists come from "
                "another split, or from a model that was trained without fold.train.",
            )
