"""The catalogue: items are read, added, changed and removed."""

from __future__ import annotations

from film_server import Server, Start
from stores import both_databases

MOON = {"id": "n1", "title": "Moon Base", "genres": "Science fiction", "director": "Ada"}


@both_databases
def test_an_added_item_is_in_the_next_list(server: Server):
    answer = server.post("/v1/items", {"rows": {"film": [MOON]}})
    assert (answer["added"], answer["known"], answer["linked"], answer["bare"]) == (["n1"], [], {"n1": 2}, [])
    listed = server.post("/v1/recommend", {"user": "u1", "min_revision": answer["revision"], "k": 6})
    [item] = [one for one in listed["items"] if one["item"] == "n1"]
    assert item["label"] == "Moon Base"
    assert server.get("/v1/items/n1")["state"] == "added"


def test_a_known_item_is_left_as_it_is(server: Server):
    answer = server.post("/v1/items", {"rows": {"film": [{"id": "f1", "title": "Other"}, MOON]}})
    assert (answer["added"], answer["known"]) == (["n1"], ["f1"])
    assert server.get("/v1/items/f1")["label"] == "Alien Dawn"


def test_an_item_by_its_address(server: Server):
    assert server.get("/v1/items/f1") == {
        "item": "f1",
        "label": "Alien Dawn",
        "type": "film",
        "state": "trained",
        "fields": {
            "genres": ["Horror", "Science fiction"],
            "directed_by": ["Ada"],
            "plot": "a crew meets a creature in space",
        },
        "revision": 0,
    }
    assert server.get("/v1/items/nothing", 404)["where"] == "path.item"


def test_items_page_by_page_and_by_name(server: Server):
    page = server.get("/v1/items", limit=4)
    rest = server.get("/v1/items", limit=4, start=page["next"])
    assert [one["item"] for one in [*page["items"], *rest["items"]]] == ["f1", "f2", "f3", "f4", "f5", "f6"]
    assert rest["next"] is None
    assert [one["item"] for one in server.get("/v1/items", text="paris")["items"]] == ["f4"]


@both_databases
def test_put_replaces_and_patch_changes(server: Server):
    put = server.client.put(
        "/v1/items/n1", json={"title": "Moon Base", "genres": "Comedy", "director": "Ada"}
    ).json()
    assert put["added"] == ["n1"]
    patched = server.client.patch("/v1/items/n1", json={"title": "Moon Base 2"}).json()
    assert patched["updated"] == ["n1"]
    fields = server.get("/v1/items/n1")
    assert (fields["label"], fields["fields"]) == (
        "Moon Base 2",
        {"genres": ["Comedy"], "directed_by": ["Ada"]},
    )
    put = server.client.put("/v1/items/n1", json={"title": "Moon Base 3", "director": "Bo"}).json()
    assert put["updated"] == ["n1"]
    fields = server.get("/v1/items/n1")
    assert (fields["label"], fields["fields"]) == ("Moon Base 3", {"directed_by": ["Bo"]})


@both_databases
def test_a_removed_item_is_in_no_list_until_it_is_put_again(server: Server):
    assert server.client.delete("/v1/items/f4").json()["removed"] == ["f4"]
    assert "f4" not in server.items(user="nobody", k=6)
    assert server.get("/v1/items/f4")["state"] == "removed"
    server.client.put("/v1/items/f4", json={"title": "Paris Waltz", "genres": "Romance"})
    assert "f4" in server.items(user="nobody", k=6)


@both_databases
def test_changes_are_there_after_a_restart(start: Start):
    first = start()
    first.post("/v1/items", {"rows": {"film": [MOON]}})
    first.client.patch("/v1/items/n1", json={"title": "Moon Base 2"})
    first.client.patch("/v1/items/f1", json={"title": "Alien Dusk"})
    first.client.delete("/v1/items/f2")
    second = start()
    for item in ("n1", "f1", "f2"):
        assert second.get(f"/v1/items/{item}") == first.get(f"/v1/items/{item}")
    assert second.items(user="u1", k=9, exclude_seen=False) == first.items(user="u1", k=9, exclude_seen=False)


def test_what_is_wrong_with_rows_is_named(server: Server):
    def problem(rows) -> tuple[str, str]:
        found = server.post("/v1/items", {"rows": rows}, 422)
        return found["where"], found["problem"]

    assert problem({"movie": [MOON]}) == (
        "body.rows.movie",
        "There is no node table 'movie' in the mapping.",
    )
    assert problem({"film": [{**MOON, "titel": "x"}]}) == (
        "body.rows.film[0].titel",
        "'film' has no column 'titel'.",
    )
    assert problem({})[0] == "body.rows"
    found = server.client.patch("/v1/items/f1", json={"titel": "x"})
    assert (found.status_code, found.json()["where"]) == (422, "body.titel")
    assert server.client.delete("/v1/items/nothing").status_code == 404
    found = server.client.put("/v1/items/n1?type=genre", json={"title": "x"})
    assert (found.status_code, found.json()["where"]) == (422, "query.type")
    assert server.get("/v1/items/n1", 404)


def test_two_servers_of_one_store_follow_each_other(start: Start):
    first, second = start(), start()
    revision = first.post("/v1/items", {"rows": {"film": [MOON]}})["revision"]
    assert "n1" in second.items(user="u1", k=9, min_revision=revision)
    revision = second.event("new", "n1")["revision"]
    assert first.items(user="new", min_revision=revision) == second.items(user="new")
    assert second.client.delete("/v1/items/n1").status_code == 200
    put = first.client.put("/v1/items/n1", json={"title": "Moon Base 2"}).json()
    assert put["added"] == ["n1"]
    second.post("/v1/recommend", {"user": "u1", "min_revision": put["revision"]})
    assert second.get("/v1/items/n1")["label"] == "Moon Base 2"
