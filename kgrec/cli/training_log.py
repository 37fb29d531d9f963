"""Files of the training log: CSV, JSON lines, TensorBoard.

Enters: records of epochs. Writes each record at once to files that other tools can read.
"""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kgrec.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from kgrec.train.data import EpochRecord

_LOG_COLUMNS = (
    "stage",
    "epoch",
    "epochs",
    "temperature",
    "learning_rate",
    "loss",
    "valid_ndcg",
    "valid_recall",
    "seconds",
)


class TrainingLogFiles:
    """Writes each record at once, so that the user can follow the training.

    Args:
        path: A .csv or .jsonl file; None: no file.
        tensorboard: A folder for TensorBoard; None: none.

    Raises:
        ConfigError: The file has a different suffix, or TensorBoard is not installed.
        ArtifactError: The file cannot be written.
    """

    def __init__(self, path: Path | None, tensorboard: Path | None) -> None:
        self._open = ExitStack()
        self._file = None if path is None else self._opened(path)
        self._csv = (
            csv.DictWriter(self._file, _LOG_COLUMNS)
            if self._file and path and path.suffix == ".csv"
            else None
        )
        self._board = None if tensorboard is None else self._writer(tensorboard)
        self._steps: dict[str, int] = {}
        if self._csv:
            self._csv.writeheader()

    def __enter__(self) -> TrainingLogFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, record: EpochRecord) -> None:
        """Write the record of one epoch."""
        values = record.record()
        if self._csv:
            self._csv.writerow({name: values[name] for name in _LOG_COLUMNS})
        elif self._file:
            self._file.write(json.dumps({name: values[name] for name in _LOG_COLUMNS}) + "\n")
        if self._file:
            self._file.flush()
        if self._board:
            self._add_scalars(record.stage, values)

    def _add_scalars(self, stage: str, values: dict[str, Any]) -> None:
        step = self._steps[stage] = self._steps.get(stage, 0) + 1
        for name in ("loss", "valid_ndcg", "valid_recall", "temperature", "learning_rate"):
            if values[name] is not None:
                assert self._board is not None
                self._board.add_scalar(f"{stage}/{name}", values[name], step)

    def _opened(self, path: Path) -> IO[str]:
        if path.suffix not in (".csv", ".jsonl"):
            raise ConfigError(
                f"--log {path} is neither a .csv nor a .jsonl file.",
                "Give a file name with one of these suffixes.",
            )
        try:
            return self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise ArtifactError(
                f"{path} cannot be written ({error.strerror}).", "Choose another file."
            ) from None

    def _writer(self, folder: Path) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                "TensorBoard is not installed.",
                "Install it with pip install 'kgrec[tensorboard]', or use --log.",
            ) from None
        writer = SummaryWriter(str(folder))
        self._open.callback(writer.close)
        return writer
