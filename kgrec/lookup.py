"""From the user's strings to rows of a model.

Enters: ids in the user's own strings, conditions. Leaves: rows of items and users, or an error that names the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from kgrec.errors import ConfigError, UnknownId, did_you_mean
from kgrec.model import Model
from kgrec.vocabulary import Vocabulary

OnUnknown = Literal["raise", "skip"]
#: what becomes of the stored history of a user of whom a history is given
KnownUsers = Literal["merge", "replace"]


@dataclass(frozen=True)
class Limits:
    """How long a list is, and which items may stand in it: all limits hold at once."""

    k: int = 10
    #: the only items
    candidates: Iterable[str] | None = None
    #: items that may not
    deny: Iterable[str] | None = None
    #: a condition, see `kgrec.where`
    where: str | None = None
    #: what a score must reach
    min_score: float | None = None
    #: what unknown items, and unknown values of the condition, do
    on_unknown: OnUnknown = "raise"

    def length(self, there_are: int) -> int:
        """`k`, or how many there are if that is less; ConfigError when `k` is below 1."""
        if self.k < 1:
            raise ConfigError(f"k is {self.k}.", "It must be at least 1.")
        return min(self.k, there_are)

    def rows(self, model: Model) -> np.ndarray | None:
        """Rows of the items that may stand in a list, None for all; removed ones may not.

        Raises:
            UnknownId: An item is unknown, or a value of the condition.
            ConfigError: The condition cannot be read, or has a name that the graph lacks.
        """
        if self.candidates is None and self.deny is None and self.where is None:
            return model.offered
        allowed = np.full(len(model.items), self.candidates is None)
        if self.candidates is not None:
            allowed[item_rows(model, self.candidates, self.on_unknown)] = True
        if self.deny is not None:
            allowed[item_rows(model, self.deny, self.on_unknown)] = False
        if self.where is not None:
            allowed &= model.matching(self.where, self.on_unknown == "skip")
        allowed[model.removed] = False
        return np.flatnonzero(allowed)


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


def history_matrix(
    model: Model, histories: Sequence[Sequence[str]], on_unknown: OnUnknown = "raise"
) -> sp.csr_matrix:
    """Lists of items as a matrix of ones, shape (len(histories), n_items); UnknownId as `known_rows`."""
    names = [name for history in histories for name in history]
    rows, there = known_rows(model.item_rows, names, "item", model.items, on_unknown)
    owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])[there]
    bounds = np.searchsorted(owner, np.arange(1, len(histories) + 1))
    return model.history_matrix(np.split(rows, bounds)[: len(histories)])


def feedback(
    model: Model,
    histories: Sequence[Sequence[str]],
    dislikes: Sequence[Sequence[str]] | None,
    on_unknown: OnUnknown = "raise",
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """What is liked and what is disliked, as `history_matrix`.

    Raises:
        UnknownId: An item is unknown.
        ConfigError: An item is both liked and disliked, or there are more lists of one than of the other.
    """
    dislikes = [()] * len(histories) if dislikes is None else dislikes
    check_length(histories, dislikes, "lists in `dislikes`")
    liked, disliked = (history_matrix(model, some, on_unknown) for some in (histories, dislikes))
    both = liked.multiply(disliked).tocoo()
    if both.nnz:
        raise ConfigError(
            f"'{model.items[both.col[0]]}' is both liked and disliked.", "Leave one of the two out."
        )
    return liked, disliked


def with_stored(
    model: Model, users: Sequence[str], liked: sp.csr_matrix, disliked: sp.csr_matrix
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """What users like with what the model knows of them, and all that it knows them to have seen.

    What is disliked now is liked no longer.

    Args:
        model: Knows some of the users.
        users: A name a row.
        liked: Ones; shape (len(users), n_items).
        disliked: Ones, none where `liked` has one; the same shape.
    """
    rows = model.users.ids(users)
    known = np.flatnonzero(rows >= 0)
    shape = (len(rows), len(model.users))
    chosen = sp.csr_matrix((np.ones(len(known), np.float32), (known, rows[known])), shape)
    both = liked.maximum(chosen @ model.histories)
    both = (both - both.multiply(disliked)).tocsr()
    both.eliminate_zeros()
    return both, (chosen @ model.seen).tocsr()


def check_length(histories: Sequence[Sequence[str]], others: Sequence[object], what: str) -> None:
    """Refuse lists of another number than there are histories."""
    if len(histories) != len(others):
        raise ConfigError(
            f"There are {len(histories):,} histories but {len(others):,} {what}.",
            "Give one for each history.",
        )


def checked_known_users(choice: KnownUsers) -> KnownUsers:
    """The choice; ConfigError when there is no such."""
    if choice not in get_args(KnownUsers):
        raise ConfigError(
            f"'{choice}' is nothing to do with the histories of known users.",
            f"Choose one of {', '.join(get_args(KnownUsers))}.",
        )
    return choice


def checked_boost(boost: float) -> float:
    """The boost; ConfigError when it is no number."""
    if not np.isfinite(boost):
        raise ConfigError(f"The boost of new items is {boost}.", "It must be a number, such as 0.01.")
    return boost


def _way_out(name: str, what: str, vocabulary: Vocabulary) -> str:
    close = did_you_mean(name, vocabulary.sorted_labels)
    return close if what == "item" else f"{close} For a new user, give the history instead."
