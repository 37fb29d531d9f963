"""The process of a server: it loads, listens, drains, and ends with exit code 0.

Enters: a live model and how to serve it. Leaves: when the process was told to end. Writes log lines to stderr.

On SIGTERM or SIGINT the server says that it is not ready, keeps answering for a while, so that a load balancer sees it, then takes no new
connection, finishes what it has, and flushes the store.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from kgrec.errors import ConfigError
from kgrec.serve.http.app import create_app
from kgrec.serve.http.gate import JsonLines
from kgrec.serve.http.service import Service
from kgrec.serve.http.swaps import Swaps

logger = logging.getLogger("kgrec.serve")

#: seconds that running requests have after the server took its last connection
_FINISH = 30
#: connections of idle clients are closed after so many seconds
_KEEP_ALIVE = 75
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    host: str = "127.0.0.1"
    #: 0: any free one
    port: int = 8700

    def check(self, has_keys: bool) -> None:
        """Refuse a place that others reach while everybody may do everything.

        Raises:
            ConfigError: It is not a loopback address, and there are no keys.
        """
        if not has_keys and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines, and the server has no keys.",
                "Give --keys FILE (make it with --make-key NAME), or listen on 127.0.0.1.",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def log_to_stderr(*, access: bool) -> None:
    """JSON lines of the server, and of requests if `access`, on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("kgrec", "uvicorn"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("kgrec.serve.access").setLevel(logging.INFO if access else logging.WARNING)


def serve(service: Service, place: Place, swaps: Swaps | None = None, *, drain: float = 0.0) -> None:
    """Answer requests until the process is told to end.

    Args:
        service: Answers.
        place: Where to listen.
        swaps: Where other models come from.
        drain: Seconds between "not ready" and the end of listening.

    Raises:
        ConfigError: The place has been taken, or needs keys.
    """
    place.check(bool(service.keys))
    listening = _socket(place)
    config = uvicorn.Config(
        create_app(service, swaps),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="on",
        timeout_graceful_shutdown=_FINISH,
        timeout_keep_alive=_KEEP_ALIVE,
        h11_max_incomplete_event_size=64 << 10,
        ws="none",
    )
    server = _Server(config, service, drain)
    logger.info("The server listens at %s.", url_of(listening))
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listening]))
    logger.info("The server has ended.")


def url_of(listening: socket.socket) -> str:
    """The address of a socket as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    """Drains before it ends, and then ends as if nothing had happened."""

    def __init__(self, config: uvicorn.Config, service: Service, drain: float) -> None:
        super().__init__(config)
        self._service, self._drain = service, drain
        self._draining: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals begin the draining; after it they are not raised again, so the exit code is 0."""
        loop = asyncio.get_running_loop()
        for one in _SIGNALS:
            loop.add_signal_handler(one, self._end)
        try:
            yield
        finally:
            for one in _SIGNALS:
                loop.remove_signal_handler(one)

    def _end(self) -> None:
        if self._draining is not None:
            self.force_exit = True  # told twice
            return
        logger.info("The server drains.")
        self._service.ready = False
        self._draining = asyncio.get_running_loop().create_task(self._stop())

    async def _stop(self) -> None:
        await asyncio.sleep(self._drain)
        self.should_exit = True


def _socket(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((place.host.strip("[]"), place.port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"The server cannot listen on {place.host}, port {place.port}: {error.strerror or error}.",
            "Give another --port or --host.",
        ) from None
    return listening
