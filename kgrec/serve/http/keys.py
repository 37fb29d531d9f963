"""Keys of callers, and the scopes of each key.

Enters: a file of keys, and the headers of a request. Leaves: the scopes of a key. Writes the file when a key is made.

The file is JSON and contains the SHA-256 of each key, never the key. Keys have 256 random bits, so guessing cannot reverse a plain hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kgrec.errors import ConfigError
from kgrec.storage.atomic import put_in_place, temporary_beside

Scope = Literal["read", "feedback", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PREFIX = "kgrec_"


@dataclass(frozen=True)
class Key:
    """A key, represented by its hash."""

    name: str
    scopes: frozenset[str]
    #: SHA-256 of the key, in hexadecimal digits
    sha256: str


@dataclass(frozen=True)
class Keys:
    """The keys of a server; without keys, every caller may do everything."""

    keys: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys)

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a file of keys.

        Raises:
            ConfigError: The file cannot be read, or an entry is not valid.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            entries = values["keys"]
            found = tuple(_entry(one, path) for one in entries)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.", _REMEDY) from None
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{path} is not a file of keys.", _REMEDY) from None
        if not found:
            raise ConfigError(f"{path} has no key.", _REMEDY)
        return cls(found)

    def scopes(self, key: str) -> frozenset[str]:
        """The scopes of a key; none for an unknown key. Every stored key is compared, in constant time."""
        digest = _digest(key)
        allowed: frozenset[str] = frozenset()
        for one in self.keys:
            if hmac.compare_digest(one.sha256, digest):
                allowed = one.scopes
        return allowed


def make_key(path: Path, name: str, scopes: Iterable[str]) -> str:
    """Add a new key to a file, or replace the key with this name.

    Returns:
        The key; it is stored nowhere.

    Raises:
        ConfigError: The name or a scope is not valid, or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is not a valid key name.", "Use letters, digits, '.', '_' and '-'.")
    chosen = _scopes(scopes, "The key")
    others = [key for key in (Keys.read(path).keys if path.exists() else ()) if key.name != name]
    key = _PREFIX + secrets.token_urlsafe(32)
    entries = [*others, Key(name, chosen, _digest(key))]
    values = {
        "keys": [{"name": one.name, "scopes": sorted(one.scopes), "sha256": one.sha256} for one in entries]
    }
    temporary = temporary_beside(path)
    try:
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        put_in_place(temporary, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", "Choose another file.") from None
    return key


_REMEDY = "Make one with kgrec serve --keys FILE --make-key NAME --scopes read,feedback."


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _entry(values: object, path: Path) -> Key:
    if not isinstance(values, dict) or values.keys() != {"name", "scopes", "sha256"}:
        raise ConfigError(f"{path}: a key needs name, scopes and sha256, and nothing else.", _REMEDY)
    name, digest = values["name"], values["sha256"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ConfigError(f"{path}: the sha256 of key '{name}' does not have 64 hexadecimal digits.", _REMEDY)
    if not isinstance(values["scopes"], list):
        raise ConfigError(f"{path}: the scopes of key '{name}' are not a list.", _REMEDY)
    return Key(str(name), _scopes(values["scopes"], f"{path}: key '{name}'"), digest)


def _scopes(scopes: Iterable[str], whose: str) -> frozenset[str]:
    chosen = frozenset(scopes)
    unknown = sorted(map(str, chosen.difference(SCOPES)))
    if unknown or not chosen:
        raise ConfigError(
            f"{whose} has {'the unknown scope ' + repr(unknown[0]) if unknown else 'no scope'}.",
            f"Scopes are {', '.join(SCOPES)}.",
        )
    return chosen
