"""Names for ids, from files such as item_map.txt, entity2id.txt, artists.dat or movies.names.

Enters: the files of a dataset, and the ids that it uses. Leaves: id -> name, or id -> another id. The column of the ids is
found by comparing values with the ids, not by the order of the columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kgrec.ingest.datasets.job import Job

_THINGS = {
    "item": "items?|movies?|films?|books?|products?|artists?|songs?|tracks?|courses?|i",
    "entity": "entity|entities|e",
    "relation": "relations?|r",
    "user": "users?|u",
}
_BESIDE = (
    r"[_-]?(list|map|mapping|names?|titles?|dict|index|ids?|labels?|info|2id|2name|2text|2title|2kg_map)"
)
_SUFFIX = r"(\.(txt|tsv|csv|dat|dict|tab))?"
_PLURAL = {"item": "items", "entity": "entities", "relation": "relations", "user": "users"}
_DELIMITERS = ("\t", "::", "|")
#: an id or a number at one end of a line, and the rest
_TWO = (r"(\d+)\s*[,;]\s*(.*)", r"(\d+)\s+(.*)", r"(.*\S)\s*[,;]\s*(\d+)", r"(.*\S)\s+(\d+)", r"(\S+)\s+(.*)")
_HEAD = re.compile(r"[a-z]*_?(id|name|title|index|label|key)s?", re.IGNORECASE)
_IRI = re.compile(r"https?://\S+")
_NUMBER = re.compile(r"-?[\d.]+")
#: smallest share of the ids of a file, or of the dataset, that both must have
_LEAST = 0.5


@dataclass(frozen=True)
class Beside:
    """Names and other ids that files have for ids."""

    #: id -> name
    names: dict[str, str]
    #: id -> id in another numbering
    others: dict[str, str]


def names_of(job: Job, kind: str, ids: Collection[str], *, numbers: Sequence[str] = ()) -> dict[str, str]:
    """Id -> name, as `beside`."""
    return beside(job, kind, ids, numbers=numbers).names


def beside(job: Job, kind: str, ids: Collection[str], *, numbers: Sequence[str] = ()) -> Beside:
    """The names and other ids of one kind of things, from all files that have them; remarks say what was joined.

    Args:
        job: The import; files that it has already read are skipped.
        kind: item, entity, relation or user.
        ids: The ids that the dataset uses.
        numbers: The id of each number from 0, for files that use numbers instead of ids.
    """
    found = Beside({}, {})
    known = ids if isinstance(ids, set | dict) else set(ids)
    by_number = {str(number): id_ for number, id_ in enumerate(numbers)}
    # files of names come after files of other ids, which they may use
    for name in sorted(job.files, key=lambda name: (not re.search("map|list", name), name)):
        if known and name not in job.report.files and _is_beside(kind, name):
            _join(
                job,
                name,
                kind,
                [known, by_number, {other: id_ for id_, other in found.others.items()}],
                found,
            )
    return found


def _is_beside(kind: str, name: str) -> bool:
    things = _THINGS[kind]
    named = rf"(.*[._-])?({things}){_BESIDE}{_SUFFIX}|id2({things}){_SUFFIX}|.*\.({things})_names?"
    if kind == "item":
        # a table of the items themselves, or a mapping whose name does not say what it maps
        named += rf"|({things[:-2]})\.(txt|tsv|csv|dat)|(id2)?(names?|titles?){_SUFFIX}|.*\.(names?|titles?)|mappings?{_SUFFIX}"
    elif kind != "user":
        named += rf"|({things[:-2]}){_SUFFIX}"
    return re.fullmatch(named, name, re.IGNORECASE) is not None


def _join(job: Job, name: str, kind: str, known: Sequence[Collection[str]], found: Beside) -> None:
    """Add the names or other ids of one file to `found`."""
    rows = list(_rows(job, name))
    width = min(map(len, rows), default=0)
    if width < 2:
        return
    # the largest share wins; among ties, keys before numbers, and columns from the left
    choices = [(which, column) for which in range(len(known)) for column in range(min(width, 6))]
    shares = [sum(row[column] in known[which] for row in rows) for which, column in choices]
    which, column = choices[shares.index(max(shares))]
    ids = known[which]
    own = [row for row in rows if row[column] in ids]
    if len({row[column] for row in own}) < _LEAST * min(len(rows), len(known[0])):
        job.remarks.append(f"{name}: left out, because few of its ids are ids of the {_PLURAL[kind]}.")
        return
    told, is_name = _telling(own, column, width)
    if told is None:
        return
    id_of = ids if isinstance(ids, Mapping) and which else {}
    values = {id_of.get(row[column], row[column]): row[told] for row in reversed(own) if row[told]}
    (found.names if is_name else found.others).update(
        {key: value for key, value in values.items() if key not in (found.names if is_name else found.others)}
    )
    tally = job.tally(name)
    tally.report.rows, tally.report.used = len(rows), len(own)
    job.leave(tally, f"is about no {kind} in use", len(rows) - len(own), ())
    what = "names" if is_name else "other ids"
    job.remarks.append(f"{name}: the {what} of {len(values):,} of {len(known[0]):,} {_PLURAL[kind]}.")


def _telling(rows: Sequence[Sequence[str]], ids: int, width: int) -> tuple[int | None, bool]:
    """The column beside the ids that has names, or otherwise other ids; and whether it has names."""
    others = [column for column in range(width) if column != ids]
    for column in others:
        values = [row[column] for row in rows if row[column]]
        if values and sum(bool(_NUMBER.fullmatch(v) or _IRI.fullmatch(v)) for v in values) < _LEAST * len(
            values
        ):
            return column, True
    unique = [column for column in others if len({row[column] for row in rows}) == len(rows)]
    return (unique[0], False) if unique else (None, False)


def _rows(job: Job, name: str) -> Iterator[list[str]]:
    """The cells of each line, without a header or a count in the first line."""
    for number, text in job.lines(name):
        cells = _cells(text, is_csv=name.lower().endswith(".csv"))
        is_head = text.strip().isdigit() or (
            len(cells) > 1 and all(_HEAD.fullmatch(cell) for cell in cells[:2])
        )
        if number > 1 or not is_head:
            yield cells


def _cells(text: str, *, is_csv: bool) -> list[str]:
    if is_csv:
        return [cell.strip() for cell in next(csv.reader([text]))]
    delimiter = next((delimiter for delimiter in _DELIMITERS if delimiter in text), None)
    if delimiter is not None:
        return [cell.strip() for cell in text.split(delimiter)]
    match = next((match for pattern in _TWO if (match := re.fullmatch(pattern, text.strip()))), None)
    return [part.strip() for part in match.groups()] if match else [text.strip()]
