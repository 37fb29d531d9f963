"""Roles of a table's columns, and of values in general.

Enters: a `Sample` of a table, and the keys and IRIs that its values may refer to. Leaves: the table's lines of kgrec.yaml,
with reasons; a `Guess` for values of a column or predicate that are neither keys nor IRIs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.lines import Guess, written
from kgrec.ingest.draft.looks import IRIS, distinct, overlap, share
from kgrec.ingest.draft.names import LABELS
from kgrec.ingest.draft.nested import naming_field
from kgrec.ingest.draft.profile import Profile
from kgrec.ingest.draft.rdf import NodeType, TypedIris, type_of_iris
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.targets import Match, Target, is_same, matches, reference, shown
from kgrec.ingest.mapping.roles import is_type_name

#: share of a column's values that decides its role, although other values do not fit
_MOSTLY = 0.8
#: share of addresses from which on a column holds addresses
_PARTLY = 0.2
#: share, or number, of the values that must be keys of RDF nodes
_NAMED, _MANY_NAMED = 0.2, 10
#: role of a column without a name in the file -> name of the column
_DEFAULT_NAMES = {"label": "title", "date": "date", "same_as": "url"}
_OBJECTS = r"^\s*(\{[\s\S]*\}|\[\s*[\[{][\s\S]*\])\s*$"
_CODES = r"^\S*\d\S*$"
#: numbers formatted for people: grouped digits, decimal commas, currencies, per cent
_FOR_PEOPLE = r"^\s*[€$£¥]?\s?[+-]?\d+([.,' ]\d+)*\s?([€$£¥%]|[A-Z]{3})?\s*$"
#: columns of names of other things, which become nodes even if many names occur only once
_OF_NAMES = re.compile(r"[_ .-]names?$|[a-z]Names?$")
#: largest duration of an item in hours, and in minutes
_MANY_HOURS = 10
#: numbers with at least so many digits, equally many in each, are codes
_CODE_LENGTH = 9
#: a column with the same value in at least this many rows is ignored
_MIN_CONSTANT_ROWS = 20


@dataclass(frozen=True)
class References:
    """Keys and IRIs that values may refer to."""

    #: base of the mapping, and the reason for it; "" for the default
    base: str
    why_base: str
    tables: Sequence[Sample]
    #: identifiers of tables
    targets: Sequence[Target]
    types: Sequence[NodeType]
    #: IRIs that are subjects in RDF
    subjects: pa.Array
    #: IRIs in tables
    of_tables: pa.Array
    #: IRIs of RDF below the base, by type
    below: Sequence[TypedIris]

    @property
    def taken(self) -> set[str]:
        """Names of types with keys, which cannot be used for plain values."""
        return {table.type for table in self.tables} | {type_.name for type_ in self.types}

    def type_by_keys(self, values: pa.Array) -> str | None:
        """The type of RDF nodes below the base whose keys the values are, without types that have a table; None if there is none."""
        ours = [table.type for table in self.tables]
        shares = {one.type: overlap(values, one.keys) for one in self.below if one.type not in ours}
        best = max(shares, key=lambda name: shares[name], default=None)
        if best is None or shares[best] < min(_NAMED, _MANY_NAMED / max(1, distinct(values))):
            return None
        return best


def node_lines(table: Sample, known: References, why_items: str) -> Iterator[str]:
    """Lines under `nodes:` for a table; `why_items` is the reason why its nodes are items, "" if they are not."""
    assert table.key is not None
    labels = _labels(table)
    others = (
        name
        for name in table.columns
        if (name != table.key or name in labels) and (name not in table.other_keys or name in labels)
    )
    roles = {name: labels.get(name) or _role(table, name, known) for name in others}
    if table.has_names or table.has_more:
        roles = alike(roles, {name: name for name in roles}, known.taken)
    else:
        telling = {name: _DEFAULT_NAMES.get(str(guess.role["as"]), name) for name, guess in roles.items()}
        renamed = table.rename({table.key: "id", **telling})
        roles = {renamed.get(name, name): guess for name, guess in roles.items()}
    if table.has_more and not table.has_names:
        # without a name, a repeating number is probably a code of something that the items share
        roles = {
            name: Guess(
                _category(name, known.taken), f"it has no name, and {_counted(table.profile(name).filled)}"
            )
            if table.profile(name).are_integers and _repeats(table.profile(name).filled)
            else guess
            for name, guess in roles.items()
        }
    if len(known.tables) > 1:
        roles = {name: _of_own_type(name, guess, table) for name, guess in roles.items()}
    table.why(table.key, "key", table.why_key)
    yield f"  {written(table.type)}:{table.marks.get('type', '')}"
    if why_items:
        yield "    item: true"
        table.why("*", "items", why_items)
    yield from (f"    {line}" for line in table.file_lines())
    for name, why in table.other_keys.items():
        table.why(name, "another key", why)
    keys = [table.key, *table.other_keys]
    yield f"    keys: {written(keys)}" if table.other_keys else f"    key: {written(table.key)}"
    yield "    columns:" if roles or table.has_more else "    columns: {}"
    for name, guess in roles.items():
        table.why(name, guess, guess.reason)
        yield f"      {written(name)}: {guess}"
    if table.has_more:
        yield '      "*": ignore'


def _of_own_type(name: str, guess: Guess, table: Sample) -> Guess:
    """The guess with a type of the table's own if the column has no name: `column_2` means something else in each file."""
    type_ = str(guess.role.get("type", name if guess.role["as"] == "category" else ""))
    if not type_.startswith(names.UNNAMED):
        return guess
    return Guess({**guess.role, "type": f"{table.type}_{type_}"}, guess.reason)


