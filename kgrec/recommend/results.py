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
    """Items that rows added or changed, and the content that determines their vectors."""

    ids: list[str]
    labels: list[str]
    #: number of neighbours in the graph that the model has a parameter for, per item
    linked: list[int]
    #: number of words of text, per item
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

    #: items that the model recommends already; their rows were left out
    known: list[str]


@dataclass(frozen=True)
class Updated(Placed):
    """Summary of `update_items`."""

    #: items whose rows change nothing
    same: list[str]
    #: items that the model does not know or no longer recommends; their rows were left out
    unknown: list[str]
    #: other items whose vectors changed, because they are linked to a changed item
    reached: list[str]
    #: type of nodes -> columns of its table that the rows lack: their values stay
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

    #: rows that were used
    rows: int
    #: different users of these
    users: int
    #: those of them that the model did not know
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
    #: new pairs of user and item, and different users of these
    interactions: int
    users: int
    #: items that came with the refresh, and items that have interactions for the first time
    new_items: int
    newly_learned_items: int
    #: length of the compared lists, and users with held-out interactions
    k: int
    compared_users: int
    #: mean NDCG of these users before and after, and the difference's 95 % interval and p value; nan if there are none
    before: float
    after: float
    low: float
    high: float
    p: float
    #: the same as plain values, as the manifest of the model has them
    lineage: dict[str, Any] = field(repr=False)
    #: of the given items and interactions; None where none were given
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
        queries: One per row of `found`.
        result_name: Column of the found items.
        items: Names of the items.
        found: Rows of items, -1 where there is none; shape (n_queries, k).
        scores: Of these; same shape.
        min_score: Lowest score that is kept; ranks do not change.
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
