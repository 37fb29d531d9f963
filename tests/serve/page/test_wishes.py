"""What a list is like as a whole, in a browser."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

ROWS = ".ranked > li"


def labels(page: Any) -> list[str]:
    return page.locator(f"{ROWS} .name").all_text_contents()


def opened(look: Any, view: str = "list/f1") -> Any:
    """A list whose controls are open, by keyboard."""
    page = look(view)
    page.locator(ROWS).first.wait_for()
    page.get_by_text("The list as a whole").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="At most").get_by_role("combobox")).to_contain_text("genres")
    return page


def listed(api: Any, **body: Any) -> list[str]:
    return [
        item["label"] for item in api("POST", "/v1/recommend", {"history": ["f1"], "k": 10, **body})["items"]
    ]


def test_a_strength_by_keyboard_is_that_of_the_api(look, api):
    page = opened(look)
    group = page.get_by_role("group", name="Diversity")
    slider = group.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "1.00")
    expect(page.get_by_role("button", name="Take back: Diversity 1.00")).to_be_visible()
    expect(page.locator(".moved").first).to_be_visible()
    assert labels(page) == listed(api, diversity=1.0) != listed(api)
    group.get_by_role("combobox").select_option("dpp")
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert labels(page) == listed(api, diversity=1.0, diversity_method="dpp")
    expect(slider).to_be_visible()
    page.get_by_role("button", name="Take back: Diversity").click()
    expect(slider).to_have_attribute("aria-valuetext", "off")
    expect(page.get_by_role("button", name="Take back: Diversity")).to_have_count(0)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert labels(page) == listed(api)


@pytest.mark.parametrize(
    ("name", "chip", "options"),
    [
        (
            "Calibration",
            "Calibration 0.50 by directed_by",
            {"calibration": 0.5, "calibrate_by": "directed_by"},
        ),
        ("Novelty", "Novelty 0.50", {"novelty": 0.5}),
        ("Exposure", "Exposure 0.50 by directed_by", {"exposure": 0.5, "exposure_by": "directed_by"}),
    ],
)
def test_each_strength(look, api, name: str, chip: str, options: dict[str, Any]):
    page = opened(look)
    page.get_by_role("group", name=name).get_by_role("slider").fill("0.5")
    expect(page.get_by_role("button", name=f"Take back: {chip}")).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert labels(page) == listed(api, **options)


def test_caps_and_quotas_are_added_and_taken_back(look, api):
    page = opened(look)
    page.get_by_label("Items", exact=True).select_option("10")
    cap = page.get_by_role("group", name="At most")
    cap.get_by_role("combobox").select_option("genres")
    cap.get_by_role("spinbutton").fill("1")
    cap.get_by_role("button", name="Add a cap").click()
    expect(page.get_by_role("button", name="Take back: At most 1 per genres")).to_be_visible()
    capped = listed(api, at_most={"genres": 1})
    expect(page.locator(ROWS)).to_have_count(len(capped))
    assert labels(page) == capped and len(capped) < len(listed(api))
    quota = page.get_by_role("group", name="At least")
    quota.get_by_role("spinbutton").fill("1")
    quota.get_by_role("combobox").fill("genres = Horror")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take back: At least 1: genres = Horror")).to_be_visible()
    page.get_by_role("button", name="Take back: At most").click()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert labels(page) == listed(api, at_least={"genres = Horror": 1})


def test_a_quota_that_no_list_can_meet_is_answered_with_problem_and_remedy(look):
    page = look("list/f1", expected=("status of 422",))
    page.locator(ROWS).first.wait_for()
    page.get_by_text("The list as a whole").click()
    quota = page.get_by_role("group", name="At least")
    quota.get_by_role("spinbutton").fill("9")
    quota.get_by_role("combobox").fill("genres = Horror")
    quota.get_by_role("button", name="Add a quota").click()
    expect(page.get_by_role("alert")).to_contain_text("at_least requires 9 items")
    page.get_by_role("button", name="Take back: At least 9").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    quota.get_by_role("spinbutton").fill("-1")
    quota.get_by_role("combobox").fill("new")
    quota.get_by_role("button", name="Add a quota").click()
    expect(page.get_by_role("button", name="Take back: At least")).to_have_count(0)


def test_why_an_item_is_not_in_a_list_that_was_chosen_as_a_whole(look, api):
    page = opened(look)
    cap = page.get_by_role("group", name="At most")
    cap.get_by_role("combobox").select_option("genres")
    cap.get_by_role("spinbutton").fill("1")
    cap.get_by_role("button", name="Add a cap").click()
    expect(page.get_by_text("No longer in the list:")).to_be_visible()
    gone = next(label for label in listed(api) if label not in labels(page))
    page.get_by_role("combobox", name="Why is an item not here?").fill(gone)
    page.get_by_role("option", name=gone).click()
    expect(page.get_by_role("region", name=f"{gone} is not in the list")).to_contain_text(
        "The list as a whole"
    )
