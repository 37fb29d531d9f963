"""The folder of a model.

Enters: a `Model`. Leaves: a `Model`. Writes and reads model/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from kgrec.config import Config
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.user_encoder import UserEncoder
from kgrec.encode.user_encoders import PREFIX, user_encoder_of
from kgrec.errors import ArtifactError
from kgrec.graph.histories import Histories
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.live_histories import LiveHistories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.items import ItemStore
from kgrec.model.model import LINEAGE, PARAMETERS, Model, Parameters
from kgrec.model.ranker_files import read_ranker, write_ranker
from kgrec.rank.ranker import Ranker
from kgrec.rank.rescorer import Rescorer
from kgrec.retrieve import Built, VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage import artifacts, files, migrations
from kgrec.storage.segments import Rows

#: read on first use, because recommending needs neither
_PARAMETERS, _NODES, _GRAPH = "model.safetensors", "featurizer.parquet", "graph"
#: parameters of an ordered user encoder; without the file, the order of a history is ignored
_USER_ENCODER = "user_encoder.safetensors"
_ITEM_COLUMNS = ("item_id", "label", "entity", "length", "history_weight", "trained", "removed", "aliases")
_HISTORY_COLUMNS = ("user", "item", "positive", "weight", "count")


def save(model: Model, folder: Path, keep: int = 0) -> Model:
    """Write model/, whole or not at all, and return the model bound to that folder. `keep` earlier versions stay beside it.

    Raises:
        ArtifactError: The folder cannot be written, or another process replaced it since it was read.
    """
    if model.origin is not None and folder.exists() and folder.resolve() == model.origin[0]:
        _check_same(folder, model.origin[1])
    model = replace(model.merged(), histories=LiveHistories.of(model.histories).whole)
    parameters, graph = model.parameters(), model.graph()
    config = {
        **model.config.model_dump(),
        "seed": model.config.train.seed,
        "built": model.index.built.model_dump(),
    }
    if LINEAGE in model.metrics:
        config[LINEAGE] = model.metrics[LINEAGE]
    with artifacts.writing(folder, kind="model", inputs=model.inputs, config=config, keep=keep) as place:
        _write(model, parameters, graph, place)
    return replace(model, origin=(folder.resolve(), artifacts.current(folder, "model")))


def load(folder: Path) -> Model:
    """Read model/; the graph and the parameters are read when they are first used.

    Raises:
        ArtifactError: The folder is missing, of another version, or corrupt.
    """
    # an absolute path, so that late parts are found from any working directory
    named = folder.absolute()
    return artifacts.reading(
        folder,
        "model",
        lambda place, manifest: _read(place, manifest, named),
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
    #: kind, effort and recall of the index
    index: Built
    #: whether the rows of history.parquet are in time order
    ordered: bool


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
        ordered=model.histories.ordered,
    )
    files.write_json(stored.model_dump(), place / "config.json")
    files.write_tensors({**parameters.arrays, **parameters.featurizer.arrays()}, place / _PARAMETERS)
    files.write_table(parameters.featurizer.nodes, place / _NODES)
    order = {name: array for name, array in parameters.arrays.items() if name.startswith(PREFIX)}
    if order:
        files.write_tensors(order, place / _USER_ENCODER)
    files.write_table(_items_table(model), place / "items.parquet")
    files.write_table(pa.table({"user_id": model.users.labels}), place / "users.parquet")
    files.write_array(model.items.vectors.base, place / "item_embeddings.npy")
    files.write_table(model.histories.to_arrow(), place / "history.parquet")
    model.index.base.save(place)
    files.write_tensors(model.rescorer.arrays(), place / "rescore.safetensors")
    if model.rescorer.ranker is not None:
        write_ranker(model.rescorer.ranker, place)
    files.write_json(model.metrics, place / "metrics.json")
    place.joinpath("README.md").write_text(_card(model), encoding="utf-8")
    graph.save(place / _GRAPH)


def _read(folder: Path, manifest: artifacts.Manifest, named: Path) -> Model:
    """Read a model from `folder`; late parts are looked up under `named`, the folder's name when no writer is renaming it."""
    parts = _parts(folder, manifest.format_version)
    stored = _configuration(folder / "config.json", parts.config)
    items = parts.items
    vectors = files.map_array(folder / "item_embeddings.npy", (stored.n_items, stored.dim))
    graph = _once(lambda: _graph(named, manifest))
    index = VectorIndex.load(folder, vectors, stored.index, stored.config.index)
    return Model(
        config=stored.config,
        own_text_encoder=stored.own_text_encoder,
        items=_items(items, vectors),
        users=_users(folder / "users.parquet"),
        histories=_histories(folder / "history.parquet", parts.history, stored),
        user_encoder=_user_encoder(folder / _USER_ENCODER, items["history_weight"].to_numpy(), stored.dim),
        index=SegmentedIndex.of(index, vectors),
        rescorer=_rescorer(
            folder / "rescore.safetensors", parts.rescore, stored.n_items, read_ranker(folder, stored.n_items)
        ),
        metrics=parts.metrics,
        parameters=_once(lambda: _parameters(named, manifest, stored.relations, graph)),
        graph=graph,
        inputs=manifest.inputs,
        origin=(named.resolve(), manifest),
    )


def _user_encoder(path: Path, history_weight: np.ndarray, dim: int) -> UserEncoder:
    arrays = files.map_tensors(path) if path.exists() else {}
    try:
        return user_encoder_of(arrays, history_weight, dim)
    except ValueError as error:
        raise files.corrupt(path, str(error)) from None


