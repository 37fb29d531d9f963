"""Examples for learned rankers: worlds in which it is plain what should be learned."""

import numpy as np

from kgrec.rank.ranker import Examples
from kgrec.rank.ranking_features import ITEM_FEATURES, USER_FEATURES

NAMES = ("embedding", "co_occurrence", *USER_FEATURES, *ITEM_FEATURES, "neighbors", "year")


def examples(n: int = 120, width: int = 30, *, follows: str | None, seed: int = 0) -> Examples:
    """One hit per query; the fused score is 0.5 times the sum of both scores, and says a little about the hit.

    Args:
        n: queries.
        width: candidates, the last of which is none for every query.
        follows: feature that decides on the hit; "gate": the popularity says which score does; None: the fused score alone.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, width, len(NAMES))).astype(np.float32)
    features[..., 2:4] = features[:, :1, 2:4]
    features[..., 4] = np.abs(features[..., 4])
    scores = 0.5 * features[..., :2].sum(axis=2)
    evidence = scores.copy()
    if follows == "gate":
        popular = features[..., 4] > 0.7
        evidence = np.where(popular, features[..., 0], features[..., 1])
    elif follows is not None:
        evidence = evidence + 2 * features[..., NAMES.index(follows)]
    evidence = evidence + 0.3 * rng.normal(size=(n, width))
    scores[:, -1] = evidence[:, -1] = -np.inf
    # a number that half of the items have
    features[..., -1][rng.random((n, width)) < 0.5] = np.nan
    hits = np.zeros((n, width), bool)
    hits[np.arange(n), evidence.argmax(axis=1)] = True
    return Examples(NAMES, features, scores.astype(np.float32), hits)


def hits_at_1(examples: Examples, corrections: np.ndarray | float = 0.0) -> float:
    """Share of the queries whose best candidate is the hit."""
    best = (examples.scores + corrections).argmax(axis=1)
    return float(examples.hits[np.arange(len(best)), best].mean())


def corrected(learned: object, examples: Examples) -> np.ndarray:
    """Corrections of all candidates; shape (n_queries, width)."""
    flat = examples.features.reshape(-1, len(NAMES))
    values: np.ndarray = learned.corrections(flat)  # type: ignore[attr-defined]
    return values.reshape(examples.scores.shape)
