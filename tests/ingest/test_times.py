"""Times of a log in the unit of its file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.ingest.times import UNITS, Clock

SECOND = 1_570_752_002


def read(*batches: list[str], **options: Any) -> tuple[list[int], list[int], Any]:
    """Times, rows of unreadable cells of the last batch, and what `close` returns."""
    clock = Clock(InteractionTable(file=("log",), user="u", item="i", time="t", **options))
    parts = [
        clock.read(pa.array(texts), lambda rows, n=n: [f"{n}:{row}" for row in rows])
        for n, texts in enumerate(batches)
    ]
    closed = clock.close()
    return np.concatenate([times for times, _ in parts]).tolist(), parts[-1][1].tolist(), closed


@pytest.mark.parametrize(("unit", "factor"), UNITS.items())
def test_the_unit_is_found_from_the_values(unit, factor):
    texts = [str(SECOND * factor), "", str((SECOND + 60) * factor + factor // 2), "0"]
    assert read(texts) == ([SECOND, 0, SECOND + 60, 0], [], (f"{unit} since 1970", [], 0))


def test_the_unit_of_the_mapping_is_not_questioned():
    # times since a start that is not 1970
    assert read(["0", "1500", "-1500"], time_unit="milliseconds")[0] == [0, 1, -2]
    assert read([str(SECOND * 1000)], time_unit="seconds")[0] == [SECOND * 1000]


def test_a_number_in_another_unit_than_most_has_no_time():
    found = read([str(SECOND), str(SECOND * 1000)], [str(SECOND * 1000)] * 2)
    assert found == ([0, SECOND, SECOND, SECOND], [], ("milliseconds since 1970", [("0:0", str(SECOND))], 1))


def test_dates_and_numbers_may_stand_in_one_column():
    texts = [str(SECOND * 1000), "2019-10-11 00:00:02 UTC", "soon", "1e300"]
    assert read(texts) == ([SECOND, SECOND, 0, 0], [2, 3], ("milliseconds since 1970", [], 0))


def test_dates_as_digits_are_dates():
    day = SECOND - 2
    assert read(["20191011", "20200229", ""])[0] == [day, 1582934400, 0]
    assert read(["20191011000002"]) == ([SECOND], [], ("dates as digits", [], 0))
    # not all are dates, so they are seconds
    assert read(["20191011", "20191332"])[0] == [20191011, 20191332]
    assert read(["20191011"], time_unit="seconds")[0] == [20191011]


def test_dates_alone_have_no_unit():
    assert read(["2019-10-11"], ["11/10/2019"]) == ([SECOND - 2, 0], [0], ("", [], 0))
    assert read(["11/10/2019"], time_format="%d/%m/%Y")[0] == [SECOND - 2]


@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=20), st.sampled_from(list(UNITS)))
def test_batches_do_not_matter(days, unit):
    texts = [str((86_400 * (3650 + day)) * UNITS[unit]) for day in days]
    assert read(*[[text] for text in texts])[0] == read(texts)[0] == [86_400 * (3650 + day) for day in days]
