"""From a graph to a model: data, features, validation, training and assembly, each once.

Enters: a KnowledgeGraph, with interactions or without. Leaves: a `Model`. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from kgrec.config import Config
from kgrec.encode.dense_features import raw_blocks
from kgrec.encode.featurizer import Featurizer, ItemFacts
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.encode.text import TextEncoder
from kgrec.errors import ConfigError, TrainingError
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import NO_ORDER_REMEDY, Interactions, of_items
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.model.items import ItemStore
from kgrec.model.model import Model, aliases
from kgrec.rank.boosted import check_installed
from kgrec.rank.config import SCORERS
from kgrec.rank.item_item import default_options, names_of
from kgrec.rank.rescorer import proportions
from kgrec.storage.segments import Rows
from kgrec.train.assembly import Trained, assembled
from kgrec.train.checkpoint import Checkpoint
from kgrec.train.cold_holdout import chance_explains, hold_out_items
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.hyperparameters import (
    Choice,
    default_hyperparameters,
    search_hyperparameters,
)
from kgrec.train.learner import content_encoder
from kgrec.train.progress import FINAL_TRAINING, TRIAL, EpochLog, TrainingWatcher
from kgrec.train.run import learn
from kgrec.train.threads import threads
from kgrec.train.validation import MAX_QUERIES, ValidationSplit, moments_of

logger = logging.getLogger(__name__)

#: splits interactions into a training and a validation part
Splitter = Callable[[np.random.Generator], ValidationSplit]


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
        graph: Contains the items.
        interactions: Over `graph.item_ids`; empty for a model from content alone.
        config: Options of all stages.
        text_encoder: Encodes texts; None: texts are ignored.
        watcher: Receives the progress.
        valid: Validation interactions; None: a share of each user's interactions is held out.
        checkpoint: Saves the state from which an interrupted training resumes.

    Raises:
        TrainingError: The graph has no items, or the loss is not finite.
        ConfigError: An option needs an order that the interactions lack, or a library that is not installed.
        ArtifactError: The checkpoint belongs to other data, or cannot be read.
    """
    if config.rescore.ranker == "boosted":
        check_installed()
    histories = Histories.of(interactions, config.encoder.half_life)
    learned = as_learned(histories, config)
    positives = learned.matrix()
    facts = read_facts(graph, graph.item_entities.astype(np.int64), config, text_encoder, watcher)
    watcher.begin("whitening vectors and weighting neighbours")
    data = training_data(facts, Featurizer.of_facts(facts, config.encoder.label_tokens), learned, config)
    split = _splitter(interactions, learned, valid, config, data.known(positives))
    trained = train(data, learned, split, config, watcher, checkpoint or Checkpoint())
    items = _items(graph, config.encoder.dim)
    model = assembled(graph, items, interactions.users, learned, data, trained, config, watcher)
    return replace(model, histories=histories, metrics=_metrics(trained, data))


def as_learned(histories: Histories, config: Config) -> Histories:
    """The histories in time order if the model is to predict the next item, otherwise without order.

    Raises:
        ConfigError: The model is to predict the next item, but the interactions have no order; or the user encoder reads the
            order, but the model is not to predict the next item.
    """
    target = config.train.target
    if target == "auto":
        target = "next" if histories.ordered and histories.positive.all() else "any"
    if target == "next" and not histories.ordered:
        raise ConfigError(
            'train.target is "next", but the interactions have no order.',
            f"{NO_ORDER_REMEDY} (time=, position= or order= of Interactions.from_frame), or leave the option out.",
        )
    if target == "any" and config.encoder.user in ("linear", "transformer"):
        raise ConfigError(
            f'encoder.user is "{config.encoder.user}", which reads the order of a history, and the next item is not learned: '
            + _WHY_ANY[config.train.target],
            'Set train.target to "next", or leave encoder.user out.',
        )
    return histories if target == "next" else replace(histories, ordered=False)


