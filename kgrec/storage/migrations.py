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


def migrated_parameters(
    arrays: dict[str, np.ndarray], version: int, names_of: Callable[[np.ndarray], pa.Array]
) -> tuple[dict[str, np.ndarray], pa.Table]:
    """The arrays of `model.safetensors`, of a format before today's, under today's names, and `featurizer.parquet`.

    Args:
        arrays: as they were written.
        version: the format.
        names_of: type/key of entities of the model's graph by their ids.
    """
    assert version < 7, "older formats kept parameters as format 6 does"
    return _parameters_from_6_to_7(arrays, names_of)


def _from_6_to_7(stored: StoredModel) -> None:
    """Options and arrays have the words of the field."""
    config = stored.config["config"]
    _rename(config.get("encoder", {}), {"words": "label_tokens"})
    _rename(config.get("rescore", {}), {"together": "co_occurrence", "unmet": "cold_offset"})
    for name, weight in zip(_SCORERS_OF_6, stored.rescore.pop("weights"), strict=True):
        stored.rescore[f"weight.{name}"] = weight[None]
    given = config.get("rescore", {}).get("weights")
    if given is not None:
        config["rescore"]["weights"] = dict(zip(_SCORERS_OF_6, given, strict=True))
    renamed = {f"together.{part}": f"co_occurrence.{part}" for part in ("data", "indices", "indptr")}
    _rename(stored.rescore, renamed)


def _parameters_from_6_to_7(
    arrays: dict[str, np.ndarray], names_of: Callable[[np.ndarray], pa.Array]
) -> tuple[dict[str, np.ndarray], pa.Table]:
    """Entities are named by type and key, no longer by their row in the graph; tokens stand beside them."""
    import numpy as np
    import pyarrow as pa

    tokens = bytes(arrays.pop("schema.words", np.zeros(0, np.uint8))).decode().split("\n")
    tokens = [token for token in tokens if token]
    names = names_of(arrays.pop("schema.entities"))
    kinds = ["entity"] * len(names) + ["token"] * len(tokens)
    nodes = pa.table({"kind": kinds, "name": pa.concat_arrays([names, pa.array(tokens, pa.large_string())])})
    _rename(arrays, {"schema.word_idf": "featurizer.token_idf"})
    arrays.setdefault("featurizer.token_idf", np.zeros(0, np.float32))
    for old, new in (("schema.knots.", "featurizer.bins."), ("schema.", "featurizer.")):
        _rename(arrays, {name: new + name.removeprefix(old) for name in arrays if name.startswith(old)})
    return arrays, nodes


#: what the positions of weights stood for
_SCORERS_OF_6 = ("embedding", "graph", "text", "co_occurrence")


def _rename(values: dict[str, Any], names: dict[str, str]) -> None:
    for old, new in names.items():
        if old in values:
            values[new] = values.pop(old)


#: format -> the step from it to the next
_STEPS: dict[int, Callable[[StoredModel], None]] = {6: _from_6_to_7}
