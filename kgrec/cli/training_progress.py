"""Progress of a training: the steps ahead, text encoding, trials, the final training.

Enters: callbacks of the library. Leaves: stages and remarks of a `Progress`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kgrec.cli.console import counted
from kgrec.cli.progress import Progress
from kgrec.cli.status import duration

if TYPE_CHECKING:
    from kgrec.config import Config
    from kgrec.graph.knowledge_graph import KnowledgeGraph
    from kgrec.train.data import EpochRecord

#: name of the count of epochs over all runs of a training
TRAINING = "training"
ENCODING = "encoding texts"
#: shortest encoding, in seconds, for which the expected duration and the faster model are printed
_WORTH_TELLING, _LONG = 20.0, 300.0


class TrainingProgress:
    """Callbacks of a training.

    Args:
        progress: Shows them.
        config: Names the text encoder; None: no remark about the encoder is printed.
        earlier: Number of trials finished before this process started.
    """

    def __init__(
        self, progress: Progress, config: Config | None = None, earlier: Callable[[], int] = lambda: 0
    ) -> None:
        self._progress, self._config, self._earlier = progress, config, earlier
        self._told = False
        #: number of the trial, and finished and planned epochs
        self._trial, self._epochs = 0, (0, 0)
        #: number of encoded texts
        self.encoded = 0

    def stage(self, name: str) -> None:
        """Report the start of a stage."""
        from kgrec.train.hyperparameters import VALIDATING
        from kgrec.train.progress import FINAL_TRAINING, TRIAL

        if name == VALIDATING:
            self._progress.detail(VALIDATING)
        elif name == TRIAL:
            self._trial = (self._trial or self._earlier()) + 1
            self._training(f"trial {self._trial}")
        elif name == FINAL_TRAINING:
            self._trial = 0
            self._training(name)
        else:
            self._progress.stage(name)

    def text(self, done: int, total: int) -> None:
        """Report encoded texts."""
        if not done and self._config is not None:
            encoder = self._config.text.model
            self._progress.note(f"{counted(total, 'text')} to encode, with text.model={encoder}.")
        self.encoded = done
        self._progress.stage(ENCODING, done, total, unit="texts")
        left = self._progress.left
        if left is not None and not self._told and self._config is not None:
            self._told = True
            self._tell_length(left)

    def epoch(self, record: EpochRecord, done: int, planned: int) -> None:
        """Report the end of an epoch, or of the validation after a trial."""
        from kgrec.train.progress import FINAL_TRAINING

        self._epochs = (done, planned)
        name = f"trial {self._trial}" if self._trial else FINAL_TRAINING
        self._training(name, _quality(record) if record.loss is None else f"loss {record.loss:.2f}")

    def _training(self, name: str, detail: str = "") -> None:
        self._progress.stage(name, *self._epochs, detail, span=TRAINING, unit="epochs")

    def _tell_length(self, seconds: float) -> None:
        if seconds >= _WORTH_TELLING:
            self._progress.note(f"Encoding takes about {duration(seconds)}.{self._faster(seconds)}")

    def _faster(self, seconds: float) -> str:
        from kgrec.encode.text.config import STATIC

        if seconds < _LONG or self._config is None or self._config.text.model == STATIC:
            return ""
        return (
            " --set text.model=static is about a hundred times as fast but less accurate. "
            "Encoded texts are kept, even after Ctrl-C."
            if self._config.text.cache
            else " --set text.model=static is about a hundred times as fast but less accurate."
        )


def ahead(graph: KnowledgeGraph, config: Config, *, validated: bool) -> str:
    """A sentence about the steps of a training."""
    counts = (
        (len(graph.item_ids), "item"),
        (len(graph.interactions.users), "user"),
        (len(graph.interactions), "interaction"),
    )
    steps = [] if config.text.model == "none" else ["encode the texts that are not in the cache"]
    if not len(graph.interactions):
        steps.append("embed the items by their content")
    else:
        if validated or config.train.valid_share:
            budget = duration(config.train.search_seconds)
            steps.append(f"search for options, within about {budget} of CPU time")
        steps.append("train the final model")
    return f"Training on {', '.join(counted(*count) for count in counts)}. Ahead: {'; '.join(steps)}."


def _quality(record: EpochRecord) -> str:
    chosen = record.hyperparameters
    return (
        f"NDCG {record.valid_ndcg:.4f}, recall {record.valid_recall:.4f} (temperature {chosen.temperature:g}, "
        f"learning rate {chosen.learning_rate:g}, {counted(chosen.epochs, 'epoch')})"
    )
