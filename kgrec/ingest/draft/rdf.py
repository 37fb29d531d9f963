"""The first triples of an RDF file, the types of its nodes, and the parts of their IRIs.

Enters: a file. Leaves: an `RdfSample` with triples by predicate; `NodeType`s with their classes and nodes; IRIs as base,
type and key, to be joined with keys of a table or of the log.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import SourceError
from kgrec.ingest import cells
from kgrec.ingest.blank_nodes import digests
from kgrec.ingest.build_report import FileReport, Tally
from kgrec.ingest.draft.lines import is_writable, local_name, namespace_and_name
from kgrec.ingest.draft.looks import numbers_of, overlap
from kgrec.ingest.draft.names import singular, unique
from kgrec.ingest.mapping.prefixes import PREFIXES
from kgrec.ingest.mapping.roles import is_type_name
from kgrec.ingest.mapping.schema import ErrorPolicy, RdfSource
from kgrec.ingest.rdf_parser import concatenated, rdf_by_suffix, read_triples
from kgrec.ingest.rdf_sniff import NAMES, NO_RDF, is_another, rdf_by_content
from kgrec.ingest.rdf_terms import IRI, LITERAL, Triples
from kgrec.ingest.sources import Source
from kgrec.ingest.statements import RESOURCE
from kgrec.ingest.table_files import format_by_suffix

TYPE, SAME_AS = PREFIXES["rdf"] + "type", PREFIXES["owl"] + "sameAs"
_MAX_TRIPLES = 200_000
#: predicates that name the class of a node, as Wikidata's do
_CLASS_PREDICATES = (PREFIXES["wdt"] + "P31", "http://www.wikidata.org/prop/direct-normalized/P31")
_CLASS_NAME = re.compile(
    r"(is_?)?instance_?of|is_?an?|((rdf|node|entity|has|item)_?)?(type|class|kind)", re.IGNORECASE
)
#: smallest share of the objects that are nodes, and largest share of distinct classes among them
_NODES, _CLASSES = 0.9, 0.2
_CLASS_LABELS = (PREFIXES["rdfs"] + "label", PREFIXES["skos"] + "prefLabel", PREFIXES["schema"] + "name")
_DECLARED = re.compile(r"""(?:@prefix|PREFIX|xmlns:)\s*([A-Za-z][\w-]*)(?::\s*<([^>]+)>|="([^"]+)")""")
#: vocabularies whose classes describe schemas, not nodes
_SCHEMAS = {PREFIXES[name] for name in ("owl", "rdf", "rdfs")}
_MOST = 20
#: type (with its base) and key of an IRI
_BELOW = r"^(?P<type>https?://[^#?]*/[^/#?]+)/(?P<key>[^/#?]+)$"
#: smallest share of the keys that IRIs must end in, if the type has the table's name, and otherwise
_SHARE, _OTHERWISE = 0.02, 0.5


@dataclass
class RdfSample:
    """The first triples of one file."""

    source: Source
    triples: Triples
    #: whether the file has no more triples
    is_whole: bool
    #: `format:` if the suffix does not give it
    format: str = ""
    #: prefix -> namespace, as declared in the file
    declared: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    #: predicates besides rdf:type that name the class of a node
    class_predicates: tuple[str, ...] = ()

    def why(self, what: str, role: object, reason: str) -> None:
        """Record a decision and its reason."""
        self.reasons.append(f"{self.source.name}: {what}: {role}, since {reason}")

    @cached_property
    def parts(self) -> dict[str, Triples]:
        """The triples of each predicate, those with the most first."""
        codes, predicates = cells.encode(self.triples.predicates)
        ends = np.cumsum(np.bincount(codes, minlength=len(predicates)))
        rows = np.split(np.argsort(codes, kind="stable"), ends[:-1])
        parts = {name: self.triples.take(some) for name, some in zip(predicates, rows, strict=True)}
        return dict(sorted(parts.items(), key=lambda item: (-len(item[1]), item[0])))

    @cached_property
    def subjects(self) -> pa.Array:
        """The distinct IRIs of subjects."""
        return pc.unique(self.triples.subjects.filter(pa.array(self.triples.subject_kinds == IRI)))

    @cached_property
    def iris(self) -> pa.Array:
        """The distinct IRIs of all nodes except classes."""
        of_classes = pa.array([TYPE, *self.class_predicates], pa.large_string())
        linked = (self.triples.object_kinds == IRI) & ~cells.mask(
            pc.is_in(self.triples.predicates, value_set=of_classes)
        )
        return pc.unique(pa.concat_arrays([self.subjects, self.triples.objects.filter(pa.array(linked))]))

    @cached_property
    def repeated(self) -> pa.Array:
        """The distinct nodes that occur at least twice, counting a subject once."""
        triples = self.triples
        linked = triples.objects.filter(pa.array(triples.object_kinds != LITERAL))
        counts = pc.value_counts(pa.concat_arrays([pc.unique(triples.subjects), linked]))
        return counts.field("values").filter(pc.greater(counts.field("counts"), 1))

    @cached_property
    def equal_blanks(self) -> int:
        """Number of blank nodes with the same statements as another blank node."""
        counts = Counter(digests(self.triples).values())
        return sum(count for count in counts.values() if count > 1)

    def classes(self) -> Iterator[tuple[str, pa.Array]]:
        """Each class with its nodes."""
        parts = [self.parts[name] for name in (TYPE, *self.class_predicates) if name in self.parts]
        part = concatenated(parts) if parts else self.triples.take(np.arange(0))
        codes, names = cells.encode(part.objects)
        for code, name in enumerate(names):
            yield name, part.subjects.filter(pa.array((codes == code) & ~are_literals(part)))


