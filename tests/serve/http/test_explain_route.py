"""Why, and why not."""

from __future__ import annotations

from film_server import Server

import kgrec


def excluded(server: Server, **body) -> list[str]:
    return [one["by"] for one in server.post("/v1/explain", {"user": "u1", **body})["excluded_by"]]


def test_an_explanation_is_that_of_the_library(server: Server, rec: kgrec.Recommender):
    [first] = server.post("/v1/recommend", {"user": "u1", "k": 1})["items"]
    answer = server.post("/v1/explain", {"user": "u1", "item": first["item"]})
    assert (answer["score"], answer["rank"], answer["excluded_by"]) == (first["score"], 1, [])
    assert answer["parts"] == rec.explain("u1", first["item"]).to_dict()["parts"]
    assert abs(sum(part["contribution"] for part in answer["parts"]["sources"]) - answer["score"]) < 1e-5


def test_each_rule_that_keeps_an_item_out_is_named(server: Server):
    assert excluded(server, item="f1") == ["seen"]
    assert excluded(server, item="f1", exclude_seen=False) == []
    assert excluded(server, item="f4", where="genres = Horror") == ["where"]
    assert excluded(server, item="f4", deny=["f4"], candidates=["f5"]) == ["candidates", "deny"]
    assert excluded(server, item="f4", min_score=2) == ["min_score"]
    assert excluded(server, item="f4", dislikes=["f4"], likes=["f6"]) == ["disliked"]
    server.client.delete("/v1/items/f4")
    assert excluded(server, item="f4") == ["removed"]


def test_an_item_below_the_list_is_kept_out_by_its_score(server: Server):
    listed = server.items(user="u1", k=3)
    answer = server.post("/v1/explain", {"user": "u1", "item": listed[2], "k": 1})
    assert answer["rank"] == 3
    [why] = answer["excluded_by"]
    assert (why["by"], why["rank"]) == ("score", 3) and why["last_score"] >= answer["score"]


def test_an_item_that_a_cap_keeps_out(server: Server):
    """Of f1 and f2, which have one director, the list has one."""
    body = {
        "user": "u3",
        "k": 2,
        "at_most": {"person": 1},
        "candidates": ["f1", "f2", "f3"],
        "exclude_seen": False,
    }
    first, second = server.items(**body)
    [out] = {"f1", "f2", "f3"} - {first, second}
    assert out in ("f1", "f2") and {first, second} != {"f1", "f2"}
    answer = server.post("/v1/explain", {**body, "item": out})
    [why] = answer["excluded_by"]
    assert why["by"] in ("list", "score")


def test_an_item_that_a_cap_keeps_out_of_a_list_with_room(server: Server):
    """The list is shorter than k, and the item has a higher score than its last one."""
    body = {"history": ["f1"], "k": 10, "exclude_seen": False, "at_most": {"genres": 1}}
    listed = server.items(**body)
    out = next(item for item in server.items(history=["f1"], exclude_seen=False) if item not in listed)
    answer = server.post("/v1/explain", {**body, "item": out})
    [why] = answer["excluded_by"]
    assert (why["by"], why["detail"]) == ("list", "other items fit at_most better")


def test_an_explanation_for_a_history(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/explain", {"history": ["f1", "f3"], "item": "f2"})
    assert answer["parts"] == rec.explain_history(["f1", "f3"], "f2").to_dict()["parts"]


def test_what_is_wrong(server: Server):
    assert server.post("/v1/explain", {"item": "f1"}, 422)["problem"] == "No user or history is given."
    assert server.post("/v1/explain", {"user": "u1", "item": "x"}, 404)["where"] == "body.item"


def test_the_largest_paths_can_be_had_singly(server: Server, rec: kgrec.Recommender):
    why = rec.explain("u1", "f4")
    edges = server.post("/v1/explain", {"user": "u1", "item": "f4", "edges": 2})["edges"]
    assert [one["item_id"] for one in edges["history"]] == why.history["item_id"][
        why.history["contribution"].abs().sort_values(ascending=False, kind="stable").index[:2]
    ].tolist()
    assert edges["paths"] == [] == why.paths.to_dict("records")
    [path] = server.post("/v1/explain", {"history": ["f4"], "item": "f6", "edges": 1})["edges"]["paths"]
    assert (path["item_id"], path["type"], path["history_relation"]) == ("f4", "genre", "genres")
    assert "edges" not in server.post("/v1/explain", {"user": "u1", "item": "f4"})


def test_the_items_without_which_an_item_is_not_listed(server: Server, rec: kgrec.Recommender):
    [first] = server.post("/v1/recommend", {"user": "u1", "k": 1})["items"]
    asked = {"user": "u1", "item": first["item"], "k": 1, "counterfactual": True}
    answer = server.post("/v1/explain", asked)
    why = rec.explain("u1", first["item"], counterfactual=True, request=kgrec.Request(k=1))
    assert why.counterfactual is not None and why.because is not None
    assert answer["counterfactual"] == why.counterfactual.to_dict()
    assert answer["because"] == why.because.to_dict()
    both = server.post("/v1/explain", {**asked, "k": 3, "likes": ["f6"]})
    assert both["counterfactual"]["rank"] == both["rank"]
    assert "counterfactual" not in server.post("/v1/explain", {"user": "u1", "item": first["item"]})
    refused = server.post("/v1/explain", {**asked, "where": "genres = Horror"}, 422)
    assert "is not in the list of 1" in refused["title"] + refused.get("detail", "")
