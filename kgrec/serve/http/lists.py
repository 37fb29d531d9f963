"""Lists of the library as JSON values.

Enters: a state, options and questions. Leaves: `Listed`, which belongs to one state. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kgrec.model.model import Model
from kgrec.rank.lists.explore import Exploration, drawn
from kgrec.recommend.explain import Explanation
from kgrec.recommend.list_options import LIST_OPTIONS, NEW
from kgrec.recommend.request import Request
from kgrec.serve.live import LiveState

Fallback = Literal["unknown_user", "no_history"]


@dataclass(frozen=True)
class Whom:
    """The recipient of a list: a user, a history, or both."""

    user: str | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()

    @property
    def by_history(self) -> bool:
        """Whether a history is given."""
        return bool(self.liked or self.disliked) or self.user is None


@dataclass(frozen=True)
class ListOf:
    """Options shared by the lists of one library call."""

    kind: Literal["user", "history", "both"]
    request: Request
    fields: tuple[str, ...] = ()
    #: how the lists are drawn; None: they are not
    explore: Exploration | None = None


@dataclass(frozen=True)
class Listed:
    """A list, and the state that produced it."""

    state: LiveState
    items: list[dict[str, Any]]
    fallback: Fallback | None = None
    #: number of items that were unknown to training
    new: int = 0
    #: probability of each item at its place, if the list was drawn
    propensities: tuple[float, ...] | None = None


def check_explored(request: Request, explore: Exploration | None) -> None:
    """Check that a list with these options can be drawn.

    Raises:
        ConfigError: One of the options is about lists as a whole.
    """
    if explore is not None:
        request.refuse(LIST_OPTIONS, "lists that are drawn")


def kind_of(whom: Whom) -> Literal["user", "history", "both"]:
    """The kind of a recipient; one call computes lists of the same kind."""
    if not whom.by_history:
        return "user"
    return "history" if whom.user is None else "both"


def lists(state: LiveState, options: ListOf, whom: Sequence[Whom]) -> list[Listed]:
    """One list per recipient, all from one state."""
    return _KINDS[options.kind](state, options, whom)


def _of_users(state: LiveState, options: ListOf, whom: Sequence[Whom]) -> list[Listed]:
    names = list(dict.fromkeys(one.user or "" for one in whom))
    rows = state.model.users.ids(names)
    known = [
        name for name, row in zip(names, rows.tolist(), strict=True) if row >= 0 and name not in state.erased
    ]
    made: dict[str, Listed] = {}
    if known:
        table = state.recommender.recommend(known, request=_asked(state, options), arrow=True)
        liked = state.model.histories.take(state.model.users.ids(known)).has_positive
        tables = _by_query(table)
        for name, has_liked in zip(known, liked.tolist(), strict=True):
            made[name] = _listed(state, tables.get(name), options, None if has_liked else "no_history")
    if len(known) < len(names):
        table = state.recommender.recommend_for_history([[]], request=_asked(state, options), arrow=True)
        typical = _listed(state, table, options, "unknown_user")
        made |= {name: typical for name in names if name not in made}
    return [made[one.user or ""] for one in whom]


def _of_histories(state: LiveState, options: ListOf, whom: Sequence[Whom]) -> list[Listed]:
    table = state.recommender.recommend_for_history(
        [one.liked for one in whom],
        dislikes=[one.disliked for one in whom] if any(one.disliked for one in whom) else None,
        request=_asked(state, options),
        arrow=True,
    )
    tables = _by_query(table)
    return [
        _listed(state, tables.get(str(at)), options, None if one.liked else "no_history")
        for at, one in enumerate(whom)
    ]


def _of_both(state: LiveState, options: ListOf, whom: Sequence[Whom]) -> list[Listed]:
    return [_of_one(state, options, one) for one in whom]


def _of_one(state: LiveState, options: ListOf, whom: Whom) -> Listed:
    user = whom.user if whom.user is not None and state.knows(whom.user) else None
    table = state.recommender.recommend_for_history(
        [whom.liked],
        dislikes=[whom.disliked],
        users=None if user is None else [user],
        request=_asked(state, options),
        arrow=True,
    )
    fallback: Fallback | None = None if whom.liked or user is not None else "no_history"
    return _listed(state, table, options, fallback)


_KINDS: dict[str, Callable[[LiveState, ListOf, Sequence[Whom]], list[Listed]]] = {
    "user": _of_users,
    "history": _of_histories,
    "both": _of_both,
}


def _by_query(table: pa.Table) -> dict[str, pa.Table]:
    """The rows of each query, which are adjacent in the table."""
    names = table.column(0).to_pylist()
    starts = [at for at, name in enumerate(names) if at == 0 or name != names[at - 1]]
    ends = [*starts[1:], len(names)]
    return {names[start]: table.slice(start, end - start) for start, end in zip(starts, ends, strict=False)}


def _listed(state: LiveState, table: pa.Table | None, options: ListOf, fallback: Fallback | None) -> Listed:
    if table is None:
        return Listed(state, [], fallback)
    ranks, propensities = table.column("rank").to_pylist(), None
    if options.explore is not None:
        table, propensities = _explored(state, options.explore, options.request.k, table)
        ranks = list(range(1, len(table) + 1))
    items, new = item_values(
        state, table.column(1).to_pylist(), table.column("score").to_pylist(), options.fields, ranks
    )
    if "because" in table.column_names:
        for item, text, evidence in zip(
            items, table["because"].to_pylist(), table["evidence"].to_pylist(), strict=True
        ):
            item["because"] = {"text": text, **evidence}
    return Listed(state, items, fallback, new, propensities)


def _asked(state: LiveState, options: ListOf) -> Request:
    """The request for the candidates from which a list is drawn; without exploration, the request for the list."""
    request, explore = options.request, options.explore
    if explore is None:
        return request
    width = max(explore.pool, request.k)
    quota = None
    if explore.method == "new":
        new = ~state.model.items.trained.whole
        new[state.model.items.removed] = False
        rows = request.rows(state.model)
        available = int(new.sum() if rows is None else new[rows].sum())
        # half of the candidates at most
        quota = {NEW: min(width // 2, available)} if available else None
    return replace(request, k=width, at_least=quota)


def _explored(
    state: LiveState, explore: Exploration, k: int, table: pa.Table
) -> tuple[pa.Table, tuple[float, ...]]:
    """The rows of a list that is drawn from candidates, in its order, and their propensities."""
    scores = table.column("score").to_numpy()
    order = np.argsort(-scores, kind="stable")
    users = state.model.users_of_items[state.model.items.ids.ids(table.column(1))]
    # entropy of the system: servers that share a seed would draw the same lists
    found = drawn(explore, scores[order], users[order], k, np.random.default_rng())
    return table.take(pa.array(order[found.positions])), tuple(found.propensities.tolist())


def item_values(
    state: LiveState,
    names: Sequence[str],
    scores: Sequence[float],
    fields: Iterable[str] = (),
    ranks: Sequence[int] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Items with rank, score, label and fields; and the number of items unknown to training."""
    model = state.model
    rows = model.items.ids.ids(list(names)).tolist()
    items = [
        {"item": name, "rank": rank, "score": round(score, 6), "label": model.items.label(row)}
        for name, rank, score, row in zip(names, ranks or range(1, len(names) + 1), scores, rows, strict=True)
    ]
    columns = {
        name: column.take(pa.array(rows, pa.int64())).to_pylist()
        for name, column in state.fields(fields).items()
    }
    for at, item in enumerate(items if columns else ()):
        item["fields"] = {name: values[at] for name, values in columns.items()}
    return items, sum(not model.items.trained[row] for row in rows)


