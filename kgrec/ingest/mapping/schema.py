"""kgrec.yaml, validated: it defines what columns and predicates become in the graph.

Enters: kgrec.yaml as text, or as plain values. Leaves: a `Mapping`, with short forms and prefixed names expanded. Data
files are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from kgrec.arguments import options
from kgrec.errors import MappingError, did_you_mean
from kgrec.ingest.mapping.explained import explained, file_path
from kgrec.ingest.mapping.interaction_table import InteractionTable
from kgrec.ingest.mapping.located_yaml import Document, YamlPath, read_yaml
from kgrec.ingest.mapping.prefixes import IRI_PATTERN, PREFIXES, expanded, place_of
from kgrec.ingest.mapping.references import References, Target
from kgrec.ingest.mapping.roles import (
    RESOURCE,
    AnyRole,
    Category,
    Classes,
    ColumnNames,
    Date,
    Ignore,
    MappingPart,
    NodeValue,
    Number,
    Ref,
    Reference,
    Role,
    TypeName,
    Vector,
)
from kgrec.ingest.mapping.sayings import Sayings
from kgrec.ingest.mapping.table_format import TableFormat

__all__ = [
    "EdgeTable",
    "ErrorPolicy",
    "InteractionTable",
    "Mapping",
    "NodeTable",
    "RdfSource",
    "Sayings",
    "TableFormat",
    "load_mapping",
]


class NodeTable(TableFormat):
    """Files with one node per row."""

    item: bool = False
    """Whether these nodes are recommended."""
    key: str
    """Column of the identifier, unique within the type."""
    keys: ColumnNames = Field(default=(), min_length=1)
    """The key and other keys, each unique within the type; empty: the key alone."""
    columns: dict[str, Role] = Field(default_factory=dict)
    """Role of each column; `"*": ignore` for the other columns."""

    @property
    def other_keys(self) -> tuple[str, ...]:
        """The keys besides the first."""
        return self.keys[1:]

    @model_validator(mode="before")
    @classmethod
    def _first_key(cls, values: object) -> object:
        """Let `keys: [a, b]` imply `key: a`."""
        if not isinstance(values, dict) or "key" in values:
            return values
        keys = values.get("keys")
        if not keys or not isinstance(keys, str | list | tuple):
            return values
        return {**values, "key": keys if isinstance(keys, str) else keys[0]}

    @model_validator(mode="after")
    def _keys_fit(self) -> NodeTable:
        if self.keys and self.keys[0] != self.key:
            rest = [name for name in self.keys if name != self.key]
            raise ValueError(
                f"`key:` and `keys:` differ; write `keys: [{', '.join([self.key, *rest])}]` alone"
            )
        for name in self.keys:
            if self.keys.count(name) > 1:
                raise ValueError(f"`keys:` names the column '{name}' twice")
        return self

    @model_validator(mode="after")
    def _columns_fit(self) -> NodeTable:
        for name, column in self.columns.items():
            if isinstance(column, Ref) and column.to is None:
                raise ValueError(f"column '{name}' is a ref and needs `to:`, the type that it refers to")
            if name == "*" and not isinstance(column, Ignore):
                raise ValueError('only `"*": ignore` can apply to all other columns')
        return self


class EdgeTable(TableFormat):
    """Files with one edge per row."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    head: dict[Reference, str] = Field(alias="from", min_length=1, max_length=1)
    """`type: column` of the node that the edge leaves; `type.key: column` for another key of the type."""
    tail: dict[Reference, str] = Field(alias="to", min_length=1, max_length=1)
    """The same for the node that the edge enters."""
    weight: str | None = None
    """Column of the edge's weight; None: 1."""

    @property
    def ends(self) -> tuple[str, str]:
        """The references of `from` and `to`."""
        return next(iter(self.head)), next(iter(self.tail))

    @property
    def columns_read(self) -> list[str]:
        """The columns that the mapping names."""
        return [*self.head.values(), *self.tail.values(), *([self.weight] if self.weight else [])]


