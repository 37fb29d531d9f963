"""Events: durable, once, and counted in the next request."""

from __future__ import annotations

from film_server import Server, Start
from stores import both_databases


@both_databases
def test_an_event_counts_in_the_next_request(server: Server):
    before = server.post("/v1/recommend", {"user": "new"})
    assert before["fallback"] == "unknown_user"
    answer = server.event("new", "f1")
    assert answer == {"revision": 1, "accepted": 1, "duplicate": 0, "rejected": []}
    after = server.post("/v1/recommend", {"user": "new"})
    assert after["fallback"] is None and after["revision"] == 1
    assert [item["item"] for item in after["items"]] == server.items(history=["f1"])


@both_databases
def test_an_event_counts_once(server: Server):
    server.event("u1", "f4")
    again = server.event("u1", "f4")
    assert (again["accepted"], again["duplicate"], again["revision"]) == (0, 1, 1)
    [first] = [one for one in server.get("/v1/users/u1/history")["items"] if one["item"] == "f4"]
    assert (first["count"], first["liked"]) == (1, True)


def test_the_mapping_decides_what_is_positive(server: Server):
    server.event("u9", "f1", "rating", value=5)
    server.event("u9", "f2", "rating", value=3)
    server.event("u9", "f3", "dislike")
    server.event("u9", "f4", "click")
    liked = {one["item"]: one["liked"] for one in server.get("/v1/users/u9/history")["items"]}
    assert liked == {"f1": True, "f2": False, "f3": False, "f4": True}


@both_databases
def test_what_cannot_be_used_is_rejected_and_named(server: Server):
    events = [
        {"event_id": "a", "user": "u1", "item": "f4", "type": "click"},
        {"event_id": "b", "user": "u1", "item": "nothing", "type": "click"},
        {"event_id": "c", "user": "u1", "type": "click"},
        {"event_id": "d", "user": "u1", "item": "f5", "type": "click", "time": 5},
        {"event_id": "e", "user": "u1", "item": "f5", "type": "click", "stars": 5},
        {"event_id": "f", "user": "u1", "item": "f5", "type": "click", "value": "many"},
        {"event_id": "a", "user": "u1", "item": "f5", "type": "click"},
    ]
    answer = server.post("/v1/feedback", {"events": events})
    assert (answer["accepted"], answer["duplicate"]) == (1, 1)
    assert [one["index"] for one in answer["rejected"]] == [1, 2, 3, 4, 5]
    assert all(one["problem"] and one["remedy"] for one in answer["rejected"])
    assert "'stars'" in answer["rejected"][3]["problem"]


def test_at_most_ten_thousand_events(server: Server):
    problem = server.post("/v1/feedback", {"events": [{}] * 10_001}, 422)
    assert problem["where"] == "body.events"
    assert server.post("/v1/feedback", {"events": []})["accepted"] == 0


@both_databases
def test_events_are_there_after_a_restart(start: Start):
    first = start()
    first.event("new", "f1")
    history = first.get("/v1/users/new/history")
    second = start()
    assert second.get("/v1/users/new/history") == history
    assert second.items(user="new") == first.items(user="new")


@both_databases
def test_events_of_another_writer_are_followed(server: Server, store_url: str):
    from kgrec.serve.store.store import Store

    with Store.open(store_url) as other:
        added = other.add_events([{"event_id": "o", "user": "other", "item": "f1", "type": "like"}])
    answer = server.post("/v1/recommend", {"user": "other", "min_revision": added.revision})
    assert answer["fallback"] is None
