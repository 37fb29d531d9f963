"""Batch queries: lists for users, histories or texts, or nearest neighbours of items or users.

Enters: names, or a file with names, and a `Request`. Leaves: a `BatchQuery`, in which names unknown to the model are recorded as skipped.
A query splits its names into parts of plain values and holds the function that computes the lists of a part, so workers in other
processes can compute them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec.arguments.frames import as_table
from kgrec.arguments.ids import as_id, as_id_lists, as_ids, as_texts, is_frame
from kgrec.arguments.options import shown
from kgrec.errors import ConfigError, UnknownId
from kgrec.model.interaction_updates import item_names_by
from kgrec.recommend.feedback import KnownUserPolicy, checked_policy
from kgrec.recommend.ids import item_rows, user_rows
from kgrec.recommend.list_options import check_types
from kgrec.recommend.queries import Queries
from kgrec.recommend.request import OF_ITEMS, OF_USERS, Request
from kgrec.serve.history_tables import HistoryTable
from kgrec.serve.input_files import WEIGHT, read_ids

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender

#: ids as an iterable, or a file with one id per line; None: all ids of the model
Ids = Iterable[str] | Path | None
#: a user and the ids of liked items, as an iterable or a dict; or a table with columns user_id and item_id, as a frame or a file
HistorySource = Iterable[tuple[str, Sequence[str]]] | Mapping[str, Sequence[str]] | Path
#: users, and for each user the history, the weights of its items, and other seen items
HistoryPart = tuple[list[str], list[list[str]], list[list[float]] | None, list[Sequence[str]]]
#: model and part of a query -> table of lists
Lists = Callable[[Queries, Any], pa.Table]


@dataclass(frozen=True)
class BatchQuery:
    """Names, and the function that computes their lists."""

    #: distinct users, items or texts; large_string
    names: pa.Array
    #: plural noun of the names in messages: "users", "items" or "texts"
    noun: str
    #: names of the first two columns, which score and rank follow
    columns: tuple[str, str]
    request: Request
    #: computes the lists of a part: a module-level function with plain values bound, so that it can be pickled
    lists: Lists
    #: maps the names of a part to the part, as plain values
    part: Callable[[list[str]], Any] = list
    #: further plain values that determine the lists, in addition to names, request and model
    options: dict[str, Any] = field(default_factory=dict)
    #: plural noun -> unknown ids that the request skips
    skipped: dict[str, list[str]] = field(default_factory=dict)
    #: remark about the query for the user
    note: str = ""
    #: maps a user to the ids of the history items, latest last; None: the names are not users
    history: Callable[[str], list[str]] | None = None

    def parts(self, size: int, first: int = 0) -> Iterator[Any]:
        """Parts of `size` names, from part number `first`; one empty part if there are no names."""
        return map(self.part, slices(self.names, size, first))

    def shard(self, shard: int, shards: int) -> BatchQuery:
        """The names at positions `shard`, `shard + shards`, ..., from 0."""
        if shards == 1:
            return self
        return replace(self, names=self.names.take(pa.array(np.arange(shard, len(self.names), shards))))

    def remarks(self) -> Iterator[str]:
        """The note, and one line per kind of skipped id."""
        if self.note:
            yield self.note
        for noun, ids in self.skipped.items():
            shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            yield f"Skipped unknown {noun} ({len(ids):,}): {shown}"


def slices(names: pa.Array, size: int, first: int = 0) -> Iterator[list[str]]:
    """The names, `size` at a time, from slice number `first`; one empty slice if there are no names."""
    for start in range(first * size, max(len(names), 1), size):
        yield names.slice(start, size).to_pylist()


def chunks(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Values of an iterable in lists of `size`; the iterable is read lazily."""
    iterator = iter(values)
    while some := list(islice(iterator, size)):
        yield some


def users_query(recommender: Recommender, users: Ids, request: Request) -> BatchQuery:
    """Lists for users of the model.

    Raises:
        UnknownId: A user or an item is unknown, or there are no users.
        SourceError: The file of users cannot be read.
    """
    names, skipped = _users(recommender, users, request, "Give histories of users instead.")
    return BatchQuery(
        names,
        "users",
        ("user_id", "item_id"),
        request,
        partial(lists_for_users, request),
        skipped=_filters(recommender, request) | skipped,
        history=partial(stored_history, recommender),
    )


def histories_query(
    recommender: Recommender,
    histories: HistorySource,
    request: Request,
    known_users: KnownUserPolicy = "merge",
) -> BatchQuery:
    """Lists for users with given histories.

    Raises:
        UnknownId: An item is unknown.
        SourceError: The table cannot be read, or has no rows.
        ConfigError: `known_users` is not a policy.
    """
    policy, table = checked_policy(known_users), history_table(recommender, histories)
    users = _strings(table.users.keys(), "users")
    return BatchQuery(
        users,
        "users",
        ("user_id", "item_id"),
        request,
        partial(lists_for_histories, request, policy),
        partial(_part_of_histories, table),
        {"known_users": policy, "histories": f"sha256:{table.digest}"},
        _filters(recommender, request) | _items(recommender, table.items, request),
        " ".join(
            filter(
                None, (_seen_note(table), _weight_note(table), _known_users_note(recommender, users, policy))
            )
        ),
        lambda user: [*(stored_history(recommender, user) if policy == "merge" else ()), *table[user]],
    )


