"""Options about lists as a whole: by hand on six films on a half circle, with filters, boosts and explanations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from models import items, model

import kgrec
from kgrec.errors import ConfigError, UnknownId
from kgrec.recommend.list_options import at_work
from kgrec.recommend.request import Request

#: genres: f1 Horror and Science fiction, f2 and f3 Science fiction, f4 and f6 Romance and Comedy, f5 Romance
#: directors: f1 and f2 Ada, f3 Bo, f4 and f5 Cy, f6 Di
ANGLES = [0, 10, 30, 80, 90, 120]


@pytest.fixture(scope="module")
def graph(shared_catalogue) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture
def rec(graph) -> kgrec.Recommender:
    """The cosine is the score. u1 liked f1, u2 f1 and f4; f6 is unknown to training."""
    radians = np.deg2rad(ANGLES)
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    trained = np.array([True] * 5 + [False])
    made = kgrec.Recommender()
    histories = sp.csr_matrix(np.array([[1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]], np.float32))
    made._fitted = model(
        items(vectors, graph.item_ids.tolist(), entities=graph.item_entities, trained=trained),
        histories,
        histories,
        users=["u1", "u2"],
        graph=lambda: graph,
    )
    return made


def listed(rec: kgrec.Recommender, user: str = "u1", **options: Any) -> list[str]:
    return rec.recommend([user], request=Request(**options))["item_id"].tolist()


def test_without_options_the_lists_are_those_of_the_scores(rec):
    plain = rec.recommend(["u1", "u2"], k=4)
    assert plain["item_id"].tolist() == ["f2", "f3", "f4", "f5", "f3", "f2", "f5", "f6"]
    same = rec.recommend(["u1", "u2"], request=Request(k=4, diversity=0.0, at_most={}, at_least={}))
    assert same.equals(plain)


def test_diversity_moves_items_and_keeps_their_scores(rec):
    plain = rec.recommend(["u1"], k=5).set_index("item_id")["score"]
    diverse = rec.recommend(["u1"], request=Request(k=3, diversity=0.6))
    # f2 first; then f6, 110 degrees away; then f3: 0.4 * 0.92 - 0.6 * cos 20 = -0.20 is more than f4's 0.4 * 0.45 - 0.6 * cos 40
    assert diverse["item_id"].tolist() == ["f2", "f6", "f3"]
    assert diverse["rank"].tolist() == [1, 2, 3]
    assert diverse["score"].tolist() == plain[diverse["item_id"]].tolist()
    # f5: 0.4 * 0.34 + 0.6 * log(1 - cos(80)^2) = 0.12 is more than f4's 0.4 * 0.45 + 0.6 * log(1 - cos(70)^2) = 0.11
    assert listed(rec, k=2, diversity=0.6, diversity_method="dpp") == ["f2", "f5"]


def test_calibration_follows_the_history(rec):
    # u1 liked Horror and Science fiction alone; u2 as much Romance and Comedy, though f3 and f2 score highest
    assert listed(rec, "u2", k=2) == ["f3", "f2"]
    assert listed(rec, "u2", k=2, calibration=0.7, calibrate_by="genre") == ["f6", "f3"]
    assert listed(rec, "u1", k=2, calibration=0.7, calibrate_by="genre") == ["f2", "f3"]


def test_novelty_lifts_items_that_nobody_has(rec):
    assert listed(rec, exclude_seen=False, k=6)[:2] == ["f1", "f2"]
    # both users have f1, one has f4; f2 has none, and of the items with one user or none it scores highest
    assert listed(rec, exclude_seen=False, k=6, novelty=0.5)[0] == "f2"
    assert listed(rec, exclude_seen=False, k=6, novelty=0.9)[-1] == "f1"


def test_caps_by_a_type_and_by_a_relation(rec):
    assert listed(rec, k=5) == ["f2", "f3", "f4", "f5", "f6"]
    assert listed(rec, k=3, at_most={"person": 1}) == ["f2", "f3", "f4"]
    assert listed(rec, k=5, at_most={"person": 1}) == ["f2", "f3", "f4", "f6"]
    assert listed(rec, k=5, at_most={"directed_by": 1}) == ["f2", "f3", "f4", "f6"]
    assert listed(rec, k=3, at_most={"genre": 1}) == ["f2", "f4"]


def test_quotas_by_a_condition_and_of_new_items(rec):
    assert listed(rec, k=2, at_least={"genres = Romance": 1}) == ["f2", "f4"]
    assert listed(rec, k=2, at_least={"new": 1}) == ["f2", "f6"]
    assert listed(rec, k=3, at_least={"new": 1, "genres = Comedy": 1}) == ["f2", "f4", "f6"]
    assert listed(rec, k=2, at_least={"new": 1, "genres = Comedy": 2}) == ["f4", "f6"]


def test_filters_boosts_and_bounds_hold(rec):
    quota = {"genres = Romance": 1}
    assert listed(rec, k=2, at_least=quota, deny=["f4"]) == ["f2", "f5"]
    assert listed(rec, k=2, at_least=quota, where_boost={"genres = Comedy": 0.5}) == ["f2", "f4"]
    assert listed(rec, k=2, at_least=quota, item_boost={"f6": 0.9}) == ["f2", "f6"]
    assert listed(rec, k=5, at_most={"person": 1}, min_score=0.5) == ["f2", "f3"]
    assert listed(rec, k=3, diversity=0.6, min_score=0.1) == ["f2", "f4", "f3"]
    assert listed(rec, k=2, diversity=0.9, user_candidates={"u1": ["f2", "f3", "f4"]}) == ["f2", "f4"]
    assert listed(rec, k=2, at_least=quota, user_deny={"u1": ["f4"]}) == ["f2", "f5"]


def test_a_quota_that_a_user_cannot_meet_is_filled_as_far_as_possible_and_counted(rec, caplog):
    request = Request(k=2, at_least={"new": 1}, user_deny={"u1": ["f6"]})
    lists = rec.recommend(["u1", "u2"], request=request)["item_id"].tolist()
    assert lists == ["f2", "f3", "f3", "f6"]
    assert caplog.messages == [
        "at_least 1 of 'new': 1 of 2 lists have fewer such items, because their users have too few such candidates."
    ]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"at_most": {"genrs": 1}}, UnknownId, "There is no node of type 'genrs' in the graph."),
        ({"calibration": 0.1, "calibrate_by": "gene"}, UnknownId, "Did you mean 'genre'"),
        (
            {"at_least": {"genres = Romance": 4}},
            ConfigError,
            "requires 4 items of 'genres = Romance', but 3 of",
        ),
        ({"at_least": {"new": 1}, "deny": ["f6"]}, ConfigError, "but 0 of the items that may be listed are"),
        ({"at_least": {"new": 1, "genres = Horror": 1}, "k": 1}, ConfigError, "requires 2 items in total"),
    ],
)
def test_what_no_list_can_meet_is_refused(rec, options, error, message):
    with pytest.raises(error, match=message):
        listed(rec, **{"k": 5, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diversity": 1.5}, "diversity is 1.5."),
        ({"diversity": -0.1}, "diversity is -0.1."),
        ({"novelty": "much"}, "novelty is 'much'."),
        (
            {"diversity_method": "dpp"},
            "diversity_method is 'dpp', but diversity is 0, so it changes nothing.",
        ),
        ({"calibration": 0.2}, "calibration is 0.2, but calibrate_by is not given."),
        ({"exposure_by": "person"}, "exposure_by is 'person', but exposure is 0, so it changes nothing."),
        ({"exposure": 0.2, "exposure_by": ""}, "exposure_by is ''."),
        ({"exposure": 0.2, "exposure_by": "p", "exposure_target": "eqal"}, "exposure_target is 'eqal'."),
        ({"at_most": {"person": 0}}, r"at_most\['person'\] is 0."),
        ({"at_most": ["person"]}, r"at_most is \['person'\]."),
        ({"at_least": {"new": 11}}, r"at_least\['new'\] is 11, but a list has 10 items."),
        ({"at_least": {"year >": 1}}, "year"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Request(**options)


def test_the_options_survive_json():
    request = Request(
        diversity=0.2,
        diversity_method="dpp",
        calibration=0.1,
        calibrate_by="genre",
        novelty=0.3,
        exposure=0.2,
        exposure_by="person",
        exposure_target="catalogue",
        at_most={"person": 2},
        at_least={"year >= 1990": 1, "new": 1},
    )
    assert Request.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_other_queries_refuse_the_options(rec):
    request = Request(diversity=0.2, at_most={"person": 1})
    for query in (
        lambda: rec.recommend_for_text(["space"], request=request),
        lambda: rec.similar_items(["f1"], request=request),
        lambda: rec.similar_users(["u1"], request=request),
        lambda: rec.score_pairs(["u1"], ["f1"], request=request),
    ):
        with pytest.raises(ConfigError, match="diversity and at_most do not apply to"):
            query()


def test_a_history_gets_the_list_of_the_user_who_has_it(rec):
    request = Request(k=3, diversity=0.6, calibration=0.2, calibrate_by="genre")
    known = rec.recommend(["u2"], request=request)
    given = rec.recommend_for_history([["f1", "f4"]], users=["u2"], request=request)
    assert given["item_id"].tolist() == known["item_id"].tolist()


def test_the_options_at_work_are_named():
    assert at_work(Request()) == []
    said = at_work(Request(novelty=0.3, at_most={"person": 2}, at_least={"new": 1}))
    assert said == [
        "novelty 0.3: items with few users rise",
        "at most 2 per person",
        "at least 1 of 'new'",
    ]
    others = Request(diversity=0.1, calibration=0.2, calibrate_by="genre", exposure=0.3, exposure_by="person")
    assert [line.split(":")[0] for line in at_work(others)] == [
        "diversity 0.1 (mmr)",
        "calibration 0.2 by genre",
        "exposure 0.3 by person (equal)",
    ]
