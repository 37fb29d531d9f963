"""Batch runs: compute the parts of a query, in this process or with workers, and write them to a result file.

Enters: a model and a `BatchQuery`. Leaves: tables in the order of the names. Writes a result file, completely or not at all; until
it is complete, a `RunFolder` beside it keeps the finished parts, from which an interrupted run resumes.
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
from kgrec.arguments import options as arguments
from kgrec.encode.text import TextEncoder
from kgrec.errors import ArtifactError, ConfigError, WorkerError
from kgrec.model.model import Model
from kgrec.parallel import Executor
from kgrec.recommend.queries import Queries
from kgrec.recommend.recommender import Recommender
from kgrec.serve.batch_options import BatchOptions, RunSummary, RunWatcher
from kgrec.serve.item_fields import ItemFields
from kgrec.serve.requests import BatchQuery, Lists, slices
from kgrec.serve.result_files import OTHER_FILE, ResultWriter, metadata_of, result_file
from kgrec.serve.run_folder import KEPT, RunFolder, digest, short

#: a model folder, or a recommender
ModelSource = Recommender | str | Path
#: names per chunk of the digest of all names
_NAMES_PER_DIGEST_CHUNK = 4096


def opened(model: ModelSource) -> Recommender:
    """The recommender, loaded if `model` is a folder.

    Raises:
        ArtifactError: The folder does not exist, has another format, or is corrupt.
    """
    return model if isinstance(model, Recommender) else Recommender.load(arguments.path("model", model))


def tables(
    recommender: Recommender, lists: Lists, parts: Iterable[Any], executor: Executor
) -> Generator[tuple[int, pa.Table], None, None]:
    """Number and table of each part, in order; parts are read lazily.

    Args:
        recommender: The model.
        lists: Computes a part: a module-level function with plain values bound.
        parts: Parts, as plain values.
        executor: Runs the computations.

    Raises:
        ConfigError: Workers load the model from its folder, and the model has changed since it was saved.
        WorkerError: A worker died.
    """
    model = recommender if executor.shares_memory else ModelReference.of(recommender)
    if model is None:
        raise ConfigError(
            "Workers load the model from its folder, but the model was never saved, or has changed since.",
            "Save the recommender first.",
        )
    return executor.map(_prepared, (model, lists), parts)


def without_numbers(
    computed: Generator[tuple[int, pa.Table], None, None],
) -> Generator[pa.Table, None, None]:
    """The tables without their numbers; closing the generator stops the workers."""
    with closing(computed):
        for _, table in computed:
            yield table


def for_stream(options: BatchOptions | None) -> BatchOptions:
    """The options of a stream.

    Raises:
        ConfigError: An option applies only to result files.
    """
    given = checked(options)
    if given.resume or given.shards is not None:
        raise ConfigError("resume, shards and shard apply only to result files.", "Leave them out.")
    return given


def checked(options: BatchOptions | None) -> BatchOptions:
    """The options, or the defaults for None; ConfigError for any other value."""
    remedy = "Give kgrec.BatchOptions(batch=4096)."
    return arguments.optional("options", options, BatchOptions, remedy) or BatchOptions()


@dataclass(frozen=True)
class ModelReference:
    """A model folder, and the seal of its model; workers load the model from the folder and check the seal."""

    folder: Path
    #: hash in the manifest
    seal: str

    @classmethod
    def of(cls, recommender: Recommender) -> ModelReference | None:
        """The reference to a recommender's model; None if the model was never saved, or has changed since."""
        origin = recommender.model.origin
        if recommender.folder is None or origin is None:
            return None
        return cls(origin[0].absolute(), origin[1].seal)  # a worker may have another working directory

    def load(self) -> Recommender:
        """Load the model.

        Raises:
            ArtifactError: The folder now contains another model.
        """
        recommender = Recommender.load(self.folder)
        if ModelReference.of(recommender) != self:
            raise ArtifactError(f"{self.folder} was replaced during the run.", "Run again, without resume.")
        return recommender


def write_query(
    recommender: Recommender,
    query: BatchQuery,
    output: Path,
    options: BatchOptions,
    watcher: RunWatcher | None = None,
) -> RunSummary:
    """Compute the lists of a query and write them to a file, part by part.

    Args:
        recommender: The model.
        query: All names; with shards, this run computes the names of its shard.
        output: The result file; with shards, `options.file(output)` is written.
        options: Parts, executor, workers, resume and shards.
        watcher: Receives progress and remarks.

    Raises:
        ArtifactError: The file cannot be written, or the finished parts belong to another run.
        ConfigError: Resume or workers need a saved model, and the model has changed since it was saved.
        WorkerError: A worker died.
    """
    started, watcher, output = time.perf_counter(), watcher or RunWatcher(), options.file(output)
    query = query.shard(options.shard or 0, options.shards or 1)
    for line in query.remarks():
        watcher.note(line)
    fields = ItemFields.of(recommender.model, options.item_fields)
    fields.check(query.columns)
    folder = _folder(recommender, query, output, options)
    kept = folder.begin()
    resumed, total = min(kept * options.batch, len(query.names)), len(query.names)
    if kept:
        watcher.note(f"Resuming: {resumed:,} of {total:,} {query.noun} are done.")
    summary = RunSummary(output, query.noun, total, 0, 0, resumed, 0.0, query.skipped)
    done = _RunProgress(summary, options.batch, watcher.progress)
    with _result(folder, output, recommender, watcher, options.format) as file:
        for table in _lists(recommender, query, folder, kept, options, done):
            file.write(fields.beside(table))
    folder.remove()
    return replace(done.summary, seconds=time.perf_counter() - started)


