"""The model of the server, snapshots, and export of events for training elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from kgrec.serve.http.peers import is_of_peer
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, headers_passed_on, scoped, service_of
from kgrec.serve.http.swaps import Swaps

router = APIRouter(prefix="/v1", tags=["admin"])


@router.get("/admin/model", summary="The served model", **scoped("admin"))
async def model(request: Request) -> Response:
    """Name, age, training figures and items by state of the model; and figures about the store."""
    service = service_of(request)
    state = service.state
    items = state.model.items
    figures = await service.change(service.live.store.figures)
    return answer(
        {
            "model": state.name,
            "revision": state.revision,
            "written": _iso(state.written),
            "loaded": _iso(state.loaded),
            "items": {
                "trained": items.n_trained,
                "added": len(items) - items.n_trained,
                "removed": len(items.removed),
            },
            "users": len(state.model.users),
            "store": {"rows": figures.rows, "bytes": figures.bytes, "revision": figures.revision},
            "unusable_events": service.live.unusable,
            "metrics": json.loads(json.dumps(state.model.metrics, default=str)),
        }
    )


@router.post("/admin/reload", summary="Reload the model", **scoped("admin"))
async def reload(request: Request) -> Response:
    """Load the model folder of the command line or the newest release, test it, and replace the served model; running requests finish on the old model.

    If the new model fails its test, the old model stays, and the problem states the reason.
    """
    swapped = await _swaps(request).reload()
    await _everywhere(request)
    state = service_of(request).state
    return answer({"swapped": swapped, "model": state.name, "revision": state.revision})


@router.post("/admin/snapshot", summary="Write the live model", **scoped("admin"))
async def snapshot(request: Request) -> Response:
    """Write the model with its added items and events to its folder or as a new release; the earlier folder is kept beside it.

    A restart from the snapshot reads only later changes from the store.
    """
    written = await _swaps(request).snapshot()
    await _everywhere(request)
    return answer(written)


@router.get("/export/interactions", summary="Events of the store", **scoped("admin"))
async def interactions(
    request: Request,
    since: Annotated[int, Query(ge=0, description="Only events after this revision.")] = 0,
    format: Annotated[Literal["jsonl", "arrow"], Query()] = "jsonl",
) -> Response:
    """All events so far, as JSON lines or as an Arrow stream, with user_id, item_id, type, value and time."""
    service = service_of(request)
    store, until = service.live.store, service.state.revision
    batches = store.export_interactions(since=since, until=until)
    headers = {"X-Revision": str(until)}
    if format == "arrow":
        return StreamingResponse(
            _arrow(batches), headers=headers, media_type="application/vnd.apache.arrow.stream"
        )
    return StreamingResponse(_json_lines(batches), headers=headers, media_type="application/x-ndjson")


async def _everywhere(request: Request) -> None:
    """Make the other workers reload the model, too; a worker that is starting loads it anyway."""
    peers = service_of(request).peers
    others = [] if is_of_peer(request.scope) else peers.others
    headers = headers_passed_on(request)
    asked = [run_in_threadpool(peers.ask, one, "POST", "/v1/admin/reload", headers) for one in others]
    for number, reply in zip(others, await asyncio.gather(*asked), strict=True):
        if reply is not None and reply.status != 200:
            raise Problem(
                "conflict",
                f"Worker {number} still answers from another model, because it could not load this one.",
                "See the server's log, and try again.",
            )


def _swaps(request: Request) -> Swaps:
    swaps: Swaps | None = request.app.state.swaps
    if swaps is None:
        raise Problem("conflict", "This server has no model folder.", "Start it with kgrec serve FOLDER.")
    return swaps


def _json_lines(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    for batch in batches:
        rows = ({**row, "time": row["time"].isoformat()} for row in batch.to_pylist())
        yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def _arrow(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    sink = _Chunks()
    with pa.ipc.new_stream(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


class _Chunks:
    """A writable file whose bytes are read out as they arrive."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep bytes."""
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        """The bytes since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
