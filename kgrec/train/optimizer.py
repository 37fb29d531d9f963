"""The optimiser: Adam with a learning rate that rises, then falls linearly to zero.

Enters: an ItemEncoder, and losses of its output. Leaves: updated parameters of the encoder. Nothing is written.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kgrec.encode.item_encoder import ItemEncoder

#: rows per step of the sparse update, chosen to fit in the processor's cache
_ROWS_PER_STEP = 1024
#: learning rate of the order parameters, relative to the others
_ORDER_SHARE = 0.2


class Optimizer:
    """Adam (Kingma & Ba 2015) for one run.

    Args:
        encoder: its parameters are updated; tables with sparse gradients use `RowAdam`.
        learning_rate: the peak.
        steps: number of steps of the run.
        warmup: number of steps over which the learning rate rises.
    """

    def __init__(self, encoder: ItemEncoder, learning_rate: float, steps: int, warmup: int) -> None:
        self.learning_rate, self.steps, self.warmup = learning_rate, steps, warmup
        #: number of steps so far
        self.made = 0
        learned = [p for p in encoder.parameters() if p.requires_grad]
        tables = [p for p in learned if encoder.sparse and (p is encoder.identity or p is encoder.entity)]
        rest = [p for p in learned if not any(p is table for table in tables)]
        order = [] if encoder.order is None else list(encoder.order.parameters())
        rest = [p for p in rest if not any(p is one for one in order)]
        groups: list[dict[str, Any]] = [{"params": rest, "share": 1.0}]
        groups += [{"params": order, "share": _ORDER_SHARE}] if order else []
        self._by_name: dict[str, torch.optim.Optimizer] = {"adam": torch.optim.Adam(groups, fused=True)}
        if tables:
            self._by_name["rows"] = RowAdam(tables)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        # Both factors apply from the first step, so the peak is a little below `learning_rate`.
        rise = min(1.0, (self.made + 1) / (self.warmup + 1))
        return self.learning_rate * (rise * max(0.0, 1 - self.made / self.steps))

    def step(self, loss: Tensor) -> None:
        """Update the parameters by the gradient of a loss."""
        for one in self._by_name.values():
            one.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for one in self._by_name.values():
            for group in one.param_groups:
                group["lr"] = self.rate * group.get("share", 1.0)
            one.step()
        self.made += 1

    def state(self) -> dict[str, np.ndarray]:
        """Number of steps and moments, as arrays by name."""
        kept = {"made": np.array(self.made)}
        for name, one in self._by_name.items():
            for at, moments in one.state_dict()["state"].items():
                kept |= {f"{name}.{at}.{moment}": value.cpu().numpy() for moment, value in moments.items()}
        return kept

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Restore the state that `state` returned."""
        self.made = int(arrays["made"])
        for name, one in self._by_name.items():
            state = one.state_dict()
            for key in arrays:
                if key.startswith(f"{name}."):
                    _, at, moment = key.split(".")
                    state["state"].setdefault(int(at), {})[moment] = torch.from_numpy(arrays[key].copy())
            one.load_state_dict(state)


class RowAdam(torch.optim.Optimizer):
    """Adam without momentum, for tables with sparse gradients: rows without a gradient do not change.

    The cost of a step depends on the number of its rows, not on the length of the table. Adam's momentum moves a row for about ten
    steps after its gradient; here the row moves the whole way at once. The running mean square of a row's gradients decays by the
    number of steps since its last gradient, as if it had been updated with zeros.
    """

    def __init__(self, tables: list[torch.nn.Parameter]) -> None:
        super().__init__(tables, {"lr": 0.001, "beta": 0.999, "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update the rows that have a gradient."""
        assert closure is None
        for group in self.param_groups:
            # A table that the step did not read has no gradient.
            for table in (table for table in group["params"] if table.grad is not None):
                gradient = table.grad.coalesce()
                self._update(table, gradient.indices()[0], gradient.values(), group)

    def _update(self, table: Tensor, rows: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, beta = self.state[table], group["beta"]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["last"] = torch.zeros(len(table), 1, device=table.device)
            state["exp_avg_sq"] = torch.zeros_like(table)
        state["step"] += 1
        # Bias correction of the running mean square, which starts at zero.
        scale = math.sqrt(1 - beta ** int(state["step"]))
        for start in range(0, len(rows), _ROWS_PER_STEP):
            some, slope = rows[start : start + _ROWS_PER_STEP], gradient[start : start + _ROWS_PER_STEP]
            passed = state["step"] - state["last"].index_select(0, some)
            square = state["exp_avg_sq"].index_select(0, some).mul_(beta**passed)
            square.addcmul_(slope, slope, value=1 - beta)
            state["exp_avg_sq"].index_copy_(0, some, square)
            # In place: `square` was copied into the state above, and is no longer needed.
            update = slope / square.sqrt_().div_(scale).add_(group["eps"])
            table.index_add_(0, some, update, alpha=-group["lr"])
        state["last"].index_fill_(0, rows, float(state["step"]))
