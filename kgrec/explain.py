r"""Why an item has its score: an exact account of the inner product.

Enters: a model, a history and an item. Leaves: an `Explanation`. Nothing is written.

The score is :math:`u \cdot z_i`, and both sides are sums: `u` of the history items' vectors,
`z_i` of a text part, one part for each neighbour in the graph, and the ID residual. So the score
splits, without approximation, by history item and by source; and where a history item and the
candidate share a neighbour, into the part that passes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kgrec.features import INVERSE, ItemFeatures, item_numbers
from kgrec.model import Model
from kgrec.rdf import iso_date

#: type of a source that is a number
NUMBER = "number"

#: a source that adds less than this to a score is none
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Explanation:
    """The parts of one score."""

    user: str
    item: str
    label: str
    #: the cosine of user and item
    score: float
    #: item_id, label, contribution: the history; contributions sum to the score
    history: pd.DataFrame
    #: source ("text", "graph" or "identity"), relation, type, key, label, contribution; they sum to the score
    sources: pd.DataFrame
    #: item_id, item, history_relation, type, key, label, relation, contribution: what the history and the
    #: candidate share in the graph, and how much of the score passes through it
    paths: pd.DataFrame

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        frames = {name: getattr(self, name).to_dict("records") for name in ("history", "sources", "paths")}
        return {"user": self.user, "item": self.item, "label": self.label, "score": self.score, **frames}


def explain(model: Model, history: sp.csr_matrix, item: int, user: str = "") -> Explanation:
    """Split the score of an item for a history.

    Args:
        model: Holds the item.
        history: shape (1, n_items).
        item: Row of the item.
        user: Name of the user, for the result.
    """
    rows, shares = _history_shares(model, history)
    account = _Account(model, np.append(rows, item))
    vector = model.user_vectors(history)[0]
    return Explanation(
        user=user,
        item=model.items[item],
        label=model.labels[item],
        score=float(vector @ model.vectors[item]),
        history=_history_frame(model, rows, shares, item),
        sources=account.sources(vector),
        paths=account.paths(shares),
    )


def _history_shares(model: Model, history: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Items of a history and what each one's unit vector is multiplied by in the user's vector."""
    if not history.nnz:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows = history.indices.astype(np.int64)
    weights = model.history_weight[rows]
    length = np.linalg.norm(weights @ model.vectors[rows])
    return rows, weights / max(float(length), 1e-12)


def _history_frame(model: Model, rows: np.ndarray, shares: np.ndarray, item: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "item_id": [model.items[row] for row in rows],
            "label": [model.labels[row] for row in rows],
            "contribution": shares * (model.vectors[rows] @ model.vectors[item]),
        }
    )
    return _sorted(frame)


