"""Look-up of entities by type and key in a sorted table, such as that of a graph that was built.

Enters: a table of entities. Leaves: rows. Nothing is written.

A binary search reads about twenty keys per name; a scan would read those of the whole table.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class SortedNames:
    """Rows of entities that form one block per type, sorted by key."""

    _keys: pa.StringArray
    #: first row and end of each type
    _blocks: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, entities: pa.Table) -> SortedNames | None:
        """The look-up of a table with the columns type and key; None if it is not sorted, or a type has several blocks."""
        types, keys = (pc.cast(entities[name], pa.string()).combine_chunks() for name in ("type", "key"))
        if not len(keys):
            return cls(keys, {})
        same = pc.equal(types[1:], types[:-1]).to_numpy(zero_copy_only=False)
        rising = pc.less(keys[:-1], keys[1:]).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.flatnonzero(~same) + 1]).tolist()
        names = types.take(pa.array(starts)).to_pylist()
        if len(set(names)) < len(names) or not rising[same].all():
            return None
        return cls(keys, dict(zip(names, zip(starts, [*starts[1:], len(keys)], strict=True), strict=True)))

    def row(self, type_: str, key: str) -> int:
        """Row of an entity, -1 if it is absent."""
        start, end = self._blocks.get(type_, (0, 0))
        # Python strings and Arrow strings sort alike: code points have the same order as their UTF-8 bytes
        at = bisect_left(range(start, end), key, key=lambda row: self._keys[row].as_py()) + start
        return at if at < end and self._keys[at].as_py() == key else -1
