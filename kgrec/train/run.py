"""One training run: an encoder, fresh or continued, fitted by the learner of its hyperparameters.

Enters: features of the items, histories, and hyperparameters. Leaves: an ItemEncoder. Nothing is written.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from kgrec.encode.config import UserEncoderName
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.errors import TrainingError
from kgrec.graph.histories import Histories
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import Learner, RunProgress, fresh_encoder
from kgrec.train.ordered_learner import OrderedLearner, TransformerLearner

#: learner by the name of the user encoder
LEARNERS: dict[UserEncoderName, type[Learner]] = {
    "mean": Learner,
    "linear": OrderedLearner,
    "transformer": TransformerLearner,
}


def learn(
    data: TrainingData,
    histories: Histories,
    hyperparameters: Hyperparameters,
    progress: RunProgress,
    *,
    encoder: ItemEncoder | None = None,
    users: np.ndarray | None = None,
) -> ItemEncoder:
    """Train an encoder.

    An item without positive interactions has no residual, like a new item. A node that is a neighbour of unknown items only gets an
    embedding of zero, because nothing can be learned about it.

    Args:
        data: the items and the configuration.
        histories: their positive interactions are the training data.
        hyperparameters: of this run.
        progress: records each epoch, and may save and restore the state of the run.
        encoder: the encoder to train further; None: a fresh one.
        users: rows of the users to learn from; None: all.

    Raises:
        TrainingError: The loss is not finite.
    """
    encoder = fresh_encoder(data, hyperparameters.user) if encoder is None else encoder
    learner = LEARNERS[hyperparameters.user](encoder, data, histories, hyperparameters, users)
    with torch.no_grad():
        encoder.identity[torch.from_numpy(~learner.has_positives)] = 0
        encoder.entity[torch.from_numpy(~data.features.touched(learner.known, len(encoder.entity)))] = 0
    first = progress.resume(learner)
    for epoch in range(first, hyperparameters.epochs + 1):
        started = time.perf_counter()
        loss = learner.epoch()
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {epoch}.",
                "Lower train.learning_rate, or raise train.temperature.",
            )
        progress.ended(learner, epoch, loss, time.perf_counter() - started)
    return encoder
