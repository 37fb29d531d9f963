"""A trained model as plain values: what `recommend` needs, without torch.

Enters: what training and additions computed. Leaves: vectors of users from their histories, ranked items. Writes nothing.
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
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.graph.where import matching as matching_entities
from kgrec.graph.where_syntax import parse
from kgrec.model.items import ItemStore
from kgrec.rank.candidates import Candidates, Identity, Reranker, distinct, longest
from kgrec.rank.rescorer import Rescorer
from kgrec.rank.scorers import UserProfiles
from kgrec.retrieve import SAMPLE, IndexConfig, VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage import artifacts

#: arrays of parameters that every model folder has
PARAMETERS = (
    *("dense", "entity", "relation_scale", "identity", "degree_exponent"),
    *("featurizer.idf", "featurizer.token_idf"),
)
#: how a model gets to another process
HOW_TO_SEND = (
    "Save it, send the folder's path to the workers, and call Recommender.load(folder) in each of them."
)
#: conditions whose answers are kept, one byte per item: callers ask for many users in parts
_CONDITIONS = 16
#: users whose vectors are made at once
_USERS = 4096


@dataclass(frozen=True)
class Parameters:
    """What the encoder learned, and the featurizer that it learned under."""

    #: of `ItemEncoder`, by name
    arrays: dict[str, np.ndarray]
    featurizer: Featurizer


@dataclass(frozen=True)
class Model:
    """Items and users of a trained model, and how the two are matched."""

    config: Config
    items: ItemStore
    users: Vocabulary
    #: of `users`, over `items`
    histories: Histories
    user_encoder: UserEncoder
    index: SegmentedIndex
    rescorer: Rescorer
    #: figures of the training run
    metrics: dict[str, Any]
    parameters: Callable[[], Parameters]
    graph: Callable[[], KnowledgeGraph]
    reranker: Reranker = field(default_factory=Identity)
    #: whether it was trained with a text encoder that the user passed in
    own_text_encoder: bool = False
    inputs: dict[str, str] = field(default_factory=dict)
    #: the folder that it was read from or written to, and its manifest
    origin: tuple[Path, artifacts.Manifest] | None = None

    def __reduce__(self) -> NoReturn:
        raise ArtifactError(
            "A model cannot be pickled: it reads its graph and its parameters from its folder when they are needed.",
            HOW_TO_SEND,
        )

    def __copy__(self) -> Model:
        """Itself, for it never changes."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Model:
        return self

    @property
    def version(self) -> str:
        """When the model was written, "" before that."""
        return self.origin[1].created if self.origin else ""

    def without(self, rows: np.ndarray) -> Model:
        """A model that does not recommend these items; `self` stays as it is."""
        return replace(self, items=self.items.without(rows))

    def merged(self) -> Model:
        """The same with all items in one base; an index of changed vectors is built anew."""
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
        )

    def _rebuilt(self, items: ItemStore) -> VectorIndex:
        users = self.user_encoder.encode(sample_of_users(self.histories), items.vectors)
        return VectorIndex.build(items.vectors.base, self.config.index, users)

    @property
    def liked(self) -> sp.csr_matrix:
        """Positive interactions, each 1 or, with a half-life, less for old ones; shape (n_users, n_items)."""
        return self.histories.matrix()

    @property
    def seen(self) -> sp.csr_matrix:
        """All interactions, a one for each; shape (n_users, n_items)."""
        return self.histories.matrix(positive_only=False)

    def user_vectors(self, histories: Histories) -> np.ndarray:
        """Unit vectors of users with these histories; shape (n_users, dim), float32.

        An empty history gets the mean of all users' vectors: what most people take.
        """
        vectors = self.user_encoder.encode(histories, self.items.vectors)
        empty = ~vectors.any(axis=1)
        if empty.any():
            vectors[empty] = self._typical
        return vectors

    def ranked(
        self,
        histories: Histories,
        k: int,
        exclude: list[np.ndarray] | None = None,
        only: np.ndarray | None = None,
        new_item_boost: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best items for users with these histories, as `SegmentedIndex.search` gives them.

        Args:
            histories: One per user.
            k: Items per user.
            exclude: Rows that each user is not to get.
            only: The only rows to rank.
            new_item_boost: Added to the score of items that training did not know. With one, known and new items
                are found apart, as many of each, so that it decides between all that could be in the list.
        """
        found = self.candidates(histories, k, exclude, only, new_item_boost)
        listed = self.reranker.rerank(found, k)
        return listed.rows, listed.scores

    def candidates(
        self,
        histories: Histories,
        k: int,
        exclude: list[np.ndarray] | None = None,
        only: np.ndarray | None = None,
        new_item_boost: float = 0.0,
    ) -> Candidates:
        """What the reranker chooses from: more items than `k`, best first by the fused score; as `ranked`."""
        depth = k if self.rescorer.is_idle else max(self.config.rescore.depth, 5 * k)
        groups = self._apart(only) if new_item_boost else [only]
        vectors = self.user_vectors(histories)
        parts = [
            self.index.search(vectors, min(depth, len(self.items)), exclude=exclude, only=group)
            for group in groups
        ]
        found, cosines = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        if self.rescorer.is_idle and not new_item_boost:
            return Candidates(found, cosines, self._read({"embedding": cosines}))
        users = self.profiles(histories)
        if found.shape[1] < len(self.items) - len(self.items.removed):
            found, cosines = self._with_item_item(users, vectors, found, cosines, exclude, only)
        parts_of_score = self.rescorer.parts(users, found)
        scores = self.rescorer.scores(users, found, cosines, parts_of_score)
        if new_item_boost:
            scores = scores + np.float32(new_item_boost) * ~self.items.trained[found]
        return Candidates(found, scores, self._read({"embedding": cosines, **parts_of_score})).best_first()

    def _with_item_item(
        self,
        users: UserProfiles,
        vectors: np.ndarray,
        found: np.ndarray,
        cosines: np.ndarray,
        exclude: list[np.ndarray] | None,
        only: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candidates and their cosines, completed by the best ones of the item-item scorers."""
        allowed = (
            np.ones(len(self.items), bool) if only is None else np.isin(np.arange(len(self.items)), only)
        )
        allowed[self.items.removed] = False
        barred = None if exclude is None else rows_matrix(exclude, len(self.items))
        more = self.rescorer.item_item_candidates(
            users, min(self.config.rescore.depth, found.shape[1]) // 5, barred, allowed
        )
        if not more.shape[1]:
            return found, cosines
        both = distinct(np.concatenate([np.where(np.isfinite(cosines), found, -1), more], axis=1))
        both = both[:, : longest(both)]
        of_both = np.full(both.shape, -np.inf, np.float32)
        for user in range(len(both)):
            rows = both[user][both[user] >= 0]
            of_both[user, : len(rows)] = self.items.vectors[rows] @ vectors[user]
        return both, of_both

    def _read(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The features that the reranker reads: to sort the others would be in vain."""
        return {name: part for name, part in features.items() if name in self.reranker.reads}

    def profiles(self, histories: Histories) -> UserProfiles:
        """Users with these histories, as scorers read them."""
        return UserProfiles(histories.matrix(), self.user_encoder.history_weight, histories.lags)

    def _apart(self, only: np.ndarray | None) -> list[np.ndarray | None]:
        """Rows of known and of new items, less what `only` leaves out."""
        rows = np.arange(len(self.items)) if only is None else only
        new = ~self.items.trained[rows]
        return [rows[~new], rows[new]]

    @cached_property
    def matching(self) -> Callable[[str, bool], np.ndarray]:
        """A function of a condition, and whether its unknown values are skipped: which items meet it, shape (n_items,), bool."""

        def matching(where: str, skip_unknown: bool) -> np.ndarray:
            met = matching_entities(self.graph(), parse(where), skip_unknown=skip_unknown)
            return np.asarray(met[self.items.entities.whole])

        return lru_cache(_CONDITIONS)(matching)

    def near_users(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The users nearest to each of some users, itself left out, as `SegmentedIndex.search` gives them.

        Users without a positive interaction are near to nobody.
        """
        with_history = np.flatnonzero(np.diff(self.liked.indptr))
        vectors = self.user_vectors(self.histories.take(rows))
        return self._user_index.search(vectors, k, exclude=[row[None] for row in rows], only=with_history)

    @cached_property
    def _user_index(self) -> VectorIndex:
        config = IndexConfig(kind="flat", threads=self.config.index.threads)
        return VectorIndex.build(self.user_vectors(self.histories), config)

    def history_matrix(self, histories: Sequence[np.ndarray]) -> sp.csr_matrix:
        """Lists of item rows as a matrix of ones; shape (len(histories), n_items)."""
        matrix = rows_matrix(histories, len(self.items))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    @cached_property
    def _typical(self) -> np.ndarray:
        """The mean of all users' vectors, or of the items' without users, made unit length; shape (dim,)."""
        n_users = len(self.histories)
        parts = (np.arange(start, min(start + _USERS, n_users)) for start in range(0, n_users, _USERS))
        vectors = self.items.vectors
        total = sum(
            (self.user_encoder.encode(self.histories.take(some), vectors).sum(axis=0) for some in parts),
            np.zeros(vectors.shape[1], np.float32),
        )
        typical: np.ndarray = units((total if total.any() else vectors.whole.sum(axis=0))[None])[0][0]
        return typical


def rows_matrix(rows: Sequence[np.ndarray], n_items: int) -> sp.csr_matrix:
    """Lists of rows of items as a matrix with a one for each; shape (len(rows), n_items)."""
    counts = [len(some) for some in rows]
    columns = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_matrix((np.ones(len(columns), np.float32), columns, indptr), (len(counts), n_items))


def sample_of_users(histories: Histories) -> Histories:
    """Histories of some users who have a positive interaction, spread over all."""
    users = np.flatnonzero(np.diff(histories.matrix().indptr))
    return histories.take(users[:: max(1, -(-len(users) // SAMPLE))])


def aliases(graph: KnowledgeGraph, entities: np.ndarray) -> dict[str, int]:
    """Other names of the items with these entity ids -> place among them."""
    row = {entity: place for place, entity in enumerate(entities.tolist())}
    named = {name: int(graph.item_entities[code]) for name, code in graph.item_aliases.items()}
    return {name: row[entity] for name, entity in named.items() if entity in row}
