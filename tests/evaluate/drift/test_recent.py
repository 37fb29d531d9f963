"""Recent interactions, read with items and users that the model does not know."""

from __future__ import annotations

from pathlib import Path

import drift_data
import numpy as np
import pandas as pd
import pytest

import kgrec
from kgrec.evaluate.drift.recent import Sample, learned_sample, read_recent


@pytest.fixture(scope="module")
def rec(tmp_path_factory: pytest.TempPathFactory) -> kgrec.Recommender:
    """It knows the items 0 to 159, and the users u1 and u2, who had the items 1 and 2."""
    graph = drift_data.catalogue(tmp_path_factory.mktemp("shop"))
    log = pd.DataFrame({"user_id": ["u1", "u2"], "item_id": ["1", "2"], "time": drift_data.START})
    return drift_data.trained(graph, log)


def test_unknown_users_and_items_get_numbers_of_their_own(rec: kgrec.Recommender):
    model = rec.model
    rows = {"user_id": ["u1", "new", "u1", "new"], "item_id": ["4", "f99", "f98", "4"]}
    sample = read_recent(model, pd.DataFrame(rows)).sample
    u1, f4 = int(model.users.ids(["u1"])[0]), int(model.items.ids.ids(["film/4", "4"]).max())
    n_users, n_items = len(model.users), len(model.items)
    pairs = set(zip(sample.user.tolist(), sample.item.tolist(), strict=True))
    assert {pair for pair in pairs if pair[1] == f4} == {(u1, f4), (n_users, f4)}
    assert sorted(item for user, item in pairs if item != f4) == [n_items, n_items + 1]
    assert sample.time is None


def test_a_file_is_named_in_the_result(rec: kgrec.Recommender, tmp_path: Path):
    path = tmp_path / "recent.csv"
    path.write_text("user_id,item_id\nu1,4\n,4\n", encoding="utf-8")
    read = read_recent(rec.model, path)
    assert (len(read.sample), [*read.inputs]) == (1, ["recent.csv"])
    (counts,) = read.report.files.values()
    assert (counts.rows, counts.used) == (2, 1)


def test_interactions_over_other_items_are_matched_by_name(rec: kgrec.Recommender):
    items = kgrec.Vocabulary(["f99", *rec.model.items.ids])
    name = rec.model.items.ids[0]
    log = kgrec.Interactions.from_frame({"user_id": ["u1", "u1"], "item_id": ["f99", name]}, items)
    sample = read_recent(rec.model, log).sample
    assert sorted(sample.item.tolist()) == [0, len(rec.model.items)]


def test_without_positive_rows_there_is_nothing_to_compare(rec: kgrec.Recommender, tmp_path: Path):
    path = tmp_path / "recent.csv"
    path.write_text("user_id,item_id\n", encoding="utf-8")
    with pytest.raises(kgrec.SourceError, match="no positive interactions in 0 rows"):
        read_recent(rec.model, path)


def test_what_was_learned_are_the_positive_rows(rec: kgrec.Recommender):
    assert len(learned_sample(rec.model)) == rec.model.liked.nnz


def test_pairs_in_another_sample():
    one = Sample(np.array([0, 0, 1]), np.array([0, 5, 1]), None)
    other = Sample(np.array([0, 1]), np.array([5, 0]), None)
    assert one.is_in(other).tolist() == [False, True, False]
