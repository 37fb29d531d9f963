"""The role of each column of a table.

Enters: a `Sample` of a table, and what its values may refer to. Leaves: the table's lines of kgrec.yaml, with reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.classes import type_of_iris
from kgrec.ingest.draft.known import Known
from kgrec.ingest.draft.lines import Guess, quoted
from kgrec.ingest.draft.literals import alike, category, literal_role
from kgrec.ingest.draft.names import LABELS, NUMERIC, type_of_key, type_of_values
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import (
    IRIS,
    PICTURES,
    all_match,
    distinct,
    filled,
    is_long,
    numbers_of,
    overlap,
    parts_of,
    share_matching,
)

#: share of a column that says what it is, though some cells say another thing
_MOSTLY = 0.8
#: share of a list's values that must be keys: a catalogue is part of a larger one
_PARTLY = 0.2
#: role of a column that the file does not name -> what it is called
_NAMES = {"label": "title", "date": "date", "same_as": "url"}


def node_lines(table: Sample, known: Known, why_items: str) -> Iterator[str]:
    """What stands under `nodes:` for a table; `why_items` is why its nodes are recommended, "" if they are not."""
    roles = _renamed(table, column_roles(table, known))
    assert table.key is not None
    table.why(table.key, "key", table.why_key)
    yield f"  {quoted(table.type)}:"
    if why_items:
        yield "    item: true"
        table.why("*", "items", why_items)
    yield from (f"    {line}" for line in table.file_lines())
    yield f"    key: {quoted(table.key)}"
    yield "    columns:" if roles else "    columns: {}"
    for name, guess in roles.items():
        table.why(name, guess, guess.reason)
        yield f"      {quoted(name)}: {guess}"


def _renamed(table: Sample, roles: dict[str, Guess]) -> dict[str, Guess]:
    """Call columns by their roles, where the file does not name them."""
    if table.has_names:
        return roles
    names = {name: _NAMES.get(str(guess.role["as"]), name) for name, guess in roles.items()}
    renamed = table.rename({table.key or "": "id", **names})
    return {renamed.get(name, name): guess for name, guess in roles.items()}


def column_roles(table: Sample, known: Known) -> dict[str, Guess]:
    """The role of each column but the key."""
    labels = _labels(table)
    roles = {
        name: labels[name] if name in labels else _role(table, name, known)
        for name in table.columns
        if name != table.key
    }
    return alike(roles, {name: name for name in roles}, known.taken) if table.has_names else roles


def _labels(table: Sample) -> dict[str, Guess]:
    """The columns that name the nodes: by their names, else the first whose values are like names."""
    names = [name for name in table.columns if name != table.key and not cells.is_list(table.columns[name])]
    full = {name: filled(table.columns[name]) for name in names}
    exact = [name for name in names if name.lower() in LABELS and len(full[name])]
    ending = [name for word in LABELS for name in names if name.lower().endswith(word)]
    ending = [name for name in ending if distinct(full[name]) > 0.5 * len(full[name])]
    if exact or ending:
        reason = "its name says that it names the node"
        return {name: Guess({"as": "label"}, reason) for name in exact or ending[:1]}
    like_names = (name for name in names if _is_like_names(full[name], len(table.columns[name])))
    first = next(like_names, None)
    reason = "it is the first column of short texts that hardly repeat"
    return {first: Guess({"as": "label"}, reason)} if first is not None else {}


def _is_like_names(full: pa.Array, rows: int) -> bool:
    if not len(full) or len(full) < 0.9 * rows or distinct(full) < 0.9 * len(full):
        return False
    if is_long(full) or all_match(full, IRIS):
        return False
    worded = share_matching(full, r"[^\W\d_]{2}") > 0.9
    return worded and literal_role("", full, rows=rows, taken=()).role == {"as": "text"}


def _role(table: Sample, name: str, known: Known) -> Guess:
    full = filled(table.columns[name])
    if name in table.unreadable:
        return Guess({"as": "ignore"}, "its type has no text, or is a list of such")
    if not len(full):
        return Guess({"as": "ignore"}, "it is empty in the rows looked at")
    if not name:
        return Guess({"as": "ignore"}, "the header has no name for it")
    if (vector := _vector(full)) is not None:
        return vector
    values, separator = parts_of(full)
    own = table if separator is not None else None
    if (target := _target(name, values, known.tables, in_lists_of=own)) is not None:
        role = {"as": "ref", "to": target.type, "edge": name, **_split(separator)}
        return Guess(role, f"its values are keys of {target.source.name}")
    if not len(values):
        return Guess({"as": "ignore"}, "it holds nothing but separators")
    if all_match(values, IRIS):
        return _iris(name, values, separator, known)
    if share_matching(values, IRIS) >= _MOSTLY:
        return Guess({"as": "ignore"}, "most of its values are addresses, and some are none")
    guess = literal_role(name, full, rows=len(table.columns[name]), taken=known.taken, edge=name)
    return _typed_by_rdf(guess, values, known)


def _typed_by_rdf(guess: Guess, values: pa.Array, known: Known) -> Guess:
    """The guess, with the type of RDF's nodes that the values name, if they do."""
    type_ = known.type_by_keys(values) if guess.role["as"] in ("node", "category") else None
    if type_ is None:
        return guess
    return Guess({**guess.role, "type": type_}, f"{guess.reason}, and RDF has nodes of these names")


