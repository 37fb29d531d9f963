"""Counts of rows read, dropped, merged and missing, with places.

Enters: counts with places (file:line) from every stage of ingest. Leaves: a `Report`, as text or as report.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from kgrec.errors import SourceError, TooManyBadRows
from kgrec.ingest.mapping.schema import ErrorPolicy

_PLACES = 10
#: largest number of values per column whose left-out rows are counted separately
_MOST_VALUES = 20
OTHER_VALUES = "(other values)"
#: reasons to leave an edge out, with its row and without
MISSING_NODE, MISSING_REF = "names a node that no source has", "refers to a node that no source has"


@dataclass
class Places:
    """A count, and the places of the first ten."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, count: int, places: Iterable[str] = ()) -> None:
        """Count `count` more, and keep places while there is room."""
        self.count += count
        self.first.extend(islice(places, max(0, _PLACES - len(self.first))))


@dataclass
class FileReport:
    """Counts for one source file: `rows` are records or triples; a dropped row is not used at all."""

    rows: int = 0
    used: int = 0
    #: reason -> rows not used
    dropped: dict[str, Places] = field(default_factory=dict)
    #: column or predicate -> unreadable cells; their rows are used without them
    failed: dict[str, Places] = field(default_factory=dict)
    #: rows used although some of their cells are unreadable
    spoiled: int = 0
    #: columns or predicates that the mapping does not read
    unread: list[str] = field(default_factory=list)
    #: rows used without the edges of a column, because these lead to nodes that no source has
    missing: Places = field(default_factory=Places)
    #: column -> value -> rows left out because `only:` or `events:` of the mapping does not list the value
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    #: unit and range of the times of a log; "" if there are none
    times: str = ""

    @property
    def bad(self) -> int:
        """Rows dropped as faulty, plus rows with unreadable cells or with references to nodes that no source has."""
        return (
            self.spoiled
            + self.missing.count
            + sum(p.count for reason, p in self.dropped.items() if reason not in HARMLESS)
        )


#: reasons to drop a row that do not count as a fault of the file
HARMLESS = frozenset(
    {
        "identical to an earlier row",
        "repeats the header",
        "names an unknown item",
        "has a blank node, which the mapping drops",
    }
)


