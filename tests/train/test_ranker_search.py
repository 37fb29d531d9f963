from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from ranking_examples import NAMES, examples

from kgrec import Config, Recommender, build_graph
from kgrec.cli.train import summary
from kgrec.errors import ConfigError
from kgrec.rank.ranker import LearnedRanker
from kgrec.train import hyperparameters, ranker_search
from kgrec.train.ranker_search import FITTERS, RankerChoice, choose_ranker, tried_kinds

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  item: {item: true, file: items.csv, key: item_id, columns: {taste: {as: node, type: taste}}}
interactions: {file: log.csv, user: user_id, item: item_id, time: day}
"""


def chosen(name, world, users=None, n=200) -> RankerChoice:
    users = np.arange(n) if users is None else users
    return choose_ranker(name, world, np.ones(len(users), np.int64), users, 10, 0)


def test_a_ranker_that_finds_more_is_chosen():
    choice = chosen("gate", examples(200, follows="gate"))
    assert choice.ranker is not None and choice.ranker.kind == "gate"
    assert choice.figures["gate"] > choice.figures["fused"] and choice.figures["gate_p"] < 0.05


def test_where_the_fused_score_knows_everything_none_is_chosen():
    choice = chosen("gate", examples(200, follows=None))
    assert choice.ranker is None
    assert choice.figures["gate"] == pytest.approx(choice.figures["fused"], rel=0.1)


def test_auto_takes_the_kind_that_finds_most():
    choice = chosen("auto", examples(200, follows="recent_popularity"))
    assert choice.ranker is not None and choice.ranker.kind in ("boosted", "network")
    assert {"fused", "gate", "boosted", "network"} <= {*choice.figures}


def test_few_users_decide_nothing():
    """200 queries of 40 users; and 200 users, of whom 49 have a hit."""
    world = examples(200, follows="gate")
    assert chosen("gate", world, np.arange(200) % 40) == RankerChoice()
    world.hits[49:] = False
    assert chosen("gate", world) == RankerChoice()


def test_the_queries_of_a_user_are_never_in_both_parts(monkeypatch):
    """A ranker that knows its queries by heart gains nothing from them."""
    users = np.repeat(np.arange(60), 2)
    met: list[set[int]] = []

    class Heart:
        def __init__(self, queries):
            self.queries = queries

        def corrections(self, features: np.ndarray) -> np.ndarray:
            asked = set(np.unique(features[:, 0].astype(int)).tolist())
            met.append(self.queries & asked)
            return np.zeros(len(features), np.float32)

    def by_heart(some, _: int) -> LearnedRanker:
        return Heart(set(np.unique(some.features[..., 0].astype(int)).tolist()))  # type: ignore[return-value]

    monkeypatch.setitem(ranker_search.FITTERS, "gate", by_heart)  # type: ignore[arg-type]
    world = examples(120, follows=None)
    # the first feature is the user
    world.features[..., 0] = users[:, None]
    assert chosen("gate", world, users).ranker is None
    assert met == [set()] * 4


def test_what_one_user_of_many_queries_gains_does_not_outweigh_what_the_others_lose(monkeypatch):
    """The first user has 140 queries, which the ranker knows; the other sixty have one each, which it spoils."""
    users = np.concatenate([np.zeros(140, int), np.arange(1, 61)])
    world = examples(200, follows="age")
    world.features[..., 0] = np.where(world.hits == (users == 0)[:, None], 9, -9)

    class Known:
        kind = "gate"

        def corrections(self, features: np.ndarray) -> np.ndarray:
            return features[:, 0]

    monkeypatch.setitem(ranker_search.FITTERS, "gate", lambda *_: Known())  # type: ignore[arg-type]
    choice = chosen("gate", world, users)
    assert choice.figures["gate"] > choice.figures["fused"] and choice.figures["gate_p"] < 0.05
    assert choice.ranker is None


def test_kinds_of_an_option(monkeypatch):
    assert tried_kinds("none") == () and tried_kinds("network") == ("network",)
    assert tried_kinds("auto") == ("gate", "boosted", "network")
    monkeypatch.setattr(ranker_search, "is_installed", lambda: False)
    assert tried_kinds("auto") == ("gate", "network")


def test_a_kind_that_is_not_installed_is_an_error_if_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ConfigError, match="needs LightGBM"):
        chosen("boosted", examples(200, follows="age"))


def test_lists_may_be_longer_than_the_candidates():
    world = examples(100, width=6, follows=None)
    choice = choose_ranker("gate", world, np.full(100, 8), np.arange(100), 20, 0)
    assert 0 < choice.figures["fused"] < 1 and len(NAMES) == world.features.shape[2]


@pytest.mark.parametrize("kind", ["gate", "boosted", "network"])
def test_a_model_is_fitted_with_the_ranker_that_was_chosen(kind, tmp_path, monkeypatch):
    """Eighty users of two tastes, and twenty items; whatever was learned counts as better."""

    def always(name, some, positives, users, k, seed) -> RankerChoice:
        assert len(positives) == len(users) == len(some.hits) and k == 10
        return RankerChoice(FITTERS[name](some, seed), {"fused": 0.1, name: 0.2, f"{name}_p": 0.01})

    monkeypatch.setattr(hyperparameters, "choose_ranker", always)
    rng = np.random.default_rng(0)
    items = pd.DataFrame({"item_id": [f"i{n}" for n in range(20)], "taste": [f"t{n % 2}" for n in range(20)]})
    rows = [
        {"user_id": f"u{user}", "item_id": f"i{item}", "day": 1_000_000_000 + 86_400 * day}
        for user in range(80)
        for day, item in enumerate(rng.choice(10, 6, replace=False) * 2 + user % 2)
    ]
    items.to_csv(tmp_path / "items.csv", index=False)
    pd.DataFrame(rows).to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    settings = ["text.model=none", "dim=8", "epochs=2", "temperature=0.1", "learning_rate=0.05"]
    options = [*settings, "train.threads=1", "search_seconds=0", f"ranker={kind}"]
    kg = Recommender(Config.read(settings=options)).fit(build_graph(tmp_path / "kgrec.yaml"))
    assert kg.model.metrics["chosen"]["ranker"]["kind"] == kind
    assert f"Ranker: {kind}." in summary(kg)
    kg.save(tmp_path / "model")
    lists = Recommender.load(tmp_path / "model").recommend(["u0", "u1"], k=5)
    pd.testing.assert_frame_equal(lists, kg.recommend(["u0", "u1"], k=5))


def test_without_validation_data_no_ranker_is_learned(tmp_path, caplog):
    pd.DataFrame({"item_id": ["a", "b", "c"], "taste": ["x", "x", "y"]}).to_csv(
        tmp_path / "items.csv", index=False
    )
    log = pd.DataFrame(
        {"user_id": ["u", "u", "v", "v"], "item_id": ["a", "b", "b", "c"], "day": [10**9, 10**9 + 1] * 2}
    )
    log.to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    options = ["text.model=none", "epochs=1", "train.threads=1", "valid_share=0", "ranker=gate"]
    kg = Recommender(Config.read(settings=options)).fit(build_graph(tmp_path / "kgrec.yaml"))
    assert kg.model.rescorer.ranker is None
    assert "no ranker is learned" in caplog.text
