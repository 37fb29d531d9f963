"""kgrec.yaml, validated: what columns and predicates become in the graph.

Enters: kgrec.yaml as text, or as plain values. Leaves: a `Mapping`, with short forms and prefixed names expanded. Data
files are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from kgrec.errors import MappingError, did_you_mean
from kgrec.ingest.mapping.located_yaml import Document, YamlPath, read_yaml
from kgrec.ingest.mapping.prefixes import IRI_PATTERN, PREFIXES, expanded, place_of
from kgrec.ingest.mapping.roles import (
    ROLES,
    AnyRole,
    Category,
    Classes,
    ColumnNames,
    Ignore,
    MappingPart,
    Marks,
    NodeValue,
    Ref,
    Role,
    TypeName,
    Vector,
    role_of,
)

_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")


class TableFormat(MappingPart):
    """Format of a table's files."""

    file: ColumnNames = Field(min_length=1)
    """Files or globs (csv, tsv, jsonl, parquet, also .gz and .zst), relative to the mapping's folder."""
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None
    """None: by suffix."""
    encoding: str = "utf-8"
    """Encoding of CSV, TSV and JSONL."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Separator of columns; None: a comma in CSV, a tab in TSV."""
    quote: str = Field(default='"', max_length=1)
    """Quotation mark of cells; "" if there is none, as in many TSV files."""
    header: ColumnNames | None = Field(default=None, min_length=1)
    """Names of the columns of CSV and TSV files whose first line is data; None: the first line has the names."""
    nulls: Marks = ()
    """Marks of missing values in cells and lists, besides empty ones, such as "NULL"."""

    @field_validator("header")
    @classmethod
    def _names_differ(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if (value or ()).count(name) > 1:
                raise ValueError(f"the column '{name}' is duplicated")
        return value


class NodeTable(TableFormat):
    """Files with one node per row."""

    item: bool = False
    """Whether these nodes are recommended."""
    key: str
    """Column of the identifier, unique within the type."""
    columns: dict[str, Role] = Field(default_factory=dict)
    """Role of each column; `"*": ignore` for the rest."""

    @model_validator(mode="after")
    def _columns_fit(self) -> NodeTable:
        for name, column in self.columns.items():
            if isinstance(column, Ref) and column.to is None:
                raise ValueError(f"column '{name}' is a ref and needs `to:`, the type that it refers to")
            if name == "*" and not isinstance(column, Ignore):
                raise ValueError('only `"*": ignore` can stand for all other columns')
        return self


class EdgeTable(TableFormat):
    """Files with one edge per row."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    head: dict[TypeName, str] = Field(alias="from", min_length=1, max_length=1)
    """`type: column` of the node that the edge leaves."""
    tail: dict[TypeName, str] = Field(alias="to", min_length=1, max_length=1)
    """`type: column` of the node that the edge enters."""
    weight: str | None = None
    """Column of the edge's weight; None: 1."""

    @property
    def columns_read(self) -> list[str]:
        """The columns that the mapping names."""
        return [*self.head.values(), *self.tail.values(), *([self.weight] if self.weight else [])]


class RdfSource(MappingPart):
    """RDF files with the same roles."""

    file: ColumnNames = Field(min_length=1)
    """Files or globs, also .gz, relative to the mapping's folder."""
    format: Literal["turtle", "ntriples", "nquads", "trig", "rdfxml", "jsonld"] | None = None
    """None: by suffix."""
    types: dict[TypeName, Classes] = Field(default_factory=dict)
    """Node type -> its classes (rdf:type), and beginnings of its nodes' IRIs, each with a final "*"."""
    items: tuple[TypeName, ...] = ()
    """The `types` that are recommended."""
    predicates: dict[str, Role] = Field(default_factory=dict)
    """Role of each predicate; `"*"` for all others: ref or ignore. Without a role: ignored and counted."""
    same_as: Literal["merge", "ignore"] = "merge"
    """Whether owl:sameAs merges nodes."""
    exact_match: Literal["merge", "ignore"] = "ignore"
    """Whether skos:exactMatch merges nodes; with `ignore` it is a predicate like any other."""
    blank_nodes: Literal["skolemize", "drop"] = "skolemize"
    """Whether blank nodes become nodes."""

    @property
    def classes(self) -> dict[str, str]:
        """Class -> node type."""
        return {iri: name for name, iris in self.types.items() for iri in iris if not iri.endswith("*")}

    @property
    def beginnings(self) -> dict[str, str]:
        """Beginning of IRIs -> node type, the first of several."""
        named = [(iri[:-1], name) for name, iris in self.types.items() for iri in iris if iri.endswith("*")]
        return dict(reversed(named))

    @model_validator(mode="after")
    def _parts_fit(self) -> RdfSource:
        for name in self.items:
            if name not in self.types:
                raise ValueError(
                    f"item type '{name}' is not under `types:`. {did_you_mean(name, list(self.types))}"
                )
        for name, role in self.predicates.items():
            if name == "*" and not isinstance(role, Ref | Ignore):
                raise ValueError('`"*"` can be ref or ignore')
            if isinstance(role, Vector):
                raise ValueError(f"predicate '{name}' cannot be a vector: RDF has no lists of numbers")
        return self


class InteractionTable(TableFormat):
    """Files with one interaction of a user and an item per row."""

    user: str
    """Column of the user's identifier."""
    item: str
    """Column of the item's key."""
    value: str | None = None
    """Column of a rating, a count or another number."""
    time: str | None = None
    """Column of the time: seconds since 1970, or ISO 8601."""
    time_format: str | None = None
    """Format of `datetime.strptime`."""
    positive: str | None = None
    """Condition on `value` for positive rows, which are learned from, such as ">= 4"; None: every row."""

    @model_validator(mode="after")
    def _positive_fits(self) -> InteractionTable:
        if self.positive is not None and self.value is None:
            raise ValueError("`positive:` needs `value:`, which is missing")
        return self

    @field_validator("positive")
    @classmethod
    def _is_condition(cls, value: str | None) -> str | None:
        if value is not None and not _CONDITION.fullmatch(value):
            raise ValueError('write a comparison with a number, such as ">= 4"')
        return value

    @property
    def condition(self) -> tuple[str, float] | None:
        """`positive` as an operator and a number."""
        match = _CONDITION.fullmatch(self.positive) if self.positive else None
        return (match[1], float(match[2])) if match else None

    @property
    def columns_read(self) -> list[str]:
        """The columns that the mapping names."""
        return [name for name in (self.user, self.item, self.value, self.time) if name is not None]


class ErrorPolicy(MappingPart):
    """What to do about bad rows."""

    bad_row: Literal["report", "fail"] = "report"
    """`fail` stops at the first row that cannot be used or read in full."""
    missing_ref: Literal["report", "fail"] = "report"
    """`fail` stops at references to nodes that are in no file."""
    shared_identity: Literal["apart", "merge", "fail"] = "apart"
    """Rows with the same IRI: `apart` keeps them apart, and statements about the IRI apply to each of them."""
    stop_above: float = Field(default=0.01, ge=0, le=1)
    """Share of a file's rows that may be bad."""


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
    interactions: InteractionTable | None = None
    """Users' interactions with items."""
    errors: ErrorPolicy = ErrorPolicy()
    """What to do about bad rows."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Folder that the names of files are relative to."""
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
    def all_prefixes(self) -> dict[str, str]:
        """Prefixes known by default and the mapping's own."""
        return {**PREFIXES, **self.prefixes}

    def short(self, iri: str) -> str:
        """`iri` as a prefixed name, or as it is if no prefix fits."""
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
        return _validated(Document("mapping", values, {}), folder)

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
    path = Path(path)
    return _validated(read_yaml(path), path.parent)


def _validated(document: Document, folder: Path) -> Mapping:
    content = expanded(document)
    try:
        mapping = Mapping.model_validate(content)
    except ValidationError as error:
        raise _explained(error, document) from None
    _check_types(mapping, document)
    mapping._folder = folder
    return mapping


def _check_types(mapping: Mapping, document: Document) -> None:
    if not mapping.item_types:
        raise MappingError(
            f"{place_of(document, ('nodes',))}: no node type is an item.",
            "Set `item: true` for a type under `nodes:`, or `items: [type]` under `rdf:`.",
        )
    known = sorted(set(_known_types(mapping)))
    for name, table in mapping.nodes.items():
        for column, role in table.columns.items():
            if isinstance(role, Ref) and role.to not in known:
                place = place_of(document, ("nodes", name, "columns", column, "to"))
                near = did_you_mean(role.to or "", known)
                raise MappingError(f"{place} refers to the type '{role.to}', which does not exist.", near)


def _known_types(mapping: Mapping) -> Iterator[str]:
    yield from mapping.nodes
    for table in mapping.nodes.values():
        yield from _types_of(table.columns)
    for edges in mapping.edges.values():
        yield from (*edges.head, *edges.tail)
    for source in mapping.rdf:
        yield from (*source.types, *_types_of(source.predicates))


def _types_of(roles: dict[str, AnyRole]) -> Iterator[str]:
    for name, role in roles.items():
        if isinstance(role, NodeValue | Category):
            yield role.type or name


def _explained(error: ValidationError, document: Document) -> MappingError:
    """The first error of pydantic as a MappingError, with its line and similar known keys."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = _path(first["loc"])
    place, value = place_of(document, where), first["input"]
    parent = ".".join(map(str, where[:-1])) or "the mapping"
    if first["type"] == "extra_forbidden":
        return MappingError(
            f"{place} is not a key of {parent}.", did_you_mean(str(where[-1]), _keys(first["loc"]))
        )
    if first["type"].startswith("union_tag"):
        given = role_of(value)
        return MappingError(f"{place} has the unknown role {given!r}.", did_you_mean(given or "", ROLES))
    if first["type"] == "missing":
        return MappingError(f"{place} is missing.", f"Write `{where[-1]}:` under {parent}.")
    message = first["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | list | BaseModel) else f" is {value!r}"
    return MappingError(f"{place}{shown}: {message}.", "See the reference of kgrec.yaml for valid values.")


def _path(loc: tuple[str | int, ...]) -> YamlPath:
    """`loc` as keys of the file: without the tags of unions and the `[key]` that pydantic adds."""
    tagged = {i for i in range(2, len(loc)) if loc[i - 2] in ("columns", "predicates") and loc[i] in ROLES}
    return tuple(part for i, part in enumerate(loc) if i not in tagged and part != "[key]")


def _keys(loc: tuple[str | int, ...]) -> list[str]:
    """The known keys beside an unknown one."""
    parts: dict[str, type[MappingPart]] = {
        "nodes": NodeTable,
        "edges": EdgeTable,
        "rdf": RdfSource,
        "interactions": InteractionTable,
        "errors": ErrorPolicy,
    }
    part = parts.get(str(loc[0]), Mapping) if len(loc) > 1 else Mapping
    if len(loc) > 2 and loc[-2] in ROLES:
        part = next(r for r in get_args(AnyRole) if r.model_fields["role"].default == loc[-2])
    return [field.alias or name for name, field in part.model_fields.items()]
