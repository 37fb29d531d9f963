"""Lists that are refined turn by turn."""

from __future__ import annotations

from film_server import Server, Start
from stores import both_databases

from kgrec.serve.http.conversation import Conversation


def begin(server: Server, **body) -> str:
    return str(server.post("/v1/sessions", body)["session"])


def turn(server: Server, session: str, status: int = 200, **body):
    return server.post(f"/v1/sessions/{session}/turns", body, status)


def names(answer) -> list[str]:
    return [item["item"] for item in answer["items"]]


def test_a_session_gathers_what_is_said(server: Server):
    session = begin(server)
    answer = turn(server, session, likes=["Alien Dawn"])
    assert answer["understood"]["likes"] == [{"item": "f1", "label": "Alien Dawn"}]
    assert answer["remarks"] == ["'Alien Dawn' is item f1 (Alien Dawn)."]
    assert names(answer) == server.items(history=["f1"])
    answer = turn(server, session, where="genres = Romance")
    assert names(answer) == server.items(history=["f1"], where="genres = Romance")
    answer = turn(server, session, dislikes=["f4"])
    assert names(answer) == server.items(history=["f1"], dislikes=["f4"], where="genres = Romance")
    answer = turn(server, session, forget=["conditions", "f4"])
    assert names(answer) == server.items(history=["f1"])
    assert server.get(f"/v1/sessions/{session}")["turns"] == 4


def test_words_name_nodes_and_items(server: Server):
    session = begin(server)
    answer = turn(server, session, text="Like Alien Dawn, something with ADA but not horror", k=6)
    understood = answer["understood"]
    assert understood["likes"] == [{"item": "f1", "label": "Alien Dawn"}]
    assert understood["wishes"] == ["person = Ada"]
    assert understood["conditions"] == ["not genre = Horror"]
    assert "f1" not in names(answer) and names(answer)[0] == "f2"
    assert answer["remarks"][-1].startswith("Only the names in the text are used")
    answer = turn(server, session, text="unlike Star Drift")
    assert answer["understood"]["dislikes"] == [{"item": "f2", "label": "Star Drift"}]


@both_databases
def test_a_session_of_a_user_begins_with_the_history(server: Server):
    session = begin(server, user="u1", where="genres = Romance")
    assert names(turn(server, session)) == server.items(user="u1", where="genres = Romance")
    explained = turn(server, begin(server, user="u6"), explain=1, k=1)
    assert "because" in explained["items"][0]


def test_a_turn_that_fails_changes_nothing(server: Server):
    session = begin(server)
    turn(server, session, 422, likes=["f1", "Nothing"])
    assert turn(server, session, 422, where="genres =")["where"] == "body.where"
    turn(server, session, 422, where="nothing = 1")
    turn(server, session, 422, likes=["f1"], dislikes=["f1"], where="nothing = 1")
    assert server.get(f"/v1/sessions/{session}") == {
        "session": session,
        "understood": {"likes": [], "dislikes": [], "conditions": [], "wishes": [], "text": None},
        "turns": 0,
    }


def test_sessions_end(start: Start):
    server = start(sessions=1)
    first, second = begin(server), begin(server)
    assert turn(server, first, 404)["where"] == "path.session"
    turn(server, second)


def test_what_is_forgotten():
    said = Conversation("u", ("a", "b"), ("c",), ("x = 1",), ("y = 2",), "text", 3)
    assert said.forgotten(["a", "x = 1", "y = 2"]) == Conversation("u", ("b",), ("c",), (), (), "text", 3)
    assert said.forgotten(["likes", "text"]) == Conversation("u", (), ("c",), ("x = 1",), ("y = 2",), None, 3)
