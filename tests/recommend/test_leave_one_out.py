"""The change of a score when an item of the history is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from models import items, model

from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend import leave_one_out
from kgrec.recommend.leave_one_out import changes_without
from kgrec.storage.segments import Rows

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)

#: c
ITEM = np.array([2])


@pytest.fixture
def attentive() -> Model:
    """Users are the newest item plus the mean of the history; b is liked by the only known user."""
    arrays = {
        "gain": np.ones((1, 2, 2), np.float32),
        "position": np.zeros((1, 1, 3), np.float32),
        **dict.fromkeys(("query", "key", "expand", "contract"), np.zeros((1, 2, 2), np.float32)),
        **dict.fromkeys(("value", "output"), np.eye(2, dtype=np.float32)[None]),
    }
    made = model(items(VECTORS, ["a", "b", "c"]), sp.csr_matrix(np.array([[0, 1, 0]], np.float32)))
    return replace(made, user_encoder=TransformerUserEncoder(Rows.of(np.ones(3, np.float32)), arrays))


def history(*stamps: float) -> Histories:
    given = sp.csr_matrix(np.array([stamps], np.float32))
    return Histories.of_matrix((given > 0).astype(np.float32), given)


def test_changes_by_hand(attentive: Model):
    """b came first: u = a + (a + b) / 2 is (1.5, .5), and its product with c is (.9 + .4) / hypot(1.5, .5); a alone gives .6, b alone .8."""
    score = 1.3 / math.hypot(1.5, 0.5)
    changes = changes_without(attentive, history(2, 1, 0), np.array([2, 2]))
    assert changes.shape == (2, 2)
    assert (changes[:, 0] == changes[:, 1]).all()
    assert changes[:, 0].tolist() == pytest.approx([score - 0.8, score - 0.6], abs=1e-6)


def test_without_its_only_item_a_history_is_that_of_a_user_without_any(attentive: Model):
    """Such a user has the vector of the only known one, b."""
    assert changes_without(attentive, history(1, 0, 0), ITEM)[:, 0].tolist() == pytest.approx(
        [0.6 - 0.8], abs=1e-6
    )
    assert changes_without(attentive, history(0, 0, 0), ITEM).shape == (0, 1)


def test_long_histories_are_scored_in_steps(attentive: Model, monkeypatch: pytest.MonkeyPatch):
    whole = changes_without(attentive, history(2, 1, 3), ITEM)
    monkeypatch.setattr(leave_one_out, "_ROWS", 3)
    assert changes_without(attentive, history(2, 1, 3), ITEM).tolist() == whole.tolist()
