"""Named options, variants of users, figures."""

from __future__ import annotations

import pytest
from film_server import Server, Start
from stores import both_databases

from kgrec.serve.http.problems import Problem
from kgrec.serve.http.scenarios import Scenarios, newcombe, variant_of, wilson

HOME = {"options": {"k": 2}, "variants": {"a": {}, "b": {"options": {"k": 1, "where": "genres = Romance"}}}}


def put(server: Server, body) -> None:
    assert server.client.put("/v1/scenarios/home", json=body).status_code == 200


def test_options_of_a_scenario_variant_and_request():
    scenarios = Scenarios(
        {"home": {"options": {"k": 5, "where": "w"}, "variants": {"a": {"options": {"k": 3}, "share": 1}}}}
    )
    assert scenarios.options("home", "u", {}) == ({"k": 3, "where": "w"}, "a")
    assert scenarios.options("home", "u", {"k": 1}) == ({"k": 1, "where": "w"}, "a")
    assert scenarios.options("home", None, {}) == ({"k": 5, "where": "w"}, None)
    assert scenarios.options(None, "u", {"k": 1}) == ({"k": 1}, None)
    with pytest.raises(Problem, match="There is no scenario 'other'"):
        scenarios.options("other", "u", {})


def test_shares_of_variants_hold_and_a_user_keeps_the_variant():
    variants = {"a": {"share": 3}, "b": {"share": 1}}
    chosen = [variant_of("home", f"u{n}", variants) for n in range(4000)]
    assert 0.72 < chosen.count("a") / 4000 < 0.78
    assert chosen == [variant_of("home", f"u{n}", dict(reversed(variants.items()))) for n in range(4000)]
    assert chosen != [variant_of("other", f"u{n}", variants) for n in range(4000)]


def test_a_list_of_a_scenario(server: Server):
    put(server, HOME)
    for user in ("u1", "u2", "u3", "u4"):
        answer = server.post("/v1/recommend", {"user": user, "scenario": "home"})
        variant = variant_of("home", user, {"a": {"share": 1.0}, "b": {"share": 1.0}})
        assert (answer["scenario"], answer["variant"]) == ("home", variant)
        assert len(answer["items"]) == {"a": 2, "b": 1}[variant]
    assert len(server.items(user="u1", scenario="home", k=3)) == 3


@both_databases
def test_a_scenario_is_kept(start: Start):
    first = start()
    put(first, HOME)
    assert first.get("/v1/scenarios/home") == {
        "options": {"k": 2},
        "variants": {
            "a": {"options": {}, "share": 1.0},
            "b": {"options": {"k": 1, "where": "genres = Romance"}, "share": 1.0},
        },
    }
    again = start()
    assert list(again.get("/v1/scenarios")["scenarios"]) == ["home"]
    assert len(again.items(user="u1", scenario="home")) <= 2


def test_what_is_wrong_with_a_scenario(server: Server):
    def problem(body) -> str:
        found = server.client.put("/v1/scenarios/home", json=body)
        assert found.status_code == 422
        return found.json()["where"]

    assert problem({"options": {"where": "genres ="}}) == "body.where"
    assert problem({"variants": {"a": {"share": 0}}}) == "body.variants.a.share"
    assert problem({"options": {"nothing": 1}}) == "body.options.nothing"
    server.get("/v1/scenarios/home", 404)
    server.get("/v1/experiments/home", 404)


@both_databases
def test_figures_of_an_experiment(server: Server):
    put(server, HOME)
    shown = [server.post("/v1/recommend", {"user": f"n{n}", "scenario": "home"}) for n in range(6)]
    clicked = shown[0]
    for number in range(2):  # two clicks in one list count once
        server.event("n0", clicked["items"][0]["item"], "click", rid=clicked["rid"], position=1 + number)
    server.event("n1", shown[1]["items"][0]["item"], "dislike", rid=shown[1]["rid"])
    answer = server.get("/v1/experiments/home")
    counts = {one["variant"]: (one["impressions"], one["clicks"]) for one in answer["variants"]}
    expected = {}
    for n, one in enumerate(shown):
        lists, clicks = expected.get(one["variant"], (0, 0))
        expected[one["variant"]] = (lists + 1, clicks + (n == 0))
    assert counts == expected
    assert all(
        0 <= low <= one["rate"] <= high <= 1 for one in answer["variants"] for low, high in [one["interval"]]
    )


def test_intervals_of_the_textbook():
    # Newcombe 1998, table II: 56 of 70 against 48 of 80
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    assert newcombe((56, 70), (48, 80)) == pytest.approx([0.0524, 0.3339], abs=1e-4)
    assert (wilson(0, 10)[0], wilson(10, 10)[1]) == (pytest.approx(0), pytest.approx(1))


@pytest.mark.parametrize("method", ["epsilon", "thompson", "new"])
def test_drawn_lists_have_propensities(server: Server, method: str):
    explore = {"method": method, "pool": 4}
    variants = {"greedy": {}, "drawn": {"explore": explore}}
    body = {"options": {"k": 2, "exclude_seen": False}, "variants": variants}
    assert server.client.put("/v1/scenarios/home", json=body).status_code == 200
    assert server.get("/v1/scenarios/home")["variants"]["drawn"]["explore"]["pool"] == 4
    lists = {}
    for number in range(12):
        answer = server.post("/v1/recommend", {"user": f"u{number}", "scenario": "home"})
        assert [item["rank"] for item in answer["items"]] == [1, 2]
        lists[answer["rid"]] = answer
    server.get("/v1/experiments/home")  # keeps the impressions
    stored = {one.rid: one for one in server.service.live.store.impressions(scenario="home")}
    assert {answer["variant"] for answer in lists.values()} == {"greedy", "drawn"}
    for rid, answer in lists.items():
        assert list(stored[rid].items) == [item["item"] for item in answer["items"]]
        found = stored[rid].propensities
        if answer["variant"] == "greedy":
            assert found is None
        else:
            assert found is not None
            assert len(found) == 2
            assert all(0 < one <= 1 for one in found)


def test_the_next_page_of_a_drawn_list_is_not_drawn(server: Server):
    body = {
        "variants": {"a": {"explore": {"epsilon": 1, "pool": 4}}},
        "options": {"k": 2, "exclude_seen": False},
    }
    assert server.client.put("/v1/scenarios/home", json=body).status_code == 200
    first = server.post("/v1/recommend", {"user": "u1", "scenario": "home"})
    second = server.get(f"/v1/recommendations/{first['rid']}/next")
    shown = [item["item"] for item in first["items"]]
    whole = [one for one in server.items(user="u1", k=6, exclude_seen=False) if one not in shown]
    assert [item["item"] for item in second["items"]] == whole[:2]


def test_lists_with_options_as_a_whole_are_not_drawn(server: Server):
    body = {"variants": {"a": {"explore": {}, "options": {"diversity": 0.5}}}}
    found = server.client.put("/v1/scenarios/home", json=body)
    assert found.status_code == 422
    assert found.json()["title"] or found.json()["detail"]
    assert "diversity does not apply to lists that are drawn" in found.text
    body = {"variants": {"a": {"explore": {"method": "greedy"}}}}
    assert server.client.put("/v1/scenarios/home", json=body).status_code == 422
