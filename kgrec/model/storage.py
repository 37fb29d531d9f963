"""The folder of a model.

Enters: a `Model`. Leaves: a `Model`. Writes and reads model/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from pydantic import BaseModel

from kgrec.config import Config
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.user_encoder import MeanUserEncoder
from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.items import ItemStore
from kgrec.model.model import Model, Parameters
from kgrec.rank.rescorer import Rescorer
from kgrec.retrieve import Built, VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage import artifacts, migrations
from kgrec.storage.segments import Rows

#: what recommending does without
_PARAMETERS, _NODES, _GRAPH = "model.safetensors", "featurizer.parquet", "graph"


def save(model: Model, folder: Path) -> Model:
    """Write model/, whole or not at all; gives the model as one of that folder.

    Raises:
        ArtifactError: The folder cannot be written, or another process replaced it since it was read.
    """
    if model.origin is not None and folder.exists() and folder.resolve() == model.origin[0]:
        _check_same(folder, model.origin[1])
    model = model.merged()
    parameters, graph = model.parameters(), model.graph()
    config = {
        **model.config.model_dump(),
        "seed": model.config.train.seed,
        "built": model.index.built.model_dump(),
    }
    with artifacts.writing(folder, kind="model", inputs=model.inputs, config=config) as place:
        _write(model, parameters, graph, place)
    return replace(model, origin=(folder.resolve(), artifacts.current(folder, "model")))


def load(folder: Path) -> Model:
    """Read model/; the graph and the parameters are read when they are first used.

    Raises:
        ArtifactError: It is not there, of another version, or corrupt.
    """
    return artifacts.reading(
        folder,
        "model",
        lambda place, manifest: _read(place, manifest, folder),
        (_PARAMETERS, _NODES, f"{_GRAPH}/"),
    )


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
    n_items, dim = model.items.vectors.shape
    stored = _Stored(
        config=model.config,
        relations=parameters.featurizer.relations,
        own_text_encoder=model.own_text_encoder,
        n_items=n_items,
        n_users=len(model.users),
        dim=dim,
        index=model.index.built,
    )
    artifacts.write_json(stored.model_dump(), place / "config.json")
    artifacts.write_tensors({**parameters.arrays, **parameters.featurizer.arrays()}, place / _PARAMETERS)
    artifacts.write_table(parameters.featurizer.nodes, place / _NODES)
    artifacts.write_table(_items_table(model), place / "items.parquet")
    artifacts.write_table(pa.table({"user_id": model.users.labels}), place / "users.parquet")
    artifacts.write_array(model.items.vectors.whole, place / "item_embeddings.npy")
    artifacts.write_table(_history_table(model), place / "history.parquet")
    model.index.base.save(place)
    artifacts.write_tensors(model.rescorer.arrays(), place / "rescore.safetensors")
    artifacts.write_json(model.metrics, place / "metrics.json")
    place.joinpath("README.md").write_text(_card(model), encoding="utf-8")
    graph.save(place / _GRAPH)


def _read(folder: Path, manifest: artifacts.Manifest, named: Path) -> Model:
    """Read what is in `folder`; what is read later is looked for under `named`, its name when no writer is at work."""
    parts = migrations.StoredModel(
        artifacts.read_json(folder / "config.json"),
        artifacts.read_table(folder / "items.parquet"),
        artifacts.read_table(folder / "history.parquet"),
        artifacts.map_tensors(folder / "rescore.safetensors"),
    )
    try:
        migrations.migrated(parts, manifest.format_version)
        stored = _Stored.model_validate(parts.config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptArtifact(
            f"{folder / 'config.json'} is not a model's configuration ({str(error).splitlines()[0]}).",
            "Make the folder again, or restore it from a copy.",
        ) from None
    items, history = parts.items, parts.history
    shape = (stored.n_users, stored.n_items)
    vectors = artifacts.map_array(folder / "item_embeddings.npy", (stored.n_items, stored.dim))
    positive = history["positive"].to_numpy()
    user, item = history["user"].to_numpy(), history["item"].to_numpy()
    graph = _once(lambda: _graph(named, manifest))
    index = VectorIndex.load(folder, vectors, stored.index, stored.config.index)
    return Model(
        config=stored.config,
        own_text_encoder=stored.own_text_encoder,
        items=_items(items, vectors),
        users=Vocabulary(artifacts.read_table(folder / "users.parquet")["user_id"].combine_chunks()),
        histories=_matrix(user[positive], item[positive], shape, _weights(history)[positive]),
        seen=_matrix(user, item, shape),
        user_encoder=MeanUserEncoder(Rows.of(items["history_weight"].to_numpy())),
        index=SegmentedIndex.of(index, vectors),
        rescorer=_rescorer(folder / "rescore.safetensors", parts.rescore, stored.n_items),
        metrics=artifacts.read_json(folder / "metrics.json"),
        parameters=_once(lambda: _parameters(named, manifest, stored.relations, graph)),
        graph=graph,
        inputs=manifest.inputs,
        origin=(named.resolve(), manifest),
    )


def _items(table: pa.Table, vectors: np.ndarray) -> ItemStore:
    return ItemStore(
        ids=Vocabulary(table["item_id"].combine_chunks()),
        labels=Rows.of(table["label"].to_numpy()),
        entities=Rows.of(table["entity"].to_numpy()),
        vectors=Rows.of(vectors),
        lengths=Rows.of(table["length"].to_numpy()),
        trained=Rows.of(table["trained"].to_numpy()),
        removed=_removed(table),
        aliases=_aliases(table),
    )


def _removed(items: pa.Table) -> np.ndarray:
    """Rows that are marked so; an older kgrec had no such mark."""
    there = "removed" in items.column_names
    return np.flatnonzero(items["removed"].to_numpy()) if there else np.zeros(0, np.int64)


def _rescorer(path: Path, arrays: dict[str, np.ndarray], n_items: int) -> Rescorer:
    try:
        return Rescorer.of_arrays(arrays, n_items)
    except ValueError as error:
        raise CorruptArtifact(
            f"{path} {error}.", "Make the folder again, or restore it from a copy."
        ) from None


def _parameters(
    folder: Path,
    manifest: artifacts.Manifest,
    relations: tuple[str, ...],
    graph: Callable[[], KnowledgeGraph],
) -> Parameters:
    from safetensors.numpy import load_file

    arrays = artifacts.reading_again(folder, manifest, _PARAMETERS, load_file)
    if manifest.format_version < artifacts.FORMAT_VERSION:
        arrays, nodes = migrations.migrated_parameters(
            arrays, manifest.format_version, lambda ids: graph().names.take(ids)
        )
    else:
        nodes = artifacts.reading_again(folder, manifest, _NODES, artifacts.read_table)
    featurizer = Featurizer.of_stored(relations, nodes, arrays)
    learned = {name: array for name, array in arrays.items() if not name.startswith("featurizer.")}
    return Parameters(learned, featurizer)


def _graph(folder: Path, manifest: artifacts.Manifest) -> KnowledgeGraph:
    return artifacts.reading_again(folder, manifest, _GRAPH, KnowledgeGraph.load)


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
    items = model.items
    return pa.table(
        {
            "item_id": items.ids.labels,
            "label": pa.array(items.labels.whole, pa.string()),
            "entity": pa.array(items.entities.whole, pa.int64()),
            "length": pa.array(items.lengths.whole, pa.float32()),
            "history_weight": pa.array(model.user_encoder.history_weight.whole, pa.float32()),
            "trained": pa.array(items.trained.whole, pa.bool_()),
            "removed": pa.array(np.isin(np.arange(len(items)), items.removed), pa.bool_()),
            "aliases": _names_by_row(items.aliases, len(items)),
        }
    )


def _names_by_row(aliases: dict[str, int], n_items: int) -> pa.ListArray:
    """Other names of each item, sorted; not by way of lists of Python, one an item, which take a hundred times as long."""
    names = sorted(aliases)
    rows = np.array([aliases[name] for name in names], np.int64)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_items))]).astype(np.int32)
    by_row = pa.array([names[at] for at in np.argsort(rows, kind="stable")], pa.string())
    return pa.ListArray.from_arrays(pa.array(bounds), by_row)


def _aliases(items: pa.Table) -> dict[str, int]:
    """Row of each other name."""
    column = items["aliases"].combine_chunks()
    rows = pc.list_parent_indices(column).to_pylist()
    return dict(zip(pc.list_flatten(column).to_pylist(), rows, strict=True))


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


def _card(model: Model) -> str:
    chosen = model.metrics.get("chosen", {})
    figures = "".join(f"- {name}: {value}\n" for name, value in chosen.items())
    return (
        "# Model card\n\n"
        f"A knowledge-graph recommender over {len(model.items):,} items ({int(model.items.n_trained):,} known to "
        f"training, {len(model.items.removed):,} no longer recommended) and {len(model.users):,} users with {model.histories.nnz:,} positive interactions.\n\n"
        f"## Chosen on held-out data\n\n{figures or '- nothing: there was no validation'}\n\n"
        "## Use\n\n`kgrec recommend`, `similar`, `add`, `update`, `remove`, `embed` and `explain` read this folder. An item's embedding is "
        "made from its text and its neighbours in the graph, and for items known to training from a learned residual; "
        "a user's embedding from the items of the history. Recommendations repeat the habits of the interactions that "
        "the model was trained on, their biases included.\n"
    )
