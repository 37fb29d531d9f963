"""Ids of users and items as rows of a model.

Enters: ids as strings, as returned by `kgrec.arguments.ids`. Leaves: rows, or an error that names the most similar ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np

from kgrec.errors import UnknownId, did_you_mean
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.model import Model
from kgrec.recommend.item_names import suggestion

OnUnknown = Literal["raise", "skip"]


def known_rows(
    rows_of: Callable[[list[str]], np.ndarray],
    ids: Sequence[str],
    what: str,
    known: Vocabulary,
    on_unknown: OnUnknown,
    suggest: Callable[[str], str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the known ids, and their positions in `ids`.

    Raises:
        UnknownId: An id is unknown, and `on_unknown` is "raise".
    """
    rows = rows_of(list(ids))
    unknown = np.flatnonzero(rows < 0)
    if len(unknown) and on_unknown == "raise":
        name = ids[unknown[0]]
        others = f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
        raise UnknownId(
            f"There is no {what} '{name}'{others} in the model.",
            suggest(name) if suggest else _remedy(name, what, known),
        )
    there = np.flatnonzero(rows >= 0)
    return rows[there], there


def user_rows(model: Model, ids: Sequence[str], on_unknown: OnUnknown = "raise") -> np.ndarray:
    """Rows of users; raises UnknownId like `known_rows`."""
    return known_rows(model.users.ids, ids, "user", model.users, on_unknown)[0]


def item_rows(model: Model, ids: Sequence[str], on_unknown: OnUnknown = "raise") -> np.ndarray:
    """Rows of items, also by alias; raises UnknownId like `known_rows`."""
    return known_rows(model.items.rows, ids, "item", model.items.ids, on_unknown, partial(suggestion, model))[
        0
    ]


def _remedy(name: str, what: str, vocabulary: Vocabulary) -> str:
    close = did_you_mean(name, vocabulary.sorted_labels)
    return close if what == "item" else f"{close} For a new user, give the history instead."
