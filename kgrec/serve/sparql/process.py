"""Queries of a graph in a child process, which is ended when one takes too long.

Enters: a graph, and SPARQL texts. Leaves: answers as plain values. Writes an index into a temporary folder.

The engine cannot stop a query, so the process is what is stopped; another one opens the same index at once.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgrec.errors import ConfigError, KgrecError
from kgrec.graph.ntriples import ntriples
from kgrec.graph.tables import GraphTables
from kgrec.serve.sparql.syntax import Form, form_of

#: seconds until an index is made anew after items changed
_EVERY = 60.0
#: seconds that a child has to open the index
_OPENING = 60.0
#: bytes of an answer
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Answer:
    """An answer to a query."""

    form: Form
    #: SPARQL 1.1 Query Results JSON; None for statements
    results: dict[str, Any] | None
    #: N-Triples of a CONSTRUCT
    statements: str | None
    #: whether there are more rows
    truncated: bool
    #: revision of the store whose items the graph has
    revision: int


class TooSlowError(KgrecError):
    """A query took too long and was ended."""


class SparqlProcess:
    """Answers queries one at a time; call it in one thread.

    Args:
        seconds: Time of a query.
        rows: Rows of an answer; further ones are cut.
        memory: Bytes that queries may take in the child.
        most: Edges of the largest graph.
        clock: Seconds.
    """

    def __init__(
        self,
        seconds: float = 2.0,
        rows: int = 10_000,
        memory: int = 1 << 30,
        most: int = 20_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._rows, self._memory, self._most, self._clock = seconds, rows, memory, most, clock
        self._graph: GraphTables | None = None
        self._built, self._revision = 0.0, 0
        self._place: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._prefixes: dict[str, str] = {}

    def query(self, graph: GraphTables, revision: int, text: str) -> Answer:
        """The answer to a query.

        Args:
            graph: What is asked; an index of an earlier one serves for a minute.
            revision: Of the store, whose items the graph has.
            text: SELECT, ASK or CONSTRUCT.

        Raises:
            ConfigError: The text is no such query.
            TooSlowError: It took too long.
            KgrecError: It needed too much memory, or the answer is too large.
        """
        form = form_of(text)
        self._index(graph, revision)
        child = self._running()
        value = self._asked(child, {"query": text})
        if "error" in value:
            raise ConfigError(
                f"The query cannot be answered: {value['error']}.",
                "See SPARQL 1.1, and the prefixes of the mapping.",
            )
        return Answer(form, value.get("results"), value.get("statements"), value["truncated"], self._revision)

    def close(self) -> None:
        """End the child, and remove the index."""
        self._end()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place, self._graph = None, None

    def _index(self, graph: GraphTables, revision: int) -> None:
        """Make the index, unless there is one of this graph, or one that was made a moment ago."""
        if self._graph is graph or (self._graph is not None and self._clock() - self._built < _EVERY):
            return
        if len(graph.triples) > self._most:
            raise ConfigError(
                f"The graph has {len(graph.triples):,} edges, and SPARQL is offered for {self._most:,} at most.",
                "Export it with kgrec export, and ask a triple store.",
            )
        place = Path(tempfile.mkdtemp(prefix="kgrec-sparql-"))
        try:
            with (place / "graph.nt").open("wb") as file:
                for lines in ntriples(graph):
                    file.write(lines)
            subprocess.run(
                _command("build", place / "graph.nt", place / "index"), check=True, capture_output=True
            )
            (place / "graph.nt").unlink()
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(place, ignore_errors=True)
            raise KgrecError(
                f"The index for SPARQL cannot be made: {error}.", "Check the folder for temporary files."
            ) from None
        self.close()
        self._place, self._graph, self._built, self._revision = place, graph, self._clock(), revision
        self._prefixes = dict(graph.mapping.all_prefixes)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        assert self._place is not None
        self._end()
        command = _command(
            "answer", self._place / "index", self._rows, self._memory, json.dumps(self._prefixes)
        )
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._child = child
        self._read(child, _OPENING)
        return child

    def _asked(self, child: subprocess.Popen[bytes], value: dict[str, Any]) -> dict[str, Any]:
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(value).encode() + b"\n")
            child.stdin.flush()
        except OSError:
            self._end()
            raise KgrecError("The process for SPARQL ended.", "Ask again.") from None
        return self._read(child, self._seconds)

    def _read(self, child: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        """The next line of a child as a value; the child is ended if it takes too long."""
        assert child.stdout is not None
        until, parts, size = self._clock() + seconds, list[bytes](), 0
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not parts or not parts[-1].endswith(b"\n"):
                if not selector.select(max(0.0, until - self._clock())):
                    self._end()
                    raise TooSlowError(f"The query took longer than {seconds:g} seconds.", "Ask for less.")
                part = os.read(child.stdout.fileno(), 1 << 20)
                size += len(part)
                if not part or size > _MOST_BYTES:
                    self._end()
                    what = "needed too much memory" if not part else "has too large an answer"
                    raise ConfigError(f"The query {what}.", "Ask for less.")
                parts.append(part)
        value: dict[str, Any] = json.loads(b"".join(parts))
        return value

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "kgrec.serve.sparql.child", *map(str, words)]
