"""Queries to a trained model: lists for users, histories and texts; nearest items and users.

Enters: ids, histories and texts in the user's own strings, and a `Request` or its options as keywords. Leaves: frames.
Nothing is written.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from kgrec.arguments import options
from kgrec.arguments.ids import as_id_lists, as_ids, as_texts
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
    stamps_of,
    stored_of,
    with_stored,
)
from kgrec.recommend.ids import OnUnknown, item_rows, known_rows, user_rows
from kgrec.recommend.list_options import list_policy
from kgrec.recommend.pairs import pairs_of, scores_of
from kgrec.recommend.request import OF_ITEMS, OF_LISTS, OF_USERS, Request, merged
from kgrec.recommend.results import ranked_frame

logger = logging.getLogger(__name__)


class Queries(ABC):
    """The queries of a recommender.

    Options of a list are keywords, or a `Request` that holds all of them: `recommend(users, k=5, deny=["i1"])` and
    `recommend(users, request=Request(k=5, deny=["i1"]))` are the same. Giving both is a ConfigError.
    Options about lists as a whole (diversity, calibration, novelty, exposure, caps and quotas) can only be set in a `Request`.
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
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        user_candidates: Any = None,
        user_deny: Any = None,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The best items for known users.

        With options of a `Request` such as `diversity`, a list is chosen as a whole: its ranks may differ from the order of its scores.
        A user without positive interactions gets the items nearest to the mean user vector.
        With `explain` of a `Request`, two further columns, because and evidence, say why each item is listed.

        Args:
            users: Ids of the users.
            k: Items per user; fewer only if fewer are allowed.
            exclude_seen: Leave out items that the user has interacted with.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items, such as "genres = Horror and year >= 1990".
            min_score: Lowest returned score; ranks do not change.
            new_item_boost: Added to the score of items without interactions at training; a negative value lowers them.
            item_boost: Added to the scores of items: a dict from ids to numbers, or a frame with item_id and boost.
            where_boost: Added to the scores of items that meet conditions: a dict from conditions to numbers.
            user_candidates: The only items to rank for some users: a dict from users to ids, or a frame with user_id and item_id.
            user_deny: Items to leave out for some users, in the same form as `user_candidates`.
            on_unknown: "raise", or "skip" unknown users and items; with "skip", an unknown value of a condition matches nothing.
            request: All these options as one object.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, item_id, score (a weighted mean of cosines) and rank (from 1), sorted by user in the given order,
            then by rank.

        Raises:
            UnknownId: A user, an item, or a value of the condition is unknown.
            ConfigError: An option is not valid, or the condition cannot be parsed.
        """
        request = merged(
            request,
            Request(
                k,
                candidates,
                deny,
                where,
                min_score,
                exclude_seen,
                new_item_boost,
                on_unknown,
                item_boost=item_boost,
                where_boost=where_boost,
                user_candidates=user_candidates,
                user_deny=user_deny,
            ),
        )
        model = self.model
        known = user_rows(model, as_ids(users, "users"), request.on_unknown)
        names = model.users.labels.take(pa.array(known))
        histories = model.histories.take(known)
        seen = histories.matrix(positive_only=False) if request.exclude_seen else None
        return _ranked(model, histories, seen, names, request, arrow)

    def recommend_for_history(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        weights: Sequence[Sequence[float]] | None = None,
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
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        user_candidates: Any = None,
        user_deny: Any = None,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The best items for given histories, of users unknown to training or of known users with newer interactions.

        Args:
            histories: Ids of liked items, oldest first, one list per user; an empty history gets the items nearest to the mean user vector.
            k: Items per user.
            weights: Weight of each history item, as one list of numbers above 0 per user. Only their ratios matter: they
                are divided by their mean, so an item of average weight counts like an item without weights. None: equal weights.
            dislikes: Ids of disliked items, one list per user; these items are left out, and similar items sink.
            seen: Ids of items that each user has interacted with but neither likes nor dislikes; left out like the history.
            users: Names of the users; None: the users are unknown, and named "0", "1", ...
            known_users: How the given history of a known user is combined with the stored one: "merge" adds the given history,
                and a disliked item is no longer liked; "replace" uses only the given history.
            exclude_seen: Leave out the items of the history and of `seen`, and with "merge" also the items stored as seen.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: Lowest returned score.
            new_item_boost: As for `recommend`.
            item_boost: As for `recommend`.
            where_boost: As for `recommend`.
            user_candidates: As for `recommend`; users without names are "0", "1", ...
            user_deny: As for `recommend`.
            on_unknown: "raise", or "skip" unknown ids and values, as for `recommend`.
            request: The options of a list as one object, as for `recommend`.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            As `recommend`.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: `users`, `weights`, `dislikes` or `seen` differs in length from `histories`, an item is both liked and
                disliked, or as for `recommend`.
        """
        request = merged(
            request,
            Request(
                k,
                candidates,
                deny,
                where,
                min_score,
                exclude_seen,
                new_item_boost,
                on_unknown,
                item_boost=item_boost,
                where_boost=where_boost,
                user_candidates=user_candidates,
                user_deny=user_deny,
            ),
        )
        model = self.model
        histories = as_id_lists(histories, "histories")
        dislikes = None if dislikes is None else as_id_lists(dislikes, "dislikes")
        names = [str(n) for n in range(len(histories))] if users is None else as_ids(users, "users")
        check_length(histories, names, "names in `users`")
        liked, disliked = feedback_matrices(model, histories, dislikes, request.on_unknown, weights)
        seen = None if seen is None else as_id_lists(seen, "seen")
        check_length(histories, seen if seen is not None else histories, "lists in `seen`")
        others = history_matrix(model, seen or [()] * len(histories), request.on_unknown)
        known = liked + disliked + others
        stored = None
        if checked_policy(known_users) == "merge" and users is not None:
            no_longer_liked = disliked.maximum(others - others.multiply(liked)).tocsr()
            stored = stored_of(model, names)
            liked, stored_seen = with_stored(stored, liked, no_longer_liked)
            known = known + stored_seen
        left_out = known.tocsr() if request.exclude_seen else disliked
        profile = relevance_profile(liked, disliked, model.user_encoder.history_weight.whole)
        merged_histories = Histories.of_matrix(profile, stamps_of(model, histories, stored))
        return _ranked(model, merged_histories, left_out, pa.array(names, pa.large_string()), request, arrow)

    def recommend_for_text(
        self,
        texts: Sequence[str],
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
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
            min_score: Lowest returned score.
            item_boost: As for `recommend`.
            where_boost: As for `recommend`.
            on_unknown: "raise", or "skip" unknown ids and values, as for `recommend`.
            request: The options of a list as one object, as for `recommend`; without `new_item_boost` and lists of users.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns text, item_id, score (three quarters cosine of the texts, one quarter cosine of the embeddings) and rank.

        Raises:
            ConfigError: The model was trained without text, a text is empty, or as for `recommend`.
            EncoderNotFound: The text encoder cannot be loaded.
            UnknownId: An item, or a value of the condition, is unknown.
        """
        from kgrec.recommend.text_query import encoded, ranked

        keywords = Request(
            *(k, candidates, deny, where, min_score),
            on_unknown=on_unknown,
            item_boost=item_boost,
            where_boost=where_boost,
        )
        request = merged(request, keywords)
        request.refuse(["new_item_boost", *OF_USERS], "texts")
        model = self.model
        texts = as_texts(texts, "texts")
        length, filters = request.length(len(model.items)), request.filters(model)
        queries = encoded(model, texts, self._encoder(model))
        found, scores = ranked(model, queries, length, filters.only, filters.boost)
        names = pa.array(texts, pa.large_string())
        return ranked_frame(
            "text", names, "item_id", model.items.ids, found, scores, min_score=request.min_score, arrow=arrow
        )

    def score_pairs(
        self,
        users: Any,
        items: Any = None,
        *,
        new_item_boost: float = 0.0,
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The scores of given pairs of a known user and an item, equal to those of `recommend`.

        Items that are left out of lists because they are seen or removed have a score here.

        Args:
            users: Ids of the users, one per item; or a frame with user_id and item_id.
            items: Ids of the items; None if `users` is a frame.
            new_item_boost: As for `recommend`.
            item_boost: As for `recommend`.
            where_boost: As for `recommend`.
            on_unknown: "raise", or "skip" pairs with an unknown user or item.
            request: These options as one object; options about lists raise an error.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, item_id, score, in the order of the pairs.

        Raises:
            UnknownId: A user or an item is unknown.
            ConfigError: The numbers of users and items differ.
            SourceError: A column of the frame is missing, or a cell is not an id.
        """
        keywords = Request(
            new_item_boost=new_item_boost,
            on_unknown=on_unknown,
            item_boost=item_boost,
            where_boost=where_boost,
        )
        request = merged(request, keywords)
        request.refuse(OF_LISTS, "pairs")
        model = self.model
        named = pairs_of(users, items)
        rows = [
            known_rows(rows_of, names, what, known, request.on_unknown)
            for rows_of, names, what, known in (
                (model.users.ids, named[0], "user", model.users),
                (model.items.rows, named[1], "item", model.items.ids),
            )
        ]
        both, in_users, in_items = np.intersect1d(rows[0][1], rows[1][1], True, True)
        scores = scores_of(model, rows[0][0][in_users], rows[1][0][in_items], request.boosts(model))
        names = [pa.array(some, pa.large_string()).take(pa.array(both)) for some in named]
        table = pa.table({"user_id": names[0], "item_id": names[1], "score": scores})
        return table if options.flag("arrow", arrow) else table.to_pandas()

    def similar_items(
        self,
        items: Sequence[str],
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        where: str | None = None,
        min_score: float | None = None,
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        on_unknown: OnUnknown = "raise",
        request: Request | None = None,
        arrow: bool = False,
    ) -> Any:
        """The items nearest to each of `items`, without the item itself.

        Args:
            items: Ids of the items.
            k: Similar items per item.
            candidates: Ids of the only items to rank.
            deny: Ids of items to leave out.
            where: A condition on the items.
            min_score: Lowest returned score.
            item_boost: As for `recommend`.
            where_boost: As for `recommend`.
            on_unknown: "raise", or "skip" unknown ids and values, as for `recommend`.
            request: The options of a list as one object, as for `recommend`; without `new_item_boost` and lists of users.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns item_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: As for `recommend`.
        """
        keywords = Request(
            *(k, candidates, deny, where, min_score),
            on_unknown=on_unknown,
            item_boost=item_boost,
            where_boost=where_boost,
        )
        request = merged(request, keywords)
        request.refuse(["new_item_boost", *OF_USERS], "similar items")
        model = self.model
        rows = item_rows(model, as_ids(items, "items"), request.on_unknown)
        length = request.length(len(model.items))
        filters = replace(request.filters(model), exclude=[row[None] for row in rows])
        found, scores = model.nearest(model.items.vectors[rows], length, filters)
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
        """The known users nearest to each of `users`, without the user itself; users without positive interactions are never listed.

        Args:
            users: Ids of the users.
            k: Similar users per user.
            min_score: Lowest returned score.
            on_unknown: "raise", or "skip" unknown users.
            request: These options as one object; options about items raise an error.
            arrow: Return an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: A user is unknown.
            ConfigError: An option is not valid.
        """
        request = merged(request, Request(k, min_score=min_score, on_unknown=on_unknown))
        request.refuse(OF_ITEMS, "similar users")
        model = self.model
        rows = user_rows(model, as_ids(users, "users"), request.on_unknown)
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
    own = request.user_candidates is not None or request.user_deny is not None
    filters = request.filters(model, names.to_pylist() if own else None, seen)
    policy = list_policy(model, request, histories)
    found, scores = model.ranked(histories, request.length(len(model.items)), filters, policy)
    for name, lists in (policy.unmet(found) if policy else {}).items():
        least = (request.at_least or {})[name]
        logger.warning(
            "at_least %d of '%s': %s of %s lists have fewer such items, because their users have too few such candidates.",
            *(least, name, f"{lists:,}", f"{len(found):,}"),
        )
    table: Any = ranked_frame(
        "user_id", names, "item_id", model.items.ids, found, scores, min_score=request.min_score, arrow=True
    )
    if request.explain:
        table = _with_reasons(table, model, histories, found, scores, request.min_score, filters.boost)
    if options.flag("arrow", arrow):
        return table
    frame = table.to_pandas()
    # keep lists inside structs as lists instead of arrays
    return frame.assign(evidence=table["evidence"].to_pylist()) if request.explain else frame


def _with_reasons(
    table: pa.Table,
    model: Model,
    histories: Histories,
    found: np.ndarray,
    scores: np.ndarray,
    min_score: float | None,
    boost: np.ndarray | None,
) -> pa.Table:
    """Add the columns because and evidence to lists."""
    from kgrec.recommend.reasons import EVIDENCE, reasons

    kept = found if min_score is None else np.where(scores >= min_score, found, -1)
    each = [one for some in reasons(model, histories, kept, boost) for one in some]
    table = table.append_column("because", pa.array([one.text for one in each], pa.string()))
    return table.append_column("evidence", pa.array([one.evidence() for one in each], EVIDENCE))