#: why order is ignored, by train.target
_WHY_ANY = {
    "any": 'train.target is "any".',
    "auto": "the log has no order, or interactions that are not positive.",
}


def read_facts(
    graph: KnowledgeGraph,
    items: np.ndarray,
    config: Config,
    text_encoder: TextEncoder | None,
    watcher: TrainingWatcher,
    widths: dict[str, int] | None = None,
) -> ItemFacts:
    """Texts, vectors and neighbours of items, read once for the featurizer and the features.

    Args:
        graph: contains the items.
        items: their entity ids; shape (n,), int64.
        config: options of all stages.
        text_encoder: encodes texts; None: texts are ignored.
        watcher: receives the progress.
        widths: as in `raw_blocks`.

    Raises:
        TrainingError: There are no items.
    """
    if not len(items):
        raise TrainingError(
            "The graph has no items.",
            "Add rows to the item table, or mark another table with `item: true` in the mapping.",
        )
    watcher.begin("reading texts and loading the text encoder" if text_encoder else "reading vectors")
    raw = raw_blocks(graph, items, text_encoder, widths, watcher.text)
    watcher.begin("reading neighbours in the graph")
    return ItemFacts.read(graph, items, raw, config.encoder.hops)


def training_data(
    facts: ItemFacts, featurizer: Featurizer, histories: Histories, config: Config
) -> TrainingData:
    """The features of items, and the data from training histories."""
    features = featurizer.features_of(facts)
    return TrainingData(features, featurizer, config.encoder, config.train).of_histories(histories)


def train(
    data: TrainingData,
    histories: Histories,
    split: Splitter,
    config: Config,
    watcher: TrainingWatcher,
    checkpoint: Checkpoint,
) -> Trained:
    """Choose hyperparameters and fusion weights on validation data, then train on all interactions.

    Args:
        data: the items and the configuration.
        histories: histories of all users.
        split: splits the interactions; if nothing is held out, the defaults are used.
        config: options of all stages.
        watcher: receives the progress.
        checkpoint: saves the state.
    """
    positives = histories.matrix()
    with threads(config.train.threads), torch.random.fork_rng(devices=[]):
        if not (np.diff(positives.indptr) >= 2).any():
            logger.warning(
                "No user has two positive interactions: the encoder is not trained, and items are ranked by content alone."
            )
            return Trained(content_encoder(data), _content_choice(data), [])
        watcher.begin("splitting interactions for validation")
        log = EpochLog(watcher, data, checkpoint.begin(data, positives, config.model_dump_json()))
        parts = split(np.random.default_rng(config.train.seed))

        def run(hyperparameters: Hyperparameters) -> ItemEncoder:
            watcher.begin(TRIAL)
            progress = checkpoint.progress("select", hyperparameters, log.add)
            return learn(data, parts.histories, hyperparameters, progress)

        if len(parts.queries):
            choice = search_hyperparameters(data, parts, config.rescore, run, log, checkpoint)
        else:
            choice = _defaults(data, parts.histories, config)
        watcher.begin(FINAL_TRAINING)
        last = checkpoint.progress("refit", choice.hyperparameters, log.add)
        encoder = learn(data, histories, choice.hyperparameters, last)
        whitening = encoder.whiten(data.inputs, choice.whitening)
    return Trained(encoder.cpu(), choice, log.records, whitening)


def _defaults(data: TrainingData, histories: Histories, config: Config) -> Choice:
    """The defaults, used without validation data."""
    rescore = config.rescore
    if rescore.ranker != "none":
        logger.warning("There is no validation data, so no ranker is learned: rescore.ranker has no effect.")
    return Choice(
        hyperparameters=default_hyperparameters(data),
        whitening=0.0,
        item_item={name: default_options(name, rescore) for name in names_of(histories, rescore)},
        weights=proportions(rescore.weights or {"embedding": 1.0}),
        cold_offset=rescore.cold_offset or 0.0,
        popularity=rescore.popularity or 0.0,
    )


