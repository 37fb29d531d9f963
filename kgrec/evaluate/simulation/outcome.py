"""The outcome of a simulation: curves by policy, and differences from the plain recommender.

Enters: figures of all runs. Leaves: `Simulation`, a plain value. Writes simulation/ (`Simulation.save`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from kgrec._version import __version__
from kgrec.arguments import options
from kgrec.errors import UnknownId, did_you_mean
from kgrec.evaluate.record_folder import save_record
from kgrec.evaluate.simulation.choices import SimulationConfig
from kgrec.evaluate.simulation.figures import FIGURES

#: policy that differences are computed from, if it is simulated; otherwise the first policy
BASE = "model"
#: providers that are listed
_PROVIDERS = 10


@dataclass(frozen=True)
class Curve:
    """A figure of a policy by round: mean over seeds, and 95 % intervals by Student's t; nan where there is none."""

    #: each of shape (rounds,), float64
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Difference:
    """A figure of a policy minus that of `BASE`, paired by seed: mean over some rounds, with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Simulation:
    """The rounds of all policies and seeds."""

    config: SimulationConfig
    #: name -> figures; each of shape (seeds, rounds, n_figures), float64
    runs: Mapping[str, np.ndarray]
    #: name -> attention of each provider in the last third of the rounds, mean over seeds; shape (n_providers,)
    providers: Mapping[str, np.ndarray]
    provider_names: tuple[str, ...]
    #: share of the items that each provider has, in equal parts where an item has several; shape (n_providers,)
    provider_items: np.ndarray
    #: counts of items, nodes and providers, and the names of the types
    world: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The policy that the others are compared with."""
        return BASE if BASE in self.runs else next(iter(self.runs))

    def curve(self, policy: str, figure: str) -> Curve:
        """A figure by round.

        Raises:
            UnknownId: There is no such policy or figure.
        """
        return Curve(*_interval(self._values(policy, figure)))

    def difference(self, policy: str, figure: str, rounds: slice) -> Difference:
        """Difference of a policy from `base` in some rounds, such as `slice(10, 20)`.

        Raises:
            UnknownId: There is no such policy or figure.
        """
        options.instance("rounds", rounds, slice, "Give slice(10, 20).")
        values = self._values(policy, figure)[:, rounds] - self._values(self.base, figure)[:, rounds]
        of_seeds = _mean(values, 1)[:, None]
        return Difference(*(float(part[0]) for part in _interval(of_seeds)))

    @property
    def thirds(self) -> dict[str, slice]:
        """The first and the last third of the rounds."""
        third = max(1, self.config.rounds // 3)
        return {"early": slice(0, third), "late": slice(self.config.rounds - third, self.config.rounds)}

    def record(self) -> dict[str, Any]:
        """The content of simulation.json: plain values, None for unknown values."""
        values: dict[str, Any] = _plain(
            {
                "kgrec": __version__,
                "config": self.config.model_dump(),
                "world": dict(self.world),
                "base": self.base,
                "figures": FIGURES,
                "policies": {name: self._policy(name) for name in self.runs},
                "providers": self._providers(),
            }
        )
        return values

    def save(self, folder: str | Path, page: Callable[[dict[str, Any]], str] | None = None) -> dict[str, Any]:
        """Write simulation/, whole or not at all.

        Args:
            folder: The folder to write.
            page: Renders simulation.html from the content of simulation.json; None: no simulation.html.

        Returns:
            The content of simulation.json.

        Raises:
            ArtifactError: The folder cannot be written.
        """
        return save_record(folder, "simulation", self.record, self.inputs, page)

    def _values(self, policy: str, figure: str) -> np.ndarray:
        """Shape (seeds, rounds)."""
        if options.text("policy", policy, "'model'") not in self.runs:
            raise UnknownId(f"There is no policy '{policy}'.", did_you_mean(policy, sorted(self.runs)))
        if options.text("figure", figure, "'clicks'") not in FIGURES:
            raise UnknownId(f"There is no figure '{figure}'.", did_you_mean(figure, sorted(FIGURES)))
        return np.asarray(self.runs[policy][:, :, list(FIGURES).index(figure)])

    def _policy(self, name: str) -> dict[str, Any]:
        curves = {figure: self.curve(name, figure) for figure in FIGURES}
        values: dict[str, Any] = {
            "curves": {
                figure: {"mean": one.mean, "low": one.low, "high": one.high} for figure, one in curves.items()
            }
        }
        for part, rounds in self.thirds.items():
            values[part] = {figure: float(_mean(one.mean[rounds], 0)) for figure, one in curves.items()}
            if name != self.base:
                values[f"{part} difference"] = {
                    figure: vars(self.difference(name, figure, rounds)) for figure in FIGURES
                }
        return values

    def _providers(self) -> list[dict[str, Any]]:
        largest = np.argsort(-self.provider_items, kind="stable")[:_PROVIDERS]
        return [
            {
                "name": self.provider_names[row],
                "items": self.provider_items[row],
                "attention": {name: shares[row] for name, shares in self.providers.items()},
            }
            for row in largest.tolist()
        ]


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over rows, and its bounds; nan is ignored, and with fewer than two values there are no bounds."""
    n = (~np.isnan(values)).sum(axis=0)
    mean = _mean(values, 0)
    squares = np.nansum((values - mean) ** 2, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1)), np.nan)
    half = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * error
    return mean, mean - half, mean + half


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean without nan; nan if all values are nan."""
    n = (~np.isnan(values)).sum(axis=axis)
    return np.where(n > 0, np.nansum(values, axis=axis) / np.maximum(n, 1), np.nan)


def _plain(value: Any) -> Any:
    """The value in JSON's types: lists, and None for nan."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(value)
    return value
