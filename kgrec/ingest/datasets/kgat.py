"""The format of KGAT (Wang et al. 2019), which other datasets use too, such as KGIN's (Wang et al. 2021).

Enters: train.txt, test.txt, optionally valid.txt: one user with items per line; kg_final.txt: triples of numbers; lists of
original ids by number. Leaves: items.csv, interactions.csv, valid.csv, test.csv, knowledge.nt and kgrec.yaml with the
original ids. Entities 0 to n_items - 1 are the items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.ingest.build_report import Tally
from kgrec.ingest.datasets.job import FREEBASE, Job, iri_of, relation_iri
from kgrec.ingest.datasets.log import TRIPLE_FILES, read_knowledge
from kgrec.ingest.datasets.names import Beside, beside
from kgrec.ingest.statements import node_iri

_SPLITS = {
    "train.txt": "interactions.csv",
    "valid.txt": "valid.csv",
    "val.txt": "valid.csv",
    "test.txt": "test.csv",
}
_FLUSH = 1_000_000
NO_ITEM = "has a user without items"
UNLISTED_ITEM = "names an item that is not in item_list.txt"

ItemNames = dict[int, str]


def read_kgat(job: Job) -> None:
    """Read one dataset.

    Raises:
        SourceError: A file is absent, or has an id that is not a number.
    """
    job.need("train.txt")
    users, items = _names(job, "user_list.txt"), _names(job, "item_list.txt")
    pairs = {name: _pairs(job, name, items) for name in _SPLITS if name in job.files}
    count = max([-1, *items, *(int(found[:, 1].max()) for found in pairs.values() if len(found))]) + 1
    keys = [items.get(number, str(number)) for number in range(count)]
    labels = beside(job, "item", dict.fromkeys(keys), numbers=keys)
    if not items and labels.others:
        keys = [labels.others.get(key, key) for key in keys]
        labels = Beside({labels.others.get(key, key): name for key, name in labels.names.items()}, {})
    if not users:
        met = sorted({int(number) for pairs_ in pairs.values() for number in np.unique(pairs_[:, 0])})
        others = beside(job, "user", [str(number) for number in met]).others
        users = {int(number): other for number, other in others.items()}
    for name, found in pairs.items():
        _write_log(job, _SPLITS[name], found, users, keys)
    _leaks(job, pairs)
    _write_items(job, keys, items, labels.names)
    job.mapping["interactions"] = {"file": "interactions.csv", "user": "user_id", "item": "item_id"}
    triples = next((name for name in TRIPLE_FILES if name in job.files), None)
    if triples is not None:
        _knowledge(job, triples, keys)
    else:
        job.remarks.append("There is no kg_final.txt: the import has interactions and ids only.")


# lists of ids


def _names(job: Job, name: str) -> ItemNames:
    """Number -> original id; empty if there is no such list.

    Raises:
        SourceError: A line has the wrong number of columns, a number is invalid, or an id or a number is duplicated.
    """
    if name not in job.files:
        return {}
    lines = job.lines(name)
    header = next(lines, (0, ""))[1].split()
    if header[:2] != ["org_id", "remap_id"]:
        raise SourceError(
            f"{name}:1: the header is not 'org_id remap_id'.",
            "Download the file again, or correct its first line.",
        )
    found: ItemNames = {}
    for line, text in lines:
        # ids may contain spaces if the number is the last column
        parts = text.rsplit(None, 1) if len(header) == 2 else text.split()
        if len(parts) < 2 or len(parts) > len(header):
            raise SourceError(
                f"{name}:{line}: {len(parts)} columns where the header has {len(header)}.",
                f"Correct the line, or remove {name} from the source; the numbers are then used as ids.",
            )
        found[_fresh(name, line, found, parts[1])] = parts[0]
    if len(set(found.values())) < len(found):
        raise SourceError(
            f"{name} has a duplicated original id.", f"Correct it, or remove {name} from the source."
        )
    part = job.report.file(name)
    part.rows = part.used = len(found)
    return found


def _fresh(name: str, line: int, found: ItemNames, text: str) -> int:
    number = int(_numbers(name, line, [text])[0])
    if number in found:
        raise SourceError(
            f"{name}:{line}: the number {number} is duplicated.",
            f"Correct it, or remove {name} from the source.",
        )
    return number


def _numbers(name: str, line: int, parts: list[str]) -> np.ndarray:
    try:
        numbers = np.array(parts, dtype=np.int64)
    except (ValueError, OverflowError):
        numbers = np.full(1, -1)
    if (numbers < 0).any():
        odd = next(part for part in parts if not (part.isascii() and part.isdecimal() and len(part) < 19))
        raise SourceError(
            f"{name}:{line}: '{odd}' is not a number.",
            "KGAT's ids are numbers from 0: correct the line, or give another --format.",
        )
    return numbers


# pairs


def _pairs(job: Job, name: str, items: ItemNames) -> np.ndarray:
    """Numbers of users and items, shape (pairs, 2), int64; items that are not in the list are counted and left out."""
    tally = job.tally(name)
    parts = [np.empty((0, 2), dtype=np.int64), *_lines(job, name, items, tally)]
    tally.report.used = sum(map(len, parts))
    if not tally.report.used:
        raise SourceError(f"{name} has no user with an item.", "Download the file again.")
    return np.concatenate(parts)


def _lines(job: Job, name: str, items: ItemNames, tally: Tally) -> Iterator[np.ndarray]:
    known = np.array(sorted(items), dtype=np.int64)
    for line, text in job.lines(name):
        numbers = _numbers(name, line, text.split())
        taken = numbers[1:]
        tally.report.rows += len(taken)
        if not len(taken):
            tally.report.rows += 1
            job.leave(tally, NO_ITEM, 1, (f"{name}:{line}",))
        if items and not (inside := np.isin(taken, known)).all():
            tally.drop(
                UNLISTED_ITEM, int((~inside).sum()), (f"{name}:{line}: {n}" for n in taken[~inside].tolist())
            )
            taken = taken[inside]
        yield np.stack([np.full(len(taken), numbers[0]), taken], axis=1)


def _write_log(job: Job, target: str, pairs: np.ndarray, users: ItemNames, keys: list[str]) -> None:
    codes, numbers = np.unique(pairs[:, 0], return_inverse=True)
    user_ids = pa.array([users.get(code, str(code)) for code in codes.tolist()], pa.string())
    item_ids = pa.array(keys, pa.string())
    for start in range(0, len(pairs), _FLUSH):
        rows = slice(start, start + _FLUSH)
        columns = {
            "user_id": user_ids.take(pa.array(numbers[rows])),
            "item_id": item_ids.take(pa.array(pairs[rows, 1])),
        }
        job.append(target, pa.table(columns))
    lost = sum(code not in users for code in codes.tolist()) if users else 0
    if lost:
        job.remarks.append(
            f"{target}: users that are not in user_list.txt: {lost:,}; they keep their numbers."
        )


def _leaks(job: Job, pairs: dict[str, np.ndarray]) -> None:
    """Warn about held-out pairs that are also in train.txt."""
    train = _codes(pairs["train.txt"])
    for name in ("valid.txt", "val.txt", "test.txt"):
        if name in pairs and (count := int(np.isin(_codes(pairs[name]), train).sum())):
            share = count / len(pairs[name])
            job.remarks.append(
                f"WARNING: {count:,} of {len(pairs[name]):,} pairs of {name} ({share:.1%}) are also in train.txt; "
                f"{_SPLITS[name]} keeps them, although they are not a fair test."
            )


def _codes(pairs: np.ndarray) -> np.ndarray:
    return np.asarray((pairs[:, 0] << np.int64(32)) | pairs[:, 1])


# items and knowledge


def _write_items(job: Job, keys: list[str], items: ItemNames, names: dict[str, str]) -> None:
    """Write items.csv: ids, numbers, and IRIs of Freebase if the list has them."""
    freebase = _freebase(job) if items else {}
    header = ["item_id", "number", "freebase", *(["name"] if names else [])]
    rows = [
        [key, str(number), freebase.get(number, ""), *([names.get(key, "")] if names else [])]
        for number, key in enumerate(keys)
    ]
    job.write("items.csv", header, rows)
    columns = {"number": "ignore", "freebase": "same_as" if freebase else "ignore"}
    columns |= {"name": "label"} if names else {}
    job.mapping["nodes"]["item"] = {"item": True, "file": "items.csv", "key": "item_id", "columns": columns}


def _freebase(job: Job) -> ItemNames:
    """Number -> IRI in Freebase, if the list has them."""
    lines = job.lines("item_list.txt")
    if next(lines)[1].split()[2:3] != ["freebase_id"]:
        return {}
    return {int(parts[1]): FREEBASE + parts[2] for _, text in lines if len(parts := text.split()) == 3}


def _knowledge(job: Job, name: str, keys: list[str]) -> None:
    entities, relations = _names(job, "entity_list.txt"), _names(job, "relation_list.txt")
    base = job.mapping["base"]

    def entity(text: str) -> list[str]:
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if 0 <= number < len(keys):
            return [node_iri(base, "item", keys[number])]
        if number < 0 or (entities and number not in entities):
            return []
        return [iri_of("entity", entities.get(number, text))]

    def relation(text: str) -> str | None:
        if not (text.isascii() and text.isdecimal()):
            # a name beside the number
            return None if relations or not text.strip() else relation_iri(text)
        if relations and int(text) not in relations:
            return None
        return relation_iri(relations.get(int(text), text))

    read_knowledge(job, [name], entity, relation)
    if any(name.startswith(FREEBASE) for name in relations.values()):
        job.mapping["prefixes"] = {"fb": FREEBASE}
