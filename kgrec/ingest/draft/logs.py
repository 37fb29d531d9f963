"""The columns of a log of interactions.

Enters: a `Sample` of a log. Leaves: its lines of kgrec.yaml, with reasons.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from kgrec.ingest import cells
from kgrec.ingest.draft.files import TIME, USER, VALUE, first_like, named_item
from kgrec.ingest.draft.lines import quoted
from kgrec.ingest.draft.sample import Sample


def log_lines(log: Sample) -> Iterator[str]:
    """What stands under `interactions:`."""
    names = list(log.columns)
    roles = {"user": first_like(names, USER), "item": log.item}
    rest = [name for name in names if name not in roles.values()]
    roles["value"], roles["time"] = first_like(rest, VALUE), first_like(rest, TIME)
    yield "interactions:"
    yield f"  file: {quoted(log.source.name)}"
    for role, name in roles.items():
        if name is not None:
            keys = role == "item" and not named_item(log)
            why = (
                "its values are keys of the items"
                if keys
                else "its name says so, in a file of users and items"
            )
            log.why(name, role, why)
            yield f"  {role}: {quoted(name)}"
    if roles["value"] is not None and (positive := _positive(log.columns[roles["value"]])) is not None:
        log.why(roles["value"], f"positive: {positive}", "it looks like stars from 1 to 5")
        yield f"  positive: {quoted(positive)}"


def _positive(values: pa.Array) -> str | None:
    _, numbers, bad = cells.numbers(values)
    if len(bad) or not len(numbers) or numbers.max() != 5 or numbers.min() < 0:
        return None
    return ">= 4"