def _split(separator: str | None) -> dict[str, str]:
    return {"split": separator} if separator else {}


def _vector(full: pa.Array) -> Guess | None:
    if cells.is_list(full) and pa.types.is_floating(full.type.value_type):
        return Guess({"as": "vector"}, "it holds lists of numbers")
    if all_match(full, r"^\[\s*-?\d[^\"]*\]$") and len(cells.vectors(full)[2]) == 0:
        return Guess({"as": "vector"}, "it holds JSON arrays of numbers")
    return None


def _iris(name: str, values: pa.Array, separator: str | None, known: Known) -> Guess:
    if share_matching(values, PICTURES) > 0.5:
        return Guess({"as": "ignore"}, "it holds addresses of pictures")
    in_rdf = overlap(values, known.subjects)
    repeats = distinct(values) < 0.9 * len(values)
    same_as: dict[str, str] = {"as": "same_as", **_split(separator)}
    if in_rdf and not repeats:
        why = f"it holds IRIs, {in_rdf:.0%} of which RDF says something about"
        shared = len(values) - distinct(values)
        return Guess(same_as, f"{why}; {shared:,} repeat, and make their rows one" if shared else why)
    if in_rdf:
        role = {"as": "node", "type": type_of_iris(values, known.types), "edge": name, **_split(separator)}
        return Guess(role, "it holds IRIs, which repeat, and RDF says something about them")
    if repeats:
        type_ = type_of_values(name, known.taken)
        role = {"as": "node", "type": type_, "edge": name, **_split(separator)}
        return Guess(role if separator else category(name, known.taken), "it holds IRIs, which repeat")
    if distinct(values) < len(values):
        return Guess({"as": "ignore"}, "it holds IRIs, and same_as would make those one that share one")
    return Guess(same_as, "it holds IRIs")


def _target(
    name: str, values: pa.Array, tables: Sequence[Sample], *, in_lists_of: Sample | None
) -> Sample | None:
    """The table whose keys the values are: by their values, and by the column's name where keys are mere numbers.

    Numbers without such a name may be the keys of the table that has lists of them.
    """
    best = max(tables, key=lambda other: overlap(values, other.keys))
    share = overlap(values, best.keys)
    if numbers_of(values) is None:
        spaced = share_matching(values, r"\s") > 0
        return best if share >= 0.9 or (share >= _PARTLY and not spaced) else None
    if share < 0.5:
        return None
    by_name = next((other for other in tables if other.type == type_of_key(name)), None)
    is_own = best is in_lists_of and not NUMERIC.search(name)
    return by_name or (best if is_own else None)
