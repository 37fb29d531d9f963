r"""Why an item has its score: the inner product split into parts.

Enters: a model, a history and an item. Leaves: an `Explanation`. Nothing is written.

The score is a weighted mean of up to four similarities of a history and an item (see :mod:`kgrec.rank.rescorer`). Each is a
sum over the history, and each is a sum over the item's sources: text and vectors, neighbours in the graph,
the ID residual, item co-occurrence. So the score splits exactly by history item and by source;
and if a history item and the candidate share a neighbour, the part that passes through the neighbour is exact, too.

With a user encoder that is not linear, history items have no exact shares. Each then gets the change of the score when the item is left
out (:mod:`kgrec.recommend.leave_one_out`), and the remainder is a separate part. Sources are exact in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pandas as pd
import scipy.sparse as sp

from kgrec.arguments import options
from kgrec.encode.featurizer import ItemFeatures, item_numbers
from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoder import AdditiveUserEncoder
from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.scorers import GraphScorer
from kgrec.recommend.counterfactual import Counterfactual
from kgrec.recommend.donors import donors_of
from kgrec.recommend.explanation_html import html_of
from kgrec.recommend.explanation_parts import SHARE, Part, history_parts, path_parts, source_parts
from kgrec.recommend.explanation_text import lines, number_text
from kgrec.recommend.leave_one_out import changes_without
from kgrec.recommend.reasons import Reason, reasons

#: node types of sources that are numbers and words
NUMBER, _WORD = "number", "word"

_DONOR_COLUMNS = ("item_id", "label", "contribution")

#: maps parts of the vectors of history items, and their positions, to the amounts that they add to the user's vector
_Added = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: a source that adds less than this to a score is left out
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Explanation:
    """The parts of one score."""

    user: str
    item: str
    label: str
    #: the score that `recommend` returns
    score: float
    #: history items with columns item_id, label, contribution; contributions and `joint` sum to the score without the parts for
    #: popularity and newness, of a learned ranker, and of boosts. A user encoder with attention adds a column attention: how much the
    #: newest item attends to each item, which is not a share of the score
    history: pd.DataFrame
    #: source ("graph", "text", "identity", "co_occurrence", "sequence", "random_walk", "inherited", "popularity", "new", "ranker" or "boost"),
    #: relation, type, key, label, contribution; contributions sum to the score. The label of a boost is its condition, or "" for a boost
    #: of the item itself; the label of a learned ranker's part is its feature, or "network"
    sources: pd.DataFrame
    #: item_id, item, history_relation, type, key, label, relation, contribution: nodes that the history and the
    #: candidate share in the graph, and the part of the score that passes through each
    paths: pd.DataFrame
    #: item_id, label, contribution: the items from which an item without interactions inherits its co-occurrence; contributions sum
    #: to the source "inherited"; empty for other items
    donors: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_DONOR_COLUMNS))
    #: whether contributions of history items are exact shares; otherwise each is the measured change of the score when the item is left out
    exact: bool = True
    #: the score minus these changes: the joint effect of several history items; 0 where shares are exact
    joint: float = 0.0
    #: the explanation in one sentence, and its evidence
    because: Reason | None = None
    #: on request: a smallest set of history items whose removal drops the item from the list
    counterfactual: Counterfactual | None = None
    #: if the list is chosen as a whole: the item's rank in it and by score alone, and each active option; these do not change the score
    in_list: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text()

    def text(self, share: float = SHARE) -> str:
        """The explanation as text for people.

        Args:
            share: Share of the total size of the parts to show, largest parts first; the rest is summed up. 1: every part.
        """
        return "\n".join(lines(self, _share(share)))

    def to_html(self) -> str:
        """The explanation as a self-contained HTML page with the sentence, a drawing, and the parts."""
        return html_of(self)

    def parts(self, share: float = SHARE) -> dict[str, list[Part]]:
        """The three frames as parts: grouped by relation, largest first, with the small ones joined into one part.

        The parts of the history sum to the score, and so do those of the sources.

        Args:
            share: See `text`.

        Returns:
            Lists by name: "history", "sources" and "paths".
        """
        share = _share(share)
        return {
            "history": history_parts(
                self.history, self.sources, self.paths, share, None if self.exact else self.joint
            ),
            "sources": source_parts(self.sources, self.donors, share),
            "paths": path_parts(self.paths, self.label or self.item, share),
        }

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON: all frames, and their parts as grouped by `parts`."""
        names = ("history", "sources", "paths", "donors")
        frames = {name: getattr(self, name).to_dict("records") for name in names}
        parts = {name: [part.to_dict() for part in some] for name, some in self.parts().items()}
        own = {name: getattr(self, name) for name in ("user", "item", "label", "score", "exact", "joint")}
        own |= {name: part and part.to_dict() for name, part in self._optional.items()}
        return {**own, **frames, "parts": parts, "in_list": list(self.in_list)}

    @property
    def _optional(self) -> dict[str, Reason | Counterfactual | None]:
        return {"because": self.because, "counterfactual": self.counterfactual}


