"""What carries the scores of a model, held against the explanations of the same lists."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from text_encoders import BagOfWords

import kgrec

CONFIG = kgrec.Config.read(
    settings=["dim=8", "epochs=3", "train.threads=1", "search_seconds=0", "learning_rate=0.05"]
)


@pytest.fixture(scope="module")
def rec(shared_catalogue: Path) -> kgrec.Recommender:
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    return kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph)


def shares(found: kgrec.GlobalExplanation, segment: str, kind: str) -> dict[str, float]:
    some = found.shares[(found.shares["segment"] == segment) & (found.shares["kind"] == kind)]
    return dict(zip(some["name"], some["share"], strict=True))


def test_shares_are_sums_over_the_explanations_of_the_lists(rec: kgrec.Recommender):
    users = ["u1", "u2", "u4"]
    found = rec.explain_global(users, k=2)
    lists = rec.recommend(users, 2)
    each = [rec.explain(row.user_id, row.item_id).sources for row in lists.itertuples()]
    parts = pd.concat(each)
    whole = parts["contribution"].sum()
    assert (found.users, found.k, found.shares["rows"].iloc[0]) == (3, 2, len(lists))
    sources = shares(found, "all", "source")
    assert sum(sources.values()) == pytest.approx(1)
    graph = parts[parts["source"] == "graph"]
    assert sources["graph"] == pytest.approx(graph["contribution"].sum() / whole, abs=1e-4)
    relations = shares(found, "all", "relation")
    for name, contribution in graph.groupby("relation")["contribution"].sum().items():
        if name != "~word":
            assert relations[str(name)] == pytest.approx(contribution / whole, abs=1e-4)
    words = graph[graph["type"] == "word"].groupby("label")["contribution"].sum() / whole
    assert shares(found, "all", "word") == pytest.approx(words.to_dict(), abs=1e-4)


def test_segments_by_history_and_by_popularity(rec: kgrec.Recommender):
    rec = rec.__copy__()
    rec.add_items(
        pd.DataFrame(
            {
                "id": ["n1"],
                "title": ["Moon Base"],
                "plot": ["a crew in space"],
                "genres": ["Horror"],
                "director": ["Ada"],
            }
        )
    )
    found = rec.explain_global(k=7)
    counts = found.shares.groupby("segment", sort=False)["rows"].first()
    assert counts.index[0] == "all" and counts["item without users"] == found.users
    for beginning in ("history of", "item with"):
        assert counts[counts.index.str.startswith(beginning)].sum() == counts["all"]
    assert "users" not in shares(found, "item without users", "source")
    text = str(found)
    assert text.splitlines()[0] == f"{found.users} users, lists of 7: shares of the scores"
    assert found.to_dict()["shares"][0]["segment"] == "all"


def test_a_sample_is_drawn_by_its_seed(rec: kgrec.Recommender):
    one, again = (rec.explain_global(sample=3, seed=1) for _ in range(2))
    assert one.users == 3
    pd.testing.assert_frame_equal(one.shares, again.shares)


def test_users_without_a_history_are_refused(rec: kgrec.Recommender):
    with pytest.raises(kgrec.UnknownId):
        rec.explain_global(["nobody"])
