"""Questions to a trained model: lists for users, histories and texts; what is near.

Enters: ids, histories and texts in the user's own strings, and limits to what a list may hold. Leaves: frames.
Nothing is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from kgrec.encode.text import TextEncoder
from kgrec.model.model import Model
from kgrec.recommend.feedback import (
    KnownUserPolicy,
    check_length,
    checked_policy,
    feedback_matrices,
    relevance_profile,
    with_stored,
)
from kgrec.recommend.filters import Filters, checked_boost
from kgrec.recommend.ids import OnUnknown, item_rows, user_rows
from kgrec.recommend.results import ranked_frame


class Queries(ABC):
    """The part of a recommender that answers."""

    @property
    @abstractmethod
    def model(self) -> Model:
        """The trained model."""

    @abstractmethod
    def _encoder(self, model: Model) -> TextEncoder | None:
        """The text encoder that a model was trained with."""

    def recommend(
        self,
        users: Sequence[str],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        new_item_boost: float = 0.0,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The best items of known users.

        A user without a positive interaction gets what most people take.

        Args:
            users: Their ids.
            k: Items a user; fewer only where fewer are allowed.
            exclude_seen: Leave out what the user has interacted with.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items, such as "genres = Horror and year >= 1990".
            min_score: What a score must reach; the ranks of the others stay.
            new_item_boost: Is added to the score of items that training did not know; below 0 they sink.
            on_unknown: "raise", or "skip" unknown users and items, and let an unknown value of a condition match nothing.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, item_id, score (a weighted mean of cosines) and rank (from 1), sorted by user as given
            and rank.

        Raises:
            UnknownId: A user, an item, or a value of the condition is unknown.
            ConfigError: `k` is below 1, the boost is no number, or the condition cannot be read.
        """
        model, limits = self.model, Filters(k, candidates, deny, where, min_score, on_unknown)
        known = user_rows(model, users, on_unknown)
        names = model.users.take(known)
        seen = model.seen[known] if exclude_seen else None
        return _ranked(model, model.histories[known], seen, names, limits, new_item_boost, arrow)

    def recommend_for_history(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        dislikes: Sequence[Sequence[str]] | None = None,
        users: Sequence[str] | None = None,
        known_users: KnownUserPolicy = "merge",
        exclude_seen: bool = True,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        new_item_boost: float = 0.0,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The best items for histories, of users that training never saw, or that have gone on since.

        Args:
            histories: Item ids that are liked, a list a user; an empty one gets what most people take.
            k: Items a user.
            dislikes: Item ids that are not, a list a user: they are left out, and what is like them sinks.
            users: Their names; None: they are nobody known, and named "0", "1", ...
            known_users: What becomes of the history that the model has of one of `users`: "merge" adds the given one,
                where what is disliked now is liked no longer; "replace" lets the given one alone count.
            exclude_seen: Leave out the items of the history, and with "merge" what the model knows to be seen.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: What a score must reach.
            new_item_boost: As for `recommend`.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            As `recommend`.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: `users` or `dislikes` is of another length than `histories`, an item is both liked and
                disliked, or as `recommend`.
        """
        model, limits = self.model, Filters(k, candidates, deny, where, min_score, on_unknown)
        names = [str(n) for n in range(len(histories))] if users is None else list(users)
        check_length(histories, names, "names in `users`")
        liked, disliked = feedback_matrices(model, histories, dislikes, on_unknown)
        seen = liked + disliked if exclude_seen else disliked
        if checked_policy(known_users) == "merge" and users is not None:
            liked, stored = with_stored(model, names, liked, disliked)
            seen = (seen + stored).tocsr() if exclude_seen else disliked
        history = relevance_profile(liked, disliked, model.user_encoder.history_weight.whole)
        return _ranked(
            model, history, seen, pa.array(names, pa.large_string()), limits, new_item_boost, arrow
        )

    def recommend_for_text(
        self,
        texts: Sequence[str],
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The items that texts describe, such as "slow science fiction about memory".

        Args:
            texts: What is looked for.
            k: Items a text.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: What a score must reach.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            Columns text, item_id, score (three parts the cosine of the texts, one part that of the embeddings) and rank.

        Raises:
            ConfigError: The model was trained without text, a text is empty, or as `recommend`.
            EncoderNotFound: The text encoder cannot be loaded.
            UnknownId: An item, or a value of the condition, is unknown.
        """
        from kgrec.recommend.text_query import encoded, ranked

        model, limits = self.model, Filters(k, candidates, deny, where, min_score, on_unknown)
        texts = [texts] if isinstance(texts, str) else list(texts)
        length, only = limits.length(len(model.items)), limits.rows(model)
        found, scores = ranked(model, encoded(model, texts, self._encoder(model)), length, only)
        names = pa.array(texts, pa.large_string())
        return ranked_frame(
            "text", names, "item_id", model.items.ids, found, scores, min_score=min_score, arrow=arrow
        )

    def similar_items(
        self,
        items: Sequence[str],
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The items nearest to each of `items`, itself left out.

        Args:
            items: Their ids.
            k: Items an item.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: What a score must reach.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            Columns item_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: As `recommend`.
        """
        model, limits = self.model, Filters(k, candidates, deny, where, min_score, on_unknown)
        rows = item_rows(model, items, on_unknown)
        length = limits.length(len(model.items))
        found, scores = model.index.search(
            model.items.vectors[rows], length, exclude=[row[None] for row in rows], only=limits.rows(model)
        )
        names = model.items.ids.take(rows)
        return ranked_frame(
            "item_id", names, "similar_id", model.items.ids, found, scores, min_score=min_score, arrow=arrow
        )

    def similar_users(
        self,
        users: Sequence[str],
        k: int = 10,
        *,
        min_score: float | None = None,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The known users nearest to each of `users`, itself left out; those without a positive interaction are near to nobody.

        Returns:
            Columns user_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: A user is unknown.
            ConfigError: `k` is below 1.
        """
        model = self.model
        rows = user_rows(model, users, on_unknown)
        found, scores = model.near_users(rows, Filters(k).length(len(model.users)))
        names = model.users.labels.take(pa.array(rows))
        return ranked_frame(
            "user_id", names, "similar_id", model.users, found, scores, min_score=min_score, arrow=arrow
        )


def _ranked(
    model: Model,
    histories: sp.csr_matrix,
    seen: sp.csr_matrix | None,
    names: pa.Array,
    limits: Filters,
    new_item_boost: float,
    arrow: bool,
) -> Any:
    exclude = None if seen is None else np.split(seen.indices, seen.indptr[1:-1])
    length, only = limits.length(len(model.items)), limits.rows(model)
    found, scores = model.ranked(histories, length, exclude, only, checked_boost(new_item_boost))
    return ranked_frame(
        "user_id", names, "item_id", model.items.ids, found, scores, min_score=limits.min_score, arrow=arrow
    )
