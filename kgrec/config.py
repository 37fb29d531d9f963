"""The configuration of a model: one section per stage.

Enters: a YAML file and `name=value` settings. Leaves: a `Config`, nothing unknown accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from kgrec.encode.config import EncoderConfig
from kgrec.encode.text import TextConfig
from kgrec.errors import ConfigError, did_you_mean
from kgrec.rank.config import RescoreConfig
from kgrec.retrieve import IndexConfig


def _checked_threads(value: object) -> object:
    """Of a union pydantic would report one problem per type."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if is_count or value is None or value == "idle":
        return value
    raise PydanticCustomError("threads", "Input should be a whole number, 1 or more, 'idle' or null")


class TrainConfig(BaseModel, frozen=True, extra="forbid"):
    """How the encoder learns."""

    epochs: int = Field(12, ge=1)
    """Passes over the users; validation may choose half or twice as many."""
    batch_size: int | None = Field(None, ge=1)
    """Users per step; None: a sixteenth of the users, between 64 and 512."""
    learning_rate: float | None = Field(None, gt=0)
    """Adam's step at its peak: it rises for `warmup_steps`, then falls linearly to zero. None: 0.015, or twice
    that where it does better on validation data."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the learning rate rises."""
    temperature: float | None = Field(None, gt=0)
    """Divides the cosine in the softmax; None: the best on validation data, between 0.05 and 0.3."""
    history_dropout: float = Field(0.5, gt=0, lt=1)
    """Share of a history that is hidden and predicted from the rest."""
    full_softmax_items: int = Field(20_000, ge=1)
    """Up to this many items the softmax runs over all of them."""
    sampled_items: int = Field(4096, ge=1)
    """Items drawn for each step's softmax in a larger catalogue."""
    valid_share: float = Field(0.1, ge=0, lt=1)
    """Share of each user's positives held out to choose by; 0: no validation, and nothing is chosen."""
    valid_by: Literal["auto", "random", "time"] = "auto"
    """Hold out each user's latest interactions, or some at random; auto: the latest where there are times."""
    valid_k: int | None = Field(None, ge=1)
    """Validation counts NDCG at this length, since short lists have few hits to choose by; None: 100, or in a small
    catalogue a tenth of the items, 20 at least."""
    search_seconds: float = Field(240, ge=0)
    """CPU seconds that trials on held-out data may take; the first trial is made in any case."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where training runs; auto: on a GPU where torch finds one."""
    threads: Annotated[int | Literal["idle"] | None, BeforeValidator(_checked_threads)] = None
    """CPU threads of training. None: `OMP_NUM_THREADS` where it is set, otherwise all cores that this process may use, by
    its affinity and the CPU quota of its container. "idle": of these, the cores that other processes leave free when training
    begins. On a machine with one free core two threads are many times slower than one: choose "idle" or a number where other
    programs compute. With 1, a seed gives the same model bit for bit."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random choices."""


class Config(BaseModel, frozen=True, extra="forbid"):
    """Everything beside the data that decides a model."""

    text: TextConfig = TextConfig()
    """How texts become vectors."""
    encoder: EncoderConfig = EncoderConfig()
    """The shape of the embeddings."""
    train: TrainConfig = TrainConfig()
    """How the encoder learns."""
    index: IndexConfig = IndexConfig()
    """How nearest items are found."""
    rescore: RescoreConfig = RescoreConfig()
    """How the nearest items are ranked."""

    @classmethod
    def read(cls, path: str | Path | None = None, settings: Iterable[str] = ()) -> Config:
        """A configuration from a YAML file and settings such as "dim=256" or "text.model=minilm".

        Raises:
            ConfigError: An option is unknown, or its value is out of range.
        """
        values = _from_file(Path(path)) if path else {}
        _validated(values, str(path))
        for setting in settings:
            section, option, value = _parsed(setting)
            values.setdefault(section, {})[option] = value
        return _validated(values, "The configuration")


def _validated(values: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _config_error(error, where) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}).", "Give the path of a YAML file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML ({str(error).splitlines()[0]}).", "Mend the file.") from None
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
            f"'{setting}': {value!r} is no plain value.", "Put the value in quotes: name='value'."
        ) from None


def _located(name: str) -> tuple[str, str]:
    """The section and option that a full or a short name means; an option has one name everywhere."""
    known = [f"{section}.{option}" for section, options in _SECTIONS.items() for option in options]
    found = [full for full in known if full == name or full.endswith(f".{name}")]
    if len(found) == 1:
        section, _, option = found[0].partition(".")
        return section, option
    if found:
        raise ConfigError(f"'{name}' could be {' or '.join(found)}.", "Write the full name.")
    raise ConfigError(
        f"There is no option '{name}'.", did_you_mean(name, [*known, *(k.split(".")[1] for k in known)])
    )


def _config_error(error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        section = _SECTIONS.get(str(first["loc"][0]), _SECTIONS) if len(first["loc"]) > 1 else _SECTIONS
        return ConfigError(
            f"{where}: there is no option '{name}'.", did_you_mean(str(first["loc"][-1]), list(section))
        )
    return ConfigError(f"{where}: {name} is {first['input']!r}: {first['msg'].lower()}.", "Change the value.")


_SECTIONS: dict[str, list[str]] = {
    name: list(type(section).model_fields) for name, section in Config() if isinstance(section, BaseModel)
}
