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
from kgrec.errors import ArtifactError, CorruptArtifact
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.model import Model, Parameters
from kgrec.rank.rescorer import Rescorer
from kgrec.retrieve import Built, VectorIndex
from kgrec.storage import artifacts, migrations

#: what recommending does without
_PARAMETERS, _GRAPH = "model.safetensors", "graph"


def save(model: Model, folder: Path) -> Model:
    """Write model/, whole or not at all; gives the model as one of that folder.

    Raises:
        ArtifactError: The folder cannot be written, or another process replaced it since it was read.
    """
    if model.origin is not None and folder.exists() and folder.resolve() == model.origin[0]:
        _check_same(folder, model.origin[1])
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
    # what is read later is found there from any working folder
    named = folder.absolute()
    return artifacts.reading(
        folder, "model", lambda place, manifest: _read(place, manifest, named), (_PARAMETERS, f"{_GRAPH}/")
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
    artifacts.write_tensors(parameters.arrays, place / _PARAMETERS)
    artifacts.write_table(_items_table(model), place / "items.parquet")
    artifacts.write_table(pa.table({"user_id": model.users.labels}), place / "users.parquet")
    artifacts.write_array(model.vectors, place / "item_embeddings.npy")
    artifacts.write_table(_history_table(model), place / "history.parquet")
    model.index.save(place)
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
        rescorer=_rescorer(folder / "rescore.safetensors", parts.rescore, stored.n_items),
        metrics=artifacts.read_json(folder / "metrics.json"),
        parameters=_once(lambda: _parameters(named, manifest, stored.relations)),
        graph=_once(lambda: _graph(named, manifest)),
        aliases=_aliases(items),
        inputs=manifest.inputs,
        origin=(named.resolve(), manifest),
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


def _parameters(folder: Path, manifest: artifacts.Manifest, relations: tuple[str, ...]) -> Parameters:
    from safetensors.numpy import load_file

    arrays = artifacts.reading_again(folder, manifest, _PARAMETERS, load_file)
    return Parameters(relations, migrations.migrated_parameters(arrays, manifest.format_version))


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
    return pa.table(
        {
            "item_id": model.items.labels,
            "label": pa.array(model.labels, pa.string()),
            "entity": pa.array(model.entities, pa.int64()),
            "length": pa.array(model.lengths, pa.float32()),
            "history_weight": pa.array(model.history_weight, pa.float32()),
            "trained": pa.array(model.trained, pa.bool_()),
            "removed": pa.array(np.isin(np.arange(len(model.items)), model.removed), pa.bool_()),
            "aliases": _names_by_row(model.aliases, len(model.items)),
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
        f"A knowledge-graph recommender over {len(model.items):,} items ({int(model.trained.sum()):,} known to "
        f"training, {len(model.removed):,} no longer recommended) and {len(model.users):,} users with {model.histories.nnz:,} positive interactions.\n\n"
        f"## Chosen on held-out data\n\n{figures or '- nothing: there was no validation'}\n\n"
        "## Use\n\n`kgrec recommend`, `similar`, `add`, `update`, `remove`, `embed` and `explain` read this folder. An item's embedding is "
        "made from its text and its neighbours in the graph, and for items known to training from a learned residual; "
        "a user's embedding from the items of the history. Recommendations repeat the habits of the interactions that "
        "the model was trained on, their biases included.\n"
    )
