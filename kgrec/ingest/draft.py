"""A first mapping, from headers and samples.

Enters: paths of tables. Leaves: a `Draft`: kgrec.yaml as text, and why each column got its role. Guesses are plain rules
on names and values, so that the reasons can be given; the user has the last word.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.sources import Source
from kgrec.ingest.tables import open_table
from kgrec.mapping import TableFormat

_SAMPLE = 20_000
#: separator -> share of the cells that must have it: commas are in prose, too
_SEPARATORS = {"|": 0.02, "::": 0.02, ";": 0.1, ", ": 0.5, ",": 0.5}
_USER = re.compile(r"(user|customer|visitor|member|account|uid)([_ ]?(id|key))?", re.IGNORECASE)
_ITEM = re.compile(
    r"(item|product|movie|book|article|paper|artist|track|song|asin|sku|iid)s?([_ ]?(id|key))?", re.I
)
_VALUE = re.compile(r"rating|score|stars|value|count|weight|quantity|plays?", re.IGNORECASE)
_TIME = re.compile(r"time(stamp)?|date|ts|created(_at)?|at", re.IGNORECASE)
_LABEL = ("title", "name", "label", "headline")
_NAMED_ID = re.compile(r"(.*[_ .-])?(id|key|code|sku|asin|isbn|uri|iri)|.*Id", re.IGNORECASE)


@dataclass(frozen=True)
class Draft:
    """A drafted mapping."""

    yaml: str
    #: "file.column: role, since ..." for every decision
    reasons: list[str]


@dataclass
class _Sample:
    """The first rows of one file."""

    source: Source
    columns: dict[str, pa.Array]
    key: str = ""
    type: str = ""
    #: in a log, the column of the item
    item: str = ""
    reasons: list[str] = field(default_factory=list)

    def why(self, column: str, role: str, reason: str) -> None:
        self.reasons.append(f"{self.source.name}: {column}: {role}, since {reason}")


def draft_mapping(paths: list[Path], folder: Path | None = None) -> Draft:
    """Draft a mapping for some tables.

    Args:
        paths: The tables.
        folder: Where the mapping will stand; names in it are relative to that. None: beside the first table.

    Raises:
        SourceError: There is no file, one cannot be read, or none of them can be the items.
    """
    if not paths:
        raise SourceError(
            "There is no file to draft a mapping from.", "Name the tables: kgrec init items.csv ratings.csv"
        )
    samples = [_sample(Path(path), Path(paths[0]).parent if folder is None else folder) for path in paths]
    tables, logs = _tables_and_logs(samples)
    if not tables:
        raise SourceError(
            "No file has a column that can be a key.", "One column must be filled and unique, such as an id."
        )
    item = _item_table(tables, logs[0] if logs else None)
    lines = ["version: 1", "base: https://example.org/", "nodes:"]
    for table in tables:
        lines += _node_lines(table, tables, item)
    if logs:
        lines += _log_lines(logs[0])
    reasons = [reason for sample in samples for reason in sample.reasons]
    return Draft("\n".join(lines) + "\n", reasons)


def _sample(path: Path, folder: Path) -> _Sample:
    name = Path(os.path.relpath(path, folder)).as_posix()
    source = Source(path, name)
    if not path.is_file():
        raise SourceError(f"{path} is not there.", "Name tables that exist: CSV, TSV, JSONL or Parquet.")
    _refuse_headerless(path)
    table = open_table(source, TableFormat.model_validate({"file": name}))
    columns: dict[str, pa.Array] = dict.fromkeys(table.columns, pa.array([], pa.string()))
    for batch in table.read(table.columns):
        columns = {name: array.slice(0, _SAMPLE) for name, array in batch.columns.items()}
        break
    return _Sample(source, columns)


def _refuse_headerless(path: Path) -> None:
    """Say so where the first line has numbers for names, as MovieLens' u.data and u.item have."""
    if path.suffix.lower() in (".gz", ".zst", ".parquet", ".pq", ".jsonl", ".ndjson"):
        return
    with path.open("rb") as stream:
        first = stream.readline(100_000).decode("latin-1").strip()
    parts = re.split(r"\t|::|\||,", first)
    numbers = sum(re.fullmatch(r"-?\d+(\.\d+)?", cell) is not None for cell in parts)
    if len(parts) > 1 and numbers * 2 >= len(parts):
        raise SourceError(
            f"{path.name}:1: the first line has no names of columns but values, such as '{parts[0]}'.",
            "Write the names above it; a dataset of MovieLens and the like is read by kgrec import FOLDER.",
        )


