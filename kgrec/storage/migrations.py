"""Older model folders, brought to today's format one step at a time.

Enters: what a model folder holds, as plain values, and the format that it was written in. Leaves: the same in today's format.
Nothing is written: the folder gets today's format when the model is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kgrec.storage.artifacts import FORMAT_VERSION

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass
class StoredModel:
    """The files of a model folder that are read at once."""

    #: `config.json`
    config: dict[str, Any]
    items: pa.Table
    history: pa.Table
    #: arrays of `rescore.safetensors` by name
    rescore: dict[str, np.ndarray]


def migrated(stored: StoredModel, version: int) -> StoredModel:
    """A stored model of format `version` as one of today's format."""
    for step in range(version, FORMAT_VERSION):
        if step in _STEPS:
            _STEPS[step](stored)
    return stored


def migrated_parameters(arrays: dict[str, np.ndarray], version: int) -> dict[str, np.ndarray]:
    """The arrays of `model.safetensors`, of format `version`, under today's names."""
    return _parameters_from_6_to_7(arrays) if version < 7 else arrays


def _from_6_to_7(stored: StoredModel) -> None:
    """Options and arrays have the words of the field."""
    config = stored.config["config"]
    _rename(config.get("encoder", {}), {"words": "label_tokens"})
    _rename(config.get("rescore", {}), {"together": "co_occurrence", "unmet": "cold_offset"})
    renamed = {f"together.{part}": f"co_occurrence.{part}" for part in ("data", "indices", "indptr")}
    _rename(stored.rescore, renamed)


def _parameters_from_6_to_7(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    beginnings = {
        "schema.words": "featurizer.label_tokens",
        "schema.word_idf": "featurizer.token_idf",
        "schema.knots.": "featurizer.bins.",
        "schema.": "featurizer.",
    }

    def today(name: str) -> str:
        old = next((one for one in beginnings if name.startswith(one)), "")
        return beginnings[old] + name.removeprefix(old) if old else name

    return {today(name): array for name, array in arrays.items()}


def _rename(values: dict[str, Any], names: dict[str, str]) -> None:
    for old, new in names.items():
        if old in values:
            values[new] = values.pop(old)


#: format -> the step from it to the next
_STEPS: dict[int, Callable[[StoredModel], None]] = {6: _from_6_to_7}
