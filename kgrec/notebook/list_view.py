"""A user's list beside the user's history, with the explanation of each item.

Enters: a recommender and a user. Leaves: plain values, for JSON. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgrec.recommend.explain import Explanation
from kgrec.recommend.explanation_parts import largest_edges
from kgrec.recommend.ids import user_rows
from kgrec.recommend.recommender import Recommender
from kgrec.serve.history_items import newest_items

#: largest number of history items, and of paths per explanation
MAX_HISTORY = MAX_PATHS = 100


@dataclass(frozen=True)
class ListView:
    """The list of one user from one model."""

    recommender: Recommender
    user: str
    k: int

    @classmethod
    def of(cls, recommender: Recommender, user: str, k: int) -> ListView:
        """The list from the current model of the recommender; later explanations use the same model.

        Raises:
            UnknownId: The user is unknown.
        """
        view = cls(recommender.with_model(recommender.model), user, k)
        _ = view.data
        return view

    @cached_property
    def data(self) -> dict[str, Any]:
        """The kind of view, user, items with item, label, score, rank and reason, newest history items, and length of the history."""
        model = self.recommender.model
        history = model.histories.take(user_rows(model, [self.user]))
        return {
            "kind": "list",
            "user": self.user,
            "items": [self._item(row) for row in self._rows],
            "history": newest_items(model, history, 0, MAX_HISTORY),
            "history_length": len(history.item),
        }

    @property
    def first(self) -> str:
        """The item that is explained first, which is the best item; "" for an empty list."""
        items = self.data["items"]
        return str(items[0]["item"]) if items else ""

    def detail(self, item: str) -> dict[str, Any]:
        """The explanation of any item, with the largest paths listed separately; {} for "".

        Raises:
            UnknownId: The item is not in the model.
        """
        if not item:
            return {}
        why = self.listed.get(item) or self.recommender.explain(self.user, item)
        plain = why.to_dict()
        names = ("item", "label", "score", "exact", "because", "parts")
        edges = largest_edges(why.history, why.paths, MAX_PATHS)
        return {**{name: plain[name] for name in names}, "text": why.text(), "edges": edges}

    @cached_property
    def listed(self) -> dict[str, Explanation]:
        """The explanation of each item of the list, best first."""
        return {row["item_id"]: self.recommender.explain(self.user, row["item_id"]) for row in self._rows}

    @cached_property
    def _rows(self) -> list[dict[Any, Any]]:
        rows: list[dict[Any, Any]] = self.recommender.recommend([self.user], self.k).to_dict("records")
        return rows

    def _item(self, row: dict[Any, Any]) -> dict[str, Any]:
        why = self.listed[row["item_id"]]
        return {
            "item": why.item,
            "label": why.label,
            "score": float(row["score"]),
            "rank": int(row["rank"]),
            "reason": why.because.text if why.because else "",
        }
