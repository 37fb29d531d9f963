"""The other workers of a server, from the view of one worker.

Enters: requests that another worker must answer. Leaves: its answers. Writes a socket into a folder of the server.

Next pages and sessions are in the memory of the worker that created them, and their names begin with its number. A worker that receives a
request for one forwards it over a Unix socket, on which each worker also answers. A worker never forwards a request from this socket.
"""

from __future__ import annotations

import http.client
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: seconds that a worker has to answer another worker, which may include loading a model
_PATIENCE = 120.0
_AFTER_NUMBER = "."


@dataclass(frozen=True)
class Reply:
    """The answer of another worker."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Peers:
    """The workers of a server; without a folder there is only one."""

    #: number of this worker, from 0
    number: int = 0
    count: int = 1
    #: folder with the socket of each worker
    folder: Path | None = None

    @property
    def others(self) -> list[int]:
        """Numbers of the other workers."""
        return [number for number in range(self.count) if number != self.number]

    def new_name(self) -> str:
        """A random, unguessable name for an object in the memory of this worker."""
        name = secrets.token_urlsafe(16)
        return name if self.count == 1 else f"{self.number}{_AFTER_NUMBER}{name}"

    def owner(self, name: str) -> int | None:
        """The other worker that created a name; None if it was this worker, or no worker."""
        number, dot, _ = name.partition(_AFTER_NUMBER)
        known = dot and number.isascii() and number.isdigit() and len(number) < 5
        return int(number) if known and int(number) in self.others else None

    def listening(self) -> list[socket.socket]:
        """The socket on which this worker receives requests from other workers."""
        if self.folder is None:
            return []
        place = self._socket(self.number)
        place.unlink(missing_ok=True)  # left by a killed worker
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(place))
        return [listening]

    def ask(
        self, number: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply | None:
        """The answer of another worker; None if it cannot be reached because it has ended or is starting."""
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
    """Whether a request came through the socket for workers, which has no port."""
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
