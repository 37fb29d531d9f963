"""Run every system on every fold, and keep finished predictions so that an interrupted benchmark can be resumed.

Enters: `Task`s, one per fold, and systems. Leaves: `Entry`s. Writes a folder of predictions, if one is given.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kgrec.arguments import options
from kgrec.errors import ArtifactError, ConfigError, CorruptArtifact, KgrecError, SourceError
from kgrec.evaluate.benchmark.systems import System, SystemKind
from kgrec.evaluate.benchmark.task import Predictions, Task
from kgrec.evaluate.benchmark.trade_offs import exposure_by_group, trade_offs
from kgrec.evaluate.evaluation import Evaluation, pooled
from kgrec.evaluate.measure import lengths, measure_lists
from kgrec.storage import atomic, files

logger = logging.getLogger(__name__)

#: called when a system starts on a fold, with the system, the number of the fold, and whether its predictions are already kept
OnRun = Callable[["System", int, bool], None]
_KEPT_RUN = "run.json"


@dataclass(frozen=True)
class Entry:
    """One system, with its lists and metrics on all folds."""

    name: str
    kind: SystemKind
    description: str
    #: one per fold; empty if the system failed
    predictions: tuple[Predictions, ...] = ()
    #: over all items, without buckets; None if the system failed
    evaluation: Evaluation | None = None
    #: all metrics with intervals, in buckets; see `Evaluation.frame`; None if the system failed
    metrics: pd.DataFrame | None = None
    #: metrics of lists with an option about lists as a whole; see `trade_offs`; None if the system has none
    trade_offs: pd.DataFrame | None = None
    #: shares of attention by group in these lists; see `exposure_by_group`
    exposure: list[dict[str, Any]] = field(default_factory=list)
    #: reason of the failure
    error: KgrecError | None = None

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds by stage, summed over the folds."""
        stages = dict.fromkeys(stage for one in self.predictions for stage in one.cpu_seconds)
        return {stage: sum(one.cpu_seconds.get(stage, 0) for one in self.predictions) for stage in stages}


