"""A graph with the items and the events of a store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kgrec
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.serve.feedback_log import training_feedback
from kgrec.serve.live import watermark
from kgrec.serve.store.store import Store

#: 2026-11-30T12:00:00Z, in seconds
NOW = 1_796_040_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "feedback.sqlite", clock=lambda: NOW) as opened:
        yield opened


def graph_of(catalogue: Path, log: str, table: str) -> KnowledgeGraph:
    """The catalogue with another log."""
    (catalogue / "log.csv").write_text(log, encoding="utf-8")
    mapping = (catalogue / "kgrec.yaml").read_text(encoding="utf-8").split("interactions:")[0]
    (catalogue / "kgrec.yaml").write_text(f"{mapping}interactions: {table}\n", encoding="utf-8")
    return kgrec.build_graph(catalogue / "kgrec.yaml")


def event(user: str, item: str, type_: str = "click", ago: float = 0, **others: Any) -> dict[str, Any]:
    name = f"{user}-{item}-{type_}-{ago}-{others}"
    return {
        "event_id": name,
        "user": user,
        "item": item,
        "type": type_,
        "time": int((NOW - ago) * 1000),
        **others,
    }


def rows(graph: KnowledgeGraph, *columns: str) -> list[tuple[Any, ...]]:
    log = graph.interactions
    names = log.users.take(log.user).to_pylist(), log.items.take(log.item).to_pylist()
    return list(zip(*names, *(getattr(log, name).tolist() for name in columns), strict=True))


TIMED = "{file: log.csv, user: user, item: film, time: at}"


def test_events_join_the_log_in_the_order_of_time(catalogue: Path, store: Store):
    graph = graph_of(
        catalogue, f"user,film,at\nu1,f1,{NOW - 100}\nu1,f2,{NOW - 50}\nu1,f2,{NOW - 60}\n", TIMED
    )
    store.add_events([event("u1", "f3", ago=70), event("u1", "f1"), event("u0", "f6", ago=5)])
    taken = training_feedback(graph, store)
    assert rows(taken.graph, "time", "count", "positive") == [
        ("u0", "f6", NOW - 5, 1, True),
        ("u1", "f3", NOW - 70, 1, True),
        ("u1", "f2", NOW - 50, 2, True),
        ("u1", "f1", NOW, 2, True),
    ]
    assert (taken.events, taken.users, taken.revision) == (3, 2, 3)
    assert taken.graph.inputs == {**graph.inputs, "feedback": "3"}
    assert len(graph.interactions) == 2


def test_events_that_cannot_be_used_are_counted_and_named(catalogue: Path, store: Store):
    graph = graph_of(
        catalogue,
        "user,film,kind\nu1,f1,view\nu1,f2,buy\n",
        "{file: log.csv, user: user, item: film, event: kind, events: {view: 1, buy: 5, seen: 0}}",
    )
    store.add_events(
        [
            event("u1", "f1", "buy"),
            event("u2", "f3", "view"),
            event("u2", "f4", "seen"),
            event("u2", "f5", "dislike"),
            event("u1", "x1", "view"),
            event("u1", "x2", "buy"),
            event("u3", "x1", "view"),
            event("u3", "f1", "share"),
        ]
    )
    taken = training_feedback(graph, store)
    assert rows(taken.graph, "weight", "positive") == [
        ("u1", "f1", 5, True),
        ("u1", "f2", 5, True),
        ("u2", "f3", 1, True),
        ("u2", "f4", 0, False),
        ("u2", "f5", 0, False),
    ]
    assert taken.figures() == {
        "revision": 8,
        "events": 4,
        "users": 2,
        "added_items": 0,
        "unknown": 3,
        "unknown_items": ["x1", "x2"],
        "unlisted": {"share": 1},
        "erased": 0,
    }


def test_values_meet_the_condition_of_the_mapping(shared_catalogue: Path, store: Store):
    """Of u1, the log has f1 to f3 as positive; times are absent, and what a store has is later."""
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    store.add_events(
        [
            event("u1", "f1", "rating", value=2.0),
            event("u1", "f4", "rating", value=4.5),
            event("u1", "f5"),
            event("u1", "f6", "hide", value=5.0),
            event("u2", "f4", "rating", value=5.0),
        ]
    )
    joined = training_feedback(graph, store).graph
    assert joined.interactions.time is None
    expected = [("f1", 2, 2, False), ("f2", 5, 1, True), ("f3", 4, 1, True), ("f4", 4.5, 1, True)]
    found = [row[1:] for row in rows(joined, "value", "count", "positive") if row[0] == "u1"]
    assert found[:4] == expected
    assert [(row[0], row[3]) for row in found[4:]] == [("f5", True), ("f6", False)]
    assert ("u2", "f4", 5.0, 2, True) in rows(joined, "value", "count", "positive")


def test_erased_users_are_left_out(catalogue: Path, store: Store):
    graph = graph_of(catalogue, f"user,film,at\nu1,f1,{NOW - 9}\nu1,f2,{NOW + 9}\nu2,f1,{NOW - 9}\n", TIMED)
    store.add_events([event("u1", "f3", ago=1), event("u2", "f4")])
    store.erase_user("u1")
    store.erase_user("nobody")
    store.add_events([event("u1", "f5", ago=-3)])
    taken = training_feedback(graph, store)
    assert [row[:2] for row in rows(taken.graph)] == [("u1", "f5"), ("u1", "f2"), ("u2", "f1"), ("u2", "f4")]
    assert taken.erased == 1


def test_an_erased_user_of_a_log_without_times_is_gone(shared_catalogue: Path, store: Store):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    store.erase_user("u1")
    taken = training_feedback(graph, store)
    assert taken.graph.interactions.users.tolist() == ["u2", "u3", "u4", "u5", "u6"]
    assert (len(taken.graph.interactions), taken.erased) == (len(graph.interactions) - 3, 1)


ADDED = {"film": [{"id": "n1", "title": "Moon Base", "genres": "Science fiction", "director": "Ada"}]}


def test_added_items_are_learned(shared_catalogue: Path, store: Store):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    store.put_items({"n1": ADDED, "f1": {"film": [{"id": "f1", "title": "Changed"}]}})
    store.put_items({"n2": {"film": [{"id": "n2"}]}})
    store.remove_items(["n2"])
    store.add_events([event("u1", "n1"), event("u1", "n2")])
    taken = training_feedback(graph, store)
    assert taken.graph.item_ids.tolist() == [*graph.item_ids.tolist(), "n1"]
    assert ("u1", "n1") in [row[:2] for row in rows(taken.graph)]
    assert (taken.added_items, taken.unknown_items) == (1, ("n2",))


def test_rows_of_items_that_cannot_be_used_are_left_out(
    shared_catalogue: Path, store: Store, caplog: pytest.LogCaptureFixture
):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    store.put_items({"x": {"no such type": [{"id": "x"}]}, "n1": ADDED})
    with caplog.at_level(logging.WARNING):
        taken = training_feedback(graph, store)
    assert taken.added_items == 1
    assert "Item x of the store was left out" in caplog.text


def test_a_model_says_up_to_which_revision_it_was_trained(
    shared_catalogue: Path, store: Store, tmp_path: Path
):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    store.put_items({"n1": ADDED})
    store.add_events([event("new", "n1"), event("new", "f2")])
    store.remove_items(["f6"])
    taken = training_feedback(graph, store)
    config = kgrec.Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
    recommender = taken.completed(kgrec.Recommender(config).fit(taken.graph))
    recommender.save(tmp_path / "model")
    again = kgrec.Recommender.load(tmp_path / "model")
    assert watermark(again.model) == 4
    assert again.model.metrics["feedback"] == taken.figures()
    listed = again.recommend(["new"], k=10)["item_id"].tolist()
    assert "f6" not in listed and not {"n1", "f2"} & set(listed)
    assert np.isin(["n1"], again.model.items.ids.tolist()).all()


def test_an_empty_store_changes_nothing(shared_catalogue: Path, store: Store):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    taken = training_feedback(graph, store)
    assert rows(taken.graph, "value", "count", "positive") == rows(graph, "value", "count", "positive")
    assert (taken.graph.interactions.time, taken.graph.interactions.weight) == (None, None)


def test_events_follow_a_log_in_an_order_without_times(catalogue: Path, store: Store):
    log = "user,film,place\nu1,f3,1\nu1,f1,2\n"
    graph = graph_of(catalogue, log, "{file: log.csv, user: user, item: film, position: place}")
    store.add_events([event("u1", "f4"), event("u1", "f2"), event("u1", "f3")])
    taken = training_feedback(graph, store).graph
    assert [item for _, item in rows(taken)] == ["f1", "f4", "f2", "f3"]
    assert taken.interactions.position is not None and taken.interactions.time is None
