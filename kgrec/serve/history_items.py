"""A user's history as plain values, newest first.

Enters: a model, and the history of one user. Leaves: a dict per item. Nothing is written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from kgrec.graph.histories import Histories
from kgrec.model.model import Model


def newest_items(model: Model, history: Histories, start: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` items, starting at the `start`-th newest: item, label, liked, count, and time (ISO 8601 or None)."""
    order = np.arange(len(history.item))[::-1][start : start + limit]
    return [
        {
            "item": model.items.ids[int(history.item[at])],
            "label": model.items.label(int(history.item[at])),
            "liked": bool(history.positive[at]),
            "count": int(history.count[at]),
            "time": _iso(history.time[at]) if history.time is not None and history.time[at] else None,
        }
        for at in order.tolist()
    ]


def _iso(seconds: Any) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
