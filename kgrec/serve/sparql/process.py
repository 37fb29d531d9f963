"""Graph queries in a child process, which is killed if a query takes too long.

Enters: a graph, and SPARQL texts. Leaves: answers as plain values. Writes an index into a temporary folder.

The engine cannot stop a query, so the process is killed instead; a new one opens the same index at once.
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

#: seconds until an index is rebuilt after items changed
_EVERY = 60.0
#: seconds that a child may take to open the index
_OPENING = 60.0
#: largest number of bytes per answer
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
    #: revision of the store up to which the graph includes its items
    revision: int


class TooSlowError(KgrecError):
    """A query took too long and was ended."""


class SparqlProcess:
    """Answers queries one at a time; call it in one thread.

    Args:
        seconds: Largest number of seconds per query.
        rows: Largest number of rows per answer; further rows are cut.
        memory: Bytes that queries may use in the child.
        most: Number of edges in the largest supported graph.
        clock: Returns the time in seconds.
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
            graph: The graph to query; the index of an earlier graph is used for up to a minute.
            revision: Revision of the store up to which the graph includes its items.
            text: SELECT, ASK or CONSTRUCT.

        Raises:
            ConfigError: The text is not such a query.
            TooSlowError: The query took too long.
            KgrecError: The query needed too much memory, or its answer is too large.
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
        """Build the index, unless there is one for this graph, or a recent one."""
        if self._graph is graph or (self._graph is not None and self._clock() - self._built < _EVERY):
            return
        if len(graph.triples) > self._most:
            raise ConfigError(
                f"The graph has {len(graph.triples):,} edges, and SPARQL is offered only for graphs of at most {self._most:,}.",
                "Export it with kgrec export, and query it in a triple store.",
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
                f"The index for SPARQL cannot be built: {error}.", "Check the folder for temporary files."
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
            raise KgrecError("The process for SPARQL ended.", "Try again.") from None
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
                    raise TooSlowError(
                        f"The query took longer than {seconds:g} seconds.", "Narrow the query."
                    )
                part = os.read(child.stdout.fileno(), 1 << 20)
                size += len(part)
                if not part or size > _MOST_BYTES:
                    self._end()
                    what = "needed too much memory" if not part else "has too large an answer"
                    raise ConfigError(f"The query {what}.", "Narrow the query.")
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
