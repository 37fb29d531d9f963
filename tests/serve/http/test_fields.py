"""What conditions can say."""

from __future__ import annotations

from film_server import Server


def test_names_with_their_operators(server: Server):
    fields = {one["name"]: one for one in server.get("/v1/fields")["fields"]}
    assert list(fields) == ["directed_by", "genres", "plot", "label", "type"]
    assert fields["genres"] == {"name": "genres", "kind": "relation", "operators": ["=", "!=", "~", "in"]}


def test_values_of_a_relation(server: Server):
    assert server.get("/v1/fields/genres/values", text="ro")["values"] == ["Romance", "Horror"]
    assert server.get("/v1/fields/genres/values", limit=1)["values"] == ["Romance"]
    assert server.get("/v1/fields/plot/values")["values"] == []


def test_a_new_item_brings_its_values(server: Server):
    server.post("/v1/items", {"rows": {"film": [{"id": "n", "title": "N", "genres": "Western"}]}})
    assert server.get("/v1/fields/genres/values", text="west")["values"] == ["Western"]
