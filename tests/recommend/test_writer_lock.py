"""Changes that run one at a time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from forked import in_child

from kgrec.errors import KgrecError
from kgrec.recommend.writer_lock import OneAtATime

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_changes_of_several_threads_are_all_there():
    """Each reads the number, lets others run, and writes it back raised by one."""
    changes, number, pause = OneAtATime("the number"), [0], threading.Event()

    def change() -> None:
        with changes.turn():
            before = number[0]
            pause.wait(0.001)
            number[0] = before + 1

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            pool.submit(change)
    assert number == [20]


def test_a_change_within_a_change_is_refused():
    changes = OneAtATime("the number")
    with (
        changes.turn(),
        pytest.raises(KgrecError, match="A change of the number is in progress"),
        changes.turn(),
    ):
        pass
    with changes.turn():
        pass


def test_a_change_that_fails_makes_room_for_the_next():
    changes = OneAtATime("the number")
    with pytest.raises(KeyError), changes.turn():
        raise KeyError
    with changes.turn():
        pass


@forks
def test_a_lock_that_another_thread_holds_is_free_in_a_forked_child():
    changes, inside, leave = OneAtATime("the number"), threading.Event(), threading.Event()

    def change() -> None:
        with changes.turn():
            inside.set()
            leave.wait(60)

    def changed() -> bytes:
        with changes.turn():
            return b"changed"

    with ThreadPoolExecutor(1) as pool:
        pool.submit(change)
        assert inside.wait(60)
        try:
            assert in_child(changed, 10) == b"changed"
        finally:
            leave.set()


@forks
def test_a_child_that_is_forked_within_a_change_leaves_it_and_begins_another():
    changes = OneAtATime("the number")
    with changes.turn():
        answer = in_child(lambda: _after(changes))
    assert answer == b"changed"


def _after(changes: OneAtATime) -> bytes:
    with changes.turn():
        return b"changed"
