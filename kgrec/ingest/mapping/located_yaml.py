"""YAML with the line of every key.

Enters: a path. Leaves: `Document`: plain values, and their lines. Sizes and aliases are bounded; tags are not resolved.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kgrec.errors import MappingError

_MAX_BYTES = 1_000_000
_MAX_NODES = 100_000

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """The values of a YAML file, and their lines."""

    name: str
    content: Any
    #: path of keys and list positions -> line, counted from 1
    lines: dict[YamlPath, int]

    def line(self, where: YamlPath) -> int:
        """Line of `where`, or of its deepest part that the file has."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read_yaml(path: Path) -> Document:
    """Read one YAML document of at most 1 MB, in which aliases expand to at most 100,000 nodes.

    Raises:
        MappingError: The file cannot be read, is too large, is not YAML, or has a duplicate key.
    """
    text = _text(path)
    try:
        root = yaml.compose(
            text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
        )
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_yaml(path, error) from None
    if root is None:
        raise MappingError(f"{path.name} is empty.", "Write a mapping, or draft one: kgrec init items.csv")
    lines: dict[YamlPath, int] = {}
    content = _DocumentReader(path.name, lines).value(root, ())
    return Document(path.name, content, lines)


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise MappingError(
                f"{path} has {size:,} bytes.", "A mapping has at most 1 MB: is this a data file?"
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MappingError(
            f"{path} is not UTF-8 at byte {error.start}.", "Save the mapping as UTF-8."
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise MappingError(f"{path}: {reason}.", "Give the path of a mapping such as kgrec.yaml.") from None


def _not_yaml(path: Path, error: Exception) -> MappingError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    problem = getattr(error, "problem", None) or "nested too deeply"
    return MappingError(
        f"{path.name}:{line}: not YAML: {problem}.", "Correct the indentation or the quotes there."
    )


class _DocumentReader:
    """Converts YAML nodes to plain values, and counts them so that nested aliases cannot expand without bound."""

    def __init__(self, name: str, lines: dict[YamlPath, int]) -> None:
        self.name, self.lines, self.count = name, lines, 0
        self.scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, where: YamlPath) -> Any:
        """The plain value of `node`, at the path `where`."""
        self._counted(node, where)
        if isinstance(node, yaml.MappingNode):
            return {key: self.value(child, (*where, key)) for key, child in self._items(node, where)}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*where, i)) for i, child in enumerate(node.value)]
        return self._scalar(node)

    def _counted(self, node: yaml.Node, where: YamlPath) -> None:
        self.lines.setdefault(where, node.start_mark.line + 1)
        self.count += 1
        if self.count > _MAX_NODES or len(where) > 50:
            line = node.start_mark.line + 1
            raise MappingError(
                f"{self.name}:{line}: the aliases expand to more than {_MAX_NODES:,} values.",
                "Write the values out instead of nesting anchors (&) and aliases (*).",
            )

    def _items(self, node: yaml.MappingNode, where: YamlPath) -> list[tuple[str, yaml.Node]]:
        items: list[tuple[str, yaml.Node]] = []
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, line)
            if any(key == known for known, _ in items):
                raise MappingError(
                    f"{self.name}:{line}: the key '{key}' is duplicated.", "Remove one of the two."
                )
            self.lines[(*where, key)] = line
            items.append((key, child))
        return items

    def _key(self, node: yaml.Node, line: int) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.value == "<<":
            raise MappingError(f"{self.name}:{line}: a key must be plain text.", "Write it as name: value.")
        return str(node.value)

    def _scalar(self, node: yaml.Node) -> Hashable:
        try:
            value: Hashable = self.scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            line = node.start_mark.line + 1
            raise MappingError(
                f"{self.name}:{line}: '{node.value}' is not a plain value.", "Put it in quotes."
            ) from None
        return value if isinstance(value, str | bool | int | float | None) else str(node.value)
