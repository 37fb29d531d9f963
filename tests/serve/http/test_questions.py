"""The bounded queue: what waits under one key is one call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kgrec.errors import ConfigError
from kgrec.serve.http.metrics import Metrics
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.questions import Questions


class Library:
    """Answers twice a number; remembers its calls, and waits where it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, list[int]]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, options: Any, numbers: Sequence[int]) -> list[int]:
        self.calls.append((options, list(numbers)))
        assert self.go.wait(30)
        if any(number < 0 for number in numbers):
            raise ConfigError("negative", "")
        return [2 * number for number in numbers]


def run(scene: Callable[[Questions, Library], Any], limit: int = 10, batch: int = 4) -> Library:
    library = Library()
    metrics = Metrics(lambda: None, lambda: 0)  # type: ignore[arg-type, return-value]

    async def played() -> None:
        with ThreadPoolExecutor(1) as executor:
            await scene(Questions("test", library, executor, limit, batch, metrics), library)

    asyncio.run(played())
    return library


def soon() -> float:
    return time.monotonic() + 30


def test_questions_that_wait_together_become_one_call():
    async def scene(questions: Questions, _: Library) -> None:
        answers = await asyncio.gather(*(questions.ask("k", "o", number, soon()) for number in range(3)))
        assert answers == [0, 2, 4]

    assert run(scene).calls == [("o", [0, 1, 2])]


def test_other_keys_wait_and_keep_their_order():
    async def scene(questions: Questions, _: Library) -> None:
        asked = [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("c", 5)]
        answers = await asyncio.gather(*(questions.ask(key, key, number, soon()) for key, number in asked))
        assert answers == [2, 4, 6, 8, 10]
        assert questions.idle

    assert run(scene).calls == [("a", [1, 3]), ("b", [2, 4]), ("c", [5])]


def test_a_call_has_at_most_a_batch():
    async def scene(questions: Questions, _: Library) -> None:
        await asyncio.gather(*(questions.ask("k", "o", number, soon()) for number in range(6)))

    assert run(scene).calls == [("o", [0, 1, 2, 3]), ("o", [4, 5])]


def test_nobody_gets_the_error_of_another():
    async def scene(questions: Questions, _: Library) -> None:
        answers = await asyncio.gather(
            *(questions.ask("k", "o", number, soon()) for number in (1, -1, 2)), return_exceptions=True
        )
        assert (answers[0], answers[2]) == (2, 4) and isinstance(answers[1], ConfigError)

    assert run(scene).calls == [("o", [1, -1, 2]), ("o", [1]), ("o", [-1]), ("o", [2])]


def test_a_full_queue_refuses():
    async def scene(questions: Questions, library: Library) -> None:
        library.go.clear()
        first = asyncio.create_task(questions.ask("k", "o", 0, soon()))
        while not library.calls:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(questions.ask("k", "o", number, soon())) for number in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await questions.ask("k", "o", 3, soon())
        assert (refused.value.kind, refused.value.headers) == ("overloaded", {"Retry-After": "1"})
        library.go.set()
        assert await asyncio.gather(first, *others) == [0, 2, 4]

    run(scene, limit=2)


def test_what_is_too_late_is_not_computed():
    async def scene(questions: Questions, library: Library) -> None:
        library.go.clear()
        first = asyncio.create_task(questions.ask("k", "o", 0, soon()))
        while not library.calls:
            await asyncio.sleep(0.001)
        late = asyncio.create_task(questions.ask("k", "o", 1, time.monotonic()))
        last = asyncio.create_task(questions.ask("k", "o", 2, soon()))
        await asyncio.sleep(0.01)
        library.go.set()
        assert (await first, await last) == (0, 4)
        with pytest.raises(Problem) as refused:
            await late
        assert refused.value.kind == "too-late"

    assert run(scene).calls == [("o", [0]), ("o", [2])]


def test_what_waits_behind_a_slow_call_is_refused_before_the_call_ends():
    async def scene(questions: Questions, library: Library) -> None:
        library.go.clear()
        slow = asyncio.create_task(questions.ask("k", "o", 0, time.monotonic() + 0.01))
        while not library.calls:
            await asyncio.sleep(0.001)
        for number in (1, 2, 3):  # a dropped question leaves its place to the next one
            with pytest.raises(Problem) as refused:
                await questions.ask("k", "o", number, time.monotonic() + 0.01)
            assert refused.value.kind == "too-late"
        assert not slow.done()
        library.go.set()
        assert await slow == 0

    assert run(scene, limit=1).calls == [("o", [0])]
