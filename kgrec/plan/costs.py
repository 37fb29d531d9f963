"""CPU seconds and memory of each stage, from constants that were measured.

Enters: `Sizes`, a `Config`, and a number of workers. Leaves: a `StageCost` per stage. Writes nothing.

The constants are CPU seconds of one thread on an AMD server core with AVX2, for the synthetic catalogues of
`tests/benchmarks/scale.py` with 100,000 and 1,000,000 interactions (lists: 300,000, too; build: 10,000,000, too), 256 dimensions
and the default options. docs/how-to/clusters.md has the measurements beside the predictions. A faster core takes less; what counts is the ratio.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kgrec.config import Config
from kgrec.plan.sizes import Sizes

#: measured: a quantity, and the CPU seconds at that quantity
Measured = Sequence[tuple[float, float]]

#: dimensions that all constants are of
_DIM = 256
_DEFAULT_EPOCHS = 12
#: users that validation asks for at most
_VALIDATED = 5000

#: an epoch, by interactions and triples
EPOCH: Measured = ((0.194e6, 2.6), (1.94e6, 28.2), (19.4e6, 446))
#: features of all items, by interactions and triples
FEATURES: Measured = ((0.194e6, 0.29), (1.94e6, 4.15))
#: item-item weights for validation with a search of their options, and for the model, by interactions
ITEM_ITEM_SEARCH: Measured = ((1e5, 8.4), (1e6, 69.6))
ITEM_ITEM: Measured = ((1e5, 3.7), (1e6, 54.2), (1e7, 827))
#: validation of a trial, and the choice of whitening and weights, by validated users times items
VALIDATION: Measured = ((5e7, 6.4), (5e8, 23.5))
CHOICE: Measured = ((5e7, 11.0), (5e8, 67.7))
#: embeddings of all items, and writing the model, by items
ASSEMBLY: Measured = ((1e4, 0.12), (1e5, 1.9))
#: building the graph, by interactions and triples
BUILD: Measured = ((0.194e6, 0.7), (1.94e6, 1.5), (19.4e6, 33.6))

#: seconds to import the libraries, in each process
_IMPORTS = {"build": 0.6, "train": 2.9, "recommend": 2.4, "similar": 1.0, "embed": 0.7, "text": 8.0}
#: seconds per list of 100 for a user, by items, with exhaustive search
LIST: Measured = ((1e4, 0.6e-3), (3e4, 1.73e-3), (1e5, 2.52e-3))
#: seconds per list of 50 similar items, and per vector that is compared with its own
_SIMILAR_LIST, _COMPARISON = 0.03e-3, 4.6e-9
_VECTOR = 8e-6
#: seconds per token of the packaged text encoder, and of the static one
_TOKEN = {"minilm": 0.45e-3, "static": 5e-6}
_BYTES_PER_TOKEN = 4

#: bytes of a process, per item, and per interaction and triple
_MEMORY = {
    "build": (200e6, 0.0, 93.0),
    "text": (900e6, 0.0, 0.0),
    "train": (1_080e6, 16_900.0, 200.0),
    "recommend": (485e6, 9_000.0, 160.0),
    "similar": (230e6, 2_600.0, 0.0),
    "embed": (230e6, 2_400.0, 0.0),
}
#: interactions up to which the constants of a stage were measured
_MEASURED_TO = {"build": 1e7, "text": 1e6}
_MEASURED_OTHERWISE = 1e6


@dataclass(frozen=True)
class StageCost:
    """What a stage takes."""

    stage: str
    #: of all its processes together
    cpu_seconds: float
    #: processes that share it
    workers: int
    #: bytes of each process, at the peak
    memory: float
    #: whether the constants were measured at such a size
    measured: bool

    @property
    def seconds(self) -> float:
        """From begin to end, if each process has a core of its own; the start of Ray, about half a minute, comes on top."""
        return self.cpu_seconds / self.workers


def plan(sizes: Sizes, config: Config | None = None, workers: int = 1) -> list[StageCost]:
    """What each stage takes: build, text encoding, training, lists for all users, similar items, embeddings.

    Args:
        sizes: Of the graph.
        config: Options of the training; None: the default ones.
        workers: Processes that share text encoding, lists and embeddings; build and training have one.
    """
    config = config or Config()
    seconds = dict(_cpu_seconds(sizes, config))
    return [_stage(name, spent, sizes, config, workers) for name, spent in seconds.items()]


def at(measured: Measured, quantity: float) -> float:
    """CPU seconds at a quantity: along the line between the nearest measurements in logarithms of both.

    Below the first one, in proportion; beyond the last one, along the last line, but at least in proportion.
    """
    if quantity <= 0:
        return 0.0
    x, y = (np.log(values) for values in zip(*measured, strict=True))
    wanted = float(np.log(quantity))
    if wanted < x[0]:
        return float(np.exp(y[0] + wanted - x[0]))
    if wanted > x[-1]:
        slope = max(1.0, float((y[-1] - y[-2]) / (x[-1] - x[-2])))
        return float(np.exp(y[-1] + slope * (wanted - x[-1])))
    return float(np.exp(np.interp(wanted, x, y)))


def _stage(name: str, seconds: float, sizes: Sizes, config: Config, workers: int) -> StageCost:
    alone = name in ("build", "train")
    base, per_item, per_row = _MEMORY[name]
    if name != "build":
        per_item *= config.encoder.dim / _DIM
    memory = base + per_item * sizes.items + per_row * (sizes.interactions + sizes.triples)
    measured = sizes.interactions <= _MEASURED_TO.get(name, _MEASURED_OTHERWISE)
    processes = 1 if alone else workers
    spent = seconds + _IMPORTS[name] * processes
    return StageCost(name, spent, processes, memory, measured)


def _cpu_seconds(sizes: Sizes, config: Config) -> Iterator[tuple[str, float]]:
    """Stages and their CPU seconds, without imports."""
    rows, width = sizes.interactions + sizes.triples, config.encoder.dim / _DIM
    yield "build", max(0.0, at(BUILD, rows) - _IMPORTS["build"])
    if config.text.model != "none":
        yield "text", sizes.text_bytes / _BYTES_PER_TOKEN * _TOKEN.get(config.text.model, _TOKEN["minilm"])
    yield "train", _training(sizes, config)
    search = _COMPARISON * _compared(sizes.items, config) * width
    yield "recommend", sizes.users * _list_seconds(sizes.items, config, search)
    yield "similar", sizes.items * (_SIMILAR_LIST + search)
    yield "embed", (sizes.items + sizes.users) * _VECTOR * width


def _training(sizes: Sizes, config: Config) -> float:
    """CPU seconds of a training without the text encoder."""
    rows, width = sizes.interactions + sizes.triples, config.encoder.dim / _DIM
    epochs, epoch = config.train.epochs or _DEFAULT_EPOCHS, at(EPOCH, rows) * width
    last = epochs * epoch + at(ITEM_ITEM, sizes.interactions) + at(ASSEMBLY, sizes.items) * width
    if not config.train.valid_share:
        return at(FEATURES, rows) + last
    validated = min(_VALIDATED, sizes.users) * sizes.items
    return at(FEATURES, rows) + _search(sizes, config, epoch) + at(CHOICE, validated) + last


def _search(sizes: Sizes, config: Config, epoch: float) -> float:
    """CPU seconds of the trials: the first is always made, and another one only if it ends within `search_seconds`."""
    epochs = config.train.epochs or _DEFAULT_EPOCHS
    validation = at(VALIDATION, min(_VALIDATED, sizes.users) * sizes.items)
    half = max(1, epochs // 2)
    # three temperatures and a second learning rate in runs of half the length, then one of the whole length
    trials = [length * epoch + validation for length in (half, half, half, half, epochs)]
    spent = at(ITEM_ITEM_SEARCH, sizes.interactions) + trials[0]
    for trial in trials[1:]:
        if spent + trial > config.train.search_seconds:
            break
        spent += trial
    return spent


def _list_seconds(items: int, config: Config, search: float) -> float:
    """CPU seconds of a list for a user; with an approximate index, `search` and scores as in the largest catalogue measured."""
    if config.index.kind_for(items, config.encoder.dim) == "flat":
        return at(LIST, items) * config.encoder.dim / _DIM
    return LIST[-1][1] * config.encoder.dim / _DIM + search


def _compared(items: int, config: Config) -> float:
    """Items that a query is compared with: all, or those of a few lists of an ivf index and the centroids."""
    if config.index.kind_for(items, config.encoder.dim) == "flat":
        return items
    # about 4 sqrt(n) lists, of which 16 are searched; both numbers are FAISS's usual ones
    lists = 4 * float(np.sqrt(items))
    return lists + 16 * items / lists
