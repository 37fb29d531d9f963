"""A trained model as plain values: what `recommend` needs, without torch.

Enters: what training and `add` computed. Leaves: vectors of users from their histories.
Writes and reads model/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from pydantic import BaseModel

from kgrec import artifacts, conditions, rescore
from kgrec.dense import Spread
from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.features import Schema
from kgrec.graph import KnowledgeGraph
from kgrec.index import Built, IndexConfig, VectorIndex
from kgrec.rescore import Rescorer, best_first
from kgrec.settings import Config
from kgrec.vocabulary import Vocabulary
from kgrec.where import parse

_KNOTS, _MEAN, _MAP = "schema.knots.", "schema.mean.", "schema.map."
#: conditions of which the answer is kept, a byte an item: who asks for many users asks in parts
_CONDITIONS = 16
#: users whose vectors are made at once
_USERS = 4096


@dataclass(frozen=True)
class Parameters:
    """What the encoder learned, and the schema that it learned it under."""

    relations: tuple[str, ...]
    #: by name; the arrays of `encoder.ItemEncoder` and of `features.Schema`
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], schema: Schema) -> Parameters:
        """The arrays of an encoder, and the schema as arrays."""
        kept = {"schema.entities": schema.entities, "schema.idf": schema.idf}
        kept |= {f"{_KNOTS}{name}": values for name, values in schema.knots.items()}
        kept |= {f"{_MEAN}{name}": spread.mean for name, spread in schema.spreads.items()}
        kept |= {f"{_MAP}{name}": spread.map for name, spread in schema.spreads.items()}
        return cls(schema.relations, {**arrays, **kept})

    def schema(self) -> Schema:
        """What the arrays were learned under."""
        # safetensors keeps no order, and relations end with the numeric predicates in theirs.
        numeric = sum(name.startswith(_KNOTS) for name in self.arrays)
        names = self.relations[len(self.relations) - numeric :]
        blocks = sorted(name.removeprefix(_MEAN) for name in self.arrays if name.startswith(_MEAN))
        return Schema(
            self.relations,
            self.arrays["schema.entities"],
            self.arrays["schema.idf"],
            {name: self.arrays[f"{_KNOTS}{name}"] for name in names},
            {name: Spread(self.arrays[f"{_MEAN}{name}"], self.arrays[f"{_MAP}{name}"]) for name in blocks},
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
            met = conditions.matching(self.graph(), parse(where), skip_unknown=skip_unknown)
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

    def save(self, folder: Path) -> Model:
        """Write model/, whole or not at all; gives the model as one of that folder.

        Raises:
            ArtifactError: The folder cannot be written, or another process replaced it since it was read.
        """
        if self.origin is not None and folder.exists() and folder.resolve() == self.origin[0]:
            _check_same(folder, self.origin[1])
        parameters, graph = self.parameters(), self.graph()
        config = {
            **self.config.model_dump(),
            "seed": self.config.train.seed,
            "built": self.index.built.model_dump(),
        }
        with artifacts.writing(folder, kind="model", inputs=self.inputs, config=config) as place:
            _write(self, parameters, graph, place)
        return replace(self, origin=(folder.resolve(), artifacts.current(folder, "model")))

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read model/; the graph and the parameters are read when they are first used.

        Raises:
            ArtifactError: It is not there, of another version, or corrupt.
        """
        return artifacts.reading(folder, "model", lambda place, manifest: _read(place, manifest, folder))


class _Stored(BaseModel, extra="forbid"):
    """`config.json` of a model folder."""

    config: Config
    relations: tuple[str, ...]
    own_text_encoder: bool
    n_items: int
    n_users: int
    dim: int
    #: of the index; absent in format 2, which compared with every item
    index: Built = Built()


def _write(model: Model, parameters: Parameters, graph: KnowledgeGraph, place: Path) -> None:
    n_items, dim = model.vectors.shape
    stored = _Stored(
        config=model.config,
        relations=parameters.relations,
        own_text_encoder=model.own_text_encoder,
        n_items=n_items,
        n_users=len(model.users),
        dim=dim,
        index=model.index.built,
    )
    artifacts.write_json(stored.model_dump(), place / "config.json")
    artifacts.write_tensors(parameters.arrays, place / "model.safetensors")
    artifacts.write_table(_items_table(model), place / "items.parquet")
    artifacts.write_table(pa.table({"user_id": model.users.labels}), place / "users.parquet")
    artifacts.write_array(model.vectors, place / "item_embeddings.npy")
    artifacts.write_table(_history_table(model), place / "history.parquet")
    model.index.save(place)
    artifacts.write_tensors(model.rescorer.arrays(), place / "rescore.safetensors")
    artifacts.write_json(model.metrics, place / "metrics.json")
    place.joinpath("README.md").write_text(_card(model), encoding="utf-8")
    graph.save(place / "graph")