class KeptEntries:
    """A folder with the predictions of finished systems; without a folder nothing is kept.

    Args:
        folder: Where to keep predictions; None: nowhere.
        run: Plain values that determine the predictions; predictions of another run are rejected.
        resume: Use the content of the folder; otherwise it is emptied.

    Raises:
        ArtifactError: The folder holds another run, or cannot be read or written.
    """

    def __init__(self, folder: Path | None, run: dict[str, Any], *, resume: bool = False) -> None:
        self.folder = folder
        if folder is None:
            return
        stored = folder / _KEPT_RUN
        if resume and stored.is_file():
            if files.read_json(stored) != json.loads(json.dumps(run)):
                raise ArtifactError(
                    f"{folder} holds another run: graph, protocol or options differ.",
                    "Repeat the options of the interrupted run, or run without --resume to start over.",
                )
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            files.write_json(run, stored)
        except OSError as error:
            raise ArtifactError(
                f"{folder}: cannot be written ({error.strerror}).", "Choose another output folder."
            ) from None

    def get(self, system: System, fold: int) -> Predictions | None:
        """The predictions of a system for a fold; None if they are not kept.

        Raises:
            CorruptArtifact: A file is damaged.
        """
        place = self._place(system, fold)
        if place is None or not self.has(system, fold):
            return None
        values = files.read_json(place.with_suffix(".json"))
        try:
            with np.load(place.with_suffix(".npz"), allow_pickle=False) as arrays:
                lists = {name: arrays[f"lists{n}"] for n, name in enumerate(values.pop("names"))}
                varied = {name: arrays[f"varied{n}"] for n, name in enumerate(values.pop("variants"))}
            return Predictions(lists.pop(""), lists, variants=varied, **values)
        except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise CorruptArtifact(
                f"{place.with_suffix('.npz')} cannot be read ({error}).", "Run without --resume."
            ) from None

    def has(self, system: System, fold: int) -> bool:
        """Whether predictions of a system for a fold are kept."""
        place = self._place(system, fold)
        return place is not None and place.with_suffix(".json").is_file()

    @property
    def count(self) -> int:
        """Number of kept predictions."""
        return 0 if self.folder is None else len([*self.folder.glob("*.npz")])

    def put(self, system: System, fold: int, predictions: Predictions) -> None:
        """Keep predictions. The JSON file is written last: if it exists, the arrays are complete."""
        place = self._place(system, fold)
        if place is None:
            return
        lists = {"": predictions.lists, **predictions.by_subset}
        arrays: dict[str, Any] = {f"lists{n}": array for n, array in enumerate(lists.values())}
        arrays |= {f"varied{n}": array for n, array in enumerate(predictions.variants.values())}
        stored = ("lists", "by_subset", "variants")
        values = {name: value for name, value in vars(predictions).items() if name not in stored}
        values |= {"names": [*lists], "variants": [*predictions.variants]}

        def write_arrays(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **arrays)

        atomic.write_whole(place.with_suffix(".npz"), write_arrays)
        atomic.write_whole(place.with_suffix(".json"), partial(files.write_json, values))

    def remove(self) -> None:
        """Remove the folder after the results are written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, system: System, fold: int) -> Path | None:
        """Path of the files, without a suffix; names of systems may contain any character, so they are hashed."""
        if self.folder is None:
            return None
        return self.folder / f"{fold}-{hashlib.sha256(system.name.encode()).hexdigest()[:16]}"


def run_benchmark(
    tasks: Sequence[Task],
    systems: Sequence[System],
    ks: Sequence[int],
    kept: KeptEntries | None = None,
    on_run: OnRun | None = None,
    *,
    resamples: int = 1000,
    failed: Mapping[str, KgrecError] | None = None,
) -> list[Entry]:
    """Let every system predict for every fold, and measure the lists.

    A system that raises a KgrecError gets an entry with the error; the other systems still run.

    Args:
        tasks: One per fold.
        systems: Their names must differ.
        ks: Lengths at which lists are measured, each at most `Task.k`.
        kept: Where predictions are kept until all systems are finished; None: nowhere.
        on_run: Called when a system starts on a fold.
        resamples: Number of bootstrap resamples for the intervals.
        failed: Name of a system -> its error, for systems that failed in workers (`predict_by_workers`): they are not tried again.

    Returns:
        One entry per system, in the order of `systems`.

    Raises:
        UnknownId: The graph has no node of a type in `Task.classes`.
        CorruptArtifact: Kept predictions cannot be read.
        ConfigError: Two systems have the same name, a length exceeds that of a task, or an argument has the wrong type.
    """
    tasks, systems = _checked(tasks, systems)
    ks = lengths("ks", ks, min(task.k for task in tasks))
    options.whole_number("resamples", resamples, least=0)
    options.callback("on_run", on_run, "a system and a fold, as OnRun has them")
    kept = kept or KeptEntries(None, {})
    for task in tasks:
        task.ground_truth  # noqa: B018  an error in the task itself must not be blamed on a system
    entries = []
    for system in systems:
        try:
            if failed and system.name in failed:
                raise failed[system.name]
            entries.append(_entry(tasks, system, ks, kept, on_run, resamples))
        except CorruptArtifact:
            raise
        except KgrecError as error:
            logger.info("%s failed: %s", system.name, error)
            entries.append(Entry(system.name, system.kind, system.description, error=error))
    return entries


def _checked(tasks: Any, systems: Any) -> tuple[list[Task], list[System]]:
    tasks = [tasks] if isinstance(tasks, Task) else options.sequence("tasks", tasks, "a list of tasks")
    for at, task in enumerate(tasks):
        options.instance(f"tasks[{at}]", task, Task, "Give Task(fold, k=20).")
    systems = options.sequence("systems", systems, "a list of systems, such as [Kgrec(Config())]")
    for at, system in enumerate(systems):
        if isinstance(system, type) or not callable(getattr(system, "predict", None)):
            raise ConfigError(
                f"systems[{at}] is {options.shown(system)}.", "Give an object with a method predict(task)."
            )
    names = [system.name for system in systems]
    if len(set(names)) < len(names) or not tasks or not systems:
        what = (
            "tasks is empty"
            if not tasks
            else "systems is empty"
            if not systems
            else "Two of the systems have the same name"
        )
        raise ConfigError(f"{what}.", "Give at least one task, and systems with names of their own.")
    return tasks, systems


def check_rows(task: Task, predictions: Predictions) -> None:
    """Raise an error for a system's lists that are not rows of items: metrics would read other items, or none."""
    n_users, n_items = len(task.fold.test.users), len(task.fold.source.item_ids)
    for lists in (predictions.lists, *predictions.by_subset.values()):
        is_rows = isinstance(lists, np.ndarray) and lists.ndim == 2 and lists.dtype.kind in "iu"
        if (
            not is_rows
            or len(lists) != n_users
            or (lists.size and not -1 <= lists.min() <= lists.max() < n_items)
        ):
            raise SourceError(
                "The lists are not rows of items: one list per test user is needed, padded with -1.",
                f"Give an array of whole numbers below {n_items:,}, of shape ({n_users}, k).",
            )


def _entry(
    tasks: Sequence[Task],
    system: System,
    ks: Sequence[int],
    kept: KeptEntries,
    on_run: OnRun | None,
    resamples: int,
) -> Entry:
    """Predict and measure on all folds."""
    predictions, evaluations = [], []
    for task in tasks:
        if on_run is not None:
            on_run(system, task.fold.number, kept.has(system, task.fold.number))
        predictions.append(_predictions(task, system, kept))
        lists, by_subset = predictions[-1].lists, predictions[-1].by_subset
        evaluations.append(measure_lists(task.ground_truth, lists, ks, by_subset))
    whole = pooled(evaluations)
    metrics = whole.frame(resamples=resamples)
    # comparisons need no buckets, which take many times the memory
    overall = Evaluation(whole.users, {"": whole.values[""]}, {"": whole.totals[""]}, whole.lists)
    entry = Entry(system.name, system.kind, system.description, tuple(predictions), overall, metrics)
    chosen = getattr(system, "variants", ())
    if not chosen:
        return entry
    return replace(
        entry,
        trade_offs=trade_offs(tasks, predictions, chosen, ks),
        exposure=exposure_by_group(tasks[0], predictions[0], chosen),
    )


def _predictions(task: Task, system: System, kept: KeptEntries) -> Predictions:
    """Predictions kept from an interrupted run, or otherwise new ones, which are then kept."""
    predictions = kept.get(system, task.fold.number)
    if predictions is None:
        predictions = system.predict(task)
        check_rows(task, predictions)
        kept.put(system, task.fold.number, predictions)
    return predictions
