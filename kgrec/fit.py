"""From a graph to a model, and from a model and new rows to a larger model.

Enters: a KnowledgeGraph, with interactions or without. Leaves: a `Model`. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.encoder import EncoderInputs, ItemEncoder
from kgrec.errors import ConfigError, TrainingError
from kgrec.features import Schema, item_texts, text_vectors
from kgrec.graph import KnowledgeGraph
from kgrec.index import VectorIndex
from kgrec.interactions import Interactions
from kgrec.model import Model, Parameters
from kgrec.settings import Config
from kgrec.text import Progress, TextEncoder
from kgrec.train import OnEpoch, Trained, best_trial, train
from kgrec.vocabulary import Vocabulary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watcher:
    """Who is told how far the work is; each may be absent."""

    text: Progress | None = None
    epoch: OnEpoch | None = None


def fit_model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: Watcher,
    valid: Interactions | None = None,
) -> Model:
    """Train on a graph and interactions.

    Args:
        graph: Holds the items.
        interactions: Over `graph.item_ids`; empty for a model of content alone.
        config: Of all stages.
        text_encoder: None leaves texts out.
        watcher: Is told of the progress.
        valid: Held-out interactions; None: a share of each user's is held out.

    Raises:
        TrainingError: There is no item.
    """
    entities = graph.item_entities.astype(np.int64)
    if not len(entities):
        raise TrainingError(
            "The graph has no item.",
            "Give the item table rows, or mark another with `item: true` in the mapping.",
        )
    text = text_vectors(text_encoder, item_texts(graph, entities), watcher.text)
    schema = Schema.learn(graph, entities, text)
    features = schema.features(graph, entities, text)
    positives = interactions.matrix()
    trained = train(
        features,
        schema,
        positives,
        _held_out(interactions, valid, config),
        config.encoder,
        config.train,
        watcher.epoch,
    )
    return _model(graph, interactions, positives, schema, trained, config)


def extend_model(
    model: Model, graph: KnowledgeGraph, entities: np.ndarray, ids: Vocabulary, vectors: np.ndarray
) -> Model:
    """A model with new items appended.

    Args:
        model: Stays as it is.
        graph: The model's graph with the new items.
        entities: Ids of the new items in it, shape (n_new,).
        ids: Names of the new items.
        vectors: Before normalisation, shape (n_new, dim).
    """
    n_old, n_new = len(model.items), len(ids)
    all_entities = np.concatenate([model.entities, entities])
    units, lengths = _units(vectors)
    everything = np.concatenate([model.vectors, units])
    index = VectorIndex(everything, model.config.index)
    return replace(
        model,
        items=Vocabulary([*model.items, *ids]),
        labels=[*model.labels, *graph.entities["label"].take(entities).to_pylist()],
        entities=all_entities,
        aliases=_aliases(graph, all_entities),
        vectors=everything,
        lengths=np.concatenate([model.lengths, lengths]),
        history_weight=np.concatenate([model.history_weight, np.ones(n_new, np.float32)]),
        trained=np.concatenate([model.trained, np.zeros(n_new, bool)]),
        histories=_widened(model.histories, n_old + n_new),
        seen=_widened(model.seen, n_old + n_new),
        index=index,
        graph=lambda: graph,
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
    counts: list[int] = np.diff(schema.features(graph, entities, text).neighbors.indptr).tolist()
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


def _held_out(
    interactions: Interactions, valid: Interactions | None, config: Config
) -> Callable[[np.random.Generator], tuple[sp.csr_matrix, sp.csr_matrix]]:
    def split(rng: np.random.Generator) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        if valid is not None:
            return interactions.matrix(), valid.matrix()
        if not config.train.valid_share:
            return interactions.matrix(), interactions.matrix()[:0]
        parts = interactions.split(config.train.valid_share, rng, by=config.train.valid_by)
        return parts[0].matrix(), parts[1].matrix()

    return split


def _model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    positives: sp.csr_matrix,
    schema: Schema,
    trained: Trained,
    config: Config,
) -> Model:
    entities = graph.item_entities.astype(np.int64)
    vectors, lengths = _units(trained.items)
    arrays = {name: value.numpy() for name, value in trained.encoder.state_dict().items()}
    parameters = Parameters.of(arrays, schema)
    degree = np.maximum(positives.sum(axis=0).A1, 1)
    return Model(
        config=config,
        items=graph.item_ids,
        labels=graph.entities["label"].take(entities).to_pylist(),
        entities=entities,
        vectors=vectors,
        lengths=lengths,
        history_weight=(degree ** -float(arrays["degree_exponent"])).astype(np.float32),
        trained=np.ones(len(entities), bool),
        users=interactions.users,
        histories=positives,
        seen=interactions.matrix(positive_only=False),
        index=VectorIndex(vectors, config.index),
        metrics=_metrics(trained),
        parameters=lambda: parameters,
        graph=lambda: graph,
        aliases=_aliases(graph, entities),
        inputs=graph.inputs,
    )


def _aliases(graph: KnowledgeGraph, entities: np.ndarray) -> dict[str, int]:
    """Other names of the items with these entity ids -> place among them."""
    row = {entity: place for place, entity in enumerate(entities.tolist())}
    named = {name: int(graph.item_entities[code]) for name, code in graph.item_aliases.items()}
    return {name: row[entity] for name, entity in named.items() if entity in row}


def _metrics(trained: Trained) -> dict[str, object]:
    best = best_trial(trained.log) if any(line.valid_ndcg is not None for line in trained.log) else None
    chosen = (
        {}
        if best is None
        else {
            "temperature": best.temperature,
            "epochs": best.epoch,
            "valid_ndcg": best.valid_ndcg,
            "valid_recall": best.valid_recall,
        }
    )
    return {"chosen": chosen, "log": [vars(line) for line in trained.log]}


def _units(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.linalg.norm(vectors, axis=1)
    safe = np.where(lengths > 1e-12, lengths, 1)
    return (vectors / safe[:, None]).astype(np.float32), lengths.astype(np.float32)


def _widened(matrix: sp.csr_matrix, n_items: int) -> sp.csr_matrix:
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], n_items))
