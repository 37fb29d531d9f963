"""Keys, hostile labels, the policy, narrow screens, and the vendored files."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

import kgrec.serve
from kgrec.serve.http.keys import Keys, make_key

FOLDER = Path(kgrec.serve.__file__).parent / "page"
#: a label that is a script where it is taken for markup
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


def test_labels_and_ids_are_text_in_every_view(look, api):
    api(
        "POST",
        "/v1/items",
        {
            "rows": {
                "film": [{"id": "<b>x", "title": HOSTILE, "genres": f"Romance|{HOSTILE}", "plot": HOSTILE}]
            }
        },
    )
    event = {"event_id": "1", "user": HOSTILE, "item": "<b>x", "type": "click"}
    api("POST", "/v1/feedback", {"events": [event]})
    page = look()
    page.get_by_role("combobox", name="Search users and items").fill("<img src=x")
    expect(page.get_by_role("option").first).to_contain_text(HOSTILE)
    page.get_by_role("option").filter(has_text="user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"User {HOSTILE}")
    expect(page.get_by_role("region", name="History").get_by_role("link")).to_have_text(HOSTILE)
    page.get_by_label("Seen items too").check()
    page.get_by_role("button", name="Why <img").click()
    expect(page.locator(".words")).to_contain_text(HOSTILE)
    page.get_by_text("The full account").click()
    page.get_by_text("All paths as a table").click()
    page.get_by_role("button", name="Take").click()
    expect(page.locator(".chips")).to_contain_text(HOSTILE)
    page.get_by_role("region", name="History").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_role("region", name="genres").get_by_role("link").last).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, main b").count() == 0


def test_a_server_with_keys_asks_for_one(look, serve, tmp_path: Path):
    file = tmp_path / "keys.json"
    key = make_key(file, "reader", ["read"])
    with serve(tmp_path / "store.sqlite", Keys.read(file)) as address:
        page = look(at=address, expected=("status of 401", "status of 403"))
        dialog = page.get_by_role("dialog", name="Key of the server")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_label("Key", exact=True)).to_be_focused()
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(dialog).to_be_visible()
        dialog.get_by_label("Key", exact=True).fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="u1")).to_be_visible()
        expect(dialog).to_be_hidden()
        assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
        assert key not in page.url
        page.get_by_role("link", name="Experiments").click()
        expect(page.get_by_role("alert")).to_contain_text("The key does not have the scope 'admin'")
        page.get_by_role("button", name="Key").click()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.get_by_role("button", name="Key").click()
        page.get_by_role("button", name="Forget the key").click()
        assert page.evaluate("sessionStorage.length") == 0


def test_the_page_says_when_the_server_does_not_answer(look, serve, tmp_path: Path):
    with serve(tmp_path / "store.sqlite") as address:
        page = look("graph", at=address, expected=("net::ERR_FAILED",))
        page.get_by_role("combobox").wait_for()
        page.route("**/v1/**", lambda route: route.abort())
        page.evaluate("location.hash = '#/graph/film/f1'")
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
        page.unroute("**/v1/**")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("heading", name="Alien Dawn")).to_be_visible()


@pytest.mark.parametrize("view", ["", "user/u1", "list/f4", "graph/film/f1", "experiments", "metrics"])
def test_nothing_is_wider_than_a_narrow_screen(look, view: str):
    page = look(view, width=360)
    page.wait_for_load_state("networkidle") if view != "metrics" else page.locator("td").first.wait_for()
    if view == "list/f4":
        page.get_by_role("button", name="Why Wedding Mess?").click()
        page.locator(".canvas canvas").first.wait_for()
        page.get_by_text("All paths as a table").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_policy_and_types_of_the_files(address: str):
    for path, kind in (
        ("/", "text/html"),
        ("/static/main.js", "text/javascript"),
        ("/static/page.css", "text/css"),
    ):
        with urllib.request.urlopen(address + path) as response:
            assert response.headers["Content-Type"].startswith(kind)
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("name", ["none.js", "../http/app.py", "%2e%2e/http/app.py", "vendor"])
def test_other_files_are_not_served(address: str, name: str):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{address}/static/{name}")
    assert error.value.code == 404
    error.value.close()


def test_vendored_files_are_those_of_the_registry():
    lines = (FOLDER / "vendor" / "VENDORED").read_text(encoding="utf-8").splitlines()
    hashes = dict(reversed(line.split("  ")) for line in lines if "  " in line)
    there = {path.name for path in (FOLDER / "vendor").iterdir()} - {"VENDORED"}
    assert hashes.keys() == there
    for name, digest in hashes.items():
        assert hashlib.sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest


def test_no_module_parses_markup():
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("views/*.js")]:
        text = path.read_text(encoding="utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
            assert way not in text, f"{path.name}: {way}"
