"""Similar items and users, search by name, ranking of a given list."""

from __future__ import annotations

from film_server import Server

import kgrec


def names(answer, what: str = "items", of: str = "item") -> list[str]:
    return [one[of] for one in answer[what]]


def test_similar_items(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/similar/items", {"item": "f1", "k": 3, "where": "genres = Romance"})
    assert names(answer) == rec.similar_items(["f1"], k=3, where="genres = Romance")["similar_id"].tolist()
    assert server.post("/v1/similar/items", {"item": "x"}, 404)["where"] == "body.item"


def test_similar_users(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/similar/users", {"user": "u1", "k": 2})
    assert names(answer, "users", "user") == rec.similar_users(["u1"], k=2)["similar_id"].tolist()
    assert server.post("/v1/similar/users", {"user": "x"}, 422)["where"] == "body.user"


def test_search_by_name(server: Server):
    answer = server.post("/v1/search", {"text": "summer", "mode": "name"})
    assert (names(answer), answer["items"][0]["match"]) == (["f5"], "words")
    assert (
        names(server.post("/v1/search", {"text": "summer", "mode": "name", "where": "genres = Horror"})) == []
    )


def test_search_by_meaning_needs_a_model_with_texts(server: Server):
    problem = server.post("/v1/search", {"text": "space"}, 422)
    assert problem["problem"] == "This model was trained without text, so it cannot recommend by text."


def test_a_given_list_is_put_in_order(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/rank", {"user": "u1", "items": ["f4", "f1", "nothing", "f6"]})
    expected = rec.recommend(["u1"], candidates=["f4", "f1", "f6"], exclude_seen=False)["item_id"].tolist()
    assert (names(answer), answer["unknown"]) == (expected, ["nothing"])
