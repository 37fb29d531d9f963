"""What a column or a predicate becomes in the graph: one model a role.

Enters: the value after a column's name in kgrec.yaml, such as `label` or `{as: node, split: "|"}`.
Leaves: a frozen `Role`. `kgrec.ingest.mapping.schema` builds the rest of the mapping on these.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_TYPE = re.compile(r"\w[\w.\-]*")


def is_type_name(name: str) -> bool:
    """Whether `name` can name a node type: letters, digits, '_', '.', '-', and no '/'."""
    return _TYPE.fullmatch(name) is not None


def _type_name(name: str) -> str:
    if not is_type_name(name):
        raise ValueError("a type is named by letters, digits, '_', '.' and '-'")
    return name


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _marks(value: object) -> object:
    """Text without blanks around it: what YAML reads as null, or as the break that its escape N stands for, is none."""
    marks: list[str] = []
    for mark in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(mark, str):
            raise ValueError(f"YAML reads one of these as {json.dumps(mark, default=str)}: put it in quotes")
        if not mark.strip():
            raise ValueError(f"{mark!r} is empty, as cells may be anyway; \\N is written without quotes")
        marks.append(mark.strip())
    return tuple(marks)


def _stars_last(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name == "*" or "*" in name[:-1]:
            raise ValueError(f"'{name}' has a star, which can only stand last, after the beginning of IRIs")
    return names


def _spelled_out(value: object) -> object:
    return {"as": value} if isinstance(value, str) else value


TypeName = Annotated[str, AfterValidator(_type_name)]
ColumnNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Marks = Annotated[tuple[str, ...], BeforeValidator(_marks)]
Classes = Annotated[ColumnNames, AfterValidator(_stars_last)]


class Part(BaseModel):
    """Any part of a mapping: frozen, and with no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Label(Part):
    """The name of a node; a label is text too."""

    role: Literal["label"] = Field(default="label", alias="as")
    lang: ColumnNames = ()
    """Languages, the preferred one first; "" is a literal without a language. None given: any."""


class Text(Part):
    """Text that describes a node."""

    role: Literal["text"] = Field(default="text", alias="as")
    lang: ColumnNames = ()
    """As for a label; for a column, its one language."""


class Number(Part):
    """A number, such as a runtime or a price."""

    role: Literal["number"] = Field(default="number", alias="as")
    unit: str | None = Field(default=None, min_length=1)
    """What may stand after the number, such as "min"; it is not kept."""


class Date(Part):
    """A date, kept as seconds since 1970 in UTC."""

    role: Literal["date"] = Field(default="date", alias="as")
    format: str | None = None
    """As `datetime.strptime` has it; None: ISO 8601, also a year or a year and a month alone."""


class Category(Part):
    """One node for each value, as a colour or a rating class is."""

    role: Literal["category"] = Field(default="category", alias="as")
    type: TypeName | None = None
    """Type of these nodes; None: the column's name."""
    edge: str | None = None
    """Name of the relation; None: the column's name."""


class NodeValue(Part):
    """Nodes named in the cell, as genres or people are."""

    role: Literal["node"] = Field(default="node", alias="as")
    type: TypeName | None = None
    """Type of these nodes; None: the column's name."""
    edge: str | None = None
    """Name of the relation; None: the column's name."""
    split: str | None = Field(default=None, min_length=1)
    """What separates several values of a cell; JSON arrays are split without it."""


class Ref(Part):
    """A key of another node; in RDF, the node that is the triple's object, or whose IRI is a literal there."""

    role: Literal["ref"] = Field(default="ref", alias="as")
    to: TypeName | None = None
    """Type of the other node. Columns need it; RDF has none."""
    edge: str | None = None
    """Name of the relation; None: the column's or predicate's name."""
    split: str | None = Field(default=None, min_length=1)
    """What separates several keys of a cell, or several IRIs of a literal; JSON arrays are split without it."""


class SameAs(Part):
    """An IRI that names the same thing."""

    role: Literal["same_as"] = Field(default="same_as", alias="as")
    split: str | None = Field(default=None, min_length=1)
    """What separates several IRIs of a cell."""


class Vector(Part):
    """A feature that the user computed: list<float> in Parquet, a JSON array in CSV."""

    role: Literal["vector"] = Field(default="vector", alias="as")


class Ignore(Part):
    """Not read."""

    role: Literal["ignore"] = Field(default="ignore", alias="as")


def role_of(value: object) -> str | None:
    """The role that a value of kgrec.yaml names, if it names one."""
    role = value.get("as", value.get("role")) if isinstance(value, dict) else getattr(value, "role", None)
    return role if isinstance(role, str) else None


AnyRole = Label | Text | Number | Date | Category | NodeValue | Ref | SameAs | Vector | Ignore
_Tagged = Annotated[AnyRole, Field(discriminator="role")]
Role = Annotated[_Tagged, BeforeValidator(_spelled_out)]
ROLES = ("label", "text", "number", "date", "category", "node", "ref", "same_as", "vector", "ignore")
