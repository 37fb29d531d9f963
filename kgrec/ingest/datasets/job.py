"""Reading, writing and counting of one import.

Enters: files by name, in some format. Leaves: CSV tables, N-Triples and kgrec.yaml in one folder, and counts of all rows left
out, with file and line. Rows are processed as columns, tens of thousands per batch.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import yaml

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.batches import Batch
from kgrec.ingest.build_report import Report, Tally
from kgrec.ingest.datasets.plain import array_rows, opened, plain_rows
from kgrec.ingest.mapping.prefixes import IRI_PATTERN, PREFIXES
from kgrec.ingest.mapping.schema import ErrorPolicy, TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import node_iri
from kgrec.ingest.table_files import open_table
from kgrec.ingest.table_statements import count_broken, filled
from kgrec.ingest.text_stream import not_encoded

BASE = "https://example.org/"
FREEBASE = "http://rdf.freebase.com/ns/"
EMPTY = "has an empty cell"
_ORDER = ("version", "base", "prefixes", "nodes", "edges", "rdf", "interactions")
_LABEL = PREFIXES["rdfs"] + "label"
_SPECIAL = '[",\r\n]'


@dataclass
class Job:
    """Files of a dataset, the output folder, the report, and remarks."""

    format: str
    files: dict[str, Path]
    folder: Path
    #: file with the heads of triples that are items
    items: Path | None = None
    report: Report = field(default_factory=Report)
    #: decisions with their reasons, and warnings
    remarks: list[str] = field(default_factory=list)
    #: reasons to leave out a row that are not faults of the file
    harmless: set[str] = field(default_factory=set)
    mapping: dict[str, Any] = field(default_factory=lambda: {"version": 1, "base": BASE, "nodes": {}})
    #: name of each file written -> its rows
    written: dict[str, int] = field(default_factory=dict)

    def need(self, name: str) -> str:
        """`name`, if a file with this name exists.

        Raises:
            SourceError: No such file exists.
        """
        if name not in self.files:
            there = ", ".join(sorted(self.files)) or "no file"
            raise SourceError(f"There is no {name}, which the format {self.format} needs.", f"Found {there}.")
        return name

    def tally(self, name: str) -> Tally:
        """Counts for one file."""
        return Tally(name, self.report.file(name), ErrorPolicy())

    def leave(self, tally: Tally, reason: str, count: int, places: Iterable[str]) -> None:
        """Count rows that are left out although they have no fault."""
        self.harmless.add(reason)
        tally.drop(reason, count, places)

    def close(self, tally: Tally) -> None:
        """Check that a file that was read has the expected format.

        Raises:
            SourceError: More than half of its lines are bad.
        """
        faults = {why: places for why, places in tally.report.dropped.items() if why not in self.harmless}
        bad = sum(places.count for places in faults.values())
        if bad and 2 * bad > tally.report.rows:
            why, places = max(faults.items(), key=lambda fault: fault[1].count)
            first = f", first {places.first[0]}" if places.first else ""
            raise SourceError(
                f"{tally.name}: {bad:,} of {tally.report.rows:,} lines are bad as {self.format}: {why}{first}.",
                "Check whether this is the format; --format sets another one.",
            )

    # reading

    def table(
        self, name: str, *, delimiter: str = ",", quote: str = '"', encoding: str = "utf-8"
    ) -> tuple[list[str], Iterator[Batch]]:
        """Header and rows of a file with a header; rows are counted as they are read."""
        form = TableFormat(file=(name,), format="csv", delimiter=delimiter, quote=quote, encoding=encoding)
        with _advice():
            table = open_table(Source(self.files[name], name), form)

        def read() -> Iterator[Batch]:
            with _advice():
                for batch in table.read(table.columns):
                    for place in batch.places(batch.garbled[:1]):
                        raise not_encoded(place, "utf-8")
                    count_broken(batch, self.tally(name))
                    yield batch

        return table.columns, read()

    def rows(
        self, name: str, columns: Sequence[str], delimiter: str, *, counted: bool = True
    ) -> Iterator[Batch]:
        """Rows of a file without a header and without quotes, or of an array; they are counted as they are read."""
        if self.files[name].stat().st_size == 0:
            raise SourceError(f"{name} is empty.", "Download the file again, or remove it from the source.")
        if name.endswith(".npy"):
            batches = array_rows(self.files[name], name, columns)
        else:
            batches = _advised(plain_rows(self.files[name], name, columns, delimiter))
        for batch in batches:
            if counted:
                count_broken(batch, self.tally(name))
            yield batch

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """Line number and text of the lines that are not blank; the file must be UTF-8."""
        with opened(self.files[name], name) as stream:
            for number, line in enumerate(io.BufferedReader(stream), 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise SourceError(
                        f"{name}:{number}: not encoded in utf-8.", "Save it as UTF-8, for example with iconv."
                    ) from None
                if text.strip():
                    yield number, text.rstrip("\r\n")

    # writing

    def write(self, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a small CSV table."""
        count = 0
        with (self.folder / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            for count, row in enumerate(rows, 1):  # noqa: B007
                writer.writerow(row)
        self.written[name] = count

    def append(self, name: str, table: pa.Table) -> None:
        """Append a table of text to a CSV file; a new file gets a header."""
        quoting = "needed" if any(_has_special(column) for column in table.columns) else "none"
        with (self.folder / name).open("ab") as stream:
            if name not in self.written:
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerow(table.column_names)
                stream.write(text.getvalue().encode())
            options = pyarrow.csv.WriteOptions(include_header=False, quoting_style=quoting)
            if len(table):
                pyarrow.csv.write_csv(table, stream, options)
        self.written[name] = self.written.get(name, 0) + len(table)

    def write_mapping(self, reason: str) -> None:
        """Write kgrec.yaml."""
        ordered = {key: self.mapping[key] for key in _ORDER if key in self.mapping}
        text = yaml.safe_dump(
            ordered, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        )
        head = f"# Written by `kgrec import`, format {self.format}: {reason}.\n"
        (self.folder / "kgrec.yaml").write_text(head + text, encoding="utf-8")


@dataclass
class InteractionWriter:
    """Copies interactions into a CSV table: user_id, item_id, and rating and timestamp if the source has them."""

    job: Job
    name: str
    #: user_id, item_id, and optionally rating and timestamp -> column in the source
    columns: dict[str, str]
    #: distinct item ids of the source -> ids to write, None for items to leave out
    item_ids: Callable[[list[str]], list[str | None]] = list
    #: reason to leave items out
    unknown: str = ""
    #: items written
    items: dict[str, None] = field(default_factory=dict)
    #: largest rating
    top: float = 0.0

    def add(self, batch: Batch) -> None:
        """Copy a batch; rows without user or item, and rows with values that are not numbers, are counted and left out."""
        tally = self.job.tally(batch.name)
        good = filled(batch, self.columns["user_id"]) & filled(batch, self.columns["item_id"])
        tally.drop("has an empty user or item", int((~good).sum()), batch.places(np.flatnonzero(~good)))
        for target in ("rating", "timestamp"):
            if target in self.columns:
                good = self._numbers(target, batch, good, tally)
        rows = np.flatnonzero(good)
        codes, ids = cells.encode(batch.columns[self.columns["item_id"]].take(pa.array(rows)))
        named = self.item_ids(ids)
        known = np.array([item is not None for item in named], dtype=bool)[codes] if len(rows) else good[rows]
        self.job.leave(tally, self.unknown, int((~known).sum()), batch.places(rows[~known]))
        rows = rows[known]
        items = pa.array(named, pa.string()).take(pa.array(codes[known]))
        self.items.update(dict.fromkeys(pc.unique(items).to_pylist()))
        columns = {target: batch.columns[name].take(pa.array(rows)) for target, name in self.columns.items()}
        self.job.append(self.name, pa.table({**columns, "item_id": items}))
        tally.report.used += len(rows)

    def mapped(self, positive: str | None = None) -> dict[str, Any]:
        """The `interactions:` of kgrec.yaml for this file."""
        mapped = {"file": self.name, "user": "user_id", "item": "item_id"}
        if "rating" in self.columns:
            mapped["value"] = "rating"
            if positive:
                mapped["positive"] = positive
        return {**mapped, "time": "timestamp"} if "timestamp" in self.columns else mapped

    def _numbers(self, target: str, batch: Batch, good: np.ndarray, tally: Tally) -> np.ndarray:
        column = batch.columns[self.columns[target]]
        _, values, bad = cells.numbers(column)
        if target == "timestamp" and len(bad):
            # the build also reads ISO 8601
            bad = bad[cells.dates(column.take(pa.array(bad)), None)[2]]
        wrong = np.zeros(len(batch), dtype=bool)
        wrong[bad] = True
        wrong &= good
        found = zip(
            batch.places(np.flatnonzero(wrong)),
            column.take(pa.array(np.flatnonzero(wrong)[:10])).to_pylist(),
            strict=True,
        )
        tally.drop(
            f"has a {target} that is not a number",
            int(wrong.sum()),
            (f'{place}: "{value}"' for place, value in found),
        )
        if target == "rating" and len(values):
            self.top = max(self.top, float(values.max()))
        return good & ~wrong


@dataclass
class TripleWriter:
    """Writes triples as N-Triples; entities that are items get the IRIs of the items."""

    job: Job
    #: IRIs of an entity: several if several items share this entity, none if it is unknown
    entity: Callable[[str], Sequence[str]]
    #: IRI of a relation; None if it is unknown
    relation: Callable[[str], str | None]
    name: str = "knowledge.nt"
    #: entity -> its IRIs, for all entities so far
    met: dict[str, Sequence[str]] = field(default_factory=dict)
    #: entity -> its name, for those that have one
    names: dict[str, str] = field(default_factory=dict)
    #: whether names of entities are among the triples
    is_named: bool = False

    def add_names(self, names: dict[str, str]) -> None:
        """Write the names of entities that are not items; the names of items are in items.csv."""
        self.names, item = names, f"{self.job.mapping['base']}item/"
        lines = [
            f"<{iri}> <{_LABEL}> {_literal(name)} .\n"
            for key, name in names.items()
            for iri in self.met.get(key, ())
            if not iri.startswith(item)
        ]
        if lines:
            with (self.job.folder / self.name).open("a", encoding="utf-8", newline="") as stream:
                stream.writelines(lines)
            self.job.written[self.name] = self.job.written.get(self.name, 0) + len(lines)
            self.is_named = True

    def add(self, batch: Batch, head: str, relation: str, tail: str) -> None:
        """Write the triples of a batch; triples with an empty cell or an unknown name are counted and left out."""
        tally = self.job.tally(batch.name)
        good = filled(batch, head) & filled(batch, relation) & filled(batch, tail)
        tally.drop(EMPTY, int((~good).sum()), batch.places(np.flatnonzero(~good)))
        ends: list[tuple[np.ndarray, list[Sequence[str]]]] = []
        for column, kind in ((head, "entity"), (relation, "relation"), (tail, "entity")):
            codes, distinct = cells.encode(batch.columns[column])
            named = self._named if kind == "entity" else self._related
            iris = [named(name) for name in distinct]
            known = np.array([bool(i) for i in iris], dtype=bool)[codes]
            self._unknown(batch, column, kind, good & ~known, tally)
            good &= known
            ends.append((codes, iris))
        self._write([(codes[good], iris) for codes, iris in ends])
        tally.report.used += int(good.sum())

    def mapped(self) -> list[dict[str, Any]]:
        """The `rdf:` of kgrec.yaml for these triples; empty if there are none."""
        predicates = {"rdfs:label": "label", "*": "ref"} if self.is_named else {"*": "ref"}
        return [{"file": self.name, "predicates": predicates}] if self.job.written.get(self.name) else []

    def _named(self, name: str) -> Sequence[str]:
        if name not in self.met:
            self.met[name] = self.entity(name)
        return self.met[name]

    def _related(self, name: str) -> Sequence[str]:
        iri = self.relation(name)
        return () if iri is None else (iri,)

    def _unknown(self, batch: Batch, column: str, kind: str, bad: np.ndarray, tally: Tally) -> None:
        rows = np.flatnonzero(bad)
        values = batch.columns[column].take(pa.array(rows[:10])).to_pylist()
        found = zip(batch.places(rows), values, strict=True) if len(rows) else iter(())
        tally.drop(f"names an unknown {kind}", len(rows), (f'{place}: "{value}"' for place, value in found))

    def _write(self, ends: list[tuple[np.ndarray, list[Sequence[str]]]]) -> None:
        """Write one line per triple, or one per item if several items share an entity."""
        rows = np.arange(len(ends[0][0]))
        chosen: list[np.ndarray] = []
        for codes, iris in ends:
            sizes = np.array([len(i) for i in iris], dtype=np.int64)
            counts = sizes[codes[rows]]
            at = np.repeat(np.arange(len(rows)), counts)
            within = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
            starts = np.cumsum(sizes) - sizes
            rows = rows[at]
            chosen = [*(c[at] for c in chosen), starts[codes[rows]] + within]
        if len(rows):
            self._append(chosen, [[iri for i in iris for iri in i] for _, iris in ends])

    def _append(self, chosen: list[np.ndarray], iris: list[list[str]]) -> None:
        terms = [
            pa.array([f"<{iri}>" for iri in all_], pa.large_string()).take(pa.array(at))
            for at, all_ in zip(chosen, iris, strict=True)
        ]
        lines = pc.binary_join_element_wise(
            *terms, *(pa.scalar(text, pa.large_string()) for text in (".\n", " "))
        )
        # Arrow stores the lines contiguously
        _, offsets, data = lines.buffers()
        size = int(np.frombuffer(offsets, dtype=np.int64)[len(lines)])
        with (self.job.folder / self.name).open("ab") as stream:
            stream.write(data.slice(0, size))
        self.job.written[self.name] = self.job.written.get(self.name, 0) + len(lines)


def iri_of(type_: str, key: str) -> str:
    """The IRI of a node: `key` if it is an IRI, or else type and key below the base."""
    return (
        key
        if key.startswith(("http://", "https://")) and IRI_PATTERN.fullmatch(key)
        else node_iri(BASE, type_, key)
    )


def _literal(text: str) -> str:
    """A literal of N-Triples."""
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, escaped)
    return f'"{text}"'


def relation_iri(name: str) -> str:
    """The IRI of a relation."""
    return iri_of("relation", name)


@contextmanager
def _advice() -> Iterator[None]:
    """Replace remedies about the mapping, because it does not exist yet."""
    try:
        yield
    except SourceError as error:
        raise SourceError(
            error.problem, "Correct the file (text must be UTF-8), or remove it from the source."
        ) from None


def _advised(batches: Iterator[Batch]) -> Iterator[Batch]:
    with _advice():
        yield from batches


def _has_special(column: Any) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, _SPECIAL)).as_py())
