"""A bounded queue of questions that wait for a thread; questions with the same options become one library call.

Enters: questions with a key, an argument, and a deadline for the answer. Leaves: one answer per question, from one call per key.

A list costs mostly Python time, so threads do not help; but one call for 32 users takes only as long as five calls for one user.
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
        name: Name of the queue in the figures.
        answer: Computes the answers for one key.
        executor: An executor with one thread.
        limit: Largest number of waiting questions.
        batch: Largest number of questions per call.
        metrics: Counts the questions.
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
            Problem: Too many questions are waiting, or the time is over.
        """
        if len(self._waiting) >= self._limit:
            self._metrics.shed.labels("full").inc()
            raise Problem(
                "overloaded",
                f"{self._limit} requests are already waiting.",
                "Try again after the number of seconds in Retry-After.",
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
        """Whether no question is waiting or running."""
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
        """Send the oldest question to the thread, together with the waiting questions that have the same key."""
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
        """The answers. If a joint call fails, each question gets a separate call, so that no caller gets the error of another."""
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
        "The request waited past its deadline and was not computed.",
        "Try again, or send fewer requests.",
        headers={"Retry-After": "1"},
    )
