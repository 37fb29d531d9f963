"""A history as plain values, the newest first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import kgrec
from kgrec.serve.history_items import newest_items


def test_items_of_a_history_without_times(rec: kgrec.Recommender):
    history = rec.model.histories.take(rec.model.users.ids(["u2"]))
    expected = [
        {"item": "f4", "label": "Paris Waltz", "liked": False, "count": 1, "time": None},
        {"item": "f3", "label": "Red Planet", "liked": True, "count": 1, "time": None},
        {"item": "f1", "label": "Alien Dawn", "liked": True, "count": 1, "time": None},
    ]
    assert newest_items(rec.model, history, 0, 10) == expected
    assert newest_items(rec.model, history, 1, 1) == expected[1:2]


def test_times_are_iso_and_an_unknown_one_is_none(rec: kgrec.Recommender):
    history = rec.model.histories.take(rec.model.users.ids(["u2"]))
    timed = replace(history, time=np.array([0, 60, 86_400]), ordered=True)
    times = [one["time"] for one in newest_items(rec.model, timed, 0, 10)]
    assert times == ["1970-01-02T00:00:00Z", "1970-01-01T00:01:00Z", None]
