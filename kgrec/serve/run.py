"""Computing the parts of a query, here or by workers, and writing them to a file that can be resumed.

Enters: a model and a `BatchQuery`. Leaves: tables in the order of the names. Writes a result file, whole or not at all, and
beside it a `RunFolder` until it is whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec._version import __version__
from kgrec.encode.text import TextEncoder
from kgrec.errors import ArtifactError, ConfigError, WorkerError
from kgrec.model.model import Model
from kgrec.parallel import Executor
from kgrec.recommend.queries import Queries
from kgrec.recommend.recommender import Recommender
from kgrec.serve.options import BatchOptions, RunSummary, RunWatcher
from kgrec.serve.requests import BatchQuery, Lists, slices
from kgrec.serve.result_files import OTHER_FILE, ResultWriter, metadata_of, result_file
from kgrec.serve.run_folder import KEPT, RunFolder, digest, short

#: a model folder, or a recommender
ModelSource = Recommender | str | Path
#: names that are hashed at a time
_HASHED = 4096


def opened(model: ModelSource) -> Recommender:
    """The recommender, or the one that a folder holds.

    Raises:
        ArtifactError: The folder is not there, of another version, or corrupt.
    """
    return model if isinstance(model, Recommender) else Recommender.load(model)


def tables(
    recommender: Recommender, lists: Lists, parts: Iterable[Any], executor: Executor
) -> Generator[tuple[int, pa.Table], None, None]:
    """Number and table of each part, in their order; parts are drawn as they are needed.

    Args:
        recommender: Has the model.
        lists: A function of a module that computes a part, plain values bound.
        parts: Plain values.
        executor: Computes them.

    Raises:
        ConfigError: Workers need the model's folder, and it does not hold the model as it is.
        WorkerError: A worker died.
    """
    model = recommender if executor.shares_memory else StoredModel.of(recommender)
    if model is None:
        raise ConfigError(
            "Workers load the model from its folder, which does not hold it as it is now.",
            "Save the recommender first.",
        )
    return executor.map(_prepared, (model, lists), parts)


def without_numbers(
    computed: Generator[tuple[int, pa.Table], None, None],
) -> Generator[pa.Table, None, None]:
    """The tables alone; closing the generator ends the workers."""
    with closing(computed):
        for _, table in computed:
            yield table


def for_stream(options: BatchOptions | None) -> BatchOptions:
    """The options of a stream; ConfigError when some of them need a file of lists."""
    options = options or BatchOptions()
    if options.resume or options.shards is not None:
        raise ConfigError("resume, shards and shard apply to files of lists.", "Leave them out.")
    return options


@dataclass(frozen=True)
class StoredModel:
    """A model folder, and which model it held when the run began: what workers get."""

    folder: Path
    #: of the manifest
    seal: str

    @classmethod
    def of(cls, recommender: Recommender) -> StoredModel | None:
        """The folder of a recommender; None when it does not hold the model as it is now."""
        origin = recommender.model.origin
        return None if recommender.folder is None or origin is None else cls(origin[0], origin[1].seal)

    def load(self) -> Recommender:
        """Read the folder; ArtifactError when it holds another model by now."""
        recommender = Recommender.load(self.folder)
        if StoredModel.of(recommender) != self:
            raise ArtifactError(f"{self.folder} was replaced during the run.", "Run again, without resume.")
        return recommender


def write_query(
    recommender: Recommender,
    query: BatchQuery,
    output: Path,
    options: BatchOptions,
    watcher: RunWatcher | None = None,
) -> RunSummary:
    """Compute the lists of a query into a file, one part after the other.

    Args:
        recommender: Has the model.
        query: All names; with shards, this run computes its share.
        output: The file; with shards, `options.file(output)` is written.
        options: Parts, executor, workers, resume and shards.
        watcher: Receives progress and remarks.

    Raises:
        ArtifactError: The file cannot be written, or the finished parts belong to another run.
        ConfigError: The model has to be in its folder for resume or workers, and is not.
        WorkerError: A worker died.
    """
    started, watcher, output = time.perf_counter(), watcher or RunWatcher(), options.file(output)
    query = query.shard(options.shard or 0, options.shards or 1)
    for line in query.remarks():
        watcher.note(line)
    folder = _folder(recommender, query, output, options)
    kept = folder.begin()
    resumed, total = min(kept * options.batch, len(query.names)), len(query.names)
    if kept:
        watcher.note(f"Resuming: {resumed:,} of {total:,} {query.noun} are done.")
    summary = RunSummary(output, query.noun, total, 0, 0, resumed, 0.0, query.skipped)
    done = _Progress(summary, options.batch, watcher.progress)
    with _result(folder, output, recommender, watcher) as file:
        for table in _lists(recommender, query, folder, kept, options, done):
            file.write(table)
    folder.remove()
    return replace(done.summary, seconds=time.perf_counter() - started)


def _lists(
    recommender: Recommender,
    query: BatchQuery,
    folder: RunFolder,
    kept: int,
    options: BatchOptions,
    done: _Progress,
) -> Iterator[pa.Table]:
    """Tables of all parts: the `kept` first ones from the folder, the others computed and put there."""
    done.report(step := "reading finished parts")
    for number in range(kept):
        table = folder.read(number)
        yield table
        done.add(table, step)
    done.report(step := "computing lists")
    parts = query.parts(options.batch, kept)
    with closing(tables(recommender, query.lists, parts, options.new_executor())) as computed:
        for number, table in computed:
            folder.keep(kept + number, table)
            yield table
            done.add(table, step)


class _Progress:
    """Counts the tables of a run."""

    def __init__(self, summary: RunSummary, batch: int, report: Callable[[str, int, int], None]) -> None:
        self.summary, self._batch, self._report, self._parts = summary, batch, report, 0

    def report(self, step: str) -> None:
        """Report how many names are finished."""
        self._report(step, min(self._parts * self._batch, self.summary.queries), self.summary.queries)

    def add(self, table: pa.Table, step: str) -> None:
        """Count the table of a part."""
        self._parts += 1
        # Scores fall with the rank, so a list that has rows has the first.
        lists = int(np.count_nonzero(table["rank"].to_numpy() == 1))
        rows, lists = self.summary.rows + len(table), self.summary.lists + lists
        self.summary = replace(self.summary, rows=rows, lists=lists)
        self.report(step)


@contextmanager
def _result(
    folder: RunFolder, output: Path, recommender: Recommender, watcher: RunWatcher
) -> Iterator[ResultWriter]:
    """The result file; after an interruption, a warning says where the finished parts are."""
    metadata = metadata_of(stored_version(recommender), folder.began)
    metadata["kgrec.run"] = json.dumps(folder.run, ensure_ascii=False)
    try:
        with result_file(output, metadata, KEPT if folder.several else OTHER_FILE) as file:
            yield file
    except (KeyboardInterrupt, WorkerError):
        if folder.several:
            watcher.warn(f"Finished parts are kept in {folder.folder}; run again with resume to continue.")
        raise


def _folder(recommender: Recommender, query: BatchQuery, output: Path, options: BatchOptions) -> RunFolder:
    """The folder of finished parts.

    A model that is not stored has none: no later run could tell that its model is the same.
    """
    stored = StoredModel.of(recommender)
    if options.resume and stored is None:
        raise ConfigError(
            "A run is resumed with the model in its folder, which does not hold it as it is now.",
            "Save the recommender first.",
        )
    run = {
        "kgrec": __version__,
        "columns": list(query.columns),
        "model": stored and f"sha256:{stored.seal}",
        query.noun: digest(slices(query.names, _HASHED)),
        "batch": options.batch,
        "shard": f"{options.shard or 0} of {options.shards or 1}",
        **{name: short(value) for name, value in (query.request.to_dict() | query.options).items()},
    }
    several = len(query.names) > options.batch and stored is not None
    return RunFolder(output.with_name(f"{output.name}.parts"), run, several=several, resume=options.resume)


def stored_version(recommender: Recommender) -> str:
    """When the model was written, "" when it is not stored as it is."""
    return recommender.model.version if recommender.folder else ""


def _prepared(model: Recommender | StoredModel, lists: Lists) -> Callable[[Any], pa.Table]:
    """A worker: computes parts by the model."""
    return partial(lists, _OneThread(model if isinstance(model, Recommender) else model.load()))


class _OneThread(Queries):
    """Queries to a model, searched with one thread, whatever `index.threads` and the machine say.

    The last digit of a score depends on the number of FAISS's threads, so files would differ between machines and executors.
    """

    def __init__(self, recommender: Recommender) -> None:
        stored = recommender.model
        index = stored.config.index.model_copy(update={"threads": 1})
        config = stored.config.model_copy(update={"index": index})
        self._recommender = recommender
        self._model = replace(stored, config=config, index=stored.index.with_threads(1))

    @property
    def model(self) -> Model:
        return self._model

    def _encoder(self, model: Model) -> TextEncoder | None:
        return self._recommender._encoder(model)
