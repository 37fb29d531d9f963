"""The first rows of a table's files, its marks of missing values, and all identifiers of a large table.

Enters: paths. Leaves: `Sample`s, to which other modules add keys and roles; parts of one table form one sample.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch, Table
from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.nested import expanded
from kgrec.ingest.draft.profile import Profile
from kgrec.ingest.draft.sniff import sniff
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table

_SAMPLE_ROWS = 20_000
#: share of the rows that may repeat an identifier
REPEATED = 0.005
#: share of a column's cells from which on a mark is frequent
_OFTEN = 0.02
#: words of file names in which parts of one table differ
_PART = re.compile(
    r"_?(\d+|part|chunk|split|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|january|february|march|april|june|july|august"
    r"|september|october|november|december)(?=_|$)"
)
#: largest share of identifiers that parts of one table share
_SHARED = 0.01
#: largest mean number of values per key in a column that describes the key
_NEARLY_FIXED = 1.05
#: number of batches of about ten thousand rows that are searched for identifiers
_MAX_BATCHES = 60


@dataclass(eq=False)
class Sample:
    """The first rows of one file."""

    source: Source
    columns: dict[str, pa.Array]
    #: the whole table; None: the sampled rows are all of it
    rest: Table | None = None
    #: further files with the same columns, which continue the table
    parts: list[Sample] = field(default_factory=list)
    #: keys beside `file:` with values other than the defaults
    options: dict[str, Any] = field(default_factory=dict)
    #: column of the identifiers; None if the file is not a table of nodes
    key: str | None = None
    why_key: str = ""
    #: other columns of identifiers, to which other files refer -> reason
    other_keys: dict[str, str] = field(default_factory=dict)
    #: column -> its distinct values in the whole table, where they were read
    identifiers: dict[str, pa.Array] = field(default_factory=dict)
    #: columns that are unique in the sample, and repeat later
    repeating: set[str] = field(default_factory=set)
    #: reason why the file is not used
    left_out: str = ""
    #: the table of the same nodes, of which this one has further columns
    home: Sample | None = None
    #: whether columns that are not in `columns` are ignored
    has_more: bool = False
    #: columns of a log that describe the items
    elsewhere: set[str] = field(default_factory=set)
    #: comments that mark lines of kgrec.yaml: key -> comment
    marks: dict[str, str] = field(default_factory=dict)
    #: columns of a type without a text form, such as structs; they are empty in `columns`
    unreadable: set[str] = field(default_factory=set)
    type: str = ""
    #: in a log: user, item, value, time -> column
    log: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    _profiles: dict[str, Profile] = field(default_factory=dict)

    @property
    def has_names(self) -> bool:
        """Whether the file itself names its columns."""
        return "header" not in self.options

    @property
    def plain(self) -> list[str]:
        """The columns without lists."""
        return [name for name, array in self.columns.items() if not cells.is_list(array)]

    @property
    def keys(self) -> pa.Array:
        """The identifiers of the nodes of a table."""
        assert self.key is not None
        return self.values(self.key)

    @property
    def rows(self) -> int:
        """Number of sampled rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def values(self, name: str) -> pa.Array:
        """The known distinct values of a column."""
        known = self.identifiers.get(name)
        return known if known is not None else self.profile(name).values

    def profile(self, name: str) -> Profile:
        """The properties of a column."""
        array = self.columns[name]
        if name not in self._profiles or self._profiles[name].cells is not array:
            self._profiles[name] = Profile(name, array)
        return self._profiles[name]

    def why(self, column: str, role: object, reason: str) -> None:
        """Record a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {column or written(column)}: {role}, since {reason}")

    def with_rows_of(self, key: str, type_: str, but: Collection[str]) -> Sample:
        """A table of the nodes that a column names, with the columns that have one value per node."""
        keys = pc.utf8_trim_whitespace(self.columns[key])
        count = len(pc.unique(keys.filter(pc.not_equal(keys, ""))))
        fixed = [
            name
            for name in self.plain
            if name not in (key, *but) and self.rows >= 2 * count and self._is_fixed(name, keys)
        ]
        first = pc.index_in(pc.unique(keys), value_set=keys)
        columns = {name: self.columns[name].take(first) for name in [key, *fixed]}
        full = pc.not_equal(pc.utf8_trim_whitespace(columns[key]), "")
        return Sample(
            self.source,
            {name: array.filter(full) for name, array in columns.items()},
            options=dict(self.options),
            parts=self.parts,
            key=key,
            why_key="its values are the items of the interactions",
            type=type_,
            has_more=True,
            reasons=self.reasons,
        )

    def facts_about(self, key: str, but: Collection[str]) -> Sample | None:
        """The column `key` and the columns that nearly always have one value per key; None if there are none."""
        keys = pc.utf8_trim_whitespace(self.columns[key])
        near = [name for name in self.plain if name not in (key, *but) and self._is_nearly_fixed(name, keys)]
        if not near:
            return None
        columns = {name: self.columns[name] for name in [key, *near]}
        return Sample(
            self.source,
            columns,
            options=dict(self.options),
            parts=self.parts,
            type=self.type,
            reasons=self.reasons,
        )

    def _is_nearly_fixed(self, name: str, keys: pa.Array) -> bool:
        values = pc.utf8_trim_whitespace(self.columns[name])
        full = pc.not_equal(values, "")
        some, values = keys.filter(full), values.filter(full)
        pairs = pc.binary_join_element_wise(some.cast(pa.string()), values.cast(pa.string()), "\x1f")
        few = len(pc.unique(pairs)) <= _NEARLY_FIXED * len(pc.unique(some))
        return few and len(pc.unique(values)) > 1 and len(values) >= 2 * len(pc.unique(some))

    def _is_fixed(self, name: str, keys: pa.Array) -> bool:
        """Whether a column has one value for each key, and several values."""
        values = pc.utf8_trim_whitespace(self.columns[name])
        pairs = pc.binary_join_element_wise(keys.cast(pa.string()), values.cast(pa.string()), "\x1f")
        return len(pc.unique(pairs)) == len(pc.unique(keys)) and len(pc.unique(values)) > 1

    def rename(self, new_names: dict[str, str]) -> dict[str, str]:
        """Rename columns without a name in the file; returns old name -> new name, without names that are taken."""
        known: dict[str, str] = {}
        for old, new in new_names.items():
            if new not in (*self.columns, *known.values()):
                known[old] = new
        self.columns = {known.get(name, name): array for name, array in self.columns.items()}
        self.options["header"] = list(self.columns)
        self.identifiers = {known.get(name, name): values for name, values in self.identifiers.items()}
        self.key = known.get(self.key, self.key) if self.key is not None else None
        self.log = {role: known.get(name, name) for role, name in self.log.items()}
        return known

    def file_lines(self) -> Iterator[str]:
        """The lines of kgrec.yaml with the files and their format."""
        files = [self.source.name, *(part.source.name for part in self.parts)]
        yield f"file: {written(files if self.parts else files[0])}"
        yield from (f"{name}: {written(value)}" for name, value in self.options.items())


def source_of(path: Path, folder: Path) -> Source:
    """The file `path`, with its name relative to `folder`.

    Raises:
        SourceError: The file does not exist, or is a folder.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder.", f"Name the files in it: kgrec init {path}/*")
    if not path.is_file():
        raise SourceError(
            f"{path} does not exist.", "Name files that exist: CSV, TSV, JSONL, Parquet or RDF."
        )
    return Source(path, Path(os.path.relpath(path, folder)).as_posix())


def read_sample(source: Source, head: bytes) -> Sample:
    """Read the first rows of a table; `head` are its first bytes.

    Raises:
        SourceError: The file cannot be read.
    """
    sniffed = sniff(source, head)
    sample = Sample(source, {}, options=sniffed.options)
    for key, value, why in sniffed.reasons:
        sample.why(key, value, why)
    table = open_table(source, TableFormat.model_validate({"file": source.name, **sniffed.options}))
    try:
        sample.columns, is_whole = _first_rows(table, table.columns)
    except SourceError:
        is_whole = False
        for name in table.columns:
            try:
                sample.columns |= _first_rows(table, [name])[0]
            except SourceError:
                sample.columns[name] = pa.array([], pa.string())
                sample.unreadable.add(name)
        if len(sample.unreadable) == len(table.columns):
            raise
    sample.columns = expanded(sample.columns)
    marks = _null_marks(sample)
    for mark, why in marks.items():
        sample.why("nulls", written(mark), why)
    if marks:
        sample.options["nulls"] = list(marks)
        sample.columns = {name: cells.emptied(array, list(marks)) for name, array in sample.columns.items()}
    sample.rest = None if is_whole else table.without(tuple(marks))
    return sample


def _first_rows(table: Table, columns: list[str]) -> tuple[dict[str, pa.Array], bool]:
    """The first rows, and whether they are all rows of the table; a fault after the first batch ends the sample."""
    batches, rows = [], 0
    try:
        for batch in table.read(columns):
            batches.append(batch)
            rows += len(batch)
            if rows > _SAMPLE_ROWS:
                break
    except SourceError:
        if not rows:
            raise
        return _joined(batches, columns), False
    return _joined(batches, columns), rows <= _SAMPLE_ROWS


def _joined(batches: list[Batch], columns: list[str]) -> dict[str, pa.Array]:
    full = [batch for batch in batches if len(batch)]
    if not full:
        return dict.fromkeys(columns, pa.array([], pa.string()))
    # in JSON lines, a column may be a list in one batch and text in another
    alike = [
        batch
        for batch in full
        if all(batch.columns[name].type == full[0].columns[name].type for name in columns)
    ]
    return {
        name: pa.concat_arrays([batch.columns[name] for batch in alike]).slice(0, _SAMPLE_ROWS)
        for name in columns
    }


def merge_parts(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, with files that are parts of one table merged into the first: `log_part1.csv` and `log_part2.csv`.

    Parts have the same columns and names that differ in numbers, months and the like, and share no identifiers.
    """
    merged: dict[object, Sample] = {}
    for sample in sorted(samples, key=lambda sample: sample.source.name):
        stem = _PART.sub("", names.snake(sample.source.path.name))
        form = (stem, tuple(sample.columns), str(sample.options))
        whole = merged.setdefault(form if stem else sample.source.name, sample)
        if whole is sample:
            continue
        if _continues(whole, sample):
            whole.parts.append(sample)
            whole.columns = {
                name: pa.concat_arrays([array, sample.columns[name].cast(array.type)])
                for name, array in whole.columns.items()
            }
            whole.why(
                "file",
                f"continued by {sample.source.name}",
                "it has the same columns, and its name the same words",
            )
        else:
            merged[sample.source.name] = sample
    return list(merged.values())


def _continues(whole: Sample, part: Sample) -> bool:
    pairs = ((whole.profile(name), part.profile(name)) for name in whole.plain)
    pairs = ((one, other) for one, other in pairs if names.is_id(one.name))
    both = [(one.values, other.values) for one, other in pairs if one.is_unique and other.is_unique]
    return all(looks.overlap(other, one) < _SHARED for one, other in both)


def read_identifiers(sample: Sample) -> None:
    """Read columns that are unique in the sample completely, up to a few million rows."""
    tables = [one for one in (sample, *sample.parts) if one.rest is not None]
    columns = [
        name for name in sample.plain if sample.profile(name).is_unique and sample.profile(name).may_be_ids
    ]
    if not tables or not columns or sample.unreadable:
        return
    found: dict[str, list[pa.Array]] = {name: [sample.profile(name).values] for name in columns}
    for one in tables:
        assert one.rest is not None
        try:
            for batch in islice(one.rest.read(columns), _MAX_BATCHES):
                for name in columns:
                    found[name].append(batch.plain(name).cast(pa.string()))
        except SourceError:
            # `kgrec build` reports the fault
            continue
    for name, arrays in found.items():
        known, *further = (array.cast(pa.string()) for array in arrays)
        cells_read = pc.utf8_trim_whitespace(pa.concat_arrays([known.slice(0, 0), *further]))
        values = pc.unique(pa.concat_arrays([known, cells_read]))
        sample.identifiers[name] = values.filter(pc.not_equal(values, ""))
        full = int(pc.sum(pc.not_equal(cells_read, "")).as_py() or 0)
        if full - len(sample.identifiers[name]) > REPEATED * full:
            sample.repeating.add(name)


def _null_marks(sample: Sample) -> dict[str, str]:
    """Marks of missing values, with reasons; marks such as `-` may be values, and need more evidence than `NULL`."""
    found: dict[str, str] = {}
    often: Counter[str] = Counter()
    for name in sample.plain:
        values = pc.utf8_trim_whitespace(sample.columns[name])
        marks = pc.value_counts(values.filter(pc.is_in(values, value_set=pa.array(looks.NULLS)))).to_pylist()
        kind = _kind_of_rest(name, values) if marks else ""
        for mark, count in (row.values() for row in marks):
            if kind:
                found.setdefault(mark, f"the other values of {name} are all {kind}")
            elif count > max(1, _OFTEN * len(values)):
                often[mark] += 1
    for mark, number in often.items():
        if number > 1 or mark in looks.SURE_NULLS:
            found.setdefault(mark, f"it is frequent in {number:,} column{'s' if number > 1 else ''}")
    return {mark: found[mark] for mark in looks.NULLS if mark in found}


def _kind_of_rest(name: str, values: pa.Array) -> str:
    """The kind of all values except the marks (numbers, dates, IRIs), if there are at least two; otherwise ""."""
    rest = looks.filled(cells.emptied(values, looks.NULLS))
    if len(rest) < 2:
        return ""
    if looks.numbers_of(rest) is not None:
        return "numbers"
    if looks.date_form(rest, name) is not None:
        return "dates"
    return "IRIs" if looks.share(rest, looks.IRIS) == 1 else ""
