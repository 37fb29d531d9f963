"""Results of a recommender: lists as frames, embeddings, and summaries of changes.

Enters: rows and scores of a search. Leaves: pandas frames, Arrow tables, plain values. Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec.arguments.options import flag
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.build_report import Report

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Embeddings:
    """Rows of `vectors` in the order of `ids`."""

    ids: Vocabulary
    #: unit length; shape (len(ids), dim), float32
    vectors: np.ndarray

    def to_arrow(self) -> pa.Table:
        """Columns id and vector, a list of fixed size."""
        flat = pa.array(np.ascontiguousarray(self.vectors).ravel())
        return pa.table(
            {"id": self.ids.labels, "vector": pa.FixedSizeListArray.from_arrays(flat, self.vectors.shape[1])}
        )


@dataclass(frozen=True)
class Placed:
    """Items added or changed by rows, and the content that determines their vectors."""

    ids: list[str]
    labels: list[str]
    #: per item, number of neighbours in the graph for which the model has a parameter
    linked: list[int]
    #: per item, number of words of text
    words: list[int]
    #: items without any content that the model reads: no known neighbour, text, number or vector
    bare: list[str]
    #: rows that were read, dropped and merged, with their places
    report: Report = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Added(Placed):
    """Summary of `add_items`."""

    #: items that the model already recommends; their rows were left out
    known: list[str]


@dataclass(frozen=True)
class Updated(Placed):
    """Summary of `update_items`."""

    #: items whose rows contain no change
    same: list[str]
    #: items that are not in the model or no longer recommended; their rows were left out
    unknown: list[str]
    #: other items whose vectors changed, because they are linked to a changed item
    reached: list[str]
    #: node type -> columns of its table that are not in the rows; their values are kept
    kept: dict[str, list[str]]


@dataclass(frozen=True)
class Removed:
    """Summary of `remove_items`."""

    ids: list[str]
    labels: list[str]
    #: items that had been removed before
    before: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class AddedInteractions:
    """Summary of `add_interactions`."""

    #: number of used rows
    rows: int
    #: number of distinct users in these rows
    users: int
    #: users among them that were new to the model
    new_users: list[str]
    #: rows that were read, dropped and merged, with their places
    report: Report = field(repr=False)

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class Refreshed:
    """Summary of `refresh`."""

    #: whether the recommender answers from the refreshed model now
    accepted: bool
    #: number of new pairs of user and item, and number of distinct users in them
    interactions: int
    users: int
    #: number of items added by the refresh, and number of items with interactions for the first time
    new_items: int
    newly_learned_items: int
    #: length of the compared lists, and number of users with held-out interactions
    k: int
    compared_users: int
    #: mean NDCG of these users before and after, and the 95 % interval and p value of the difference; nan without such users
    before: float
    after: float
    low: float
    high: float
    p: float
    #: the same as plain values, as stored in the manifest of the model
    lineage: dict[str, Any] = field(repr=False)
    #: summaries of the given items and interactions; None if none were given
    added: Added | None = field(repr=False, default=None)
    added_interactions: AddedInteractions | None = field(repr=False, default=None)


def ranked_frame(
    query_name: str,
    queries: pa.Array,
    result_name: str,
    items: Vocabulary,
    found: np.ndarray,
    scores: np.ndarray,
    *,
    min_score: float | None = None,
    arrow: bool,
) -> pa.Table | pd.DataFrame:
    """Lists of items as a frame: query, result, score (float32) and rank (int32, from 1).

    Args:
        query_name: Column of `queries`.
        queries: One query per row of `found`.
        result_name: Column of the found items.
        items: Names of the items.
        found: Rows of items, padded with -1; shape (n_queries, k).
        scores: Scores of these items; same shape.
        min_score: Lowest returned score; ranks do not change.
        arrow: Return an Arrow table instead of a pandas frame.
    """
    there = found >= 0
    if min_score is not None:
        there &= scores >= min_score
    row, rank = np.nonzero(there)
    table = pa.table(
        {
            query_name: queries.take(pa.array(row)),
            result_name: items.take(found[row, rank]),
            "score": pa.array(scores[row, rank]),
            "rank": pa.array((rank + 1).astype(np.int32)),
        }
    )
    return table if flag("arrow", arrow) else table.to_pandas()
