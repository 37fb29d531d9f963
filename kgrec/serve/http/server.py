"""The process of a server: it loads, listens, drains, and ends with exit code 0.

Enters: a live model and options for serving. Leaves: nothing; it returns when the process is told to end. Writes log lines to stderr.

On SIGTERM or SIGINT, or when its parent requests it or has ended, the server reports that it is not ready and keeps answering for a while, so that a load balancer
notices. Then it accepts no new connections, finishes the running requests, and flushes the store.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvicorn

from kgrec.errors import ConfigError
from kgrec.serve.http.app import create_app
from kgrec.serve.http.gate import JsonLines
from kgrec.serve.http.service import Service
from kgrec.serve.http.swaps import Swaps

logger = logging.getLogger("kgrec.serve")

#: seconds that running requests may take after the server has stopped listening
FINISH = 30
#: seconds after which idle connections are closed
_KEEP_ALIVE = 75
#: largest number of connections that wait to be accepted
_BACKLOG = 1024
SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: message from the parent that ends a worker
END = "end"


@dataclass(frozen=True)
class Place:
    """The address on which a server listens."""

    host: str = "127.0.0.1"
    #: 0: any free one
    port: int = 8700

    def check(self, has_keys: bool) -> None:
        """Check that a server without keys is not reachable from other machines.

        Raises:
            ConfigError: The address is not a loopback address, and there are no keys.
        """
        if not has_keys and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines, and the server has no keys.",
                "Give --keys FILE (make it with --make-key NAME), or listen on 127.0.0.1.",
            )


def is_loopback(host: str) -> bool:
    """Whether an address is reachable only from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def log_to_stderr(*, access: bool, worker: int | None = None) -> None:
    """Log JSON lines of the server, and of requests if `access`, to stderr; with the worker's number if there are several workers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(worker))
    for name in ("kgrec", "uvicorn"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("kgrec.serve.access").setLevel(logging.INFO if access else logging.WARNING)


def serve(service: Service, place: Place, swaps: Swaps | None = None, *, drain: float = 0.0) -> None:
    """Answer requests in this process until it is told to end.

    Args:
        service: Answers the requests.
        place: The address to listen on.
        swaps: Replaces the model.
        drain: Seconds between "not ready" and the end of listening.

    Raises:
        ConfigError: The address is in use, or needs keys.
    """
    place.check(bool(service.keys))
    listening = listening_at(place)
    logger.info("The server listens at %s.", url_of(listening))
    answer(service, swaps, [listening], drain=drain)
    logger.info("The server has ended.")


def answer(
    service: Service,
    swaps: Swaps | None,
    sockets: Sequence[socket.socket],
    *,
    drain: float,
    finish: int = FINISH,
    parent: Connection | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer requests on some sockets until the process is told to end, by a signal or by its parent.

    Args:
        service: Answers the requests.
        swaps: Replaces the model.
        sockets: The listening sockets.
        drain: Seconds between "not ready" and the end of listening.
        finish: Seconds that running requests have after it; those that still run then are answered by 503.
        parent: Where `END` comes from, instead of signals.
        ready: Called when requests are answered.
    """
    config = uvicorn.Config(
        create_app(service, swaps),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="on",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=finish,
        timeout_keep_alive=_KEEP_ALIVE,
        h11_max_incomplete_event_size=64 << 10,
        ws="none",
    )
    server = _Server(config, service, drain, parent, ready)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(list(sockets)))


def listening_at(place: Place) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: The address is in use.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((place.host.strip("[]"), place.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"The server cannot listen on {place.host}, port {place.port}: {error.strerror or error}.",
            "Give another --port or --host.",
        ) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """The address of a socket as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    """A server that drains before it ends, and ends without raising the signal again."""

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        drain: float,
        parent: Connection | None,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._service, self._drain, self._parent, self._ready = service, drain, parent, ready
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and report it."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals start the drain and are not raised again afterwards, so the exit code is 0. A worker listens to its parent instead."""
        loop = asyncio.get_running_loop()
        if self._parent is not None:
            loop.add_reader(self._parent.fileno(), self._hear, self._parent)
            yield
            loop.remove_reader(self._parent.fileno())
            return
        for one in SIGNALS:
            loop.add_signal_handler(one, self._end)
        try:
            yield
        finally:
            for one in SIGNALS:
                loop.remove_signal_handler(one)

    def _hear(self, parent: Connection) -> None:
        """Wait for `END`, the only message; the end of the parent has the same effect."""
        try:
            parent.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(parent.fileno())
        self._end()

    def _end(self) -> None:
        if self._draining is not None:
            self.force_exit = True  # told to end a second time
            return
        logger.info("The server is draining.")
        self._service.ready = False
        self._draining = asyncio.get_running_loop().create_task(self._stop())

    async def _stop(self) -> None:
        await asyncio.sleep(self._drain)
        self.should_exit = True
