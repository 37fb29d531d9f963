r"""Whitening: a linear map that brings the variances of vectors in all directions closer together.

Enters: raw vectors, or the Gram matrix of embeddings. Leaves: a map. Nothing is written.

.. math::
    W = (S / \bar{s})^{-p/2} \qquad \bar{s} = \mathrm{tr}(S) / d

S is the covariance, d the dimension. With power p = 1 all directions get the same variance; with p = 0 they keep theirs. Vectors
of a sentence-transformer lie in a narrow cone, trained embeddings in a wider one. The few directions of large variance then dominate
the cosine; cosines of whitened vectors separate items better (Su et al. 2021, "Whitening sentence representations").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

#: power for text and vector columns
_RAW_POWER = 0.7
#: powers for embeddings; validation chooses one
POWERS = (0.0, 0.25, 0.5, 0.75)
#: added to the variance of embeddings in every direction, as a share of the mean variance; keeps noise in flat directions small
_RIDGE = 0.1
#: smallest variance in a direction, as a share of the mean variance
_MIN_VARIANCE = 1e-4
#: rows per block of a computation
_ROWS_PER_STEP = 1 << 16


def whitening_map(covariance: np.ndarray, power: float) -> np.ndarray:
    """The map `S ** (-power / 2)` of a covariance S with mean variance 1; shapes (dim, dim) -> (dim, dim), symmetric, float64."""
    variances, axes = np.linalg.eigh(covariance)
    whitened: np.ndarray = (axes * np.maximum(variances, _MIN_VARIANCE) ** (-power / 2)) @ axes.T
    return whitened


def embedding_map(gram: np.ndarray, power: float) -> np.ndarray:
    """The whitening map of unit embeddings E, some of which may be zero.

    The embeddings are not centred: a linear map can be folded into the tables of the encoder, but a shift cannot.

    Args:
        gram: `E.T @ E`; shape (dim, dim), float64.
        power: 0 for the identity, 1 for nearly equal variances.

    Returns:
        shape (dim, dim), symmetric, float64.
    """
    dim = len(gram)
    # The trace is the sum of the variances. After division by it, the mean variance is 1 and `_RIDGE` is a share of it.
    scaled = gram / max(np.trace(gram) / dim, 1e-12)
    return whitening_map(scaled + _RIDGE * np.eye(dim), power)


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
        """Learn from the rows of `raw` that are not zero; shape (n, dim)."""
        count, dim = np.count_nonzero(raw.any(axis=1)), raw.shape[1]
        if not count:
            return cls(np.zeros(dim, np.float32), np.eye(dim, dtype=np.float32))
        mean = sum(part.sum(axis=0) for part in _in_double(raw)) / count
        covariance = sum((part - mean).T @ (part - mean) for part in _in_double(raw)) / count
        # Shrinkage keeps n / (n + d) of the covariance: half of it if there are as many vectors as dimensions.
        kept, variance = count / (count + dim), max(np.trace(covariance) / dim, 1e-12)
        shrunk = kept * covariance / variance + (1 - kept) * np.eye(dim)
        return cls(mean.astype(np.float32), whitening_map(shrunk, _RAW_POWER).astype(np.float32))

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Unit vectors, zero where `raw` is; shape (n, dim), float32."""
        units = np.zeros(raw.shape, np.float32)
        for start in range(0, len(raw), _ROWS_PER_STEP):
            part = raw[start : start + _ROWS_PER_STEP]
            whitened = np.where(part.any(axis=1, keepdims=True), part - self.mean, 0) @ self.map
            length = np.linalg.norm(whitened, axis=1, keepdims=True)
            np.divide(whitened, length, out=units[start : start + _ROWS_PER_STEP], where=length > 0)
        return units


def _in_double(raw: np.ndarray) -> Iterator[np.ndarray]:
    """The rows that are not zero, in blocks, because all at once would take twice the memory of `raw`."""
    for start in range(0, len(raw), _ROWS_PER_STEP):
        part = raw[start : start + _ROWS_PER_STEP]
        yield part[part.any(axis=1)].astype(np.float64)
