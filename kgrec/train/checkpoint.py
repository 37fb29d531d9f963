"""The state of a training that is not over, kept so that a killed one can go on where it was.

Enters: runs as they go. Leaves: the same runs, continued bit for bit. Writes and reads a folder beside the model's:
`state.json`, `running.safetensors` (encoder and optimiser in mid-run) and `best.safetensors` (the best trial's encoder).
Each file appears whole under its name; the folder is removed when the model is in place.
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

from kgrec.errors import ArtifactError
from kgrec.storage import atomic, files
from kgrec.train.data import EpochRecord, Hyperparameters, TrainingData
from kgrec.train.learner import OnRunEpoch, RunProgress

if TYPE_CHECKING:
    from kgrec.encode.item_encoder import ItemEncoder
    from kgrec.train.learner import Learner

#: seconds between two states of a run
_EVERY = 30.0


@dataclass(frozen=True)
class Finished:
    """A trial that is over."""

    hyperparameters: Hyperparameters
    ndcg: float
    recall: float
    #: CPU time
    seconds: float


class Checkpoint:
    """A folder for the state of one training; without a folder nothing is kept.

    Args:
        folder: Where; None keeps nothing.
        resume: Go on with what is there, rather than start anew.
        every: Seconds between two states of a run.
    """

    def __init__(self, folder: Path | None = None, *, resume: bool = False, every: float = _EVERY) -> None:
        self.folder, self.resume, self.every = folder, resume, every
        self.finished: dict[Hyperparameters, Finished] = {}
        self._state: dict[str, Any] = {}

    def begin(self, data: TrainingData, positives: sp.csr_matrix, config: str) -> list[EpochRecord]:
        """Make the folder, or read what it has; gives the log so far.

        Args:
            data: the items.
            positives: all of them; shape (n_users, n_items).
            config: the whole configuration, as text.

        Raises:
            ArtifactError: What is there is of other data or of another configuration, or cannot be read.
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
        self.finished = {trial.hyperparameters: trial for trial in map(_finished, self._state["finished"])}
        return [_epoch(line) for line in self._state["log"]]

    def progress(self, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch) -> RunProgress:
        """Who hears of a run's epochs."""
        if self.folder is None:
            return RunProgress(stage, hyperparameters, on_epoch)
        return _Kept(self, stage, hyperparameters, on_epoch)

    def keep_trial(self, trial: Finished, encoder: ItemEncoder | None, log: list[EpochRecord]) -> None:
        """Keep a trial that is over; `encoder` if it is the best so far."""
        self.finished[trial.hyperparameters] = trial
        if self.folder is None:
            return
        if encoder is not None:
            self._write_tensors(_BEST, _arrays(encoder))
        self._state["finished"] = [asdict(one) for one in self.finished.values()]
        self._state |= {"log": [asdict(line) for line in log], "running": None}
        self._write_state()

    def load_best(self, encoder: ItemEncoder) -> None:
        """Give an encoder the parameters of the best trial of an earlier process."""
        assert self.folder is not None
        arrays = self._tensors(_BEST)
        encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

    def remove(self) -> None:
        """Remove the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def load_run(self, stage: str, hyperparameters: Hyperparameters, learner: Learner) -> list[EpochRecord]:
        """Put a learner where an earlier process left it; gives the lines of the epochs that are over."""
        running = self._state["running"]
        if running is None or (running["stage"], running["hyperparameters"]) != (
            stage,
            asdict(hyperparameters),
        ):
            return []
        arrays = self._tensors(_RUNNING)
        learner.restore(arrays, running["rng"])
        return [_epoch(line) for line in running["lines"]]

    def keep_run(
        self, stage: str, hyperparameters: Hyperparameters, learner: Learner, lines: list[EpochRecord]
    ) -> None:
        """Keep the state of a run between two epochs."""
        arrays, rng = learner.state()
        self._state["running"] = None
        self._write_state()
        self._write_tensors(_RUNNING, arrays)
        told = [asdict(line) for line in lines]
        self._state["running"] = {
            "stage": stage,
            "hyperparameters": asdict(hyperparameters),
            "rng": rng,
            "lines": told,
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
                "Train again without --resume, or give the options of the run that was cut off.",
            )
        return state

    def _write_state(self) -> None:
        self._put(_STATE, lambda place: files.write_json(self._state, place))

    def _write_tensors(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        self._put(name, lambda place: files.write_tensors(arrays, place))

    def _put(self, name: str, write: Callable[[Path], None]) -> None:
        """Write a file of the folder, whole or not at all."""
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


class _Kept(RunProgress):
    """Keeps the state of a run every so often."""

    def __init__(
        self, checkpoint: Checkpoint, stage: str, hyperparameters: Hyperparameters, on_epoch: OnRunEpoch
    ) -> None:
        super().__init__(stage, hyperparameters, on_epoch)
        self.checkpoint, self.kept = checkpoint, time.monotonic()

    def resume(self, learner: Learner) -> int:
        """Put the learner where it was, tell of the epochs that are over, and give the next."""
        for line in self.checkpoint.load_run(self.stage, self.hyperparameters, learner):
            self.add(line)
        return len(self.records) + 1

    def ended(self, learner: Learner, epoch: int, loss: float, seconds: float) -> None:
        """Hear of an epoch that is over."""
        super().ended(learner, epoch, loss, seconds)
        if time.monotonic() - self.kept >= self.checkpoint.every:
            self.checkpoint.keep_run(self.stage, self.hyperparameters, learner, self.records)
            self.kept = time.monotonic()


def beside(model: str | os.PathLike[str]) -> Path:
    """The folder for the checkpoint of a model that is to be written to `model`."""
    place = Path(model)
    return place.with_name(f"{place.name}.checkpoint")


_STATE, _RUNNING, _BEST = "state.json", "running.safetensors", "best.safetensors"


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


def _finished(values: dict[str, Any]) -> Finished:
    return Finished(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})


def _epoch(values: dict[str, Any]) -> EpochRecord:
    return EpochRecord(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})
