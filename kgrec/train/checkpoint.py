"""Checkpoints: the state of an unfinished training, from which an interrupted one resumes.

Enters: the state of a running training. Leaves: the same state, bit for bit. Writes and reads a folder beside the model's:
`state.json`, `running.safetensors` (encoder and optimiser of the current run) and `best.safetensors` (the encoder of the best trial).
Each file appears whole under its name; the folder is removed when the model has been written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from kgrec.arguments import options
from kgrec.errors import ArtifactError
from kgrec.storage import atomic, files
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData
from kgrec.train.learner import OnRunEpoch, RunProgress

if TYPE_CHECKING:
    from kgrec.encode.item_encoder import ItemEncoder
    from kgrec.train.learner import Learner

#: seconds between two saved states of a run
_INTERVAL = 30.0

_STATE, _RUNNING, _BEST = "state.json", "running.safetensors", "best.safetensors"


@dataclass(frozen=True)
class FinishedTrial:
    """A finished trial: a run on the training part, and its quality on the held-out part."""

    hyperparameters: Hyperparameters
    ndcg: float
    recall: float
    #: CPU time
    seconds: float


class Checkpoint:
    """A folder with the state of one training.

    Args:
        folder: The folder; None: nothing is written.
        resume: Continue from the state in the folder instead of starting over.
        every: Seconds between two saved states of a run.
    """

    def __init__(
        self, folder: str | Path | None = None, *, resume: bool = False, every: float = _INTERVAL
    ) -> None:
        self.folder = None if folder is None else options.path("folder", folder)
        self.resume, self.every = options.flag("resume", resume), options.number("every", every, least=0)
        #: finished trials, including those of an interrupted training
        self.finished: dict[Hyperparameters, FinishedTrial] = {}
        self._state: dict[str, Any] = {}

    def begin(self, data: TrainingData, positives: sp.csr_matrix, config: str) -> list[EpochRecord]:
        """Create the folder, or read the state in it.

        Args:
            data: the items.
            positives: all positive interactions; shape (n_users, n_items).
            config: the whole configuration, as text.

        Returns:
            The epoch records of an interrupted training; empty if there is none.

        Raises:
            ArtifactError: The state belongs to other data or another configuration, or cannot be read.
        """
        if self.folder is None:
            return []
        fingerprint = _fingerprint(data, positives, config)
        if self.resume and (self.folder / _STATE).exists():
            self._state = self._read(fingerprint)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._state = {"fingerprint": fingerprint, "finished": [], "log": [], "running": None}
        self.finished = {trial.hyperparameters: trial for trial in map(_trial, self._state["finished"])}
        return [_record(values) for values in self._state["log"]]

    def progress(self, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch) -> RunProgress:
        """The progress of a run; with a folder, it saves and restores the state of the run."""
        if self.folder is None:
            return RunProgress(stage, hyperparameters, on_epoch)
        return _SavedProgress(self, stage, hyperparameters, on_epoch)

    def save_trial(
        self, trial: FinishedTrial, encoder: ItemEncoder | None, records: list[EpochRecord]
    ) -> None:
        """Save a finished trial.

        trial: hyperparameters and quality of the trial.
            trial: its hyperparameters and quality.
            encoder: the encoder if the trial is the best so far, otherwise None.
            records: records of all runs so far.
        """
        self.finished[trial.hyperparameters] = trial
        if self.folder is None:
            return
        if encoder is not None:
            self._write_tensors(_BEST, _arrays(encoder))
        self._state["finished"] = [asdict(one) for one in self.finished.values()]
        self._state |= {"log": [asdict(record) for record in records], "running": None}
        self._write_state()

    def load_best(self, encoder: ItemEncoder) -> None:
        """Load the parameters of the best trial into an encoder."""
        assert self.folder is not None
        arrays = self._tensors(_BEST)
        encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

    def interrupted(self) -> str:
        """A description of the state kept from an interrupted training; a folder without such state is removed."""
        kept = self._kept()
        if self._state and not kept:
            self.remove()
        return kept

    def _kept(self) -> str:
        state = self._state
        if self.folder is not None and self.resume and not state and (self.folder / _STATE).exists():
            return "the progress of the interrupted training"
        if self.folder is None or not state:
            return ""
        running, parts = state["running"], []
        if state["finished"]:
            n = len(state["finished"])
            parts.append(f"{n} finished trial{'s' * (n > 1)} of the hyperparameter search")
        if running is not None:
            n, run = (
                len(running["lines"]),
                "final training" if running["stage"] == "refit" else "running trial",
            )
            parts.append(f"{n} epoch{'s' * (n > 1)} of the {run}")
        return " and ".join(parts)

    def remove(self) -> None:
        """Remove the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def load_run(self, stage: str, hyperparameters: Hyperparameters, learner: Learner) -> list[EpochRecord]:
        """Restore a learner to the state of an interrupted run, and return the records of its finished epochs.

        Without a saved state of this run, the learner does not change and the list is empty.
        """
        running = self._state["running"]
        if running is None or (running["stage"], running["hyperparameters"]) != (
            stage,
            asdict(hyperparameters),
        ):
            return []
        arrays = self._tensors(_RUNNING)
        learner.restore(arrays, running["rng"])
        return [_record(values) for values in running["lines"]]

    def save_run(
        self, stage: str, hyperparameters: Hyperparameters, learner: Learner, records: list[EpochRecord]
    ) -> None:
        """Save the state of a run between two epochs."""
        arrays, rng = learner.state()
        # First record in state.json that no run is saved: otherwise a process killed between the next two writes would leave
        # the tensors of one epoch beside the generator state of another.
        self._state["running"] = None
        self._write_state()
        self._write_tensors(_RUNNING, arrays)
        self._state["running"] = {
            "stage": stage,
            "hyperparameters": asdict(hyperparameters),
            "rng": rng,
            "lines": [asdict(record) for record in records],
        }
        self._write_state()

    def _read(self, fingerprint: str) -> dict[str, Any]:
        assert self.folder is not None
        try:
            state: dict[str, Any] = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
            same = state["fingerprint"] == fingerprint
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{self.folder / _STATE}: cannot be read ({error}).", "Train again without --resume."
            ) from None
        if not same:
            raise ArtifactError(
                f"{self.folder} is a checkpoint of other data or of another configuration.",
                "Train again without --resume, or repeat the options of the interrupted run.",
            )
        return state

    def _write_state(self) -> None:
        self._put(_STATE, lambda place: files.write_json(self._state, place))

    def _write_tensors(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        self._put(name, lambda place: files.write_tensors(arrays, place))

    def _put(self, name: str, write: Callable[[Path], None]) -> None:
        """Write a file in the folder, whole or not at all."""
        assert self.folder is not None
        atomic.write_whole(self.folder / name, write)

    def _tensors(self, name: str) -> dict[str, np.ndarray]:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        assert self.folder is not None
        try:
            arrays: dict[str, np.ndarray] = load_file(self.folder / name)
        except (SafetensorError, OSError) as error:
            raise ArtifactError(
                f"{self.folder / name}: cannot be read ({error}).", "Train again without --resume."
            ) from None
        return arrays


class _SavedProgress(RunProgress):
    """Saves the state of a run at intervals."""

    def __init__(
        self, checkpoint: Checkpoint, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch
    ) -> None:
        super().__init__(stage, hyperparameters, on_epoch)
        self.checkpoint, self.saved_at = checkpoint, time.monotonic()

    def resume(self, learner: Learner) -> int:
        """Restore the learner, report the finished epochs again, and return the number of the next epoch."""
        for record in self.checkpoint.load_run(self.stage, self.hyperparameters, learner):
            self.add(record)
        return len(self.records) + 1

    def ended(self, learner: Learner, epoch: int, loss: float, seconds: float) -> None:
        """Record a finished epoch, and save the state if the last saved one is old enough."""
        super().ended(learner, epoch, loss, seconds)
        if time.monotonic() - self.saved_at >= self.checkpoint.every:
            self.checkpoint.save_run(self.stage, self.hyperparameters, learner, self.records)
            self.saved_at = time.monotonic()


def beside(model: str | os.PathLike[str]) -> Path:
    """The checkpoint folder of a model that is written to `model`."""
    place = Path(model)
    return place.with_name(f"{place.name}.checkpoint")


def _arrays(encoder: ItemEncoder) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in encoder.state_dict().items()}


def _fingerprint(data: TrainingData, positives: sp.csr_matrix, config: str) -> str:
    features = data.features
    total = hashlib.sha256(config.encode())
    neighbors = features.neighbors
    for array in (
        *(neighbors.data, neighbors.indices, neighbors.indptr, features.relation, features.entity),
        *(features.dense, positives.indices, positives.indptr),
    ):
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _trial(values: dict[str, Any]) -> FinishedTrial:
    return FinishedTrial(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})


def _record(values: dict[str, Any]) -> EpochRecord:
    return EpochRecord(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})