def texts_query(recommender: Recommender, texts: Iterable[str], request: Request) -> BatchQuery:
    """Lists for distinct texts.

    Raises:
        UnknownId: An item of the request is unknown.
    """
    request.refuse(["new_item_boost", *OF_USERS], "texts")
    return BatchQuery(
        _strings(as_texts(texts, "texts"), "texts"),
        "texts",
        ("text", "item_id"),
        request,
        partial(lists_for_texts, request),
        skipped=_filters(recommender, request),
    )


def feedback_query(
    recommender: Recommender, likes: list[str], dislikes: list[str], request: Request
) -> BatchQuery:
    """The list of one anonymous user with liked and disliked items.

    Raises:
        UnknownId: An item is unknown.
    """
    return BatchQuery(
        _strings([""], "users"),
        "users",
        ("user_id", "item_id"),
        request,
        partial(lists_for_feedback, request, likes, dislikes),
        options={"like": likes, "dislike": dislikes},
        history=lambda _: likes,
        skipped=_filters(recommender, request) | _items(recommender, [*likes, *dislikes], request),
    )


def similar_items_query(recommender: Recommender, items: Ids, request: Request) -> BatchQuery:
    """The nearest items of the given items; None: of every item of the model.

    Raises:
        UnknownId: An item is unknown.
        SourceError: The file of items cannot be read.
    """
    request.refuse(["new_item_boost", *OF_USERS], "similar items")
    names = recommender.model.items.ids.labels if items is None else _strings(items, "items")
    skipped = {} if items is None else _items(recommender, names.to_pylist(), request)
    return BatchQuery(
        names,
        "items",
        ("item_id", "similar_id"),
        request,
        partial(lists_of_similar_items, request),
        skipped=_filters(recommender, request) | skipped,
    )


def similar_users_query(recommender: Recommender, users: Ids, request: Request) -> BatchQuery:
    """The nearest users of the given users of the model; None: of every user.

    Raises:
        UnknownId: A user is unknown, or there are no users.
        SourceError: The file of users cannot be read.
    """
    request.refuse(OF_ITEMS, "similar users")
    names, skipped = _users(recommender, users, request, "Give items instead.")
    return BatchQuery(
        names,
        "users",
        ("user_id", "similar_id"),
        request,
        partial(lists_of_similar_users, request),
        skipped=skipped,
    )


def lists_for_users(request: Request, queries: Queries, users: list[str]) -> pa.Table:
    """Lists of a part of `users_query`."""
    return queries.recommend(users, request=request, arrow=True)


def lists_for_histories(
    request: Request,
    known_users: KnownUserPolicy,
    queries: Queries,
    part: HistoryPart,
) -> pa.Table:
    """Lists of a part of `histories_query`."""
    users, histories, weights, seen = part
    return queries.recommend_for_history(
        histories,
        users=users,
        weights=weights,
        seen=seen,
        known_users=known_users,
        request=request,
        arrow=True,
    )


def lists_for_texts(request: Request, queries: Queries, texts: list[str]) -> pa.Table:
    """Lists of a part of `texts_query`."""
    return queries.recommend_for_text(texts, request=request, arrow=True)


def lists_for_feedback(
    request: Request, likes: list[str], dislikes: list[str], queries: Queries, names: list[str]
) -> pa.Table:
    """Lists of a part of `feedback_query`, which has at most one name."""
    count = len(names)
    return queries.recommend_for_history(
        [likes] * count, dislikes=[dislikes] * count, users=names, request=request, arrow=True
    )


def lists_of_similar_items(request: Request, queries: Queries, items: list[str]) -> pa.Table:
    """Lists of a part of `similar_items_query`."""
    return queries.similar_items(items, request=request, arrow=True)


def lists_of_similar_users(request: Request, queries: Queries, users: list[str]) -> pa.Table:
    """Lists of a part of `similar_users_query`."""
    return queries.similar_users(users, request=request, arrow=True)


def all_users(recommender: Recommender, remedy: str) -> pa.Array:
    """All users of the model.

    Raises:
        UnknownId: The model has no users.
    """
    users = recommender.model.users.labels
    if not len(users):
        raise UnknownId("The model knows no users: it was trained without interactions.", remedy)
    return users


def stored_history(recommender: Recommender, user: str) -> list[str]:
    """Ids of the positive items in the stored history of a user, latest last if there are times; [] for an unknown user."""
    model = recommender.model
    row = model.users.ids([user])
    if row[0] < 0:
        return []
    history = model.histories.take(row)
    return [str(item) for item in model.items.ids.take(history.item[history.positive]).to_pylist()]


