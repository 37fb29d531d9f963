"""Validation of events, impressions and JSON values of callers.

Enters: any Python value. Leaves: plain values that both databases can store, or a ConfigError that names field, value and remedy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kgrec.arguments import options
from kgrec.arguments.ids import as_id
from kgrec.errors import ConfigError, did_you_mean
from kgrec.serve.store.records import Impression

#: characters of an id, and of the name of a type, a scenario or a variant
MAX_ID, MAX_NAME = 512, 64
#: events, impressions or items of one call, and items of one list
MAX_BATCH, MAX_LIST = 100_000, 10_000
#: characters of a JSON value
MAX_JSON = 1_000_000
_MAX_POSITION = 1_000_000
#: milliseconds by which the clock of a client may be fast: a day
_AHEAD = 86_400_000
#: numbers below this are no milliseconds since 1970 but seconds: it is March 1973 in one unit and the year 5138 in the other
_LEAST_TIME = 100_000_000_000
_FIELDS = ("event_id", "user", "item", "type", "value", "time", "rid", "position")
_KNOWN = frozenset(_FIELDS)


def event_row(event: Any, now: int) -> tuple[Any, ...]:
    """The columns of an event after `seq`, in the order of `StoredEvent`.

    Args:
        event: A mapping with event_id, user, item and type, and optionally value, time, rid and position.
        now: Milliseconds since 1970: the time of receipt, and the time of events without one.
    """
    if not isinstance(event, Mapping):
        raise ConfigError(
            f"The event is {options.shown(event)}.", "Give an object with event_id, user, item, type."
        )
    if not event.keys() <= _KNOWN:
        unknown = str(min(set(event) - _KNOWN, key=str))
        raise ConfigError(f"An event has no field {options.shown(unknown)}.", did_you_mean(unknown, _FIELDS))
    get = event.get
    rid, position = get("rid"), get("position")
    return (
        identifier(get("event_id"), "event_id"),
        identifier(get("user"), "user"),
        identifier(get("item"), "item"),
        identifier(get("type"), "type", MAX_NAME),
        _value(get("value")),
        millis(get("time"), now),
        None if rid is None else identifier(rid, "rid"),
        None if position is None else options.whole_number("position", position, 1, _MAX_POSITION),
        now,
    )


def impression_row(impression: Any, now: int) -> dict[str, Any]:
    """The columns of an impression by name."""
    shown = options.instance("impression", impression, Impression, "Give a kgrec Impression.")
    listed = options.sequence("items", shown.items, "a list of ids")
    if len(listed) > MAX_LIST:
        raise ConfigError(f"The list has {len(listed):,} items.", f"At most {MAX_LIST:,} are stored.")
    ids = [identifier(item, f"items[{at}]") for at, item in enumerate(listed)]
    return {
        "rid": identifier(shown.rid, "rid"),
        "user_id": _optional_name(shown.user, "user", MAX_ID),
        "scenario": _optional_name(shown.scenario, "scenario"),
        "variant": _optional_name(shown.variant, "variant"),
        "model": _optional_name(shown.model, "model", MAX_ID),
        "revision": options.whole_number("revision", shown.revision, 0),
        "items": json.dumps(ids, ensure_ascii=False),
        "time": millis(shown.time, now),
        "propensities": _propensities(shown.propensities, len(ids)),
    }


def _propensities(values: Any, n: int) -> str | None:
    if values is None:
        return None
    listed = options.sequence("propensities", values, "a list of numbers")
    if len(listed) != n:
        raise ConfigError(
            f"There are {len(listed):,} propensities of {n:,} items.", "Give one per item, or None."
        )
    read = [options.number(f"propensities[{at}]", one, above=0) for at, one in enumerate(listed)]
    for at, one in enumerate(read):
        if one > 1 + 1e-9:
            raise ConfigError(f"propensities[{at}] is {one:g}.", "A probability is at most 1.")
    return json.dumps([min(one, 1.0) for one in read])


def identifier(value: Any, name: str, most: int = MAX_ID) -> str:
    """An id of 1 to `most` characters without NUL; a whole number becomes its digits."""
    text = value if type(value) is str else as_id(value, name)
    if len(text) > most:
        raise ConfigError(f"{name} has {len(text):,} characters.", f"Give one of at most {most}.")
    if text.isascii() and text.isprintable() and text and not text.isspace():
        return text
    if not text or text.isspace():
        raise ConfigError(f"{name} is {options.shown(text)}, which is empty.", "Give an id.")
    if "\0" in text or not options.encodable(text):
        what = "a NUL character" if "\0" in text else "half of a surrogate pair"
        raise ConfigError(f"{name} is {options.shown(text)}, which has {what}.", "Leave it out.")
    return text


def millis(value: Any, now: int) -> int:
    """Milliseconds since 1970, given as a number, or as a datetime or ISO 8601 text with an offset from UTC; `now` for None.

    Seconds, and times more than a day after `now`, raise an error.
    """
    if value is None:
        return now
    time = value if type(value) is int else _instant(value)
    if _LEAST_TIME <= time <= now + _AHEAD:
        return time
    if 0 <= time < _LEAST_TIME:
        remedy = f"Give milliseconds since 1970, for a time in 1973 or later; if this is in seconds, give {time * 1000}."
    else:
        remedy = f"Give milliseconds since 1970, at most a day ahead of the server, whose time is {now}."
    raise ConfigError(f"time is {options.shown(value)}, which is out of range.", remedy)


def json_text(value: Any, name: str) -> str:
    """A JSON value as text of bounded length."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{name} cannot be written as JSON: {error}.", "Give objects, lists, texts, finite numbers."
        ) from None
    if len(text) > MAX_JSON:
        raise ConfigError(f"{name} has {len(text):,} characters as JSON.", f"Give at most {MAX_JSON:,}.")
    return options.text(name, text)


def batch(name: str, values: Any) -> list[Any]:
    """The members of a list of bounded length."""
    listed = options.sequence(name, values)
    if len(listed) > MAX_BATCH:
        raise ConfigError(f"There are {len(listed):,} {name}.", f"Give at most {MAX_BATCH:,} in one call.")
    return listed


def _value(value: Any) -> float | None:
    if value is None or (type(value) is float and -1e30 < value < 1e30):
        return value
    return options.number("value", value)


def _instant(value: Any) -> int:
    """Milliseconds of a time that is not a plain int."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(
                f"time is {options.shown(value)}.", "Write it like 2026-11-30T18:00:00Z."
            ) from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(
                f"time is {value}, without its offset from UTC.", "Write it like 2026-11-30T18:00:00Z."
            )
        return round(value.timestamp() * 1000)
    return options.whole_number("time", value, 0)


def _optional_name(value: Any, name: str, most: int = MAX_NAME) -> str | None:
    return None if value is None else identifier(value, name, most)