def stream_query(
    recommender: Recommender, query: BatchQuery, options: BatchOptions
) -> Generator[pa.Table, None, None]:
    """The lists of a query, part by part, with the fields of the options.

    Raises:
        ConfigError: A field is unknown, or the lists contain users; or workers need a saved model.
    """
    fields = ItemFields.of(recommender.model, options.item_fields)
    fields.check(query.columns)
    computed = tables(recommender, query.lists, query.parts(options.batch), options.new_executor())
    return fields.beside_each(without_numbers(computed))


def _lists(
    recommender: Recommender,
    query: BatchQuery,
    folder: RunFolder,
    kept: int,
    options: BatchOptions,
    done: _RunProgress,
) -> Iterator[pa.Table]:
    """Tables of all parts: the first `kept` parts are read from the folder, the others are computed and written to it."""
    step = "reading finished parts"
    if kept:
        done.report(step)
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


class _RunProgress:
    """Counts rows and lists of a run, and reports the number of finished names."""

    def __init__(self, summary: RunSummary, batch: int, report: Callable[[str, int, int], None]) -> None:
        self.summary, self._batch, self._report, self._parts = summary, batch, report, 0

    def report(self, step: str) -> None:
        """Report the number of finished names."""
        # Each part has `batch` names; the last part may have fewer.
        self._report(step, min(self._parts * self._batch, self.summary.queries), self.summary.queries)

    def add(self, table: pa.Table, step: str) -> None:
        """Count the table of a part."""
        self._parts += 1
        # Every list with rows has exactly one row of rank 1, so these rows count the lists.
        lists = int(np.count_nonzero(table["rank"].to_numpy() == 1))
        rows, lists = self.summary.rows + len(table), self.summary.lists + lists
        self.summary = replace(self.summary, rows=rows, lists=lists)
        self.report(step)


@contextmanager
def _result(
    folder: RunFolder,
    output: Path,
    recommender: Recommender,
    watcher: RunWatcher,
    format: str | None,
) -> Iterator[ResultWriter]:
    """The result file; on an interruption, a warning names the folder of the finished parts."""
    metadata = metadata_of(stored_version(recommender), folder.began)
    metadata["kgrec.run"] = json.dumps(folder.run, ensure_ascii=False)
    try:
        with result_file(output, metadata, KEPT if folder.several else OTHER_FILE, format) as file:
            yield file
    except (KeyboardInterrupt, WorkerError):
        kept = folder.finished()
        if kept:
            watcher.warn(
                f"{kept:,} finished part{'s' * (kept > 1)} {'are' if kept > 1 else 'is'} kept in {folder.folder}; "
                "run again with resume to continue."
            )
        elif folder.several:
            folder.remove()
        raise


def _folder(recommender: Recommender, query: BatchQuery, output: Path, options: BatchOptions) -> RunFolder:
    """The folder of finished parts.

    Without a saved model nothing is kept: a later run could not check that its model is the same.
    """
    stored = ModelReference.of(recommender)
    if options.resume and stored is None:
        raise ConfigError(
            "Only runs of a saved model can be resumed, but the model was never saved, or has changed since.",
            "Save the recommender first.",
        )
    run = {
        "kgrec": __version__,
        "columns": list(query.columns),
        "model": stored and f"sha256:{stored.seal}",
        query.noun: digest(slices(query.names, _NAMES_PER_DIGEST_CHUNK)),
        "batch": options.batch,
        "shard": f"{options.shard or 0} of {options.shards or 1}",
        **{name: short(value) for name, value in (query.request.to_dict() | query.options).items()},
    }
    several = len(query.names) > options.batch and stored is not None
    return RunFolder(parts_of(output), run, several=several, resume=options.resume)


def parts_of(output: Path) -> Path:
    """The folder of the finished parts of a run that writes `output`."""
    return output.with_name(f"{output.name}.parts")


def stored_version(recommender: Recommender) -> str:
    """Time at which the model was saved; "" if it was never saved, or has changed since."""
    return recommender.model.version if recommender.folder else ""


def _prepared(model: Recommender | ModelReference, lists: Lists) -> Callable[[Any], pa.Table]:
    """A function that computes a part; a worker calls this once, and the returned function for each part."""
    return partial(lists, OneThreadQueries(model if isinstance(model, Recommender) else model.load()))


class OneThreadQueries(Queries):
    """Queries to a model with single-threaded search, regardless of `index.threads` in the configuration.

    The last digit of a score depends on the number of FAISS threads, so files would otherwise differ between machines and executors.
    """

    def __init__(self, recommender: Recommender) -> None:
        stored = recommender.model
        index = stored.config.index.model_copy(update={"threads": 1})
        config = stored.config.model_copy(update={"index": index})
        self._recommender = recommender
        self._model = replace(stored, config=config, index=stored.index.with_threads(1))

    @property
    def model(self) -> Model:
        """The model, whose index searches with one thread."""
        return self._model

    def _encoder(self, model: Model) -> TextEncoder | None:
        return self._recommender._encoder(model)
