"""The graph, experiments and metrics in a browser."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect


def test_a_node_is_searched_and_its_neighbours_lead_on(look):
    page = look("graph")
    expect(page.get_by_text("Search a node by its name")).to_be_visible()
    page.get_by_role("combobox", name="Search nodes").fill("comedy")
    expect(page.get_by_role("option", name="Comedy genre")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Comedy")).to_be_visible()
    expect(page.get_by_role("heading", name="Neighbours (2)")).to_be_visible()
    expect(page.get_by_role("img", name="Neighbours of Comedy")).to_be_visible()
    genres = page.get_by_role("region", name="genres of")
    assert genres.get_by_role("link").all_text_contents() == ["Paris Waltz", "Wedding Mess"]
    genres.get_by_role("link", name="Paris Waltz").click()
    expect(page).to_have_title("Paris Waltz - kgrec")
    expect(page.get_by_text("two dancers fall in love")).to_be_visible()
    assert page.get_by_role("region", name="genres").get_by_role("link").all_text_contents() == [
        "Comedy",
        "Romance",
    ]
    expect(page.get_by_role("region", name="Similar items").get_by_role("listitem")).to_have_count(5)


def test_an_item_opens_its_node_and_a_list(look):
    page = look("item/f5")
    expect(page.get_by_role("heading", name="Rome Summer")).to_be_visible()
    page.get_by_role("link", name="List for a user who likes this").click()
    expect(page.get_by_role("button", name="Take back: Liked: Rome Summer")).to_be_visible()


def test_a_node_that_is_not_there(look):
    page = look("graph/film/none", expected=("status of 404",))
    expect(page.get_by_role("alert")).to_contain_text("There is no node of type 'film' with this key")


def test_without_scenarios_the_page_says_how_to_make_one(look):
    page = look("experiments")
    expect(page.get_by_text("There is no scenario yet")).to_be_visible()
    expect(page.get_by_text("curl -X PUT")).to_be_visible()


def test_an_experiment_with_its_intervals(look, api):
    api(
        "PUT",
        "/v1/scenarios/home",
        {"options": {"k": 2}, "variants": {"a": {}, "b": {"options": {"k": 1}, "share": 3}}},
    )
    page = look("experiments")
    expect(page.get_by_text("No list of this scenario has been shown yet")).to_be_visible()
    answers = [api("POST", "/v1/recommend", {"user": f"u{at}", "scenario": "home"}) for at in range(40)]
    clicked = [one for one in answers if one["variant"] == "a"]
    events = [
        {
            "event_id": one["rid"],
            "user": "u1",
            "item": one["items"][0]["item"],
            "type": "click",
            "rid": one["rid"],
        }
        for one in clicked
    ]
    api("POST", "/v1/feedback", {"events": events})
    page.reload()
    home = page.get_by_role("region", name="home", exact=True)
    shares = home.get_by_role("table", name="Variants of home")
    expect(shares.get_by_role("row").filter(has_text="k: 1")).to_contain_text("75\u00a0%")
    figures = home.get_by_role("table", name="Lists with a click")
    expect(figures.get_by_role("row").nth(1)).to_contain_text(f"a{len(clicked)}{len(clicked)}100.0\u00a0%")
    expect(figures.get_by_role("row").nth(2)).to_contain_text("0.0\u00a0%")
    expect(home.get_by_text("b gets fewer clicks than a: \u2212100.0 percentage points")).to_be_visible()


def test_metrics_follow_the_server(look, api):
    page = look("metrics")
    figure = page.get_by_role("region", name="Requests").locator(".figure")
    expect(figure).to_have_text(re.compile("[0-9]"))
    api("GET", "/v1/users")
    expect(page.get_by_role("region", name="Requests").get_by_text("at most")).not_to_have_text("at most 0")
    items = (
        page.get_by_role("table", name="Model and store")
        .get_by_role("row")
        .filter(has_text="Items in training")
    )
    expect(items).to_contain_text("6")


def test_figures_of_two_readings(look):
    page = look()
    values = page.evaluate(
        """async () => {
          const { parse, sum, gained, quantile } = await import("/static/prometheus.js");
          const text = (n) => `# HELP x y\\nx_total{a="1",b="q\\\\"}"} ${n}\\nx_total{a="2"} 1.5\\n` +
            `t_bucket{le="0.1"} ${n}\\nt_bucket{le="1.0"} ${n + 3}\\nt_bucket{le="+Inf"} ${n + 4}\\n`;
          const [before, now] = [parse(text(2)), parse(text(5))];
          const more = [...now.filter((one) => one.labels.le !== "+Inf"), { name: "t_bucket", labels: { le: "+Inf" }, value: 30 }];
          return [sum(now, "x_total"), sum(now, "x_total", (labels) => labels.a === "2"), gained(before, now, "x_total"),
            gained(now, before, "x_total"), quantile(before, now, "t", 0.5), quantile(before, before, "t", 0.5), quantile(before, more, "t", 0.9) === Infinity];
        }"""
    )
    assert values == [6.5, 1.5, 3, 3.5, 0.1, None, True]
