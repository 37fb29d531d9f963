r"""Why an item has its score: an exact account of the inner product.

Enters: a model, a history and an item. Leaves: an `Explanation`. Nothing is written.

The score is a weighted mean of up to four similarities of a history and an item (see :mod:`kgrec.rank.rescorer`). Each is a
sum over the history; and each is a sum over what the item is made of: text and vectors, the neighbours in the graph,
the ID residual, item co-occurrence. So the score splits, without approximation, by history item and by source;
and where a history item and the candidate share a neighbour, into the part that passes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kgrec.encode.featurizer import ItemFeatures, item_numbers
from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.encode.neighborhoods import HOP, INVERSE
from kgrec.graph.histories import Histories
from kgrec.graph.ntriples import iso_date
from kgrec.model.model import Model
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.scorers import GraphScorer

#: types of a source that is a number, and a word
NUMBER, _WORD = "number", "word"

#: a source that adds less than this to a score is none
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Explanation:
    """The parts of one score."""

    user: str
    item: str
    label: str
    #: as `recommend` gives it
    score: float
    #: item_id, label, contribution: the history; contributions sum to the score, less what is added for being unknown to training
    history: pd.DataFrame
    #: source ("graph", "text", "identity", "co_occurrence" or "new"), relation, type, key, label, contribution; they sum to the score
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


def explain(
    model: Model, history: Histories, item: int, user: str = "", new_item_boost: float = 0.0
) -> Explanation:
    """Split the score of an item for a history.

    Args:
        model: Holds the item.
        history: Of one user; weights below 0 are of disliked items.
        item: Row of the item.
        user: Name of the user, for the result.
        new_item_boost: Is added to the score if training did not know the item.
    """
    boost = float(model.rescorer.prior[item]) + (0.0 if model.items.trained[item] else new_item_boost)
    rows = history.matrix().indices.astype(np.int64)
    rest = model.rescorer.shares(model.profiles(history), item)
    account = _Account(model, np.append(rows, item), rest)
    vector = model.user_vectors(history)[0]
    weight = float(model.rescorer.weights["embedding"])
    added = _added(model, history, np.arange(len(rows)), model.items.vectors[rows])
    by_embedding = weight * (added @ model.items.vectors[item])
    return Explanation(
        user=user,
        item=model.items.ids[item],
        label=model.items.labels[item],
        score=weight * float(vector @ model.items.vectors[item])
        + float(sum(part.sum() for part in rest.values()))
        + boost,
        history=_history_frame(model, rows, by_embedding + sum(rest.values())),
        sources=account.sources(vector, boost),
        paths=account.paths(partial(_added, model, history)),
    )


def _added(model: Model, history: Histories, at: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """What parts of the vectors of history items add to the user's vector; see `UserEncoder.added`."""
    added = model.user_encoder.added(history, model.items.vectors, at, parts)
    assert added is not None, "every user encoder is linear today"
    return added


def _history_frame(model: Model, rows: np.ndarray, contribution: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "item_id": [model.items.ids[row] for row in rows],
            "label": [model.items.labels[row] for row in rows],
            "contribution": contribution,
        }
    )
    return _sorted(frame)


