"""A list as plain values: the numbers of `recommend` and `explain`."""

from __future__ import annotations

import json

import pytest

import kgrec
from kgrec.notebook import list_view
from kgrec.notebook.list_view import ListView


def test_the_list_is_that_of_recommend(rec: kgrec.Recommender):
    items = ListView.of(rec, "u1", 2).data["items"]
    expected = rec.recommend(["u1"], 2)
    assert [one["item"] for one in items] == expected["item_id"].tolist()
    assert [one["score"] for one in items] == expected["score"].tolist()
    assert [one["rank"] for one in items] == [1, 2]
    assert [one["label"] for one in items] == [rec.label(one["item"]) for one in items]


def test_a_detail_has_the_numbers_of_explain(rec: kgrec.Recommender):
    view = ListView.of(rec, "u1", 2)
    why = rec.explain("u1", view.first)
    detail = view.detail(view.first)
    assert detail["score"] == why.score
    assert detail["text"] == why.text()
    assert detail["parts"] == why.to_dict()["parts"]
    assert {row["item_id"]: row["contribution"] for row in detail["edges"]["history"]} == {
        row["item_id"]: round(row["contribution"], 6) for row in why.history.to_dict("records")
    }
    assert len(detail["edges"]["paths"]) == len(why.paths)
    json.dumps({"data": view.data, "detail": detail}, allow_nan=False)


def test_a_reason_is_the_sentence_of_the_list(rec: kgrec.Recommender):
    listed = rec.recommend(["u1"], request=kgrec.Request(k=3, explain=True))
    assert [one["reason"] for one in ListView.of(rec, "u1", 3).data["items"]] == listed["because"].tolist()


def test_the_history_is_the_newest_part(rec: kgrec.Recommender, monkeypatch: pytest.MonkeyPatch):
    whole = ListView.of(rec, "u2", 1).data
    assert {one["item"]: one["liked"] for one in whole["history"]} == {"f1": True, "f3": True, "f4": False}
    monkeypatch.setattr(list_view, "MAX_HISTORY", 2)
    part = ListView.of(rec, "u2", 1).data
    assert part["history"] == whole["history"][:2]
    assert part["history_length"] == 3


def test_paths_are_the_largest(rec: kgrec.Recommender, monkeypatch: pytest.MonkeyPatch):
    paths = rec.explain("u3", "f4").paths["contribution"].abs()
    monkeypatch.setattr(list_view, "MAX_PATHS", 1)
    (path,) = ListView.of(rec, "u3", 1).detail("f4")["edges"]["paths"]
    assert abs(path["contribution"]) == pytest.approx(paths.max(), abs=1e-6)


def test_explanations_belong_to_the_model_of_the_list(rec: kgrec.Recommender):
    changing = rec.__copy__()
    view = ListView.of(changing, "u1", 1)
    before = rec.explain("u1", "f6").score
    changing.add_interactions({"user_id": ["u1"], "item_id": ["f6"]})
    assert changing.explain("u1", "f6").score != before
    assert view.detail("f6")["score"] == before


def test_an_empty_list_has_no_detail(rec: kgrec.Recommender):
    seen = rec.__copy__()
    seen.add_interactions({"user_id": ["u1"] * 3, "item_id": ["f4", "f5", "f6"]})
    view = ListView.of(seen, "u1", 3)
    assert (view.data["items"], view.first, view.detail("")) == ([], "", {})
