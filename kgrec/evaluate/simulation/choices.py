r"""Options of a simulation: its size, and the choice model of its viewers.

The utility of item i for viewer v in round t is

.. math:: u_{vit} = \sqrt{.6}\, m_{vit} + \sqrt{.2}\, q_i + \sqrt{.2}\, e_{vi} - b \, (f_i \cdot h_{vt})

with the match m of the viewer's taste and the nodes of the item (cosine, standardised), the quality q of the item and the whim e of the viewer
(both standard normal, never seen by a model), and boredom b for what the viewer had lately (h, see `Viewers`). So 0 is an average item and 1 one
standard deviation better. A viewer looks at place k with probability :math:`k^{-\eta}`, and clicks what was looked at with probability

.. math:: \sigma(2 (u_{vit} - 1 + \tau T_v))

where T is the viewer's trust, 0 to 1. Sources: position bias as in Joachims, Swaminathan and Schnabel 2017; trust in what is shown, Agarwal et
al. 2019 ("Addressing trust bias for unbiased learning-to-rank"); tastes that follow consumption, Kalimeris et al. 2021 ("Preference amplification
in recommender systems"); boredom by recent consumption, Kapoor et al. 2015 ("Just in time recommendations"). The weights are round numbers, not
estimates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from pydantic import Field

from kgrec.arguments.ids import as_texts
from kgrec.arguments.sections import Section
from kgrec.errors import ConfigError
from kgrec.rank.lists.explore import Exploration


class Choices(Section, frozen=True):
    """How viewers choose, and how that changes them; 0 switches an effect off."""

    position_bias: float = Field(1.0, ge=0, le=5)
    """Exponent eta: place k is looked at with probability k to the power -eta."""
    boredom: float = Field(1.0, ge=0, le=10)
    """Utility that an item loses if its nodes are those of what the viewer had lately."""
    taste_drift: float = Field(0.05, ge=0, le=1)
    """Share of the taste that the nodes of clicked items replace in a round."""
    trust: float = Field(0.5, ge=0, le=10)
    """What full trust adds to the utility of an item before a click; it adds nothing to satisfaction."""
    leaving: float = Field(0.05, ge=0, le=1)
    """Probability that a viewer without any trust leaves after a round, for good."""


class SimulationConfig(Section, frozen=True):
    """Size of a simulation, and its choice model."""

    viewers: int = Field(200, ge=2, le=100_000)
    """Viewers of a run."""
    rounds: int = Field(30, ge=2, le=1000)
    """Rounds after the start; in each, every viewer who has not left gets one list."""
    seeds: int = Field(5, ge=1, le=1000)
    """Runs per policy, each with other viewers and other qualities of items; intervals are over runs."""
    k: int = Field(10, ge=1, le=100)
    """Items per list."""
    start: int = Field(5, ge=1, le=100)
    """Rounds with random lists before the first, the same for all policies."""
    new_share: float = Field(0.3, ge=0, le=0.9)
    """Share of the items that appear during the rounds, in equal parts."""
    strength: float = Field(0.3, gt=0, le=1)
    """`diversity` or `calibration` of the policies of these names."""
    epsilon: Exploration = Exploration(epsilon=0.2, pool=100)
    """Exploration of the policy "epsilon"."""
    thompson: Exploration = Exploration(method="thompson", pool=100)
    """Exploration of the policy "thompson"."""
    new: Exploration = Exploration(method="new", places=2, pool=100)
    """Exploration of the policy "new"."""
    choices: Choices = Choices()
    """How viewers choose."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the first run."""

    @classmethod
    def read(cls, settings: Iterable[str] = ()) -> SimulationConfig:
        """Read settings such as "rounds=50" and "choices.boredom=0"; the last of an option counts.

        Raises:
            ConfigError: An option is unknown, or its value is out of range.
        """
        values: dict[str, Any] = {}
        for setting in as_texts(settings, "settings"):
            name, equals, value = setting.partition("=")
            *sections, option = name.strip().split(".")
            place = values
            for section in sections:
                place = place.setdefault(section, {})
            try:
                if not equals or not isinstance(place, dict):
                    raise ValueError
                place[option] = yaml.safe_load(value)
            except (yaml.YAMLError, ValueError):
                raise ConfigError(
                    f"'{setting}' is not a setting.", "Write it as name=value, for example choices.boredom=0."
                ) from None
        for name, own in _EXPLORATIONS.items():
            if isinstance(values.get(name), dict):
                values[name] = {**own, **values[name]}
        return cls(**values)


#: what a part of these sections leaves as it is
_EXPLORATIONS = {
    name: getattr(SimulationConfig(), name).model_dump() for name in ("epsilon", "thompson", "new")
}
