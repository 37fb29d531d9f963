r"""Rescoring: the weighted sum of all scorers, for candidates that the embeddings retrieved.

Enters: histories, and candidates with the cosine of user and item. Leaves: a score per candidate. Nothing is written.

.. math::
    \mathrm{score}(u, i) = \sum_s w_s\, \mathrm{scorer}_s(u, i) + b_i

`b` is the prior, 0 except for items without interactions. A learned ranker (:mod:`kgrec.rank.ranker`) may correct the sum. The
scorers of :mod:`kgrec.rank.scorers` add similarities that do not fit into a short vector. Combining a linear model with a dense one
is the idea of Cheng et al. 2016, "Wide & deep learning".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.rank.config import SCORERS, ScorerName
from kgrec.rank.ranker import Ranker
from kgrec.rank.scorers import GraphScorer, ItemItemScorer, Scorer, UserProfiles, scorers_of_arrays
from kgrec.storage.segments import Rows

#: number of users scored at a time, for the union of their candidates
_USERS_PER_STEP = 128


@dataclass(frozen=True)
class Rescorer:
    """The weighted sum of the embeddings' cosine and the other scorers."""

    #: weight by name, in the order of SCORERS; they sum to 1
    weights: Mapping[str, np.float32]
    #: scorer by name, except the embedding
    scorers: dict[str, Scorer]
    #: added to the score for every user; 0 except for items without interactions; shape (n_items,), float32
    prior: Rows[np.ndarray] = field(default_factory=lambda: Rows.of(np.zeros(0, np.float32)))
    #: corrects the sum; None: no correction
    ranker: Ranker | None = None

    @cached_property
    def active(self) -> tuple[str, ...]:
        """Names of the scorers with a weight, except the embedding."""
        return tuple(name for name in self.scorers if self.weights.get(name))

    @cached_property
    def is_idle(self) -> bool:
        """Whether the score is the cosine of the embeddings alone."""
        return not self.active and self.ranker is None and not self.prior.whole.any()

    def scores(
        self,
        users: UserProfiles,
        candidates: np.ndarray,
        cosines: np.ndarray,
        parts: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Scores of candidates; shape (n_users, width), float32.

        Args:
            users: n_users users.
            candidates: rows of items; shape (n_users, width). The row of padding may be any number.
            cosines: cosines of user and candidate; shape (n_users, width), -inf for padding.
            parts: the result of `parts`, if it is already computed.
        """
        if self.is_idle:
            return np.asarray(cosines, np.float32)
        parts = self.parts(users, candidates) if parts is None else parts
        # with weight 0, the product would be NaN for padding
        weight = self.weights["embedding"]
        scores = weight * cosines if weight else np.where(np.isfinite(cosines), 0, -np.inf)
        if self.active:
            # Zeros replace inactive scorers, because the last bits of a sum depend on its number of terms.
            weights = np.array([self.weights[name] for name in self.scorers], np.float32)
            absent = np.zeros(candidates.shape, np.float32)
            scores = scores + np.tensordot(
                weights, np.stack([parts.get(name, absent) for name in self.scorers]), 1
            )
        if self.ranker is not None:
            # the row of padding may be any number
            items = np.where(np.isfinite(cosines), candidates, 0)
            given = {"embedding": cosines, **parts}
            scores = scores + self.ranker.corrections(users, items, given, self._neighbors)
        return np.asarray(scores + self.prior[candidates], np.float32)

    def parts(self, users: UserProfiles, candidates: np.ndarray) -> dict[str, np.ndarray]:
        """Unweighted scores of candidates per active scorer; each of shape (n_users, width), float32."""
        found = {name: np.zeros(candidates.shape, np.float32) for name in self.active}
        for start in range(0, len(candidates) if found else 0, _USERS_PER_STEP):
            some = slice(start, start + _USERS_PER_STEP)
            # All users are scored for the union of their candidates by one matrix product; then each user's own scores are taken.
            items, place = np.unique(candidates[some], return_inverse=True)
            place, profiles = place.reshape(candidates[some].shape), users[some]
            for name, scores in found.items():
                scores[some] = np.take_along_axis(self.scorers[name].scores(profiles, items), place, axis=1)
        return found

    def item_item_candidates(
        self, users: UserProfiles, k: int, exclude: sp.csr_matrix | None, only: np.ndarray | None
    ) -> np.ndarray:
        """The best `k` items per active item-item scorer; shape (n_users, width), padded with -1; see `ItemItemScorer.best`."""
        found = [np.zeros((users.histories.shape[0], 0), np.int64)]
        for name in self.active:
            scorer = self.scorers[name]
            if isinstance(scorer, ItemItemScorer):
                found.append(scorer.best(users, k, exclude, only))
        return np.concatenate(found, axis=1)

    def account(
        self, user: UserProfiles, item: int, cosine: float
    ) -> tuple[dict[str, float], dict[str, float]]:
        """The weight of each scorer for one pair, and the further corrections of a learned ranker, per feature.

        Args:
            user: a single user.
            item: row of the item.
            cosine: cosine of their vectors.
        """
        weights = {name: float(weight) for name, weight in self.weights.items()}
        if self.ranker is None:
            return weights, {}
        parts = {"embedding": np.array([[cosine]], np.float32), **self.parts(user, np.array([[item]]))}
        added, rest = self.ranker.account(user, item, parts, self._neighbors)
        return {name: weight + added.get(name, 0.0) for name, weight in weights.items()}, rest

    def shares(
        self, user: UserProfiles, items: np.ndarray, weights: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """The weighted share of each history item in the scores of `items`, per scorer; each of shape (nnz, len(items)), zeros for
        inactive scorers.

        Args:
            user: a single user.
            items: rows of the items.
            weights: weights of the scorers, from `account`: one number, or one number per item; None: the same for all pairs.
        """
        used: Mapping[str, Any] = self.weights if weights is None else weights
        return {
            name: np.asarray(used[name], np.float32) * scorer.shares(user, items)
            if name in self.active
            else np.zeros((user.histories.nnz, len(items)), np.float32)
            for name, scorer in self.scorers.items()
        }

    def weights_of(self, user: UserProfiles, items: np.ndarray, cosines: np.ndarray) -> dict[str, np.ndarray]:
        """The weight of each scorer for one user and each of `items`; by name, each of shape (len(items),).

        Weights differ between items only with a learned ranker, which is evaluated item by item.

        Args:
            user: a single user.
            items: rows of the items.
            cosines: cosines of their vectors with the user's; shape (len(items),).
        """
        if self.ranker is None:
            return {name: np.full(len(items), weight) for name, weight in self.weights.items()}
        each = [
            self.account(user, item, cosine)[0]
            for item, cosine in zip(items.tolist(), cosines.tolist(), strict=True)
        ]
        return {name: np.array([weights[name] for weights in each], np.float32) for name in self.weights}

    def with_scorer(self, name: str, scorer: Scorer) -> Rescorer:
        """The rescorer with the scorer of this name replaced."""
        return replace(self, scorers={**self.scorers, name: scorer})

    def with_items(self, n_items: int) -> Rescorer:
        """The rescorer for a catalogue of `n_items`; new items have a prior of 0."""
        new = np.arange(len(self.prior), n_items)
        ranker = None if self.ranker is None else self.ranker.with_items(n_items)
        return replace(self, prior=self.prior.with_rows(new, np.zeros(len(new), np.float32)), ranker=ranker)

    def merged(self) -> Rescorer:
        """The rescorer with all rows of items in the base segment."""
        scorers = {name: scorer.merged() for name, scorer in self.scorers.items()}
        ranker = None if self.ranker is None else self.ranker.merged()
        return replace(self, scorers=scorers, prior=self.prior.merged(), ranker=ranker)

    @property
    def _neighbors(self) -> Rows[sp.csr_matrix]:
        """The rows of the graph scorer."""
        graph = self.scorers["graph"]
        assert isinstance(graph, GraphScorer)
        return graph.neighbors

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, which `of_arrays` reads; a learned ranker has its own files."""
        kept = {f"weight.{name}": np.array([weight]) for name, weight in self.weights.items()}
        for name, scorer in self.scorers.items():
            kept |= scorer.arrays(name)
        return kept | {"prior": self.prior.whole}

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, np.ndarray], n_items: int, ranker: Ranker | None = None
    ) -> Rescorer:
        """The rescorer with these `arrays` and this learned ranker.

        Raises:
            ValueError: Arrays are missing, or their shapes do not match.
        """
        missing = [name for name in (*(f"weight.{name}" for name in SCORERS), "prior") if name not in arrays]
        if missing:
            raise ValueError(f"has no array '{missing[0]}'")
        if len(arrays["prior"]) != n_items:
            raise ValueError(f"is not of {n_items:,} items")
        weights: dict[str, np.float32] = {name: np.float32(arrays[f"weight.{name}"][0]) for name in SCORERS}
        return cls(weights, scorers_of_arrays(arrays, n_items), Rows.of(arrays["prior"]), ranker)


def proportions(weights: Mapping[ScorerName, float]) -> dict[str, np.float32]:
    """Weights by name, scaled to sum to 1; zeros if all are 0."""
    values = [weights.get(name, 0.0) for name in SCORERS]
    shares = np.asarray(values, np.float32) / max(sum(values), 1e-12)
    return dict(zip(SCORERS, shares, strict=True))
