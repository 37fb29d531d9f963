"""How the nodes of RDF and those of tables become one.

Enters: IRIs of RDF, and the keys of a table or of the log. Leaves: a `base:` by which IRIs name types and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.ingest import cells
from kgrec.ingest.draft.names import singular
from kgrec.ingest.draft.values import numbers_of, overlap
from kgrec.roles import is_type_name

#: base, type and key of an IRI
_BELOW = r"^(?P<type>https?://[^#?]*/[^/#?]+)/(?P<key>[^/#?]+)$"
#: share of the keys that IRIs must end in, where the type is called as the table is, and where it is not
_SHARE, _OTHERWISE = 0.02, 0.5


@dataclass(frozen=True)
class Below:
    """IRIs that are a base, a type, a slash and a key."""

    base: str
    type: str
    #: decoded, each once
    keys: pa.Array


def all_below(iris: pa.Array) -> list[Below]:
    """The IRIs by what they begin with, where that can be a base and a type."""
    parts = pc.extract_regex(iris, _BELOW)
    parts = parts.filter(parts.is_valid())
    codes, names = cells.encode(parts.field("type"))
    found = []
    for code, name in enumerate(names):
        base, _, type_ = name.rpartition("/")
        keys = parts.field("key").filter(pa.array(np.asarray(codes == code))).to_pylist()
        if is_type_name(type_):
            found.append(Below(f"{base}/", type_, pa.array(sorted(set(map(unquote, keys))), pa.string())))
    return found


def joining(keys: pa.Array, type_: str, below: Sequence[Below]) -> Below | None:
    """Those of the IRIs that end in the most of some keys, if in enough of them; `type_` is what the keys are of.

    Nodes of all kinds are numbered alike: where the keys are numbers, the type must be called so, or be the only one.
    """
    shares = [(overlap(keys, one.keys), one) for one in below]
    named = [(share, one) for share, one in shares if share >= _SHARE and singular(one.type) == type_]
    others = [(share, one) for share, one in shares if share >= _OTHERWISE]
    if not named and len(others) > 1 and numbers_of(keys) is not None:
        return None
    return max(named or others, key=lambda fit: fit[0], default=(0.0, None))[1]
