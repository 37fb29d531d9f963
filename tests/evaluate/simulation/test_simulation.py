"""Simulation: worlds, viewers and policies of a few items, whose figures are worked out by hand; and whole runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kgrec
from kgrec.config import Config
from kgrec.errors import ConfigError, UnknownId
from kgrec.evaluate.report.simulation_page import simulation_page
from kgrec.evaluate.simulation.choices import Choices, SimulationConfig
from kgrec.evaluate.simulation.figures import FIGURES, figures_of, homogeneity
from kgrec.evaluate.simulation.loop import run_of
from kgrec.evaluate.simulation.outcome import Simulation
from kgrec.evaluate.simulation.policies import POLICIES, Round, viewer_names
from kgrec.evaluate.simulation.run import FAST, simulate
from kgrec.evaluate.simulation.viewers import Viewers
from kgrec.evaluate.simulation.world import World, drawn, world_of

TINY = SimulationConfig(viewers=6, rounds=3, seeds=2, k=2, start=1, new_share=0.34)
MODEL = Config.read(settings=[*FAST, "dim=4"])


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def world(graph: kgrec.KnowledgeGraph) -> World:
    return world_of(graph, ["genre"], "person")


@pytest.fixture
def viewers(world: World) -> Viewers:
    return Viewers.drawn(world, 5, Choices(), np.random.default_rng(0))


def test_a_world_has_the_content_of_the_graph(world: World):
    """Genres are Comedy, Horror, Romance, Science fiction; f1 has Horror and Science fiction, f3 Science fiction."""
    assert world.shares.tolist() == [
        [0, 0.5, 0, 0.5],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
        [0.5, 0, 0.5, 0],
        [0, 0, 1, 0],
        [0.5, 0, 0.5, 0],
    ]
    assert np.linalg.norm(world.features, axis=1) == pytest.approx(np.ones(6))
    # Horror is rarer than Science fiction
    assert world.features[0, 1] / world.features[0, 3] == pytest.approx(np.log(7) / np.log(7 / 3))
    assert world.provider_names == ("Ada", "Bo", "Cy", "Di")
    assert world.providers.toarray().argmax(axis=1).tolist() == [0, 0, 1, 2, 2, 3]


def test_items_appear_in_equal_parts(world: World):
    made = drawn(world, 0.67, 4, np.random.default_rng(1))
    assert sorted(made.release.tolist()) == [0, 0, 1, 2, 3, 4]
    assert drawn(world, 0, 4, np.random.default_rng(1)).release.tolist() == [0] * 6


def test_utility_and_clicks_are_those_of_the_formulas(world: World):
    viewers = Viewers.drawn(world, 2, Choices(), np.random.default_rng(0))
    viewers.whim[:], viewers.scale = 0, (0.0, 1.0)
    viewers.taste[:] = [[0, 0, 0, 1], [0, 0, 1, 0]]
    who = np.arange(2)
    first = viewers.utility(who)
    assert first[0, 1] == pytest.approx(0.6**0.5)  # a match of 1
    assert first[1, 1] == pytest.approx(0)
    viewers.memory[0] = world.features[1]
    assert viewers.utility(who)[0, 1] == pytest.approx(0.6**0.5 - 1)  # bored of it
    viewers.trust[:] = [1, 0]
    chance = viewers.click_probability(who, np.array([[1.0, 1.0], [1.0, 1.0]]))
    sure = 1 / (1 + np.exp(-1))  # full trust adds .5 to the utility, twice
    assert chance == pytest.approx(np.array([[sure, sure / 2], [0.5, 0.25]]))


def test_clicks_change_viewers(world: World):
    choices = Choices(taste_drift=0.5, position_bias=0, leaving=0)
    viewers = Viewers.drawn(world, 2, choices, np.random.default_rng(0))
    viewers.taste[:], viewers.whim[:] = [0.25] * 4, [[9] * 6, [-9] * 6]
    lists = np.array([[4, 1], [4, -1]])
    clicked, utility = viewers.respond(np.arange(2), lists, np.random.default_rng(0))
    assert clicked.tolist() == [[True, True], [False, False]]
    assert np.isnan(utility).tolist() == [[False, False], [False, True]]
    assert viewers.seen.nonzero()[1].tolist() == [1, 4]
    # half of the taste is now that of a Romance and a Science fiction
    assert viewers.taste[0] == pytest.approx([0.125, 0.125, 0.375, 0.375])
    assert viewers.taste[1] == pytest.approx([0.25] * 4)
    assert viewers.trust == pytest.approx([0.6, 0.4], abs=1e-3)
    assert viewers.active.all()


def test_viewers_without_trust_leave(world: World):
    viewers = Viewers.drawn(world, 400, Choices(leaving=0.5), np.random.default_rng(0))
    viewers.trust[:200], viewers.trust[200:] = 0, 1
    viewers.respond(np.arange(400), np.full((400, 1), -1), np.random.default_rng(0))
    left = ~viewers.active
    # 400 lists without items: trust falls to 0 and .8, and a viewer leaves with probability .5 or .1
    assert left[:200].mean() == pytest.approx(0.5, abs=4 * (0.25 / 200) ** 0.5)
    assert left[200:].mean() == pytest.approx(0.1, abs=4 * (0.09 / 200) ** 0.5)


def test_homogeneity_is_the_mean_jaccard_index():
    seen = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 0]], bool)
    assert homogeneity(seen) == pytest.approx((1 / 3 + 1 + 1 / 3) / 3)
    assert np.isnan(homogeneity(seen[:1]))


def test_figures_of_a_round(world: World, viewers: Viewers):
    made = replace(world, release=np.array([0, 0, 0, 0, 1, 9]))
    viewers.world = made
    lists = np.array([[0, 1], [4, 1]])
    clicked, utility = np.array([[True, False], [True, False]]), np.array([[1.0, 9.0], [0.0, 9.0]])
    found = figures_of(viewers, 2, lists, clicked, utility)
    assert list(found) == list(FIGURES)
    assert (found["clicks"], found["satisfaction"], found["retention"]) == (1, 0.5, 1)
    assert found["coverage"] == pytest.approx(3 / 5)
    assert found["new items"] == pytest.approx(1 / 4)
    # Ada has three of four places, with attention 1, 1/log2(3) and 1/log2(3), and Cy the first place; Bo has none, and Di has no item yet
    low = 1 / np.log2(3)
    shares = np.array([1 + 2 * low, 0, 1]) / (2 + 2 * low)
    assert found["provider gap"] == pytest.approx(np.abs(shares - 1 / 3).sum() / 2)


@pytest.mark.parametrize("name", POLICIES)
def test_lists_have_distinct_unseen_released_items(name: str, graph: kgrec.KnowledgeGraph, viewers: Viewers):
    viewers.seen[:4, :2] = True
    viewers.active[1] = False
    released = np.array([1, 1, 1, 1, 1, 0], bool)
    user, item = np.nonzero(viewers.seen)
    log = kgrec.Interactions(
        *(kgrec.Vocabulary(viewer_names(5)), graph.item_ids, user.astype(np.int32), item.astype(np.int32)),
        *(np.ones(8, bool), np.ones(8, np.int32)),
    )
    recommender = kgrec.Recommender(MODEL).fit(graph, log)
    who = np.flatnonzero(viewers.active)
    now = Round(TINY, viewers, who, released, np.random.default_rng(0), recommender)
    lists = POLICIES[name](now)
    assert lists.shape == (4, 2)
    for viewer, own in zip(who.tolist(), lists, strict=True):
        assert len(set(own.tolist())) == 2
        assert released[own].all()
        assert not viewers.seen[viewer, own].any()


def test_the_ideal_policy_lists_by_utility(viewers: Viewers):
    who = np.arange(5)
    now = Round(TINY, viewers, who, np.ones(6, bool), np.random.default_rng(0))
    assert POLICIES["ideal"](now)[:, 0].tolist() == viewers.utility(who).argmax(axis=1).tolist()


def test_a_short_catalogue_ends_lists_early(viewers: Viewers):
    viewers.seen[0, :5] = True
    now = Round(TINY, viewers, np.arange(5), np.ones(6, bool), np.random.default_rng(0))
    assert POLICIES["random"](now)[0].tolist() == [5, -1]


def test_a_seed_gives_the_same_run(world: World):
    first, second = (run_of(world, "epsilon", TINY, MODEL, 3) for _ in range(2))
    np.testing.assert_array_equal(first.figures, second.figures)
    assert run_of(world, "epsilon", TINY, MODEL, 4).figures.tolist() != first.figures.tolist()


def test_policies_of_a_seed_share_the_start(world: World):
    one = SimulationConfig(viewers=6, rounds=2, k=6, start=2, new_share=0)
    # all items are in each list, so what is listed is the same, and only the order differs
    figures = {name: run_of(world, name, one, MODEL, 1).figures[0] for name in ("random", "ideal")}
    at = list(FIGURES).index("coverage")
    assert figures["random"][at] == figures["ideal"][at] == 1


def test_a_run_in_which_all_leave_ends(world: World):
    gone = SimulationConfig(viewers=2, rounds=9, k=1, choices=Choices(leaving=1, trust=0))
    figures = run_of(world, "random", gone, MODEL, 0).figures
    assert figures[-1, list(FIGURES).index("retention")] == 0
    assert np.isnan(figures[-1, 0])


@pytest.fixture(scope="module")
def result(graph: kgrec.KnowledgeGraph) -> Simulation:
    return simulate(
        graph, ["random", "model"], simulation=TINY, by=["genre"], provider="person", config=MODEL
    )


def test_curves_and_differences(result: Simulation):
    assert (result.base, list(result.runs)) == ("model", ["random", "model"])
    values = result.runs["random"][:, :, 0]
    curve = result.curve("random", "clicks")
    assert curve.mean == pytest.approx(values.mean(axis=0))
    # two runs: the quantile of t with one degree of freedom is 12.706
    half = 12.7062 * values.std(axis=0, ddof=1) / 2**0.5
    assert curve.high - curve.mean == pytest.approx(half, rel=1e-4)
    difference = result.difference("random", "clicks", slice(0, 1))
    assert difference.mean == pytest.approx((values - result.runs["model"][:, :, 0])[:, 0].mean())
    with pytest.raises(UnknownId, match="no policy 'rando'"):
        result.curve("rando", "clicks")
    with pytest.raises(UnknownId, match="no figure 'click'"):
        result.curve("random", "click")


def test_the_folder_has_values_and_a_page(result: Simulation, tmp_path: Path):
    record = result.save(tmp_path / "simulation", simulation_page)
    assert json.loads((tmp_path / "simulation" / "simulation.json").read_text(encoding="utf-8")) == record
    page = (tmp_path / "simulation" / "simulation.html").read_text(encoding="utf-8")
    assert page == simulation_page(record)
    assert page.count("<svg") == len(FIGURES)
    assert "http" not in page.replace("http-equiv", "")
    assert record["providers"][0]["name"] in ("Ada", "Cy")
    assert sum(one["items"] for one in record["providers"]) == pytest.approx(1)


def test_a_lone_policy_and_seed_have_no_intervals(graph: kgrec.KnowledgeGraph):
    lone = SimulationConfig(viewers=3, rounds=2, seeds=1, k=1, start=1)
    record = simulate(graph, ["random"], simulation=lone, by=["genre"]).record()
    assert record["base"] == "random"
    assert record["policies"]["random"]["curves"]["clicks"]["low"] == [None, None]
    assert "early difference" not in record["policies"]["random"]
    simulation_page(record)


def test_what_cannot_be_simulated_is_refused(graph: kgrec.KnowledgeGraph):
    with pytest.raises(ConfigError, match="no policy 'modl'"):
        simulate(graph, ["modl"])
    with pytest.raises(ConfigError, match="policies is empty"):
        simulate(graph, [])
    with pytest.raises(UnknownId, match="'gener'"):
        simulate(graph, ["random"], by=["gener"])
    with pytest.raises(ConfigError, match="too many for a simulation"):
        simulate(
            graph,
            ["random"],
            by=["genre"],
            simulation=SimulationConfig(viewers=100_000).model_copy(update={"viewers": 10**7}),
        )


def test_settings_by_name():
    read = SimulationConfig.read(["rounds=9", "choices.boredom=0", "epsilon.epsilon=0.5", "rounds=4"])
    assert (read.rounds, read.choices.boredom, read.choices.trust) == (4, 0, 0.5)
    assert (read.epsilon.epsilon, read.epsilon.pool) == (0.5, SimulationConfig().epsilon.pool)
    assert SimulationConfig.read(["new.pool=30"]).new.method == "new"
    for setting, problem in (
        ("boredom", "is not a setting"),
        ("rounds.x=1", "is not a setting"),
        ("choices.bored=1", "no option 'choices.bored'"),
        ("choices.boredom=-1", "choices.boredom is -1"),
    ):
        with pytest.raises(ConfigError, match=problem):
            SimulationConfig.read(["rounds=3", setting])
