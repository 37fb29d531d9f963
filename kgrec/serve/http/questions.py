"""A bounded queue of questions that wait for a thread: those with the same options become one call of the library.

Enters: questions with a key, an argument and a time until which the answer is of use. Leaves: an answer each, of one call per key.

The time of a list is Python's, so threads add nothing; but a call for 32 users takes the time of five calls for one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kgrec.errors import KgrecError
from kgrec.serve.http.metrics import Metrics
from kgrec.serve.http.problems import Problem

#: answers to some arguments under one key, in their order; an error is the answer of one argument
Answer = Callable[[Any, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class _Waiting:
    key: Hashable
    options: Any
    argument: Any
    until: float
    future: asyncio.Future[Any]


class Questions:
    """A queue, and the thread that empties it.

    Args:
        name: In figures.
        answer: Computes the answers of one key.
        executor: Of one thread.
        limit: Questions that may wait.
        batch: Questions of one call.
        metrics: Counts.
    """

    def __init__(
        self, name: str, answer: Answer, executor: Executor, limit: int, batch: int, metrics: Metrics
    ) -> None:
        self._name, self._answer, self._executor = name, answer, executor
        self._limit, self._batch, self._metrics = limit, batch, metrics
        self._waiting: deque[_Waiting] = deque()
        self._is_running = False
        self._size = metrics.queue.labels(name)

    async def ask(self, key: Hashable, options: Any, argument: Any, until: float) -> Any:
        """The answer to a question.

        Args:
            key: Questions with equal keys may be answered by one call.
            options: Of the call; the same for equal keys.
            argument: What is asked about.
            until: Time of `time.monotonic` at which a question that still waits is dropped. One that is being computed gets its answer.

        Raises:
            Problem: Too many wait, or the time is over.
        """
        if len(self._waiting) >= self._limit:
            self._metrics.shed.labels("full").inc()
            raise Problem(
                "overloaded",
                f"{self._limit} requests wait already.",
                "Try again after the seconds in Retry-After.",
                headers={"Retry-After": "1"},
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(key, options, argument, until, loop.create_future())
        self._waiting.append(waiting)
        self._size.set(len(self._waiting))
        if not self._is_running:
            self._is_running = True
            loop.call_soon(self._next)
        timer = loop.call_later(max(0.0, until - time.monotonic()), self._drop, waiting)
        try:
            return await waiting.future
        finally:
            timer.cancel()

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._is_running

    def _drop(self, late: _Waiting) -> None:
        """Drop a question whose time is over, if it still waits; so a slow call keeps nobody longer."""
        with suppress(ValueError):
            self._waiting.remove(late)
            self._size.set(len(self._waiting))
            self._refuse(late)

    def _refuse(self, late: _Waiting) -> None:
        self._metrics.shed.labels("late").inc()
        late.future.set_exception(_too_late())

    def _next(self) -> None:
        """Send the oldest question to the thread, with those that wait under the same key."""
        taken = self._taken()
        self._size.set(len(self._waiting))
        if not taken:
            self._is_running = False
            return
        self._metrics.batch.observe(len(taken))
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._executor, self._answers, taken)
        running.add_done_callback(lambda done: self._deliver(taken, done))

    def _taken(self) -> list[_Waiting]:
        now = time.monotonic()
        taken: list[_Waiting] = []
        others: list[_Waiting] = []
        while self._waiting and len(taken) < self._batch:
            one = self._waiting.popleft()
            if one.future.done():
                continue
            if one.until < now:
                self._refuse(one)
            elif taken and one.key != taken[0].key:
                others.append(one)
            else:
                taken.append(one)
        self._waiting.extendleft(reversed(others))
        return taken

    def _answers(self, taken: Sequence[_Waiting]) -> list[Any]:
        """The answers; where one call fails, each question is asked alone, so that nobody gets the error of another."""
        options = taken[0].options
        try:
            return list(self._answer(options, [one.argument for one in taken]))
        except (KgrecError, Problem) as error:
            if len(taken) == 1:
                return [error]
        return [answer for one in taken for answer in self._answers([one])]

    def _deliver(self, taken: Sequence[_Waiting], done: asyncio.Future[list[Any]]) -> None:
        error = done.exception()
        answers = [error] * len(taken) if error is not None else done.result()
        for one, answer in zip(taken, answers, strict=True):
            if one.future.done():
                continue
            if isinstance(answer, BaseException):
                one.future.set_exception(answer)
            else:
                one.future.set_result(answer)
        self._next()


def _too_late() -> Problem:
    return Problem(
        "too-late",
        "The request waited longer than its deadline, and was not computed.",
        "Try again, or less often.",
        headers={"Retry-After": "1"},
    )
