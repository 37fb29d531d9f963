"""From a graph to a model.

Enters: a KnowledgeGraph, with interactions or without. Leaves: a `Model`. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.config import Config
from kgrec.encode.dense_features import raw_blocks
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.encode.text import TextEncoder
from kgrec.errors import TrainingError
from kgrec.graph.interactions import Interactions, of_items
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.model.model import Model, Parameters, aliases, history_vectors, sample_of_users, units
from kgrec.parallel import threads
from kgrec.rank.cold_transfer import transfer_shares, with_transfer
from kgrec.rank.config import SCORERS
from kgrec.rank.fusion_weights import USUAL, rescorer
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.slim import item_weights, no_weights
from kgrec.retrieve import VectorIndex
from kgrec.train.checkpoint import Checkpoint
from kgrec.train.cold_holdout import hold_out_items
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData, degrees, interaction_counts
from kgrec.train.hyperparameters import Choice, default_hyperparameters, search_hyperparameters
from kgrec.train.learner import content_encoder, learn
from kgrec.train.progress import EpochLog, OnEpoch, TrainingWatcher
from kgrec.train.validation import ValidationSplit

logger = logging.getLogger(__name__)

#: deals the positives out
Splitter = Callable[[np.random.Generator], ValidationSplit]


@dataclass(frozen=True)
class Trained:
    """An encoder with what was chosen for it, and the log of all runs."""

    encoder: ItemEncoder
    found: Choice
    log: list[EpochRecord]


def fit_model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: TrainingWatcher,
    valid: Interactions | None = None,
    checkpoint: Checkpoint | None = None,
) -> Model:
    """Train on a graph and interactions.

    Args:
        graph: Holds the items.
        interactions: Over `graph.item_ids`; empty for a model of content alone.
        config: Of all stages.
        text_encoder: None leaves texts out.
        watcher: Is told of the progress.
        valid: Held-out interactions; None: a share of each user's is held out.
        checkpoint: Keeps the state meanwhile.

    Raises:
        TrainingError: There is no item.
        ArtifactError: The checkpoint is of other data, or cannot be read.
    """
    entities = graph.item_entities.astype(np.int64)
    if not len(entities):
        raise TrainingError(
            "The graph has no item.",
            "Give the item table rows, or mark another with `item: true` in the mapping.",
        )
    positives = interactions.matrix(half_life=config.encoder.half_life)
    data = _course(graph, entities, config, text_encoder, watcher)
    met = interaction_counts(interactions.matrix(positive_only=False)) > 0
    data = replace(data, refused=met & (interaction_counts(positives) == 0))
    split = _split(interactions, valid, config, data.known(positives))
    trained = train(data, positives, split, config, watcher.epoch, checkpoint or Checkpoint())
    return _model(graph, interactions, positives, data, trained, config)


def _course(
    graph: KnowledgeGraph,
    entities: np.ndarray,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: TrainingWatcher,
) -> TrainingData:
    raw = raw_blocks(graph, entities, text_encoder, progress=watcher.text)
    featurizer = Featurizer.learn(graph, entities, raw, config.encoder.hops, config.encoder.label_tokens)
    return TrainingData(featurizer.features(graph, entities, raw), featurizer, config.encoder, config.train)


def train(
    data: TrainingData,
    positives: sp.csr_matrix,
    split: Splitter,
    config: Config,
    on_epoch: OnEpoch | None,
    checkpoint: Checkpoint,
) -> Trained:
    """Choose on held-out data, then learn from everything.

    Args:
        data: the items and the configuration.
        positives: shape (n_users, n_items).
        split: what is held out; if that is nothing, nothing is chosen.
        config: of all stages.
        on_epoch: is told of each epoch.
        checkpoint: keeps the state meanwhile.
    """
    with threads(config.train.threads), torch.random.fork_rng(devices=[]):
        if not (np.diff(positives.indptr) >= 2).any():
            logger.warning("No user has two positive interactions: there is nothing to learn from.")
            return Trained(content_encoder(data), _unlearned(data), [])
        log = EpochLog(on_epoch, data, checkpoint.begin(data, positives, config.model_dump_json()))
        parts = split(np.random.default_rng(config.train.seed))

        def run(hyperparameters: Hyperparameters) -> ItemEncoder:
            return learn(
                data,
                parts.training,
                hyperparameters,
                checkpoint.progress("select", hyperparameters, log.tell),
            )

        if len(parts.evaluated_users):
            found = search_hyperparameters(data, parts, config.rescore, run, log, checkpoint)
        else:
            found = _unchosen(data, config)
        last = checkpoint.progress("refit", found.hyperparameters, log.tell)
        encoder = learn(data, positives, found.hyperparameters, last)
        encoder.whiten(data.inputs, found.whitening)
    return Trained(encoder.cpu(), found, log.lines)


def _unchosen(data: TrainingData, config: Config) -> Choice:
    weights = proportions(config.rescore.weights or (1.0, 0.0, 0.0, 0.0))
    return Choice(
        default_hyperparameters(data),
        0.0,
        config.rescore.penalty or USUAL,
        weights,
        config.rescore.cold_offset or 0.0,
        {},
    )


def _unlearned(data: TrainingData) -> Choice:
    """Content alone: all parts that there are, alike."""
    there = np.array([1, data.features.neighbors.nnz > 0, data.features.dense.any(), 0], np.float32)
    return Choice(default_hyperparameters(data), 0.0, USUAL, there / there.sum(), 0.0, {})


def _split(
    interactions: Interactions, valid: Interactions | None, config: Config, known: np.ndarray
) -> Splitter:
    def split(rng: np.random.Generator) -> ValidationSplit:
        half_life = config.encoder.half_life
        if valid is not None:
            seen = interactions.matrix(positive_only=False)
            return ValidationSplit.of(interactions.matrix(half_life=half_life), valid.matrix(), ~known, seen)
        if not config.train.valid_share:
            return ValidationSplit.of(interactions.matrix(half_life=half_life), interactions.matrix()[:0])
        by = config.train.valid_by
        if by == "auto":
            by = "time" if interactions.time is not None and interactions.time.any() else "random"
        rest, later = interactions.split(config.train.valid_share, rng, by=by)
        training, held_out, new = hold_out_items(rest.matrix(half_life=half_life), later.matrix(), known, rng)
        seen = of_items(rest.matrix(positive_only=False), ~new)
        return ValidationSplit(
            training, held_out, without_interactions=~known, held_out_items=new, excluded=~known, seen=seen
        )

    return split


def _model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    positives: sp.csr_matrix,
    data: TrainingData,
    trained: Trained,
    config: Config,
) -> Model:
    entities = graph.item_entities.astype(np.int64)
    with torch.no_grad():
        items = trained.encoder(data.inputs_on_cpu, trained.encoder.identity).numpy()
    vectors, lengths = units(items)
    known = data.known(positives)
    arrays = {name: value.numpy() for name, value in trained.encoder.state_dict().items()}
    parameters = Parameters.of(arrays, data.featurizer)
    weight = (degrees(positives) ** -float(arrays["degree_exponent"])).astype(np.float32)
    users = history_vectors(sample_of_users(positives), weight, vectors)
    index = VectorIndex.build(vectors, config.index, users)
    return Model(
        config=config,
        items=graph.item_ids,
        labels=graph.entities["label"].take(entities).to_pylist(),
        entities=entities,
        vectors=vectors,
        lengths=lengths,
        history_weight=weight,
        trained=known,
        users=interactions.users,
        histories=positives,
        seen=interactions.matrix(positive_only=False),
        index=index,
        rescorer=_rescorer(data, positives, trained.found, config, index, vectors),
        metrics=_metrics(trained),
        parameters=lambda: parameters,
        graph=lambda: graph,
        aliases=aliases(graph, entities),
        inputs=graph.inputs,
    )


def _rescorer(
    data: TrainingData,
    positives: sp.csr_matrix,
    found: Choice,
    config: Config,
    index: VectorIndex,
    vectors: np.ndarray,
) -> Rescorer:
    """The parts that have a weight, over all interactions."""
    known = data.known(positives)
    nothing = no_weights(len(known), len(known))
    scorer = rescorer(data.features, data.featurizer, nothing, found.weights, found.cold_offset * ~known)
    if not found.weights[3]:
        return scorer
    (co_occurrence,) = item_weights(positives, (found.penalty,), config.rescore.neighbors)
    new, graph = np.flatnonzero(~known), scorer.graph
    near = transfer_shares(index, vectors[new], graph[new], np.flatnonzero(known), graph)
    return replace(scorer, co_occurrence=with_transfer(co_occurrence, new, near))


def _metrics(trained: Trained) -> dict[str, object]:
    found = trained.found
    weights = {name: round(float(weight), 4) for name, weight in zip(SCORERS, found.weights, strict=True)}
    chosen = {**vars(found.hyperparameters), "whitening": found.whitening, "penalty": found.penalty}
    chosen |= {"weights": weights, "cold_offset": round(found.cold_offset, 4)}
    chosen |= {f"valid_{name}": value for name, value in found.figures.items()}
    return {"chosen": chosen if found.figures else {}, "log": [line.record() for line in trained.log]}
