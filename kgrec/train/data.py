"""Data that all training runs share, and the hyperparameters that differ between them.

Enters: features of items, options. Leaves: plain values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.config import TrainConfig
from kgrec.encode.config import EncoderConfig, UserEncoderName
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.item_encoder import EncoderInputs
from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories

_EPOCHS, _TRANSFORMER_EPOCHS = 12, 20


@dataclass(frozen=True, order=True)
class Hyperparameters:
    """The options of a run that validation may choose."""

    temperature: float
    learning_rate: float
    epochs: int
    #: name of the user encoder
    user: UserEncoderName = "mean"


@dataclass(frozen=True)
class EpochRecord:
    """One line of the training log.

    `stage` is "select" for an epoch on the training part, "valid" for the validation after such a run, "refit" for an epoch
    on all interactions, and "refresh" for an epoch that continues a trained model.
    """

    stage: str
    epoch: int
    hyperparameters: Hyperparameters
    #: mean over the epoch; None where the stage is "valid"
    loss: float | None
    #: wall-clock time
    seconds: float
    #: quality on the held-out part, where the stage is "valid"
    valid_ndcg: float | None = None
    valid_recall: float | None = None

    def record(self) -> dict[str, Any]:
        """Plain values by name, including the hyperparameters."""
        values = {name: value for name, value in vars(self).items() if name != "hyperparameters"}
        return (
            {"stage": self.stage, "epochs": self.hyperparameters.epochs} | vars(self.hyperparameters) | values
        )


@dataclass(frozen=True)
class TrainingData:
    """Data and options shared by all runs on the same items."""

    features: ItemFeatures
    featurizer: Featurizer
    encoder: EncoderConfig
    train: TrainConfig
    #: items that have interactions but no positive ones; shape (n_items,), bool; None: no such items
    disliked_only: np.ndarray | None = None
    #: whether histories have an order, so that validation predicts the next item
    ordered: bool = False

    def of_histories(self, histories: Histories) -> TrainingData:
        """The same items with data from these training histories."""
        seen = interaction_counts(histories.matrix(positive_only=False)) > 0
        disliked_only = seen & (interaction_counts(histories.matrix()) == 0)
        return replace(self, disliked_only=disliked_only, ordered=histories.ordered)

    def known(self, positives: sp.csr_matrix) -> np.ndarray:
        """Items with interactions, positive ones or not; shape (n_items,), bool.

        Args:
            positives: positive interactions; shape (n_users, n_items).
        """
        known: np.ndarray = interaction_counts(positives) > 0
        return known if self.disliked_only is None else known | self.disliked_only

    @property
    def valid_k(self) -> int:
        """Length of the lists that validation evaluates."""
        default = 10 if self.ordered else min(100, max(20, len(self.features) // 10))
        return self.train.valid_k or default

    @property
    def epochs(self) -> int:
        """Number of passes over the users, unless validation chooses another number."""
        return self.train.epochs or (_TRANSFORMER_EPOCHS if self.encoder.user == "transformer" else _EPOCHS)

    @cached_property
    def device(self) -> str:
        """Device of the training: "cpu" or "cuda".

        Raises:
            ConfigError: The configuration requires a GPU, and torch finds none.
        """
        found = torch.cuda.is_available()
        if self.train.device == "cuda" and not found:
            raise ConfigError(
                "train.device is 'cuda', and torch finds no GPU.",
                "Set it to auto or cpu, or install a CUDA build of torch.",
            )
        return "cuda" if found and self.train.device != "cpu" else "cpu"

    @cached_property
    def inputs(self) -> EncoderInputs:
        """Features of all items as tensors on the device."""
        return EncoderInputs(self.features, self.device)

    @property
    def inputs_on_cpu(self) -> EncoderInputs:
        """Features of all items as tensors that numpy can read."""
        return self.inputs if self.device == "cpu" else EncoderInputs(self.features)


def interaction_counts(positives: sp.csr_matrix) -> np.ndarray:
    """Number of users of each item; shape (n_items,), int64."""
    return np.bincount(positives.indices, minlength=positives.shape[1])


def degrees(positives: sp.csr_matrix) -> np.ndarray:
    """Number of users of each item, at least 1; shape (n_items,), float32."""
    at_least_one: np.ndarray = np.maximum(interaction_counts(positives), 1).astype(np.float32)
    return at_least_one
