"""The model of a trained encoder: embeddings, index, and scorers over all interactions.

Enters: items, histories, a trained encoder, and the choices of validation. Leaves: a `Model`. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from kgrec.config import Config
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.encode.user_encoder import units
from kgrec.encode.user_encoders import user_encoder_of
from kgrec.graph.histories import Histories
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.items import ItemStore
from kgrec.model.model import WHITENING, Model, Parameters, sample_of_users
from kgrec.rank.cold_transfer import transfer_shares, with_transfer
from kgrec.rank.fusion_weights import log_users
from kgrec.rank.ranker import Ranker
from kgrec.rank.ranking_features import FeatureSource
from kgrec.rank.rescorer import Rescorer
from kgrec.rank.scorers import GraphScorer, Scorer, content_scorers
from kgrec.rank.slim import no_weights
from kgrec.retrieve import VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage.segments import Rows
from kgrec.train.data import EpochRecord, TrainingData, degrees
from kgrec.train.hyperparameters import FITTING_ITEM_ITEM, Choice
from kgrec.train.progress import TrainingWatcher


@dataclass(frozen=True)
class Trained:
    """A trained encoder, the choices of validation, and the records of all runs."""

    encoder: ItemEncoder
    choice: Choice
    records: list[EpochRecord]
    #: the whitening folded into the encoder's parameters; shape (dim, dim); None: no whitening
    whitening: Tensor | None = None


def assembled(
    graph: KnowledgeGraph,
    items: ItemStore,
    users: Vocabulary,
    histories: Histories,
    data: TrainingData,
    trained: Trained,
    config: Config,
    watcher: TrainingWatcher,
) -> Model:
    """The model of a trained encoder, with index and rescorer but without metrics.

    Args:
        graph: contains the items.
        items: in the order of `data`; their vectors are replaced.
        users: users of the histories.
        histories: the training histories.
        data: features of the items.
        trained: the encoder, and the choices of validation.
        config: options of all stages.
        watcher: receives the progress.
    """
    watcher.begin("embedding all items")
    positives = histories.matrix()
    with torch.no_grad():
        raw = trained.encoder(data.inputs_on_cpu, trained.encoder.identity).numpy()
    arrays = {name: value.numpy() for name, value in trained.encoder.state_dict().items()}
    if trained.whitening is not None:
        arrays[WHITENING] = trained.whitening.cpu().numpy()
    parameters = Parameters(arrays, data.featurizer)
    weight = (degrees(positives) ** -float(arrays["degree_exponent"])).astype(np.float32)
    vectors, lengths = units(raw)
    items = replace(
        items,
        vectors=Rows.of(vectors),
        lengths=Rows.of(lengths),
        trained=Rows.of(data.known(positives)),
    )
    user_encoder = user_encoder_of(arrays, weight, config.encoder.dim)
    sample = user_encoder.encode(sample_of_users(histories), items.vectors)
    watcher.begin("building the index")
    index = SegmentedIndex.of(VectorIndex.build(items.vectors.base, config.index, sample), items.vectors.base)
    if any(trained.choice.weights[name] for name in trained.choice.item_item):
        watcher.begin(FITTING_ITEM_ITEM)
    return Model(
        config=config,
        items=items,
        users=users,
        histories=histories,
        user_encoder=user_encoder,
        index=index,
        rescorer=_rescorer(data, histories, trained.choice, config, index),
        metrics={},
        parameters=lambda: parameters,
        graph=lambda: graph,
        inputs=graph.inputs,
    )


def _rescorer(
    data: TrainingData, histories: Histories, choice: Choice, config: Config, index: SegmentedIndex
) -> Rescorer:
    """All scorers, over all interactions; item-item weights are fitted only if their fusion weight is not zero."""
    known = data.known(histories.matrix())
    content = content_scorers(data.features, data.featurizer)
    active = {name: options for name, options in choice.item_item.items() if choice.weights[name]}
    new, shares = (
        _transfer(known, content, index) if active else (np.zeros(0, np.int64), no_weights(0, len(known)))
    )
    scorers: dict[str, Scorer] = {
        name: with_transfer(options.fitted(histories, config.rescore.neighbors), new, shares)
        for name, options in active.items()
    }
    prior = (choice.cold_offset * ~known + choice.popularity * log_users(histories)).astype(np.float32)
    rescorer = Rescorer(choice.weights, {**content, **scorers}, Rows.of(prior))
    if choice.ranker.ranker is None:
        return rescorer
    source = FeatureSource.of(rescorer.active, content["graph"], histories, data.featurizer)
    return replace(rescorer, ranker=Ranker(source, choice.ranker.ranker, choice.corrects_new))


def _transfer(
    known: np.ndarray, content: dict[str, Scorer], index: SegmentedIndex
) -> tuple[np.ndarray, sp.csr_matrix]:
    """Items without interactions, and the shares of known items in them; shapes (n_new,) and (n_new, n_items)."""
    graph = content["graph"]
    assert isinstance(graph, GraphScorer)
    new, neighbors = np.flatnonzero(~known), graph.neighbors
    return new, transfer_shares(index, index.vectors[new], neighbors[new], np.flatnonzero(known), neighbors)
