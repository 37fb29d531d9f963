"""From a graph to a model, and from a model and new rows to a larger model.

Enters: a KnowledgeGraph, with interactions or without. Leaves: a `Model`. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from kgrec.errors import TrainingError
from kgrec.features import Schema, item_texts, text_vectors
from kgrec.graph import KnowledgeGraph
from kgrec.index import VectorIndex
from kgrec.interactions import Interactions
from kgrec.model import Model, Parameters, units
from kgrec.settings import Config
from kgrec.text import Progress, TextEncoder
from kgrec.train import OnEpoch, Trained, best_trial, train

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
    vectors, lengths = units(trained.items)
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
        aliases=aliases(graph, entities),
        inputs=graph.inputs,
    )


def aliases(graph: KnowledgeGraph, entities: np.ndarray) -> dict[str, int]:
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
