"""Types of nodes that are not linked to the items.

Enters: entities and triples. Leaves: a sentence for each such type, because its nodes have no effect on recommendations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def unconnected(entities: pa.Table, triples: pa.Table, item_types: Sequence[str]) -> Iterator[str]:
    """A sentence for each type whose nodes have no edge, or no path of edges from the items, by type.

    Args:
        entities: Has the column `type`.
        triples: Has the columns `head` and `tail`.
        item_types: The types that are items.
    """
    encoded = pc.dictionary_encode(pc.cast(entities["type"], pa.string())).combine_chunks()
    types = encoded.dictionary.to_pylist()
    type_of = encoded.indices.to_numpy(zero_copy_only=False)
    ends = [type_of[triples[name].to_numpy()].astype(np.int64) for name in ("head", "tail")]
    pairs = np.unique(ends[0] * len(types) + ends[1]) if len(triples) else np.empty(0, dtype=np.int64)
    links = {(int(pair) // len(types), int(pair) % len(types)) for pair in pairs}
    linked = {code for pair in links for code in pair}
    reached = _reached({types.index(name) for name in item_types if name in types}, links)
    counts = np.bincount(type_of, minlength=len(types))
    for code, name in sorted(enumerate(types), key=lambda pair: pair[1]):
        if name in item_types:
            if len(types) > 1 and code not in linked:
                yield f"no node of type '{name}' has an edge: knowledge about the other types does not reach these items."
        elif code not in linked:
            yield f"none of the {counts[code]:,} nodes of type '{name}' has an edge: {_REMEDY}"
        elif code not in reached:
            yield f"no edges lead from the items to the {counts[code]:,} nodes of type '{name}': {_REMEDY}"


_REMEDY = "link them by `edges:`, or by a column with the role `ref`, or leave the table out."


def _reached(start: set[int], links: set[tuple[int, int]]) -> set[int]:
    """The types that a path of links connects with `start`, in either direction."""
    reached, before = start, -1
    while len(reached) != before:
        before = len(reached)
        reached = reached | {code for pair in links if reached & set(pair) for code in pair}
    return reached
