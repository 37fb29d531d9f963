"""Search, fork, search in the child: a script for test_openmp.py.

python forking.py KIND FOLDER    KIND of index, an empty folder
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from forked import in_child

from kgrec.retrieve import IndexConfig, VectorIndex

N, DIM, K = 20_000, 32, 10


def main(kind: str, folder: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(N, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    config = IndexConfig(kind=kind, min_recall=0.3)
    built = VectorIndex.build(vectors, config)
    built.save(Path(folder))
    exact = VectorIndex.build(vectors, IndexConfig(kind="flat"))
    for threads in (None, 1, 2):
        options = config.model_copy(update={"threads": threads})
        index = VectorIndex.load(Path(folder), vectors, built.built, options)
        check(index, vectors)
        assert (kind == "flat") == (lists(index, vectors) == lists(exact, vectors)), "a search is approximate"
    print("done")


def check(index: VectorIndex, vectors: np.ndarray) -> None:
    """Search in children, in threads of children, and again in the parent."""

    def answers() -> bytes:
        return lists(index, vectors)

    def extended() -> bytes:
        more = index.extended(np.concatenate([vectors, -vectors[:50]]))
        return more.search(-vectors[:50], 1)[0].tobytes()

    before = answers()
    assert in_thread(answers) == before
    assert in_child(answers) == before
    assert in_child(lambda: in_thread(answers)) == before
    assert in_child(lambda: in_child(answers)) == before
    assert np.frombuffer(in_child(extended), np.int64).tolist() == list(range(N, N + 50))
    assert answers() == before


def lists(index: VectorIndex, vectors: np.ndarray) -> bytes:
    """Lists of one query, of a few, which FAISS compares one by one, and of many."""
    return b"".join(index.search(vectors[: n + 1], K)[0].tobytes() for n in (1, 8, 100))


def in_thread(work: Callable[[], bytes]) -> bytes:
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