# keys and files


def _tables_and_logs(samples: list[_Sample]) -> tuple[list[_Sample], list[_Sample]]:
    """Samples with a key, and samples of users and items; the rest is left out, which `reasons` says."""
    for sample in samples:
        sample.item = _named_item(sample)
        if not sample.item:
            _find_key(sample)
    tables = [sample for sample in samples if sample.key]
    for sample in samples:
        if not sample.key and not sample.item:
            sample.item = _keyed_item(sample, tables)
            if not sample.item:
                sample.why("*", "left out", "no column is filled and unique")
    logs = [sample for sample in samples if sample.item]
    for log in logs[1:]:
        log.why("*", "left out", f"a mapping has one log, and {logs[0].source.name} is taken")
    return tables, logs


def _named_item(sample: _Sample) -> str:
    """The column of the item in what looks like a log by the names of its columns; "" elsewhere."""
    names = list(sample.columns)
    user, item = _first(names, _USER), _item_column(names)
    is_log = user is not None and item is not None and not _unique(sample.columns[item])
    return item or "" if is_log else ""


def _keyed_item(sample: _Sample, tables: list[_Sample]) -> str:
    """The column that holds keys of a table, where there are users, too; "" elsewhere."""
    taken = (_USER, _VALUE, _TIME)
    if _first(list(sample.columns), _USER) is None:
        return ""
    rest = [name for name in sample.columns if not any(pattern.fullmatch(name) for pattern in taken)]
    keys = [table.columns[table.key] for table in tables]
    fits = (name for name in rest if any(_overlap(sample.columns[name], key) >= 0.9 for key in keys))
    return next(fits, "")


def _item_column(names: list[str]) -> str | None:
    rest = [name for name in names if not _USER.fullmatch(name)]
    named = [name for name in rest if _NAMED_ID.fullmatch(name)]
    return _first(rest, _ITEM) or (named[0] if named else None)


def _first(names: list[str], pattern: re.Pattern[str]) -> str | None:
    return next((name for name in names if pattern.fullmatch(name)), None)


def _unique(array: pa.Array) -> bool:
    if cells.is_list(array) or not len(array):
        return False
    return len(pc.unique(array)) == len(array) and not cells.mask(pc.equal(array, "")).any()


def _find_key(sample: _Sample) -> None:
    unique = [name for name, array in sample.columns.items() if _unique(array)]
    named = [name for name in unique if _NAMED_ID.fullmatch(name)]
    plain = [name for name in unique if not _is_long(sample.columns[name]) and name.lower() not in _LABEL]
    chosen = next(iter(named or plain), None)
    if chosen is None:
        return
    sample.key, sample.type = chosen, _type_of(sample.source.path)
    named_so = " and named like an id" if named else ""
    sample.why(chosen, "key", f"it is filled and unique in the rows looked at{named_so}")


def _type_of(path: Path) -> str:
    stem = re.sub(r"\W+", "_", path.name.partition(".")[0]).strip("_").lower() or "item"
    if stem.endswith("ies") and stem not in ("movies", "series", "cookies"):
        return stem[:-3] + "y"
    return stem[:-1] if stem.endswith("s") and not stem.endswith(("ss", "series")) else stem


