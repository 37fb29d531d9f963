"""What is refused before it reaches a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from kgrec.errors import ConfigError
from kgrec.serve.store.checks import event_row

#: 2026-11-30T12:00:00Z
NOW = 1_796_040_000_000
DAY = 86_400_000


def event(name: str, user: str = "u1", item: str = "i1", **others: Any) -> dict[str, Any]:
    return {"event_id": name, "user": user, "item": item, "type": "click", **others}


BAD = [
    (7, "The event is 7."),
    ({"event_id": "x", "user": "u", "item": "i"}, "type is None: the id is missing."),
    (event("x", user=""), "user is '', which is empty."),
    (event("x", user=" \t"), "user is ' \\t', which is empty."),
    (event("x", user="a\0b"), "user is 'a\\x00b', which has a NUL character."),
    (event("x", user="\ud800"), "user is '\\ud800', which has half of a surrogate pair."),
    (event("x", item="i" * 513), "item has 513 characters."),
    (event("x", item=True), "item is True, which is not an id."),
    (event("x", type="t" * 65), "type has 65 characters."),
    (event("x", value=float("nan")), "value is nan."),
    (event("x", value=float("inf")), "value is inf."),
    (event("x", value="4"), "value is '4'."),
    (event("x", position=0), "position is 0."),
    (event("x", position=10**9), "position is 1000000000."),
    (event("x", rid=""), "rid is '', which is empty."),
    (event("x", time=NOW // 1000), f"time is {NOW // 1000}, which is out of range."),
    (event("x", time=NOW + DAY + 1), f"time is {NOW + DAY + 1}, which is out of range."),
    (event("x", time=-1), "time is -1, which is out of range."),
    (event("x", time=10**30), f"time is {10**30}, which is out of range."),
    (event("x", time="yesterday"), "time is 'yesterday'."),
    (event("x", time="2026-11-30T12:00:00"), "time is 2026-11-30 12:00:00, without its offset from UTC."),
    (event("x", stars=4), "An event has no field 'stars'."),
    ({**event("x"), 3: 4}, "An event has no field '3'."),
]


@pytest.mark.parametrize(("bad", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_a_bad_event(bad: Any, problem: str):
    with pytest.raises(ConfigError) as caught:
        event_row(bad, NOW)
    assert caught.value.problem == problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, NOW),
        (1_700_000_000_123, 1_700_000_000_123),
        (1.7e12, 1_700_000_000_000),
        ("2026-11-30T12:00:00.250Z", NOW + 250),
        ("2026-11-30T13:00:00+01:00", NOW),
        (datetime(2026, 11, 30, 12, tzinfo=UTC), NOW),
        (datetime(2026, 11, 30, 10, tzinfo=timezone(timedelta(hours=-2))), NOW),
        (NOW + DAY, NOW + DAY),
    ],
)
def test_times_are_milliseconds_in_utc(given: Any, kept: int):
    row = event_row(event("e1", time=given), NOW)
    assert (row[5], row[-1]) == (kept, NOW)


def test_a_time_in_seconds_is_told_from_one_in_milliseconds():
    with pytest.raises(ConfigError, match="in seconds, give 1796040000000"):
        event_row(event("e1", time=1_796_040_000), NOW)