class _Account:
    """The summands of the similarities of a history and a candidate, which is the last of `rows`."""

    def __init__(self, model: Model, rows: np.ndarray, rest: dict[str, np.ndarray]) -> None:
        parameters = model.parameters()
        arrays = parameters.arrays
        self.model, self.rows, self.featurizer, self.rest = model, rows, parameters.featurizer, rest
        self.weight = float(model.rescorer.weights["embedding"])
        self.entities = model.graph().entities.select(["type", "key", "label"])
        self.features = self._features()
        #: what a neighbour adds for a weight of one; shape (n_columns, dim)
        self.messages = (
            arrays["entity"][self.features.entity] * arrays["relation_scale"][self.features.relation, None]
        )
        self.identity = arrays["identity"]

    def sources(self, user: np.ndarray, boost: float) -> pd.DataFrame:
        """What each source of the candidate adds to the score."""
        row, length = self.rows[-1], max(float(self.model.items.lengths[self.rows[-1]]), 1e-12)
        neighbors = self.features.neighbors[[len(self.rows) - 1]]
        graph = neighbors.data * (self.messages[neighbors.indices] @ user) / length
        identity = float(self.identity[row] @ user) / length if self.model.items.trained[row] else 0.0
        text = float(self.model.items.vectors[row] @ user) - float(graph.sum()) - identity
        relation, entity = (
            part[neighbors.indices] for part in (self.features.relation, self.features.entity)
        )
        frame = self._described(np.full(neighbors.nnz, len(self.rows) - 1), relation, entity)
        frame["contribution"] = self.weight * graph.astype(np.float64)
        frame = _summed(pd.concat([frame, self._shared_sources()]) if self.rest["graph"].any() else frame)
        frame.insert(0, "source", "graph")
        others: dict[str, float] = {
            "text": self.weight * text + float(self.rest["text"].sum()),
            "identity": self.weight * identity,
            **{name: float(self.rest[name].sum()) for name in ITEM_ITEM if name in self.rest},
            "new": boost,
        }
        rest = pd.DataFrame({**dict.fromkeys(frame.columns, ""), "source": list(others)})
        rest["contribution"] = list(others.values())
        parts = [frame, rest[rest["contribution"].abs() > _ROUNDING]]
        return _sorted(pd.concat([part for part in parts if len(part)] or [frame], ignore_index=True))

    def paths(self, added: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> pd.DataFrame:
        """The part of the score that passes through each entity that a history item and the candidate share.

        Args:
            added: what parts of the vectors of history items add to the user's vector.
        """
        lengths = np.maximum(self.model.items.lengths[self.rows], 1e-12)
        scaled = sp.diags(1 / lengths) @ self.features.neighbors
        candidate, history = scaled[[-1]].tocoo(), scaled[:-1].tocoo()
        relation, entity = self.features.relation, self.features.entity
        near, far = _pairs(entity[candidate.col], entity[history.col])
        mine, theirs = candidate.col[near], history.col[far]
        of_history = added(history.row[far], history.data[far, None] * self.messages[theirs])
        product = np.einsum("nd,nd->n", of_history, self.messages[mine])
        contribution = self.weight * candidate.data[near] * product
        frame = self._paths(history.row[far], relation[theirs], relation[mine], entity[theirs], entity[mine])
        frame["contribution"] = contribution
        return _summed(pd.concat([frame, self._shared_paths()]) if self.rest["graph"].any() else frame)

    def _shared(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of the similarity of neighbours: position in the history, relation, entity and contribution of each."""
        scorer = self.model.rescorer.scorers["graph"]
        assert isinstance(scorer, GraphScorer)
        graph = scorer.neighbors[self.rows]
        shared = graph[:-1].multiply(graph[[-1]]).tocoo()
        weight = self.model.user_encoder.history_weight[self.rows[:-1]]
        # the weights are the same within a history item, so its part is shared out in proportion
        sums = np.asarray(shared.sum(axis=1)).ravel()
        scale = np.divide(self.rest["graph"], sums, out=np.zeros(len(weight)), where=sums != 0)
        relation, entity = self.featurizer.pairs(scorer.columns[shared.col])
        return shared.row, relation, entity, scale[shared.row] * shared.data

    def _shared_sources(self) -> pd.DataFrame:
        _, relation, entity, contribution = self._shared()
        frame = self._described(np.full(len(entity), len(self.rows) - 1), relation, entity)
        frame["contribution"] = contribution
        return frame

    def _shared_paths(self) -> pd.DataFrame:
        position, relation, entity, contribution = self._shared()
        frame = self._paths(position, relation, relation, entity, entity)
        frame["contribution"] = contribution
        return frame

    def _paths(
        self,
        position: np.ndarray,
        history_relation: np.ndarray,
        relation: np.ndarray,
        history_entity: np.ndarray,
        entity: np.ndarray,
    ) -> pd.DataFrame:
        """What each path leads through, from a position of the history to the candidate."""
        theirs = self._described(position, history_relation, history_entity)
        frame = theirs.rename(columns={"relation": "history_relation"})
        own = self._described(np.full(len(position), len(self.rows) - 1), relation, entity)
        apart = (own["type"] == NUMBER) & (own["key"] != frame["key"])
        frame.loc[apart, ["key", "label"]] = (frame["key"] + " ~ " + own["key"])[apart]
        frame["relation"] = own["relation"]
        items = self.rows[:-1][position]
        frame.insert(0, "item_id", [self.model.items.ids[row] for row in items])
        frame.insert(1, "item", [self.model.items.labels[row] for row in items])
        return frame

    def _features(self) -> ItemFeatures:
        distinct, back = np.unique(self.model.items.entities[self.rows], return_inverse=True)
        return self.featurizer.features(self.model.graph(), distinct).take(back)

    def _described(self, rows: np.ndarray, relation: np.ndarray, entity: np.ndarray) -> pd.DataFrame:
        """relation, type, key and label of neighbours, as seen from the positions `rows` of `self.rows`."""
        relations = [self.featurizer.relations[r] for r in relation]
        nodes = [self._node(*where) for where in zip(rows.tolist(), relations, entity.tolist(), strict=True)]
        frame = pd.DataFrame(nodes, columns=["type", "key", "label"], dtype=object)
        frame.insert(0, "relation", relations)
        return frame

    def _node(self, row: int, relation: str, entity: int) -> tuple[str, str, str]:
        """type, key and label of an entity or a word; for a number, what the item itself has."""
        if relation == LABEL_TOKEN:
            word = self.featurizer.label_tokens[entity - self.featurizer.first_token]
            return _WORD, word, word
        if entity >= len(self.featurizer.entities):
            value = self.numbers[row, relation]
            return NUMBER, value, value
        (row_in_graph,) = self.model.graph().ids([self.featurizer.entities[entity]])
        facts = self.entities.slice(int(row_in_graph), 1).to_pylist()[0]
        return facts["type"], facts["key"], facts["label"]

    @cached_property
    def numbers(self) -> dict[tuple[int, str], str]:
        """The numbers of each position of `self.rows`, by predicate."""
        graph = self.model.graph()
        dates = graph.mapping.date_predicates
        distinct, back = np.unique(self.model.items.entities[self.rows], return_inverse=True)
        named: dict[tuple[int, str], str] = {}
        for predicate in self.featurizer.bins:
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
        new = explanation.sources.query("source == 'new'")["contribution"].sum()
        parts = f"these parts, and {new:+.3f} for being unknown to training," if new else "these parts"
        lines += [f"  carried by the history ({parts} sum to the score):"]
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
    named = {
        "text": "its text",
        "identity": "what its own audience taught (ID residual)",
        "co_occurrence": "taken by the same users",
        "sequence": "often taken next",
        "random_walk": "reached through users who took both",
        "new": "new: training did not know it",
    }
    return named.get(part["source"]) or f"{_edge(part['relation'])} {part['label'] or part['key']}"


def _path(part: dict[Hashable, Any], explanation: Explanation) -> str:
    shared = part["label"] or part["key"]
    item = part["item"] or part["item_id"]
    candidate = explanation.label or explanation.item
    return f"{item} -{_edge(part['history_relation'])}- {shared} -{_edge(part['relation'])}- {candidate}"


def _edge(relation: str) -> str:
    if relation == LABEL_TOKEN:
        return _WORD
    edges = relation.split(HOP)
    return HOP.join(f"{e.removeprefix(INVERSE)} of" if e.startswith(INVERSE) else e for e in edges)
