"""The files of a learned ranker in a model folder; a model without a ranker has no such files.

Enters: a `Ranker`. Leaves: a `Ranker`. Writes and reads ranker.json, ranker.safetensors and, for trees, ranker.txt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ValidationError

from kgrec.rank.boosted import MAX_TEXT, Boosted
from kgrec.rank.config import ScorerName
from kgrec.rank.gate import Gate
from kgrec.rank.network import Network
from kgrec.rank.ranker import LearnedRanker, Ranker
from kgrec.rank.ranking_features import ITEM_FEATURES, FeatureSource, GraphFeatures
from kgrec.storage import files
from kgrec.storage.segments import Rows

_DESCRIPTION, _ARRAYS, _TREES = "ranker.json", "ranker.safetensors", "ranker.txt"


class _Stored(BaseModel, extra="forbid"):
    """`ranker.json`."""

    kind: Literal["gate", "boosted", "network"]
    #: scorers whose scores are features
    scorers: tuple[ScorerName, ...]
    #: names of the graph features
    graph: tuple[str, ...]
    #: whether the ranker corrects items without interactions
    corrects_new: bool


def write_ranker(ranker: Ranker, folder: Path) -> None:
    """Write the files of a learned ranker."""
    source, learned = ranker.source, ranker.learned
    stored = {"kind": learned.kind, "scorers": source.scorers, "graph": source.graph.names}
    files.write_json({**stored, "corrects_new": ranker.corrects_new}, folder / _DESCRIPTION)
    arrays = {"statistics": source.statistics.whole, "bins": source.graph.bins}
    files.write_tensors(
        {**arrays, "categories": source.graph.categories, **learned.arrays()}, folder / _ARRAYS
    )
    if isinstance(learned, Boosted):
        folder.joinpath(_TREES).write_text(learned.text, encoding="utf-8")


def read_ranker(folder: Path, n_items: int) -> Ranker | None:
    """The learned ranker of a model folder; None if it has none.

    Raises:
        CorruptArtifact: The files were not written by `write_ranker`, or were damaged.
        ConfigError: The ranker has trees, and LightGBM is not installed.
    """
    if not folder.joinpath(_DESCRIPTION).exists():
        return None
    try:
        stored = _Stored.model_validate(files.read_json(folder / _DESCRIPTION))
    except ValidationError as error:
        raise files.corrupt(
            folder / _DESCRIPTION, f"does not describe a ranker ({error.errors()[0]['msg'].lower()})"
        ) from None
    arrays = files.map_tensors(folder / _ARRAYS)
    try:
        source = _source(stored, arrays, n_items)
        return Ranker(source, _learned(stored, source.names, arrays, folder), stored.corrects_new)
    except ValueError as error:
        raise files.corrupt(folder / _ARRAYS, str(error)) from None


def _source(stored: _Stored, arrays: dict[str, np.ndarray], n_items: int) -> FeatureSource:
    missing = [name for name in ("statistics", "bins", "categories") if name not in arrays]
    if missing:
        raise ValueError(f"has no array '{missing[0]}'")
    statistics, bins, categories = arrays["statistics"], arrays["bins"], arrays["categories"]
    n_numbers = len(stored.graph) - 1 - len(categories)
    fits = statistics.shape == (n_items, len(ITEM_FEATURES)) and bins.ndim == 2 and bins.shape[1] == 3
    if not fits or n_numbers < 0 or (bins.size and not 0 <= bins[:, 1].min() <= bins[:, 1].max() < n_numbers):
        raise ValueError(f"is not of {n_items:,} items and {len(stored.graph)} features of the graph")
    return FeatureSource(
        tuple(stored.scorers), Rows.of(statistics), GraphFeatures(stored.graph, bins, categories)
    )


def _learned(
    stored: _Stored, names: tuple[str, ...], arrays: dict[str, np.ndarray], folder: Path
) -> LearnedRanker:
    if stored.kind == "gate":
        return Gate.of_arrays(names, arrays)
    if stored.kind == "network":
        return Network.of_arrays(names, arrays)
    if "boosted.scale" not in arrays:
        raise ValueError("has no array 'boosted.scale'")
    return Boosted.of_text(names, _trees(folder / _TREES), float(arrays["boosted.scale"][0]))


def _trees(path: Path) -> str:
    if not path.exists() or path.stat().st_size > MAX_TEXT:
        raise files.corrupt(path, f"is absent, or larger than {MAX_TEXT >> 20} MB")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise files.corrupt(path, "is not UTF-8") from None
