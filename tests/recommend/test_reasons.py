"""Sentences and evidence of lists; the parts are held against those of `explain`, which computes them in another way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoder import LinearUserEncoder
from kgrec.ingest.mapping.sayings import Sayings
from kgrec.model.model import Model
from kgrec.rank.config import SCORERS
from kgrec.recommend.list_account import ListAccount
from kgrec.recommend.reasons import EVIDENCE, LEAST, Reason, reasons
from kgrec.storage.segments import Rows

CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=4, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
    rescore=kgrec.RescoreConfig(weights=dict.fromkeys(SCORERS[:4], 0.25)),
)
NEW = pd.DataFrame(
    {
        "id": ["n1"],
        "title": ["Moon Base"],
        "plot": ["a crew in space meets danger"],
        "genres": ["Science fiction"],
        "director": ["Ada"],
    }
)


@pytest.fixture(scope="module")
def rec(shared_catalogue: Path) -> kgrec.Recommender:
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    rec = kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph)
    rec.add_items(NEW)
    return rec


def saying(rec: kgrec.Recommender, **templates: Any) -> kgrec.Recommender:
    """The recommender with other templates."""
    model = rec.model
    mapping = model.mapping.model_copy(update={"say": Sayings(**templates)})
    other = replace(model)
    other.__dict__["mapping"] = mapping
    return rec.with_model(other)


def with_encoder(model: Model, kind: str) -> Model:
    dim, weight = model.items.vectors.shape[1], model.user_encoder.history_weight
    if kind == "linear":
        maps = np.random.default_rng(0).normal(size=(2, dim, dim)).astype(np.float32)
        positions = np.array([[1, 0.5, 0.2], [0.3, 1, 1]], np.float32)
        return replace(model, user_encoder=LinearUserEncoder(weight, positions, maps))
    arrays = {
        "gain": np.ones((1, 2, dim), np.float32),
        "position": np.zeros((1, 1, 8), np.float32),
        **dict.fromkeys(("query", "key", "expand", "contract"), np.zeros((1, dim, dim), np.float32)),
        **dict.fromkeys(("value", "output"), np.eye(dim, dtype=np.float32)[None]),
    }
    return replace(
        model, user_encoder=TransformerUserEncoder(Rows.of(np.ones(len(model.items), np.float32)), arrays)
    )


@pytest.mark.parametrize("kind", ["mean", "linear", "transformer"])
@pytest.mark.parametrize("user", ["u1", "u2", "u3"])
def test_parts_are_those_of_explain(rec: kgrec.Recommender, kind: str, user: str):
    model = rec.model if kind == "mean" else with_encoder(rec.model, kind)
    items = np.array([0, 4, 6])
    history = model.histories.take(model.users.ids([user]))
    account = ListAccount(model, history, items)
    relation, _ = account.relations_and_nodes
    names = np.array(model.parameters().featurizer.relations)[relation]
    for at, item in enumerate(items.tolist()):
        why = rec.with_model(model).explain(user, model.items.ids[item])
        by_item = dict(
            zip([model.items.ids[row] for row in account.rows], account.by_item[:, at], strict=True)
        )
        expected = dict(zip(why.history["item_id"], why.history["contribution"], strict=True))
        assert by_item == pytest.approx(expected, abs=1e-6)
        sources = why.sources.groupby("source")["contribution"].sum().to_dict()
        users = sum(sources.get(name, 0.0) for name in ("co_occurrence", "identity"))
        assert {name: values[at] for name, values in account.sources.items()} == pytest.approx(
            {
                "users": users,
                "inherited": sources.get("inherited", 0.0),
                "text": sources.get("text", 0.0),
                "graph": sources["graph"],
            },
            abs=1e-5,
        )
        by_relation = why.sources[why.sources["source"] == "graph"].groupby("relation")["contribution"].sum()
        for name, contribution in by_relation.items():
            assert account.by_column[at, names == name].sum() == pytest.approx(contribution, abs=1e-5)
        assert sum(values[at] for values in account.by_block.values()) == pytest.approx(
            sources.get("text", 0.0), abs=2e-3
        )


def test_a_list_has_a_sentence_and_evidence_per_row(rec: kgrec.Recommender):
    table = rec.recommend(["u1", "u3"], request=kgrec.Request(k=3, explain=True), arrow=True)
    assert table.column_names == ["user_id", "item_id", "score", "rank", "because", "evidence"]
    assert table.schema.field("evidence").type == EVIDENCE
    assert table.select(["user_id", "item_id", "score", "rank"]) == rec.recommend(["u1", "u3"], 3, arrow=True)
    for row in table.to_pylist():
        why = rec.explain(row["user_id"], row["item_id"])
        assert why.because is not None
        assert why.because.to_dict() == {"text": row["because"], **row["evidence"]}
        whole = why.history.loc[why.history["contribution"] > 0, "contribution"].sum()
        assert bool(row["evidence"]["items"]) == (whole > 0)
        assert (row["because"] == "Something else to try.") == (whole <= 0)
        for item in row["evidence"]["items"]:
            contribution = why.history.set_index("item_id").loc[item["item_id"], "contribution"]
            assert item["share"] == pytest.approx(contribution / whole, abs=1e-4)
        parts = [part for kind in ("items", "shared", "sources") for part in row["evidence"][kind]]
        assert all(part["share"] >= LEAST for part in parts)


def test_the_sentence_in_the_words_of_the_catalogue(rec: kgrec.Recommender):
    german = saying(
        rec,
        shared={"genres": "auch {nodes}", "directed_by": "auch von {nodes}", "~word": "x"},
        often={"genres": "oft {nodes}", "directed_by": "oft von {nodes}"},
        liked="Weil dir {items} gefiel",
        users="anderen gefiel es auch",
        text="ähnliche Handlung",
        words="mit {nodes} im Namen",
        pair="{first} und {second}",
        reasons="{first}; {second}",
        item="»{item}«",
        sentence="{why} ... {reasons}!",
    )
    texts = german.recommend_for_history([["f4"]], request=kgrec.Request(k=2, explain=True))["because"]
    assert all(text.startswith("Weil dir »Paris Waltz« gefiel ... ") and text.endswith("!") for text in texts)
    assert texts.str.contains("auch (?:Romance|Comedy)").any()


def test_nobody_has_taken_a_new_item(rec: kgrec.Recommender):
    request = kgrec.Request(k=1, candidates=["n1"], explain=True)
    row = rec.recommend(["u2"], request=request).iloc[0]
    assert rec.model.rescorer.weights["co_occurrence"] > 0
    sources = {one["source"] for one in row["evidence"]["sources"]}
    assert "users" not in sources and Sayings().users not in row["because"]


def test_a_user_without_a_history_hears_of_no_liked_item(rec: kgrec.Recommender):
    frame = rec.recommend_for_history([[], ["f1"]], request=kgrec.Request(k=2, explain=True))
    assert frame["because"].tolist()[:2] == ["Many users like such items."] * 2
    assert frame["evidence"][0] == {"items": [], "shared": [], "sources": []}
    assert frame["because"][2].startswith("Because you liked Alien Dawn")


def test_a_disliked_item_is_not_named_as_liked(rec: kgrec.Recommender):
    frame = rec.recommend_for_history(
        [["f1"]], dislikes=[["f4"]], request=kgrec.Request(k=3, explain=True, exclude_seen=False)
    )
    named = {item["item_id"] for evidence in frame["evidence"] for item in evidence["items"]}
    assert named == {"f1"}


def test_what_much_of_a_history_has_is_chosen_often(rec: kgrec.Recommender):
    """Three of three films are science fiction."""
    request = kgrec.Request(k=1, candidates=["n1"], explain=True)
    evidence = rec.recommend_for_history([["f1", "f2", "f3"]], request=request)["evidence"][0]
    genres = [one for one in evidence["shared"] if one["relation"] == "genres"]
    assert [(one["nodes"], one["often"]) for one in genres] == [(["Science fiction"], True)]
    alone = rec.recommend_for_history([["f1", "f2"]], request=request)["evidence"][0]
    assert not any(one["often"] for one in alone["shared"])


def test_a_boost_is_evidence(rec: kgrec.Recommender):
    request = kgrec.Request(k=1, where_boost={"person = Cy": 5.0}, explain=True)
    frame = rec.recommend(["u1"], request=request)
    assert frame["item_id"].tolist() in (["f4"], ["f5"])
    [source, *_] = [one for one in frame["evidence"][0]["sources"] if one["source"] == "boost"]
    assert source["share"] > 0.9
    assert frame["because"][0] == "Something else to try."


def test_a_lowest_score_leaves_reasons_beside_their_rows(rec: kgrec.Recommender):
    whole = rec.recommend(["u1", "u3"], request=kgrec.Request(k=4, explain=True))
    least = float(whole["score"].median())
    some = rec.recommend(["u1", "u3"], request=kgrec.Request(k=4, min_score=least, explain=True))
    kept = whole[whole["score"] >= np.float32(least)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, kept)


def test_lists_of_texts_have_no_reasons(rec: kgrec.Recommender):
    with pytest.raises(kgrec.ConfigError, match="explain does not apply to texts"):
        rec.recommend_for_text(["a crew in space"], request=kgrec.Request(explain=True))


def test_files_of_lists_have_reasons(rec: kgrec.Recommender, tmp_path: Path):
    request = kgrec.Request(k=2, explain=True)
    frame = rec.recommend(["u1", "u3"], request=request)
    for suffix in ("parquet", "jsonl", "csv"):
        kgrec.write_recommendations(rec, tmp_path / f"recs.{suffix}", ["u1", "u3"], request=request)
    pd.testing.assert_series_equal(
        pd.read_parquet(tmp_path / "recs.parquet")["because"], frame["because"], check_dtype=False
    )
    lines = [json.loads(line)["evidence"] for line in (tmp_path / "recs.jsonl").read_text().splitlines()]
    assert lines == frame["evidence"].tolist()
    cells = pd.read_csv(tmp_path / "recs.csv")["evidence"]
    assert [json.loads(cell) for cell in cells] == lines


def test_a_reason_belongs_to_its_item_wherever_it_stands(rec: kgrec.Recommender):
    """Lists are accounted for in steps; a reason depends on history and item alone."""
    model = rec.model
    histories = model.histories.take(np.array([0, 2]))
    found = np.array([[3, 4, 5, -1], [0, -1, 6, 1]])
    each = reasons(model, histories, found)
    assert [len(some) for some in each] == [3, 3]
    alone = reasons(model, histories.take(np.array([1])), np.array([[6]]))[0][0]
    assert isinstance(alone, Reason)
    assert each[1][1].text == alone.text
    assert each[1][1].evidence() == alone.evidence()
