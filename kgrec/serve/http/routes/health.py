"""Whether the server is alive and ready, and its figures; no key is needed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from kgrec._version import __version__
from kgrec.serve.http.metrics import with_workers
from kgrec.serve.http.peers import Peers, is_of_peer
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, service_of

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Whether the process is alive")
async def healthz() -> Response:
    """Always 200."""
    return answer({"status": "alive", "version": __version__})


@router.get("/readyz", summary="Whether requests are answered")
async def readyz(request: Request) -> Response:
    """200; or 503 while the server starts or drains."""
    service = service_of(request)
    if not service.ready:
        raise Problem(
            "not-ready",
            "The server is starting or stopping.",
            "Try another server, or try again later.",
            headers={"Retry-After": "1"},
        )
    state = service.state
    return answer({"status": "ready", "model": state.name, "revision": state.revision})


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters and histograms, without ids; with several workers, each has its own figures with the label `worker`."""
    service = service_of(request)
    # reading the revision of the store may take long
    text = await run_in_threadpool(service.metrics.text)
    if service.peers.others and not is_of_peer(request.scope):
        text = await run_in_threadpool(_of_workers, service.peers, text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _of_workers(peers: Peers, own: bytes) -> bytes:
    """Figures of all workers that can be reached."""
    replies = {number: peers.ask(number, "GET", "/metrics", {}) for number in peers.others}
    texts = {number: reply.body for number, reply in replies.items() if reply is not None}
    return with_workers({peers.number: own, **texts})
