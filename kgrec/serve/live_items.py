"""Items of a store in a recommender: stored rows are added or changed, removed items are no longer recommended.

Enters: rows by node type, in the layout of a mapping, and items of a store. Leaves: rows by item, and another recommender. Writes nothing.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgrec.arguments.ids import text_of
from kgrec.errors import KgrecError, SourceError
from kgrec.model.interaction_updates import item_names_by
from kgrec.model.model import Model
from kgrec.recommend.recommender import Recommender

if TYPE_CHECKING:
    from kgrec.serve.store.records import StoredItem

logger = logging.getLogger(__name__)

#: node type -> rows, each a dict of columns
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def rows_by_item(model: Model, rows: Rows) -> dict[str, dict[str, list[Any]]]:
    """The rows of each item by its id; every item carries the rows of other nodes, because any of them may refer to it.

    Raises:
        SourceError: A row of an item has no key.
    """
    nodes = model.mapping.nodes
    others = {
        type_: list(some) for type_, some in rows.items() if type_ not in nodes or not nodes[type_].item
    }
    found: dict[str, dict[str, list[Any]]] = {}
    for type_, some in rows.items():
        if type_ in others:
            continue
        keys = [_key(row, type_, nodes[type_].key, at) for at, row in enumerate(some)]
        names = item_names_by(model, type_, keys)
        found |= {name: {**others, type_: [dict(row)]} for name, row in zip(names, some, strict=True)}
    return found


def with_columns(earlier: Rows | None, rows: Rows) -> dict[str, list[Any]]:
    """Rows of one item, completed by the columns that only its earlier rows have."""
    if earlier is None:
        return {type_: list(some) for type_, some in rows.items()}
    merged: dict[str, list[Any]] = {type_: list(some) for type_, some in earlier.items()}
    for type_, some in rows.items():
        is_one = len(some) == 1 and len(merged.get(type_, ())) == 1
        merged[type_] = [{**merged[type_][0], **some[0]}] if is_one else list(some)
    return merged


def with_items(recommender: Recommender, items: Sequence[StoredItem]) -> Recommender:
    """A recommender with items of a store; the given recommender does not change.

    Rows that are unusable because the mapping has changed are logged and left out.
    """
    larger = copy.copy(recommender)
    model = larger.model
    known = model.items.rows([item.id for item in items]) >= 0
    put = [(item, bool(there)) for item, there in zip(items, known, strict=True) if not item.removed]
    _all_or_each([item.rows for item, there in put if not there], larger.add_items)
    changed = [item.rows for item, there in put if there]
    _all_or_each(changed, larger.add_items)  # removed items return
    for same in _by_columns(changed):
        _all_or_each(same, larger.update_items)
    gone = [item.id for item in items if item.removed]
    if gone:
        larger.remove_items(gone, on_unknown="skip")
    return larger


def _key(row: Any, type_: str, column: str, at: int) -> str:
    key = text_of(row.get(column)) if isinstance(row, Mapping) else None
    if key is None:
        raise SourceError(f"{type_}:{at + 1}: the row has no '{column}'.", "Give the key of the item there.")
    return key


def _all_or_each(rows: Sequence[Rows], put: Any) -> None:
    """Put rows of items together, or one by one if some are unusable."""
    if not rows:
        return
    try:
        put(_joined(rows))
    except KgrecError as error:
        if len(rows) == 1:
            logger.warning("An item of the store was left out: %s", error.problem)
        for one in rows if len(rows) > 1 else ():
            _all_or_each([one], put)


def _joined(rows: Iterable[Rows]) -> dict[str, list[Any]]:
    """Distinct rows of several items, by type."""
    joined: dict[str, list[Any]] = {}
    for one in rows:
        for type_, some in one.items():
            known = joined.setdefault(type_, [])
            known += [row for row in some if row not in known[-50:]]
    return joined


def _by_columns(rows: Iterable[Rows]) -> list[list[Rows]]:
    """Rows grouped by their columns, so that a row without a column does not get an empty value from a row that has it."""
    groups: dict[Any, list[Rows]] = {}
    for one in rows:
        key = tuple(
            (type_, tuple(sorted({name for row in some for name in row})))
            for type_, some in sorted(one.items())
        )
        groups.setdefault(key, []).append(one)
    return list(groups.values())
