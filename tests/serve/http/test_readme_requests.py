"""The requests in README.md are answered."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from film_server import Server

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
#: names of the README -> items of the six films
ITEMS = {"i42": "f6", "i7": "f5"}


def test_the_requests_of_the_readme_are_answered(server: Server):
    lines = [shlex.split(line, comments=True) for line in re.findall(r"^curl .*", README, re.MULTILINE)]
    assert len(lines) == 5
    answers = {}
    for words in lines:
        (path,) = [word.removeprefix("localhost:8700") for word in words if word.startswith("localhost:8700")]
        body = words[words.index("-d") + 1] if "-d" in words else None
        for name, item in ITEMS.items():
            body = body and body.replace(f'"{name}"', f'"{item}"')
        if path == "/v1/search":  # the model of the six films has no texts
            assert "without text" in server.post(path, json.loads(body or ""), 422)["problem"]
        else:
            answers[path] = server.post(path, json.loads(body)) if body else server.get(path)
    assert "because" in answers["/v1/recommend"]["items"][0]
    assert answers["/v1/feedback"]["accepted"] == 1
    listed = [item["item"] for item in answers["/v1/users/u1/recommendations?k=5"]["items"]]
    assert "f6" in [item["item"] for item in answers["/v1/recommend"]["items"]]
    assert "f6" not in listed
    assert answers["/v1/explain"]["item"] == "f5"