def _share(share: float) -> float:
    """A valid share of the parts; ConfigError unless it is above 0 and at most 1."""
    share = options.number("share", share, above=0)
    if share > 1:
        raise ConfigError(f"share is {share:g}.", "It must be a number above 0 and at most 1, such as 0.9.")
    return share


def explain(
    model: Model,
    history: Histories,
    item: int,
    user: str = "",
    new_item_boost: float = 0.0,
    boosts: Sequence[tuple[str, float]] = (),
) -> Explanation:
    """Split the score of an item for a history.

    Args:
        model: Contains the item.
        history: History of one user; disliked items have weights below 0.
        item: Row of the item.
        user: Name of the user, for the result.
        new_item_boost: Added to the score if the item was unknown to training.
        boosts: Condition (or "") and number of each other boost of this item; each is a separate source.
    """
    newness = float(model.rescorer.prior[item]) + (0.0 if model.items.trained[item] else new_item_boost)
    rows = history.matrix().indices.astype(np.int64)
    vector, profile = model.user_vectors(history)[0], model.profiles(history)
    cosine = float(vector @ model.items.vectors[item])
    weights, by_ranker = model.rescorer.account(profile, item, cosine)
    shares, weight = model.rescorer.shares(profile, np.array([item]), weights), weights["embedding"]
    rest = {name: share[:, 0] for name, share in shares.items()}
    account = _Account(model, np.append(rows, item), rest, weight)
    of_history = weight * cosine + float(sum(part.sum() for part in rest.values()))
    encoder, vectors = model.user_encoder, model.items.vectors
    if exact := isinstance(encoder, AdditiveUserEncoder):
        added = partial(encoder.added, history, vectors)
        by_item = weight * (added(np.arange(len(rows)), vectors[rows]) @ vectors[item]) + sum(rest.values())
    else:
        by_item = changes_without(model, history, np.array([item]))[:, 0]
    frame = _history_frame(model, rows, by_item)
    if isinstance(encoder, TransformerUserEncoder):
        frame["attention"] = encoder.attention(history, vectors)
    sources = _with_parts(account.sources(vector, newness), "ranker", list(by_ranker.items()))
    return Explanation(
        user=user,
        item=model.items.ids[item],
        label=model.items.labels[item],
        score=of_history + sum(by_ranker.values()) + newness + sum(boost for _, boost in boosts),
        history=_sorted(frame),
        sources=_with_parts(sources, "boost", boosts),
        paths=account.paths(added if exact else None),
        donors=donors_of(model, history, item, rest, weights),
        exact=exact,
        joint=0.0 if exact else of_history - float(by_item.sum()),
        because=_reason(model, history, item, new_item_boost, boosts),
    )


def _reason(
    model: Model, history: Histories, item: int, new_item_boost: float, boosts: Sequence[tuple[str, float]]
) -> Reason:
    added = np.zeros(len(model.items), np.float32)
    added[item] = sum(boost for _, boost in boosts) + (0.0 if model.items.trained[item] else new_item_boost)
    return reasons(model, history, np.array([[item]]), added)[0][0]


def _history_frame(model: Model, rows: np.ndarray, contribution: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": [model.items.ids[row] for row in rows],
            "label": [model.items.labels[row] for row in rows],
            "contribution": contribution,
        }
    )


def _with_parts(sources: pd.DataFrame, source: str, named: Sequence[tuple[str, float]]) -> pd.DataFrame:
    """The sources, with one row added per label and contribution of another source."""
    if not named:
        return sources
    added = pd.DataFrame({name: [""] * len(named) for name in sources.columns}, dtype=object)
    added["source"] = source
    added["label"], added["contribution"] = [list(part) for part in zip(*named, strict=True)]
    parts = [part for part in (sources, added) if len(part)]
    return _sorted(pd.concat(parts, ignore_index=True))


