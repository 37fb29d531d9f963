"""Dates as seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kgrec.ingest.dates import is_iso, seconds_of

TWO_PAST_MIDNIGHT = datetime(2019, 10, 11, 0, 0, 2, tzinfo=UTC).timestamp()
MIDNIGHT = TWO_PAST_MIDNIGHT - 2


@pytest.mark.parametrize(
    "text",
    [
        "2019-10-11 00:00:02",
        "2019-10-11 00:00:02 UTC",
        "2019-10-11 00:00:02 utc",
        "2019-10-11 00:00:02 GMT",
        "2019-10-11 00:00:02 Z",
        "2019-10-11T00:00:02Z",
        "2019-10-11 00:00:02+0000",
        "2019-10-11 00:00:02 +0000",
        "2019-10-11 00:00:02 +00",
        "2019-10-11 02:00:02 +02:00",
        "2019-10-11 02:00:02 GMT+2",
        "2019-10-10 19:30:02 UTC-04:30",
        "20191011T000002Z",
        "2019/10/11 00:00:02",
        "2019/10/11 0:00:02 UTC",
        "2019.10.11 00:00:02",
        "Fri, 11 Oct 2019 00:00:02 GMT",
        "11-Oct-2019 00:00:02",
        "Fri Oct 11 00:00:02 2019",
        "Fri Oct 11 00:00:02 +0000 2019",
        "Fri Oct 11 00:00:02 UTC 2019",
        "October 11, 2019 12:00:02 AM",
    ],
)
def test_the_same_second_in_other_forms(text):
    assert seconds_of(text, None) == TWO_PAST_MIDNIGHT


@pytest.mark.parametrize(
    "text",
    [
        "2019-10-11",
        "20191011",
        "2019-W41-5",
        "2019W415",
        "2019-284",
        "2019/10/11",
        "2019.10.11",
        "2019-10-11Z",
        "11 October 2019",
        "Oct 11, 2019",
        "Friday, October 11th, 2019",
    ],
)
def test_the_same_day_in_other_forms(text):
    assert seconds_of(text, None) == MIDNIGHT


def test_parts_of_a_date_and_fractions():
    assert seconds_of("2019", None) == seconds_of("2019-01-01", None)
    assert seconds_of("2019/10", None) == seconds_of("2019-10", None) == seconds_of("2019-10-01", None)
    assert seconds_of("2019-W41", None) == seconds_of("2019-10-07", None)
    assert seconds_of("2019/1/5 3:04 PM", None) == seconds_of("2019-01-05 15:04", None)
    assert seconds_of("2019-10-11 00:00:02.5 UTC", None) == TWO_PAST_MIDNIGHT + 0.5
    assert seconds_of("2019-10-11 00:00:02,123456789 GMT", None) == TWO_PAST_MIDNIGHT + 0.123456


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "12",
        # the day or the month may come first
        "10/11/2019",
        "11.10.2019",
        # out of range
        "2019-13-01",
        "2019/02/30",
        "2019-10-11 25:00 UTC",
        "2019-10-11 13:00 PM",
        "2019-W54-1",
        "2019-10-11 00:00:02 UTC+99",
        # two marks, a zone that has several meanings
        "2019/10-11",
        "2019-10-11 00:00:02 EST",
        "2019-10-11 00:00:02+01:00 UTC",
    ],
)
def test_what_is_no_date_or_may_be_two_is_not_guessed(text):
    assert seconds_of(text, None) is None


def test_a_format_is_the_only_form_that_counts():
    assert seconds_of("11/10/2019", "%d/%m/%Y") == MIDNIGHT
    assert seconds_of("2019-10-11", "%d/%m/%Y") is None


def test_variants_are_not_iso():
    assert is_iso("2019-10-11T00:00:02Z") and is_iso("2019") and is_iso("2019-W41-5")
    assert not is_iso("2019/10/11") and not is_iso("2019-10-11 00:00:02 UTC")
