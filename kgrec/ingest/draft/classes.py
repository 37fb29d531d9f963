"""The types of nodes that RDF brings.

Enters: samples of RDF. Leaves: `NodeType`s: names, the classes that make them, and their nodes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.iris import is_writable, local_name, namespace_and_name
from kgrec.ingest.draft.names import unique
from kgrec.ingest.draft.rdf import RdfSample
from kgrec.ingest.draft.values import overlap
from kgrec.ingest.statements import RESOURCE
from kgrec.prefixes import PREFIXES
from kgrec.roles import is_type_name

#: vocabularies whose classes say how a schema is made, not what a node is
_SCHEMAS = {PREFIXES[name] for name in ("owl", "rdf", "rdfs")}
_MOST = 20


@dataclass
class NodeType:
    """Nodes of one type."""

    name: str
    #: IRIs of classes that have the same nodes
    classes: list[str]
    #: IRIs, each once
    nodes: pa.Array
    #: triples about them
    said: int


def node_types(samples: Sequence[RdfSample]) -> list[NodeType]:
    """The twenty types with the most nodes; those about which the most is said first."""
    if not samples:
        return []
    subjects = pa.concat_arrays([sample.triples.subjects for sample in samples])
    codes, names = cells.encode(subjects)
    said = np.bincount(codes, minlength=len(names))
    place = {name: code for code, name in enumerate(names)}
    nodes_of: dict[str, set[int]] = {}
    for sample in samples:
        for iri, nodes in sample.classes():
            if namespace_and_name(iri)[0] not in _SCHEMAS and is_writable(iri):
                nodes_of.setdefault(iri, set()).update(place[node] for node in nodes.to_pylist())
    alike: dict[frozenset[int], list[str]] = {}
    for iri in sorted(nodes_of):
        alike.setdefault(frozenset(nodes_of[iri]), []).append(iri)
    largest = sorted(alike.items(), key=lambda item: (-len(item[0]), item[1]))[:_MOST]
    types: list[NodeType] = []
    for members, classes in largest:
        at = np.fromiter(sorted(members), dtype=np.int64, count=len(members))
        # nodes of no type are resources, and would be items if these were
        name = unique(_type_name(classes), [RESOURCE, *(type_.name for type_ in types)])
        nodes = pa.array(names, pa.large_string()).take(pa.array(at))
        types.append(NodeType(name, classes, nodes, int(said[at].sum())))
    return sorted(types, key=lambda type_: -type_.said)


def type_of_iris(iris: pa.Array, types: Sequence[NodeType]) -> str:
    """The type that the most of some IRIs have; `resource` where they have none."""
    shares = {type_.name: overlap(iris, type_.nodes) for type_ in types}
    best = max(shares, key=lambda name: shares[name], default=RESOURCE)
    return best if shares.get(best) else RESOURCE


def _type_name(classes: Sequence[str]) -> str:
    """A name from a well-known class, or else one whose own is made of letters, as Film is and Q11424 is not."""
    vocabularies = (*PREFIXES.values(), "https://schema.org/")
    known_first = sorted(classes, key=lambda iri: namespace_and_name(iri)[0] not in vocabularies)
    names = [local_name(iri) for iri in known_first]
    chosen = next((name for name in names if re.fullmatch(r"[A-Za-z_]+", name)), names[0])
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", chosen)
    made = re.sub(r"\W+", "_", spaced).strip("_").lower()
    return made if is_type_name(made) else "node"
