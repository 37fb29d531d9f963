"""The sources, relations, columns and words that drive the scores of a model, over the lists of many users.

Enters: a model, rows of users. Leaves: a `GlobalExplanation`. Nothing is written.

A share is the sum of a part's contributions to the scores of listed items, divided by the sum of all sources of these scores; parts that
lower a score count negatively. So the shares of sources sum to 1, and those of relations to the share of the source "graph".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters
from kgrec.recommend.explanation_parts import edge_name
from kgrec.recommend.list_account import STEP, ListAccount

#: number of groups of about equal size by length of the history, and by popularity of the item
_GROUPS = 3
#: number of words, and of parts of other kinds, that are shown
_WORDS, _SHOWN = 20, 8
#: number of users whose lists are computed at once
_USERS = 256

#: name of the block of all texts
_TEXTS = "texts"
_KINDS = ("source", "relation", "column", "word")
#: kind of a part, and its name
_Part = tuple[str, str]


@dataclass(frozen=True)
class GlobalExplanation:
    """Shares of the parts of scores, by segment."""

    users: int
    #: items per list
    k: int
    #: segment ("all", "history of 1 to 20 items", "item with 5 to 30 users", "item without users"), rows, kind ("source", "relation", "column" or
    #: "word"), name, share; the largest first within a segment and kind
    shares: pd.DataFrame

    def __str__(self) -> str:
        lines = [f"{self.users:,} users, lists of {self.k}: shares of the scores"]
        for segment, some in self.shares.groupby("segment", sort=False):
            lines.append(f"{segment} ({some['rows'].iloc[0]:,} listed items)")
            for kind, parts in some.groupby("kind", sort=False):
                shown = ", ".join(
                    f"{name} {share:.1%}"
                    for name, share in zip(parts["name"][:_SHOWN], parts["share"][:_SHOWN], strict=True)
                )
                lines.append(f"  {f'{kind}:':<10} {shown}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"users": self.users, "k": self.k, "shares": self.shares.to_dict("records")}


def global_explanation(model: Model, users: np.ndarray, k: int) -> GlobalExplanation:
    """The shares of the parts of scores over the lists of some users.

    Args:
        model: The model.
        users: Rows of the users; users without liked items are ignored.
        k: Items per list.
    """
    users = users[model.histories.take(users).has_positive]
    found = _lists(model, users, min(k, len(model.items)))
    listed = found[found >= 0].astype(np.int64)
    lengths = np.repeat(np.diff(model.histories.take(users).matrix().indptr), (found >= 0).sum(axis=1))
    popularity = np.where(model.items.trained[listed], model.users_of_items[listed], -1)
    names, which = zip(*_segments(lengths, popularity), strict=True)
    sums = _sums(model, users, found, np.array(which))
    tables = [
        _table(name, int(rows.sum()), {part: float(sums[part][at]) for part in sums})
        for at, (name, rows) in enumerate(zip(names, which, strict=True))
    ]
    return GlobalExplanation(len(users), k, pd.concat(tables, ignore_index=True))


def _lists(model: Model, users: np.ndarray, k: int) -> np.ndarray:
    """Rows of the listed items, padded with -1; shape (len(users), k)."""
    found = []
    for start in range(0, len(users), _USERS):
        histories = model.histories.take(users[start : start + _USERS])
        seen = histories.matrix(positive_only=False)
        exclude = np.split(seen.indices, seen.indptr[1:-1])
        found.append(model.ranked(histories, k, Filters(exclude=exclude))[0])
    return np.concatenate(found)


def _sums(model: Model, users: np.ndarray, found: np.ndarray, which: np.ndarray) -> dict[_Part, np.ndarray]:
    """Sum of the contributions of each part by segment; each of shape (n_segments,).

    Args:
        model: The model.
        users: Rows of the users.
        found: Rows of the items of their lists.
        which: Whether each listed item is in each segment; shape (n_segments, n_listed).
    """
    sums: dict[_Part, np.ndarray] = {}
    done = 0
    for user, row in zip(users.tolist(), found, strict=True):
        history, items = model.histories.take(np.array([user])), row[row >= 0].astype(np.int64)
        for start in range(0, len(items), STEP):
            account = ListAccount(model, history, items[start : start + STEP])
            end = done + len(account.items)
            for part, values in _parts(account).items():
                sums[part] = sums.get(part, 0.0) + which[:, done:end] @ values
            done = end
    return sums


def _parts(account: ListAccount) -> dict[_Part, np.ndarray]:
    """Contributions of sources, relations, columns of texts and vectors, and words."""
    parts: dict[_Part, np.ndarray] = {("source", name): values for name, values in account.sources.items()}
    relation, node = account.relations_and_nodes
    featurizer = account.model.parameters().featurizer
    for number in np.unique(relation).tolist():
        name, of_relation = featurizer.relations[number], account.by_column[:, relation == number]
        parts["relation", edge_name(name)] = of_relation.sum(axis=1)
        if name == LABEL_TOKEN:
            words = (node[relation == number] - featurizer.first_token).tolist()
            parts |= {
                ("word", featurizer.label_tokens[word]): of_relation[:, at] for at, word in enumerate(words)
            }
    return parts | {("column", name or _TEXTS): values for name, values in account.by_block.items()}


def _segments(lengths: np.ndarray, popularity: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Name of each segment, and which listed items are in it; `popularity` is -1 for an item without users."""
    yield "all", np.ones(len(lengths), bool)
    for first, last, which in _groups(lengths, lengths >= 0):
        yield f"history of {_range(first, last)} item{'s' * (last != 1)}", which
    known = popularity >= 0
    for first, last, which in _groups(popularity, known):
        yield f"item with {_range(first, last)} user{'s' * (last != 1)}", which
    if not known.all():
        yield "item without users", ~known


def _range(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _groups(values: np.ndarray, among: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Groups of about equal size by value: the smallest and the largest value, and a mask of rows; equal values stay together."""
    if not among.any():
        return
    edges = np.unique(np.quantile(values[among], np.linspace(0, 1, _GROUPS + 1), method="lower"))
    for at, low in enumerate(edges[:-1] if len(edges) > 1 else edges):
        is_last = at + 2 >= len(edges)
        which = among & (values >= low) & (values <= edges[-1] if is_last else values < edges[at + 1])
        if which.any():
            yield int(values[which].min()), int(values[which].max()), which


def _table(segment: str, rows: int, sums: dict[_Part, float]) -> pd.DataFrame:
    whole = sum(value for (kind, _), value in sums.items() if kind == "source") or 1.0
    ordered = sorted(sums, key=lambda part: (_KINDS.index(part[0]), -sums[part], part[1]))
    words = [part for part in ordered if part[0] == "word"][:_WORDS]
    kept = [part for part in ordered if (part[0] != "word" or part in words) and sums[part]]
    return pd.DataFrame(
        {
            "segment": segment,
            "rows": rows,
            "kind": [kind for kind, _ in kept],
            "name": [name for _, name in kept],
            "share": [sums[part] / whole for part in kept],
        }
    )
