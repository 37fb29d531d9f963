"""Statements of the sources, by provisional node numbers.

Enters: columns of keys, IRIs and values from table_statements.py and rdf_statements.py. Leaves: `Statements`, which
assemble.py turns into the tables of the graph. Nodes are interned, with one dict entry per node; everything else is in
columns, without a Python object per row.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa

from kgrec.ingest.mapping.roles import RESOURCE as RESOURCE
from kgrec.ingest.mapping.roles import is_type_name

#: source number for labels that are only the value that a node was made of; any other label has precedence
LAST = 1 << 20


def node_iri(base: str, type_: str, key: str) -> str:
    """The IRI of a node without one in the sources: base + type + "/" + percent-encoded key."""
    return f"{base}{quote(type_, safe='')}/{quoted(key)}"


def quoted(key: str) -> str:
    """`key`, percent-encoded."""
    return key if key.isalnum() and key.isascii() else quote(key, safe="")


def parse_iri(base: str, iri: str) -> tuple[str, str] | None:
    """(type, key) of an IRI below `base`; None for any other."""
    if not iri.startswith(base):
        return None
    type_, _, key = iri[len(base) :].partition("/")
    type_, key = unquote(type_), unquote(key)
    return (type_, key) if key and is_type_name(type_) else None


class Nodes:
    """Interned nodes: (type, key), and IRIs whose type is not known yet (type code -1)."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.types: list[str] = []
        self.keys: list[str] = []
        self.type_codes = array("i")
        #: whether a source has the node, as opposed to only referring to it
        self.exists = bytearray()
        #: hash of its row in a node table, 0 if there is none
        self.row_hashes = array("Q")
        self._by_type: dict[str, tuple[int, dict[str, int]]] = {}
        self._by_iri: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def intern(self, type_: str, keys: Sequence[str]) -> np.ndarray:
        """Numbers of the nodes (type, key), shape (len(keys),), int64; new ones are added."""
        code, known = self._of_type(type_)
        numbers = _looked_up(known, keys)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            keys = [keys[i] for i in new.tolist()] if len(new) < len(keys) else keys
            numbers[new] = self._add(known, code, keys)
        return numbers

    def find(self, type_: str, keys: Sequence[str]) -> np.ndarray:
        """Numbers of the nodes (type, key), -1 where there is none; shape (len(keys),), int64."""
        known = self._by_type[type_][1] if type_ in self._by_type else {}
        if not known:
            return np.full(len(keys), -1, dtype=np.int64)
        return _looked_up(known, keys)

    def iris(self, iris: Sequence[str]) -> np.ndarray:
        """Numbers of the nodes with these IRIs, shape (len(iris),), int64; new ones are added."""
        numbers = _looked_up(self._by_iri, iris)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            unknown = [iris[i] for i in new.tolist()]
            own = {iri for iri in unknown if iri.startswith(self.base) and self._add_own(iri)}
            if own:
                self._add(self._by_iri, -1, [iri for iri in unknown if iri not in own])
                numbers[new] = _looked_up(self._by_iri, unknown)
            else:
                numbers[new] = self._add(self._by_iri, -1, unknown)
        return numbers

    def _add_own(self, iri: str) -> bool:
        """Whether `iri` is below the base, and so consists of type and key; if so the node is added."""
        parsed = parse_iri(self.base, iri)
        if parsed is not None:
            self._by_iri[iri] = int(self.intern(parsed[0], [parsed[1]])[0])
        return parsed is not None

    def mark(self, numbers: np.ndarray) -> None:
        """Mark nodes as existing in a source."""
        np.frombuffer(self.exists, dtype=np.uint8)[numbers] = 1

    def code(self, type_: str) -> int:
        """Code of a type."""
        return self._of_type(type_)[0]

    def _of_type(self, type_: str) -> tuple[int, dict[str, int]]:
        if type_ not in self._by_type:
            self._by_type[type_] = (len(self.types), {})
            self.types.append(type_)
        return self._by_type[type_]

    def _add(self, known: dict[str, int], code: int, keys: Sequence[str]) -> np.ndarray:
        """Add new nodes; returns their numbers."""
        new, first = list(dict.fromkeys(keys)), len(self.keys)
        known.update(zip(new, count(first), strict=False))
        self.keys.extend(new)
        self.type_codes.extend(array("i", [code]) * len(new))
        self.exists.extend(bytes(len(new)))
        self.row_hashes.frombytes(bytes(8 * len(new)))
        return np.arange(first, first + len(new)) if len(new) == len(keys) else _looked_up(known, keys)


