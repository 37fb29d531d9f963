"""New items for a trained model: their rows are read, linked to what is known, embedded, appended.

Enters: a `Model`, and rows laid out as its mapping says. Leaves: `Newcomers`, and a larger `Model`.
Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.addition import without
from kgrec.dense import item_texts, raw_blocks
from kgrec.encoder import EncoderInputs, ItemEncoder
from kgrec.errors import ConfigError, SourceError
from kgrec.features import ItemFeatures, Schema
from kgrec.fit import aliases
from kgrec.graph import KnowledgeGraph, read_addition
from kgrec.ingest.report import Report
from kgrec.links import hops_of
from kgrec.mapping import Mapping
from kgrec.model import Model, Parameters, units
from kgrec.rescore import Rescorer, unit_rows
from kgrec.settings import Config
from kgrec.slim import no_weights
from kgrec.text import Progress, TextEncoder
from kgrec.vocabulary import Vocabulary

#: known items that are looked at for what goes with a new one, and those of them that count
_NEAR, _HEIRS = 100, 20
#: how much a known item itself goes with a new one that is like it
_ITSELF = 0.5


@dataclass(frozen=True)
class Newcomers:
    """Items that a model does not have yet, embedded from content alone."""

    ids: Vocabulary
    #: ids in `graph`; shape (n,), int64
    entities: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
    features: ItemFeatures
    #: neighbours in the graph that the model has a parameter for, of each
    linked: list[int]
    #: words of text, of each
    words: list[int]
    #: items among the rows that the model knew already
    known: list[str]
    #: the model's graph with the newcomers
    graph: KnowledgeGraph
    #: what was read
    report: Report


def read_newcomers(
    model: Model, rows: Any, text_encoder: TextEncoder | None, progress: Progress | None = None
) -> Newcomers:
    """Read and embed new items.

    Args:
        model: Stays as it is.
        rows: A folder with files laid out as the mapping says, or a table of items, or a frame of
            the only item type, or frames by node type, or what `read_addition` gave. Rows of known items are left out.
        text_encoder: The one that the model was trained with; None leaves texts out.
        progress: Is told how many texts are encoded.

    Raises:
        SourceError: The rows are not as the mapping says.
        ConfigError: The text encoder is another than that of training.
    """
    addition = _addition(model.graph(), rows)
    graph, places = model.graph().extended(addition)
    entities = places[addition.item_entities]
    new = ~np.isin(entities, model.entities)
    names = _names(model, addition, entities, new)
    if not new.all():
        graph, places = model.graph().extended(without(addition, addition.item_entities[~new]))
    entities = places[addition.item_entities[new]].astype(np.int64)
    parameters = model.parameters()
    features = read_features(parameters, graph, entities, text_encoder, progress)
    return Newcomers(
        ids=Vocabulary(names[new]),
        entities=entities,
        vectors=embed(parameters, model.config, features),
        features=features,
        linked=_link_counts(parameters.schema(), features),
        words=[len(text.split()) for text in item_texts(graph, entities)],
        known=names[~new].tolist(),
        graph=graph,
        report=addition.report,
    )


def with_newcomers(model: Model, new: Newcomers) -> Model:
    """A model with new items appended; `model` stays as it is."""
    n_items = len(model.items) + len(new.ids)
    entities = np.concatenate([model.entities, new.entities])
    vectors, lengths = units(new.vectors)
    everything = np.concatenate([model.vectors, vectors])
    return replace(
        model,
        items=Vocabulary([*model.items, *new.ids]),
        labels=[*model.labels, *new.graph.entities["label"].take(new.entities).to_pylist()],
        entities=entities,
        aliases=aliases(new.graph, entities),
        vectors=everything,
        lengths=np.concatenate([model.lengths, lengths]),
        history_weight=np.concatenate([model.history_weight, np.ones(len(new.ids), np.float32)]),
        trained=np.concatenate([model.trained, np.zeros(len(new.ids), bool)]),
        histories=_widened(model.histories, n_items),
        seen=_widened(model.seen, n_items),
        index=model.index.extended(everything),
        rescorer=_rescorer(model, vectors, new.features),
        graph=lambda: new.graph,
    )


def read_features(
    parameters: Parameters,
    graph: KnowledgeGraph,
    entities: np.ndarray,
    text_encoder: TextEncoder | None,
    progress: Progress | None = None,
) -> ItemFeatures:
    """What the encoder reads of some items.

    Args:
        parameters: Of a trained model.
        graph: Holds the items.
        entities: Ids of the items in `graph`.
        text_encoder: The one that the model was trained with; None leaves texts out.
        progress: Is told how many texts are encoded.

    Raises:
        ConfigError: The text encoder is another than that of training, or a vector of another length.
    """
    schema = parameters.schema()
    widths = {name: len(spread.mean) for name, spread in schema.spreads.items()}
    return schema.features(graph, entities, raw_blocks(graph, entities, text_encoder, widths, progress))


def embed(parameters: Parameters, config: Config, features: ItemFeatures) -> np.ndarray:
    """Vectors of items from content alone, before normalisation; shape (len(features), dim)."""
    schema = parameters.schema()
    encoder = ItemEncoder.for_schema(config.encoder, schema, len(parameters.arrays["identity"]))
    state = {name: torch.from_numpy(parameters.arrays[name].copy()) for name in encoder.state_dict()}
    encoder.load_state_dict(state)
    with torch.no_grad():
        vectors: np.ndarray = encoder(EncoderInputs(features)).numpy()
    return vectors


def _link_counts(schema: Schema, features: ItemFeatures) -> list[int]:
    """How many neighbours with a parameter each of these items has."""
    links = features.neighbors.tocoo()
    # A number is no neighbour that a user would count, nor is what is further away.
    near = np.array([hops_of(name) == 1 for name in schema.relations], bool)[features.relation]
    is_entity = ((features.entity < len(schema.entities)) & near)[links.col]
    counts: list[int] = np.bincount(links.row[is_entity], minlength=len(features)).tolist()
    return counts


def _rescorer(model: Model, vectors: np.ndarray, features: ItemFeatures) -> Rescorer:
    """The model's, with rows for new items with these unit vectors and features."""
    known, n_nodes = model.rescorer, max(1, model.parameters().schema().n_nodes)
    codes = features.relation * n_nodes + features.entity
    place = np.searchsorted(known.columns, codes)
    there = np.flatnonzero(place < len(known.columns))
    there = there[known.columns[place[there]] == codes[there]]
    moved = sp.csr_matrix(
        (np.ones(len(there), np.float32), (there, place[there])), (len(codes), len(known.columns))
    )
    graph = unit_rows((features.neighbors @ moved).tocsr())
    return known.extended(graph, features.dense, _inherited(model, vectors, graph))


