"""Lists, several at once, and their next pages."""

from __future__ import annotations

from film_server import Server, Start

import kgrec
from kgrec.recommend.request import Request
from kgrec.serve.http.bodies import ListOptions


def expected(rec: kgrec.Recommender, user: str, **options) -> list[tuple[str, int, float]]:
    frame = rec.recommend([user], **options)
    return [
        (item, rank, round(score, 6))
        for item, rank, score in zip(frame["item_id"], frame["rank"], frame["score"].tolist(), strict=True)
    ]


def listed(answer) -> list[tuple[str, int, float]]:
    return [(item["item"], item["rank"], item["score"]) for item in answer["items"]]


def test_a_list_is_that_of_the_library(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/recommend", {"user": "u1", "k": 2})
    assert listed(answer) == expected(rec, "u1", k=2)
    assert answer["items"][0]["label"] == rec.label(answer["items"][0]["item"])
    assert (answer["fallback"], answer["variant"], answer["revision"]) == (None, None, 0)
    assert answer["model"] == server.service.state.name and len(answer["rid"]) > 20


def test_options_are_those_of_the_library(server: Server, rec: kgrec.Recommender):
    options = {
        "where": "genres = Romance",
        "deny": ["f4"],
        "exclude_seen": False,
        "where_boost": {"directed_by = Cy": 0.2},
        "item_boost": {"f6": 0.1},
        "min_score": -1.0,
    }
    answer = server.post("/v1/recommend", {"user": "u1", **options})
    assert listed(answer) == expected(rec, "u1", **options)
    assert server.items(user="u1", candidates=["f4", "f6"], exclude_seen=False) == [
        one[0] for one in expected(rec, "u1", candidates=["f4", "f6"], exclude_seen=False)
    ]


def test_options_of_lists_as_a_whole(server: Server, rec: kgrec.Recommender):
    for options in ({"at_most": {"person": 1}}, {"diversity": 0.5}, {"at_least": {"genres = Comedy": 2}}):
        request = Request(k=3, exclude_seen=False, **options)
        answer = server.items(user="u1", k=3, exclude_seen=False, **options)
        assert answer == rec.recommend(["u1"], request=request)["item_id"].tolist()
    assert server.post("/v1/recommend", {"user": "u1", "exposure": 0.2}, 422)["where"] in (
        "body",
        "body.exposure",
    )


def test_every_option_of_a_request_is_offered_but_lists_of_users():
    # `explain` is a number of items there
    options = set(Request.__dataclass_fields__) - {"user_candidates", "user_deny", "explain"}
    assert options <= set(ListOptions.model_fields)


def test_a_list_for_a_history(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/recommend", {"history": ["f1"], "likes": ["f3"], "dislikes": ["f5"]})
    frame = rec.recommend_for_history([["f1", "f3"]], dislikes=[["f5"]])
    assert [item["item"] for item in answer["items"]] == frame["item_id"].tolist()
    assert answer["fallback"] is None


def test_a_history_is_added_to_that_of_the_user(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/recommend", {"user": "u2", "likes": ["f5"], "dislikes": ["f6"]})
    frame = rec.recommend_for_history([["f5"]], dislikes=[["f6"]], users=["u2"])
    assert listed(answer) == [
        (item, rank, round(score, 6))
        for item, rank, score in zip(frame["item_id"], frame["rank"], frame["score"].tolist(), strict=True)
    ]


def test_an_unknown_user_gets_the_list_for_new_users(server: Server, rec: kgrec.Recommender):
    answer = server.post("/v1/recommend", {"user": "nobody", "k": 3})
    assert answer["fallback"] == "unknown_user"
    assert [item["item"] for item in answer["items"]] == rec.recommend_for_history([[]], k=3)[
        "item_id"
    ].tolist()
    assert server.post("/v1/recommend", {"history": []})["fallback"] == "no_history"


def test_fields_and_reasons_of_items(server: Server, rec: kgrec.Recommender):
    body = {"user": "u6", "k": 2, "fields": ["genres"], "explain": 1}
    first, second = server.post("/v1/recommend", body)["items"]
    assert (first["item"], first["fields"]) == ("f6", {"genres": ["Comedy", "Romance"]})
    assert "because" not in second
    row = rec.recommend(["u6"], request=kgrec.Request(k=1, explain=True)).iloc[0]
    assert first["because"]["text"] == row["because"]
    assert first["because"]["items"][0]["item_id"] in ("f4", "f5")
    assert rec.explain("u6", "f6").because.to_dict() == first["because"]


def test_reasons_of_a_user_with_a_history_are_those_of_both(server: Server):
    body = {"user": "u2", "likes": ["f5"], "k": 1, "explain": 1}
    [first] = server.post("/v1/recommend", body)["items"]
    explained = server.post("/v1/explain", {"user": "u2", "likes": ["f5"], "item": first["item"]})
    assert abs(sum(part["contribution"] for part in explained["parts"]["sources"]) - first["score"]) < 1e-4


def test_a_list_by_address(server: Server):
    body = server.post("/v1/recommend", {"user": "u1", "k": 1, "where": "genres = Comedy"})
    answer = server.get("/v1/users/u1/recommendations", k=1, where="genres = Comedy")
    assert answer["items"] == body["items"]


def test_pages_do_not_repeat(server: Server):
    answer = server.post("/v1/recommend", {"user": "nobody", "k": 2})
    seen = [item["item"] for item in answer["items"]]
    server.event("nobody", "f1")
    for ranks in ([3, 4], [5, 6], []):
        page = server.get(f"/v1/recommendations/{answer['rid']}/next")
        assert [item["rank"] for item in page["items"]] in (ranks, ranks[:-1])
        seen += [item["item"] for item in page["items"]]
    assert len(seen) == len(set(seen)) >= 5


def test_a_page_of_an_unknown_list(server: Server):
    problem = server.get("/v1/recommendations/none/next", 404)
    assert (problem["type"], problem["where"]) == ("/problems/unknown-id", "path.rid")


def test_the_list_that_was_used_least_recently_is_forgotten(start: Start):
    server = start(kept_lists=1)
    first = server.post("/v1/recommend", {"user": "u1", "k": 1})["rid"]
    second = server.post("/v1/recommend", {"user": "u1", "k": 1})["rid"]
    server.get(f"/v1/recommendations/{first}/next", 404)
    server.get(f"/v1/recommendations/{second}/next")


def test_several_lists_and_a_problem_in_the_place_of_one(server: Server):
    queries = [{"user": "u1", "k": 1}, {"user": "u2", "where": "nothing = 1"}, {"user": "u3", "k": 1}]
    first, second, third = server.post("/v1/recommend/batch", {"queries": queries})["results"]
    assert [one["items"][0]["item"] for one in (first, third)] == [
        server.items(user="u1", k=1)[0],
        server.items(user="u3", k=1)[0],
    ]
    assert second["type"] == "/problems/not-valid" and "nothing" in second["problem"]


def test_what_is_wrong_is_named(server: Server):
    def problem(**body) -> tuple[str, str]:
        found = server.post("/v1/recommend", body, 422)
        assert found["remedy"] and found["detail"].startswith(found["problem"])
        return found["where"], found["problem"]

    assert problem() == ("body", "No user or history is given.")
    assert problem(user="u1", k=0)[0] == "body.k"
    assert problem(user="u1", k=1001)[0] == "body.k"
    assert problem(user="u1", kk=1) == ("body.kk", "There is no option 'kk' here.")
    assert problem(user="u1", where="genres =")[0] == "body.where"
    assert problem(user="")[0] == "body.user"
    assert problem(user=" ")[0] == problem(user="a\0b")[0] == "body.user"
    assert problem(user="u" * 513)[0] == "body.user"
    assert problem(user="u1", deny=["x"])[1].startswith("There is no item 'x' in the model.")
    assert problem(user="u1", min_score="high")[0] == "body.min_score"
    assert problem(user="u1", fields=["nothing"])[1] == "Items have no field 'nothing'."
    assert problem(user="u1", scenario="none") == ("body.scenario", "There is no scenario 'none'.")
    assert problem(user="u1", likes=["f1"], dislikes=["f1"])[1] == "'f1' is both liked and disliked."
    assert problem(user="u1", fields=["a"] * 17)[0] == "body.fields"


def test_unknown_ids_may_be_skipped(server: Server):
    assert server.items(user="u1", deny=["x"], on_unknown="skip") == server.items(user="u1")


def test_a_revision_that_is_not_there_is_waited_for(start: Start):
    server = start(deadline=0.1)
    assert (
        server.post("/v1/recommend", {"user": "u1", "min_revision": 5}, 409)["where"] == "body.min_revision"
    )
    revision = server.event("u1", "f4")["revision"]
    assert server.post("/v1/recommend", {"user": "u1", "min_revision": revision})["revision"] == revision