def _labels(table: Sample) -> dict[str, Guess]:
    """The columns of labels: found by their names, or otherwise the first column whose values look like names."""
    full = {name: looks.filled(table.columns[name]) for name in table.plain if name != table.key}
    named = [name for name in full if names.snake(name) in LABELS and len(full[name])] or [
        name
        for word in LABELS
        for name in full
        if name.lower().endswith(word) and distinct(full[name]) > 0.5 * len(full[name])
    ][:1]
    if named:
        reason = "its name is that of a label"
        return {name: Guess({"as": "label"}, reason) for name in named}
    if table.has_more and not full and share(table.keys, r"\S\s+\S") > _PARTLY:
        return {table.key or "": Guess({"as": "label"}, "its values are names")}
    if len(full) == 1 and (only := next(iter(full))) and _may_be_label(full[only]):
        return {only: Guess({"as": "label"}, "it is the only column beside the key")}
    first = next((name for name in full if _is_like_names(full[name], len(table.columns[name]))), None)
    reason = "it is the first column of short texts that rarely repeat"
    return {first: Guess({"as": "label"}, reason)} if first is not None else {}


def _may_be_label(full: pa.Array) -> bool:
    is_text = looks.numbers_of(full) is None and not looks.has_lists(full) and share(full, IRIS) < _PARTLY
    return bool(len(full)) and is_text and not looks.is_long(full) and distinct(full) > 0.5 * len(full)


def _is_like_names(full: pa.Array, rows: int) -> bool:
    if not len(full) or len(full) < 0.9 * rows or distinct(full) < 0.9 * len(full):
        return False
    if looks.is_long(full) or share(full, IRIS) == 1 or share(full, r"[^\W\d_]{2}") <= 0.9:
        return False
    return literal_role("", full, rows=rows, taken=()).role == {"as": "text"}


def _role(table: Sample, name: str, known: References) -> Guess:
    full = looks.filled(table.columns[name])
    if name in table.unreadable:
        return Guess({"as": "ignore"}, "its type has no text form")
    if not len(full):
        return Guess({"as": "ignore"}, "it is empty in all sampled rows")
    if not name:
        return Guess({"as": "ignore"}, "it has no name in the header")
    if cells.is_list(full) and pa.types.is_floating(full.type.value_type):
        return Guess({"as": "vector"}, "it holds lists of numbers")
    if _are_vectors(full):
        return Guess({"as": "vector"}, "it holds lists of numbers of equal length")
    field = naming_field(full)
    if field is not None:
        of_objects = names.type_of_values(name, known.taken)
        named = {"as": "node", "type": of_objects, "edge": name, "field": field}
        return Guess(named, f"it holds lists of objects, which '{field}' names")
    values, separator = looks.parts_of(full, name)
    match = _match(table, name, values, known, in_list=bool(separator))
    if match is not None:
        role = {"as": "ref", "to": reference(match.target), "edge": name, **_split(separator)}
        return Guess(role, f"its values are keys of {match.target.source}{_share(match)}")
    if share(values, IRIS) == 1:
        return _iris(name, values, separator, known)
    if share(values, IRIS) >= _MOSTLY:
        return Guess({"as": "ignore"}, "most of its values are addresses, but not all")
    guess = literal_role(name, full, rows=len(table.columns[name]), taken=known.taken, edge=name)
    type_ = known.type_by_keys(values) if guess.role["as"] in ("node", "category") else None
    if type_ is None:
        return guess
    return Guess({**guess.role, "type": type_}, f"{guess.reason}, and they are names of RDF nodes")