def _inherited(model: Model, vectors: np.ndarray, graph: sp.csr_matrix) -> sp.csr_matrix:
    """What goes with a new item: what goes with the known items most like it, and these themselves.

    Without this, new items would lack a part of the score that known ones have, and sink among them.

    Returns:
        shape (n_new, n_items), float32.
    """
    known = np.flatnonzero(model.trained)
    size = (len(vectors), len(model.items))
    if not model.rescorer.weights[3] or not len(known):
        return no_weights(*size)
    only = None if len(known) == len(model.items) else known
    found, cosines = model.index.search(vectors, min(_NEAR, len(known)), only=only)
    row = np.repeat(np.arange(len(vectors)), found.shape[1])
    shared = np.asarray(graph[row].multiply(model.rescorer.graph[found.ravel()]).sum(axis=1)).reshape(
        found.shape
    )
    near = np.maximum(cosines + shared, 0) ** 4
    order = np.argsort(-near, axis=1, kind="stable")[:, :_HEIRS]
    share = np.take_along_axis(near, order, 1)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    column = np.take_along_axis(found, order, 1)
    heirs = sp.csr_matrix(
        (share.ravel(), (np.repeat(np.arange(len(vectors)), order.shape[1]), column.ravel())), size
    )
    together = model.rescorer.together + _ITSELF * sp.identity(size[1], np.float32, "csr")
    inherited: sp.csr_matrix = (heirs @ together).tocsr().astype(np.float32)
    return inherited


def _names(model: Model, addition: KnowledgeGraph, entities: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Names of the addition's items: of known ones as in the model, of new ones type/key where the key is taken.

    Args:
        model: Knows some of the items.
        addition: Brings them.
        entities: Ids of the items in the model's graph with the addition.
        new: Which ones the model does not know.
    """
    names = addition.item_ids.to_numpy().copy()
    order = np.argsort(model.entities)
    rows = order[np.searchsorted(model.entities, entities[~new], sorter=order)]
    names[~new] = [model.items[row] for row in rows]
    taken = new & (model.items.ids(names) >= 0)
    names[taken] = [addition.names[entity] for entity in addition.item_entities[taken]]
    return names


def _addition(graph: KnowledgeGraph, rows: Any) -> KnowledgeGraph:
    if isinstance(rows, KnowledgeGraph):
        return rows
    if isinstance(rows, str | Path):
        path = Path(rows)
        if not path.exists():
            raise SourceError(
                f"{path} is not there.", "Give a folder laid out as the mapping says, or a table of items."
            )
        if path.is_dir():
            return read_addition(graph.mapping, path, known=graph)
        return read_addition(_only_items(graph, path), path.parent, known=graph)
    frames = rows if isinstance(rows, dict) else {_item_type(graph): rows}
    return read_addition(graph.mapping, frames=frames, known=graph)


def _only_items(graph: KnowledgeGraph, path: Path) -> Mapping:
    """The mapping with nothing but its item table, to be read from `path`."""
    type_ = _item_type(graph)
    table = graph.mapping.nodes[type_].model_copy(update={"file": (path.name,), "format": None})
    return graph.mapping.model_copy(update={"nodes": {type_: table}, "edges": {}, "rdf": ()})


def _item_type(graph: KnowledgeGraph) -> str:
    """The only item type that has a table."""
    types = [type_ for type_ in graph.item_types if type_ in graph.mapping.nodes]
    if len(types) != 1:
        raise ConfigError(
            f"Items of {len(types)} types come from tables here, so one table is not enough.",
            "Give a folder laid out as the mapping says, or a dict of frames by type.",
        )
    return types[0]


def _widened(matrix: sp.csr_matrix, n_items: int) -> sp.csr_matrix:
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], n_items))
