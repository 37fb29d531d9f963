"""The workers of a server: processes that answer on one listening socket, and a parent that keeps them alive.

Enters: the resources that each worker opens, and the address to listen on. Leaves: nothing; it returns when the parent is told to end. Writes log lines to stderr.

Each worker is a complete server. The store defines the order of all changes, and each worker applies the changes of the others. A worker that ends is replaced
while the others keep answering. The parent ends workers through a pipe; a worker also ends when its parent has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kgrec.errors import KgrecError, WorkerError
from kgrec.serve.http.opening import Opening
from kgrec.serve.http.peers import Peers
from kgrec.serve.http.server import END, FINISH, SIGNALS, Place, answer, listening_at, log_to_stderr, url_of

logger = logging.getLogger("kgrec.serve")

READY = "ready"
#: seconds before a worker that failed to start is started again; they double up to the second number
_AGAIN, _LONGEST = 1.0, 30.0
#: seconds for flushing the store, in addition to the drain and running requests
_FLUSH = 15.0
#: number of new objects that triggers a garbage collection of the youngest generation, as for the command line
_GARBAGE = 50_000


def serve_by_workers(
    opening: Opening, place: Place, count: int, *, drain: float = 0.0, access_log: bool = True
) -> None:
    """Answer requests in several processes until this one is told to end.

    Args:
        opening: The resources that each worker opens.
        place: The address to listen on.
        count: Number of workers.
        drain: Seconds between "not ready" and the end of listening.
        access_log: Whether workers log requests.

    Raises:
        ConfigError: The address is in use, or needs keys.
        KgrecError: The first worker cannot start; this is the worker's error.
    """
    place.check(bool(opening.keys))
    listening = listening_at(place)
    with tempfile.TemporaryDirectory(prefix="kgrec-serve-", ignore_cleanup_errors=True) as folder:
        peers = [Peers(number, count, Path(folder)) for number in range(count)]
        asyncio.run(_Workers(opening, listening, peers, drain, access_log).run())
    logger.info("The server has ended.")


class _Workers:
    """The workers, as managed by the parent."""

    def __init__(
        self, opening: Opening, listening: socket.socket, peers: list[Peers], drain: float, access_log: bool
    ) -> None:
        self._opening, self._listening, self._peers = opening, listening, peers
        self._drain, self._access_log = drain, access_log
        self._running: dict[int, _Worker] = {}
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Keep the workers alive until a signal arrives."""
        with self._signals():
            first = self._started(self._peers[0])
            try:
                told = await first.message()
                if isinstance(told, KgrecError):
                    raise told
                if told != READY and not self._ending.is_set():
                    raise first.died()
                kept = [self._kept(peers, first if peers.number == 0 else None) for peers in self._peers]
                logger.info("The server listens at %s.", url_of(self._listening))
                await asyncio.gather(*kept)
            finally:
                for worker in self._running.values():
                    worker.kill()

    async def _kept(self, peers: Peers, worker: _Worker | None) -> None:
        """Run one worker after the other under the same number; `worker` is the first and already answers."""
        wait = _AGAIN
        while worker is not None or not self._ending.is_set():
            if worker is None:
                worker = self._started(peers)
                told = await worker.message()
                if told == READY:
                    wait = _AGAIN
                elif isinstance(told, KgrecError):
                    logger.error("Worker %d cannot start: %s", peers.number, told)
            await self._ended(worker)
            if self._ending.is_set():
                return
            logger.error(
                "Worker %d has ended with code %s; a new one is starting.", peers.number, worker.exit_code
            )
            if not worker.was_ready:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), wait)
                wait = min(2 * wait, _LONGEST)
            worker = None

    def _started(self, peers: Peers) -> _Worker:
        worker = _Worker(self._opening, self._listening, peers, self._drain, self._access_log)
        self._running[peers.number] = worker
        return worker

    async def _ended(self, worker: _Worker) -> None:
        """Wait until a worker has ended; kill it if it was told to end and does not."""
        gone = asyncio.create_task(worker.gone())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([gone, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not gone.done():
            await asyncio.wait([gone], timeout=self._drain + FINISH + _FLUSH)
            gone.cancel()
        worker.kill()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for one in SIGNALS:
            loop.add_signal_handler(one, self._end)
        try:
            yield
        finally:
            for one in SIGNALS:
                loop.remove_signal_handler(one)

    def _end(self) -> None:
        self._ending.set()
        for worker in self._running.values():
            worker.end()


class _Worker:
    """A worker process, seen from its parent."""

    def __init__(
        self, opening: Opening, listening: socket.socket, peers: Peers, drain: float, access_log: bool
    ) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        args = (opening, listening, peers, theirs, drain, access_log)
        self._process = context.Process(target=_run, args=args)
        self._process.start()
        # The process holds the only other end, so each side notices when the other has ended.
        theirs.close()
        self._number = peers.number
        self.was_ready = False

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process; a negative code is a signal."""
        return self._process.exitcode

    async def message(self) -> Any:
        """The next message of the process: `READY`, or the error that prevents its start; None if it has ended."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._pipe.fileno(), readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._pipe.fileno())
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            return None
        if told == READY:
            self.was_ready = True
            logger.info("Worker %d answers as process %d.", self._number, self._process.pid)
        return told

    async def gone(self) -> None:
        """Wait until the process closes its end, which it does when it ends."""
        while await self.message() is not None:
            pass

    def end(self) -> None:
        """Tell the process to drain; a second call ends it at once."""
        with contextlib.suppress(OSError):
            self._pipe.send(END)

    def kill(self) -> None:
        """Wait for the end of the process; a process that closed its end of the pipe is about to end."""
        self._process.join(0 if self._process.exitcode is not None else 5)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def died(self) -> WorkerError:
        """The error of a process that ended before it answered, without a reason."""
        self.kill()
        return WorkerError(
            f"Worker {self._number} ended with code {self.exit_code} before it answered.",
            "If memory ran out, use fewer workers.",
        )


def _run(
    opening: Opening,
    listening: socket.socket,
    peers: Peers,
    parent: Connection,
    drain: float,
    access_log: bool,
) -> None:
    """The process of a worker."""
    # Ctrl-C and service managers signal every process of a group; workers obey only the parent.
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    gc.set_threshold(_GARBAGE)
    log_to_stderr(access=access_log, worker=peers.number)
    try:
        # Load torch now: an item added by another worker must take effect here within a second.
        importlib.import_module("kgrec.model.item_updates")
        service, swaps = opening.service(opening.live(), peers)
        sockets = [listening, *peers.listening()]
        answer(service, swaps, sockets, drain=drain, parent=parent, ready=lambda: parent.send(READY))
    except KgrecError as error:
        parent.send(error)
    finally:
        gc.freeze()  # otherwise Python would scan all objects at exit
