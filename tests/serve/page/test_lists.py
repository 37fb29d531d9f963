"""Lists in a browser: search, history, explanations, and what is tried out."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

ROWS = ".ranked > li"


def labels(page: Any) -> list[str]:
    return page.locator(f"{ROWS} .name").all_text_contents()


def listed(api: Any, **body: Any) -> list[str]:
    """The labels that the API lists."""
    return [item["label"] for item in api("POST", "/v1/recommend", {"k": 10, **body})["items"]]


def test_search_and_choice_by_keyboard(look, api):
    page = look()
    search = page.get_by_role("combobox", name="Search users and items")
    expect(search).to_be_focused()
    page.keyboard.type("alien")
    expect(page.get_by_role("option", name="Alien Dawn")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    search.fill("")
    page.keyboard.type("U1")
    expect(page.get_by_role("option", name="u1 user")).to_have_attribute("aria-selected", "true")
    search.fill("")
    page.keyboard.type("u1")
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="User u1")
    expect(heading).to_be_focused()
    expect(page).to_have_title("User u1 - kgrec")
    expect(page.locator(ROWS)).to_have_count(3)
    assert labels(page) == listed(api, user="u1")
    history = page.get_by_role("region", name="History").get_by_role("listitem")
    assert sorted(history.locator("a").all_text_contents()) == ["Alien Dawn", "Red Planet", "Star Drift"]


def test_the_first_key_skips_to_the_content(look):
    page = look("user/u1")
    page.locator(ROWS).first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_an_explanation_in_words_as_a_graph_and_as_a_table(look):
    page = look("list/f4")
    expect(page.locator(ROWS).filter(has_text="Wedding Mess")).to_contain_text(
        "Because you liked Paris Waltz"
    )
    why = page.get_by_role("button", name="Why Wedding Mess?")
    why.focus()
    page.keyboard.press("Enter")
    expect(why).to_have_attribute("aria-expanded", "true")
    words = page.locator(".words")
    expect(words).to_contain_text("Because you liked Paris Waltz: the same genres (Comedy and Romance)")
    expect(page.get_by_role("img", name="How the history leads to Wedding Mess")).to_be_visible()
    expect(page.locator(".canvas canvas")).to_have_count(3)
    page.get_by_text("All paths as a table").click()
    table = page.get_by_role("table", name="Paths to Wedding Mess")
    comedy = table.get_by_role("row").filter(has_text="Comedy")
    expect(comedy).to_contain_text("Paris Waltz")
    expect(comedy.get_by_role("link", name="Comedy")).to_have_attribute("href", "#/graph/genre/Comedy")
    why.focus()
    page.keyboard.press("Enter")
    expect(why).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".words")).to_have_count(0)


def test_escape_closes_an_explanation_and_returns_to_its_button(look):
    page = look("user/u1")
    page.get_by_role("button", name="Why").first.click()
    page.locator(".why summary").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".why")).to_have_count(0)
    expect(page.get_by_role("button", name="Why").first).to_be_focused()


def test_a_history_without_an_item(look, api):
    page = look("user/u1")
    page.get_by_role("button", name="Take out: Alien Dawn").click()
    expect(page.locator(ROWS)).to_have_count(4)
    assert labels(page) == listed(api, history=["f2", "f3"])
    expect(page.locator(ROWS).filter(has_text="Alien Dawn")).to_contain_text("new")
    page.get_by_role("button", name="Take back: Not in the history: Alien Dawn").click()
    expect(page.locator(ROWS)).to_have_count(3)
    assert labels(page) == listed(api, user="u1")
    expect(page.get_by_role("button", name="Take out: Alien Dawn")).to_be_visible()


def test_likes_and_dislikes_change_the_list_and_keep_the_focus(look):
    page = look("user/u1")
    page.locator(ROWS).first.wait_for()
    first = labels(page)[0]
    page.get_by_role("button", name=f"Dislike {first}").focus()
    page.keyboard.press("Enter")
    expect(page.locator(ROWS)).to_have_count(2)
    assert first not in labels(page)
    expect(page.get_by_text("No longer in the list:")).to_contain_text(first)
    expect(page.get_by_text("nothing is stored")).to_be_visible()
    expect(page.locator(ROWS).first.get_by_role("button").last).to_be_focused()
    page.get_by_role("combobox", name="Add a liked item").fill(first)
    page.get_by_role("option", name=first).click()
    expect(page.get_by_role("button", name=f"Take back: Liked: {first}")).to_be_visible()
    expect(page.get_by_role("button", name=f"Take back: Disliked: {first}")).to_have_count(0)


def test_a_condition_is_completed_and_applied(look):
    page = look("user/u1")
    condition = page.get_by_role("combobox", name="Condition")
    options = page.get_by_role("listbox", name="Condition").get_by_role("option")
    condition.focus()
    for begun, option in (("gen", "genres"), ("=", "="), ("co", "Comedy")):
        page.keyboard.type(begun)
        expect(options).to_have_count(1)
        expect(options).to_contain_text(option)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    expect(condition).to_have_value("genres = Comedy ")
    page.keyboard.press("Enter")
    expect(page.locator(ROWS)).to_have_count(2)
    assert sorted(labels(page)) == ["Paris Waltz", "Wedding Mess"]


def test_a_wrong_condition_is_answered_with_problem_and_remedy(look):
    page = look("user/u1", expected=("status of 422",))
    page.get_by_role("combobox", name="Condition").fill("genres = Horor")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("'Horor' matches no neighbour by 'genres'")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean 'Horror'")


def test_a_condition_that_no_item_meets_says_what_to_do(look):
    page = look("user/u1")
    page.get_by_role("combobox", name="Condition").fill("genres = Horror")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Widen the condition")).to_be_visible()


def test_why_an_item_is_not_here(look):
    page = look("user/u1")
    page.get_by_role("combobox", name="Why is an item not here?").fill("alien")
    page.get_by_role("option", name="Alien Dawn").click()
    why = page.get_by_role("region", name="Alien Dawn is not in the list")
    expect(why).to_contain_text("The user has interacted with it")
    expect(why).to_contain_text("Seen items too")
    page.get_by_label("Seen items too").check()
    expect(page.locator(ROWS)).to_have_count(6)


def test_an_unknown_user_gets_a_list_and_is_told_so(look):
    page = look("user/nobody", expected=("status of 404",))
    expect(page.get_by_role("alert")).to_contain_text("There is no such user")
    expect(page.get_by_text("this is the list for the average user")).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"expected": "name", "name": "", "partial": "", "start": 0}),
        ("ge", {"expected": "name", "name": "", "partial": "ge", "start": 0}),
        ("genres ", {"expected": "operator", "name": "genres", "partial": "", "start": 7}),
        ("genres = ", {"expected": "value", "name": "genres", "partial": "", "start": 9}),
        ("genres=Ho", {"expected": "value", "name": "genres", "partial": "Ho", "start": 7}),
        ('a = "b c', {"expected": "value", "name": "a", "partial": "b c", "start": 4}),
        ('a = "b c" ', {"expected": "join", "name": "a", "partial": "", "start": 10}),
        ("not (a = b and ", {"expected": "name", "name": "a", "partial": "", "start": 15}),
        ("a not in (b, c", {"expected": "value", "name": "a", "partial": "c", "start": 13}),
        ("a in (b) o", {"expected": "join", "name": "a", "partial": "o", "start": 9}),
        ("has ", {"expected": "present", "name": "", "partial": "", "start": 4}),
    ],
)
def test_what_a_condition_expects_at_the_caret(parsing, text: str, expected: dict[str, Any]):
    assert parsing(text) == expected


@pytest.fixture(scope="module")
def parsing(chromium, address: str):
    page = chromium.new_page()
    page.goto(f"{address}/healthz")
    yield lambda text: page.evaluate(
        "text => import('/static/where.js').then(where => where.position(text))", text
    )
    page.close()
