"""Options in sections: frozen pydantic models whose errors are ConfigErrors.

Enters: keywords. Leaves: a section; or a ConfigError that names section, option and value, and suggests similar options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kgrec.arguments.options import shown
from kgrec.errors import ConfigError, did_you_mean

#: option types that reject True, although Python treats it as 1
_NUMBERS = (int, float, int | None, float | None)


class Section(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """A section of options; an unknown option is an error."""

    if not TYPE_CHECKING:  # type checkers read the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise section_error(error, type(self).__name__, type(self)) from None

        # nested sections are validated together with their parent, so that the error names both
        __init__.__pydantic_base_init__ = True

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in _NUMBERS:
            raise PydanticCustomError("number", "Input should be a number")
        return value


def section_error(error: ValidationError, where: str, kind: type[BaseModel]) -> ConfigError:
    """The first validation error of pydantic as a ConfigError.

    Args:
        error: The error raised by pydantic.
        where: Place for the message: a file, or the name of a section.
        kind: The validated class.
    """
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(_inside(kind, first["loc"][:-1]).model_fields)
        return ConfigError(
            f"{where}: there is no option '{name}'.", did_you_mean(str(first["loc"][-1]), known)
        )
    return ConfigError(
        f"{where}: {name} is {shown(first['input'])}: {first['msg'].lower()}.", "Change the value."
    )


def _inside(kind: type[BaseModel], names: tuple[int | str, ...]) -> type[BaseModel]:
    """The class of the nested section with these names."""
    for name in names:
        annotation = kind.model_fields[str(name)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            kind = annotation
    return kind
