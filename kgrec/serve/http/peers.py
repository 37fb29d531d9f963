"""The workers of one server, as one of them sees the others.

Enters: requests that another worker has to answer. Leaves: its answers. Writes a socket into a folder of the server.

Next pages and sessions are in the memory of the worker that began them; their names begin with its number. Whichever worker gets a request for
one passes it on, over a Unix socket on which each worker answers, too. A worker answers what comes from there by itself.
"""

from __future__ import annotations

import http.client
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: seconds that a worker has for a request of another one: a model may have to be loaded
_PATIENCE = 120.0
_AFTER_NUMBER = "."


@dataclass(frozen=True)
class Reply:
    """What another worker answered."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Peers:
    """The workers of a server; without a folder there is one."""

    #: of this worker, from 0
    number: int = 0
    count: int = 1
    #: has the socket of each worker
    folder: Path | None = None

    @property
    def others(self) -> list[int]:
        """Numbers of the other workers."""
        return [number for number in range(self.count) if number != self.number]

    def new_name(self) -> str:
        """A random name of something in the memory of this worker, which nobody can guess."""
        name = secrets.token_urlsafe(16)
        return name if self.count == 1 else f"{self.number}{_AFTER_NUMBER}{name}"

    def owner(self, name: str) -> int | None:
        """The other worker that gave a name; None if it was this one, or none."""
        number, dot, _ = name.partition(_AFTER_NUMBER)
        known = dot and number.isascii() and number.isdigit() and len(number) < 5
        return int(number) if known and int(number) in self.others else None

    def listening(self) -> list[socket.socket]:
        """The socket on which others ask this worker."""
        if self.folder is None:
            return []
        place = self._socket(self.number)
        place.unlink(missing_ok=True)  # of a worker that was killed
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(place))
        return [listening]

    def ask(
        self, number: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply | None:
        """The answer of another worker; None if it cannot be reached, because it has ended or just starts."""
        connection = _UnixConnection(self._socket(number))
        try:
            connection.request(method, path, body, {**headers, "Host": "localhost"})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, named, response.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _socket(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number}.sock"


def is_of_peer(scope: Mapping[str, Any]) -> bool:
    """Whether a request came over the socket for other workers, which has no port."""
    server = scope.get("server")
    return server is None or server[1] is None


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))
