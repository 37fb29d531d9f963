"""What the values of a column, and the objects of a predicate, may refer to.

Enters: tables with their keys, types of RDF, IRIs. Leaves: `Known`, which columns.py and predicates.py ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from kgrec.ingest.draft.classes import NodeType
from kgrec.ingest.draft.joins import Below
from kgrec.ingest.draft.sample import Sample
from kgrec.ingest.draft.values import distinct, overlap

_NOTHING = pa.array([], pa.large_string())
#: share of the values that must be names of RDF's nodes, or as many
_SHARE, _MANY = 0.2, 10


@dataclass(frozen=True)
class Known:
    """What there is to refer to."""

    tables: Sequence[Sample]
    types: Sequence[NodeType] = ()
    #: IRIs that RDF says something about
    subjects: pa.Array = field(default_factory=lambda: _NOTHING)
    #: IRIs that tables have
    of_tables: pa.Array = field(default_factory=lambda: _NOTHING)
    #: IRIs of RDF below the mapping's base
    below: Sequence[Below] = ()

    @property
    def taken(self) -> set[str]:
        """Types with keys of their own, which mere values are not."""
        return {table.type for table in self.tables} | {type_.name for type_ in self.types}

    def type_by_keys(self, values: pa.Array) -> str | None:
        """The type of RDF's nodes that some names are keys of, below the mapping's base; tables have keys themselves."""
        ours = [table.type for table in self.tables]
        shares = {one.type: overlap(values, one.keys) for one in self.below if one.type not in ours}
        best = max(shares, key=lambda name: shares[name], default=None)
        if best is None or shares[best] < min(_SHARE, _MANY / max(1, distinct(values))):
            return None
        return best
