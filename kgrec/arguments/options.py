"""Options of a call: numbers, flags, choices, texts, paths, callbacks.

Enters: the name of an option and any value. Leaves: the value as a plain Python value, or a ConfigError that names both and states
which values are valid.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kgrec.errors import ConfigError, nearest

_T = TypeVar("_T")
#: scores have single precision
_LARGEST = float(np.finfo(np.float32).max)
#: largest number of characters of a value in a message
_SHOWN = 60


def shown(value: object) -> str:
    """The text of a value in a message: its ASCII repr, of at most about 60 characters; for a large object, its type."""
    if not isinstance(
        value, str | bytes | numbers.Number | None | bool | list | tuple | dict | set | np.generic
    ):
        return f"of type {type(value).__name__}"
    if isinstance(value, str | bytes | list | tuple) and len(value) > _SHOWN:
        value = value[:_SHOWN]
    try:
        text = ascii(value)
    except Exception:
        return f"of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def whole_number(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """A whole number.

    Raises:
        ConfigError: The value is not a whole number from `least` to `most`; fractions and booleans are not whole numbers.
    """
    try:
        number = None if isinstance(value, bool | np.bool_ | np.ndarray) else operator.index(value)
    except TypeError:
        number = None
    if number is not None and least <= number and (most is None or number <= most):
        return number
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    raise ConfigError(
        f"{name} is {shown(value)}.", f"It must be a whole number, {bounds}{_close(value, least, most)}."
    )


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    least: float = -math.inf,
) -> float:
    """A finite number.

    Raises:
        ConfigError: The value is not a finite number within the bounds; texts and booleans are not numbers.
    """
    try:
        finite = math.nan if isinstance(value, str | bytes | bool | np.bool_ | np.ndarray) else float(value)
    except (TypeError, ValueError, OverflowError):
        finite = math.nan
    if abs(finite) <= _LARGEST and above < finite < below and finite >= least:
        return finite
    bounds = [f"above {above:g}"] if above > -math.inf else []
    bounds += [f"at least {least:g}"] if least > -math.inf else []
    bounds += [f"below {below:g}"] if below < math.inf else []
    allowed = f"finite number{' ' if bounds else ''}{' and '.join(bounds)}"
    raise ConfigError(
        f"{name} is {shown(value)}.", f"It must be a {allowed}, such as {_within(above, below, least):g}."
    )


def flag(name: str, value: Any) -> bool:
    """True or False; ConfigError for any other value, including 0 and 1."""
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name} is {shown(value)}.", "It must be True or False.")
    return bool(value)


def choice(name: str, value: Any, choices: Sequence[str]) -> Any:
    """One of the given words; otherwise a ConfigError that names the most similar word."""
    if isinstance(value, str) and value in choices:
        return value
    close = nearest(value, sorted(choices), 1) if isinstance(value, str) else []
    meant = f"Did you mean '{close[0]}'? " if close else ""
    raise ConfigError(f"{name} is {shown(value)}.", f"{meant}Choose one of {', '.join(choices)}.")


def words(name: str, values: Any, choices: Sequence[str]) -> list[str]:
    """A list of some of the given words; a single word becomes a list of one.

    Raises:
        ConfigError: The value is not a list, or contains another word.
    """
    listed = [values] if isinstance(values, str) else sequence(name, values)
    return [choice(f"{name}[{at}]", value, choices) for at, value in enumerate(listed)]


def sequence(name: str, values: Any, what: str = "a list") -> list[Any]:
    """The members of a list or another iterable; ConfigError for a text, a mapping, or a value without members."""
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} is {shown(values)}.", f"Give {what}.")
    try:
        return list(values)
    except TypeError:  # such as an array without dimensions
        raise ConfigError(f"{name} is {shown(values)}.", f"Give {what}.") from None


def text(name: str, value: Any, example: str = "") -> str:
    """A text that can be encoded.

    Raises:
        ConfigError: The value is not a text, or has half of a surrogate pair.
    """
    if not isinstance(value, str):
        like = f", such as {example}" if example else ""
        raise ConfigError(f"{name} is {shown(value)}.", f"Give a text{like}.")
    if not encodable(value):
        raise ConfigError(
            f"{name} is {shown(value)}, which has half of a surrogate pair.",
            "Decode the text again with errors='replace'.",
        )
    return str.__str__(value)


def encodable(value: str) -> bool:
    """Whether UTF-8 can encode a text: it cannot encode half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def path(name: str, value: Any) -> Path:
    """A path of a file or a folder; ConfigError unless the value is a non-empty text or a path-like object."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise ConfigError(f"{name} is {shown(value)}.", "Give a path, as text or as a pathlib.Path.")
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise ConfigError(f"{name} is {shown(os.fspath(value))}, which is not a path.", "Give a path.")
    return Path(value)


def instance(name: str, value: Any, kind: type[_T], remedy: str) -> _T:
    """An instance of a class; ConfigError with this remedy for any other value."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {shown(value)}.", remedy)
    return value


def mapping(name: str, value: Any, remedy: str) -> Mapping[str, Any]:
    """A dict or another mapping with names as keys; ConfigError with this remedy for any other value."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{name} is {shown(value)}.", remedy)
    return value


def optional(name: str, value: Any, kind: type[_T], remedy: str) -> _T | None:
    """An instance of a class, or None; ConfigError with this remedy for any other value."""
    return None if value is None else instance(name, value, kind, remedy)


def callback(name: str, value: Any, arguments: str) -> Any:
    """A function, or None; ConfigError for any other value."""
    if value is not None and not callable(value):
        raise ConfigError(f"{name} is {shown(value)}.", f"Give a function of {arguments}, or None.")
    return value


def _close(value: Any, least: int, most: int | None) -> str:
    """The valid number nearest to an invalid number."""
    try:
        nearest_number = (
            round(float(value)) if not isinstance(value, str | bytes | bool | np.bool_) else least
        )
    except (TypeError, ValueError, OverflowError):
        nearest_number = least
    nearest_number = max(nearest_number, least)
    return f", such as {nearest_number if most is None else min(nearest_number, most)}"


def _within(above: float, below: float, least: float) -> float:
    low = max(above, least)
    if low > -math.inf and below < math.inf:
        return (low + below) / 2
    return low + 1 if low > -math.inf else 0.01
