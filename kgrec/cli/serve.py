"""`kgrec serve`: serve a model over HTTP."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgrec.cli import project
from kgrec.cli.console import Console, Json, Quiet, console
from kgrec.errors import ConfigError

if TYPE_CHECKING:
    from kgrec.serve.http.keys import Keys


def serve(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Model folder.", envvar="KGREC_MODEL", show_default="model/ beside the nearest kgrec.yaml"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. All addresses except loopback need --keys.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", "-p", help="Port; 0: any free one.", min=0, max=65535)
    ] = 8700,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="Feedback store: a path, or postgresql://... Default: NAME.feedback.sqlite beside the model NAME.",
        ),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="File with the hashes of the callers' keys.")
    ] = None,
    make_key: Annotated[
        str | None,
        typer.Option(
            "--make-key", help="Add a key with this name to the file of --keys, print the key, and exit."
        ),
    ] = None,
    scopes: Annotated[
        str,
        typer.Option(
            "--scopes", help="Scopes of the new key, separated by commas: read, feedback, write, admin."
        ),
    ] = "read,feedback",
    releases: Annotated[
        Path | None,
        typer.Option(
            "--releases",
            help="Folder of model folders; the newest complete one is served, including one that appears later.",
        ),
    ] = None,
    drift: Annotated[
        Path | None,
        typer.Option(
            "--drift",
            help="Folder written by kgrec drift, whose figures /metrics shows; it may appear later.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Load and test the model, print the findings, and exit.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", help="Processes that answer on one port, each with one core.", min=1, max=64
        ),
    ] = 1,
    drain: Annotated[
        float,
        typer.Option(
            "--drain", help="Seconds between reporting not ready and closing the port, on shutdown.", min=0
        ),
    ] = 0.0,
    warm_text: Annotated[
        bool,
        typer.Option(
            "--warm-text",
            help="Load the text encoder at startup, not at the first text; this takes a few seconds and about 500 MB.",
        ),
    ] = False,
    queue: Annotated[
        int,
        typer.Option(
            "--queue", help="Largest number of waiting requests; further requests get status 429.", min=1
        ),
    ] = 256,
    deadline: Annotated[
        float, typer.Option("--deadline", help="Seconds after which a waiting request is dropped.", min=0.01)
    ] = 2.0,
    access_log: Annotated[
        bool,
        typer.Option(
            "--access-log/--no-access-log", help="Log one line of JSON per request on stderr, without ids."
        ),
    ] = True,
    impressions: Annotated[
        bool,
        typer.Option(
            "--impressions/--no-impressions",
            help="Keep shown lists in the store, for measuring experiments.",
        ),
    ] = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Serve a model over HTTP: lists and explanations; new events and items take effect in the next request.

    Example: `kgrec serve model/`
    """
    out = console(as_json, quiet)
    _check_installed()
    from kgrec.serve.http.keys import Keys
    from kgrec.serve.http.keys import make_key as made

    if make_key is not None:
        if keys is None:
            raise ConfigError("--make-key needs a file to add the key to.", "Give --keys FILE.")
        key = made(keys, make_key, [scope.strip() for scope in scopes.split(",") if scope.strip()])
        out.result({"name": make_key, "key": key}, key)
        return
    # Set before torch and FAISS load: requests run in parallel, so each computation uses one thread.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from kgrec.serve.http.opening import Opening
    from kgrec.serve.http.server import Place, log_to_stderr
    from kgrec.serve.http.server import serve as run
    from kgrec.serve.http.settings import Settings
    from kgrec.serve.http.workers import serve_by_workers

    place, known = Place(host, port), Keys.read(keys) if keys is not None else Keys()
    place.check(bool(known))
    log_to_stderr(access=access_log)
    place_of_models = releases or model or project.model()
    settings = Settings(queue=queue, deadline=deadline, impressions=impressions)
    url = store or _beside(place_of_models)
    opening = Opening(place_of_models, url, releases is not None, known, settings, warm_text, drift)
    if check:
        _report(out, opening.live(), known)
    elif workers > 1:
        serve_by_workers(opening, place, workers, drain=drain, access_log=access_log)
    else:
        service, swaps = opening.service(opening.live())
        run(service, place, swaps, drain=drain)


def _beside(model: Path) -> Path:
    """The default store of a model: a file beside the model folder, so that it survives a replacement of the folder."""
    folder = model.resolve()
    return folder.with_name(f"{folder.name}.feedback.sqlite")


def _check_installed() -> None:
    for name in ("fastapi", "prometheus_client", "sqlalchemy", "uvicorn"):
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed.", "Install it with pip install 'kgrec[serve]'.")


def _report(out: Console, live: Any, keys: Keys) -> None:
    from kgrec.serve.http.checks import found

    values = found(live, keys)
    named = ", ".join(f"{key['name']} ({', '.join(key['scopes'])})" for key in values["keys"]) or "none"
    lines = [
        f"Model {values['model']} passed its test: {values['items']:,} items, {values['users']:,} users.",
        f"Store {values['store']}: {values['events']:,} events, revision {values['revision']}.",
        f"Keys: {named}.",
    ]
    out.result(values, "\n".join(lines))