class RdfSource(MappingPart):
    """RDF files that share the same roles."""

    file: ColumnNames = Field(min_length=1)
    """Files or globs, also .gz, relative to the mapping's folder."""
    format: Literal["turtle", "ntriples", "nquads", "trig", "rdfxml", "jsonld"] | None = None
    """Format; None: by suffix."""
    types: dict[TypeName, Classes] = Field(default_factory=dict)
    """Node type -> its classes (rdf:type), and beginnings of its nodes' IRIs, each with a final "*"."""
    type_predicates: tuple[str, ...] = ()
    """Predicates besides rdf:type that give nodes their class, such as wdt:P31."""
    items: tuple[TypeName, ...] = ()
    """The `types` that are recommended."""
    predicates: dict[str, Role] = Field(default_factory=dict)
    """Role of each predicate; `"*"` for all others: ref or ignore. Predicates without a role are ignored and counted."""
    same_as: Literal["merge", "ignore"] = "merge"
    """Whether owl:sameAs merges nodes."""
    exact_match: Literal["merge", "ignore"] = "ignore"
    """Whether skos:exactMatch merges nodes; with `ignore` it is treated like any other predicate."""
    blank_nodes: Literal["skolemize", "drop", "merge_equal"] = "skolemize"
    """Whether blank nodes become nodes; with `merge_equal`, blank nodes with the same statements become one node."""

    @property
    def classes(self) -> dict[str, str]:
        """Class -> node type."""
        return {iri: name for name, iris in self.types.items() for iri in iris if not iri.endswith("*")}

    @property
    def class_predicates(self) -> frozenset[str]:
        """The predicates that give nodes their class; none if no type has a class."""
        return frozenset([PREFIXES["rdf"] + "type", *self.type_predicates] if self.classes else ())

    @property
    def beginnings(self) -> dict[str, str]:
        """Beginning of IRIs -> node type; the first type if there are several."""
        named = [(iri[:-1], name) for name, iris in self.types.items() for iri in iris if iri.endswith("*")]
        return dict(reversed(named))

    @model_validator(mode="after")
    def _parts_fit(self) -> RdfSource:
        for name in self.items:
            if name not in self.types:
                raise ValueError(
                    f"item type '{name}' is not under `types:`. {did_you_mean(name, list(self.types))}"
                )
        if self.type_predicates and not self.classes:
            raise ValueError("`type_predicates:` needs `types:` with the classes that these predicates name")
        for name, role in self.predicates.items():
            if name == "*" and not isinstance(role, Ref | Ignore):
                raise ValueError('`"*"` can be ref or ignore')
            if isinstance(role, Vector):
                raise ValueError(f"predicate '{name}' cannot be a vector: RDF has no lists of numbers")
            if getattr(role, "field", None):
                raise ValueError(f"predicate '{name}' cannot have `field:`: RDF has no objects in cells")
        return self


class ErrorPolicy(MappingPart):
    """How to handle bad rows."""

    bad_row: Literal["report", "fail"] = "report"
    """`fail` stops at the first row that cannot be used completely."""
    missing_ref: Literal["report", "fail"] = "report"
    """`fail` stops at references to nodes that are in no file."""
    shared_identity: Literal["apart", "merge", "fail"] = "apart"
    """Rows with the same IRI: `apart` keeps them apart, and statements about the IRI apply to each of them."""
    stop_above: float = Field(default=0.01, ge=0, le=1)
    """Largest share of a file's rows that may be bad."""
    unmatched: float = Field(default=0.2, ge=0, le=1)
    """Largest share of a log's rows that may name unknown items."""