class _Account:
    """The summands of the similarities between a history and a candidate; the candidate is the last of `rows`."""

    def __init__(self, model: Model, rows: np.ndarray, rest: dict[str, np.ndarray], weight: float) -> None:
        parameters = model.parameters()
        arrays = parameters.arrays
        self.model, self.rows, self.featurizer, self.rest = model, rows, parameters.featurizer, rest
        #: weight of the embeddings' cosine in the score of this pair
        self.weight = weight
        self.entities = model.graph().entities.select(["type", "key", "label"])
        #: an entity's number in the featurizer -> type, key and label
        self._facts: dict[int, tuple[str, str, str]] = {}
        self.features = self._features()
        #: what a neighbour of weight 1 adds to a vector; shape (n_columns, dim)
        self.messages = (
            arrays["entity"][self.features.entity] * arrays["relation_scale"][self.features.relation, None]
        )
        self.identity = arrays["identity"]
        # An item unknown to training has no interactions, so its co-occurrence comes from similar items.
        self.is_known = bool(model.items.trained[rows[-1]])

    def sources(self, user: np.ndarray, newness: float) -> pd.DataFrame:
        """The contribution of each source of the candidate to the score."""
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
            **self._item_item(),
            "popularity" if self.is_known else "new": newness,
        }
        rest = pd.DataFrame({**dict.fromkeys(frame.columns, ""), "source": list(others)})
        rest["contribution"] = list(others.values())
        parts = [frame, rest[rest["contribution"].abs() > _ROUNDING]]
        return _sorted(pd.concat([part for part in parts if len(part)] or [frame], ignore_index=True))

    def _item_item(self) -> dict[str, float]:
        """The contributions of the item-item scorers by name; "inherited" for an item without interactions, whose weights are its donors'."""
        sums: dict[str, float] = {
            name: float(self.rest[name].sum()) for name in ITEM_ITEM if name in self.rest
        }
        return sums if self.is_known else {"inherited": sum(sums.values())}

    def paths(self, added: _Added | None) -> pd.DataFrame:
        """The part of the score that passes through each entity that a history item and the candidate share.

        Args:
            added: Maps parts of the vectors of history items to the amounts that they add to the user's vector; None: there are no exact amounts.
        """
        frames = [self._embedding_paths(added)] if added else []
        frames += [self._shared_paths()] if self.rest["graph"].any() else []
        none = np.zeros(0, np.int64)
        return _summed(pd.concat(frames)) if frames else self._paths(*[none] * 5).assign(contribution=0.0)

    def _embedding_paths(self, added: _Added) -> pd.DataFrame:
        lengths = np.maximum(self.model.items.lengths[self.rows], 1e-12)
        scaled = sp.diags(1 / lengths) @ self.features.neighbors
        candidate, history = scaled[[-1]].tocoo(), scaled[:-1].tocoo()
        relation, entity = self.features.relation, self.features.entity
        near, far = _pairs(entity[candidate.col], entity[history.col])
        mine, theirs = candidate.col[near], history.col[far]
        of_history = added(history.row[far], history.data[far, None] * self.messages[theirs])
        product = np.einsum("nd,nd->n", of_history, self.messages[mine])
        frame = self._paths(history.row[far], relation[theirs], relation[mine], entity[theirs], entity[mine])
        frame["contribution"] = self.weight * candidate.data[near] * product
        return frame

    def _shared(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The parts of the neighbour similarity: position in the history, relation, entity and contribution of each."""
        scorer = self.model.rescorer.scorers["graph"]
        assert isinstance(scorer, GraphScorer)
        graph = scorer.neighbors[self.rows]
        shared = graph[:-1].multiply(graph[[-1]]).tocoo()
        weight = self.model.user_encoder.history_weight[self.rows[:-1]]
        # the weights are equal within a history item, so its part is divided in proportion
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
        """A frame with the nodes and relations of each path from a history item to the candidate."""
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
        """Columns relation, type, key and label of the neighbours of the items at positions `rows` in `self.rows`."""
        relations = [self.featurizer.relations[r] for r in relation]
        self._look_up(entity[entity < len(self.featurizer.entities)])
        nodes = [
            self._facts.get(code) or self._value(row, name, code)
            for row, name, code in zip(rows.tolist(), relations, entity.tolist(), strict=True)
        ]
        frame = pd.DataFrame(nodes, columns=["type", "key", "label"], dtype=object)
        frame.insert(0, "relation", relations)
        return frame

    def _look_up(self, codes: np.ndarray) -> None:
        """Cache type, key and label of entities, by their numbers in the featurizer. A single look-up costs as much as a joint one of a hundred."""
        new = [code for code in np.unique(codes).tolist() if code not in self._facts]
        rows = self.model.graph().ids([self.featurizer.entities[code] for code in new])
        for code, facts in zip(new, self.entities.take(rows).to_pylist(), strict=True):
            self._facts[code] = (facts["type"], facts["key"], facts["label"])

    def _value(self, row: int, relation: str, code: int) -> tuple[str, str, str]:
        """The type, key and label of a word; for a number, the item's own value."""
        if relation == LABEL_TOKEN:
            word = self.featurizer.label_tokens[code - self.featurizer.first_token]
            return _WORD, word, word
        value = self.numbers[row, relation]
        return NUMBER, value, value

    @cached_property
    def numbers(self) -> dict[tuple[int, str], str]:
        """The numeric values of each position in `self.rows`, by predicate."""
        graph = self.model.graph()
        dates = graph.mapping.date_predicates
        distinct, back = np.unique(self.model.items.entities[self.rows], return_inverse=True)
        named: dict[tuple[int, str], str] = {}
        for predicate in self.featurizer.bins:
            texts = [""] * len(distinct)
            for item, value in zip(*item_numbers(graph, distinct, predicate), strict=True):
                one = number_text(float(value), predicate in dates)
                texts[item] = f"{texts[item]}, {one}" if texts[item] else one
            named |= {(position, predicate): texts[item] for position, item in enumerate(back)}
        return named


def _pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (i, j) with left[i] == right[j]."""
    i, j = np.nonzero(left[:, None] == right[None, :])
    return i, j


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with equal rows summed: the two quantiles around a number are one fact to a reader."""
    names = [name for name in frame.columns if name != "contribution"]
    summed: pd.DataFrame = frame.groupby(names, sort=False, as_index=False).sum()
    return _sorted(summed)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