def _looked_up(known: dict[str, int], names: Sequence[str]) -> np.ndarray:
    return np.fromiter(map(known.get, names, repeat(-1)), dtype=np.int64, count=len(names))


@dataclass(frozen=True)
class Edges:
    """Edges of one relation from one batch."""

    relation: int
    heads: np.ndarray
    tails: np.ndarray
    weights: np.ndarray | None
    source: str
    #: line of each edge; None if the format has no lines
    lines: np.ndarray | None
    #: whether each edge is a row of its own, which is unused if the edge is left out
    are_rows: bool = False


@dataclass(frozen=True)
class Values:
    """Text, labels, numbers or vectors of one predicate from one batch; `values[i]` belongs to `nodes[i]`."""

    predicate: int
    nodes: np.ndarray
    values: pa.Array
    #: index into `Statements.languages`, for each value or for all
    langs: np.ndarray | int = 0
    #: rank of the language; 0 is most preferred
    ranks: np.ndarray | int = 0
    #: number of the source: languages are ranked per source, and labels of earlier sources win
    source: int = 0


@dataclass
class Statements:
    """All statements of the sources so far."""

    nodes: Nodes
    #: name -> (code, IRI)
    relations: dict[str, tuple[int, str]] = field(default_factory=dict)
    predicates: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=lambda: {"": 0})
    edges: list[Edges] = field(default_factory=list)
    labels: list[Values] = field(default_factory=list)
    texts: list[Values] = field(default_factory=list)
    numbers: list[Values] = field(default_factory=list)
    vectors: list[Values] = field(default_factory=list)
    #: pairs of equal nodes, shape (n, 2)
    same: list[np.ndarray] = field(default_factory=list)
    #: for a node that represents another key, the node that has this key; -1 for other nodes; shape (at most len(nodes),), int64
    key_owner: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    #: type name -> nodes that have it by rdf:type
    typed: dict[str, list[np.ndarray]] = field(default_factory=dict)
    #: (beginning, type name) -> nodes whose IRI has this beginning: they have the type unless rdf:type gives another
    beginning: dict[tuple[str, str], list[np.ndarray]] = field(default_factory=dict)
    sources: int = 0

    def own(self, keys: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Give other keys to nodes; if several nodes have the same key, the first one gets it.

        Args:
            keys: Nodes that represent the keys; shape (n,), int64.
            nodes: The nodes that have them; shape (n,), int64.

        Returns:
            Which keys already belong to another node; shape (n,), bool.
        """
        if len(self.key_owner) < len(self.nodes):
            more = max(len(self.nodes), 2 * len(self.key_owner)) - len(self.key_owner)
            self.key_owner = np.append(self.key_owner, np.full(more, -1, dtype=np.int64))
        distinct, first = np.unique(keys, return_index=True)
        free = self.key_owner[distinct] < 0
        self.key_owner[distinct[free]] = nodes[first[free]]
        return np.asarray(self.key_owner[keys] != nodes)

    def owners(self) -> np.ndarray:
        """The node that each node represents: the owner of the key that it represents, or itself; shape (len(nodes),), int64."""
        owner = np.arange(len(self.nodes), dtype=np.int64)
        known = self.key_owner[: len(owner)]
        keys = np.flatnonzero(known >= 0)
        owner[keys] = known[keys]
        return owner

    def relation(self, name: str, iri: str) -> int:
        """Code of the relation `name`; the smallest of its IRIs is kept."""
        code, known = self.relations.get(name, (len(self.relations), iri))
        self.relations[name] = (code, min(known, iri))
        return code

    def own_relation(self, name: str) -> int:
        """Code of a relation whose IRI is below the base: base + "relation/" + name."""
        return self.relation(name, node_iri(self.nodes.base, "relation", name))

    def predicate(self, name: str) -> int:
        """Code of a predicate of text, numbers or vectors."""
        return self.predicates.setdefault(name, len(self.predicates))

    def language(self, tag: str) -> int:
        """Code of a language."""
        return self.languages.setdefault(tag, len(self.languages))
