"""Scores of many pairs of a user and an item, from a table to a file.

Enters: a model folder or a `Recommender`, a table of pairs, a `Request`. Leaves: their scores in the order of the rows. Writes a
result file, completely or not at all. Memory holds the model and one part of the rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.arguments import options
from kgrec.errors import UnknownId, did_you_mean
from kgrec.ingest.batches import Batch
from kgrec.ingest.table_files import frame_table
from kgrec.model.model import Model
from kgrec.recommend.queries import Queries
from kgrec.recommend.request import OF_LISTS, Request
from kgrec.serve.batch_options import RunWatcher
from kgrec.serve.batch_run import ModelSource, opened, stored_version
from kgrec.serve.option_files import ITEM, USER, whole_batches
from kgrec.serve.option_files import opened as opened_table
from kgrec.serve.result_files import check_result, metadata_of, result_file


@dataclass(frozen=True)
class ScoreSummary:
    """Figures about the result of scoring pairs."""

    output: Path
    #: rows of the table
    pairs: int
    #: number of rows that were scored and written
    rows: int
    #: wall-clock seconds
    seconds: float
    #: plural noun -> distinct unknown ids, whose pairs were skipped
    skipped: dict[str, list[str]] = field(default_factory=dict)


def write_scores(
    model: ModelSource,
    output: str | Path,
    pairs: Any,
    *,
    request: Request | None = None,
    watcher: RunWatcher | None = None,
) -> ScoreSummary:
    """Write the scores of pairs to a file: columns user_id, item_id and score, in the order of the rows.

    Args:
        model: A model folder, or a recommender.
        output: A file that ends in .parquet, .csv or .jsonl.
        pairs: The path of a table, or a frame, with columns user_id and item_id, or those of the mapping's log.
        request: Boosts, and whether unknown ids are skipped.
        watcher: Receives progress.

    Raises:
        UnknownId: A user or an item is unknown; the error names file and line, and nothing is written.
        SourceError: The table cannot be read, or has an empty cell.
        ConfigError: The request has options about lists.
        ArtifactError: The file cannot be written.
    """
    started, output = time.perf_counter(), options.path("output", output)
    watcher = (
        options.optional("watcher", watcher, RunWatcher, "Give kgrec.RunWatcher(progress=...).")
        or RunWatcher()
    )
    check_result(output)
    recommender = opened(model)
    summary = ScoreSummary(output, 0, 0, 0.0)
    with result_file(output, metadata_of(stored_version(recommender), datetime.now(UTC))) as file:
        for part in _parts(recommender, pairs, _checked(request)):
            file.write(part.scores)
            summary = part.added_to(summary)
            watcher.progress("scoring pairs", summary.pairs, summary.pairs)
    return replace(summary, seconds=time.perf_counter() - started)


def stream_scores(model: ModelSource, pairs: Any, *, request: Request | None = None) -> Iterator[pa.Table]:
    """The scores of pairs as Arrow tables, one per part of the rows, each computed when it is read; otherwise like `write_scores`."""
    return (part.scores for part in _parts(opened(model), pairs, _checked(request)))


def _checked(request: Request | None) -> Request:
    return options.optional("request", request, Request, "Give kgrec.Request(item_boost={...}).") or Request()


@dataclass(frozen=True)
class _Part:
    """Some rows of a table of pairs."""

    #: rows of the table
    rows: int
    #: columns user_id, item_id, score
    scores: pa.Table
    #: plural noun -> unknown ids
    unknown: dict[str, list[str]]

    def added_to(self, summary: ScoreSummary) -> ScoreSummary:
        """The summary with the counts of this part."""
        skipped = {
            noun: list(dict.fromkeys([*summary.skipped.get(noun, ()), *self.unknown.get(noun, ())]))
            for noun in summary.skipped.keys() | self.unknown.keys()
        }
        return replace(
            summary,
            pairs=summary.pairs + self.rows,
            rows=summary.rows + len(self.scores),
            skipped=dict(sorted(skipped.items())),
        )


def _parts(queries: Queries, pairs: Any, request: Request) -> Iterator[_Part]:
    """The parts of a table; one empty part if it has no rows."""
    request.refuse(OF_LISTS, "pairs")
    names = _names(queries.model)
    if isinstance(pairs, str | Path):
        table = opened_table(Path(pairs))
    else:
        table = frame_table(pairs, "pairs", [name for pair in names for name in pair])
    columns = next((pair for pair in names if set(pair) <= set(table.columns)), (USER, ITEM))
    empty = True
    for batch in whole_batches(table, columns):
        empty = False
        named = batch.columns[columns[0]], batch.columns[columns[1]]
        unknown = _unknown(queries.model, batch, named, request)
        yield _Part(len(batch), queries.score_pairs(*named, request=request, arrow=True), unknown)
    if empty:
        yield _Part(0, queries.score_pairs([], [], request=request, arrow=True), {})


def _names(model: Model) -> list[tuple[str, str]]:
    """Valid names of the user and item columns."""
    return [(USER, ITEM), *((mapped.user, mapped.item_column) for mapped in model.mapping.interactions)]


def _unknown(
    model: Model, batch: Batch, named: tuple[pa.Array, pa.Array], request: Request
) -> dict[str, list[str]]:
    """Plural noun -> distinct unknown ids; UnknownId with file and line unless unknown ids are skipped."""
    found = {}
    known = {"user": (model.users.ids, model.users), "item": (model.items.rows, model.items.ids)}
    for (what, (rows_of, vocabulary)), ids in zip(known.items(), named, strict=True):
        listed = ids.to_pylist()
        unknown = np.flatnonzero(rows_of(listed) < 0)
        if len(unknown) and request.on_unknown == "raise":
            place, name = next(batch.places(unknown)), listed[unknown[0]]
            remedy = did_you_mean(name, vocabulary.sorted_labels)
            raise UnknownId(f"{place}: there is no {what} '{name}' in the model.", remedy)
        if len(unknown):
            found[f"{what}s"] = list(dict.fromkeys(listed[at] for at in unknown.tolist()))
    return found