@dataclass
class NodeType:
    """Nodes of one type."""

    name: str
    #: IRIs of classes that have the same nodes
    classes: list[str]
    #: distinct IRIs
    nodes: pa.Array
    #: number of triples with these subjects
    triples: int


@dataclass(frozen=True)
class TypedIris:
    """IRIs of one type: base + type + "/" + key."""

    base: str
    type: str
    #: distinct, percent-decoded
    keys: pa.Array


def are_literals(part: Triples) -> np.ndarray:
    """Whether each object is a literal; shape (len(part),), bool."""
    return np.asarray(part.object_kinds == LITERAL)


def literals_of(part: Triples, tags: Sequence[str] = ()) -> pa.Array:
    """The values of literals in some languages and their variants, or in all languages if none is given."""
    in_language = [
        not tags or any(own == tag or (tag and own.startswith(f"{tag}-")) for tag in tags)
        for own in part.languages
    ]
    chosen = are_literals(part) & np.array(in_language, dtype=bool)[part.langs]
    return pc.cast(part.objects.filter(pa.array(chosen)), pa.string())


def rdf_format(source: Source, head: bytes) -> str | None:
    """The RDF format of a file by its suffix or its first bytes; None if it is not RDF."""
    by_suffix, found = rdf_by_suffix(source), rdf_by_content(head)
    is_known = found in NAMES and found not in NO_RDF
    if by_suffix is not None:
        return found if is_known and is_another(found, by_suffix) else by_suffix
    is_table = format_by_suffix(source) is not None
    return found if is_known and (not is_table or (found == "jsonld" and source.suffix == ".json")) else None


def read_rdf_sample(source: Source, head: bytes, base: str) -> RdfSample:
    """Read the first triples of a file; relative IRIs are below `base`.

    Raises:
        SourceError: The file cannot be read, or has no triples.
    """
    kind = rdf_format(source, head) or ""
    kind = "" if kind == rdf_by_suffix(source) else kind
    mapped = RdfSource.model_validate({"file": source.name, **({"format": kind} if kind else {})})
    tally = Tally(source.name, FileReport(), ErrorPolicy())
    parts, rows, is_whole = [], 0, True
    for triples in read_triples(source, mapped, base, tally):
        parts.append(triples.take(np.arange(min(len(triples), _MAX_TRIPLES - rows))))
        is_whole = len(parts[-1]) == len(triples)
        rows += len(parts[-1])
        if not is_whole:
            break
    if not rows:
        raise SourceError(
            f"{source.name} has no triples.", "Leave it out, or name the file that has the data."
        )
    found = _DECLARED.finditer(head[:100_000].decode("utf-8", "replace"))
    declared = {match[1]: match[2] or match[3] for match in found}
    sample = RdfSample(source, concatenated(parts), is_whole, kind, declared)
    if kind:
        suffix = "shows another" if rdf_by_suffix(source) else "does not show it"
        sample.why("format", kind, f"the suffix {suffix}, but the first lines do")
    return sample


def node_types(samples: Sequence[RdfSample]) -> list[NodeType]:
    """The twenty types with the most nodes, sorted by number of triples, descending."""
    if not samples:
        return []
    if not any(_has_classes(sample) for sample in samples):
        _find_class_predicates(samples)
    subjects = pa.concat_arrays([sample.triples.subjects for sample in samples])
    codes, names = cells.encode(subjects)
    triples = np.bincount(codes, minlength=len(names))
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
    labels = _class_labels(samples, {iri for _, classes in largest for iri in classes})
    for members, classes in largest:
        at = np.fromiter(sorted(members), dtype=np.int64, count=len(members))
        # RDF nodes without a type are resources: no other type may have this name
        name = unique(_type_name(classes, labels), [RESOURCE, *(type_.name for type_ in types)])
        nodes = pa.array(names, pa.large_string()).take(pa.array(at))
        types.append(NodeType(name, classes, nodes, int(triples[at].sum())))
    return sorted(types, key=lambda type_: -type_.triples)


