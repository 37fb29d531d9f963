"""Tables of interactions in kgrec.yaml: their columns, and the weights of their rows.

Enters: values of kgrec.yaml. Leaves: an `InteractionTable`.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    field_validator,
    model_validator,
)

from kgrec.ingest.mapping.roles import Reference
from kgrec.ingest.mapping.table_format import TableFormat

TimeUnit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds"]
RowOrder = Literal["rows"]

_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
_REFERENCE: TypeAdapter[str] = TypeAdapter(Reference)


def _item_column(value: object) -> object:
    """A column, or `{reference: column}` with one entry."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((reference, column),) = value.items()
        if isinstance(reference, str) and isinstance(column, str) and column:
            return {_REFERENCE.validate_python(reference): column}
    raise ValueError("write the name of a column, or `{type: column}`, or `{type.key: column}`")


def _text(value: object) -> str:
    """A cell as text; rejects values that YAML does not read as they are written."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"YAML reads one of these as {json.dumps(value, default=str)}: put it in quotes")


def _texts(value: object) -> object:
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return tuple(dict.fromkeys(map(_text, values)))


def _text_keys(value: object) -> object:
    return {_text(key): weight for key, weight in value.items()} if isinstance(value, dict) else value


def _some_positive(weights: dict[str, float]) -> dict[str, float]:
    if not any(weights.values()):
        raise ValueError(
            "at least one event needs a weight above 0, because nothing is learned from the others"
        )
    return weights


#: column of the item's key, as a name or as {type: column}
ItemColumn = Annotated[str | dict[str, str], PlainValidator(_item_column)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]
#: column -> values
Choices = dict[str, Texts]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: kind of interaction -> weight
EventWeights = Annotated[
    dict[str, Weight], Field(min_length=1), BeforeValidator(_text_keys), AfterValidator(_some_positive)
]


class InteractionTable(TableFormat):
    """Files with one interaction of a user and an item per row."""

    user: str
    """Column of the user's identifier."""
    item: ItemColumn
    """Column of the item's key, or `type: column`, or `type.key: column` for another key of the type."""
    value: str | None = None
    """Column of a rating, a count or another number."""
    time: str | None = None
    """Column of the time: a number since 1970, or ISO 8601."""
    time_format: str | None = None
    """Format of `datetime.strptime`."""
    time_unit: TimeUnit | None = None
    """Unit of numeric times; None: detected from the values of the file."""
    position: str | None = None
    """Column of the position in the user's history, a whole number that increases with time; for a log without times."""
    order: RowOrder | None = None
    """"rows": rows are in the order in which they happened; for a log without times."""
    positive: str | None = None
    """Condition on `value` for positive rows, such as ">= 4"; only positive rows are learned from. None: every row is positive."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Weight of each row, relative to the rows of other tables."""
    event: str | None = None
    """Column of the kind of interaction, such as view or purchase."""
    events: EventWeights | None = None
    """Kind -> weight; 0: seen, but not learned from. Rows of other kinds are left out."""
    only: Choices = Field(default_factory=dict)
    """Column -> values; rows with other values are left out."""

    @model_validator(mode="after")
    def _keys_fit(self) -> InteractionTable:
        for name, other in (
            ("positive", "value"),
            ("time_unit", "time"),
            ("time_format", "time"),
            ("event", "events"),
            ("events", "event"),
        ):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise ValueError(f"`{name}:` needs `{other}:`, which is missing")
        if self.time_unit is not None and self.time_format is not None:
            raise ValueError("`time_unit:` is for numbers and `time_format:` for texts; write one of the two")
        if len(self.order_keys) > 1:
            first, second = self.order_keys[:2]
            raise ValueError(f"`{first}:` and `{second}:` both order the log; write one of the two")
        if self.events is not None and "weight" in self.model_fields_set:
            raise ValueError("`events:` already has the weights; leave `weight:` out")
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
    def item_column(self) -> str:
        """The column of `item`."""
        return self.item if isinstance(self.item, str) else next(iter(self.item.values()))

    @property
    def item_reference(self) -> str | None:
        """The type, or `type.key`, in `item`; None: any item type."""
        return None if isinstance(self.item, str) else next(iter(self.item))

    @property
    def weighted(self) -> bool:
        """Whether rows may have a weight other than 1."""
        return self.events is not None or self.weight != 1

    @property
    def order_keys(self) -> list[str]:
        """The keys of the mapping that give the order of the rows; at most one is allowed."""
        return [name for name in ("time", "position", "order") if getattr(self, name) is not None]

    @property
    def has_positions(self) -> bool:
        """Whether the rows have an order but no times."""
        return self.position is not None or self.order is not None

    @property
    def columns_read(self) -> list[str]:
        """The columns that the mapping names, each once."""
        named = (self.user, self.item_column, self.value, self.time, self.position, self.event, *self.only)
        return list(dict.fromkeys(name for name in named if name is not None))
