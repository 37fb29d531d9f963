"""A trained model as plain values: what `recommend` needs, without torch.

Enters: what training and `add` computed. Leaves: vectors of users from their histories, ranked items. Writes nothing.
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
from kgrec.encode.whitening import Whitening
from kgrec.errors import ArtifactError
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.graph.where import matching as matching_entities
from kgrec.graph.where_syntax import parse
from kgrec.rank.rescorer import Rescorer, best_first
from kgrec.retrieve import SAMPLE, IndexConfig, VectorIndex
from kgrec.storage import artifacts

_BINS, _MEAN, _MAP = "featurizer.bins.", "featurizer.mean.", "featurizer.map."
_TOKENS, _TOKEN_IDF = "featurizer.label_tokens", "featurizer.token_idf"
#: how a model gets to another process
HOW_TO_SEND = (
    "Save it, send the folder's path to the workers, and call Recommender.load(folder) in each of them."
)
#: conditions of which the answer is kept, a byte an item: who asks for many users asks in parts
_CONDITIONS = 16
#: users whose vectors are made at once
_USERS = 4096


@dataclass(frozen=True)
class Parameters:
    """What the encoder learned, and the featurizer that it learned it under."""

    relations: tuple[str, ...]
    #: by name; the arrays of `encoder.ItemEncoder` and of `Featurizer`
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], featurizer: Featurizer) -> Parameters:
        """The arrays of an encoder, and the featurizer as arrays."""
        kept = {"featurizer.entities": featurizer.entities, "featurizer.idf": featurizer.idf}
        kept |= {f"{_BINS}{name}": values for name, values in featurizer.bins.items()}
        kept |= {f"{_MEAN}{name}": whitening.mean for name, whitening in featurizer.whitenings.items()}
        kept |= {f"{_MAP}{name}": whitening.map for name, whitening in featurizer.whitenings.items()}
        if featurizer.label_tokens:
            # an array has no strings: words hold no line end
            kept[_TOKENS] = np.frombuffer("\n".join(featurizer.label_tokens).encode(), np.uint8).copy()
            kept[_TOKEN_IDF] = featurizer.token_idf
        return cls(featurizer.relations, {**arrays, **kept})

    def featurizer(self) -> Featurizer:
        """What the arrays were learned under."""
        # safetensors keeps no order, and relations end with the numeric predicates in theirs.
        numeric = sum(name.startswith(_BINS) for name in self.arrays)
        names = self.relations[len(self.relations) - numeric :]
        blocks = sorted(name.removeprefix(_MEAN) for name in self.arrays if name.startswith(_MEAN))
        words = bytes(self.arrays[_TOKENS]).decode().split("\n") if _TOKENS in self.arrays else ()
        return Featurizer(
            self.relations,
            self.arrays["featurizer.entities"],
            self.arrays["featurizer.idf"],
            {name: self.arrays[f"{_BINS}{name}"] for name in names},
            {name: Whitening(self.arrays[f"{_MEAN}{name}"], self.arrays[f"{_MAP}{name}"]) for name in blocks},
            tuple(words),
            self.arrays.get(_TOKEN_IDF, np.zeros(0, np.float32)),
        )


@dataclass(frozen=True)
class Model:
    """Items and users of a trained model; rows of all item arrays are in the order of `items`."""

    config: Config
    items: Vocabulary
    labels: list[str]
    #: id of each item in `graph`; shape (n_items,), int64
    entities: np.ndarray
    #: unit length; shape (n_items, dim), float32
    vectors: np.ndarray
    #: length of each item's vector before it was made a unit; shape (n_items,), float32
    lengths: np.ndarray
    #: what an item counts for in a history, degree ** -alpha; shape (n_items,), float32
    history_weight: np.ndarray
    #: whether training knew the item; shape (n_items,), bool
    trained: np.ndarray
    users: Vocabulary
    #: positive interactions, each 1 or, with a half-life, less for old ones; shape (n_users, n_items)
    histories: sp.csr_matrix
    #: all interactions; shape (n_users, n_items)
    seen: sp.csr_matrix
    index: VectorIndex
    rescorer: Rescorer
    #: figures of the training run
    metrics: dict[str, Any]
    parameters: Callable[[], Parameters]
    graph: Callable[[], KnowledgeGraph]
    #: whether it was trained with a text encoder that the user passed in
    own_text_encoder: bool = False
    #: rows of items that are no longer recommended: they stay for the histories that hold them; increasing, int64
    removed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    #: other names of items, which `same_as` merged away -> row
    aliases: dict[str, int] = field(default_factory=dict)
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

    @cached_property
    def offered(self) -> np.ndarray | None:
        """Rows of the items that may be recommended, None for all."""
        rows = np.arange(len(self.items))
        return np.delete(rows, self.removed) if len(self.removed) else None

    def without(self, rows: np.ndarray) -> Model:
        """A model that does not recommend these items; `self` stays as it is."""
        return replace(self, removed=np.union1d(self.removed, rows))

    def user_vectors(self, histories: sp.csr_matrix) -> np.ndarray:
        """Unit vectors of users with these histories; shape (n_users, dim), float32.

        An empty history gets the mean of all users' vectors: what most people take.

        Args:
            histories: shape (n_users, n_items).
        """
        vectors = self._sums(histories)
        empty = ~vectors.any(axis=1)
        if empty.any():
            vectors[empty] = self._typical
        return vectors

    def ranked(
        self,
        histories: sp.csr_matrix,
        k: int,
        exclude: list[np.ndarray] | None = None,
        only: np.ndarray | None = None,
        new_item_boost: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best items for users with these histories, as `VectorIndex.search` gives them.

        The index finds more than asked for, and these are ranked by all parts of the score; equal scores in the
        order of the items.

        Args:
            histories: shape (n_users, n_items).
            k: Items a user.
            exclude: Rows that each user is not to get.
            only: The only rows to rank.
            new_item_boost: Is added to the score of items that training did not know. With one, known and new items
                are found apart, as many of each, so that it decides between all that could be in the list.
        """
        depth = k if self.rescorer.is_idle else max(self.config.rescore.depth, 5 * k)
        groups = self._apart(only) if new_item_boost else [only]
        vectors = self.user_vectors(histories)
        parts = [
            self.index.search(vectors, min(depth, len(self.items)), exclude=exclude, only=group)
            for group in groups
        ]
        found, cosines = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        if self.rescorer.is_idle and not new_item_boost:
            return found, cosines
        scores = self.rescorer.scores(histories, self.history_weight, found, cosines)
        scores = scores + np.float32(new_item_boost) * ~self.trained[found]
        return best_first(found, scores, k)

    def _apart(self, only: np.ndarray | None) -> list[np.ndarray | None]:
        """Rows of known and of new items, less what `only` leaves out."""
        rows = np.arange(len(self.items)) if only is None else only
        new = ~self.trained[rows]
        return [rows[~new], rows[new]]

    def item_rows(self, names: list[str]) -> np.ndarray:
        """Row of each item, also by a name that was merged away; -1 where it is unknown; shape (len(names),), int64."""
        rows = self.items.ids(names)
        for at in np.flatnonzero(rows < 0).tolist() if self.aliases else ():
            rows[at] = self.aliases.get(names[at], -1)
        return rows

    @cached_property
    def matching(self) -> Callable[[str, bool], np.ndarray]:
        """A function of a condition, and whether its unknown values are skipped: which items meet it, shape (n_items,), bool."""

        def matching(where: str, skip_unknown: bool) -> np.ndarray:
            met = matching_entities(self.graph(), parse(where), skip_unknown=skip_unknown)
            return np.asarray(met[self.entities])

        return lru_cache(_CONDITIONS)(matching)

    def near_users(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The users nearest to each of some users, itself left out, as `VectorIndex.search` gives them.

        Users without a positive interaction are near to nobody.
        """
        with_history = np.flatnonzero(np.diff(self.histories.indptr))
        vectors = self.user_vectors(self.histories[rows])
        return self._user_index.search(vectors, k, exclude=[row[None] for row in rows], only=with_history)

    @cached_property
    def _user_index(self) -> VectorIndex:
        config = IndexConfig(kind="flat", threads=self.config.index.threads)
        return VectorIndex.build(self.user_vectors(self.histories), config)

    def history_matrix(self, histories: Sequence[np.ndarray]) -> sp.csr_matrix:
        """Lists of item rows as a matrix of ones; shape (len(histories), n_items)."""
        counts = [len(rows) for rows in histories]
        columns = (
            np.concatenate([np.asarray(rows, np.int64) for rows in histories])
            if counts
            else np.zeros(0, np.int64)
        )
        indptr = np.concatenate([[0], np.cumsum(counts)])
        matrix = sp.csr_matrix(
            (np.ones(len(columns), np.float32), columns, indptr), (len(counts), len(self.items))
        )
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    def _sums(self, histories: sp.csr_matrix) -> np.ndarray:
        return history_vectors(histories, self.history_weight, self.vectors)

    @cached_property
    def _typical(self) -> np.ndarray:
        """The mean of all users' vectors, or of the items' without users, made unit length; shape (dim,)."""
        parts = range(0, self.histories.shape[0], _USERS)
        total = sum(
            (self._sums(self.histories[start : start + _USERS]).sum(axis=0) for start in parts),
            np.zeros(self.vectors.shape[1], np.float32),
        )
        typical: np.ndarray = units((total if total.any() else self.vectors.sum(axis=0))[None])[0][0]
        return typical


def history_vectors(histories: sp.csr_matrix, history_weight: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Unit sums of the weighted items of histories; zero for an empty one; shape (n_users, dim), float32.

    Args:
        histories: shape (n_users, n_items).
        history_weight: what each item counts for in a history; shape (n_items,).
        vectors: of the items; shape (n_items, dim).
    """
    # the weights go to the histories, which are few, not to the catalogue
    weights = histories.data * history_weight[histories.indices]
    weighted = sp.csr_matrix((weights, histories.indices, histories.indptr), histories.shape)
    return units(np.asarray(weighted @ vectors, np.float32))[0]


def units(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows made unit length, float32, and their lengths before; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1)
    safe = np.where(lengths > 1e-12, lengths, 1)
    return (vectors / safe[:, None]).astype(np.float32), lengths.astype(np.float32)


def sample_of_users(positives: sp.csr_matrix) -> sp.csr_matrix:
    """Histories of some users who have one, spread over all."""
    users = np.flatnonzero(np.diff(positives.indptr))
    return positives[users[:: max(1, -(-len(users) // SAMPLE))]]


def aliases(graph: KnowledgeGraph, entities: np.ndarray) -> dict[str, int]:
    """Other names of the items with these entity ids -> place among them."""
    row = {entity: place for place, entity in enumerate(entities.tolist())}
    named = {name: int(graph.item_entities[code]) for name, code in graph.item_aliases.items()}
    return {name: row[entity] for name, entity in named.items() if entity in row}
