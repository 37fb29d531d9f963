"""Ablation: training inputs without some sources, to measure what each source contributes.

Enters: a graph and a configuration. Leaves: both without the sources. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
from kgrec.config import Config
from kgrec.errors import ConfigError, did_you_mean
from kgrec.graph.tables import GraphT, GraphTables
from kgrec.ingest.deduplicate import unique_triples


class _Ablation(Protocol):
    def __call__(self, graph: GraphT, config: Config) -> tuple[GraphT, Config]: ...


def ablated(graph: GraphT, config: Config, sources: Iterable[str]) -> tuple[GraphT, Config]:
    """Leave sources out of a graph and a configuration.

    Args:
        graph: Not modified.
        config: Not modified; `train.seed` decides how "shuffle-graph" shuffles.
        sources: Names of the sources to leave out, applied in this order:

            - "graph": edges and numbers;
            - "text": labels and texts of the items, even if the recommender gets a text encoder;
            - "id": the residual vector of each trained item;
            - "co-occurrence": the score from item co-occurrence;
            - "shuffle-graph": a control. Each item gets the edges and numbers of another item, so the model has as many
              parameters as before but no true knowledge.

            Vectors of the mapping's role `vector` are never left out.

    Returns:
        The graph and the configuration to train with.

    Raises:
        ConfigError: A source is unknown.
    """
    options.instance("graph", graph, GraphTables, "Give what build_graph or KnowledgeGraph.load returned.")
    options.instance("config", config, Config, "Give kgrec.Config(...).")
    for source in as_texts(sources, "sources"):
        if source not in _ABLATIONS:
            raise ConfigError(
                f"There is no source '{source}' to leave out.", did_you_mean(source, [*_ABLATIONS])
            )
        graph, config = _ABLATIONS[source](graph, config)
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


def _shuffle_graph(graph: GraphT, config: Config) -> tuple[GraphT, Config]:
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


_ABLATIONS: dict[str, _Ablation] = {
    "graph": _without_graph,
    "text": _without_text,
    "id": _without_id,
    "co-occurrence": _without_co_occurrence,
    "shuffle-graph": _shuffle_graph,
}
