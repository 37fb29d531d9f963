r"""Whitening: a linear map that makes vectors spread alike in all directions.

Enters: raw vectors, or the covariance of embeddings. Leaves: a map. Nothing is written.

.. math::
    W = (S / \bar{s})^{-p/2} \qquad \bar{s} = \mathrm{tr}(S) / d

With the power p = 1 all directions get the same variance, with 0 they keep theirs. Vectors of a sentence-transformer lie in a
narrow cone, and so do trained embeddings, less so: their few wide directions drown the rest, and cosines of whitened vectors
tell more (Su et al. 2021, "Whitening sentence representations").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

#: power for text and vector columns
_RAW_POWER = 0.7
#: powers that validation chooses from for embeddings
POWERS = (0.0, 0.25, 0.5, 0.75)
#: share of the mean variance that is added in every direction of embeddings, so that one with next to none is not blown up
_RIDGE = 0.1
#: least variance in a direction, as a share of the mean
_LEAST = 1e-4
#: rows that are computed with at a time
_ROWS = 1 << 16


def whitening_map(covariance: np.ndarray, power: float) -> np.ndarray:
    """The map `S ** (-power / 2)` of a covariance S with mean variance 1; shapes (dim, dim) -> (dim, dim), symmetric, float64."""
    variances, axes = np.linalg.eigh(covariance)
    whitened: np.ndarray = (axes * np.maximum(variances, _LEAST) ** (-power / 2)) @ axes.T
    return whitened


def embedding_map(gram: np.ndarray, power: float) -> np.ndarray:
    """The map for unit embeddings E, some of which may be zero.

    Args:
        gram: `E.T @ E`; shape (dim, dim), float64.
        power: 0 for the identity, 1 for directions that are nearly alike.

    Returns:
        shape (dim, dim), symmetric, float64.
    """
    dim = len(gram)
    spread = gram / max(np.trace(gram) / dim, 1e-12)
    return whitening_map(spread + _RIDGE * np.eye(dim), power)


@dataclass(frozen=True)
class Whitening:
    """Mean and map of one block of vectors, learned from the training items.

    With few vectors the covariance is shrunk towards the identity (Ledoit & Wolf 2004).
    """

    #: shape (dim,), float32
    mean: np.ndarray
    #: shape (dim, dim), float32
    map: np.ndarray

    @classmethod
    def learn(cls, raw: np.ndarray) -> Whitening:
        """The whitening of the rows of `raw` that are not zero; shape (n, dim)."""
        count, dim = np.count_nonzero(raw.any(axis=1)), raw.shape[1]
        if not count:
            return cls(np.zeros(dim, np.float32), np.eye(dim, dtype=np.float32))
        mean = sum(part.sum(axis=0) for part in _in_double(raw)) / count
        covariance = sum((part - mean).T @ (part - mean) for part in _in_double(raw)) / count
        # n / (n + d) of the covariance is kept: with as many vectors as dimensions, half
        kept, variance = count / (count + dim), max(np.trace(covariance) / dim, 1e-12)
        shrunk = kept * covariance / variance + (1 - kept) * np.eye(dim)
        return cls(mean.astype(np.float32), whitening_map(shrunk, _RAW_POWER).astype(np.float32))

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Unit vectors, zero where `raw` is; shape (n, dim), float32."""
        units = np.zeros(raw.shape, np.float32)
        for start in range(0, len(raw), _ROWS):
            part = raw[start : start + _ROWS]
            whitened = np.where(part.any(axis=1, keepdims=True), part - self.mean, 0) @ self.map
            length = np.linalg.norm(whitened, axis=1, keepdims=True)
            np.divide(whitened, length, out=units[start : start + _ROWS], where=length > 0)
        return units


def _in_double(raw: np.ndarray) -> Iterator[np.ndarray]:
    """The rows that are not zero, some at a time: all at once they would take twice the memory of `raw`."""
    for start in range(0, len(raw), _ROWS):
        part = raw[start : start + _ROWS]
        yield part[part.any(axis=1)].astype(np.float64)
