"""Whether a model answers as it should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kgrec
from kgrec.errors import SelfTestError
from kgrec.serve.self_test import self_test
from kgrec.storage.segments import Rows


def test_a_model_passes(model: Path):
    self_test(kgrec.Recommender.load(model))


def test_a_model_without_items_fails(model: Path):
    rec = kgrec.Recommender.load(model)
    rec.remove_items([f"f{n}" for n in range(1, 7)])
    with pytest.raises(SelfTestError, match="has no items to recommend"):
        self_test(rec)


def test_scores_that_are_not_finite_fail(model: Path):
    rec = kgrec.Recommender.load(model)
    vectors = rec.model.items.vectors.whole.copy()
    vectors[2] = np.nan
    broken = replace(rec.model, items=replace(rec.model.items, vectors=Rows.of(vectors)))
    with pytest.raises(SelfTestError):
        self_test(rec.with_model(broken))


def test_a_model_whose_parts_do_not_fit_fails(model: Path):
    rec = kgrec.Recommender.load(model)
    broken = replace(rec.model, items=replace(rec.model.items, entities=Rows.of(np.full(6, 10_000))))
    with pytest.raises(SelfTestError, match="cannot answer"):
        self_test(rec.with_model(broken))
