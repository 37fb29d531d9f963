"""A trained model as plain values: what `recommend` needs, without torch.

Enters: results of training and additions. Leaves: vectors of users from their histories, ranked items. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp

from kgrec.config import Config
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.user_encoder import UserEncoder, units
from kgrec.errors import ArtifactError
from kgrec.graph.histories import Histories
from kgrec.graph.knowledge_graph import KnowledgeGraph, stored_mapping
from kgrec.graph.live_histories import LiveHistories, NewInteractions
from kgrec.graph.memberships import linked_nodes
from kgrec.graph.vocabulary import Vocabulary
from kgrec.graph.where import matching as matching_entities
from kgrec.graph.where_syntax import parse
from kgrec.ingest.mapping.schema import Mapping
from kgrec.model.items import ItemStore
from kgrec.model.retrieval import Filters, retrieved
from kgrec.rank.candidates import Candidates, Identity, Reranker, distinct, longest
from kgrec.rank.rescorer import Rescorer
from kgrec.rank.scorers import UserProfiles
from kgrec.retrieve import SAMPLE, IndexConfig, VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage import artifacts

#: parameter arrays in every model folder
PARAMETERS = (
    *("dense", "entity", "relation_scale", "identity", "degree_exponent"),
    *("featurizer.idf", "featurizer.token_idf"),
)
#: parameter array of a model with a whitened encoder: the map that is folded into the tables; shape (dim, dim)
WHITENING = "whitening"
#: key in `Model.metrics` of the list of refreshes since the full training
LINEAGE = "lineage"
#: how to pass a model to another process
HOW_TO_SEND = (
    "Save it, send the folder's path to the workers, and call Recommender.load(folder) in each of them."
)
#: candidates by embedding per candidate of each item-item scorer
_ITEM_ITEM_SHARE = 5
#: number of conditions whose results are cached, one byte per item, because callers request many users in parts
_CONDITIONS = 16
#: number of node types whose matrices of items by nodes are cached, for the same reason
_NODE_TYPES = 8
#: number of users encoded at once
_USERS = 4096
#: components below this count as zero, because they result from subtraction
_NO_VECTOR = 1e-6


@dataclass(frozen=True)
class Parameters:
    """Parameters of the encoder, and the featurizer that they belong to."""

    #: parameters of `ItemEncoder`, by name
    arrays: dict[str, np.ndarray]
    featurizer: Featurizer


@dataclass(frozen=True, eq=False)
class _KnownSum:
    """The sum of all users' vectors in an earlier model, from which the sum of a later model is computed."""

    #: shape (dim,), float64
    total: np.ndarray
    histories: Histories | LiveHistories
    #: rows of users whose histories changed since; increasing, int64
    changed: np.ndarray


