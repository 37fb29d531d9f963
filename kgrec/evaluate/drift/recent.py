"""Training interactions of a model and recent interactions, as rows of one numbering.

Enters: a `Model`, and a table or a frame of recent interactions. Leaves: two `Sample`s, and counts of what was left out. Nothing is written.

Unlike `read_interaction_updates`, this keeps interactions with items that the model does not know: their number is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.errors import SourceError
from kgrec.graph.interactions import Interactions
from kgrec.graph.live_histories import LiveHistories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.build_report import Report
from kgrec.model.interaction_updates import item_names_by, opened, read_log
from kgrec.model.model import Model

#: a log that ends before 1980 probably does not count seconds
_EARLY = 315_532_800


@dataclass(frozen=True)
class Sample:
    """Positive interactions; each pair of user and item occurs once. All arrays have the shape (n,)."""

    #: int64; rows of the model's users; larger numbers are users that the model does not know
    user: np.ndarray
    #: int64; the same for items
    item: np.ndarray
    #: int64, seconds since 1970, all above 0; None: some times are unknown
    time: np.ndarray | None

    def __len__(self) -> int:
        return len(self.user)

    def rows(self, chosen: np.ndarray) -> Sample:
        """A subset of the rows, by mask or positions."""
        time = None if self.time is None else self.time[chosen]
        return Sample(self.user[chosen], self.item[chosen], time)

    def is_in(self, other: Sample) -> np.ndarray:
        """Whether each pair of user and item is in another sample; shape (n,), bool."""
        # larger than the number of items in both, so that each pair has its own number
        size = 1 + max(self.item.max(initial=0), other.item.max(initial=0))
        return np.isin(self.user * size + self.item, other.user * size + other.item)


@dataclass(frozen=True)
class Recent:
    """Recent interactions."""

    sample: Sample
    report: Report
    #: name of the file -> SHA-256; empty for a frame
    inputs: dict[str, str]


def learned_sample(model: Model) -> Sample:
    """The positive interactions that the model has."""
    histories = LiveHistories.of(model.histories).whole
    liked = histories.positive
    user, item = histories.users()[liked].astype(np.int64), histories.item[liked].astype(np.int64)
    return Sample(user, item, _known(None if histories.time is None else histories.time[liked]))


def read_recent(model: Model, rows: Any) -> Recent:
    """Read recent interactions.

    Args:
        model: Its mapping names the columns, and decides which rows are positive.
        rows: As in `Recommender.add_interactions`; items may be unknown.

    Raises:
        SourceError: A column is missing, or no interaction is positive.
        TooManyBadRows: More than half of the rows are bad, or more than the mapping allows if its limit is higher.
    """
    report, inputs = Report(), dict[str, str]()
    if isinstance(rows, Interactions):
        log, place = rows, "interactions"
        counts = report.file(place)
        counts.rows = counts.used = len(rows)
    else:
        log, place, inputs = _read(model, rows, report)
    kept = log.rows(log.positive)
    if not len(kept):
        raise SourceError(
            f"{place} has no positive interactions in {report.file(place).rows:,} rows.",
            "Give one user and one item per row, and check the rule `positive` of the mapping.",
        )
    users, items = (
        _numbers(known, names, codes)
        for known, names, codes in (
            (model.users, kept.users, kept.user),
            (model.items.ids, kept.items, kept.item),
        )
    )
    return Recent(Sample(users, items, _known(kept.time)), report, inputs)


@dataclass
class _GrowingItems:
    """Codes of items by name; an unknown name gets the next code."""

    model: Model
    reference: str | None
    unknown: dict[str, int] = field(default_factory=dict)

    def __call__(self, keys: pa.Array) -> np.ndarray:
        names = item_names_by(self.model, self.reference, keys.to_pylist())
        codes = self.model.items.rows(names).astype(np.int64)
        for at in np.flatnonzero(codes < 0).tolist():
            codes[at] = self.unknown.setdefault(names[at], len(self.model.items) + len(self.unknown))
        return codes


def _read(model: Model, rows: Any, report: Report) -> tuple[Interactions, str, dict[str, str]]:
    table, mapped, inputs = opened(model, rows)
    codes = _GrowingItems(model, mapped.item_reference)
    log = read_log(table, mapped, model, report, codes)
    items = model.items.ids.extended(list(codes.unknown)) if codes.unknown else model.items.ids
    read = Interactions.from_log(log, items)
    report.repeated_pairs = sum(map(len, log.user)) - len(read)
    return read, table.name, inputs


def _numbers(known: Vocabulary, names: Vocabulary, codes: np.ndarray) -> np.ndarray:
    """Numbers of users or items; unknown ones follow the known ones."""
    present = np.unique(codes)
    numbers = np.full(len(names), -1, np.int64)
    numbers[present] = known.ids(names.take(present))
    new = present[numbers[present] < 0]
    numbers[new] = len(known) + np.arange(len(new))
    return np.asarray(numbers[codes])


def _known(time: np.ndarray | None) -> np.ndarray | None:
    """Times, if every row has one and they count seconds."""
    return None if time is None or not len(time) or time.min() <= 0 or time.max() < _EARLY else time