def type_of_iris(iris: pa.Array, types: Sequence[NodeType]) -> str:
    """The most frequent type of some IRIs; `resource` if they have none."""
    shares = {type_.name: overlap(iris, type_.nodes) for type_ in types}
    best = max(shares, key=lambda name: shares[name], default=RESOURCE)
    return best if shares.get(best) else RESOURCE


def _has_classes(sample: RdfSample) -> bool:
    return any(namespace_and_name(iri)[0] not in _SCHEMAS and is_writable(iri) for iri, _ in sample.classes())


def _find_class_predicates(samples: Sequence[RdfSample]) -> None:
    """Record the predicate that names the class of most nodes, if there is no rdf:type."""
    for sample in samples:
        found = [name for name, part in sample.parts.items() if _names_classes(name, part)]
        # Wikidata's own predicate before others that only have such a name
        found.sort(key=lambda name: name not in _CLASS_PREDICATES)
        for name in found[:1]:
            sample.class_predicates = (name,)
            known = (
                "is the one of Wikidata"
                if name in _CLASS_PREDICATES
                else "has the name of one, and few distinct objects"
            )
            sample.why(name, "type_predicates", f"rdf:type is absent, and this predicate {known}")


def _names_classes(predicate: str, part: Triples) -> bool:
    if (part.object_kinds == IRI).mean() < _NODES or not is_writable(predicate):
        return False
    few = len(pc.unique(part.objects)) <= max(1, _CLASSES * len(part))
    return predicate in _CLASS_PREDICATES or (few and bool(_CLASS_NAME.fullmatch(local_name(predicate))))


def _class_labels(samples: Sequence[RdfSample], classes: set[str]) -> dict[str, str]:
    """Class -> its label, in English if there is one."""
    found: dict[str, str] = {}
    for sample in samples:
        for part in (sample.parts[name] for name in _CLASS_LABELS if name in sample.parts):
            rows = np.flatnonzero(
                cells.mask(pc.is_in(part.subjects, value_set=pa.array(sorted(classes), pa.large_string())))
            )
            tags = [part.languages[code] for code in part.langs[rows].tolist()]
            pairs = sorted(
                zip(tags, rows.tolist(), strict=True), key=lambda pair: not pair[0].startswith("en")
            )
            for _, row in pairs:
                found.setdefault(part.subjects[row].as_py(), part.objects[row].as_py())
    return found


def _type_name(classes: Sequence[str], labels: Mapping[str, str]) -> str:
    """A name made of a class of a well-known vocabulary, or otherwise of a class named by letters: Film rather than Q11424.

    A class whose IRI has no such name is named by its label.
    """
    vocabularies = (*PREFIXES.values(), "https://schema.org/")
    known_first = sorted(classes, key=lambda iri: namespace_and_name(iri)[0] not in vocabularies)
    names = [local_name(iri) for iri in known_first]
    named = [labels[iri] for iri in classes if iri in labels]
    chosen = next((name for name in names if re.fullmatch(r"[A-Za-z_]+", name)), (named or names)[0])
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", chosen)
    made = re.sub(r"\W+", "_", spaced).strip("_").lower()
    return made if is_type_name(made) else "node"


def typed_iris(iris: pa.Array) -> list[TypedIris]:
    """The IRIs that consist of base, type and key, by base and type."""
    parts = pc.extract_regex(iris, _BELOW)
    parts = parts.filter(parts.is_valid())
    codes, names = cells.encode(parts.field("type"))
    found = []
    for code, name in enumerate(names):
        base, _, type_ = name.rpartition("/")
        keys = parts.field("key").filter(pa.array(np.asarray(codes == code))).to_pylist()
        if is_type_name(type_):
            found.append(TypedIris(f"{base}/", type_, pa.array(sorted(set(map(unquote, keys))), pa.string())))
    return found


def joining(keys: pa.Array, type_: str, below: Sequence[TypedIris]) -> TypedIris | None:
    """The IRIs whose ends include the largest share of the keys, if it is large enough; `type_` is the type of the keys.

    Different types may use the same numbers: if the keys are numbers, the IRIs must have that type, or be the only ones.
    """
    shares = [(overlap(keys, one.keys), one) for one in below]
    named = [(share, one) for share, one in shares if share >= _SHARE and singular(one.type) == type_]
    others = [(share, one) for share, one in shares if share >= _OTHERWISE]
    if not named and len(others) > 1 and numbers_of(keys) is not None:
        return None
    return max(named or others, key=lambda fit: fit[0], default=(0.0, None))[1]
