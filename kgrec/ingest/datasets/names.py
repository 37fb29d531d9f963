"""Names beside ids: files such as item_map.txt, entity2id.txt or movies.names.

Enters: the files of a dataset, and the ids that it uses. Leaves: id -> name. Which column has the ids is told by the ids, not
by the order of the columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from kgrec.ingest.datasets.job import Job

_BESIDE = r"([_-]?(list|map|names?|titles?|dict|index|ids?|2id|2name|2text|2title|_id2name|id2name|labels?))"
#: kind of thing -> names of files with its names
_FILES = {
    "item": re.compile(
        rf"(?:.*[._-])?(items?|movies?|books?|products?|artists?|i){_BESIDE}(?:\.\w+)?|.*\.(names?|item_names?|titles?)"
        rf"|(id2)(item|name|title)(\.\w+)?",
        re.IGNORECASE,
    ),
    "entity": re.compile(
        rf"(?:.*[._-])?(entity|entities|e){_BESIDE}?(?:\.\w+)?|.*\.entity_names?|id2entity(\.\w+)?",
        re.IGNORECASE,
    ),
    "relation": re.compile(
        rf"(?:.*[._-])?(relations?|r){_BESIDE}?(?:\.\w+)?|.*\.relation_names?|id2relation(\.\w+)?",
        re.IGNORECASE,
    ),
}
_DATA = re.compile(
    r".*\.(npy|inter|item|kg|link|user|nt|ttl|json|yaml|md|py|pkl|zip|gz|parquet)", re.IGNORECASE
)
_PLURAL = {"item": "items", "entity": "entities", "relation": "relations"}
#: share of the ids of a file, or of the dataset, that must be in both
_LEAST = 0.5
_HEADS = re.compile(
    r"(org|remap|entity|item|relation|original|new|old|mapped)?_?(id|name|title|index|label)s?", re.IGNORECASE
)


def names_of(job: Job, kind: str, ids: Collection[str], *, numbers: Sequence[str] = ()) -> dict[str, str]:
    """Id -> name of the items, entities or relations, by all files of names; a remark tells what was joined.

    Args:
        job: The import; files that it has read already are passed over.
        kind: item, entity or relation.
        ids: The ids that the dataset uses.
        numbers: The id with each number from 0, if files may have the numbers in place of the ids.
    """
    found: dict[str, str] = {}
    known = ids if isinstance(ids, set | frozenset | dict) else set(ids)
    for name in sorted(job.files):
        if name in job.report.files or _DATA.fullmatch(name) or not _FILES[kind].fullmatch(name):
            continue
        if not known:
            continue
        by_number = {str(number): id_ for number, id_ in enumerate(numbers)}
        names = _joined(job, name, kind, known, by_number)
        found = {**names, **found}
    return found


def _joined(
    job: Job, name: str, kind: str, ids: Collection[str], numbers: Mapping[str, str]
) -> dict[str, str]:
    pairs = list(_pairs(job, name))
    if not pairs:
        return {}
    # the larger share wins; of equal ones, keys before numbers, and the first column before the second
    known: list[Collection[str]] = [ids, numbers]
    shares = {
        (which, side): sum(pair[side] in known[which] for pair in pairs) / len(pairs)
        for which in (0, 1)
        for side in (0, 1)
    }
    which, side = max(shares, key=lambda choice: shares[choice])
    names = {
        pair[side]: pair[1 - side]
        for pair in reversed(pairs)
        if pair[side] in known[which] and pair[1 - side]
    }
    if len(names) < _LEAST * min(len(pairs), len(ids)):
        job.remarks.append(f"{name}: left out, since few of its ids are those of the {_PLURAL[kind]}.")
        return {}
    if all(re.fullmatch(r"[\d.]+", value) for value in names.values()):
        job.remarks.append(f"{name}: left out, since it has numbers beside the ids, and no names.")
        return {}
    used = sum(pair[side] in names for pair in pairs)
    tally = job.tally(name)
    tally.report.rows, tally.report.used = len(pairs), used
    job.leave(tally, f"is about no {kind} in use", len(pairs) - used, ())
    job.remarks.append(f"{name}: the names of {len(names):,} of {len(ids):,} {_PLURAL[kind]}.")
    return {numbers[key] if which else key: value for key, value in names.items()}


def _pairs(job: Job, name: str) -> Iterator[tuple[str, str]]:
    """The pairs of a file: its first two columns, separated by tabs, or one that stands at either end of the line."""
    for number, text in job.lines(name):
        if number == 1 and (text.strip().isdigit() or _is_header(text)):
            continue
        yield _pair(text)


def _is_header(text: str) -> bool:
    words = re.split(r"[\t, ]+", text.strip())
    return len(words) > 1 and all(_HEADS.fullmatch(word) for word in words[:2])


def _pair(text: str) -> tuple[str, str]:
    for delimiter in ("\t", "::", "|"):
        if delimiter in text:
            first, second = text.split(delimiter)[:2]
            return first.strip(), second.strip()
    for pattern in (
        r"(\d+)\s*[,;]\s*(.*)",
        r"(\d+)\s+(.*)",
        r"(.*\S)\s*[,;]\s*(\d+)",
        r"(.*\S)\s+(\d+)",
        r"(\S+)\s+(.*)",
    ):
        if match := re.fullmatch(pattern, text.strip()):
            return match[1].strip(), match[2].strip().strip('"')
    return text.strip(), ""