@dataclass
class Report:
    """Counts of one build."""

    files: dict[str, FileReport] = field(default_factory=dict)
    #: "relation -> type" -> references to nodes that no source has
    missing: dict[str, Places] = field(default_factory=dict)
    #: nodes merged into others
    merged: int = 0
    merged_items: Places = field(default_factory=Places)
    #: IRIs shared by several rows, which are not merged
    shared: Places = field(default_factory=Places)
    #: predicate without a role -> triples left out
    unmapped: dict[str, int] = field(default_factory=dict)
    #: language that the mapping does not read -> literals left out; "none": literals without a language
    languages: dict[str, int] = field(default_factory=dict)
    unknown_items: Places = field(default_factory=Places)
    #: likely mistakes, one sentence each
    warnings: list[str] = field(default_factory=list)
    #: interactions of a user and an item that were replaced by a later interaction of the pair
    repeated_pairs: int = 0

    def file(self, name: str) -> FileReport:
        """Counts for the file `name`, created on first use."""
        return self.files.setdefault(name, FileReport())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        """Read back what `to_dict` returned."""
        files = {name: _file(part) for name, part in values["files"].items()}
        return cls(
            files=files,
            missing=_places(values["missing"]),
            merged=values["merged"],
            merged_items=Places(**values["merged_items"]),
            shared=Places(**values.get("shared", {})),
            unmapped=dict(values["unmapped"]),
            languages=dict(values.get("languages", {})),
            unknown_items=Places(**values["unknown_items"]),
            warnings=list(values.get("warnings", [])),
            repeated_pairs=values["repeated_pairs"],
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        width = max([len(name) for name in self.files], default=4)
        yield f"{'file':<{width}}  {'rows':>11}  {'used':>11}"
        for name, part in self.files.items():
            yield f"{name:<{width}}  {part.rows:>11,}  {part.used:>11,}"
            yield from _file_lines(part)
        for relation, places in self.missing.items():
            yield _line(f"missing: {relation}", places)
        if self.merged:
            yield f"{self.merged:,} other names of nodes, merged by same_as"
        if self.merged_items.count:
            yield _line("items merged", self.merged_items)
        if self.shared.count:
            yield _line("kept apart, although they share an IRI", self.shared)
        if self.unknown_items.count:
            yield _line("INTERACTIONS THAT NAME AN UNKNOWN ITEM", self.unknown_items)
        if self.repeated_pairs:
            yield f"{self.repeated_pairs:,} interactions repeat a pair of user and item; the latest is kept"
        yield from _most("predicates not mapped", self.unmapped)
        yield from _most("languages left out", self.languages)
        yield from (f"Warning: {warning}" for warning in self.warnings)


@dataclass(frozen=True)
class Tally:
    """Adds to the counts for one file, under the mapping's policy for bad rows."""

    name: str
    report: FileReport
    policy: ErrorPolicy
    #: column -> why its cells failed, and the remedy
    why: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: reason to drop a row -> remedy
    remedies: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, count: int, places: Iterable[str], remedy: str = "") -> None:
        """Count rows that are not used; `remedy` says what to do, "" for correcting the rows.

        Raises:
            SourceError: The policy is to stop at the first bad row.
        """
        if not count:
            return
        found = list(islice(places, _PLACES))
        self.report.dropped.setdefault(reason, Places()).add(count, found)
        self.remedies.setdefault(reason, remedy)
        if self.policy.bad_row == "fail" and reason not in HARMLESS:
            where = found[0] if found else self.name
            raise SourceError(
                f"{where}: the row {reason}.",
                remedy or "Correct the row, or set `errors: {bad_row: report}`.",
            )

    def leave_out(self, column: str, value: str, count: int) -> None:
        """Count rows that the mapping leaves out by the value of a column; the first values are counted separately."""
        counts = self.report.left_out.setdefault(column, {})
        value = value if value in counts or len(counts) < _MOST_VALUES else OTHER_VALUES
        counts[value] = counts.get(value, 0) + count

    def fail(self, column: str, found: list[tuple[str, str]], count: int, why: str, remedy: str) -> None:
        """Count cells that cannot be read; `found` has the first of them as (place, value).

        Raises:
            SourceError: The policy is to stop at the first bad row.
        """
        if not count:
            return
        places = [f"{place}: {shown(value)}" for place, value in found]
        self.report.failed.setdefault(column, Places()).add(count, places)
        self.why.setdefault(column, (why, remedy))
        if self.policy.bad_row == "fail":
            place, value = found[0] if found else (self.name, "")
            raise SourceError(f"{place}: '{column}' is {shown(value)}, which {why}.", remedy)

    def close(self) -> None:
        """Check the share of bad rows after the file has been read.

        Raises:
            TooManyBadRows: The share is above `errors.stop_above`.
        """
        rows, bad = self.report.rows, self.report.bad
        if bad <= self.policy.stop_above * rows:
            return
        parts = [
            (why, places, self.remedies.get(why, ""))
            for why, places in self.report.dropped.items()
            if why not in HARMLESS
        ]
        parts.append((MISSING_REF, self.report.missing, ""))
        for column, places in self.report.failed.items():
            why, remedy = self.why.get(column, ("not understood", ""))
            parts.append((f"'{column}' {why}", places, remedy))
        reason, places, remedy = max(parts, key=lambda part: part[1].count)
        first = f", first at {places.first[0]}" if places.first else ""
        otherwise = f"raise `errors: stop_above` ({self.policy.stop_above:g} of the rows)."
        raise TooManyBadRows(
            f"{self.name}: {bad:,} of {rows:,} rows are bad; {places.count:,} of them: {reason}{first}.",
            f"{remedy} Or {otherwise}" if remedy else f"Correct the file, or {otherwise}",
        )


def shown(value: str) -> str:
    """`value` in quotes, cut to 60 characters."""
    return f'"{value[:57]}..."' if len(value) > 60 else f'"{value}"'


def _file(values: dict[str, Any]) -> FileReport:
    return FileReport(
        values["rows"],
        values["used"],
        _places(values["dropped"]),
        _places(values["failed"]),
        values["spoiled"],
        list(values["unread"]),
        Places(**values.get("missing", {})),
        dict(values.get("left_out", {})),
        values.get("times", ""),
    )


def _places(values: dict[str, Any]) -> dict[str, Places]:
    return {name: Places(**places) for name, places in values.items()}


def _line(what: str, places: Places) -> str:
    first = f" (first: {', '.join(places.first[:3])})" if places.first else ""
    return f"  {what}: {places.count:,}{first}"


def _file_lines(part: FileReport) -> Iterator[str]:
    for reason, places in part.dropped.items():
        yield _line(f"dropped: {reason}", places)
    for column, places in part.failed.items():
        yield _line(f"'{column}' not understood", places)
    if part.missing.count:
        yield _line(MISSING_REF, part.missing)
    for column, counts in part.left_out.items():
        yield from _most(f"  left out by '{column}'", {value or "(empty)": n for value, n in counts.items()})
    if part.times:
        yield f"  times: {part.times}"
    if part.unread:
        yield f"  not read: {', '.join(part.unread)}"


def _most(what: str, counts: dict[str, int]) -> Iterator[str]:
    if counts:
        most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        listed = ", ".join(f"{name} {count:,}" for name, count in most[:8])
        yield f"{what}: {listed}{', ...' if len(most) > 8 else ''}"
