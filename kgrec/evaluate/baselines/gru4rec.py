"""GRU4Rec: a recurrent network that reads a history item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.next_item import FittedNextItem, NextItemNetwork, NextItemOptions, fit_next_item


@dataclass(frozen=True)
class GRU4Rec(NextItemOptions):
    r"""A gated recurrent unit over the history (Hidasi et al. 2016, "Session-based recommendations with recurrent neural networks").

    .. math:: h_p = \mathrm{GRU}(h_{p-1}, e_{i_p}), \quad s_{uj} = \mathrm{softmax}_j\, (W h_p)^\top e_j

    As in Tan et al. 2016, "Improved recurrent neural networks for session-based recommendations", every prefix of a history is a
    training example, and dropout applies to the item vectors. The loss is that of `kgrec.evaluate.baselines.next_item`.
    """

    #: width of the state
    hidden: int = 128

    GRID: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "epochs": (8, 15, 30, 60),
        "dropout": (0.0, 0.2, 0.4, 0.6),
        "learning_rate": (0.002, 0.005, 0.01),
        "dim": (32, 64, 128),
    }

    def fit(self, data: BaselineData) -> FittedNextItem:
        """Learn by gradient descent.

        Raises:
            ConfigError: An option is out of range.
            TrainingError: There are no interactions, they have no order, or training would take too long.
        """
        return fit_next_item("GRU4Rec", GRU4RecNetwork, self, data)


class GRU4RecNetwork(NextItemNetwork):
    """See `NextItemNetwork`."""

    def __init__(self, n_items: int, options: GRU4Rec) -> None:
        super().__init__(n_items, options)
        self.dropout = nn.Dropout(options.dropout)
        self.gru = nn.GRU(options.dim, options.hidden, batch_first=True)
        self.out = nn.Linear(options.hidden, options.dim)

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002
        """See `NextItemNetwork`."""
        states, _ = self.gru(self.dropout(self.table(sequences)))
        expected: Tensor = self.out(self.dropout(states))
        return expected
