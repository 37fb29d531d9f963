"""Events as Arrow batches, for training and for files.

Enters: events. Leaves: batches with the columns user_id, item_id, type, value and time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa

from kgrec.serve.store.records import StoredEvent

_ROWS = 20_000
SCHEMA = pa.schema(
    [
        ("user_id", pa.large_string()),
        ("item_id", pa.large_string()),
        ("type", pa.large_string()),
        ("value", pa.float64()),
        ("time", pa.timestamp("ms", "UTC")),
    ]
)


def interaction_reader(events: Iterable[StoredEvent]) -> pa.RecordBatchReader:
    """A reader of batches of at most 20,000 events."""
    return pa.RecordBatchReader.from_batches(SCHEMA, _batches(events))


def _batches(events: Iterable[StoredEvent]) -> Iterator[pa.RecordBatch]:
    remaining = iter(events)
    while part := list(islice(remaining, _ROWS)):
        columns = zip(*((e.user, e.item, e.type, e.value, e.time) for e in part), strict=True)
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
