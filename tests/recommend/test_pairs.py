"""Scores of pairs, against the scores of lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from models import items, model

import kgrec
from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.recommend import pairs


def recommender(n_items: int = 40, n_users: int = 9) -> kgrec.Recommender:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_items, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    liked = sp.random(n_users, n_items, 0.1, "csr", np.float32, rng=rng)
    liked.data[:] = 1
    rec = kgrec.Recommender()
    rec._fitted = model(items(vectors.astype(np.float32)), liked)
    return rec


@pytest.fixture
def rec() -> kgrec.Recommender:
    return recommender()


def test_scores_are_those_of_lists_in_the_order_of_the_pairs(rec, monkeypatch: pytest.MonkeyPatch):
    users = [f"u{n}" for n in range(9)]
    lists = rec.recommend(users, 40, exclude_seen=False, item_boost={"i3": 0.5})
    some = lists.sample(frac=0.7, random_state=1)
    for size, width in ((1 << 15, 64), (7, 64), (50, 2)):
        monkeypatch.setattr(pairs, "_PAIRS", size)
        monkeypatch.setattr(pairs, "_WIDTH", width)
        found = rec.score_pairs(some, item_boost={"i3": 0.5})
        assert found.columns.tolist() == ["user_id", "item_id", "score"]
        assert found["user_id"].tolist() == some["user_id"].tolist()
        assert found["item_id"].tolist() == some["item_id"].tolist()
        np.testing.assert_allclose(found["score"], some["score"], atol=1e-6)


def test_pairs_come_as_lists_and_frames(rec):
    one = rec.score_pairs(["u1", "u2", "u1"], ["i1", "i1", "i1"])
    assert one["score"][0] == one["score"][2] and one["score"].dtype == np.float32
    frame = pd.DataFrame({"item_id": ["i1", "i1"], "user_id": ["u1", "u2"], "n": [1, 2]})
    for given in (frame, pl.from_pandas(frame)):
        pd.testing.assert_frame_equal(rec.score_pairs(given), one.head(2))
    assert rec.score_pairs(frame, arrow=True).column_names == ["user_id", "item_id", "score"]
    assert rec.score_pairs([], []).empty


def test_removed_and_seen_items_have_a_score(rec):
    before = rec.score_pairs(["u1"], ["i1"])
    rec.remove_items(["i1"])
    pd.testing.assert_frame_equal(rec.score_pairs(["u1"], ["i1"]), before)


def test_unknown_users_and_items(rec):
    with pytest.raises(UnknownId, match="There is no user 'x' in the model"):
        rec.score_pairs(["u1", "x"], ["i1", "i1"])
    with pytest.raises(UnknownId, match="There is no item 'y' in the model"):
        rec.score_pairs(["u1", "u1"], ["i1", "y"])
    found = rec.score_pairs(["u1", "x", "u2", "u3"], ["i1", "i1", "y", "i2"], on_unknown="skip")
    assert found[["user_id", "item_id"]].to_numpy().tolist() == [["u1", "i1"], ["u3", "i2"]]


def test_what_is_no_list_of_pairs_is_refused(rec):
    with pytest.raises(ConfigError, match="There are 2 users but 1 items"):
        rec.score_pairs(["u1", "u2"], ["i1"])
    with pytest.raises(ConfigError, match="The pairs have no items"):
        rec.score_pairs(["u1", "u2"])
    with pytest.raises(SourceError, match="pairs has no column 'item_id'"):
        rec.score_pairs(pd.DataFrame({"user_id": ["u1"]}))
    with pytest.raises(ConfigError, match="where does not apply to pairs"):
        rec.score_pairs(["u1"], ["i1"], request=kgrec.Request(where="year > 1"))
