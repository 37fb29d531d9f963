"""Names for blank nodes that depend on their triples, not on the order of the triples.

Enters: triples with blank nodes, as columns. Leaves: a number for each blank node. The method is colour refinement with
individualisation (McKay and Piperno 2014). Nodes with differently coloured neighbours get different colours, until nothing
changes. Then one of several nodes with the same colour gets a new colour, and refinement starts again. The work is bounded:
in a graph built to make all nodes look alike, numbers may depend on the order of lines.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.rdf_terms import BLANK, Triples

#: largest number of colours computed; this takes a few seconds
_WORK = 10_000_000
_ODD = np.uint64(0x9E3779B97F4A7C15)


def blank_numbers(triples: Triples) -> dict[str, int]:
    """Label of each blank node -> its number: 0, 1, ... in the order of the final colours."""
    subject, object_ = triples.subject_kinds == BLANK, triples.object_kinds == BLANK
    labels = pa.concat_arrays(
        [triples.subjects.filter(pa.array(subject)), triples.objects.filter(pa.array(object_))]
    )
    codes, names = cells.encode(labels)
    graph = _Graph(triples, subject, object_, codes, len(names))
    return dict(zip(names, graph.ranks().tolist(), strict=True))


def digests(triples: Triples) -> dict[str, str]:
    """Label of each blank node that can be compared -> a digest of its statements, the same for equal nodes.

    Blank nodes are equal if they are subjects of the same statements, where objects that are blank nodes must be equal in
    turn. Nodes without statements, nodes in cycles, and nodes that lead to such nodes are equal to no other node.
    """
    own: dict[str, set[tuple[str, ...]]] = {}
    leads_to: dict[str, set[str]] = {}
    at = pa.array(triples.subject_kinds == BLANK)
    columns = (triples.subjects, triples.predicates, triples.objects)
    subjects, predicates, objects = (column.filter(at).to_pylist() for column in columns)
    kinds, langs = (
        part[triples.subject_kinds == BLANK].tolist() for part in (triples.object_kinds, triples.langs)
    )
    for subject, predicate, object_, kind, lang in zip(
        subjects, predicates, objects, kinds, langs, strict=True
    ):
        if kind == BLANK:
            leads_to.setdefault(subject, set()).add(object_)
        own.setdefault(subject, set()).add((predicate, str(kind), object_, triples.languages[lang]))
    comes_from: dict[str, list[str]] = {}
    for subject, others in leads_to.items():
        for other in others:
            comes_from.setdefault(other, []).append(subject)
    found: dict[str, str] = {}
    open_ = {subject: len(others) for subject, others in leads_to.items()}
    ready = [subject for subject in own if subject not in leads_to]
    while ready:
        subject = ready.pop()
        found[subject] = _digest(own[subject], found)
        for other in comes_from.get(subject, ()):
            open_[other] -= 1
            if not open_[other]:
                ready.append(other)
    return found


def _digest(statements: set[tuple[str, ...]], found: dict[str, str]) -> str:
    """A digest of the statements of a node; `found` has those of the blank nodes among its objects."""
    known = [
        (predicate, kind, found[object_] if kind == str(BLANK) else object_, lang)
        for predicate, kind, object_, lang in statements
    ]
    return blake2b(repr(sorted(known)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class _Graph:
    """Ends of triples at blank nodes: the node, a hash of predicate and direction, and the other end."""

    def __init__(
        self, triples: Triples, subject: np.ndarray, object_: np.ndarray, codes: np.ndarray, size: int
    ) -> None:
        node = {"s": np.full(len(triples), -1), "o": np.full(len(triples), -1)}
        node["s"][subject], node["o"][object_] = codes[: subject.sum()], codes[subject.sum() :]
        tags = np.array(triples.languages, dtype=object)[triples.langs]
        hashes = _mixed(_hashed(triples.objects), _hash_array(tags), triples.object_kinds.astype(np.uint64))
        predicate = _hashed(triples.predicates)
        out, into = np.flatnonzero(subject), np.flatnonzero(object_)
        self.at = np.concatenate([node["s"][out], node["o"][into]])
        self.other = np.concatenate([node["o"][out], node["s"][into]])
        ground = np.concatenate([hashes[out], _hashed(triples.subjects)[into]])
        marks = np.concatenate([predicate[out] * np.uint64(3), predicate[into] * np.uint64(5)])
        self.marks, self.ground = marks, np.where(self.other >= 0, np.uint64(0), ground)
        self.size, self.work = size, 0

    def ranks(self) -> np.ndarray:
        """Rank of each node by its colour, shape (size,), int64."""
        colours = self.refined(np.zeros(self.size, dtype=np.uint64))
        while self.work < _WORK:
            entangled = self._entangled(colours)
            if not len(entangled):
                break
            one = entangled[np.argmin(colours[entangled])]
            colours[one] = _mixed(colours[[one]], np.ones(1, dtype=np.uint64))[0]
            colours = self.refined(colours)
        return np.asarray(np.argsort(np.argsort(colours, kind="stable"), kind="stable"))

    def _entangled(self, colours: np.ndarray) -> np.ndarray:
        """Nodes with a shared colour that have a neighbour with a shared colour; the order of other ties has no effect."""
        _, inverse, counts = np.unique(colours, return_inverse=True, return_counts=True)
        tied = counts[inverse] > 1
        return cells.distinct(self.at[tied[self.at] & (self.other >= 0) & tied[self.other]])

    def refined(self, colours: np.ndarray) -> np.ndarray:
        """Colours refined until nodes with different neighbours have different colours."""
        classes = len(cells.distinct(colours))
        while self.work < _WORK:
            self.work += len(self.at) + self.size + 1000
            theirs = np.where(self.other >= 0, colours[self.other], self.ground)
            total = np.zeros(self.size, dtype=np.uint64)
            np.add.at(total, self.at, _mixed(self.marks, theirs))
            colours = _mixed(colours, total)
            found = len(cells.distinct(colours))
            if found in (classes, self.size):
                break
            classes = found
        return colours


def _mixed(*parts: np.ndarray) -> np.ndarray:
    """A hash of rows of numbers, uint64 (the finisher of splitmix64)."""
    total = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        total = (total + part.astype(np.uint64) + np.uint64(1)) * _ODD
        total ^= total >> np.uint64(29)
        total *= np.uint64(0xBF58476D1CE4E5B9)
        total ^= total >> np.uint64(32)
    return np.asarray(total)


def _hashed(values: pa.Array) -> np.ndarray:
    codes, distinct = cells.encode(values)
    return np.asarray(_hash_array(np.array(distinct, dtype=object))[codes])


def _hash_array(values: np.ndarray) -> np.ndarray:
    return np.asarray(pd.util.hash_array(values, categorize=False), dtype=np.uint64)
