"""Predictions of a benchmark, computed by workers: a part is one system on one fold.

Enters: a graph folder and a split folder, which every worker reads, and systems. Leaves: predictions in a `KeptEntries`, and the
errors of systems that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.errors import KgrecError
from kgrec.evaluate.benchmark.run import KeptEntries, check_rows
from kgrec.evaluate.benchmark.systems import System
from kgrec.evaluate.benchmark.task import Predictions, Task
from kgrec.evaluate.splits import load_folds
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.parallel import Executor

#: called with the number of computed predictions, and the total
OnPredicted = Callable[[int, int], None]
#: callbacks of systems, which stay in the caller's process
_CALLBACKS = ("on_text", "on_epoch", "on_stage")


@dataclass(frozen=True)
class TaskFolders:
    """Folders and options from which a worker makes the tasks of a benchmark."""

    graph: Path
    #: written by `save_folds`
    split: Path
    #: like `Task.k` and `Task.classes`
    k: int
    classes: tuple[str, ...]
    text: TextConfig

    def tasks(self) -> list[Task]:
        """The tasks, one per fold.

        Raises:
            ArtifactError: A folder cannot be read.
        """
        encoder = None if self.text.model == "none" else SentenceEncoder(self.text)
        folds = load_folds(KnowledgeGraph.load(self.graph), self.split)
        return [Task(fold, self.k, self.classes, encoder) for fold in folds]


def predict_by_workers(
    executor: Executor,
    folders: TaskFolders,
    systems: Sequence[System],
    folds: int,
    kept: KeptEntries,
    on_predicted: OnPredicted | None = None,
) -> dict[str, KgrecError]:
    """Compute the predictions that are not yet kept, and keep them.

    Args:
        executor: Computes them; each of its workers reads the folders once.
        folders: Read by every worker.
        systems: Plain values, except for callbacks, which workers do not call.
        folds: Number of folds.
        kept: Where predictions are kept.
        on_predicted: Called after each prediction.

    Returns:
        Name of a system -> its first error, for systems that failed.

    Raises:
        WorkerError: A worker died; predictions finished before are kept.
    """
    missing = [(system, fold) for system in systems for fold in range(folds) if not kept.has(system, fold)]
    failed: dict[str, KgrecError] = {}
    parts = [(_without_callbacks(system), fold) for system, fold in missing]
    with closing(executor.map(_predictor, (folders,), parts)) as computed:
        for number, result in computed:
            system, fold = missing[number]
            if isinstance(result, KgrecError):
                failed.setdefault(system.name, result)
            else:
                kept.put(system, fold, result)
            if on_predicted is not None:
                on_predicted(number + 1, len(missing))
    return failed


def _predictor(folders: TaskFolders) -> Callable[[tuple[System, int]], Predictions | KgrecError]:
    """The function that computes a part; it returns an error of a system as its result, so that the others still run."""
    tasks = folders.tasks()

    def predictions(part: tuple[System, int]) -> Predictions | KgrecError:
        system, fold = part
        try:
            predicted = system.predict(tasks[fold])
            check_rows(tasks[fold], predicted)
            return predicted
        except KgrecError as error:
            return error

    return predictions


def _without_callbacks(system: Any) -> Any:
    names = {field.name for field in fields(system)}
    return replace(system, **{name: None for name in _CALLBACKS if name in names})
