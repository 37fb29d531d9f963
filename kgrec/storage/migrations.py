"""Migrations: folders of older formats become folders of the current format, one step per format.

Enters: the content of a folder as plain values, and the format it was written in. Leaves: the same content in the current format.
Nothing is written: a folder gets the current format when it is saved again.

Each format was in use for many commits, and some of its folders lack a part that later ones have. A step therefore adds a part only
where it is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kgrec.storage.artifacts import FORMAT_VERSION

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")
#: format -> the steps from it to the next
_Steps = dict[int, tuple[Callable[[_T], _T], ...]]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StoredModel:
    """Files of a model folder that are read at load time and whose form depends on the format."""

    #: config.json
    config: dict[str, Any]
    #: items.parquet
    items: pa.Table
    #: history.parquet
    history: pa.Table
    #: rescore.safetensors, by name
    rescore: Arrays
    #: metrics.json
    metrics: dict[str, Any]


def migrated_model(stored: StoredModel, version: int) -> StoredModel:
    """The content of a model folder of format `version`, in the current format."""
    return _migrated(stored, version, _MODEL_STEPS)


def migrated_parameters(
    arrays: Arrays, version: int, names_of: Callable[[np.ndarray], pa.Array]
) -> tuple[Arrays, pa.Table]:
    """The arrays of a `model.safetensors` of a format before 7 in the current format, and its `featurizer.parquet`.

    Args:
        arrays: The arrays as stored.
        version: Their format.
        names_of: Returns type/key of entities of the model's graph, given their rows in it.
    """
    assert version < 7, "from format 7 on, the names of nodes have a file of their own"
    nodes = _name_nodes(arrays, names_of)
    return _migrated(arrays, version, _PARAMETER_STEPS), nodes


def migrated_interactions(table: pa.Table, version: int) -> pa.Table:
    """A table of interactions of a graph or split folder of format `version`, in the current format.

    No other table of these folders has changed since format 2.
    """
    return _migrated(table, version, _INTERACTION_STEPS)


def _migrated(value: _T, version: int, steps: _Steps[_T]) -> _T:
    for earlier in range(version, FORMAT_VERSION):
        for step in steps.get(earlier, ()):
            value = step(value)
    return value


# 2 to 3: an index may be approximate


def _describe_flat_index(stored: StoredModel) -> StoredModel:
    """Record that the index is flat: every model of format 2 compared a query with every item."""
    return replace(stored, config={"index": {"kind": "flat"}, **stored.config})


# 3 to 4: recall is measured at doubling list lengths; all folders record removed items


def _forget_recall_of_one_long_list(stored: StoredModel) -> StoredModel:
    """Drop recall measured at one long length: values between two lengths were extrapolated, so `min_recall` may not hold."""
    index = {name: value for name, value in stored.config["index"].items() if not name.startswith("deep_")}
    return replace(stored, config={**stored.config, "index": index})


def _mark_no_item_removed(stored: StoredModel) -> StoredModel:
    """Mark no item as removed in folders of versions that could not remove items, early ones of format 3 included."""
    return replace(stored, items=_with_column(stored.items, "removed", np.zeros(len(stored.items), bool)))


# 4 to 5: items without interactions have a prior


def _add_zero_prior(stored: StoredModel) -> StoredModel:
    """Add a prior of 0 to every item's score, and the option that turns the prior off."""
    rescore = {"prior": np.zeros(len(stored.items), np.float32), **stored.rescore}
    return replace(stored, rescore=rescore, config=_with_option(stored.config, "rescore", "unmet", 0.0))


# 5 to 6: tokens of labels are nodes


def _turn_label_tokens_off(stored: StoredModel) -> StoredModel:
    """Add the option, set to off: it is on by default, but no model of format 5 was trained with label tokens."""
    return replace(stored, config=_with_option(stored.config, "encoder", "words", False))


# 6 to 7: names from the literature; histories have counts and may have an order


def _rename_options(stored: StoredModel) -> StoredModel:
    """Rename options of the configuration."""
    config: dict[str, Any] = stored.config["config"]
    sections = {name: _renamed(options, _OPTIONS.get(name, {})) for name, options in config.items()}
    return replace(stored, config={**stored.config, "config": sections})


def _rename_rescore_arrays(stored: StoredModel) -> StoredModel:
    """Rename the arrays of item co-occurrence."""
    names = {f"together.{part}": f"co_occurrence.{part}" for part in ("data", "indices", "indptr")}
    return replace(stored, rescore=_renamed(stored.rescore, names))


def _name_weights(stored: StoredModel) -> StoredModel:
    """Give each scorer's weight a name in the arrays and in the configuration, where weights were positional."""
    rescore = {name: array for name, array in stored.rescore.items() if name != "weights"}
    for name, weight in zip(_SCORERS, stored.rescore["weights"], strict=True):
        rescore[f"weight.{name}"] = np.array([weight])
    sections = stored.config["config"]
    options = dict(sections["rescore"])
    if options.get("weights") is not None:
        options["weights"] = dict(zip(_SCORERS, options["weights"], strict=True))
    config = {**stored.config, "config": {**sections, "rescore": options}}
    return replace(stored, rescore=rescore, config=config)


