"""`kgrec serve` as a process of its own, and clients of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Client:
    """A connection that is kept; of one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer; OSError or HTTPException if there is none."""
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer, whose status must be 200."""
        status, answer = self.ask(method, path, body)
        assert status == 200, answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Running:
    """A server process that listens."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.log: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log += list(self.process.stderr)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer, by a connection of its own."""
        client = Client(self.port)
        try:
            return client.ask(method, path, body)
        finally:
            client.close()

    def ended(self, signal_: int) -> int:
        """The exit code after a signal."""
        self.process.send_signal(signal_)
        code = self.process.wait(60)
        self.reader.join(10)
        return code


@contextmanager
def running(model: Path | None, store: str, *options: str) -> Iterator[Running]:
    """A server on a free port, which is killed at the end unless it has ended; without a model, `options` name releases."""
    words = ["serve", *([] if model is None else [str(model)]), "--port", "0", "--store", store, *options]
    server = None
    process = subprocess.Popen(
        [sys.executable, "-m", "kgrec", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ},
    )
    try:
        assert process.stderr is not None
        begun = []
        for line in process.stderr:
            begun.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(begun))
        server = Running(process, int(found[1]))
        yield server
    finally:
        process.kill()
        process.wait(60)
        if server is not None:
            server.reader.join(10)
        assert process.stderr is not None
        process.stderr.close()
