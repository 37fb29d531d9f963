"""Queries to a trained model: lists for users, histories and texts; nearest items and users.

Enters: ids, histories and texts in the user's own strings, and a `Request` or its options as keywords. Leaves: frames.
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
from kgrec.graph.histories import Histories
from kgrec.model.model import Model
from kgrec.recommend.feedback import (
    KnownUserPolicy,
    check_length,
    checked_policy,
    feedback_matrices,
    history_matrix,
    relevance_profile,
    with_stored,
)
from kgrec.recommend.ids import OnUnknown, item_rows, user_rows
from kgrec.recommend.request import Request, merged
from kgrec.recommend.results import ranked_frame


class Queries(ABC):
    """The queries of a recommender.

    Options of a list are keywords, or a `Request` that holds all of them: `recommend(users, k=5, deny=["i1"])` and
    `recommend(users, request=Request(k=5, deny=["i1"]))` are the same. Giving both is a ConfigError.
    """

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
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The best items for known users.

        A user without positive interactions gets the items nearest to the mean user vector.

        Args:
            users: Their ids.
            k: Items per user; fewer only where fewer are allowed.
            exclude_seen: Leave out the items that the user has interacted with.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items, such as "genres = Horror and year >= 1990".
            min_score: Lowest score that is returned; ranks do not change.
            new_item_boost: Added to the score of items without interactions at training; below 0 they sink.
            on_unknown: "raise", or "skip" unknown users and items, and let an unknown value of a condition match nothing.
            request: The options from `k` to `on_unknown` as one object.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, item_id, score (a weighted mean of cosines) and rank (from 1), sorted by user as given
            and rank.

        Raises:
            UnknownId: A user, an item, or a value of the condition is unknown.
            ConfigError: An option is not valid, or the condition cannot be parsed.
        """
        request = merged(
            request,
            Request(k, candidates, deny, where, min_score, exclude_seen, new_item_boost, on_unknown),
        )
        model = self.model
        known = user_rows(model, users, request.on_unknown)
        names = model.users.labels.take(pa.array(known))
        seen = model.seen[known] if request.exclude_seen else None
        return _ranked(model, model.histories.take(known), seen, names, request, arrow)

    def recommend_for_history(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        dislikes: Sequence[Sequence[str]] | None = None,
        seen: Sequence[Sequence[str]] | None = None,
        users: Sequence[str] | None = None,
        known_users: KnownUserPolicy = "merge",
        exclude_seen: bool = True,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        new_item_boost: float = 0.0,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The best items for histories: of users unknown to training, or of known users with newer interactions.

        Args:
            histories: Ids of liked items, one list per user; an empty history gets the items nearest to the mean user vector.
            k: Items per user.
            dislikes: Ids of disliked items, one list per user: they are left out, and similar items sink.
            seen: Ids of items that each user has interacted with, but neither likes nor dislikes: left out as the history is.
            users: Their names; None: the users are unknown, and named "0", "1", ...
            known_users: How the given history and the stored one of a known user are combined: "merge" adds the given one,
                where a disliked item is no longer liked; "replace" uses the given one alone.
            exclude_seen: Leave out the items of the history and of `seen`, and with "merge" those that the model has as seen.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: Lowest score that is returned.
            new_item_boost: As for `recommend`.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            request: The options of a list as one object, as for `recommend`.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            As `recommend`.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: `users`, `dislikes` or `seen` is of another length than `histories`, an item is both liked and
                disliked, or as `recommend`.
        """
        request = merged(
            request,
            Request(k, candidates, deny, where, min_score, exclude_seen, new_item_boost, on_unknown),
        )
        model = self.model
        names = [str(n) for n in range(len(histories))] if users is None else list(users)
        check_length(histories, names, "names in `users`")
        liked, disliked = feedback_matrices(model, histories, dislikes, request.on_unknown)
        check_length(histories, seen if seen is not None else histories, "lists in `seen`")
        others = history_matrix(model, seen or [()] * len(histories), request.on_unknown)
        known = liked + disliked + others
        if checked_policy(known_users) == "merge" and users is not None:
            no_longer_liked = disliked.maximum(others - others.multiply(liked)).tocsr()
            liked, stored = with_stored(model, names, liked, no_longer_liked)
            known = known + stored
        left_out = known.tocsr() if request.exclude_seen else disliked
        profile = relevance_profile(liked, disliked, model.user_encoder.history_weight.whole)
        return _ranked(
            model, Histories.of_matrix(profile), left_out, pa.array(names, pa.large_string()), request, arrow
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
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The items that texts describe, such as "slow science fiction about memory".

        Args:
            texts: Descriptions of the items to find.
            k: Items per text.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: Lowest score that is returned.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            request: The options of a list as one object, as for `recommend`; without `new_item_boost`.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns text, item_id, score (three parts the cosine of the texts, one part that of the embeddings) and rank.

        Raises:
            ConfigError: The model was trained without text, a text is empty, or as `recommend`.
            EncoderNotFound: The text encoder cannot be loaded.
            UnknownId: An item, or a value of the condition, is unknown.
        """
        from kgrec.recommend.text_query import encoded, ranked

        keywords = Request(k, candidates, deny, where, min_score, on_unknown=on_unknown)
        request = merged(request, keywords)
        request.refuse(["new_item_boost"], "texts")
        model = self.model
        texts = [texts] if isinstance(texts, str) else list(texts)
        length, only = request.length(len(model.items)), request.rows(model)
        found, scores = ranked(model, encoded(model, texts, self._encoder(model)), length, only)
        names = pa.array(texts, pa.large_string())
        return ranked_frame(
            "text", names, "item_id", model.items.ids, found, scores, min_score=request.min_score, arrow=arrow
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
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The items nearest to each of `items`, which itself is left out.

        Args:
            items: Their ids.
            k: Similar items per item.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: Lowest score that is returned.
            on_unknown: "raise", or "skip" unknown ids and values, as `recommend` does.
            request: The options of a list as one object, as for `recommend`; without `new_item_boost`.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns item_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: As `recommend`.
        """
        keywords = Request(k, candidates, deny, where, min_score, on_unknown=on_unknown)
        request = merged(request, keywords)
        request.refuse(["new_item_boost"], "similar items")
        model = self.model
        rows = item_rows(model, items, request.on_unknown)
        length = request.length(len(model.items))
        found, scores = model.index.search(
            model.items.vectors[rows], length, exclude=[row[None] for row in rows], only=request.rows(model)
        )
        names = model.items.ids.take(rows)
        return ranked_frame(
            "item_id",
            names,
            "similar_id",
            model.items.ids,
            found,
            scores,
            min_score=request.min_score,
            arrow=arrow,
        )

    def similar_users(
        self,
        users: Sequence[str],
        k: int = 10,
        *,
        min_score: float | None = None,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The known users nearest to each of `users`, who is left out; users without positive interactions are in no list.

        Args:
            users: Their ids.
            k: Similar users per user.
            min_score: Lowest score that is returned.
            on_unknown: "raise", or "skip" unknown users.
            request: These options as one object; options about items are refused.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: A user is unknown.
            ConfigError: An option is not valid.
        """
        request = merged(request, Request(k, min_score=min_score, on_unknown=on_unknown))
        request.refuse(["candidates", "deny", "where", "new_item_boost"], "similar users")
        model = self.model
        rows = user_rows(model, users, request.on_unknown)
        found, scores = model.near_users(rows, request.length(len(model.users)))
        names = model.users.labels.take(pa.array(rows))
        return ranked_frame(
            "user_id",
            names,
            "similar_id",
            model.users,
            found,
            scores,
            min_score=request.min_score,
            arrow=arrow,
        )


def _ranked(
    model: Model,
    histories: Histories,
    seen: sp.csr_matrix | None,
    names: pa.Array,
    request: Request,
    arrow: bool,
) -> Any:
    exclude = None if seen is None else np.split(seen.indices, seen.indptr[1:-1])
    length, only = request.length(len(model.items)), request.rows(model)
    found, scores = model.ranked(histories, length, exclude, only, request.new_item_boost)
    return ranked_frame(
        "user_id", names, "item_id", model.items.ids, found, scores, min_score=request.min_score, arrow=arrow
    )
