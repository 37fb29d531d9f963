"""From the user's strings to rows of a model, and from rows to frames.

Enters: ids in the user's own strings, or the rows and scores that a search found. Leaves: rows, or
pandas frames and Arrow tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from kgrec.errors import ConfigError, UnknownId, did_you_mean
from kgrec.model import Model
from kgrec.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas as pd

OnUnknown = Literal["raise", "skip"]


def known_rows(
    rows_of: Callable[[list[str]], np.ndarray],
    ids: Iterable[str],
    what: str,
    known: Vocabulary,
    on_unknown: OnUnknown,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known ones among `ids`, and where in `ids` they stand.

    Raises:
        UnknownId: One is unknown, and `on_unknown` is "raise".
    """
    ids = [ids] if isinstance(ids, str) else [str(name) for name in ids]
    rows = rows_of(ids)
    unknown = np.flatnonzero(rows < 0)
    if len(unknown) and on_unknown == "raise":
        name = ids[unknown[0]]
        others = f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
        raise UnknownId(f"There is no {what} '{name}'{others} in the model.", _way_out(name, what, known))
    there = np.flatnonzero(rows >= 0)
    return rows[there], there


def user_rows(model: Model, ids: Iterable[str], on_unknown: OnUnknown = "raise") -> np.ndarray:
    """Rows of users; UnknownId as `known_rows`."""
    return known_rows(model.users.ids, ids, "user", model.users, on_unknown)[0]


def item_rows(model: Model, ids: Iterable[str], on_unknown: OnUnknown = "raise") -> np.ndarray:
    """Rows of items, also by a name that was merged away; UnknownId as `known_rows`."""
    return known_rows(model.item_rows, ids, "item", model.items, on_unknown)[0]


def _way_out(name: str, what: str, vocabulary: Vocabulary) -> str:
    close = did_you_mean(name, vocabulary.sorted_labels)
    return close if what == "item" else f"{close} For a new user, give the history instead."


def at_least_one(k: int) -> int:
    """`k`, or ConfigError when it is below 1."""
    if k < 1:
        raise ConfigError(f"k is {k}.", "It must be at least 1.")
    return k


def ranked_frame(
    query_name: str,
    queries: pa.Array,
    result_name: str,
    items: Vocabulary,
    found: np.ndarray,
    scores: np.ndarray,
    *,
    arrow: bool,
) -> pa.Table | pd.DataFrame:
    """Lists of items as a frame: query, result, score (float32) and rank (int32, from 1).

    Args:
        query_name: Column of `queries`.
        queries: One a row of `found`.
        result_name: Column of the items found.
        items: Names of the items.
        found: Rows of items, -1 where there is none; shape (n_queries, k).
        scores: Of these; same shape.
        arrow: Give an Arrow table instead of a pandas frame.
    """
    row, rank = np.nonzero(found >= 0)
    table = pa.table(
        {
            query_name: queries.take(pa.array(row)),
            result_name: items.labels.take(pa.array(found[row, rank])),
            "score": pa.array(scores[row, rank]),
            "rank": pa.array((rank + 1).astype(np.int32)),
        }
    )
    return table if arrow else table.to_pandas()
