"""Keys and their scopes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from film_server import Start

from kgrec.errors import ConfigError
from kgrec.serve.http.keys import Keys, make_key


def test_a_file_of_keys_has_their_hashes_alone(tmp_path: Path):
    path = tmp_path / "keys.json"
    first = make_key(path, "shop", ["read", "feedback"])
    second = make_key(path, "job", ["admin"])
    text = path.read_text()
    assert first not in text and second not in text and len(first) > 40
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    keys = Keys.read(path)
    assert keys.scopes(first) == {"read", "feedback"}
    assert keys.scopes(second) == {"admin"}
    assert keys.scopes(first + "x") == keys.scopes("") == frozenset()
    third = make_key(path, "shop", ["read"])
    assert (Keys.read(path).scopes(first), Keys.read(path).scopes(third)) == (frozenset(), {"read"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not a file of keys"),
        ('{"keys": []}', "has no key"),
        ('{"keys": [{"name": "a"}]}', "needs name, scopes and sha256"),
        (
            '{"keys": [{"name": "a", "scopes": ["read"], "sha256": "x"}]}',
            "does not have 64 hexadecimal digits",
        ),
        (json.dumps({"keys": [{"name": "a", "scopes": ["all"], "sha256": "0" * 64}]}), "unknown scope 'all'"),
        (json.dumps({"keys": [{"name": "a", "scopes": [], "sha256": "0" * 64}]}), "has no scope"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, problem: str):
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        Keys.read(tmp_path / "keys.json")


def test_names_and_scopes_are_checked(tmp_path: Path):
    with pytest.raises(ConfigError, match="is not a valid key name"):
        make_key(tmp_path / "keys.json", "a b", ["read"])
    with pytest.raises(ConfigError, match="unknown scope"):
        make_key(tmp_path / "keys.json", "a", ["everything"])
    with pytest.raises(ConfigError, match="cannot be read"):
        Keys.read(tmp_path / "nothing.json")


def test_every_route_needs_its_scope(start: Start, model: Path, tmp_path: Path):
    path = tmp_path / "keys.json"
    made = {scope: make_key(path, scope, [scope]) for scope in ("read", "feedback", "write", "admin")}
    # a copy, for one of the routes writes the folder
    server = start(Path(shutil.copytree(model, tmp_path / "model")), keys=Keys.read(path))
    schema = server.get("/openapi.json")
    checked = 0
    for address, operations in schema["paths"].items():
        for method, operation in operations.items():
            if not address.startswith("/v1"):
                assert server.client.request(method, address).status_code == 200
                continue
            checked += 1

            def status(
                key: str = "", method: str = method, address: str = address, header: str = "X-API-Key"
            ) -> int:
                headers = {header: key} if key else {}
                return server.client.request(method, address, headers=headers, json={}).status_code

            own = operation["x-scope"]
            assert status() == status("wrong") == 401, address
            assert all(status(key) == 403 for scope, key in made.items() if scope != own), address
            assert status(made[own]) not in (401, 403), address
            assert status(f"Bearer {made[own]}", header="Authorization") not in (401, 403), address
    assert checked > 25
    assert server.client.post("/v1/recommend", json={"user": "u1"}).headers["www-authenticate"] == "Bearer"