@dataclass(frozen=True)
class Model:
    """Items and users of a trained model, and the methods that match them."""

    config: Config
    items: ItemStore
    users: Vocabulary
    #: histories of `users`, over `items`
    histories: Histories | LiveHistories
    user_encoder: UserEncoder
    index: SegmentedIndex
    rescorer: Rescorer
    #: metrics of the training run
    metrics: dict[str, Any]
    parameters: Callable[[], Parameters]
    graph: Callable[[], KnowledgeGraph]
    reranker: Reranker = field(default_factory=Identity)
    #: whether the model was trained with a text encoder that the caller passed in
    own_text_encoder: bool = False
    inputs: dict[str, str] = field(default_factory=dict)
    #: the folder that the model was read from or written to, and its manifest
    origin: tuple[Path, artifacts.Manifest] | None = None

    def __reduce__(self) -> NoReturn:
        raise ArtifactError(
            "A model cannot be pickled: it reads its graph and its parameters from its folder when they are needed.",
            HOW_TO_SEND,
        )

    def __copy__(self) -> Model:
        """Return the model itself, because it is immutable."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Model:
        return self

    @property
    def version(self) -> str:
        """Time at which the model was written, "" if it was not written yet."""
        return self.origin[1].created if self.origin else ""

    @cached_property
    def mapping(self) -> Mapping:
        """The mapping that the graph was built with; for a stored model, it is read without the graph."""
        if self.origin is None:
            return self.graph().mapping
        return artifacts.reading_again(*self.origin, "graph", stored_mapping)

    def without(self, rows: np.ndarray) -> Model:
        """Return a model that does not recommend these items; `self` does not change."""
        return replace(self, items=self.items.without(rows)).knowing(self)

    def merged(self) -> Model:
        """The same model with all items in one base; an index of changed vectors is rebuilt."""
        if not len(self.items.vectors.at):
            return self
        items = self.items.merged()
        changed = bool((self.items.vectors.at < len(self.index.base)).any())
        index = self._rebuilt(items) if changed else self.index.base.extended(items.vectors.base)
        encoder = self.user_encoder.with_items(len(items)).merged()
        return replace(
            self,
            items=items,
            user_encoder=encoder,
            index=SegmentedIndex.of(index, items.vectors.base),
            rescorer=self.rescorer.merged(),
        ).knowing(self)

    def _rebuilt(self, items: ItemStore) -> VectorIndex:
        users = self.user_encoder.encode(sample_of_users(self.histories), items.vectors)
        return VectorIndex.build(items.vectors.base, self.config.index, users)

    @property
    def liked(self) -> sp.csr_matrix:
        """Positive interactions, each 1, or less for old ones if there is a half-life; shape (n_users, n_items)."""
        return self.histories.matrix()

    @property
    def seen(self) -> sp.csr_matrix:
        """All interactions, each 1; shape (n_users, n_items)."""
        return self.histories.matrix(positive_only=False)

    def user_vectors(self, histories: Histories) -> np.ndarray:
        """Unit vectors of users with these histories; shape (n_users, dim), float32.

        An empty history gets the mean of all users' vectors, which represents the typical user.
        """
        vectors = self.user_encoder.encode(histories, self.items.vectors)
        empty = ~vectors.any(axis=1)
        if empty.any():
            vectors[empty] = self._typical
        return vectors

    def ranked(
        self, histories: Histories, k: int, filters: Filters | None = None, policy: Reranker | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best items for users with these histories, in the form of `SegmentedIndex.search`.

        Args:
            histories: One history per user.
            k: Number of items per user.
            filters: Items that lists may contain, and numbers added to scores.
            policy: Chooses lists from the candidates in the order of the model's reranker; None: the first k.
        """
        found = self.candidates(histories, k, filters, several=policy is not None)
        if policy is None:
            listed = self.reranker.rerank(found, k)
        else:
            listed = policy.rerank(self.reranker.rerank(found, found.width), k)
        return listed.rows, listed.scores

    def candidates(
        self, histories: Histories, k: int, filters: Filters | None = None, *, several: bool = False
    ) -> Candidates:
        """The candidates of the reranker: more items than `k`, best first by the fused score; otherwise as `ranked`.

        Args:
            histories: See `ranked`.
            k: See `ranked`.
            filters: See `ranked`.
            several: Retrieve more than `k` even if only the cosine of the embeddings ranks them.
        """
        filters = filters or Filters()
        depth = k if self.rescorer.is_idle and not several else max(self.config.rescore.depth, 5 * k)
        vectors = self.user_vectors(histories)
        weight = float(self.rescorer.weights["embedding"])
        found, cosines = retrieved(self.index, vectors, min(depth, len(self.items)), filters, weight)
        for rows in filters.kinds:
            more, _ = retrieved(
                self.index, vectors, min(5 * k, len(rows)), replace(filters, only=rows), weight
            )
            found, cosines = self._with_rows(vectors, found, cosines, more)
        if self.rescorer.is_idle and filters.boost is None and not filters.kinds:
            return Candidates(found, cosines, self._read({"embedding": cosines}))
        users = self.profiles(histories)
        if found.shape[1] < len(self.items) - len(self.items.removed):
            found, cosines = self._with_item_item(users, vectors, found, cosines, filters)
        parts_of_score = self.rescorer.parts(users, found)
        scores = self.rescorer.scores(users, found, cosines, parts_of_score)
        if filters.boost is not None:
            scores = scores + filters.boost[found]
        return Candidates(found, scores, self._read({"embedding": cosines, **parts_of_score})).best_first()

    def nearest(
        self, vectors: np.ndarray, k: int, filters: Filters | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The items nearest to each vector, by cosine and boost alone; otherwise as `ranked`."""
        filters = filters or Filters()
        found, cosines = retrieved(self.index, vectors, k, filters)
        if filters.boost is None:
            return found, cosines
        best = Candidates(found, cosines + filters.boost[found]).best_first().first(k)
        return best.rows, best.scores

    def scores(self, histories: Histories, rows: np.ndarray) -> np.ndarray:
        """Scores of given items for users, as `ranked` computes them, without boosts; shape of `rows`, float32.

        Args:
            histories: One history per user; n_users of them.
            rows: Rows of items, padded with -1; shape (n_users, width).
        """
        cosines = self._cosines(self.user_vectors(histories), rows)
        return self.rescorer.scores(self.profiles(histories), rows, cosines)

    def _cosines(self, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Cosines of each user with the user's rows of items, -inf for padding; shape of `rows`, float32."""
        cosines = np.full(rows.shape, -np.inf, np.float32)
        # user by user, because the vectors of all rows at once would multiply the memory by their dimension
        for user, own in enumerate(rows):
            there = own >= 0
            cosines[user, there] = self.items.vectors[own[there]] @ vectors[user]
        return cosines

    def _with_item_item(
        self,
        users: UserProfiles,
        vectors: np.ndarray,
        found: np.ndarray,
        cosines: np.ndarray,
        filters: Filters,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and their cosines, extended by the best candidates of the item-item scorers.

        A user with a given list of candidates gets no others.
        """
        n_items = len(self.items)
        allowed = np.ones(n_items, bool)
        if filters.only is not None:
            allowed[:] = False
            allowed[filters.only] = True
        allowed[self.items.removed] = False
        barred = None if filters.exclude is None else self.history_matrix(filters.exclude)
        depth = min(self.config.rescore.depth, found.shape[1]) // _ITEM_ITEM_SHARE
        more = self.rescorer.item_item_candidates(users, depth, barred, allowed)
        if not more.shape[1]:
            return found, cosines
        if filters.candidates is not None:
            more[[rows is not None for rows in filters.candidates]] = -1
        return self._with_rows(vectors, found, cosines, more)

    def _with_rows(
        self, vectors: np.ndarray, found: np.ndarray, cosines: np.ndarray, more: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and further rows, without duplicates, and their cosines."""
        both = distinct(np.concatenate([np.where(np.isfinite(cosines), found, -1), more], axis=1))
        both = both[:, : longest(both)]
        return both, self._cosines(vectors, both)

    def _read(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The features that the reranker reads; sorting the others would be wasted work."""
        return {name: part for name, part in features.items() if name in self.reranker.reads}

    def profiles(self, histories: Histories) -> UserProfiles:
        """Users with these histories, as scorers read them."""
        return UserProfiles(histories.matrix(), self.user_encoder.history_weight, histories.lags)

    @cached_property
    def matching(self) -> Callable[[str, bool], np.ndarray]:
        """A function that takes a condition, and whether to skip unknown values: which items meet it, shape (n_items,), bool."""

        def matching(where: str, skip_unknown: bool) -> np.ndarray:
            met = matching_entities(self.graph(), parse(where), skip_unknown=skip_unknown)
            return np.asarray(met[self.items.entities.whole])

        return lru_cache(_CONDITIONS)(matching)

    @cached_property
    def nodes_of(self) -> Callable[[str], sp.csr_matrix]:
        """A function that takes a node type or a relation: the nodes of each item as ones; shape (n_items, n_nodes), float32."""

        def nodes_of(name: str) -> sp.csr_matrix:
            return linked_nodes(self.graph(), self.items.entities.whole, name)[0]

        return lru_cache(_NODE_TYPES)(nodes_of)

    @cached_property
    def users_of_items(self) -> np.ndarray:
        """Number of users with a positive interaction with each item; shape (n_items,), int64."""
        return np.bincount(self.liked.indices, minlength=len(self.items))

    def near_users(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The users nearest to each given user, without the user itself, in the form of `SegmentedIndex.search`.

        Users without a positive interaction are near to no user.
        """
        with_history = np.flatnonzero(self.histories.has_positive)
        vectors = self.user_vectors(self.histories.take(rows))
        return self._user_index.search(vectors, k, exclude=[row[None] for row in rows], only=with_history)

    @cached_property
    def _user_index(self) -> SegmentedIndex:
        config = IndexConfig(kind="flat", threads=self.config.index.threads)
        vectors = self.user_vectors(LiveHistories.of(self.histories).whole)
        return SegmentedIndex.of(VectorIndex.build(vectors, config), vectors)

    def with_interactions(self, names: Sequence[str], new: NewInteractions) -> Model:
        """Return a model with newer interactions; `self` does not change.

        Args:
            names: Names of new users, who follow the known ones.
            new: The interactions; a user without earlier interactions becomes known.
        """
        live = LiveHistories.of(self.histories)
        histories = live.with_interactions(new, self.config.encoder.half_life)
        larger = replace(self, users=self.users.extended(names), histories=histories)
        return self._with_users_as(larger, np.unique(new.user))

    def without_histories(self, names: Sequence[str]) -> Model:
        """Return a model in which some users have no interactions; unknown users are ignored. `self` does not change."""
        rows = self.users.ids(list(dict.fromkeys(names)))
        rows = rows[rows >= 0]
        larger = replace(self, histories=LiveHistories.of(self.histories).without(rows))
        return self._with_users_as(larger, rows)

    def _with_users_as(self, larger: Model, users: np.ndarray) -> Model:
        """`larger`, with the cached results of `self`; their histories differ only for some users."""
        if "matching" in self.__dict__:
            larger.__dict__["matching"] = self.matching
        if "_user_index" in self.__dict__:  # only these users have new vectors
            index = self._user_index
            vectors = larger.user_vectors(larger.histories.take(users))
            larger.__dict__["_user_index"] = index.with_vectors(index.vectors.with_rows(users, vectors))
        return larger._knowing(self, users)

    def knowing(self, other: Model, *, same_vectors: bool = True) -> Model:
        """The model itself, with the data that another model of the same mapping and histories has read and computed.

        Args:
            other: Not modified.
            same_vectors: Whether items in both models have the same vectors.
        """
        if same_vectors:
            return self._knowing(other, np.zeros(0, np.int64))
        return self._with_mapping_of(other)

    def _knowing(self, other: Model, changed: np.ndarray) -> Model:
        known = other.__dict__.get("_known_sum")
        if "_vector_sum" in other.__dict__:
            known = _KnownSum(other._vector_sum, other.histories, np.zeros(0, np.int64))
        if known is not None:
            histories, users = known.histories.with_items(len(self.items)), np.union1d(known.changed, changed)
            self.__dict__["_known_sum"] = _KnownSum(known.total, histories, users)
        return self._with_mapping_of(other)

    def _with_mapping_of(self, other: Model) -> Model:
        if "mapping" in other.__dict__:
            self.__dict__["mapping"] = other.mapping
        return self

    def _encoded(self, histories: Histories | LiveHistories, users: np.ndarray) -> np.ndarray:
        """Sum of the vectors of some users, without those of empty histories; shape (dim,), float64."""
        vectors = self.user_encoder.encode(histories.take(users), self.items.vectors)
        return np.asarray(vectors.sum(axis=0, dtype=np.float64))

    def history_matrix(
        self, histories: Sequence[np.ndarray], weights: Sequence[np.ndarray] | None = None
    ) -> sp.csr_matrix:
        """Lists of item rows as a matrix; shape (len(histories), n_items), float32.

        Args:
            histories: Rows of items; a repeated row counts once.
            weights: Their weights, above 0. A repeated item gets its largest weight, and a history is divided by the mean of its
                weights. None: ones.
        """
        counts = [len(rows) for rows in histories]
        owner = np.repeat(np.arange(len(counts)), counts)
        item = np.concatenate([np.zeros(0, np.int64), *histories]).astype(np.int64)
        value = np.ones(len(item)) if weights is None else np.concatenate([np.zeros(0), *weights])
        order = np.lexsort((value, item, owner))
        last = (np.diff(owner[order], append=-1) != 0) | (np.diff(item[order], append=-1) != 0)
        owner, item, value = (part[order[last]] for part in (owner, item, value))
        distinct = np.bincount(owner, minlength=len(counts))
        if weights is not None:
            value = value * (distinct / np.maximum(np.bincount(owner, value, len(counts)), 1e-300))[owner]
        indptr = np.concatenate([[0], np.cumsum(distinct)])
        return sp.csr_matrix((value.astype(np.float32), item, indptr), (len(counts), len(self.items)))

    @cached_property
    def _typical(self) -> np.ndarray:
        """The mean of all users' vectors, or of all items' vectors if there are no users, scaled to unit length; shape (dim,), float32."""
        total = self._vector_sum.astype(np.float32)
        some = np.abs(total).max(initial=0) > _NO_VECTOR
        typical: np.ndarray = units((total if some else self.items.vectors.whole.sum(axis=0))[None])[0][0]
        return typical

    @cached_property
    def _vector_sum(self) -> np.ndarray:
        """The sum of all users' vectors; shape (dim,), float64."""
        known: _KnownSum | None = self.__dict__.get("_known_sum")
        if known is not None:
            before = self._encoded(known.histories, known.changed[known.changed < len(known.histories)])
            return np.asarray(known.total - before + self._encoded(self.histories, known.changed))
        n_users = len(self.histories)
        parts = (np.arange(start, min(start + _USERS, n_users)) for start in range(0, n_users, _USERS))
        return sum(
            (self._encoded(self.histories, some) for some in parts),
            np.zeros(self.items.vectors.shape[1]),
        )


def sample_of_users(histories: Histories | LiveHistories) -> Histories:
    """Histories of a sample of users with a positive interaction, evenly spread over all users."""
    users = np.flatnonzero(histories.has_positive)
    return histories.take(users[:: max(1, -(-len(users) // SAMPLE))])


def aliases(graph: KnowledgeGraph, entities: np.ndarray) -> dict[str, int]:
    """Other names of the items with these entity ids -> position among them."""
    row = {entity: place for place, entity in enumerate(entities.tolist())}
    named = {name: int(graph.item_entities[code]) for name, code in graph.item_aliases.items()}
    return {name: row[entity] for name, entity in named.items() if entity in row}
