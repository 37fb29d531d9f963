"""Models that lack a source on purpose, to see what it brings.

Enters: a graph and a configuration. Leaves: both without some sources of knowledge. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from kgrec.config import Config
from kgrec.errors import ConfigError, did_you_mean
from kgrec.graph.tables import GraphT
from kgrec.ingest.deduplicate import unique_triples


class _Ablation(Protocol):
    def __call__(self, graph: GraphT, config: Config) -> tuple[GraphT, Config]: ...


def ablated(graph: GraphT, config: Config, sources: Iterable[str]) -> tuple[GraphT, Config]:
    """A graph and a configuration without some sources.

    Args:
        graph: Stays as it is.
        config: Stays as it is; its seed draws what is shuffled.
        sources: Of "graph" (edges and numbers), "text" (labels and texts), "id" (the residual of each known item),
            "co-occurrence" (which items the same users take); or "shuffle-graph": each item gets the edges and numbers
            of another, the control that tells knowledge from mere parameters.

    Raises:
        ConfigError: A source is unknown.
    """
    for source in sources:
        if source not in _WITHOUT:
            raise ConfigError(
                f"There is no source '{source}' to leave out.", did_you_mean(source, [*_WITHOUT])
            )
        graph, config = _WITHOUT[source](graph, config)
    return graph, config


def _without_graph(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
    return replace(graph, triples=graph.triples[:0], numbers=graph.numbers[:0]), config


def _without_text(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
    return graph, config.model_copy(update={"text": config.text.model_copy(update={"model": "none"})})


def _without_id(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
    return graph, config.model_copy(update={"encoder": config.encoder.model_copy(update={"identity": False})})


def _without_co_occurrence(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
    return graph, config.model_copy(
        update={"rescore": config.rescore.model_copy(update={"co_occurrence": False})}
    )


def _shuffled(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
    items = graph.item_entities
    other = np.arange(len(graph))
    other[items] = np.random.default_rng(config.train.seed).permutation(items)
    head, relation, tail, weight = (
        graph.triples[name].to_numpy() for name in ("head", "relation", "tail", "weight")
    )
    numbers = graph.numbers.set_column(
        0, "id", pa.array(other[graph.numbers["id"].to_numpy()].astype(np.int32))
    )
    triples = unique_triples(other[head], relation, other[tail], weight)
    return replace(graph, triples=triples, numbers=numbers.sort_by("id")), config


_WITHOUT: dict[str, _Ablation] = {
    "graph": _without_graph,
    "text": _without_text,
    "id": _without_id,
    "co-occurrence": _without_co_occurrence,
    "shuffle-graph": _shuffled,
}
