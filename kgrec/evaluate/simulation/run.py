"""All policies and seeds of a simulation.

Enters: a graph. Leaves: `Simulation`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgrec.arguments import options
from kgrec.arguments.ids import as_texts
from kgrec.config import Config
from kgrec.errors import ConfigError, did_you_mean
from kgrec.evaluate.benchmark.task import small_types
from kgrec.evaluate.simulation.choices import SimulationConfig
from kgrec.evaluate.simulation.loop import run_of
from kgrec.evaluate.simulation.outcome import Simulation
from kgrec.evaluate.simulation.policies import POLICIES
from kgrec.evaluate.simulation.world import MOST_CELLS, World, world_of
from kgrec.graph.knowledge_graph import KnowledgeGraph

#: called with the policy, the number of finished runs, and that of all runs
OnRun = Callable[[str, int, int], None]
#: how the recommender is trained after each round: in less than a tenth of a second, on one thread, so that a seed gives the same
#: result; with fixed weights in place of validated ones, among them popularity, as most systems have it
FAST = (
    *("text.model=none", "dim=32", "epochs=2", "learning_rate=0.01", "temperature=0.3"),
    *("valid_share=0", "train.threads=1", "penalty=20"),
    *("rescore.weights={embedding: 0.4, co_occurrence: 0.6}", "rescore.popularity=0.1"),
)


def simulate(
    graph: KnowledgeGraph,
    policies: Sequence[str] | None = None,
    *,
    simulation: SimulationConfig | None = None,
    by: Sequence[str] | None = None,
    provider: str | None = None,
    config: Config | None = None,
    on_run: OnRun | None = None,
) -> Simulation:
    """Simulate what policies of lists do to viewers and to a catalogue over many rounds.

    Viewers are invented: see `kgrec.evaluate.simulation.choices`. The recommender is real, and is trained anew after each round on
    all clicks so far; the interactions of the graph are not used.

    Args:
        graph: Holds the items; is not modified.
        policies: Their names, see `kgrec.evaluate.simulation.policies`; None: all.
        simulation: Size and choice model.
        by: Node types or relations that tastes are about; None: up to three types with few nodes that most items have.
        provider: Node type or relation of those who provide items, such as "publisher"; None: the first of `by`.
        config: How the recommender is trained; None: small and fast, without texts.
        on_run: Called after each run.

    Raises:
        UnknownId: The graph has no such type.
        ConfigError: A policy is unknown, the graph has no type to choose, or the size is too large.

    Example:
        >>> result = kgrec.simulate(graph, ["model", "random"])  # doctest: +SKIP
        >>> result.curve("model", "coverage").mean  # doctest: +SKIP
    """
    options.instance("graph", graph, KnowledgeGraph, "Give what build_graph or KnowledgeGraph.load returned.")
    size = (
        options.optional("simulation", simulation, SimulationConfig, "Give kgrec.SimulationConfig(...).")
        or SimulationConfig()
    )
    model = options.optional("config", config, Config, "Give kgrec.Config(...), or Config.read(path).")
    options.callback("on_run", on_run, "a policy, and the numbers of finished and of all runs")
    names = _policies(policies)
    types = list(small_types(graph)) if by is None else as_texts(by, "by")
    if not types:
        raise ConfigError(
            "by names no type of nodes." if by is not None else "No type of nodes suits tastes.",
            "Name one that items have an edge with: by=['genre'].",
        )
    world = world_of(graph, types, types[0] if provider is None else options.text("provider", provider))
    if size.viewers * len(world) > MOST_CELLS:
        raise ConfigError(
            f"{size.viewers:,} viewers with {len(world):,} items are too many for a simulation.",
            f"Take at most {MOST_CELLS // len(world):,} viewers.",
        )
    fast = model or Config.read(settings=FAST)
    runs: dict[str, list[Any]] = {name: [] for name in names}
    for number, name in enumerate([name for name in names for _ in range(size.seeds)]):
        runs[name].append(run_of(world, name, size, fast, size.seed + len(runs[name])))
        if on_run is not None:
            on_run(name, number + 1, len(names) * size.seeds)
    return _outcome(world, types, provider or types[0], size, runs)


def _outcome(
    world: World, by: list[str], provider: str, size: SimulationConfig, runs: dict[str, list[Any]]
) -> Simulation:
    per_item = np.maximum(np.asarray(world.providers.sum(axis=1)).ravel(), 1)
    items = np.asarray(world.providers.T @ (1 / per_item)).ravel()
    return Simulation(
        size,
        {name: np.stack([one.figures for one in some]) for name, some in runs.items()},
        {name: np.mean([one.providers for one in some], axis=0) for name, some in runs.items()},
        world.provider_names,
        items / max(items.sum(), 1),
        {
            "items": len(world),
            "by": by,
            "nodes": world.features.shape[1],
            "provider": provider,
            "providers": world.providers.shape[1],
        },
        dict(world.graph.inputs),
    )


def _policies(given: Sequence[str] | None) -> list[str]:
    names = list(POLICIES) if given is None else list(dict.fromkeys(as_texts(given, "policies")))
    for name in names:
        if name not in POLICIES:
            raise ConfigError(f"There is no policy '{name}'.", did_you_mean(name, list(POLICIES)))
    if not names:
        raise ConfigError("policies is empty.", f"Name some of {', '.join(POLICIES)}.")
    return names
