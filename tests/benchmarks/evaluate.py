"""Speed of ranking and measuring, as ratios to the bare matrix products and top-k in numpy from one run.

    python tests/benchmarks/evaluate.py [--users 70679] [--items 24915] [--dim 64] [--repeat 3]

Enters: nothing; embeddings, histories and truth of the size of Amazon-Book (KGAT's split) are made from a seed, with ten
neighbours an item. Leaves: a table on the screen. Each part runs in a process of its own, in turn; the time to make the
data is left out. Every item is ranked. One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.evaluation import Evaluation
from kgrec.evaluate.ground_truth import GroundTruth
from kgrec.evaluate.measure import measure_lists
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.topk import blocks, ranked
from kgrec.rank.scorers import unit_rows

KS = (20, 100)
#: pairs of a user and an item
TRAIN, TEST, NEIGHBORS, ENTITIES = 652_514, 193_920, 10, 50_000


def made(n_users: int, n_items: int, dim: int) -> tuple[np.ndarray, GroundTruth]:
    """Vectors of users, and a ground truth: popularity follows Zipf's law, histories differ in length."""
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, dim)).astype(np.float32) for n in (n_users, n_items))
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    chance = 1 / np.arange(10, n_items + 10)

    def drawn(n: int) -> sp.csr_matrix:
        user = np.concatenate([np.arange(n_users), rng.integers(0, n_users, max(n - n_users, 0))])
        item = rng.choice(n_items, len(user), p=chance / chance.sum())
        pairs = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), (n_users, n_items))
        pairs.data[:] = 1
        return pairs

    known, truth = drawn(TRAIN), drawn(TEST)
    truth = sp.csr_matrix(truth - truth.multiply(known))
    truth.eliminate_zeros()
    entity = rng.integers(0, ENTITIES, n_items * NEIGHBORS)
    links = (np.ones(len(entity), np.float32), (np.repeat(np.arange(n_items), NEIGHBORS), entity))
    ground_truth = GroundTruth(
        users=Vocabulary([str(user) for user in range(n_users)]),
        truth=truth,
        known=known,
        seen=known,
        counts=np.bincount(known.indices, minlength=n_items),
        n_users=n_users,
        vectors=items,
        neighbors=unit_rows(sp.csr_matrix(links, (n_items, ENTITIES))),
    )
    return users, ground_truth


def bare(users: np.ndarray, ground_truth: GroundTruth) -> np.ndarray:
    """Products and the k largest in order; what users have seen stays in, and ties fall as they like."""
    assert ground_truth.vectors is not None
    items, k = ground_truth.vectors, max(KS)
    lists = np.empty((len(users), k), np.int64)
    for rows in blocks(len(users), len(items)):
        scores = users[rows] @ items.T
        found = np.argpartition(scores, len(items) - k, axis=1)[:, len(items) - k :]
        order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1)
        lists[rows] = np.take_along_axis(found, order, 1)
    return lists


def ranking(users: np.ndarray, ground_truth: GroundTruth) -> np.ndarray:
    assert ground_truth.vectors is not None
    return ranked(users, ground_truth.vectors, max(KS), ground_truth.seen)


def ranking_and_figures(users: np.ndarray, ground_truth: GroundTruth) -> Evaluation:
    return measure_lists(ground_truth, ranking(users, ground_truth), KS)


def with_intervals(users: np.ndarray, ground_truth: GroundTruth) -> object:
    return ranking_and_figures(users, ground_truth).frame()


PARTS: dict[str, Callable[[np.ndarray, GroundTruth], object]] = {
    "bare": bare,
    "ranking": ranking,
    "ranking and figures": ranking_and_figures,
    "the same, with intervals": with_intervals,
}


def timed(name: str, n_users: int, n_items: int, dim: int) -> None:
    """Run one part here, and print what it took."""
    users, ground_truth = made(n_users, n_items, dim)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    PARTS[name](users, ground_truth)
    took = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "peak": peak, "before": before}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=70_679)
    parser.add_argument("--items", type=int, default=24_915)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help="run this one here")
    asked = parser.parse_args()
    size = (asked.users, asked.items, asked.dim)
    if asked.part:
        timed(asked.part, *size)
        return
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in PARTS}
    for _ in range(asked.repeat):
        for name, found in runs.items():
            options = [f"--{option}={n}" for option, n in zip(("users", "items", "dim"), size, strict=True)]
            command = [sys.executable, __file__, "--part", name, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
    print(f"{asked.users:,} users, {asked.items:,} items, {asked.dim} dimensions, k = {KS}, CPU seconds")
    print(f"{'part':<28}{'seconds':>9}{'times':>8}{'least':>8}{'most':>8}{'peak MB':>9}{'data MB':>9}")
    for name, found in runs.items():
        ratios = [one["seconds"] / base["seconds"] for one, base in zip(found, runs["bare"], strict=True)]
        middle = {key: np.median([one[key] for one in found]) for key in ("seconds", "peak", "before")}
        figures = f"{middle['seconds']:>9.1f}{np.median(ratios):>8.2f}{min(ratios):>8.2f}{max(ratios):>8.2f}"
        print(f"{name:<28}{figures}{middle['peak']:>9,.0f}{middle['before']:>9,.0f}")


if __name__ == "__main__":
    main()