class _Account:
    """The summands of some items' vectors; the last of `rows` is the candidate."""

    def __init__(self, model: Model, rows: np.ndarray) -> None:
        parameters = model.parameters()
        arrays = parameters.arrays
        self.model, self.rows, self.schema = model, rows, parameters.schema()
        self.entities = model.graph().entities.select(["type", "key", "label"])
        self.features = self._features()
        #: what a neighbour adds for a weight of one; shape (n_columns, dim)
        self.messages = (
            arrays["entity"][self.features.entity] * arrays["relation_scale"][self.features.relation, None]
        )
        self.identity = arrays["identity"]

    def sources(self, user: np.ndarray) -> pd.DataFrame:
        """What each source of the candidate's vector adds to the score."""
        row, length = self.rows[-1], max(float(self.model.lengths[self.rows[-1]]), 1e-12)
        neighbors = self.features.neighbors[[len(self.rows) - 1]]
        graph = neighbors.data * (self.messages[neighbors.indices] @ user) / length
        identity = float(self.identity[row] @ user) / length if self.model.trained[row] else 0.0
        text = float(self.model.vectors[row] @ user) - float(graph.sum()) - identity
        frame = self._described(np.full(neighbors.nnz, len(self.rows) - 1), neighbors.indices)
        frame.insert(0, "source", "graph")
        frame["contribution"] = graph.astype(np.float64)
        rest = pd.DataFrame({**dict.fromkeys(frame.columns, ""), "source": ["text", "identity"]})
        rest["contribution"] = [text, identity]
        parts = [frame, rest[rest["contribution"].abs() > _ROUNDING]]
        return _sorted(pd.concat([part for part in parts if len(part)] or [frame], ignore_index=True))

    def paths(self, shares: np.ndarray) -> pd.DataFrame:
        """The part of the score that passes through each entity that a history item and the candidate share."""
        lengths = np.maximum(self.model.lengths[self.rows], 1e-12)
        scaled = sp.diags(1 / lengths) @ self.features.neighbors
        candidate, history = scaled[[-1]].tocoo(), scaled[:-1].tocoo()
        entity = self.features.entity
        near, far = _pairs(entity[candidate.col], entity[history.col])
        mine, theirs = candidate.col[near], history.col[far]
        product = np.einsum("nd,nd->n", self.messages[mine], self.messages[theirs])
        frame = self._described(history.row[far], theirs).rename(columns={"relation": "history_relation"})
        own = self._described(np.full(len(mine), len(self.rows) - 1), mine)
        apart = (own["type"] == NUMBER) & (own["key"] != frame["key"])
        frame.loc[apart, ["key", "label"]] = (frame["key"] + " ~ " + own["key"])[apart]
        frame["relation"] = own["relation"]
        frame["contribution"] = shares[history.row[far]] * candidate.data[near] * history.data[far] * product
        items = self.rows[:-1][history.row[far]]
        frame.insert(0, "item_id", [self.model.items[row] for row in items])
        frame.insert(1, "item", [self.model.labels[row] for row in items])
        return _summed(frame)

    def _features(self) -> ItemFeatures:
        entities = self.model.entities[self.rows]
        blank = np.zeros((len(entities), len(self.schema.text_mean)), np.float32)
        distinct, back = np.unique(entities, return_inverse=True)
        return self.schema.features(self.model.graph(), distinct, blank[: len(distinct)]).take(back)

    def _described(self, rows: np.ndarray, columns: np.ndarray) -> pd.DataFrame:
        """relation, type, key and label of neighbour columns, as seen from the positions `rows` of `self.rows`."""
        relations = [self.schema.relations[r] for r in self.features.relation[columns]]
        entities = self.features.entity[columns].tolist()
        nodes = [self._node(*where) for where in zip(rows.tolist(), relations, entities, strict=True)]
        frame = pd.DataFrame(nodes, columns=["type", "key", "label"], dtype=object)
        frame.insert(0, "relation", relations)
        return frame

    def _node(self, row: int, relation: str, entity: int) -> tuple[str, str, str]:
        """type, key and label of an entity; for a number, what the item itself has."""
        if entity >= len(self.schema.entities):
            value = self.numbers[row, relation]
            return NUMBER, value, value
        facts = self.entities.slice(int(self.schema.entities[entity]), 1).to_pylist()[0]
        return facts["type"], facts["key"], facts["label"]

    @cached_property
    def numbers(self) -> dict[tuple[int, str], str]:
        """The numbers of each position of `self.rows`, by predicate."""
        graph = self.model.graph()
        dates = graph.mapping.date_predicates
        distinct, back = np.unique(self.model.entities[self.rows], return_inverse=True)
        named: dict[tuple[int, str], str] = {}
        for predicate in self.schema.knots:
            texts = [""] * len(distinct)
            for item, value in zip(*item_numbers(graph, distinct, predicate), strict=True):
                one = _readable(float(value), predicate in dates)
                texts[item] = f"{texts[item]}, {one}" if texts[item] else one
            named |= {(position, predicate): texts[item] for position, item in enumerate(back)}
        return named


def _readable(value: float, is_date: bool) -> str:
    return iso_date(value, day=True) if is_date else f"{value:g}"


def _pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (i, j) with left[i] == right[j]."""
    i, j = np.nonzero(left[:, None] == right[None, :])
    return i, j


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    """Equal rows made one: the two quantiles around a number are one fact to a reader."""
    names = [name for name in frame.columns if name != "contribution"]
    summed: pd.DataFrame = frame.groupby(names, sort=False, as_index=False).sum()
    return _sorted(summed)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)


def _lines(explanation: Explanation, most: int = 5) -> list[str]:
    who = f" for {explanation.user}" if explanation.user else ""
    lines = [f"{explanation.label or explanation.item}{who}: score {explanation.score:.3f}"]
    if len(explanation.history):
        lines += ["  carried by the history (these parts sum to the score):"]
        lines += _head(explanation.history, most, lambda part: part["label"] or part["item_id"])
        lines += ["  and, counted by source (these sum to it too):"]
    else:
        lines += ["  without a history; counted by source (these parts sum to the score):"]
    lines += _head(explanation.sources, most, _source)
    if len(explanation.paths):
        lines += ["  through what both share in the graph (a part of the above):"]
        lines += _head(explanation.paths, most, lambda part: _path(part, explanation))
    return lines


def _head(frame: pd.DataFrame, most: int, name: Callable[[dict[Hashable, Any]], str]) -> list[str]:
    lines = [f"    {part['contribution']:+.3f}  {name(part)}" for part in frame.head(most).to_dict("records")]
    if len(frame) > most:
        lines.append(f"    {frame['contribution'].iloc[most:].sum():+.3f}  {len(frame) - most} more")
    return lines


def _source(part: dict[Hashable, Any]) -> str:
    named = {"text": "its text", "identity": "what its own audience taught (ID residual)"}
    return named.get(part["source"]) or f"{_edge(part['relation'])} {part['label'] or part['key']}"


def _path(part: dict[Hashable, Any], explanation: Explanation) -> str:
    shared = part["label"] or part["key"]
    item = part["item"] or part["item_id"]
    candidate = explanation.label or explanation.item
    return f"{item} -{_edge(part['history_relation'])}- {shared} -{_edge(part['relation'])}- {candidate}"


def _edge(relation: str) -> str:
    return f"{relation.removeprefix(INVERSE)} of" if relation.startswith(INVERSE) else relation
