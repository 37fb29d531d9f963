"""A server of the six films at a port of this machine, and a browser that looks at its page.

KGREC_TEST_BROWSER is the path of a Chromium; without it these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kgrec.serve.http.keys import Keys
from kgrec.serve.live import LiveModel
from kgrec.serve.store.store import Store

Look = Callable[..., Any]
Api = Callable[..., Any]

_WAIT_MS = 30_000


def ask(address: str, method: str, path: str, body: Any = None) -> Any:
    """The answer of the API to a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{address}{path}", data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


@contextmanager
def serving(folder: Path, store: Path, keys: Keys | None = None) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    import uvicorn

    from kgrec.serve.http.app import create_app
    from kgrec.serve.http.service import Service
    from kgrec.serve.http.settings import Settings

    live = LiveModel.load(folder, Store.open(store))
    app = create_app(Service(live, Settings(deadline=30), keys))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without keys; its changes are seen by all tests of the module."""
    with serving(model, tmp_path_factory.mktemp("page") / "store.sqlite") as address:
        yield address


@pytest.fixture
def api(address: str) -> Api:
    """A function of method, path and body that asks the server."""
    return partial(ask, address)


@pytest.fixture(scope="session")
def serve(model: Path) -> Callable[..., AbstractContextManager[str]]:
    """A function that starts a server with a store, and perhaps with keys."""
    return partial(serving, model)


@pytest.fixture
def look(chromium: Any, address: str) -> Iterator[Look]:
    """A function that opens a view. At the end the console must have had no error, but for those that a test expects."""
    with ExitStack() as stack:
        errors: list[str] = []

        def opened(
            view: str = "", at: str = address, width: int = 1280, expected: tuple[str, ...] = ()
        ) -> Any:
            context = chromium.new_context(viewport={"width": width, "height": 800})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(_WAIT_MS)

            def heard(message: Any) -> None:
                if message.type in ("error", "warning") and not any(one in message.text for one in expected):
                    errors.append(message.text)

            page.on("console", heard)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"{at}/#/{view}")
            return page

        yield opened
        assert errors == []