def because(state: LiveState, whom: Whom, request: Request, items: Sequence[str]) -> list[dict[str, Any]]:
    """Why each of the given items is listed: a sentence and the evidence, in the order of the items."""
    asked = Request(
        len(items),
        items,
        exclude_seen=False,
        new_item_boost=request.new_item_boost,
        item_boost=request.item_boost,
        where_boost=request.where_boost,
        on_unknown="skip",
        explain=True,
    )
    made = lists(state, ListOf(kind_of(whom), asked), [whom])[0].items
    found = {item["item"]: item["because"] for item in made}
    return [found[item] for item in items]


def explanation(
    state: LiveState, whom: Whom, item: str, request: Request, counterfactual: bool = False
) -> Explanation:
    """The score of an item for a user, a history, or both, equal to the score in their list."""
    asked = request
    if not counterfactual:
        asked = Request(
            new_item_boost=request.new_item_boost,
            item_boost=request.item_boost,
            where_boost=request.where_boost,
        )
    user = whom.user if whom.user is not None and state.knows(whom.user) else None
    if user is not None and not whom.by_history:
        return state.recommender.explain(user, item, counterfactual=counterfactual, request=asked)
    liked, weights = list(whom.liked), None
    if user is not None:
        stored, weights = _stored(state.model, user, whom)
        liked = [*stored, *(name for name in liked if name not in stored)]
        weights = [*weights, *([1.0] * (len(liked) - len(weights)))]
        if counterfactual and request.exclude_seen:
            seen = state.model.histories.take(state.model.users.ids([user])).item
            asked = replace(asked, deny=[*(asked.deny or ()), *state.model.items.ids.take(seen).to_pylist()])
    return state.recommender.explain_history(
        liked,
        item,
        weights=weights or None,
        dislikes=whom.disliked,
        counterfactual=counterfactual,
        request=asked,
    )


def _stored(model: Model, user: str, whom: Whom) -> tuple[list[str], list[float]]:
    """Ids and weights of the items that a user likes according to the model, without items disliked in the request."""
    history = model.histories.take(model.users.ids([user]))
    rows = np.flatnonzero(history.positive & (history.weight > 0))
    disliked = set(model.items.rows(list(whom.disliked)).tolist())
    liked = set(model.items.rows(list(whom.liked)).tolist())
    kept = [at for at in rows.tolist() if int(history.item[at]) not in disliked]
    weights = [
        max(1.0, float(history.weight[at])) if int(history.item[at]) in liked else float(history.weight[at])
        for at in kept
    ]
    return [model.items.ids[int(history.item[at])] for at in kept], weights


@dataclass
class Kept:
    """A list whose next page can be requested."""

    whom: Whom
    options: ListOf
    scenario: str | None
    variant: str | None
    #: items of all pages so far, in list order
    shown: list[str] = field(default_factory=list)
