"""All checks for drift of one model.

Enters: a recommender, and recent interactions. Leaves: `Drift`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
from kgrec.errors import SourceError
from kgrec.evaluate.benchmark.task import small_types
from kgrec.evaluate.drift import accuracy, shares
from kgrec.evaluate.drift.findings import Check, Drift, judged, worst
from kgrec.evaluate.drift.recent import Recent, Sample, learned_sample, read_recent
from kgrec.evaluate.drift.taste import taste
from kgrec.graph.memberships import linked_nodes
from kgrec.model.model import Model
from kgrec.recommend.recommender import Recommender

#: node type or relation -> the nodes of each item, and the labels of the nodes
_Links = dict[str, tuple[csr_matrix, list[str]]]


def drift(
    recommender: Recommender,
    interactions: Any,
    *,
    by: Sequence[str] | None = None,
    k: int = 20,
    seed: int = 0,
) -> Drift:
    """Compare recent interactions with those that a model learned from, before they are added to it.

    Args:
        recommender: A trained recommender; not modified.
        interactions: Recent interactions: the path of a table, a frame, or `Interactions`, as for `Recommender.add_interactions`.
        by: Node types or relations used as categories of items; None: up to three types with few nodes that most items have.
        k: Length of the lists for NDCG, up to 50.
        seed: Seed of all random choices.

    Returns:
        The checks, each with verdict "stable", "watch" or "retrain", and the worst of them as the overall verdict. A check that the data do
            not allow has the verdict None and says why.

    Raises:
        SourceError: A column is missing, no interaction is positive, or the model has no positive interactions.
        TooManyBadRows: Most rows are bad.
        UnknownId: `by` names a type or relation that the graph lacks.

    Example:
        >>> kgrec.drift(rec, "recent.parquet").verdict  # doctest: +SKIP
        'stable'
    """
    options.instance("recommender", recommender, Recommender, "Give Recommender.load(folder).")
    options.whole_number("k", k, most=accuracy.DEPTH)
    options.whole_number("seed", seed, least=0)
    names = None if by is None else as_texts(by, "by")
    model = recommender.model
    learned = learned_sample(model)
    if not len(learned):
        raise SourceError(
            "The model has no positive interactions to compare with.", "Train it on interactions."
        )
    links = _links(model, names)
    read = read_recent(model, interactions)
    counts = _counts(model, learned, read)
    if counts["known pairs"] == counts["positive pairs"]:
        raise SourceError(
            f"The model already has all {counts['known pairs']:,} interactions, so they say nothing about drift.",
            "Give interactions that are newer than its training, before they are added to it.",
        )
    rng = np.random.default_rng(seed)
    lists = accuracy.lists_of(model, read.sample, rng)
    weeks, fall = accuracy.weeks(lists, k, rng)
    checks = judged(
        [
            *_shares(model, learned, read.sample, links, rng),
            taste(model, learned, read.sample, rng),
            fall,
            accuracy.calibration(lists, rng),
        ]
    )
    return Drift(worst(checks), checks, weeks, counts, model.version, read.inputs)


def _shares(
    model: Model, learned: Sample, recent: Sample, by_name: _Links, rng: np.random.Generator
) -> list[Check]:
    since, n_items = shares.stretches(learned, recent), len(model.items)
    return [
        shares.popularity(learned, recent, n_items, rng),
        *(
            shares.categories(name, learned, recent, links, labels, rng)
            for name, (links, labels) in by_name.items()
        ),
        shares.activity(learned, recent, since, rng),
        shares.new_items(learned, recent, n_items, since, rng),
        shares.new_users(learned, recent, since, rng),
    ]


def _links(model: Model, by: list[str] | None) -> _Links:
    """The nodes of items, for some types or relations, or for types with few nodes."""
    graph, entities = model.graph(), model.items.entities.whole
    found: _Links = {}
    for name in small_types(graph) if by is None else dict.fromkeys(by):
        links, nodes = linked_nodes(graph, entities, name)
        labels = graph.entities["label"].take(nodes).to_pylist()
        keys = graph.entities["key"].take(nodes).to_pylist()
        found[name] = (links, [label or key for label, key in zip(labels, keys, strict=True)])
    return found


def _counts(model: Model, learned: Sample, read: Recent) -> dict[str, int]:
    sample, files = read.sample, read.report.files.values()
    return {
        "rows": sum(one.rows for one in files),
        "left out": sum(one.rows - one.used for one in files),
        "positive pairs": len(sample),
        "known pairs": int(sample.is_in(learned).sum()),
        "users": len(np.unique(sample.user)),
        "unknown users": len(np.unique(sample.user[sample.user >= len(model.users)])),
        "items": len(np.unique(sample.item)),
        "unknown items": len(np.unique(sample.item[sample.item >= len(model.items)])),
    }