def _read(folder: Path, manifest: artifacts.Manifest, named: Path) -> Model:
    """Read what is in `folder`; what is read later is looked for under `named`, its name when no writer is at work."""
    try:
        stored = _Stored.model_validate(artifacts.read_json(folder / "config.json"))
    except ValueError as error:
        raise CorruptArtifact(
            f"{folder / 'config.json'} is not a model's configuration ({str(error).splitlines()[0]}).",
            "Make the folder again, or restore it from a copy.",
        ) from None
    items = artifacts.read_table(folder / "items.parquet")
    history = artifacts.read_table(folder / "history.parquet")
    shape = (stored.n_users, stored.n_items)
    vectors = artifacts.map_array(folder / "item_embeddings.npy", (stored.n_items, stored.dim))
    positive = history["positive"].to_numpy()
    user, item = history["user"].to_numpy(), history["item"].to_numpy()
    return Model(
        config=stored.config,
        own_text_encoder=stored.own_text_encoder,
        items=Vocabulary(items["item_id"].combine_chunks()),
        labels=items["label"].to_pylist(),
        entities=items["entity"].to_numpy(),
        vectors=vectors,
        lengths=items["length"].to_numpy(),
        history_weight=items["history_weight"].to_numpy(),
        trained=items["trained"].to_numpy(),
        removed=_removed(items),
        users=Vocabulary(artifacts.read_table(folder / "users.parquet")["user_id"].combine_chunks()),
        histories=_matrix(user[positive], item[positive], shape, _weights(history)[positive]),
        seen=_matrix(user, item, shape),
        index=VectorIndex.load(folder, vectors, stored.index, stored.config.index),
        rescorer=_rescorer(folder / "rescore.safetensors", stored.n_items),
        metrics=artifacts.read_json(folder / "metrics.json"),
        parameters=_once(lambda: _parameters(named, manifest, stored.relations)),
        graph=_once(lambda: _graph(named, manifest)),
        aliases={name: row for row, names in enumerate(items["aliases"].to_pylist()) for name in names},
        inputs=manifest.inputs,
        origin=(named.resolve(), manifest),
    )


def _removed(items: pa.Table) -> np.ndarray:
    """Rows that are marked so; an older kgrec had no such mark."""
    there = "removed" in items.column_names
    return np.flatnonzero(items["removed"].to_numpy()) if there else np.zeros(0, np.int64)


def _rescorer(path: Path, n_items: int) -> Rescorer:
    try:
        return rescore.load(path, n_items)
    except ValueError as error:
        raise CorruptArtifact(
            f"{path} {error}.", "Make the folder again, or restore it from a copy."
        ) from None


def _parameters(folder: Path, manifest: artifacts.Manifest, relations: tuple[str, ...]) -> Parameters:
    from safetensors.numpy import load_file

    arrays = artifacts.reading_again(folder, manifest, lambda place: load_file(place / "model.safetensors"))
    return Parameters(relations, arrays)


def _graph(folder: Path, manifest: artifacts.Manifest) -> KnowledgeGraph:
    return artifacts.reading_again(folder, manifest, lambda place: KnowledgeGraph.load(place / "graph"))


def _check_same(folder: Path, manifest: artifacts.Manifest) -> None:
    if artifacts.current(folder, "model") != manifest:
        raise ArtifactError(
            f"{folder} was replaced after it was loaded.",
            "Nothing was written: load it again and repeat the change.",
        )


def _once(load: Callable[[], Any]) -> Callable[[], Any]:
    kept: list[Any] = []

    def loaded() -> Any:
        if not kept:
            kept.append(load())
        return kept[0]

    return loaded


def _items_table(model: Model) -> pa.Table:
    return pa.table(
        {
            "item_id": model.items.labels,
            "label": pa.array(model.labels, pa.string()),
            "entity": pa.array(model.entities, pa.int64()),
            "length": pa.array(model.lengths, pa.float32()),
            "history_weight": pa.array(model.history_weight, pa.float32()),
            "trained": pa.array(model.trained, pa.bool_()),
            "removed": pa.array(np.isin(np.arange(len(model.items)), model.removed), pa.bool_()),
            "aliases": pa.array(_names_by_row(model), pa.list_(pa.string())),
        }
    )


def _names_by_row(model: Model) -> list[list[str]]:
    names: list[list[str]] = [[] for _ in model.labels]
    for name, row in sorted(model.aliases.items()):
        names[row].append(name)
    return names


def _history_table(model: Model) -> pa.Table:
    seen = model.seen.tocoo()
    positive = np.isin(_pairs(seen), _pairs(model.histories.tocoo()))
    columns = {"user": seen.row.astype(np.int32), "item": seen.col.astype(np.int32), "positive": positive}
    if model.config.encoder.half_life is not None:
        columns["weight"] = np.zeros(len(positive), np.float32)
        columns["weight"][positive] = np.asarray(
            model.histories[seen.row[positive], seen.col[positive]]
        ).ravel()
    return pa.table(columns)


def _pairs(matrix: sp.coo_matrix) -> np.ndarray:
    """Row and column of each entry as one number."""
    return np.asarray(matrix.row.astype(np.int64) * matrix.shape[1] + matrix.col)


def _weights(history: pa.Table) -> np.ndarray:
    """Of each row in a history: 1, unless old ones count less."""
    if "weight" in history.column_names:
        return np.asarray(history["weight"].to_numpy())
    return np.ones(len(history), np.float32)


def _matrix(
    user: np.ndarray, item: np.ndarray, shape: tuple[int, int], weight: np.ndarray | None = None
) -> sp.csr_matrix:
    weight = np.ones(len(user), np.float32) if weight is None else weight
    return sp.csr_matrix((weight, (user, item)), shape)


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


def _card(model: Model) -> str:
    chosen = model.metrics.get("chosen", {})
    figures = "".join(f"- {name}: {value}\n" for name, value in chosen.items())
    return (
        "# Model card\n\n"
        f"A knowledge-graph recommender over {len(model.items):,} items ({int(model.trained.sum()):,} known to "
        f"training, {len(model.removed):,} no longer recommended) and {len(model.users):,} users with {model.histories.nnz:,} positive interactions.\n\n"
        f"## Chosen on held-out data\n\n{figures or '- nothing: there was no validation'}\n\n"
        "## Use\n\n`kgrec recommend`, `similar`, `add`, `update`, `remove`, `embed` and `explain` read this folder. An item's embedding is "
        "made from its text and its neighbours in the graph, and for items known to training from a learned residual; "
        "a user's embedding from the items of the history. Recommendations repeat the habits of the interactions that "
        "the model was trained on, their biases included.\n"
    )