def _are_vectors(full: pa.Array) -> bool:
    if share(full, r"^\[\s*-?\d[^\"]*\]$") < 1:
        return False
    _, vectors, bad = cells.vectors(full)
    return not len(bad) and len(set(map(len, vectors))) == 1


def _split(separator: str | None) -> dict[str, str]:
    return {"split": separator} if separator else {}


def _iris(name: str, values: pa.Array, separator: str | None, known: References) -> Guess:
    if share(values, looks.PICTURES) > 0.5:
        return Guess({"as": "ignore"}, "it holds addresses of pictures")
    in_rdf, different = overlap(values, known.subjects), distinct(values)
    if in_rdf and different < 0.9 * len(values):
        role = {"as": "node", "type": type_of_iris(values, known.types), "edge": name, **_split(separator)}
        return Guess(role, "it holds IRIs, which repeat, and are subjects in RDF")
    if different < 0.9 * len(values):
        type_ = names.type_of_values(name, known.taken)
        role = {"as": "node", "type": type_, "edge": name, **_split(separator)}
        return Guess(role if separator else _category(name, known.taken), "it holds IRIs, which repeat")
    why = f", {in_rdf:.0%} of which are subjects in RDF" if in_rdf else ""
    return Guess({"as": "same_as", **_split(separator)}, f"it holds IRIs{why}")


def _match(table: Sample, name: str, values: pa.Array, known: References, *, in_list: bool) -> Match | None:
    """The identifiers of tables that the values are; lists may contain some that are in no table.

    Numbers in a column of another name may be keys of its own table if the cells are lists.
    """
    profile = Profile(name, values)
    targets = [one for one in known.targets if one.is_key and not is_same(table, name, one)]
    best = next(iter(matches(profile, targets, table, has_names=table.has_names)), None)
    if best is None or profile.is_time:
        return None
    if best.strength >= 2:
        return best
    if best.strength == 1 and profile.numbers is None:
        return None if share(values, r"\s") else best
    is_own = best.target.table is table and in_list and not names.is_numeric(name)
    return best if best.strength == 1 and is_own else None


def _share(match: Match) -> str:
    return "" if match.share == 1 else f", {shown(match.share)} of them"


# values of columns and of predicates


def literal_role(name: str, full: pa.Array, *, rows: int, taken: Collection[str], edge: str = "") -> Guess:
    """The role of values that are neither keys nor IRIs.

    Args:
        name: Name of the column, or last part of the predicate.
        full: The values that are not empty, at least one.
        rows: Number of rows or nodes, with or without a value.
        taken: Types with keys, whose names cannot be used for values.
        edge: Name of the relation to write for nodes; "" for the default.
    """
    if share(full, _OBJECTS) == 1:
        return Guess({"as": "ignore"}, "it holds objects with too many fields")
    if (unit := looks.duration_unit(full)) is not None:
        return Guess({"as": "number", "unit": unit}, f"its values are durations, which are read in {unit}")
    if looks.are_pairs(full):
        return _pairs(name, full)
    values, separator = looks.parts_of(full, name)
    if not len(values):
        return Guess({"as": "ignore"}, "it holds only separators")
    if names.is_code(name):
        return Guess(
            {"as": "ignore"}, "its name is that of codes or contact numbers, which say nothing about the item"
        )
    if separator is None and looks.has_lists(full) and looks.mean_length(values) > looks.LONG:
        return Guess({"as": "text"}, "it holds lists of sentences")
    if separator is not None or looks.has_lists(full):
        role = {"as": "node", "type": names.type_of_values(name, taken)}
        role |= ({"edge": edge} if edge else {}) | _split(separator)
        how = f"separated by '{separator}'" if separator else "in lists"
        how += looks.how_often(full, separator)
        return Guess(role, f"it holds several values, {how}")
    if (form := looks.date_form(full, name)) is not None:
        return Guess({"as": "date"} | ({"format": form.format} if form.format else {}), form.reason)
    if looks.numbers_of(full) is not None:
        return _number(name, full, taken)
    if share(full, _FOR_PEOPLE) == 1:
        why = "its numbers have commas, currencies or the like: write plain ones, with a point"
        return Guess({"as": "ignore"}, why)
    return _worded(name, full, rows, taken)


