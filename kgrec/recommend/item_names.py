"""Items by what people call them: the id of an item from its label, and suggestions for a name that is none.

Enters: a model, and names in the words of a user. Leaves: ids, and what each name was taken for; or an error with labels and ids.
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
    """Ids of items by names, in the order of these."""

    ids: list[str]
    #: a sentence per name that was a label
    remarks: list[str] = field(default_factory=list)


def named_items(model: Model, names: Iterable[str], *, skip_unknown: bool = False) -> NamedItems:
    """The item of each name: with this id, or else the only one with this label, whatever its case and accents.

    Args:
        model: Has the items.
        names: Ids or labels.
        skip_unknown: Whether a name of no item stays as it is, for the query to skip and count.

    Raises:
        UnknownId: No item has a name, and it is not to be skipped; or several items have it as their label.
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
    """The second line of an error about an unknown item: items that may be meant, with their labels.

    Among very many items only ids are compared: to search their labels would take seconds.
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
