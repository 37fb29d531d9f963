"""Scores of given pairs of a user and an item.

Enters: pairs by id or by row. Leaves: their scores, equal to those in lists. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_ids, is_frame
from kgrec.errors import ConfigError
from kgrec.model.model import Model

#: number of pairs scored at once, and largest number of pairs of one user scored as one row
_PAIRS, _WIDTH = 1 << 15, 64


def pairs_of(users: Any, items: Any) -> tuple[list[str], list[str]]:
    """Users and items of pairs, given as two lists of ids, or as a frame with user_id and item_id.

    Raises:
        ConfigError: The lists differ in length, or contain values that are not ids.
        SourceError: A column of the frame is missing, or a cell is not an id.
    """
    if items is None and (is_frame(users) or isinstance(users, Mapping)):
        table = as_table(users, "pairs", ids=["user_id", "item_id"])
        return table["user_id"].to_pylist(), table["item_id"].to_pylist()
    if items is None:
        raise ConfigError(
            "The pairs have no items.", "Give one item per user, or a frame with user_id and item_id."
        )
    named = as_ids(users, "users"), as_ids(items, "items")
    if len(named[0]) != len(named[1]):
        raise ConfigError(
            f"There are {len(named[0]):,} users but {len(named[1]):,} items.",
            "Give one item per user, so that each position is a pair.",
        )
    return named


def scores_of(model: Model, users: np.ndarray, items: np.ndarray, boost: np.ndarray | None) -> np.ndarray:
    """Scores of pairs; shape (n,), float32.

    Args:
        model: Contains the users and items.
        users: Row of the user in each pair; shape (n,), int64.
        items: Row of the item in each pair; shape (n,), int64.
        boost: Added to the score of each item; shape (n_items,); None: nothing is added.
    """
    scores = np.zeros(len(users), np.float32)
    by_user = np.argsort(users, kind="stable")
    for start in range(0, len(users), _PAIRS):
        some = by_user[start : start + _PAIRS]
        line, place, of_line = _lines(users[some])
        rows = np.full((len(of_line), int(place.max()) + 1), -1, np.int64)
        rows[line, place] = items[some]
        scores[some] = model.scores(model.histories.take(of_line), rows)[line, place]
    return scores if boost is None else scores + boost[items]


def _lines(users: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs, sorted by user, arranged in a rectangle: the row and column of each pair, and the user of each row."""
    _, first, user = np.unique(users, return_index=True, return_inverse=True)
    position = np.arange(len(users)) - first[user]
    starts = np.flatnonzero(position % _WIDTH == 0)
    line = np.searchsorted(starts, np.arange(len(users)), side="right") - 1
    return line, position % _WIDTH, users[starts]
