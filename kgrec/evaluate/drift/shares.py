"""Drift of shares: popularity, categories, activity, new items and users.

Enters: training interactions and recent interactions, as `Sample`s. Leaves: `Check`s. Nothing is written.

Two rules keep the comparison fair. An interaction does not count for the popularity of its own item, so training interactions and
recent ones are binned alike (leave-one-out). Quantities that depend on the length of time, such as interactions per user, are
compared with the last period of the same length before training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from kgrec.evaluate.drift.findings import PSI, Check, Part
from kgrec.evaluate.drift.recent import Sample
from kgrec.metrics.stability import (
    clustered_squares,
    effective_size,
    population_stability_index,
    shares,
    shift_probability,
)

#: smallest samples: fewer rows or users say little, and the null distribution holds only for many
LEAST_ROWS, LEAST_USERS = 100, 30
#: number of bins of popularity and activity
_BINS = 10
#: smallest expected number of recent rows per bin (Cochran 1954, "Some Methods for Strengthening the Common chi-square Tests"), and largest number of bins
_LEAST_EXPECTED, _MOST_BINS = 5, 30
#: smallest share of recent interactions that are newer than all training interactions
_LATER = 0.95
OTHERS, NONE = "others", "none"


@dataclass(frozen=True)
class Binned:
    """Rows with their bins and clusters."""

    #: shape (n, n_bins), rows sum to 1
    bins: sp.csr_matrix
    #: shape (n,), int64
    user: np.ndarray
    #: clusters in addition to the users; None: only users
    item: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Stretches:
    """The last period of the training interactions, as long as that of the recent interactions."""

    #: seconds since 1970
    start: int
    #: which training interactions are in it; shape (n,), bool
    inside: np.ndarray


def stretches(learned: Sample, recent: Sample) -> Stretches | None:
    """The last period of the same length; None without times, if the two overlap, or if the training interactions span less than two periods."""
    if learned.time is None or recent.time is None or not len(learned):
        return None
    end = learned.time.max()
    length = recent.time.max() - recent.time.min()
    if (recent.time >= end).mean() < _LATER or end - learned.time.min() < 2 * length or not length:
        return None
    start = int(end - length)
    return Stretches(start, learned.time > start)


def popularity(learned: Sample, recent: Sample, n_items: int, rng: np.random.Generator) -> Check:
    """Whether recent interactions are with items of the same popularity; items that the model does not know are left out."""
    note = "Interactions by the number of other users of the item."
    known = recent.rows(recent.item < n_items)
    counts = np.bincount(learned.item, minlength=n_items)
    others = counts[learned.item] - 1
    again = known.is_in(learned)
    edges = _edges(others)
    names = _ranges(edges)

    def binned(sample: Sample, count: np.ndarray) -> Binned:
        # chance decides which items are near the edge of a bin, so items are clusters too
        return Binned(_one_hot(np.searchsorted(edges, count), len(names)), sample.user, sample.item)

    reference = binned(learned, others)
    return shift("popularity", note, reference, binned(known, counts[known.item] - again), names, rng)


def categories(
    name: str,
    learned: Sample,
    recent: Sample,
    links: sp.csr_matrix,
    names: list[str],
    rng: np.random.Generator,
) -> Check:
    """Whether recent interactions are with items of the same categories; an item with several counts for each in equal parts.

    Args:
        name: Name of the node type or the relation.
        learned: Training interactions.
        recent: Recent interactions; items that the model does not know are left out.
        links: Categories of each item; shape (n_items, n_nodes).
        names: Names of the categories.
        rng: Draws from the null distribution.
    """
    n_items = links.shape[0]
    degree = np.asarray(links.sum(axis=1)).ravel()
    without = sp.csr_matrix((degree == 0).astype(np.float64)[:, None])
    parts = sp.csr_matrix(sp.diags(1 / np.maximum(degree, 1)) @ links)
    every = sp.csr_matrix(sp.hstack([parts, without]))
    known = recent.rows(recent.item < n_items)
    reference, later = (Binned(every[sample.item], sample.user) for sample in (learned, known))
    note = f"Interactions by {name} of the item."
    return shift(f"categories: {name}", note, reference, later, [*names, NONE], rng)


def activity(learned: Sample, recent: Sample, since: Stretches | None, rng: np.random.Generator) -> Check:
    """Whether active users have as many interactions as before, in a period of the same length."""
    if since is None:
        return unmeasured("activity", _NO_STRETCH)
    before = learned.rows(since.inside)
    samples = [np.unique(sample.user, return_counts=True) for sample in (before, recent)]
    edges = _edges(samples[0][1])
    names = _ranges(edges, least=1)
    reference, later = (
        Binned(_one_hot(np.searchsorted(edges, counts), len(names)), users) for users, counts in samples
    )
    return shift("activity", "Active users by their number of interactions.", reference, later, names, rng)


def new_items(
    learned: Sample, recent: Sample, n_items: int, since: Stretches | None, rng: np.random.Generator
) -> Check:
    """Whether more interactions than usual are with items that had none before."""
    unknown = int((recent.item >= n_items).sum())
    note = f"Interactions with items that had none before; {unknown:,} are with items that the model does not know."
    return _new("new items", note, learned, recent, lambda sample: sample.item, since, rng, by_item=True)


def new_users(learned: Sample, recent: Sample, since: Stretches | None, rng: np.random.Generator) -> Check:
    """Whether more interactions than usual are of users who had none before."""
    note = "Interactions of users who had none before."
    return _new("new users", note, learned, recent, lambda sample: sample.user, since, rng, by_item=False)


def shift(
    name: str,
    note: str,
    reference: Binned,
    recent: Binned,
    names: list[str],
    rng: np.random.Generator,
    *,
    only_rise_of: int | None = None,
) -> Check:
    """Compare the shares of bins.

    Args:
        name: Name of the check.
        note: What is compared.
        reference: Rows before.
        recent: Rows after.
        names: Names of the bins.
        rng: Draws from the null distribution.
        only_rise_of: A bin whose share must rise for an alarm; None: any change counts.
    """
    if min(len(reference), len(recent)) < LEAST_ROWS or len(np.unique(recent.user)) < LEAST_USERS:
        return unmeasured(
            name, f"It needs {LEAST_ROWS} rows before and after, and {LEAST_USERS} recent users.", note
        )
    if only_rise_of is None:
        reference, recent, names = _lumped(reference, recent, names)
    counts = [np.asarray(one.bins.sum(axis=0)).ravel() for one in (reference, recent)]
    p, q = (shares(count) for count in counts)
    value = population_stability_index(p, q)
    parts = tuple(Part(*one) for one in zip(names, p.tolist(), q.tolist(), strict=True))
    plain = [count / count.sum() for count in counts]
    probability = _probability(reference, recent, p, plain[0], plain[1], rng)
    if only_rise_of is not None and q[only_rise_of] <= p[only_rise_of]:
        probability = 1.0
    return Check(name, PSI, value, probability, note, parts)


def unmeasured(name: str, why: str, note: str = "") -> Check:
    """A check that could not be made."""
    return Check(name, PSI, None, None, f"{note} {why}".strip())


_NO_STRETCH = "It needs times, and training interactions that span at least twice the time of the recent ones and end before them."


def _new(
    name: str,
    note: str,
    learned: Sample,
    recent: Sample,
    code: Callable[[Sample], np.ndarray],
    since: Stretches | None,
    rng: np.random.Generator,
    *,
    by_item: bool,
) -> Check:
    """Compare shares of first interactions: with those of the last period, or with interactions whose user or item occurs once.

    The share of codes that occur once estimates the share of unseen codes in another draw (Good 1953, "The population frequencies of
    species and the estimation of population parameters").
    """
    known = np.unique(code(learned))
    if since is not None:
        before = np.unique(code(learned.rows(~since.inside)))
        reference = learned.rows(since.inside)
        first = ~np.isin(code(reference), before)
    else:
        reference = learned
        first = np.bincount(code(learned))[code(learned)] == 1
    later = ~np.isin(code(recent), known)

    def binned(sample: Sample, new: np.ndarray) -> Binned:
        return Binned(_one_hot(new.astype(np.int64), 2), sample.user, sample.item if by_item else None)

    return shift(
        name, note, binned(reference, first), binned(recent, later), ["known", "new"], rng, only_rise_of=1
    )


def _probability(
    reference: Binned,
    recent: Binned,
    expected: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    rng: np.random.Generator,
) -> float:
    r"""Probability of the difference without drift, with users as clusters, and also items where they are clusters.

    A cluster c changes the difference of the shares q - p by

    .. math:: r_c = \frac{1}{m} \sum_{i \in c} (x_i - q) - \frac{1}{n} \sum_{j \in c} (x_j - p)

    over its m recent rows i and its n reference rows j. The covariance of the difference is the sum of :math:`r_c r_c^T`; with two ways
    to cluster, it is the sum of both minus that of the rows (Cameron, Gelbach and Miller 2011, "Robust Inference With Multiway Clustering").
    """
    n, m = len(reference), len(recent)
    ones_before = sp.csr_matrix(np.r_[np.zeros(m), np.full(n, 1 / n)][:, None])
    ones_after = sp.csr_matrix(np.r_[np.full(m, 1 / m), np.zeros(n)][:, None])
    stacked = sp.csr_matrix(
        sp.hstack([sp.vstack([recent.bins / m, -reference.bins / n]), ones_after, ones_before])
    )
    # the rows of r are columns of `stacked` times this, so no dense matrix of clusters by bins is needed
    centre = np.vstack([np.eye(len(before)), -after, before])

    def covariance(clusters: np.ndarray) -> np.ndarray:
        return np.asarray(centre.T @ clustered_squares(stacked, clusters) @ centre)

    user = np.unique(np.r_[recent.user, reference.user], return_inverse=True)[1]
    size = effective_size(np.bincount(recent.user))
    found = covariance(user)
    if recent.item is not None and reference.item is not None:
        item = np.unique(np.r_[recent.item, reference.item], return_inverse=True)[1]
        found = found + covariance(item) - covariance(np.arange(n + m))
        size = min(size, effective_size(np.bincount(recent.item)))
    return shift_probability(expected, after - before, found, max(size - 1, 1), rng)


def _lumped(reference: Binned, recent: Binned, names: list[str]) -> tuple[Binned, Binned, list[str]]:
    """Merge rare bins: bins with few expected recent rows, and all but the largest bins."""
    count = np.asarray(reference.bins.sum(axis=0)).ravel()
    enough = count * len(recent) / len(reference) >= _LEAST_EXPECTED
    largest = np.argsort(-count, kind="stable")[:_MOST_BINS]
    kept = np.sort(largest[enough[largest]])
    if len(kept) == len(names):
        return reference, recent, names
    target = np.full(len(names), len(kept))
    target[kept] = np.arange(len(kept))
    into = sp.csr_matrix((np.ones(len(names)), (np.arange(len(names)), target)))
    first, second = (replace(one, bins=sp.csr_matrix(one.bins @ into)) for one in (reference, recent))
    return first, second, [*(names[at] for at in kept.tolist()), OTHERS]


def _edges(counts: np.ndarray) -> np.ndarray:
    """Upper edges of bins that contain about equally many of these whole numbers; the last bin has no edge; increasing.

    An edge lies in the middle of the gap above it. An edge right at a count would separate the training interactions of a popular item,
    which do not count themselves, from its recent interactions, which count one more.
    """
    present = np.unique(counts)
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    ends = np.unique(np.quantile(counts, inner, method="inverted_cdf"))
    ends = ends[ends < present[-1]]
    after = present[np.searchsorted(present, ends, side="right")]
    return np.asarray((ends + after) // 2)


def _ranges(edges: np.ndarray, least: int = 0) -> list[str]:
    """Names of the bins with these whole numbers as upper edges."""
    ends = edges.astype(int).tolist()
    starts = [least, *(end + 1 for end in ends)]
    closed = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=False)]
    return [*closed, f"{starts[-1]} and more"]


def _one_hot(code: np.ndarray, n: int) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(code)), (np.arange(len(code)), code)), (len(code), n))
