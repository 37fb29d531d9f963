"""What is known of a user, and its erasure."""

from __future__ import annotations

from film_server import Server, Start
from stores import both_databases


def test_a_user_and_the_history(server: Server):
    assert server.get("/v1/users/u2") == {"user": "u2", "interactions": 3, "liked": 2, "revision": 0}
    page = server.get("/v1/users/u2/history", limit=2)
    rest = server.get("/v1/users/u2/history", limit=2, start=page["next"])
    assert {one["item"]: one["liked"] for one in [*page["items"], *rest["items"]]} == {
        "f1": True,
        "f3": True,
        "f4": False,
    }
    assert rest["next"] is None and page["items"][0]["label"]


def test_an_unknown_user(server: Server):
    assert server.get("/v1/users/nobody", 404)["where"] == "path.user"
    assert server.get("/v1/users/nobody/history", 404)["type"] == "/problems/unknown-id"


@both_databases
def test_an_erased_user_is_unknown(start: Start):
    server = start()
    server.event("new", "f1")
    rid = server.post("/v1/recommend", {"user": "u1", "k": 1})["rid"]
    for user in ("new", "u1"):
        assert server.client.delete(f"/v1/users/{user}").json()["erased"] is True
        server.get(f"/v1/users/{user}", 404)
        assert server.post("/v1/recommend", {"user": user})["fallback"] == "unknown_user"
        assert user not in [one["user"] for one in server.post("/v1/similar/users", {"user": "u2"})["users"]]
    server.get(f"/v1/recommendations/{rid}/next", 404)
    store = server.service.live.store
    assert list(store.events_since()) == []
    assert store.impression(rid) is None
    again = start()
    again.get("/v1/users/u1", 404)
    assert again.post("/v1/recommend", {"user": "u1"})["fallback"] == "unknown_user"


@both_databases
def test_a_user_who_returns_after_an_erasure_begins_anew(server: Server):
    server.client.delete("/v1/users/u1")
    server.event("u1", "f4")
    assert server.get("/v1/users/u1")["interactions"] == 1
    assert [one["item"] for one in server.get("/v1/users/u1/history")["items"]] == ["f4"]


@both_databases
def test_a_user_and_an_item_whose_ids_have_slashes(server: Server):
    server.event("a/b", "f1")
    assert server.get("/v1/users/a%2Fb")["interactions"] == 1
    assert server.get("/v1/users/a/b/history")["items"][0]["item"] == "f1"
    assert server.get("/v1/users/a%2Fb/recommendations")["fallback"] is None
    assert server.client.delete("/v1/users/a%2Fb").json()["user"] == "a/b"


def test_users_by_name(server: Server):
    server.event("xu1", "f1")
    assert server.get("/v1/users", text="U1")["users"] == ["u1", "xu1"]
    assert server.get("/v1/users", limit=2)["users"] == ["u1", "u2"]
    server.client.delete("/v1/users/u1")
    assert server.get("/v1/users", text="u1")["users"] == ["xu1"]
    assert server.get("/v1/users", text="nobody")["users"] == []
