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
from kgrec.encoder import EncoderInputs, ItemEncoder
from kgrec.errors import ConfigError, SourceError
from kgrec.features import Schema, item_texts, text_vectors
from kgrec.fit import aliases
from kgrec.graph import KnowledgeGraph, read_addition
from kgrec.index import VectorIndex
from kgrec.ingest.report import Report
from kgrec.mapping import Mapping
from kgrec.model import Model, Parameters, units
from kgrec.settings import Config
from kgrec.text import Progress, TextEncoder
from kgrec.vocabulary import Vocabulary


@dataclass(frozen=True)
class Newcomers:
    """Items that a model does not have yet, embedded from content alone."""

    ids: Vocabulary
    #: ids in `graph`; shape (n,), int64
    entities: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
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
            the only item type, or frames by node type. Rows of known items are left out.
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
    return Newcomers(
        ids=Vocabulary(names[new]),
        entities=entities,
        vectors=embed(parameters, model.config, graph, entities, text_encoder, progress),
        linked=link_counts(parameters, graph, entities),
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
        index=VectorIndex(everything, model.config.index),
        graph=lambda: new.graph,
    )


def embed(
    parameters: Parameters,
    config: Config,
    graph: KnowledgeGraph,
    entities: np.ndarray,
    text_encoder: TextEncoder | None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Vectors of items from content alone, before normalisation; shape (len(entities), dim).

    Args:
        parameters: Of a trained model.
        config: Of that model.
        graph: Holds the items.
        entities: Ids of the items in `graph`.
        text_encoder: The one that the model was trained with; None leaves texts out.
        progress: Is told how many texts are encoded.

    Raises:
        ConfigError: The text encoder is another than that of training.
    """
    schema = parameters.schema()
    text = _texts(schema, graph, entities, text_encoder, progress)
    encoder = ItemEncoder.for_schema(config.encoder, schema, len(parameters.arrays["identity"]))
    state = {name: torch.from_numpy(parameters.arrays[name].copy()) for name in encoder.state_dict()}
    encoder.load_state_dict(state)
    with torch.no_grad():
        vectors: np.ndarray = encoder(EncoderInputs(schema.features(graph, entities, text))).numpy()
    return vectors


def link_counts(parameters: Parameters, graph: KnowledgeGraph, entities: np.ndarray) -> list[int]:
    """How many neighbours with a parameter each of these items has."""
    schema = parameters.schema()
    text = np.zeros((len(entities), len(schema.text_mean)), np.float32)
    features = schema.features(graph, entities, text)
    links = features.neighbors.tocoo()
    # A number is no neighbour that a user would count.
    is_entity = features.entity[links.col] < len(schema.entities)
    counts: list[int] = np.bincount(links.row[is_entity], minlength=len(entities)).tolist()
    return counts


def _texts(
    schema: Schema,
    graph: KnowledgeGraph,
    entities: np.ndarray,
    text_encoder: TextEncoder | None,
    progress: Progress | None,
) -> np.ndarray:
    """Raw text vectors as wide as those of training; without a text in training, none."""
    dim = len(schema.text_mean)
    vectors = text_vectors(text_encoder if dim else None, item_texts(graph, entities), progress)
    if not vectors.size:
        return np.zeros((len(entities), dim), np.float32)
    if vectors.shape[1] != dim:
        raise ConfigError(
            f"The text encoder gives vectors of {vectors.shape[1]:,} numbers; the model was trained with {dim:,}.",
            "Use the text encoder that the model was trained with.",
        )
    return vectors


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
