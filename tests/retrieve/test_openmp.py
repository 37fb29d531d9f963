"""FAISS's threads: set for one call alone, and harmless after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest

from kgrec.retrieve import IndexConfig, VectorIndex
from kgrec.retrieve.openmp import with_threads

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "ivfpq"])
def test_a_search_after_a_fork_gives_the_same_lists(kind: str, tmp_path: Path):
    """With two threads in the parent: with one, there is no pool that the child could wait for."""
    command = [sys.executable, Path(__file__).with_name("forking.py"), kind, str(tmp_path)]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_a_call_has_its_number_of_threads_and_the_caller_keeps_its_setting():
    before = faiss.omp_get_max_threads()
    assert with_threads(before + 2, faiss.omp_get_max_threads) == before + 2
    assert with_threads(before + 1, faiss.omp_get_max_threads) == before + 1
    assert with_threads(None, faiss.omp_get_max_threads) == before
    assert faiss.omp_get_max_threads() == before


def test_concurrent_calls_have_their_own_numbers_of_threads():
    both = threading.Barrier(2, timeout=60)

    def count() -> tuple[int, int]:
        both.wait()
        first = faiss.omp_get_max_threads()
        both.wait()
        return first, faiss.omp_get_max_threads()

    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(with_threads, n, count) for n in (5, 6)]
        assert [answer.result() for answer in answers] == [(5, 5), (6, 6)]
        # of one number: neither waits for the other
        answers = [pool.submit(with_threads, 7, count) for _ in range(2)]
        assert [answer.result() for answer in answers] == [(7, 7), (7, 7)]


def test_an_error_of_the_call_is_raised():
    def fail() -> None:
        raise KeyError("of the call")

    with pytest.raises(KeyError, match="of the call"):
        with_threads(3, fail)
    assert with_threads(3, lambda: "and the thread is free again") == "and the thread is free again"


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "ivfpq"])
def test_an_index_with_configured_threads_keeps_the_callers_setting(kind: str):
    before = faiss.omp_get_max_threads()
    vectors = np.eye(16, dtype=np.float32)
    index = VectorIndex.build(vectors[:12], IndexConfig(kind=kind, threads=before + 1)).extended(vectors)
    rows, _ = index.search(vectors, 1)
    assert rows.ravel().tolist() == list(range(16))
    assert faiss.omp_get_max_threads() == before
