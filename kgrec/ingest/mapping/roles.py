"""Roles of columns and predicates, which decide what they become in the graph; one model per role.

Enters: the value after a column's name in kgrec.yaml, such as `label` or `{as: node, split: "|"}`.
Leaves: a frozen `Role`, which `kgrec.ingest.mapping.schema` uses for tables and RDF sources.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

#: type of RDF nodes without any other type
RESOURCE = "resource"
_TYPE = re.compile(r"\w[\w.\-]*")


def is_type_name(name: str) -> bool:
    """Whether `name` can name a node type: letters, digits, '_', '.', '-', and no '/'."""
    return _TYPE.fullmatch(name) is not None


def _type_name(name: str) -> str:
    if not is_type_name(name):
        raise ValueError("the name of a type consists of letters, digits, '_', '.' and '-'")
    return name


def _reference(name: str) -> str:
    """A type, or a type and a column name, which may have any characters."""
    type_ = name.partition(".")[0]
    if not is_type_name(type_) or "\n" in name:
        raise ValueError("write the name of a type, or type.column for another key of the type")
    return name


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _marks(value: object) -> object:
    """Trimmed marks of missing values; rejects values that YAML does not read as text, such as an unquoted null."""
    marks: list[str] = []
    for mark in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(mark, str):
            raise ValueError(f"YAML reads one of these as {json.dumps(mark, default=str)}: put it in quotes")
        if not mark.strip():
            raise ValueError(
                f"{mark!r} is empty, and empty cells are missing anyway; write \\N without quotes"
            )
        marks.append(mark.strip())
    return tuple(marks)


def _stars_last(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name == "*" or "*" in name[:-1]:
            raise ValueError(f"'{name}': a star must be the last character, after the beginning of an IRI")
    return names


def _spelled_out(value: object) -> object:
    return {"as": value} if isinstance(value, str) else value


def _field_path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError("a path consists of names of fields, with '.' between them")
    return path


TypeName = Annotated[str, AfterValidator(_type_name)]
#: a type, or `type.column`, where the column is one of the type's other keys
Reference = Annotated[str, AfterValidator(_reference)]
ColumnNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Marks = Annotated[tuple[str, ...], BeforeValidator(_marks)]
FieldPath = Annotated[str, AfterValidator(_field_path)]
Classes = Annotated[ColumnNames, AfterValidator(_stars_last)]


class MappingPart(BaseModel):
    """Base of all parts of a mapping: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Label(MappingPart):
    """The name of a node; a label is also encoded as text."""

    role: Literal["label"] = Field(default="label", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    lang: ColumnNames = ()
    """Languages in order of preference; "" for literals without a language. Empty: any language."""


class Text(MappingPart):
    """Text that describes a node."""

    role: Literal["text"] = Field(default="text", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    lang: ColumnNames = ()
    """As for a label; for a column, its language."""


class Number(MappingPart):
    """A number, such as a runtime or a price."""

    role: Literal["number"] = Field(default="number", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    unit: str | None = Field(default=None, min_length=1)
    """Unit that may follow the number, such as "min"; it is removed. Durations are converted to this unit, or to seconds."""


class Date(MappingPart):
    """A date, kept as seconds since 1970 in UTC."""

    role: Literal["date"] = Field(default="date", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    format: str | None = None
    """Format of `datetime.strptime`; None: ISO 8601 (also a year alone, or a year and a month)."""


class Category(MappingPart):
    """One node per value, such as a colour or a rating class."""

    role: Literal["category"] = Field(default="category", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    type: TypeName | None = None
    """Type of these nodes; None: the column's name."""
    edge: str | None = None
    """Name of the relation; None: the column's name."""


class NodeValue(MappingPart):
    """Nodes named in the cell, such as genres or people."""

    role: Literal["node"] = Field(default="node", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    type: TypeName | None = None
    """Type of these nodes; None: the column's name."""
    edge: str | None = None
    """Name of the relation; None: the column's name."""
    split: str | None = Field(default=None, min_length=1)
    """Separator of several values in a cell; lists in JSON or Python are split without it."""


class Ref(MappingPart):
    """A key of another node; in RDF, the object of the triple, also an IRI written as a literal."""

    role: Literal["ref"] = Field(default="ref", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    to: Reference | None = None
    """Type of the other node, or `type.key` for one of its other keys; required for columns, unused in RDF."""
    edge: str | None = None
    """Name of the relation; None: the column's or predicate's name."""
    split: str | None = Field(default=None, min_length=1)
    """Separator of several keys in a cell, or IRIs in a literal; lists in JSON or Python are split without it."""


class SameAs(MappingPart):
    """An IRI of the same thing as the node."""

    role: Literal["same_as"] = Field(default="same_as", alias="as")
    field: FieldPath | None = None
    """Path, such as `name` or `author.name`, in the objects that the cells hold, also in lists of them."""
    split: str | None = Field(default=None, min_length=1)
    """Separator of several IRIs in a cell."""


class Vector(MappingPart):
    """A precomputed feature vector: list<float> in Parquet, a JSON array in CSV."""

    role: Literal["vector"] = Field(default="vector", alias="as")


class Ignore(MappingPart):
    """A column or predicate that is not read."""

    role: Literal["ignore"] = Field(default="ignore", alias="as")


def role_of(value: object) -> str | None:
    """Name of the role in a value of kgrec.yaml; None if there is none."""
    role = value.get("as", value.get("role")) if isinstance(value, dict) else getattr(value, "role", None)
    return role if isinstance(role, str) else None


AnyRole = Label | Text | Number | Date | Category | NodeValue | Ref | SameAs | Vector | Ignore
_Tagged = Annotated[AnyRole, Field(discriminator="role")]
Role = Annotated[_Tagged, BeforeValidator(_spelled_out)]
ROLES = ("label", "text", "number", "date", "category", "node", "ref", "same_as", "vector", "ignore")
