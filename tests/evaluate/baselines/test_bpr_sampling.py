"""Negative sampling, and the limit on training time."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from baseline_examples import example_data

from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.bpr_sampling import NegativeSampler, TimeLimit


def test_an_epoch_has_each_interaction_once_with_a_negative_item():
    data = example_data()
    pairs = NegativeSampler(data.positives, np.arange(11), np.random.default_rng(0))
    found = [np.concatenate(part) for part in zip(*pairs.epoch(7), strict=True)]
    assert sorted(zip(found[0], found[1], strict=True)) == sorted(zip(*data.positives.nonzero(), strict=True))
    assert not np.asarray(data.positives[found[0], found[2]]).any()
    assert set(found[2].tolist()) == set(range(11))


def test_a_training_that_would_take_too_long_is_stopped_after_its_first_steps():
    ticks = count(0, 2)  # seconds: 2 per step
    pace = TimeLimit("KGAT", 100, 150, clock=lambda: next(ticks))
    for _ in range(4):
        pace.step()
    with pytest.raises(TrainingError, match="KGAT would take about 200 CPU seconds; the limit is 150"):
        pace.step()
    in_time = TimeLimit("KGAT", 100, 200, clock=lambda: next(ticks))
    for _ in range(100):
        in_time.step()
    assert in_time.done == 100
