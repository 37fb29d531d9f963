"""The configuration of a model: one section per stage.

Enters: a YAML file and `name=value` settings. Leaves: a `Config`; unknown options raise an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
from kgrec.arguments.sections import Section, section_error
from kgrec.encode.config import EncoderConfig
from kgrec.encode.text import TextConfig
from kgrec.errors import ConfigError, did_you_mean
from kgrec.rank.config import RescoreConfig
from kgrec.retrieve import IndexConfig


def _checked_threads(value: object) -> object:
    """Check the value by hand, because pydantic reports one problem per type of a union."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if is_count or value is None or value == "idle":
        return value
    raise PydanticCustomError("threads", "Input should be a whole number, 1 or more, 'idle' or null")


class TrainConfig(Section, frozen=True):
    """How the encoder learns."""

    epochs: int | None = Field(None, ge=1)
    """Passes over the users; validation may choose half or twice as many. None: 12, or 20 with the user encoder "transformer"."""
    batch_size: int | None = Field(None, ge=1)
    """Users per step; None: a sixteenth of the users, between 64 and 512."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate of Adam, which rises over `warmup_steps` and then falls linearly to zero. None: 0.015 or twice that,
    whichever is better on validation data."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises."""
    temperature: float | None = Field(None, gt=0)
    """Divisor of the cosine in the softmax; None: the best between 0.05 and 0.3 on validation data."""
    history_dropout: float = Field(0.5, gt=0, lt=1)
    """Share of a history that a training step hides and predicts from the rest."""
    propensity: float = Field(0.0, ge=0, le=1)
    """Exponent of the popularity weighting: the loss of an interaction is divided by the item's popularity to this power,
    with weights of at most 100. At 0 all interactions count equally; at 1 all items do."""
    full_softmax_items: int = Field(20_000, ge=1)
    """Largest catalogue for which the softmax runs over all items."""
    sampled_items: int = Field(4096, ge=1)
    """Number of items sampled for the softmax of each step in a larger catalogue."""
    negatives: Literal["uniform", "popularity", "adversarial"] = "uniform"
    """How these items are sampled: "uniform"; by "popularity" to the power 0.75; or "adversarial", with half of them drawn from
    the items that the model itself recommends. The loss stays unbiased."""
    valid_share: float = Field(0.1, ge=0, lt=1)
    """Share of each user's positives that is held out as validation data; 0: no validation, and no search."""
    valid_by: Literal["auto", "random", "time"] = "auto"
    """How validation data is held out: "time": each user's latest interactions; "random": random ones; "auto": by time if the
    interactions have times."""
    target: Literal["auto", "any", "next"] = "auto"
    """Target of training and validation: "any" later interaction of a user, in any order; or the "next" one, for logs with an
    order: then recent items count more, and items that often follow them are recommended. "auto": "next" if the log has an order
    and all its interactions are positive, otherwise "any": a log of ratings tells what users like rather than what comes next."""
    valid_k: int | None = Field(None, ge=1)
    """Length of the lists for which validation measures NDCG; short lists have too few hits for a comparison. None: a tenth of
    the number of items, between 20 and 100."""
    search_seconds: float = Field(240, ge=0)
    """CPU seconds for the search on validation data, including item-item weights. The first trial always runs; a later trial
    that would exceed the budget is not started."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for training; auto: a GPU if torch finds one."""
    threads: Annotated[int | Literal["idle"] | None, BeforeValidator(_checked_threads)] = None
    """CPU threads for training. None: `OMP_NUM_THREADS` if it is set, otherwise all cores that this process may use according
    to its affinity and its container's CPU quota. "idle": the number of these cores that are idle when training begins. On a
    machine with one free core, two threads are many times slower than one; choose "idle" or a number if other programs are
    running. With 1 thread, the same seed gives the same model bit for bit."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random choices."""


class Config(Section, frozen=True):
    """All options that determine a model, in sections."""

    text: TextConfig = TextConfig()
    """How texts become vectors."""
    encoder: EncoderConfig = EncoderConfig()
    """The shape of the embeddings."""
    train: TrainConfig = TrainConfig()
    """How the encoder learns."""
    index: IndexConfig = IndexConfig()
    """How nearest items are found."""
    rescore: RescoreConfig = RescoreConfig()
    """How retrieved candidates are ranked."""

    @classmethod
    def read(cls, path: str | Path | None = None, settings: Iterable[str] = ()) -> Config:
        """Read a configuration from a YAML file and settings such as "dim=256" or "text.model=minilm".

        Raises:
            ConfigError: An option is unknown, or its value is out of range.
        """
        values = {} if path is None else _from_file(options.path("path", path))
        _validated(values, str(path))
        for setting in as_texts(settings, "settings"):
            section, option, value = _parsed(setting)
            values.setdefault(section, {})[option] = value
        return _validated(values, "The configuration")


def _validated(values: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise section_error(error, where, Config) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}).", "Give the path of a YAML file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: is not YAML ({str(error).splitlines()[0]}).", "Correct the file."
        ) from None
    if values is not None and not (
        isinstance(values, dict) and all(isinstance(v, dict) for v in values.values())
    ):
        raise ConfigError(f"{path}: must hold sections of options.", f"Sections are {', '.join(_SECTIONS)}.")
    return values or {}


def _parsed(setting: str) -> tuple[str, str, Any]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise ConfigError(f"'{setting}' is not a setting.", "Write it as name=value, for example dim=256.")
    section, option = _located(name.strip())
    try:
        return section, option, yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(
            f"'{setting}': {value!r} is not a plain value.", "Put the value in quotes: name='value'."
        ) from None


def _located(name: str) -> tuple[str, str]:
    """Section and option of a full name, or of a short one that is unique."""
    known = [f"{section}.{option}" for section, options in _SECTIONS.items() for option in options]
    found = [full for full in known if full == name or full.endswith(f".{name}")]
    if len(found) == 1:
        section, _, option = found[0].partition(".")
        return section, option
    if found:
        raise ConfigError(f"'{name}' may mean {' or '.join(found)}.", "Write the full name.")
    raise ConfigError(
        f"There is no option '{name}'.", did_you_mean(name, [*known, *(k.split(".")[1] for k in known)])
    )


_SECTIONS: dict[str, list[str]] = {
    name: list(type(section).model_fields) for name, section in Config() if isinstance(section, Section)
}
