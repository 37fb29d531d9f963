"""A test of a loaded model before it answers requests.

Enters: a recommender. Leaves: nothing, or a SelfTestError. Nothing is written. The test also computes what the first request would otherwise wait for.
"""

from __future__ import annotations

import math
from typing import Any

from kgrec.errors import KgrecError, SelfTestError
from kgrec.recommend.recommender import Recommender

_K = 10
#: largest difference between a score and the sum of its parts
_ROUNDING = 1e-3


def self_test(recommender: Recommender) -> None:
    """Request lists, similar items and an explanation, and check the results.

    Raises:
        SelfTestError: A list is empty, unordered or repeats an item, a score is not finite, or the parts of a score do not sum to it.
    """
    model = recommender.model
    offered = len(model.items) - len(model.items.removed)
    if not offered:
        raise SelfTestError("The model has no items to recommend.", "Add items, or train it on a catalogue.")
    try:
        _check(recommender)
    except SelfTestError:
        raise
    except (KgrecError, ArithmeticError, LookupError, ValueError, TypeError) as error:
        raise SelfTestError(
            f"The model cannot answer: {error}", "Train it again, or restore the folder."
        ) from error


def _check(recommender: Recommender) -> None:
    model = recommender.model
    n_users = len(model.users)
    users = [model.users[row] for row in sorted({0, n_users // 2, n_users - 1})] if n_users else []
    items = [model.items.ids[0], model.items.ids[len(model.items) - 1]]
    lists = recommender.recommend(users, _K, exclude_seen=False, arrow=True).to_pylist()
    for user in users:
        _check_list(
            [row for row in lists if row["user_id"] == user], "item_id", f"user {users.index(user) + 1}"
        )
    _check_list(recommender.recommend_for_history([[]], _K, arrow=True).to_pylist(), "item_id", "a new user")
    _check_list(
        recommender.recommend_for_history([items[:1]], _K, exclude_seen=False, arrow=True).to_pylist(),
        "item_id",
        "a history",
    )
    similar = recommender.similar_items(items[:1], _K, arrow=True).to_pylist()
    _check_list(similar, "similar_id", "similar items", empty=len(model.items) - len(model.items.removed) < 2)
    if users and lists:
        parts = recommender.explain(users[0], lists[0]["item_id"])
        total = float(parts.sources["contribution"].sum())
        if not abs(total - parts.score) <= _ROUNDING:
            raise SelfTestError(
                f"The parts of a score sum to {total:.4f}, not to {parts.score:.4f}.",
                "Train the model again.",
            )


def _check_list(rows: list[dict[str, Any]], name: str, whose: str, *, empty: bool = False) -> None:
    scores = [row["score"] for row in rows]
    items = [row[name] for row in rows]
    faults = {
        "is empty": not rows and not empty,
        "has a score that is not finite": not all(map(math.isfinite, scores)),
        "is not in the order of the scores": scores != sorted(scores, reverse=True),
        "repeats an item": len(set(items)) < len(items),
    }
    for fault, found in faults.items():
        if found:
            raise SelfTestError(
                f"The list of {whose} {fault}.", "Train the model again, or restore the folder."
            )
