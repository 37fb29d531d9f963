"""Values in JSON or Python notation: lists in cells, objects, and fields of objects.

Enters: text of cells. Leaves: plain values, and the values at a path of fields. Numbers stay text, as written.
Nothing is executed: Python literals are parsed, within bounds.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

#: JSON with numbers as text; pandas writes NaN for missing values
DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=lambda name: None if name == "NaN" else name
)
#: half of a surrogate pair, which cannot be encoded
_HALF = re.compile("[\ud800-\udfff]")
#: largest number of characters of a Python literal
_LONGEST = 1 << 17
_STRING = r"(?:'[^'\\]*'|\"[^\"\\]*\")"
#: numpy writes arrays without commas; Python would join adjacent strings
_ARRAY = re.compile(rf"\[\s*{_STRING}(?:\s+{_STRING})+\s*\]")
#: elements of arrays of PostgreSQL: quoted, or without special characters
_ELEMENT = r"""(?:"((?:[^"\\]|\\.)*)"|([^\s{}",\\:][^{}",\\:]*))"""
_ELEMENTS = re.compile(_ELEMENT, re.DOTALL)
_BRACES = re.compile(rf"\{{{_ELEMENT}(?:,{_ELEMENT})*\}}", re.DOTALL)
_STRINGS = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")


def parse(text: str) -> Any:
    """The value of a JSON text or a Python literal, with numbers as text.

    Raises:
        ValueError: The text is neither, or is nested too deeply.
    """
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        return _parse_python(text.strip())


def parse_json(text: str) -> Any:
    """The value of a JSON text, with numbers as text; half of a surrogate pair becomes U+FFFD, and NaN None.

    Raises:
        ValueError: The text is not JSON.
        RecursionError: The text is nested too deeply.
    """
    return _whole(DECODER.decode(text), text)


def value_at(text: str, at: int) -> tuple[Any, int]:
    """Like `parse_json`, for a value that starts at a position in a text; also returns its end."""
    value, end = DECODER.raw_decode(text, at)
    return _whole(value, text[at:end]), end


def _whole(value: Any, text: str) -> Any:
    if "\\ud" in text or "\\uD" in text:
        return json.loads(_HALF.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return value


def parts_of(text: str) -> list[str] | None:
    """The values of a list, a tuple or a set of single values, or of an array of PostgreSQL; None for other text."""
    try:
        value = parse(text)
    except ValueError:
        return _elements_of(text.strip())
    if not isinstance(value, list) or any(isinstance(part, list | dict) for part in value):
        return None
    return [as_text(part) for part in value]


def _elements_of(text: str) -> list[str] | None:
    """The elements of an array as PostgreSQL writes it, such as `{Drama,"Sci Fi"}`."""
    if len(text) > _LONGEST or not _BRACES.fullmatch(text):
        return None
    found = _ELEMENTS.findall(text[1:-1])
    return [
        re.sub(r"\\(.)", r"\1", quoted) if quoted else "" if bare == "NULL" else bare
        for quoted, bare in found
    ]


def objects_of(text: str) -> list[dict[str, Any]]:
    """The object in a text, or the objects in a list; empty for anything else."""
    try:
        value = parse(text)
    except ValueError:
        return []
    found = value if isinstance(value, list) else [value]
    return found if all(isinstance(part, dict) for part in found) else []


def object_of(text: str) -> dict[str, Any] | None:
    """The object in a text; None for anything else."""
    try:
        value = parse(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def objects_in(value: dict[str, Any]) -> list[str]:
    """The fields of an object that hold a list of objects."""
    return [
        name
        for name, part in value.items()
        if isinstance(part, list) and part and all(isinstance(one, dict) for one in part)
    ]


def is_keyed(value: dict[str, Any]) -> bool:
    """Whether all values of an object are objects: rows by their keys, or columns by their names."""
    return bool(value) and all(isinstance(part, dict) for part in value.values())


def leaves(value: Any, path: Sequence[str]) -> Iterator[str]:
    """The single values at a path of fields, through objects and lists; also fields whose names have dots."""
    if isinstance(value, list):
        for part in value:
            yield from leaves(part, path)
    elif isinstance(value, dict):
        for length in range(len(path), 0, -1):
            if (name := ".".join(path[:length])) in value:
                yield from leaves(value[name], path[length:])
                return
    elif not path and value is not None:
        yield as_text(value)


def as_text(value: Any) -> str:
    """A value as the text of a cell: None is "", lists and objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse_python(text: str) -> Any:
    if len(text) > _LONGEST or text[:1] not in ("[", "{", "("):
        raise ValueError
    if _ARRAY.fullmatch(text):
        return [single or double for single, double in _STRINGS.findall(text)]
    # without other quotes and escapes, the two notations differ only in quotes; this is ten times as fast
    if '"' not in text and "\\" not in text:
        try:
            return parse_json(text.replace("'", '"'))
        except (ValueError, RecursionError):
            pass
    try:
        with warnings.catch_warnings():
            # of unknown escapes
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
            return _plain(ast.literal_eval(_WithoutNan().visit(tree) if "nan" in text else tree))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError from None


class _WithoutNan(ast.NodeTransformer):
    """Reads `nan`, which pandas leaves in lists and objects, as None."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(None) if node.id == "nan" else node


def _plain(value: Any) -> Any:
    """A Python literal in the form of parsed JSON; sets are sorted."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, set):
        return sorted((_plain(part) for part in value), key=as_text)
    if isinstance(value, dict):
        return {as_text(_plain(name)): _plain(part) for name, part in value.items()}
    raise ValueError
