"""References to nodes: a type, or `type.column`, where the column is one of the type's other keys.

Enters: a reference as written in kgrec.yaml, and the existing types and keys. Leaves: a `Target`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kgrec.errors import did_you_mean
from kgrec.ingest.mapping.roles import is_type_name


@dataclass(frozen=True)
class Target:
    """The type and key that a reference names."""

    type: str
    #: column of the other key; None: the key of the type
    column: str | None = None

    @property
    def name(self) -> str:
        """The reference; the graph's aliases use it as the type of their names."""
        return self.type if self.column is None else f"{self.type}.{self.column}"


@dataclass(frozen=True)
class References:
    """The types and keys that references can name."""

    #: type with a table -> its keys; the first one is the key of its nodes
    keys: dict[str, tuple[str, ...]]
    #: types that the mapping names elsewhere
    types: Collection[str]

    def find(self, reference: str) -> Target:
        """The target of `reference`. Type names may contain dots, so an existing type has precedence over a key.

        Raises:
            LookupError: A type with a table has no such key. The arguments are the problem and the remedy.
        """
        if reference in self.keys or reference in self.types:
            return Target(reference)
        owners = [name for name in self.keys if reference.startswith(f"{name}.")]
        if not owners:
            return self._without_table(reference)
        owner = max(owners, key=len)
        column = reference[len(owner) + 1 :]
        if column in self.keys[owner]:
            return Target(owner, None if column == self.keys[owner][0] else column)
        near = did_you_mean(column, self.keys[owner])
        raise LookupError(
            f"names '{column}', which is not a key of '{owner}'",
            f"{near} Or write `keys: [{', '.join((*self.keys[owner], column))}]` under nodes.{owner}.",
        )

    def _without_table(self, reference: str) -> Target:
        if is_type_name(reference):
            return Target(reference)
        type_ = reference.partition(".")[0]
        raise LookupError(
            f"names a key of '{type_}', which is not a type with a table",
            did_you_mean(type_, sorted(self.keys)),
        )