def _content_choice(data: TrainingData) -> Choice:
    """The choice without interactions: equal weights for all scorers that have content."""
    present = {
        "embedding": 1.0,
        "graph": data.features.neighbors.nnz > 0,
        "text": bool(data.features.dense.any()),
    }
    weights = proportions({name: float(present[name]) for name in SCORERS if name in present})
    return Choice(default_hyperparameters(data), 0.0, {}, weights, 0.0)


def _splitter(
    interactions: Interactions,
    learned: Histories,
    valid: Interactions | None,
    config: Config,
    known: np.ndarray,
) -> Splitter:
    """The split that the configuration selects.

    Args:
        interactions: all interactions.
        learned: their histories, as used in training.
        valid: held-out interactions that the caller gave.
        config: options of all stages.
        known: which items have interactions; shape (n_items,), bool.
    """

    def split(rng: np.random.Generator) -> ValidationSplit:
        if valid is not None:
            seen = interactions.matrix(positive_only=False)
            return ValidationSplit.of(learned, valid.matrix(), ~known, seen)
        if not config.train.valid_share:
            return ValidationSplit.of(learned, interactions.matrix()[:0])
        by = config.train.valid_by
        if by == "auto":
            by = "time" if learned.ordered else "random"
        rest, later = interactions.split(config.train.valid_share, rng, by=by)
        shown = replace(Histories.of(rest, config.encoder.half_life), ordered=learned.ordered)
        training, held_out, new = shown, later.matrix(), np.zeros(len(known), bool)
        if not chance_explains(np.bincount(learned.item), int(np.count_nonzero(~known))):
            training, held_out, new = hold_out_items(training, held_out, known, rng)
        seen = of_items(rest.matrix(positive_only=False), ~new)
        seed, ordered = config.train.seed, by == "time" and learned.ordered
        return ValidationSplit(
            training,
            held_out,
            without_interactions=~known,
            held_out_items=new,
            excluded=~known,
            seen=seen,
            moments=moments_of(learned, held_out, new, MAX_QUERIES, seed) if ordered else None,
            seed=seed,
        )

    return split


def _items(graph: KnowledgeGraph, dim: int) -> ItemStore:
    """The items of a training graph, without vectors yet."""
    entities = graph.item_entities.astype(np.int64)
    n_items = len(entities)
    labels = np.array(graph.entities["label"].take(entities).to_pylist(), dtype=object)
    return ItemStore(
        ids=graph.item_ids,
        labels=Rows.of(labels),
        entities=Rows.of(entities),
        vectors=Rows.of(np.zeros((n_items, dim), np.float32)),
        lengths=Rows.of(np.zeros(n_items, np.float32)),
        trained=Rows.of(np.zeros(n_items, bool)),
        aliases=aliases(graph, entities),
    )


def _metrics(trained: Trained, data: TrainingData) -> dict[str, Any]:
    choice = trained.choice
    weights = {name: round(float(choice.weights[name]), 4) for name in SCORERS}
    target = "next" if data.ordered else "any"
    chosen = {"target": target, **vars(choice.hyperparameters), "whitening": choice.whitening}
    chosen["item_item"] = {name: vars(options) for name, options in choice.item_item.items()}
    chosen |= {"weights": weights, "cold_offset": round(choice.cold_offset, 4)}
    chosen["popularity"] = round(choice.popularity, 6)
    chosen |= {f"valid_{name}": value for name, value in choice.figures.items()}
    if choice.ranker.figures:
        learned = choice.ranker.ranker
        chosen["ranker"] = {"kind": learned.kind if learned else "none", "valid_ndcg": choice.ranker.figures}
    log = [record.record() for record in trained.records]
    return {"chosen": chosen if choice.figures else {}, "n_items": len(data.features), "log": log}
