"""Nodes, neighbours, paths, SPARQL."""

from __future__ import annotations

from film_server import Server


def test_a_node(server: Server):
    node = server.get("/v1/graph/nodes/person/Ada")
    assert node == {
        "type": "person",
        "key": "Ada",
        "label": "Ada",
        "iri": "https://example.org/person/Ada",
        "item": None,
        "degree": 2,
        "values": {},
    }
    assert server.get("/v1/graph/nodes/film/f1")["item"] == "f1"
    assert server.get("/v1/graph/nodes/person/Nobody", 404)["where"] == "path"


def test_nodes_by_name(server: Server):
    [found] = server.get("/v1/graph/nodes", text="ada")["nodes"]
    assert (found["type"], found["key"]) == ("person", "Ada")


def test_neighbours_page_by_page(server: Server):
    page = server.get("/v1/graph/nodes/film/f1/neighbours", limit=2)
    rest = server.get("/v1/graph/nodes/film/f1/neighbours", limit=2, start=page["next"])
    found = [
        (one["relation"], one["direction"], one["key"]) for one in [*page["neighbours"], *rest["neighbours"]]
    ]
    assert sorted(found) == [
        ("directed_by", "out", "Ada"),
        ("genres", "out", "Horror"),
        ("genres", "out", "Science fiction"),
    ]
    assert (page["total"], rest["next"]) == (3, None)
    [only] = server.get("/v1/graph/nodes/film/f1/neighbours", relation="directed_by")["neighbours"]
    assert only["key"] == "Ada"
    assert server.get("/v1/graph/nodes/film/f1/neighbours", 422, relation="x")["where"] == "query.relation"


def test_paths(server: Server):
    body = {"start": {"type": "film", "key": "f1"}, "end": {"type": "film", "key": "f2"}, "max_hops": 2}
    paths = server.post("/v1/graph/paths", body)["paths"]
    assert [[step["key"] for step in path] for path in paths] == [["Ada", "f2"], ["Science fiction", "f2"]]
    assert [step["direction"] for step in paths[0]] == ["out", "in"]
    body["end"] = {"type": "film", "key": "x"}
    assert server.post("/v1/graph/paths", body, 422)["where"] == "body.end"


def test_an_added_item_has_neighbours(server: Server):
    server.post("/v1/items", {"rows": {"film": [{"id": "n1", "title": "Moon Base", "director": "Ada"}]}})
    found = server.get("/v1/graph/nodes/person/Ada/neighbours")["neighbours"]
    assert [one["item"] for one in found] == ["f1", "f2", "n1"]


def test_sparql(server: Server):
    query = "SELECT ?name WHERE { ?film <https://example.org/relation/directed_by> <https://example.org/person/Ada> ; rdfs:label ?name } ORDER BY ?name"
    answer = server.client.post("/v1/sparql", json={"query": query})
    assert answer.headers["content-type"] == "application/sparql-results+json"
    assert [one["name"]["value"] for one in answer.json()["results"]["bindings"]] == [
        "Alien Dawn",
        "Star Drift",
    ]
    assert (answer.headers["x-truncated"], answer.headers["x-revision"]) == ("false", "0")
    made = server.client.post(
        "/v1/sparql", json={"query": "CONSTRUCT { ?s rdfs:label 'x' } WHERE { ?s rdfs:label 'Rome Summer' }"}
    )
    assert made.text == '<https://example.org/film/f5> <http://www.w3.org/2000/01/rdf-schema#label> "x" .\n'
    assert server.post("/v1/sparql", {"query": "ASK { ?s ?p 'Rome Summer' }"})["boolean"] is True
    assert server.post("/v1/sparql", {"query": "DROP ALL"}, 422)["problem"] == "The text begins with DROP."
