"""The state shared by the routes of one server: the live model, its queues, kept lists, impressions.

Enters: a live model and settings. Leaves: answers, awaited by routes. Writes impressions to the store.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from kgrec.errors import KgrecError
from kgrec.graph.edges_by_node import EdgesByNode
from kgrec.retrieve.openmp import use_one_thread
from kgrec.serve.http.conversation import Conversation
from kgrec.serve.http.keys import Keys
from kgrec.serve.http.lists import Kept, Listed, ListOf, Whom, lists
from kgrec.serve.http.metrics import Metrics
from kgrec.serve.http.peers import Peers
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.questions import Questions
from kgrec.serve.http.scenarios import Scenarios
from kgrec.serve.http.settings import Settings
from kgrec.serve.live import LiveModel, LiveState
from kgrec.serve.mentions import Mentions
from kgrec.serve.sparql.process import SparqlProcess
from kgrec.serve.store.records import Impression

logger = logging.getLogger("kgrec.serve")

_T = TypeVar("_T")
#: largest number of impressions that wait for the store
_IMPRESSIONS = 20_000
#: number of validated list options that are cached
_OPTIONS = 512
#: largest number of waiting SPARQL queries
_SPARQL = 32
#: seconds between two checks for changes by other writers, and for impressions
_EVERY = 0.25
#: seconds between two checks while a request waits for a revision
_LOOK = 0.01


class Bounded(Generic[_T]):
    """Values by random names; the least recently used value is dropped first.

    Args:
        most: Largest number of values.
        seconds: Seconds after which an unused value is dropped.
        clock: Returns the time in seconds.
    """

    def __init__(
        self, most: int, seconds: float = float("inf"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._values: OrderedDict[str, tuple[float, _T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, name: str, value: _T) -> None:
        """Store a value."""
        self._values[name] = (self._clock(), value)
        self._values.move_to_end(name)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, name: str) -> _T | None:
        """A value, or None."""
        found = self._values.get(name)
        if found is None or self._clock() - found[0] > self._seconds:
            self._values.pop(name, None)
            return None
        self.put(name, found[1])
        return found[1]

    def forget(self, unwanted: Callable[[_T], bool]) -> None:
        """Drop some values."""
        for name in [name for name, (_, value) in self._values.items() if unwanted(value)]:
            del self._values[name]


class Service:
    """One server.

    Args:
        live: The live model.
        settings: Limits.
        keys: Keys of callers; without keys, every caller may do everything.
        drift: Folder written by `kgrec drift`, whose figures are added to the metrics.
        peers: Other workers; without peers, this is the only worker.
    """

    def __init__(
        self,
        live: LiveModel,
        settings: Settings | None = None,
        keys: Keys | None = None,
        drift: Path | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.live, self.settings, self.keys = live, settings or Settings(), keys or Keys()
        self.peers = peers or Peers()
        self.metrics = Metrics(
            lambda: live.state, live.store.revision, drift, lambda: self.ready, self.peers.count
        )
        #: options of recent requests, checked
        self.list_options: Bounded[ListOf] = Bounded(_OPTIONS)
        self.kept: Bounded[Kept] = Bounded(self.settings.kept_lists)
        self.sessions: Bounded[Conversation] = Bounded(self.settings.sessions, self.settings.session_seconds)
        self.scenarios = Scenarios()
        #: false until the model answers, and while the server drains
        self.ready = True
        self.sparql = SparqlProcess(
            self.settings.sparql_seconds, self.settings.sparql_rows, most=self.settings.sparql_triples
        )
        self._mentions: Mentions | None = None
        self._edges: EdgesByNode | None = None
        self._impressions: list[Impression] = []
        self._threads = [
            ThreadPoolExecutor(1, f"kgrec-{name}", use_one_thread)
            for name in ("lists", "other", "writer", "sparql")
        ]
        limit, batch = self.settings.queue, self.settings.batch
        self._lists = Questions("lists", self._answer_lists, self._threads[0], limit, batch, self.metrics)
        self._others = Questions("other", _call, self._threads[1], limit, 1, self.metrics)
        self._queries = Questions("sparql", _call, self._threads[3], _SPARQL, 1, self.metrics)
        self._writes = Questions("writes", _call, self._threads[2], limit, 1, self.metrics)
        self._feedback = Questions(
            "feedback", self._answer_feedback, self._threads[2], limit, batch, self.metrics
        )
        self._queues = (self._lists, self._others, self._queries, self._writes, self._feedback)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def state(self) -> LiveState:
        """The current state."""
        return self.live.state

    def graph(self) -> EdgesByNode:
        """The edges of the current graph, rebuilt after items changed; call it in the thread of `compute`."""
        graph = self.state.model.graph()
        if self._edges is None or self._edges.graph is not graph:
            self._edges = EdgesByNode.of(graph)
        return self._edges

    def mentions(self) -> Mentions:
        """The names of nodes, rebuilt after items changed; call it in the thread of `compute`."""
        graph = self.state.model.graph()
        if self._mentions is None or self._mentions.graph is not graph:
            self._mentions = Mentions(graph)
        return self._mentions

    def forget_graph(self) -> None:
        """Free data built from the graph of an earlier model; call it in the thread of `compute`."""
        self._edges = self._mentions = None

    async def start(self) -> None:
        """Begin to follow the store."""
        await self.read_scenarios()
        self.follow(self._follow())

    def follow(self, endless: Coroutine[Any, Any, None]) -> None:
        """Run a task until the server stops."""
        self._tasks.append(asyncio.create_task(endless))

    async def stop(self) -> None:
        """Finish accepted requests, and flush the store."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        while not all(queue.idle for queue in self._queues):
            await asyncio.sleep(_LOOK)
        with suppress(KgrecError, Problem):  # acknowledged changes are already in the store
            await self.flush()
        for thread in self._threads:
            thread.shutdown()
        self.sparql.close()
        self.live.store.close()

    async def list_for(self, whom: Whom, options: ListOf, key: Hashable, until: float) -> Listed:
        """A list, computed together with the waiting lists that have the same key."""
        listed: Listed = await self._lists.ask(key, options, whom, until)
        self.metrics.listed.labels("new").inc(listed.new)
        self.metrics.listed.labels("trained").inc(len(listed.items) - listed.new)
        if listed.fallback:
            self.metrics.fallbacks.labels(listed.fallback).inc()
        return listed

    async def compute(self, call: Callable[[], _T], until: float) -> _T:
        """The result of a function in the thread for everything except lists and changes."""
        result: _T = await self._others.ask(object(), None, call, until)
        return result

    async def query(self, call: Callable[[], _T], until: float) -> _T:
        """The result of a function in the thread for SPARQL."""
        result: _T = await self._queries.ask(object(), None, call, until)
        return result

    async def change(self, call: Callable[[], _T]) -> _T:
        """The result of a function in the thread that makes changes."""
        until = time.monotonic() + self.settings.write_deadline
        result: _T = await self._writes.ask(object(), None, call, until)
        return result

    async def add_events(self, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Store events; see `LiveModel.add_events`."""
        until = time.monotonic() + self.settings.write_deadline
        answer: dict[str, Any] = await self._feedback.ask("events", None, events, until)
        for name in ("accepted", "duplicate"):
            self.metrics.events.labels(name).inc(answer[name])
        self.metrics.events.labels("rejected").inc(len(answer["rejected"]))
        return answer

    async def at_revision(self, revision: int, until: float) -> None:
        """Wait until answers include a revision.

        Raises:
            Problem: The revision does not arrive in time.
        """
        while self.state.revision < revision:
            if time.monotonic() > until:
                raise Problem(
                    "conflict",
                    f"Revision {revision} has not arrived yet: answers include changes up to {self.state.revision}.",
                    "Try again, or give the revision that a change returned.",
                    "body.min_revision",
                )
            await asyncio.sleep(_LOOK)

    async def read_scenarios(self) -> None:
        """Read the scenarios of the store."""
        self.scenarios.known = await self.change(self.live.store.scenarios)

    def shown(self, rid: str, whom: Whom, listed: Listed, scenario: str | None, variant: str | None) -> None:
        """Queue the impression of a list for the store."""
        if not self.settings.impressions or not listed.items:
            return
        if len(self._impressions) >= _IMPRESSIONS:
            self.metrics.impressions_lost.inc()
            return
        items = tuple(item["item"] for item in listed.items)
        state = listed.state
        now = int(time.time() * 1000)
        self._impressions.append(
            Impression(
                *(rid, whom.user, items, now, scenario, variant, state.name, state.revision),
                listed.propensities,
            )
        )

    def forget(self, user: str) -> None:
        """Drop the lists of a user, including impressions that wait for the store."""
        self.kept.forget(lambda one: one.whom.user == user)
        self.sessions.forget(lambda one: one.user == user)
        self._impressions = [one for one in self._impressions if one.user != user]

    def until(self, began: float) -> float:
        """The deadline of a request that began at this time of `time.monotonic`."""
        return began + self.settings.deadline

    def _answer_lists(self, options: ListOf, whom: Sequence[Whom]) -> list[Listed]:
        return lists(self.live.state, options, whom)

    def _answer_feedback(self, _: None, batches: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
        return [
            {
                "revision": one.revision,
                "accepted": one.accepted,
                "duplicate": one.duplicate,
                "rejected": [
                    dict(zip(("index", "problem", "remedy"), row, strict=True)) for row in one.rejected
                ],
            }
            for one in self.live.add_events(batches)
        ]

    async def _follow(self) -> None:
        """Apply changes that other writers put into the store, and store impressions."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                known = self.state.revision
                if await self.change(self.live.store.revision) > known:
                    await self._catch_up(known)
                await self.flush()
            except (KgrecError, Problem) as error:
                logger.error("The store cannot be followed: %s", error)

    async def _catch_up(self, known: int) -> None:
        """Apply the changes in the store after a revision."""
        await (
            self.read_scenarios()
        )  # first, because a request that waits for the revision may name a new scenario
        await self.change(self.live.catch_up)
        for one in await self.change(lambda: list(self.live.store.erased_since(known))):
            self.forget(one.user)

    async def flush(self) -> None:
        """Store the waiting impressions."""
        if self._impressions:
            shown, self._impressions = self._impressions, []
            try:
                await self.change(lambda: self.live.store.add_impressions(shown))
            except (KgrecError, Problem):
                self.metrics.impressions_lost.inc(len(shown))
                raise


def _call(_: Any, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    return [call() for call in calls]
