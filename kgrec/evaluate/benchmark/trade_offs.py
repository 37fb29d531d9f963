"""Trade-offs: the accuracy of lists chosen as a whole, at several strengths of each option.

Enters: node types, a `Task`, lists by variant. Leaves: `Variant`s with the requests of their lists, and a frame of their metrics.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kgrec.evaluate.benchmark.task import Predictions, Task
from kgrec.evaluate.evaluation import Evaluation, pooled
from kgrec.evaluate.measure import measure_lists
from kgrec.graph.memberships import linked_nodes
from kgrec.metrics.beyond_accuracy import exposure_gap, exposure_shares

#: strengths of each option; 0 is the plain list
STRENGTHS = (0.1, 0.2, 0.3, 0.5, 0.7)
_COLUMNS = ["option", "strength", "metric", "k", "value"]
#: largest number of groups whose shares of attention are reported
_GROUPS = 20


@dataclass(frozen=True)
class Variant:
    """One option of lists at one strength."""

    #: label for readers, such as "calibration of genre"
    option: str
    strength: float
    #: options of `kgrec.Request`
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique among the variants."""
        return f"{self.option} {self.strength:g}"


def variants(types: Sequence[str], strengths: Sequence[float] = STRENGTHS) -> list[Variant]:
    """All options at all strengths; calibration and exposure for each of the node types."""
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "diversity (mmr)": ("diversity", {}),
        "diversity (dpp)": ("diversity", {"diversity_method": "dpp"}),
        "novelty": ("novelty", {}),
        **{f"calibration of {one}": ("calibration", {"calibrate_by": one}) for one in types},
        **{f"exposure of {one}": ("exposure", {"exposure_by": one}) for one in types},
    }
    return [
        Variant(option, strength, {name: strength, **others})
        for option, (name, others) in options.items()
        for strength in strengths
    ]


def trade_offs(
    tasks: Sequence[Task], predictions: Sequence[Predictions], chosen: Sequence[Variant], ks: Sequence[int]
) -> pd.DataFrame:
    """Metrics over all items, for the lists of the variants.

    Args:
        tasks: One per fold.
        predictions: Predictions of the system, one per fold, with lists of the variants.
        chosen: The variants.
        ks: Lengths at which lists are measured.

    Returns:
        Columns option, strength, metric, k and value; the plain lists have the option "" and the strength 0.
    """
    by_variant = [("", 0.0, [one.lists for one in predictions])]
    by_variant += [(v.option, v.strength, [one.variants[v.name] for one in predictions]) for v in chosen]
    rows = [
        (option, strength, *metric)
        for option, strength, lists in by_variant
        for metric in _measured(tasks, lists, ks)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def exposure_by_group(
    task: Task, predictions: Predictions, chosen: Sequence[Variant]
) -> list[dict[str, Any]]:
    """Shares of attention by group, plain and at each strength, for the groups with the largest share of the catalogue.

    Returns:
        Records with type, group, catalogue (its share of the items), plain, and a share by strength in `strengths`.
    """
    source, records = task.fold.source, list[dict[str, Any]]()
    for type_ in task.classes:
        groups, nodes = linked_nodes(source, source.item_entities, type_)
        labels = source.entities["label"].take(pa.array(nodes)).to_pylist()
        keys = source.entities["key"].take(pa.array(nodes)).to_pylist()
        catalogue = exposure_shares(np.arange(groups.shape[0])[:, None], groups)
        plain = exposure_shares(predictions.lists[:, : task.k], groups)
        by_strength = {
            f"{v.strength:g}": exposure_shares(predictions.variants[v.name], groups)
            for v in chosen
            if v.option == f"exposure of {type_}"
        }
        records += [
            {
                "type": type_,
                "group": labels[at] or keys[at],
                "catalogue": float(catalogue[at]),
                "plain": float(plain[at]),
                "strengths": {strength: float(shares[at]) for strength, shares in by_strength.items()},
            }
            for at in np.argsort(-catalogue, kind="stable")[:_GROUPS].tolist()
        ]
    return records


def _measured(
    tasks: Sequence[Task], lists: Sequence[np.ndarray], ks: Sequence[int]
) -> Iterator[tuple[str, int, float]]:
    """Metric, k and value of the lists of all folds."""
    parts = []
    for task, own in zip(tasks, lists, strict=True):
        whole = measure_lists(task.ground_truth, own, ks)
        totals: Mapping[str, float] = whole.totals[""] | {
            f"exposure gap of {type_}@{k}": exposure_gap(exposure_shares(own[:, :k], groups), groups)
            for type_, groups in task.ground_truth.classes.items()
            for k in ks
        }
        parts.append(Evaluation(whole.users, {"": whole.values[""]}, {"": dict(totals)}, whole.lists))
    evaluation = pooled(parts)
    for name in (*evaluation.values[""], *evaluation.totals[""]):
        metric, _, k = name.rpartition("@")
        yield metric, int(k), evaluation[name]