def _rename_metrics(stored: StoredModel) -> StoredModel:
    """Rename the metrics of the choices made on held-out data."""
    chosen = _renamed(stored.metrics.get("chosen", {}), _METRICS)
    if "weights" in chosen:
        chosen["weights"] = _renamed(chosen["weights"], {"together": "co_occurrence"})
    return replace(stored, metrics={**stored.metrics, "chosen": chosen})


def _weigh_and_count_history(stored: StoredModel) -> StoredModel:
    """Give each history row weight 1, unless a half-life gave it another, and count 1: repetitions were dropped."""
    n = len(stored.history)
    history = _with_column(stored.history, "weight", np.ones(n, np.float32))
    return replace(stored, history=_with_column(history, "count", np.ones(n, np.int32)))


def _mark_histories_unordered(stored: StoredModel) -> StoredModel:
    """Record that histories have no order: their rows were sorted by item, and times were not kept."""
    return replace(stored, config={"ordered": False, **stored.config})


def _name_nodes(arrays: Arrays, names_of: Callable[[np.ndarray], pa.Array]) -> pa.Table:
    """Name entities by type and key, which were rows of the graph, and split label tokens, which were one string."""
    import pyarrow as pa

    entities = names_of(arrays["schema.entities"])
    text = bytes(arrays.get("schema.words", np.zeros(0, np.uint8))).decode()
    tokens = pa.array(text.split("\n") if text else [], pa.large_string())
    kinds = ["entity"] * len(entities) + ["token"] * len(tokens)
    names = pa.concat_arrays([entities.cast(pa.large_string()), tokens])
    return pa.table({"kind": pa.array(kinds, pa.string()), "name": names})


def _rename_featurizer_arrays(arrays: Arrays) -> Arrays:
    """Rename the arrays of the featurizer, formerly called the schema, and drop its names of nodes."""
    kept = {name: array for name, array in arrays.items() if name not in ("schema.entities", "schema.words")}
    return {_featurizer_name(name): array for name, array in kept.items()}


def _add_empty_label_tokens(arrays: Arrays) -> Arrays:
    """Add empty weights of label tokens to models without label tokens."""
    return {"featurizer.token_idf": np.zeros(0, np.float32), **arrays}


def _count_interactions(table: pa.Table) -> pa.Table:
    """Give each interaction count 1: repeated pairs of user and item were dropped."""
    return _with_column(table, "count", np.ones(len(table), np.int32))


# 7 to 8: more scorers; each item-item scorer records how its weights decay with the position


def _add_scorers_without_weight(stored: StoredModel) -> StoredModel:
    """Give the newer scorers weight 0, and history co-occurrence no decay."""
    later = {f"weight.{name}": np.zeros(1, np.float32) for name in ("sequence", "random_walk")}
    return replace(stored, rescore={**later, "co_occurrence.decay": np.ones(1), **stored.rescore})


_MODEL_STEPS: _Steps[StoredModel] = {
    2: (_describe_flat_index,),
    3: (_forget_recall_of_one_long_list, _mark_no_item_removed),
    4: (_add_zero_prior,),
    5: (_turn_label_tokens_off,),
    6: (
        _rename_options,
        _rename_rescore_arrays,
        _name_weights,
        _rename_metrics,
        _weigh_and_count_history,
        _mark_histories_unordered,
    ),
    7: (_add_scorers_without_weight,),
}
_PARAMETER_STEPS: _Steps[Arrays] = {6: (_rename_featurizer_arrays, _add_empty_label_tokens)}
_INTERACTION_STEPS: _Steps[pa.Table] = {6: (_count_interactions,)}

#: scorers whose weights were positional
_SCORERS = ("embedding", "graph", "text", "co_occurrence")
#: section of the configuration -> old name of an option -> new name
_OPTIONS = {
    "encoder": {"words": "label_tokens"},
    "rescore": {"together": "co_occurrence", "unmet": "cold_offset"},
}
_METRICS = {
    "evenness": "whitening",
    "unmet": "cold_offset",
    "valid_blended_ndcg": "valid_fused_ndcg",
    "valid_blended_recall": "valid_fused_recall",
}
#: old prefix of an array's name -> new prefix; the first match applies
_FEATURIZER = {
    "schema.word_idf": "featurizer.token_idf",
    "schema.knots.": "featurizer.bins.",
    "schema.": "featurizer.",
}


def _featurizer_name(name: str) -> str:
    for old, new in _FEATURIZER.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _renamed(values: dict[str, _T], names: dict[str, str]) -> dict[str, _T]:
    return {names.get(name, name): value for name, value in values.items()}


def _with_option(config: dict[str, Any], section: str, option: str, value: Any) -> dict[str, Any]:
    """`config.json` with an option added to the model's configuration, unless it is already there."""
    sections = config["config"]
    return {**config, "config": {**sections, section: {option: value, **sections.get(section, {})}}}


def _with_column(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    """The table with a column added, unless it is already there."""
    import pyarrow as pa

    return table if name in table.column_names else table.append_column(name, pa.array(values))
