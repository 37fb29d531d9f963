"""Errors of pydantic as errors of kgrec.yaml.

Enters: a `ValidationError`, and the document. Leaves: a `MappingError` with line, value and similar known keys.
"""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel, ValidationError

from kgrec.errors import MappingError, did_you_mean
from kgrec.ingest.mapping.located_yaml import Document, YamlPath
from kgrec.ingest.mapping.prefixes import place_of
from kgrec.ingest.mapping.roles import ROLES, AnyRole, MappingPart, role_of


def explained(
    error: ValidationError, document: Document, parts: dict[str, type[MappingPart]]
) -> MappingError:
    """The first error of pydantic as a MappingError, with its line and similar known keys.

    Args:
        error: What pydantic found.
        document: The values, and their lines.
        parts: Key of the mapping -> the model of its value; "": the mapping itself.
    """
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = file_path(first["loc"], document)
    place, value = place_of(document, where), first["input"]
    parent = ".".join(map(str, where[:-1])) or "the mapping"
    if first["type"] == "extra_forbidden":
        return MappingError(
            f"{place} is not a key of {parent}.", did_you_mean(str(where[-1]), _keys(first["loc"], parts))
        )
    if first["type"].startswith("union_tag"):
        given = role_of(value)
        return MappingError(f"{place} has the unknown role {given!r}.", did_you_mean(given or "", ROLES))
    if first["type"] == "missing":
        return MappingError(f"{place} is missing.", f"Write `{where[-1]}:` under {parent}.")
    message = first["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | list | BaseModel) else f" is {value!r}"
    return MappingError(f"{place}{shown}: {message}.", "See the reference of kgrec.yaml for valid values.")


def file_path(loc: tuple[str | int, ...], document: Document) -> YamlPath:
    """`loc` as keys of the file, without the tags of unions and keys that pydantic and short forms add."""
    tagged = {i for i in range(2, len(loc)) if loc[i - 2] in ("columns", "predicates") and loc[i] in ROLES}
    if loc[:2] == ("interactions", 0) and not isinstance(document.content["interactions"], list | tuple):
        tagged.add(1)
    return tuple(part for i, part in enumerate(loc) if i not in tagged and part != "[key]")


def _keys(loc: tuple[str | int, ...], parts: dict[str, type[MappingPart]]) -> list[str]:
    """The known keys at the level of an unknown key."""
    part = parts.get(str(loc[0]) if len(loc) > 1 else "", parts[""])
    if len(loc) > 2 and loc[-2] in ROLES:
        part = next(r for r in get_args(AnyRole) if r.model_fields["role"].default == loc[-2])
    return [field.alias or name for name, field in part.model_fields.items()]
