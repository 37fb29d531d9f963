"""Items by name: the id of an item from its label, and suggestions for an unknown name.

Enters: a model, and names that a user typed. Leaves: ids, and how each name was resolved; or an error with labels and ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kgrec.errors import UnknownId, did_you_mean
from kgrec.model.model import Model

_SHOWN = 5
_MOST_SEARCHED = 200_000


@dataclass(frozen=True)
class NamedItems:
    """Ids of items by name, in the order of the names."""

    ids: list[str]
    #: one sentence per name that was a label
    remarks: list[str] = field(default_factory=list)


def named_items(model: Model, names: Iterable[str], *, skip_unknown: bool = False) -> NamedItems:
    """The item of each name: the one with this id, or the only one with this label, ignoring case and accents.

    Args:
        model: Contains the items.
        names: Ids or labels.
        skip_unknown: Whether an unknown name is returned unchanged, for the query to skip and count.

    Raises:
        UnknownId: No item has a name and `skip_unknown` is false, or several items have the name as their label.
    """
    names = list(names)
    ids, remarks = list[str](), list[str]()
    for name, known in zip(names, (model.items.rows(names) >= 0).tolist(), strict=True):
        rows = [] if known else model.items.names.named(name)
        if len(rows) > 1:
            raise UnknownId(
                f"'{name}' is the label of {len(rows):,} items: {_listed(model, rows[:_SHOWN], 'and')}.",
                "Give the id.",
            )
        if not known and not rows and not skip_unknown:
            raise UnknownId(f"There is no item '{name}' in the model.", suggestion(model, name))
        ids.append(model.items.ids[rows[0]] if rows else name)
        if rows:
            remarks.append(f"'{name}' is item {ids[-1]} ({model.items.label(rows[0])}).")
    return NamedItems(ids, remarks)


def suggestion(model: Model, name: str) -> str:
    """The second line of an error about an unknown item: items that the caller may have meant, with their labels.

    In very large catalogues only ids are compared, because a search of the labels would take seconds.
    """
    if len(model.items) > _MOST_SEARCHED:
        return f"{did_you_mean(name, model.items.ids.sorted_labels)} Search with kgrec find."
    found = [one.row for one in model.items.names.search(name, _SHOWN)]
    if found:
        return f"Did you mean {_listed(model, found, 'or')}?"
    first = _listed(model, list(range(min(len(model.items), 3))), "and")
    return f"There are {len(model.items):,}, such as {first}. Search with kgrec find."


def _listed(model: Model, rows: list[int], joiner: str) -> str:
    labels = [model.items.label(row) for row in rows]
    named = [
        f"'{model.items.ids[row]}'{f' ({label})' if label else ''}"
        for row, label in zip(rows, labels, strict=True)
    ]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} {joiner} {named[-1]}"
