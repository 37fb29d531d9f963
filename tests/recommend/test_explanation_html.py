"""The page of an explanation: whole without anything else, and data in it is text."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from kgrec.recommend.counterfactual import Counterfactual
from kgrec.recommend.explain import Explanation
from kgrec.recommend.reasons import Reason

SCRIPT = "</title><script>alert(1)</script>"
SOURCES = ("source", "relation", "type", "key", "label", "contribution")
WHY = Explanation(
    user="me",
    item="i1",
    label="Alien",
    score=0.5,
    history=pd.DataFrame(
        {
            "item_id": [f"h{n}" for n in range(10)],
            "label": ["Heat", SCRIPT, *[""] * 8],
            "contribution": [0.2, 0.1, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01, -0.02],
        }
    ),
    sources=pd.DataFrame(
        [
            ("graph", "genres", "genre", "Horror", "Horror", 0.3),
            ("text", "", "", "", "", 0.25),
            ("graph", "directed_by", "person", "x", SCRIPT, -0.05),
        ],
        columns=SOURCES,
    ),
    paths=pd.DataFrame(
        columns=["item_id", "item", "history_relation", "type", "key", "label", "relation", "contribution"]
    ),
    because=Reason(f"Because you liked Heat & {SCRIPT}."),
    counterfactual=Counterfactual(10, 2, (("h0", "Heat"),), True, ("i9", SCRIPT), 30),
)


class Tags(HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_needs_nothing_else_and_runs_nothing():
    html = WHY.to_html()
    page = Tags(html)
    assert not {"script", "link", "img", "iframe", "use", "image"} & set(page.tags)
    assert not {"href", "src", "onclick", "onload"} & {name for name, _ in page.attributes}
    assert "http" not in html and "@import" not in html and "url(" not in html
    assert SCRIPT not in html and SCRIPT in unescape(html)


def test_the_parts_of_a_score_are_drawn():
    page = Tags(WHY.to_html())
    assert page.tags.count("svg") == 2
    assert f"Because you liked Heat & {SCRIPT}." in "".join(page.texts)
    assert f"Without Heat it would not be in the list of 10, but {SCRIPT} would." in "".join(page.texts)
    # seven items one by one, two in one part; what speaks against the item is in the account alone
    labels = [value or "" for name, value in page.attributes if name == "aria-label"]
    assert labels[0].startswith("The score 0.500 by history item: Heat 0.200; ")
    assert labels[0].endswith("; h6 0.020; 2 other items 0.020")
    assert "genres Horror 0.300; its text 0.250" in labels[1]
    assert WHY.text() in "".join(page.texts)


def test_heights_are_the_shares_of_the_whole():
    heights = [float(one) for one in re.findall(r'height="([\d.]+)"', WHY.to_html().partition("</svg>")[0])]
    *bars, whole = heights
    assert sum(bars) == pytest.approx(whole, abs=0.5)
    assert bars[0] / bars[1] == pytest.approx(2, abs=0.01)


def test_a_score_that_nothing_speaks_for_has_no_drawing():
    none = replace(
        WHY,
        history=WHY.history.iloc[:0],
        sources=pd.DataFrame([("text", "", "", "", "", -0.1)], columns=SOURCES),
        because=None,
        counterfactual=None,
    )
    assert "<svg" not in none.to_html()


@pytest.mark.skipif("KGREC_TEST_BROWSER" not in os.environ, reason="KGREC_TEST_BROWSER names no browser")
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_fits_the_window(tmp_path: Path, width: int):
    from playwright.sync_api import sync_playwright

    (tmp_path / "why.html").write_text(WHY.to_html(), encoding="utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ["KGREC_TEST_BROWSER"], args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto((tmp_path / "why.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        left, right = (page.locator("figure").nth(at).bounding_box() for at in (0, 1))
        browser.close()
    assert left and right
    # beside each other, or one below the other
    assert (right["y"] >= left["y"] + left["height"]) == (width == 360)