def _item_table(tables: list[_Sample], log: _Sample | None) -> _Sample:
    """The table whose keys the log has, or the first."""
    if log is None:
        return tables[0]
    taken = log.columns[log.item]
    return max(tables, key=lambda table: _overlap(taken, table.columns[table.key]))


def _overlap(values: pa.Array, keys: pa.Array) -> float:
    distinct = pc.unique(values)
    distinct = distinct.filter(pc.not_equal(distinct, ""))
    if not len(distinct) or cells.is_list(values):
        return 0.0
    return float(cells.mask(pc.is_in(distinct, value_set=keys)).mean())


# columns


def _node_lines(table: _Sample, tables: list[_Sample], item: _Sample) -> Iterator[str]:
    yield f"  {_quoted(table.type)}:"
    if table is item:
        yield "    item: true"
        table.why(
            "*", "items", "its keys are in the interactions" if len(tables) > 1 else "it is the only table"
        )
    yield f"    file: {_quoted(table.source.name)}"
    yield f"    key: {_quoted(table.key)}"
    roles = {name: _role(table, name, tables) for name in table.columns if name != table.key}
    yield "    columns:" if roles else "    columns: {}"
    for name, role in roles.items():
        yield f"      {_quoted(name)}: {role}"


def _role(table: _Sample, name: str, tables: list[_Sample]) -> str:
    array = table.columns[name]
    role, reason = _decided(table, name, array, tables)
    table.why(name, role, reason)
    return role


def _decided(table: _Sample, name: str, array: pa.Array, tables: list[_Sample]) -> tuple[str, str]:
    full = array if cells.is_list(array) else array.filter(pc.not_equal(array, ""))
    if not len(full):
        return "ignore", "it is empty in the rows looked at"
    if cells.is_list(full) and pa.types.is_floating(full.type.value_type):
        return "vector", "it holds lists of numbers"
    if not cells.is_list(full) and _all(full, r"^\[\s*-?\d[^\"]*\]$") and len(cells.vectors(full)[2]) == 0:
        return "vector", "it holds JSON arrays of numbers"
    return _text_role(table, name, full, tables)


def _text_role(table: _Sample, name: str, full: pa.Array, tables: list[_Sample]) -> tuple[str, str]:
    separator = None if cells.is_list(full) else _separator(full)
    values = cells.split(full, separator)[1]
    if name.lower() in _LABEL or (name.lower().endswith(_LABEL) and not _has_label(table)):
        return "label", "its name says that it names the node"
    if (target := _target(name, values, table, tables)) is not None:
        return _linked(
            "ref", "to", target.type, name, separator
        ), f"its values are keys of {target.source.name}"
    if _all(values, r"^https?://\S+$"):
        return _same_as(full, separator)
    if separator is None and len(cells.numbers(full)[2]) == 0:
        return "number", "all its values are numbers"
    if separator is None and len(cells.dates(full, None)[2]) == 0:
        return "date", "all its values are ISO 8601 dates"
    return _worded(name, full, separator)


def _worded(name: str, full: pa.Array, separator: str | None) -> tuple[str, str]:
    if separator is not None or cells.is_list(full):
        how = f"separated by '{separator}'" if separator else "in lists"
        return _linked(
            "node", "type", _type_of(Path(name)), name, separator
        ), f"it holds several values, {how}"
    if _is_long(full):
        return "text", "its values are long"
    distinct = len(pc.unique(full))
    if distinct < len(full) and distinct <= max(20, 0.5 * len(full)):
        return "category", f"{distinct:,} different values repeat in {len(full):,} rows"
    return "text", "its values hardly repeat"


def _has_label(table: _Sample) -> bool:
    return any(name.lower() in _LABEL for name in table.columns)


