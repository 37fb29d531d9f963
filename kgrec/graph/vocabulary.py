"""Distinct strings and their row numbers.

Enters: labels. Leaves: a `Vocabulary`; tables of a graph and matrices of embeddings have their rows in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.arguments import options
from kgrec.arguments.ids import as_ids
from kgrec.errors import ConfigError, nearest
from kgrec.storage.string_index import StringIndex

#: up to this many labels are looked up one by one, because Arrow would hash the whole vocabulary each time
_MAX_SINGLE_LOOKUPS = 1000
#: up to this many strings of a vocabulary are also kept in a dictionary; for more, it takes seconds to build and much memory
_MAX_DICTIONARY = 20_000
_TWICE = "The labels of a vocabulary must be distinct."


class Vocabulary:
    """Distinct strings, numbered from 0 in the order given; held in Arrow, not as Python objects.

    Example:
        >>> words = Vocabulary.of(["b", "a", "b"])
        >>> words.tolist(), words.ids(["b", "z"]).tolist()
        (['a', 'b'], [1, -1])
    """

    def __init__(self, labels: Sequence[str] | pa.Array) -> None:
        #: all strings except those that `extended` appended, and the appended ones
        self._base, self._tail = _as_strings(labels), _as_strings([])
        if len(pc.unique(self._base)) != len(self._base):
            raise ConfigError(_TWICE, "Give each once, or Vocabulary.of(labels).")

    def extended(self, labels: Sequence[str]) -> Vocabulary:
        """Return the vocabulary with more strings, all of them new; the cost depends on their number, and `self` does not change."""
        if len(set(labels)) != len(labels) or (self.ids(list(labels)) >= 0).any():
            raise ConfigError(_TWICE, "Give each once.")
        larger = Vocabulary.__new__(Vocabulary)
        larger._base, larger._tail = self._base, pa.concat_arrays([self._tail, _as_strings(labels)])
        for name in ("_numbers", "_index"):  # of the base only
            if name in self.__dict__:
                larger.__dict__[name] = self.__dict__[name]
        return larger

    @cached_property
    def labels(self) -> pa.Array:
        """The strings, a pa.LargeStringArray without nulls."""
        return pa.concat_arrays([self._base, self._tail]) if len(self._tail) else self._base

    def take(self, rows: np.ndarray) -> pa.Array:
        """The strings with these numbers, a pa.LargeStringArray."""
        if not len(self._tail):
            return self._base.take(pa.array(rows))
        in_tail = rows >= len(self._base)
        both = pa.concat_arrays(
            [
                self._base.take(pa.array(rows[~in_tail])),
                self._tail.take(pa.array(rows[in_tail] - len(self._base))),
            ]
        )
        order = np.empty(len(rows), np.int64)
        order[np.concatenate([np.flatnonzero(~in_tail), np.flatnonzero(in_tail)])] = np.arange(len(rows))
        return both.take(pa.array(order))

    @classmethod
    def of(cls, labels: Sequence[str] | pa.Array) -> Vocabulary:
        """The distinct labels, sorted."""
        distinct = pc.unique(_as_strings(labels))
        return cls(distinct.take(pc.sort_indices(distinct)))

    def __len__(self) -> int:
        return len(self._base) + len(self._tail)

    def __getitem__(self, i: int) -> str:
        i = int(i) + (len(self) if i < 0 else 0)
        at = i - len(self._base)
        return str((self._base[i] if at < 0 else self._tail[at]).as_py())

    def __iter__(self) -> Iterator[str]:
        return (str(label) for label in self.labels.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.labels.equals(other.labels)

    def __hash__(self) -> int:
        return hash((len(self), self[0] if len(self) else ""))

    def __repr__(self) -> str:
        shown = ", ".join(repr(label) for label in self.labels[:3].to_pylist())
        return f"Vocabulary({len(self):,}: {shown}{', ...' if len(self) > 3 else ''})"

    def tolist(self) -> list[str]:
        """The strings."""
        return [str(label) for label in self.labels.to_pylist()]

    def to_numpy(self) -> np.ndarray:
        """The strings, shape (len(self),), dtype object."""
        return np.asarray(self.labels.to_numpy(zero_copy_only=False), dtype=object)

    def ids(self, labels: Any) -> np.ndarray:
        """Number of each label, -1 if unknown; shape (len(labels),), int64.

        Raises:
            ConfigError: A label is neither text nor a number.
        """
        if not isinstance(labels, pa.Array | pa.ChunkedArray):
            labels = as_ids(labels, "labels")
        if len(labels) <= _MAX_SINGLE_LOOKUPS:
            return self._ids_of_few(labels)
        found = pc.index_in(_as_strings(labels), value_set=self.labels)
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)

    def _ids_of_few(self, labels: Any) -> np.ndarray:
        listed = labels if isinstance(labels, list) else labels.to_pylist()
        if len(self._base) <= _MAX_DICTIONARY:
            found = np.array([self._numbers.get(label, -1) for label in listed], dtype=np.int64)
        else:
            found = self._index.places(_as_strings(labels))
        for at in np.flatnonzero(found < 0).tolist() if len(self._tail) else ():
            found[at] = self._later.get(listed[at], -1)
        return found

    def nearest(self, label: str) -> list[str]:
        """The three labels whose spelling is most similar to `label`."""
        return nearest(options.text("label", label), self.sorted_labels)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Number of each string of the base."""
        return {label: number for number, label in enumerate(self._base.to_pylist())}

    @cached_property
    def _index(self) -> StringIndex:
        """Index of the base, for sizes at which a dictionary would take long to build."""
        return StringIndex(self._base)

    @cached_property
    def _later(self) -> dict[str, int]:
        """Number of each appended string."""
        return {label: number for number, label in enumerate(self._tail.to_pylist(), len(self._base))}

    @cached_property
    def sorted_labels(self) -> list[str]:
        """The strings in alphabetical order."""
        return sorted(self)


def named(table: pa.Table) -> pa.ChunkedArray:
    """type/key of each row."""
    types, keys = (pc.cast(table[name], pa.large_string()) for name in ("type", "key"))
    return pc.binary_join_element_wise(types, keys, pa.scalar("/", pa.large_string()))


def _as_strings(labels: Any) -> pa.Array:
    if not isinstance(labels, pa.Array | pa.ChunkedArray):
        labels = _from_python(labels)
    array = pc.cast(labels, pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _from_python(labels: Any) -> pa.Array:
    """Labels as strings; labels that Arrow rejects are checked one by one, and an error names the first bad one."""
    if isinstance(labels, list):
        with suppress(pa.ArrowException, TypeError, ValueError):
            array = pa.array(labels, pa.large_string())
            if not array.null_count:
                return array
    return pa.array(as_ids(labels, "labels"), pa.large_string())