class Mapping(MappingPart):
    """The whole of kgrec.yaml."""

    version: Literal[1]
    """Version of the format of kgrec.yaml."""
    name: str = ""
    """Name of the data set, for the titles of reports."""
    base: str = "https://example.org/"
    """A node without an IRI gets base + type + "/" + percent-encoded key."""
    prefixes: dict[str, str] = Field(default_factory=dict)
    """Prefixes of IRIs besides those known by default."""
    nodes: dict[TypeName, NodeTable] = Field(default_factory=dict)
    """Node type -> its table."""
    edges: dict[str, EdgeTable] = Field(default_factory=dict)
    """Relation -> its table."""
    rdf: tuple[RdfSource, ...] = ()
    """RDF sources."""
    interactions: tuple[InteractionTable, ...] = ()
    """Interactions of users with items: one table, or a list of tables."""
    errors: ErrorPolicy = ErrorPolicy()
    """How to handle bad rows."""
    say: Sayings = Sayings()
    """How to phrase the reasons of recommendations."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Folder that file names are relative to."""
        return self._folder

    @property
    def date_predicates(self) -> frozenset[str]:
        """Predicates of the graph's numbers that are dates."""
        named = [item for table in self.nodes.values() for item in table.columns.items()]
        named += [(self.short(iri), role) for source in self.rdf for iri, role in source.predicates.items()]
        return frozenset(name for name, role in named if role.role == "date")

    @property
    def item_types(self) -> tuple[str, ...]:
        """The types that are recommended, sorted."""
        tables = {name for name, table in self.nodes.items() if table.item}
        return tuple(sorted(tables.union(*(source.items for source in self.rdf))))

    @property
    def types(self) -> frozenset[str]:
        """The types that tables, roles and RDF sources create."""
        roles = [table.columns for table in self.nodes.values()]
        roles += [source.predicates for source in self.rdf]
        of_roles = frozenset(name for some in roles for name in _types_of(some))
        return of_roles.union(self.nodes, *(source.types for source in self.rdf))

    @property
    def relations(self) -> dict[str, bool]:
        """Relations and columns of numbers that tables and predicates create -> whether it holds numbers; without those of a `"*"`."""
        columns = [item for table in self.nodes.values() for item in table.columns.items()]
        columns += [(self.short(iri), role) for source in self.rdf for iri, role in source.predicates.items()]
        of_roles = {
            getattr(role, "edge", None) or name: isinstance(role, Number | Date)
            for name, role in columns
            if isinstance(role, Number | Date | NodeValue | Category | Ref) and name != "*"
        }
        return {**of_roles, **dict.fromkeys(self.edges, False)}

    @property
    def references(self) -> References:
        """The types, and the keys of each type, that an edge or a log can name."""
        keys = {name: table.keys or (table.key,) for name, table in self.nodes.items()}
        return References(keys, self.types)

    @property
    def all_prefixes(self) -> dict[str, str]:
        """The default prefixes and the mapping's own."""
        return {**PREFIXES, **self.prefixes}

    def short(self, iri: str) -> str:
        """`iri` as a prefixed name, or unchanged if no prefix fits."""
        fits = [(ns, p) for p, ns in self.all_prefixes.items() if iri.startswith(ns) and len(iri) > len(ns)]
        if not fits:
            return iri
        namespace, prefix = max(fits)
        return f"{prefix}:{iri[len(namespace) :]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` reads them."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def from_dict(cls, values: object, folder: Path = Path()) -> Mapping:
        """Read the plain values of a kgrec.yaml.

        Raises:
            MappingError: The mapping is not valid; the error names the key, the value, and similar known keys.
        """
        return _validated(Document("mapping", values, {}), options.path("folder", folder))

    @field_validator("interactions", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is None:
            return ()
        if isinstance(value, dict | InteractionTable):
            return (value,)
        if not isinstance(value, list | tuple):
            raise ValueError("write one table with `file:`, `user:` and `item:`, or a list of such tables")
        return value

    @field_validator("interactions")
    @classmethod
    def _one_order(cls, tables: tuple[InteractionTable, ...]) -> tuple[InteractionTable, ...]:
        """Check that all tables order their rows the same way: positions cannot be compared with times or with rows of another table."""
        keys = {(table.order_keys or ["none of these"])[0] for table in tables}
        if len(keys) > 1 and keys & {"position", "order"}:
            raise ValueError(
                "the tables form one log: give all of them `time:`, all `position:`, or all `order: rows`"
            )
        return tables

    @field_serializer("interactions", mode="wrap")
    def _one_alone(self, value: object, dump: SerializerFunctionWrapHandler) -> Any:
        tables = dump(value)
        return tables[0] if len(tables) == 1 else tables

    @field_validator("base")
    @classmethod
    def _base_is_iri(cls, value: str) -> str:
        if not IRI_PATTERN.fullmatch(value) or not value.endswith(("/", "#")):
            raise ValueError("write an absolute IRI that ends in '/' or '#', such as https://example.org/")
        return value

    @field_validator("prefixes")
    @classmethod
    def _prefixes_are_iris(cls, value: dict[str, str]) -> dict[str, str]:
        for prefix, iri in value.items():
            if not IRI_PATTERN.fullmatch(iri):
                raise ValueError(f"prefix '{prefix}' is '{iri}', which is not an IRI")
        return value


def load_mapping(path: str | Path) -> Mapping:
    """Read and validate kgrec.yaml.

    Raises:
        MappingError: The mapping is not valid; the error names file, line and value, and similar known keys.
    """
    path = options.path("mapping", path)
    return _validated(read_yaml(path), path.parent)


def _validated(document: Document, folder: Path) -> Mapping:
    content = expanded(document)
    try:
        mapping = Mapping.model_validate(content)
    except ValidationError as error:
        raise explained(error, document, _PARTS) from None
    _check_types(mapping, document)
    mapping._folder = folder
    return mapping


def _check_types(mapping: Mapping, document: Document) -> None:
    if not mapping.item_types:
        raise MappingError(
            f"{place_of(document, ('nodes',))}: no node type is an item.",
            "Set `item: true` for a type under `nodes:`, or `items: [type]` under `rdf:`.",
        )
    if mapping.rdf and RESOURCE in mapping.item_types:
        raise MappingError(
            f"{place_of(document, ('rdf',))}: items of the type '{RESOURCE}' cannot be told apart from RDF nodes without a type, which have this name.",
            "Give the items' type another name, such as item.",
        )
    targets = [
        (where, _target(mapping, reference, place_of(document, where)))
        for where, reference in _references(mapping, document)
    ]
    known = mapping.types.union(target.type for where, target in targets if where[0] == "edges")
    _check_sayings(mapping, document)
    for where, target in targets:
        _check_target(target, place_of(document, where), where, mapping.item_types, sorted(known))


def _check_sayings(mapping: Mapping, document: Document) -> None:
    """Check that templates name existing relations; RDF whose predicates are not all listed may have any relation."""
    if any("*" in source.predicates for source in mapping.rdf):
        return
    known = mapping.relations
    for kind in ("shared", "often"):
        for name in getattr(mapping.say, kind):
            for edge in name.split(" / "):
                if edge.removeprefix("^") not in known:
                    place = place_of(document, ("say", kind, name))
                    near = did_you_mean(edge.removeprefix("^"), sorted(known))
                    raise MappingError(f"{place}: there is no relation or number '{edge}'.", near)


def _target(mapping: Mapping, reference: str, place: str) -> Target:
    try:
        return mapping.references.find(reference)
    except LookupError as error:
        raise MappingError(f"{place} {error.args[0]}.", error.args[1]) from None


def _check_target(
    target: Target, place: str, where: YamlPath, items: Sequence[str], known: list[str]
) -> None:
    """Check a target: edges may create nodes of new types; refs need an existing type, and interactions an item type."""
    if where[0] == "interactions" and target.type not in items:
        near = did_you_mean(target.type, items)
        raise MappingError(f"{place} refers to '{target.type}', which is not an item type.", near)
    if where[0] == "nodes" and target.type not in known:
        near = did_you_mean(target.type, known)
        raise MappingError(f"{place} refers to the type '{target.type}', which does not exist.", near)


def _references(mapping: Mapping, document: Document) -> Iterator[tuple[YamlPath, str]]:
    """Path and text of each reference in a table."""
    for name, table in mapping.nodes.items():
        for column, role in table.columns.items():
            if isinstance(role, Ref) and role.to is not None:
                yield ("nodes", name, "columns", column, "to"), role.to
    for relation, edges in mapping.edges.items():
        yield from ((("edges", relation, "from", reference), reference) for reference in edges.head)
        yield from ((("edges", relation, "to", reference), reference) for reference in edges.tail)
    for i, log in enumerate(mapping.interactions):
        if log.item_reference is not None:
            where = file_path(("interactions", i, "item", log.item_reference), document)
            yield where, log.item_reference


def _types_of(roles: dict[str, AnyRole]) -> Iterator[str]:
    for name, role in roles.items():
        if isinstance(role, NodeValue | Category):
            yield role.type or name


#: models of the keys of a mapping, for error messages; "": the mapping itself
_PARTS: dict[str, type[MappingPart]] = {
    "": Mapping,
    "nodes": NodeTable,
    "edges": EdgeTable,
    "rdf": RdfSource,
    "interactions": InteractionTable,
    "errors": ErrorPolicy,
    "say": Sayings,
}
