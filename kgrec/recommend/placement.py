"""The rank of an item in a list that is chosen as a whole, and its rank by score alone.

Enters: a model, the history of one user, a request, an item. Leaves: sentences for an explanation. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend.list_options import at_work, list_policy
from kgrec.recommend.request import Request


def list_remarks(
    model: Model,
    history: Histories,
    item: int,
    request: Request,
    seen: csr_matrix | None,
    users: Sequence[str] | None,
) -> tuple[str, ...]:
    """Sentences on how list options move an item: its rank in the list and by score alone, and the active options; () without active options.

    Args:
        model: Contains the item.
        history: History of one user.
        item: Row of the item.
        request: The options of the list.
        seen: Items that are left out of the list; shape (1, n_items); None: none.
        users: The name of the user, for the user's own candidate and deny lists; None: the user has none.

    Raises:
        UnknownId: An item, a node type, or a value of a condition is unknown.
        ConfigError: A condition names something that is not in the graph, or no list can meet the quotas.
    """
    policy = list_policy(model, request, history)
    if policy is None:
        return ()
    k = request.length(len(model.items))
    found = model.candidates(history, k, request.filters(model, users, seen), several=True)
    ranked = model.reranker.rerank(found, found.width)
    by_score, in_list = (place(rows[0], item) for rows in (ranked.rows, policy.rerank(ranked, k).rows))
    return (_sentence(by_score, in_list, k), *at_work(request))


def place(rows: np.ndarray, item: int) -> int:
    """Rank of an item in a list, starting at 1; 0 if the item is not in it.

    Args:
        rows: Rows of the items in the list; shape (k,).
        item: Row of the item.
    """
    at = np.flatnonzero(rows == item)
    return int(at[0]) + 1 if len(at) else 0


def _sentence(by_score: int, in_list: int, k: int) -> str:
    alone = f"by score alone its rank is {by_score}" if by_score else "it is not among the candidates"
    if in_list:
        moved = "" if in_list == by_score else f"; {alone}"
        return f"rank {in_list} in the list of {k}{moved}"
    return f"not in the list of {k}; {alone}"
