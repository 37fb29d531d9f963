"""Drafts for lists and objects in cells, and builds with them."""

from __future__ import annotations

import json

import pytest
import yaml

from kgrec.graph.build import build_graph
from kgrec.ingest.draft import draft_mapping

TITLES = ["Alien", "Brazil", "Casablanca", "Dune", "Elf", "Fargo", "Gilda", "Heat", "Ida", "Jaws"]
ROWS = [
    {
        "_id": {"$oid": f"x{i}"},
        "title": title,
        "foods": ["leek", "salt"] if i % 2 else ["salt", "it's"],
        "genres": [{"id": 1, "name": "Drama"}, {"id": i % 3, "name": f"Genre {'abc'[i % 3]}"}],
        "address": {"city": ["Oslo", "Paris"][i % 2], "geo": {"lat": 50.5 + i}},
        "ok": i > 5,
    }
    for i, title in enumerate(TITLES)
]
EXPECTED = {
    "item": True,
    "file": "FILE",
    "key": "_id.$oid",
    "columns": {
        "title": "label",
        "foods": {"as": "node", "type": "food", "edge": "foods"},
        "genres": {"as": "node", "type": "genre", "edge": "genres", "field": "name"},
        "address.city": "category",
        "address.geo.lat": "number",
        "ok": "category",
    },
}


def as_csv(rows, write):
    quoted = [
        ",".join('"' + (c if isinstance(c, str) else write(c)).replace('"', '""') + '"' for c in row.values())
        for row in rows
    ]
    return "\n".join([",".join(rows[0]), *quoted]) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("films.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("films.jsonl", "\n".join(map(repr, ROWS))),
        ("films.json", json.dumps({"total": 10, "films": ROWS}, indent=2)),
        ("films.csv", as_csv(ROWS, json.dumps)),
        ("films.csv", as_csv(ROWS, repr)),
    ],
    ids=["json lines", "python lines", "json", "json in cells", "python in cells"],
)
def test_lists_and_objects_are_drafted_and_built(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    draft = draft_mapping([tmp_path / name])
    expected = {**EXPECTED, "file": name}
    assert yaml.safe_load(draft.yaml)["nodes"]["film"] == expected
    (tmp_path / "kgrec.yaml").write_text(draft.yaml)
    graph = build_graph(tmp_path / "kgrec.yaml")
    nodes = {(row["type"], row["key"]) for row in graph.entities.to_pylist() if row["type"] != "ok"}
    assert nodes == {
        *(("film", f"x{i}") for i in range(10)),
        *(("food", food) for food in ("leek", "salt", "it's")),
        *(("genre", genre) for genre in ("Drama", "Genre a", "Genre b", "Genre c")),
        ("address.city", "Oslo"),
        ("address.city", "Paris"),
    }
    assert all(part.bad == 0 for part in graph.report.files.values())


def columns_of(folder, values, name="more"):
    rows = [f'{i},{title},"{value}"' for i, (title, value) in enumerate(zip(TITLES, values, strict=True))]
    (folder / "films.csv").write_text(f"id,title,{name}\n" + "\n".join(rows) + "\n")
    draft = draft_mapping([folder / "films.csv"])
    return yaml.safe_load(draft.yaml)["nodes"]["film"]["columns"][name]


def test_entities_separate_nothing(tmp_path):
    shops = ["Simon &amp; Sons", "Ann &amp; Co", "Simon &amp; Sons", "Bee"] * 3
    assert columns_of(tmp_path, shops[:10], "shop") == "category"
    assert columns_of(tmp_path, [f"{shop};Bee" for shop in shops[:10]], "shop") == {
        "as": "node",
        "type": "shop",
        "edge": "shop",
        "split": ";",
    }


def test_brackets_alone_are_no_lists(tmp_path):
    assert columns_of(tmp_path, ["[Deluxe]", "[Live]"] * 5, "edition") == "category"


def test_lists_of_numbers_of_different_lengths_are_no_vectors(tmp_path):
    assert columns_of(tmp_path, ["[0.5 1.5]", "[1. 2.]"] * 5) == "vector"
    assert columns_of(tmp_path, ["[1, 2]", "[2]"] * 5, "tags")["as"] in ("node", "ref")


def test_objects_with_keys_for_fields_are_left_out(tmp_path):
    values = [str({f"k{i}{j}": j for j in range(30)}) for i in range(10)]
    assert columns_of(tmp_path, values) == "ignore"
