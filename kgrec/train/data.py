"""What every training run shares, and what differs between them.

Enters: features of items, options. Leaves: plain values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.config import TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.item_encoder import EncoderInputs
from kgrec.errors import ConfigError


@dataclass(frozen=True, order=True)
class Hyperparameters:
    """What the data decides about a run."""

    temperature: float
    learning_rate: float
    epochs: int


@dataclass(frozen=True)
class EpochRecord:
    """One line of the training log: `stage` is "select" on the training part, "valid" at its end, "refit" on all."""

    stage: str
    epoch: int
    hyperparameters: Hyperparameters
    #: mean over the epoch; None where the stage is "valid"
    loss: float | None
    #: wall-clock time
    seconds: float
    #: of the held-out part, where the stage is "valid"
    valid_ndcg: float | None = None
    valid_recall: float | None = None

    def record(self) -> dict[str, Any]:
        """Plain values by name, those of the hyperparameters among them."""
        values = {name: value for name, value in vars(self).items() if name != "hyperparameters"}
        return (
            {"stage": self.stage, "epochs": self.hyperparameters.epochs} | vars(self.hyperparameters) | values
        )


@dataclass(frozen=True)
class TrainingData:
    """What every run on some items shares."""

    features: ItemFeatures
    featurizer: Featurizer
    encoder: EncoderConfig
    train: TrainConfig
    #: items with interactions of which none is positive; shape (n_items,), bool; None: none
    disliked_only: np.ndarray | None = None

    def known(self, positives: sp.csr_matrix) -> np.ndarray:
        """Items that interactions tell something of, when these are the positive ones; shape (n_items,), bool."""
        known: np.ndarray = interaction_counts(positives) > 0
        return known if self.disliked_only is None else known | self.disliked_only

    @property
    def valid_k(self) -> int:
        """Length of the lists that are judged on held-out data."""
        return self.train.valid_k or min(100, max(20, len(self.features) // 10))

    @cached_property
    def device(self) -> str:
        """Where it runs.

        Raises:
            ConfigError: A GPU is asked for, and torch finds none.
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
        """All items, as tensors."""
        return EncoderInputs(self.features, self.device)

    @property
    def inputs_on_cpu(self) -> EncoderInputs:
        """The same where numpy can read them."""
        return self.inputs if self.device == "cpu" else EncoderInputs(self.features)


def interaction_counts(positives: sp.csr_matrix) -> np.ndarray:
    """Users of each item; shape (n_items,), int64."""
    return np.bincount(positives.indices, minlength=positives.shape[1])


def degrees(positives: sp.csr_matrix) -> np.ndarray:
    """Users of each item, at least 1; shape (n_items,), float32."""
    at_least_one: np.ndarray = np.maximum(interaction_counts(positives), 1).astype(np.float32)
    return at_least_one
