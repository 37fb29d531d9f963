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
from kgrec.encode.featurizer import Schema
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.encode.text import TextEncoder
from kgrec.errors import TrainingError
from kgrec.graph.interactions import Interactions, of_items
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.model.model import Model, Parameters, aliases, history_vectors, sample_of_users, units
from kgrec.parallel import threads
from kgrec.rank.cold_transfer import heirs, with_heirs
from kgrec.rank.config import PARTS
from kgrec.rank.fusion_weights import USUAL, rescorer
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.slim import item_weights, no_weights
from kgrec.retrieve import VectorIndex
from kgrec.train.checkpoint import Checkpoint
from kgrec.train.cold_holdout import made_new
from kgrec.train.data import Course, Epoch, Setting, degrees, taken_by
from kgrec.train.hyperparameters import Found, default_setting, search
from kgrec.train.learner import content_encoder, learn
from kgrec.train.progress import OnEpoch, Watcher, _Log
from kgrec.train.validation import Parts

logger = logging.getLogger(__name__)

#: deals the positives out
Split = Callable[[np.random.Generator], Parts]


@dataclass(frozen=True)
class Trained:
    """An encoder with what was chosen for it, and the log of all runs."""

    encoder: ItemEncoder
    found: Found
    log: list[Epoch]


def fit_model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: Watcher,
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
    course = _course(graph, entities, config, text_encoder, watcher)
    met = taken_by(interactions.matrix(positive_only=False)) > 0
    course = replace(course, refused=met & (taken_by(positives) == 0))
    split = _split(interactions, valid, config, course.known(positives))
    trained = train(course, positives, split, config, watcher.epoch, checkpoint or Checkpoint())
    return _model(graph, interactions, positives, course, trained, config)


def _course(
    graph: KnowledgeGraph,
    entities: np.ndarray,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: Watcher,
) -> Course:
    raw = raw_blocks(graph, entities, text_encoder, progress=watcher.text)
    schema = Schema.learn(graph, entities, raw, config.encoder.hops, config.encoder.words)
    return Course(schema.features(graph, entities, raw), schema, config.encoder, config.train)


def train(
    course: Course,
    positives: sp.csr_matrix,
    split: Split,
    config: Config,
    on_epoch: OnEpoch | None,
    checkpoint: Checkpoint,
) -> Trained:
    """Choose on held-out data, then learn from everything.

    Args:
        course: the items and the configuration.
        positives: shape (n_users, n_items).
        split: what is held out; if that is nothing, nothing is chosen.
        config: of all stages.
        on_epoch: is told of each epoch.
        checkpoint: keeps the state meanwhile.
    """
    with threads(config.train.threads), torch.random.fork_rng(devices=[]):
        if not (np.diff(positives.indptr) >= 2).any():
            logger.warning("No user has two positive interactions: there is nothing to learn from.")
            return Trained(content_encoder(course), _unlearned(course), [])
        log = _Log(on_epoch, course, checkpoint.begin(course, positives, config.model_dump_json()))
        parts = split(np.random.default_rng(config.train.seed))

        def run(setting: Setting) -> ItemEncoder:
            return learn(course, parts.training, setting, checkpoint.progress("select", setting, log.tell))

        if len(parts.judges):
            found = search(course, parts, config.rescore, run, log, checkpoint)
        else:
            found = _unchosen(course, config)
        last = checkpoint.progress("refit", found.setting, log.tell)
        encoder = learn(course, positives, found.setting, last)
        encoder.whiten(course.inputs, found.whitening)
    return Trained(encoder.cpu(), found, log.lines)


def _unchosen(course: Course, config: Config) -> Found:
    weights = proportions(config.rescore.weights or (1.0, 0.0, 0.0, 0.0))
    return Found(
        default_setting(course),
        0.0,
        config.rescore.penalty or USUAL,
        weights,
        config.rescore.unmet or 0.0,
        {},
    )


def _unlearned(course: Course) -> Found:
    """Content alone: all parts that there are, alike."""
    there = np.array([1, course.features.neighbors.nnz > 0, course.features.dense.any(), 0], np.float32)
    return Found(default_setting(course), 0.0, USUAL, there / there.sum(), 0.0, {})


def _split(
    interactions: Interactions, valid: Interactions | None, config: Config, known: np.ndarray
) -> Split:
    def split(rng: np.random.Generator) -> Parts:
        half_life = config.encoder.half_life
        if valid is not None:
            seen = interactions.matrix(positive_only=False)
            return Parts.of(interactions.matrix(half_life=half_life), valid.matrix(), ~known, seen)
        if not config.train.valid_share:
            return Parts.of(interactions.matrix(half_life=half_life), interactions.matrix()[:0])
        by = config.train.valid_by
        if by == "auto":
            by = "time" if interactions.time is not None and interactions.time.any() else "random"
        rest, later = interactions.split(config.train.valid_share, rng, by=by)
        training, held_out, new = made_new(rest.matrix(half_life=half_life), later.matrix(), known, rng)
        seen = of_items(rest.matrix(positive_only=False), ~new)
        return Parts(training, held_out, unmet=~known, made_new=new, barred=~known, seen=seen)

    return split


def _model(
    graph: KnowledgeGraph,
    interactions: Interactions,
    positives: sp.csr_matrix,
    course: Course,
    trained: Trained,
    config: Config,
) -> Model:
    entities = graph.item_entities.astype(np.int64)
    with torch.no_grad():
        items = trained.encoder(course.inputs_on_cpu, trained.encoder.identity).numpy()
    vectors, lengths = units(items)
    known = course.known(positives)
    arrays = {name: value.numpy() for name, value in trained.encoder.state_dict().items()}
    parameters = Parameters.of(arrays, course.schema)
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
        rescorer=_rescorer(course, positives, trained.found, config, index, vectors),
        metrics=_metrics(trained),
        parameters=lambda: parameters,
        graph=lambda: graph,
        aliases=aliases(graph, entities),
        inputs=graph.inputs,
    )


def _rescorer(
    course: Course,
    positives: sp.csr_matrix,
    found: Found,
    config: Config,
    index: VectorIndex,
    vectors: np.ndarray,
) -> Rescorer:
    """The parts that have a weight, over all interactions."""
    known = course.known(positives)
    nothing = no_weights(len(known), len(known))
    scorer = rescorer(course.features, course.schema, nothing, found.weights, found.unmet * ~known)
    if not found.weights[3]:
        return scorer
    (together,) = item_weights(positives, (found.penalty,), config.rescore.neighbors)
    new, graph = np.flatnonzero(~known), scorer.graph
    near = heirs(index, vectors[new], graph[new], np.flatnonzero(known), graph)
    return replace(scorer, together=with_heirs(together, new, near))


def _metrics(trained: Trained) -> dict[str, object]:
    found = trained.found
    weights = {name: round(float(weight), 4) for name, weight in zip(PARTS, found.weights, strict=True)}
    chosen = {**vars(found.setting), "whitening": found.whitening, "penalty": found.penalty}
    chosen |= {"weights": weights, "unmet": round(found.unmet, 4)}
    chosen |= {f"valid_{name}": value for name, value in found.figures.items()}
    return {"chosen": chosen if found.figures else {}, "log": [line.record() for line in trained.log]}
