"""Each system on each fold, kept as it ends, so that a run that was cut off goes on.

Enters: a graph divided into folds, and systems. Leaves: `Entry`s. Writes, if it is told where, a folder of answers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kgrec.errors import ArtifactError, CorruptArtifact, KgrecError
from kgrec.evaluate.benchmark.systems import System, SystemKind
from kgrec.evaluate.benchmark.task import Predictions, Task
from kgrec.evaluate.evaluation import Evaluation, pooled
from kgrec.evaluate.measure import measured
from kgrec.storage import atomic, files

logger = logging.getLogger(__name__)

#: is told which system begins, how many are over, and how many there are
OnSystem = Callable[[str, int, int], None]
_RUN = "run.json"


@dataclass(frozen=True)
class Entry:
    """One system, and how it did over all folds."""

    name: str
    kind: SystemKind
    about: str
    #: one a fold; none where it did not run
    answers: tuple[Predictions, ...] = ()
    #: over everything, without buckets; None where it did not run
    evaluation: Evaluation | None = None
    #: all figures with intervals, in buckets; see `Evaluation.frame`
    figures: pd.DataFrame | None = None
    #: why it did not run
    problem: KgrecError | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """Of CPU over all folds, by what was done."""
        names = dict.fromkeys(name for answer in self.answers for name in answer.seconds)
        return {name: sum(answer.seconds.get(name, 0) for answer in self.answers) for name in names}


class KeptEntries:
    """A folder of the answers of systems that are over; without a folder nothing is kept.

    Args:
        folder: Where; None keeps nothing.
        of: What decides the answers; those of anything else do not count.
        resume: Go on with what is there, rather than start anew.

    Raises:
        ArtifactError: What is there is of another run, or cannot be read.
    """

    def __init__(self, folder: Path | None, of: dict[str, Any], *, resume: bool = False) -> None:
        self.folder = folder
        if folder is None:
            return
        run = folder / _RUN
        if resume and run.is_file():
            if files.read_json(run) != json.loads(json.dumps(of)):
                raise ArtifactError(
                    f"{folder} is of another run: graph, protocol or options differ.",
                    "Give the options of the run that was cut off, or run without --resume, which starts anew.",
                )
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            files.write_json(of, run)
        except OSError as error:
            raise ArtifactError(
                f"{folder}: cannot be written ({error.strerror}).", "Choose another output folder."
            ) from None

    def get(self, system: System, fold: int) -> Predictions | None:
        """What was kept of a system."""
        place = self._place(system, fold)
        if place is None or not place.with_suffix(".json").is_file():
            return None
        said = files.read_json(place.with_suffix(".json"))
        try:
            with np.load(place.with_suffix(".npz"), allow_pickle=False) as arrays:
                lists = {name: arrays[f"lists{n}"] for n, name in enumerate(said.pop("names"))}
            return Predictions(lists.pop(""), lists, **said)
        except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise CorruptArtifact(
                f"{place.with_suffix('.npz')} cannot be read ({error}).", "Run without --resume."
            ) from None

    def put(self, system: System, fold: int, answer: Predictions) -> None:
        """Keep an answer; the JSON file comes last, and vouches for the other."""
        place = self._place(system, fold)
        if place is None:
            return
        lists = {"": answer.lists, **answer.among}
        named: dict[str, Any] = {f"lists{n}": array for n, array in enumerate(lists.values())}
        said = {name: value for name, value in vars(answer).items() if name not in ("lists", "among")}

        def write_lists(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **named)

        atomic.write_whole(place.with_suffix(".npz"), write_lists)
        atomic.write_whole(place.with_suffix(".json"), partial(files.write_json, {"names": [*lists], **said}))

    def remove(self) -> None:
        """When all is over."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, system: System, fold: int) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"{fold}-{hashlib.sha256(system.name.encode()).hexdigest()[:16]}"


def run_benchmark(
    questions: Sequence[Task],
    systems: Sequence[System],
    ks: Sequence[int],
    kept: KeptEntries | None = None,
    on_system: OnSystem | None = None,
    *,
    resamples: int = 1000,
) -> list[Entry]:
    """Ask every system about every fold, and measure.

    A system that cannot learn from the data has an entry that says why; the others go on.

    Args:
        questions: One a fold.
        systems: Each with a name of its own.
        ks: Lengths at which lists are measured.
        kept: Where answers are kept meanwhile.
        on_system: Is told of the progress.
        resamples: Of the intervals.

    Raises:
        UnknownId: A type of nodes by which lists are to be held against histories is not there.
        CorruptArtifact: An answer that was kept cannot be read.
    """
    kept = kept or KeptEntries(None, {})
    for question in questions:
        question.world  # noqa: B018  what is wrong with the question itself is no system's fault
    entries = []
    for number, system in enumerate(systems):
        if on_system is not None:
            on_system(system.name, number, len(systems))
        pairs = []
        try:
            for question in questions:
                answer = _answered(question, system, kept)
                pairs.append((answer, measured(question.world, answer.lists, ks, answer.among)))
        except CorruptArtifact:
            raise
        except KgrecError as error:
            logger.info("%s did not run: %s", system.name, error)
            entries.append(Entry(system.name, system.kind, system.about, problem=error))
            continue
        answers, evaluations = zip(*pairs, strict=True)
        whole = pooled(evaluations)
        figures = whole.frame(resamples=resamples)
        # buckets hold many times the memory of what is compared later
        alone = Evaluation(whole.users, {"": whole.values[""]}, {"": whole.totals[""]}, whole.lists)
        entries.append(Entry(system.name, system.kind, system.about, answers, alone, figures))
    return entries


def _answered(question: Task, system: System, kept: KeptEntries) -> Predictions:
    """What was kept of an earlier run, or else what the system says now."""
    answer = kept.get(system, question.fold.number)
    if answer is None:
        answer = system.answer(question)
        kept.put(system, question.fold.number, answer)
    return answer
