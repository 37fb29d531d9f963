"""What `recommend` and `similar` ask a model: for which names, within which limits.

Enters: options of a command, and the files that they name. Leaves: a `Question`, of which all names are known or counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError, UnknownId
from kgrec.recommend.ids import OnUnknown, item_rows, user_rows
from kgrec.serve.history_tables import HistoryTable
from kgrec.serve.input_files import batches_of_pairs, has_columns, read_ids

if TYPE_CHECKING:
    from kgrec.recommend.recommender import Recommender


@dataclass(frozen=True)
class Question:
    """What is asked of a model."""

    #: users, items or texts, each once
    names: pa.Array
    #: a table for some of them, in their order, with columns `columns`, score and rank
    answer: Callable[[list[str]], pa.Table]
    #: names of the first two columns
    columns: tuple[str, str]
    #: what decides the answers beside the model and the names; plain values
    options: dict[str, Any]

    def parts(self, size: int) -> Iterator[list[str]]:
        """The names, `size` at a time; a single part without names where there are none."""
        for start in range(0, max(len(self.names), 1), size):
            yield self.names.slice(start, size).to_pylist()


@dataclass
class Asked:
    """Which of the ids that were asked for the model does not know."""

    skip: bool
    #: what -> ids passed over
    skipped: dict[str, list[str]] = field(default_factory=dict)
    #: what else is to be said before the results
    remarks: list[str] = field(default_factory=list)

    @property
    def on_unknown(self) -> OnUnknown:
        """What the library is to do with them."""
        return "skip" if self.skip else "raise"

    def check(self, rows_of: Callable[[list[str]], np.ndarray], names: Iterable[str], what: str) -> None:
        """Note the unknown ones among `names`; where they are not to be skipped, the library refuses them."""
        names = list(dict.fromkeys(names))
        unknown = [name for name, row in zip(names, rows_of(names), strict=True) if row < 0]
        if self.skip and unknown:
            self.skipped[what] = unknown

    def lines(self) -> Iterator[str]:
        """What a user is told of them."""
        yield from self.remarks
        for what, names in self.skipped.items():
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            yield f"Passed over {len(names):,} {what} that the model does not know: {shown}"

    def record(self) -> dict[str, Any]:
        """What a machine is told of them."""
        return {"skipped": self.skipped} if self.skip else {}


def limits(
    recommender: Recommender, asked: Asked, candidates: Path | None, deny: Path | None, where: str | None
) -> dict[str, Any]:
    """Which items may be in a list, as the library takes it."""
    only = None if candidates is None else read_ids(candidates)
    out = None if deny is None else read_ids(deny, may_be_empty=True)
    for names, what in ((only, "candidates"), (out, "items of the deny list")):
        asked.check(recommender.model.items.rows, names or [], what)
    return {"candidates": only, "deny": out, "where": where, "on_unknown": asked.on_unknown}


def known_users(recommender: Recommender, remedy: str) -> pa.Array:
    """All users of the model; UnknownId if it has none."""
    users = recommender.model.users.labels
    if not len(users):
        raise UnknownId("The model knows no users: it was trained without interactions.", remedy)
    return users


def checked_users(recommender: Recommender, names: list[str], asked: Asked) -> pa.Array:
    """Each of the users once; all known, or counted."""
    names = list(dict.fromkeys(names))
    asked.check(recommender.model.users.ids, names, "users")
    user_rows(recommender.model, names, asked.on_unknown)
    return _strings(names)


def of_users(recommender: Recommender, users: pa.Array, options: dict[str, Any]) -> Question:
    """Lists for users of the model."""

    def answer(names: list[str]) -> pa.Table:
        return recommender.recommend(names, arrow=True, **options)

    return Question(users, answer, ("user_id", "item_id"), options)


def of_texts(recommender: Recommender, texts: list[str], options: dict[str, Any]) -> Question:
    """Lists for texts, each once."""

    def answer(names: list[str]) -> pa.Table:
        return recommender.recommend_for_text(names, arrow=True, **options)

    return Question(_strings(texts), answer, ("text", "item_id"), options)


def of_histories(recommender: Recommender, path: Path, options: dict[str, Any], asked: Asked) -> Question:
    """Lists for the histories in a table."""
    histories = _histories(recommender, path)
    asked.check(recommender.model.items.rows, histories.items, "items")
    item_rows(recommender.model, histories.items, asked.on_unknown)
    users = _strings(histories.users)
    known = int((recommender.model.users.ids(users) >= 0).sum())
    if known:
        what = "go with" if options["known_users"] == "merge" else "take the place of"
        asked.remarks.append(
            f"{known:,} of {len(histories):,} users are known: these histories {what} theirs."
        )

    def answer(names: list[str]) -> pa.Table:
        some = [histories[name] for name in names]
        return recommender.recommend_for_history(some, users=names, arrow=True, **options)

    told = {**options, "histories": f"sha256:{histories.digest}"}
    return Question(users, answer, ("user_id", "item_id"), told)


def of_taste(
    recommender: Recommender, like: list[str], dislike: list[str], options: dict[str, Any], asked: Asked
) -> Question:
    """The list of one nameless user."""
    asked.check(recommender.model.items.rows, [*like, *dislike], "items")

    def answer(names: list[str]) -> pa.Table:
        here = len(names)
        return recommender.recommend_for_history(
            [like] * here, dislikes=[dislike] * here, users=names, arrow=True, **options
        )

    told = {**options, "like": like, "dislike": dislike}
    return Question(_strings([""]), answer, ("user_id", "item_id"), told)


def near_items(
    recommender: Recommender, items: list[str] | None, options: dict[str, Any], asked: Asked
) -> Question:
    """What is near some items; None: all."""
    model = recommender.model
    if items:
        asked.check(model.items.rows, items, "items")
        item_rows(model, items, asked.on_unknown)

    def answer(names: list[str]) -> pa.Table:
        return recommender.similar_items(names, arrow=True, **options)

    names = _strings(items) if items else model.items.ids.labels
    return Question(names, answer, ("item_id", "similar_id"), options)


def near_users(recommender: Recommender, users: pa.Array, options: dict[str, Any]) -> Question:
    """The users nearest to some users of the model."""
    mine = {name: options[name] for name in ("k", "min_score", "on_unknown")}

    def answer(names: list[str]) -> pa.Table:
        return recommender.similar_users(names, arrow=True, **mine)

    return Question(users, answer, ("user_id", "similar_id"), mine)


def _histories(recommender: Recommender, path: Path) -> HistoryTable:
    """Of the users in a table; the mapping names columns only where they are not ours."""
    model = recommender.model
    mapped = None if has_columns(path, ("user_id", "item_id")) else model.graph().mapping.interactions
    histories = HistoryTable.of((user, item) for user, item in batches_of_pairs(path, mapped))
    if not len(histories):
        raise SourceError(f"{path} has no rows.", "Write one user and one item a row.")
    return histories


def _strings(names: Iterable[str]) -> pa.Array:
    """Each once."""
    return pa.array(list(dict.fromkeys(names)), pa.large_string())