def _histories(path: Path, table: pa.Table, stored: _Stored) -> Histories:
    try:
        return Histories.from_arrow(table, stored.n_users, stored.n_items, stored.ordered)
    except ValueError as error:
        raise files.corrupt(path, f"does not fit the model ({error})") from None


def _items(table: pa.Table, vectors: np.ndarray) -> ItemStore:
    return ItemStore(
        ids=Vocabulary(table["item_id"].combine_chunks()),
        labels=Rows.of(table["label"].to_numpy()),
        entities=Rows.of(table["entity"].to_numpy()),
        vectors=Rows.of(vectors),
        lengths=Rows.of(table["length"].to_numpy()),
        trained=Rows.of(table["trained"].to_numpy()),
        removed=np.flatnonzero(table["removed"].to_numpy()),
        aliases=_aliases(table),
    )


def _parts(folder: Path, version: int) -> migrations.StoredModel:
    """The content of `folder`, of format `version`, in the current format."""
    stored = migrations.StoredModel(
        config=files.read_json(folder / "config.json"),
        items=files.read_table(folder / "items.parquet"),
        history=files.read_table(folder / "history.parquet"),
        rescore=files.map_tensors(folder / "rescore.safetensors"),
        metrics=files.read_json(folder / "metrics.json"),
    )
    try:
        stored = migrations.migrated_model(stored, version)
    except (KeyError, TypeError, AttributeError) as error:
        raise files.corrupt(folder, f"is not a model of format {version} ({error})") from None
    _check_parts(folder / "items.parquet", "column", stored.items.column_names, _ITEM_COLUMNS)
    _check_parts(folder / "history.parquet", "column", stored.history.column_names, _HISTORY_COLUMNS)
    return stored


def _users(path: Path) -> Vocabulary:
    table = files.read_table(path)
    _check_parts(path, "column", table.column_names, ("user_id",))
    return Vocabulary(table["user_id"].combine_chunks())


def _configuration(path: Path, values: dict[str, Any]) -> _Stored:
    try:
        return _Stored.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise files.corrupt(
            path, f"is not a model's configuration ({where}: {first['msg'].lower()})"
        ) from None


def _check_parts(path: Path, kind: str, there: Iterable[str], names: Iterable[str]) -> None:
    for name in names:
        if name not in there:
            raise files.corrupt(path, f"has no {kind} '{name}'")


def _rescorer(path: Path, arrays: dict[str, np.ndarray], n_items: int, ranker: Ranker | None) -> Rescorer:
    try:
        rescorer = Rescorer.of_arrays(arrays, n_items, ranker)
    except ValueError as error:
        raise files.corrupt(path, str(error)) from None
    if ranker is not None:
        _check_parts(path, "scorer", ("embedding", *rescorer.active), ranker.source.scorers)
    return rescorer


def _parameters(
    folder: Path,
    manifest: artifacts.Manifest,
    relations: tuple[str, ...],
    graph: Callable[[], KnowledgeGraph],
) -> Parameters:
    from safetensors.numpy import load_file

    arrays = artifacts.reading_again(folder, manifest, _PARAMETERS, load_file)
    if manifest.format_version < 7:
        names = graph().names
        arrays, nodes = migrations.migrated_parameters(arrays, manifest.format_version, names.take)
    else:
        nodes = artifacts.reading_again(folder, manifest, _NODES, files.read_table)
    _check_parts(folder / _PARAMETERS, "array", arrays, PARAMETERS)
    _check_parts(folder / _NODES, "column", nodes.column_names, ("kind", "name"))
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
            "label": pa.array(items.labels.base, pa.string()),
            "entity": pa.array(items.entities.base, pa.int64()),
            "length": pa.array(items.lengths.base, pa.float32()),
            "history_weight": pa.array(model.user_encoder.history_weight.whole, pa.float32()),
            "trained": pa.array(items.trained.base, pa.bool_()),
            "removed": pa.array(np.isin(np.arange(len(items)), items.removed), pa.bool_()),
            "aliases": _names_by_row(items.aliases, len(items)),
        }
    )


def _names_by_row(aliases: dict[str, int], n_items: int) -> pa.ListArray:
    """Other names of each item, sorted; built without a Python list per item, which takes a hundred times as long."""
    names = sorted(aliases)
    rows = np.array([aliases[name] for name in names], np.int64)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_items))]).astype(np.int32)
    by_row = pa.array([names[at] for at in np.argsort(rows, kind="stable")], pa.string())
    return pa.ListArray.from_arrays(pa.array(bounds), by_row)


def _aliases(items: pa.Table) -> dict[str, int]:
    """Other name -> row."""
    column = items["aliases"].combine_chunks()
    rows = pc.list_parent_indices(column).to_pylist()
    return dict(zip(pc.list_flatten(column).to_pylist(), rows, strict=True))


def _card(model: Model) -> str:
    chosen = model.metrics.get("chosen", {})
    figures = "".join(f"- {name}: {value}\n" for name, value in chosen.items())
    return (
        "# Model card\n\n"
        f"A knowledge-graph recommender over {len(model.items):,} items ({model.items.n_trained:,} known to "
        f"training, {len(model.items.removed):,} no longer recommended) and {len(model.users):,} users with {model.liked.nnz:,} positive interactions.\n\n"
        f"## Chosen on held-out data\n\n{figures or '- nothing: there was no validation'}\n\n"
        "## Use\n\n`kgrec recommend`, `similar`, `add`, `update`, `remove`, `embed` and `explain` read this folder. An item's embedding is "
        "made from its text and its neighbours in the graph, and for items known to training from a learned residual; "
        "a user's embedding from the items of the history. Recommendations repeat the habits of the interactions that "
        "the model was trained on, their biases included.\n"
    )
