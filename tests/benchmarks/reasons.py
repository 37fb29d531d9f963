"""Faithfulness and cost of reasons: what happens to an item's score and place when the history items that its reasons rank first are taken away.

    python tests/benchmarks/reasons.py model/ [--users 300] [--seed 0] [--cold]

Enters: a model folder. Leaves: tables on the screen.

Deletion takes the first items of an order out of the history; insertion keeps them alone (Petsiuk et al. 2018, "RISE", for pixels). Orders: the
contributions of kgrec, the cosine of history item and listed item, chance. Each figure is a mean over the top three of each user's list of
ten (with `--cold` of items without interactions), then over users, with a 95 % bootstrap interval over users. Good reasons make the curves of deletion fall early and those of insertion rise early.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np

import kgrec
from kgrec.graph.histories import Histories
from kgrec.metrics.significance import intervals
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters
from kgrec.recommend.list_account import ListAccount
from kgrec.recommend.reasons import reasons

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
K, EXPLAINED, LEAST_HISTORY, RESAMPLES = 10, 3, 5, 2000

#: items of a history, best reason first, as rows: of an account and the number of its item
Order = Callable[[ListAccount, int, np.random.Generator], np.ndarray]

ORDERS: dict[str, Order] = {
    "kgrec": lambda account, at, _: account.rows[np.argsort(-account.by_item[:, at], kind="stable")],
    "similarity": lambda account, at, _: account.rows[
        np.argsort(
            -(
                account.model.items.vectors[account.rows]
                @ account.model.items.vectors[account.items[[at]]][0]
            ),
            kind="stable",
        )
    ],
    "random": lambda account, _, rng: rng.permutation(account.rows),
}


def variants(history: Histories, order: np.ndarray) -> Histories:
    """The history without the first items of an order, then with these alone; one per share each."""
    sizes = [max(1, round(share * len(order))) for share in SHARES]
    first = [np.isin(history.item, order[:size]) for size in sizes]
    copies = history.take(np.zeros(2 * len(sizes), np.int64))
    # what is not liked is in none of them
    liked = np.isin(history.item, order)
    return copies.of_rows(np.concatenate([*(liked & ~some for some in first), *first]))


def curves(model: Model, user: int, only: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Score relative to that of the whole history, and whether the item is in the list; shape (n_orders, 2, 2 * n_shares)."""
    history = model.histories.take(np.array([user]))
    seen = np.unique(history.item).astype(np.int64)
    found, scores = model.ranked(history, K, Filters(only, exclude=[seen]))
    items, full = found[0, :EXPLAINED].astype(np.int64), scores[0, :EXPLAINED]
    account = ListAccount(model, history, items)
    measured = np.zeros((len(ORDERS), len(items), 2, 2 * len(SHARES)))
    for place, order in enumerate(ORDERS.values()):
        for at, item in enumerate(items):
            tried = variants(history, order(account, at, rng))
            rows = np.full((len(tried), 1), item)
            measured[place, at, 0] = model.scores(tried, rows)[:, 0] / full[at]
            lists, _ = model.ranked(tried, K, Filters(only, exclude=[seen] * len(tried)))
            measured[place, at, 1] = (lists == item).any(axis=1)
    return measured.mean(axis=1)


def interval(values: np.ndarray, rng: np.random.Generator) -> str:
    """Mean and 95 % bootstrap interval of one value per user."""
    low, high = intervals(values[:, None], rng, resamples=RESAMPLES)
    return f"{values.mean():.3f} ({low[0]:.3f} to {high[0]:.3f})"


def faithfulness(model: Model, n_users: int, seed: int, only: np.ndarray | None) -> None:
    """Print the curves, the means over their points, and the paired differences to the other orders."""
    rng = np.random.default_rng(seed)
    lengths = np.diff(model.liked.indptr)
    able = np.flatnonzero(lengths >= LEAST_HISTORY)
    users = rng.choice(able, min(n_users, len(able)), replace=False)
    measured = np.stack([curves(model, int(user), only, rng) for user in users])
    print(
        f"{len(users)} users with {LEAST_HISTORY} liked items or more, median {np.median(lengths[users]):.0f}"
    )
    n = len(SHARES)
    for measure, name in enumerate(("score, relative", f"in the list of {K}")):
        for part, kind in ((slice(0, n), "deletion"), (slice(n, 2 * n), "insertion")):
            print(f"\n{name}, {kind} of " + " / ".join(f"{share:.0%}" for share in SHARES))
            means = {}
            for place, order in enumerate(ORDERS):
                values = measured[:, place, measure, part]
                means[order] = values.mean(axis=1)
                points = " / ".join(f"{one:.3f}" for one in values.mean(axis=0))
                print(f"  {order:<10} {points}   mean {interval(means[order], rng)}")
            for order in list(ORDERS)[1:]:
                print(f"  kgrec less {order}: {interval(means['kgrec'] - means[order], rng)}")


def cost(model: Model, n_users: int) -> None:
    """Print the time of reasons for lists, and of the lists alone."""
    users = np.arange(min(n_users, len(model.users)))
    histories = model.histories.take(users)
    for k in (10, 100):
        began = time.process_time()
        found, _ = model.ranked(histories, k)
        listed = time.process_time()
        reasons(model, histories, found)
        rows = np.count_nonzero(found >= 0) / 1000
        print(
            f"lists of {k}: {(listed - began) / rows:.3f} CPU s per 1,000 rows, reasons {(time.process_time() - listed) / rows:.3f} more"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cold", action="store_true")
    given = parser.parse_args()
    model = kgrec.Recommender.load(given.model).model
    cost(model, given.users)
    only = np.flatnonzero(~model.items.trained.whole) if given.cold else None
    faithfulness(model, given.users, given.seed, only)


if __name__ == "__main__":
    main()