def _pairs(name: str, full: pa.Array) -> Guess:
    """The role of values such as 3:45: durations if some value has too many hours for anything else, or the name is that of a length."""
    first = [int(value.partition(":")[0]) for value in pc.unique(full).to_pylist()]
    if max(first) >= _MANY_HOURS and names.DURATION.search(name):
        return Guess({"as": "number", "unit": "mm:ss"}, "its values are minutes and seconds")
    why = "its values may be minutes and seconds, hours and minutes, or no durations"
    return Guess({"as": "ignore"}, f"{why}: write {{as: number, unit: mm:ss}} or h:mm")


def alike(
    guesses: dict[str, Guess], own_names: Mapping[str, str], taken: Collection[str]
) -> dict[str, Guess]:
    """The guesses, made equal for names that differ only in a number, such as actor_1 and actor_3.

    Args:
        guesses: Guess for each column or predicate.
        own_names: Name of each.
        taken: Types with keys.
    """
    types = {key: names.type_of_values(own_names[key], taken) for key in guesses}
    numbered = {key for key in guesses if re.search(r"\D\d|\d\D", own_names[key])}
    categories = {types[key] for key in numbered if guesses[key].role["as"] == "category"}
    return {
        key: Guess({"as": "category", "type": types[key]}, f"others like it repeat, and {guess.reason}")
        if key in numbered and guess.role["as"] == "text" and types[key] in categories
        else guess
        for key, guess in guesses.items()
    }


def _number(name: str, full: pa.Array, taken: Collection[str]) -> Guess:
    if names.is_popularity(name):
        why = "it counts what users did, as the interactions do, and new items have no count: write number to use it"
        return Guess({"as": "ignore"}, why)
    is_code = bool(share(full, r"^\s*0\d")) or names.is_id(name) or names.is_area(name) or _are_codes(full)
    if not is_code:
        is_mean = names.is_rating(name)
        word = "; if it is computed from the ratings in the interactions, ignore it" if is_mean else ""
        return Guess({"as": "number"}, f"all its values are numbers{word}")
    if _repeats(full):
        return Guess(_category(name, taken), f"its numbers are codes, and {_counted(full)}")
    return Guess({"as": "ignore"}, "its numbers are codes, which rarely repeat")


def _are_codes(full: pa.Array) -> bool:
    """Whether the numbers are long, of equal length, and rarely repeat, as article numbers and telephone numbers do."""
    length = len(full[0].as_py().strip())
    same = length >= _CODE_LENGTH and share(full, rf"^\s*\d{{{length}}}\s*$") == 1
    return bool(same and len(full) > 2 and distinct(full) > _MOSTLY * len(full) and not looks.clock_of(full))


def _worded(name: str, full: pa.Array, rows: int, taken: Collection[str]) -> Guess:
    if looks.is_long(full):
        return Guess({"as": "text"}, "its values are long")
    if distinct(full) == 1 and len(full) == rows >= _MIN_CONSTANT_ROWS:
        return Guess({"as": "ignore"}, "it has the same value in all sampled rows")
    if _repeats(full, 0.9 if _OF_NAMES.search(name) else 0.5):
        return Guess(_category(name, taken), _counted(full))
    if share(full, _CODES) > 0.9:
        return Guess({"as": "ignore"}, "its values are codes, which rarely repeat")
    if names.is_numeric(name):
        return Guess({"as": "ignore"}, "its name is that of a number, but its values are not numbers")
    return Guess({"as": "text"}, "its values rarely repeat")


def _repeats(full: pa.Array, most: float = 0.5) -> bool:
    return distinct(full) < len(full) and distinct(full) <= max(20, most * len(full))


def _counted(full: pa.Array) -> str:
    return f"only {distinct(full):,} of its {len(full):,} values differ"


def _category(name: str, taken: Collection[str]) -> dict[str, str]:
    """A role that makes a node of each value, with a type if the column's name cannot be the type."""
    type_ = names.type_of_values(name, taken)
    is_default = type_ == names.singular(name) and is_type_name(name) and name not in taken
    return {"as": "category"} if is_default else {"as": "category", "type": type_}