def _same_as(full: pa.Array, separator: str | None) -> tuple[str, str]:
    if re.search(r"\.(jpe?g|png|gif|webp|svg)$", str(full[0].as_py()), re.IGNORECASE):
        return "ignore", "it holds addresses of pictures"
    if len(pc.unique(full)) < 0.9 * len(full):
        return "category", "it holds IRIs, which repeat"
    return (
        "same_as" if separator is None else f"{{as: same_as, split: {_quoted(separator)}}}"
    ), "it holds IRIs"


def _target(name: str, values: pa.Array, table: _Sample, tables: list[_Sample]) -> _Sample | None:
    """The table whose keys the values are: by their values, and by the column's name where keys are mere numbers."""
    best = max(tables, key=lambda other: _overlap(values, other.columns[other.key]))
    numeric = len(cells.numbers(values)[2]) == 0
    fits = _overlap(values, best.columns[best.key]) >= (0.5 if numeric else 0.9)
    if not fits or not numeric:
        return best if fits else None
    stem = re.sub(r"[_ .-]?(ids?|keys?)$", "", name, flags=re.IGNORECASE).lower()
    by_name = [other for other in tables if other.type == _type_of(Path(stem))]
    if by_name:
        return by_name[0]
    several = len(values) > 1.2 * len(pc.unique(values)) and best is table and not _NUMERIC_NAME.search(name)
    return best if several else None


_NUMERIC_NAME = re.compile(
    r"year|count|num|price|rating|score|age|length|runtime|duration|votes|rank", re.IGNORECASE
)


def _separator(full: pa.Array) -> str | None:
    """What separates lists: often enough in the cells, and with short parts; where it may be prose, parts that repeat."""
    if _mean_length(full) > 400:
        return None
    for separator in _SEPARATORS:
        having = cells.mask(pc.match_substring(full, separator))
        if having.mean() < _SEPARATORS[separator]:
            continue
        parts = cells.split_plain(full, separator)[1]
        if _mean_length(parts) <= 40 and (
            not separator.startswith(",") or len(pc.unique(parts)) < 0.5 * len(parts)
        ):
            return separator
    return None


def _mean_length(array: pa.Array) -> float:
    return float(pc.mean(pc.utf8_length(array)).as_py() or 0)


def _is_long(array: pa.Array) -> bool:
    return not cells.is_list(array) and _mean_length(array) > 50


def _all(array: pa.Array, pattern: str) -> bool:
    return bool(len(array)) and bool(cells.mask(pc.match_substring_regex(array, pattern)).all())


def _linked(role: str, what: str, type_: str, name: str, separator: str | None) -> str:
    split = f", split: {_quoted(separator)}" if separator else ""
    return f"{{as: {role}, {what}: {_quoted(type_)}, edge: {_quoted(name)}{split}}}"


# interactions


def _log_lines(log: _Sample) -> Iterator[str]:
    names = list(log.columns)
    roles = {"user": _first(names, _USER), "item": log.item}
    rest = [name for name in names if name not in roles.values()]
    roles["value"], roles["time"] = _first(rest, _VALUE), _first(rest, _TIME)
    yield "interactions:"
    yield f"  file: {_quoted(log.source.name)}"
    for role, name in roles.items():
        if name is not None:
            keys = role == "item" and not _named_item(log)
            why = (
                "its values are keys of the items"
                if keys
                else "its name says so, in a file of users and items"
            )
            log.why(name, role, why)
            yield f"  {role}: {_quoted(name)}"
    if roles["value"] is not None and (positive := _positive(log.columns[roles["value"]])) is not None:
        log.why(roles["value"], f"positive: {positive}", "it looks like stars from 1 to 5")
        yield f"  positive: {_quoted(positive)}"


def _positive(values: pa.Array) -> str | None:
    _, numbers, bad = cells.numbers(values)
    if len(bad) or not len(numbers) or numbers.max() != 5 or numbers.min() < 0:
        return None
    return ">= 4"


def _quoted(text: str) -> str:
    """Plain where YAML cannot misread it."""
    plain = re.fullmatch(r"[A-Za-z_][\w.\-/]*", text) and text.lower() not in (
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)