def history_table(recommender: Recommender, histories: HistorySource) -> HistoryTable:
    """Histories as a table of codes. The columns of a file may have the names in the mapping, whose `positive:` then applies.

    Raises:
        SourceError: The table cannot be read, or has no rows.
    """
    if is_frame(histories):
        return HistoryTable.of_frame(as_table(histories, "histories", ids=["user_id", "item_id"]))
    if isinstance(histories, Path):
        model = recommender.model
        return HistoryTable.of_file(histories, model.mapping.interactions, partial(item_names_by, model))
    return HistoryTable.of_lists(pairs_of(histories))


def pairs_of(histories: Any) -> Iterator[tuple[str, list[str]]]:
    """Users and the ids of their items, read lazily.

    Raises:
        ConfigError: A member is not a pair, or a user or item is not an id; the message has its position.
    """
    if isinstance(histories, Mapping):
        histories = histories.items()
    if isinstance(histories, str | bytes) or not isinstance(histories, Iterable):
        raise ConfigError(f"histories is {shown(histories)}.", _PAIRS)
    for at, pair in enumerate(histories):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ConfigError(f"histories[{at}] is {shown(pair)}, which is not a pair.", _PAIRS)
        items = as_id_lists([pair[1]], f"histories[{at}]")[0]
        yield as_id(pair[0], f"histories[{at}][0]"), items


#: suffixes of a text that probably names a file of ids
_ID_FILES = (".txt", ".csv", ".tsv", ".parquet", ".jsonl")
_PAIRS = "Give pairs of a user and items: [('ann', ['a', 'b'])]; a file as a pathlib.Path."


def _users(
    recommender: Recommender, users: Ids, request: Request, remedy: str
) -> tuple[pa.Array, dict[str, list[str]]]:
    """Distinct names of users, and the skipped ones."""
    if users is None:
        return all_users(recommender, remedy), {}
    names = _strings(users, "users")
    unknown = names.filter(pa.array(recommender.model.users.ids(names) < 0)).to_pylist()
    user_rows(
        recommender.model, unknown, request.on_unknown
    )  # raises UnknownId unless unknown users are skipped
    return names, {"users": unknown} if unknown else {}


def _items(recommender: Recommender, items: Iterable[str], request: Request) -> dict[str, list[str]]:
    """Noun -> unknown items, if the request skips them; otherwise raises UnknownId."""
    ids = list(dict.fromkeys(items))
    item_rows(recommender.model, ids, request.on_unknown)
    return _unknown(recommender.model.items.rows, ids, "items")


def _filters(recommender: Recommender, request: Request) -> dict[str, list[str]]:
    """Noun -> skipped items of the request's filters; UnknownId or ConfigError if a filter does not match the model."""
    model = recommender.model
    request.filters(model)
    check_types(model, request)
    lists = {
        "candidates": request.candidates or (),
        "items of the deny list": request.deny or (),
        "boosted items": request.item_boost or (),
        "candidates of users": request.user_candidates.items if request.user_candidates else (),
        "items of deny lists of users": request.user_deny.items if request.user_deny else (),
    }
    skipped: dict[str, list[str]] = {}
    for noun, ids in lists.items():
        item_rows(model, list(ids), request.on_unknown)
        skipped |= _unknown(model.items.rows, ids, noun)
    return skipped


def _unknown(
    rows_of: Callable[[list[str]], np.ndarray], names: Iterable[str], noun: str
) -> dict[str, list[str]]:
    """Noun -> distinct unknown names; empty if there are none."""
    distinct = list(dict.fromkeys(names))
    unknown = [distinct[at] for at in np.flatnonzero(rows_of(distinct) < 0)]
    return {noun: unknown} if unknown else {}


def _known_users_note(recommender: Recommender, users: pa.Array, policy: KnownUserPolicy) -> str:
    known = int((recommender.model.users.ids(users) >= 0).sum())
    how = "merged with" if policy == "merge" else "replaced by"
    return f"{known:,} of {len(users):,} users are known: their histories are {how} these." if known else ""


def _part_of_histories(table: HistoryTable, users: list[str]) -> HistoryPart:
    weights = None if table.weights is None else [table.weights_of(user) for user in users]
    return users, [table[user] for user in users], weights, [table.seen(user) for user in users]


def _weight_note(table: HistoryTable) -> str:
    return "" if table.weights is None else f"The column '{WEIGHT}' gives the weights of rows."


def _seen_note(table: HistoryTable) -> str:
    seen, rows = len(table.seen_codes), len(table.codes) + len(table.seen_codes)
    return f"{seen:,} of {rows:,} rows are not positive, so they count only as seen." if seen else ""


def _strings(names: Iterable[str] | Path, what: str) -> pa.Array:
    """The distinct names, in order of first appearance."""
    if isinstance(names, str) and names.endswith(_ID_FILES):
        raise ConfigError(
            f"{what} is {shown(names)}, which looks like a file name.",
            f"Give pathlib.Path({names!r}), or [{names!r}] for an id.",
        )
    ids = read_ids(names) if isinstance(names, Path) else as_ids(names, what)
    return pa.array(list(dict.fromkeys(ids)), pa.large_string())
