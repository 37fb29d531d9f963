"""Counterfactuals: a smallest set of history items whose removal drops an item from the list.

Enters: a model, the history of one user, an item of that user's list, the request. Leaves: a `Counterfactual`. Nothing is written.

Candidate sets are tried in order of contribution, and each is verified by ranking again: first single items, then pairs of the largest, then a growing
set of the largest (greedily, as Tran et al. 2021, "Counterfactual explanations for neural recommenders", do by influence), from which items that are not
needed are put back. At most `MOST_LISTS` lists are ranked. Removed items stay seen, so they are not recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend.list_account import ListAccount
from kgrec.recommend.list_options import list_policy
from kgrec.recommend.placement import place
from kgrec.recommend.request import Request

#: number of history items that are tried, by largest contribution; and number of these that are tried in pairs
TRIED, _OF_PAIRS = 50, 10
#: sum of: the list itself, single items, pairs, sets of the largest, as many attempts to put an item back, and the lists before and after
MOST_LISTS = 1 + TRIED + _OF_PAIRS * (_OF_PAIRS - 1) // 2 + TRIED + TRIED + 2
#: number of lists ranked at once
_AT_ONCE = 64


@dataclass(frozen=True)
class Counterfactual:
    """Items of a history whose removal drops an item from the list."""

    #: length of the list, and the item's rank in it
    k: int
    rank: int
    #: ids and labels, largest contribution first; empty if no tried set is sufficient
    removed: tuple[tuple[str, str], ...]
    #: whether every smaller set was tried
    is_smallest: bool
    #: id and label of an item that would be in the list instead; None if the list would be shorter
    instead: tuple[str, str] | None
    #: number of lists ranked to verify this
    lists: int

    def __str__(self) -> str:
        if not self.removed:
            return f"rank {self.rank} of {self.k}, also without the {TRIED} items that matter most, singly or together"
        names = [label or item for item, label in self.removed]
        joined = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        instead = f", but {self.instead[1] or self.instead[0]} would" if self.instead else ""
        return f"without {joined} it would not be in the list of {self.k}{instead}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        named = [{"item_id": item, "label": label} for item, label in self.removed]
        instead = None if self.instead is None else dict(zip(("item_id", "label"), self.instead, strict=True))
        others = {name: getattr(self, name) for name in ("k", "rank", "is_smallest", "lists")}
        return {**others, "removed": named, "instead": instead, "text": str(self)}


def counterfactual(
    model: Model, history: Histories, item: int, request: Request, seen: sp.csr_matrix | None, user: str = ""
) -> Counterfactual:
    """A smallest set of history items whose removal drops an item from the list.

    Args:
        model: Contains the item.
        history: History of one user; disliked items have weights below 0 and are never removed.
        item: Row of the item.
        request: The options of the list.
        seen: Items that are left out of the list; shape (1, n_items); None: none.
        user: Name of the user, for the user's own candidate and deny lists; "": the user has none.

    Raises:
        ConfigError: The item is not in the list.
    """
    trial = _Trial(model, history, item, request, seen, user)
    rank = int(trial.ranks([np.zeros(0, np.int64)])[0])
    if not rank:
        raise ConfigError(
            f"'{model.items.ids[item]}' is not in the list of {trial.k}, so nothing keeps it there.",
            "Give an item of the list, or a larger k.",
        )
    account = ListAccount(model, history, np.array([item]))
    by_item = np.where(history.matrix().data > 0, account.by_item[:, 0], 0)
    ordered = account.rows[np.argsort(-by_item, kind="stable")][: min(TRIED, np.count_nonzero(by_item > 0))]
    removed, is_smallest = _smallest(trial, ordered)
    named = tuple((model.items.ids[row], model.items.label(row)) for row in removed)
    return Counterfactual(
        trial.k, rank, named, is_smallest, trial.instead(removed) if removed else None, trial.lists
    )


def _smallest(trial: _Trial, ordered: np.ndarray) -> tuple[list[int], bool]:
    """Rows of the items to remove, and whether every smaller set was tried; no rows if no set is sufficient."""
    everything = len(ordered) == trial.n_liked
    pairs = [np.array(pair) for pair in combinations(ordered[:_OF_PAIRS].tolist(), 2)]
    for size, sets in ((1, [ordered[at : at + 1] for at in range(len(ordered))]), (2, pairs)):
        gone = np.flatnonzero(trial.ranks(sets) == 0)
        if len(gone):
            return sets[gone[0]].tolist(), size == 1 or everything
    largest = [ordered[:size] for size in range(3, len(ordered) + 1)]
    gone = np.flatnonzero(trial.ranks(largest) == 0)
    if not len(gone):
        return [], False
    needed = _needed(trial, largest[gone[0]].tolist())
    return needed, len(needed) == 3 and everything and len(ordered) <= _OF_PAIRS


def _needed(trial: _Trial, removed: list[int]) -> list[int]:
    """The set without the items that are not needed: each item is put back, smallest contribution first, if the rest is sufficient."""
    for row in reversed(list(removed)):
        rest = [other for other in removed if other != row]
        if trial.ranks([np.array(rest)])[0] == 0:
            removed = rest
    return removed


class _Trial:
    """Lists of one user without some items of the history."""

    def __init__(
        self,
        model: Model,
        history: Histories,
        item: int,
        request: Request,
        seen: sp.csr_matrix | None,
        user: str,
    ) -> None:
        self.model, self.history, self.item, self.request, self.user = model, history, item, request, user
        self.seen = seen
        self.k = request.length(len(model.items))
        self.n_liked = int(np.count_nonzero(history.matrix().data > 0))
        #: number of lists ranked so far
        self.lists = 0

    def ranks(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """The item's rank after removal of each set of rows; 0: not in the list; shape (len(sets),)."""
        parts = [self._lists(sets[start : start + _AT_ONCE]) for start in range(0, len(sets), _AT_ONCE)]
        return np.array([place(row, self.item) for part in parts for row in part], np.int64)

    def instead(self, removed: list[int]) -> tuple[str, str] | None:
        """An item that enters the list when these rows are removed."""
        before, after = self._lists([np.zeros(0, np.int64), np.array(removed)])
        new = [row for row in after.tolist() if row >= 0 and row not in before]
        return (self.model.items.ids[new[0]], self.model.items.label(new[0])) if new else None

    def _lists(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """Rows of the items in each list, padded with -1; shape (len(sets), k)."""
        self.lists += len(sets)
        copies = self.history.take(np.zeros(len(sets), np.int64))
        kept = [~np.isin(self.history.item, removed) for removed in sets]
        copies = copies.of_rows(np.concatenate(kept))
        users = [self.user] * len(sets) if self.user else None
        seen = None if self.seen is None else sp.vstack([self.seen] * len(sets), format="csr")
        filters = self.request.filters(self.model, users, seen)
        policy = list_policy(self.model, self.request, copies)
        found, scores = self.model.ranked(copies, self.k, filters, policy)
        if self.request.min_score is not None:
            found = np.where(scores >= self.request.min_score, found, -1)
        return found
