"""Queries to a model: by hand on vectors of two numbers, and against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from models import histories_of, items, model, rescorer

import kgrec
from kgrec.errors import ConfigError, KgrecError, UnknownId
from kgrec.graph.vocabulary import Vocabulary
from kgrec.recommend.feedback import stored_of, with_stored
from kgrec.recommend.request import Request
from kgrec.storage.segments import Rows

ITEMS = ["f1", "f2", "f3", "f4", "f5", "f6"]
#: degrees of each item's vector from the first axis
ANGLES = [0, 10, 30, 80, 90, 120]


def at(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def graph(shared_catalogue) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


def matrix(*rows: list[int]) -> sp.csr_matrix:
    rows_of_ones = [[int(n in row) for n in range(1, 7)] for row in rows]
    return sp.csr_matrix(np.array(rows_of_ones, np.float32).reshape(-1, 6))


def by_hand(
    graph: kgrec.KnowledgeGraph,
    vectors: np.ndarray,
    histories: sp.csr_matrix,
    seen: sp.csr_matrix,
    history_weight: np.ndarray | None = None,
) -> kgrec.Recommender:
    """A recommender that nobody trained; the cosine is all of its score."""
    rec = kgrec.Recommender()
    rec._fitted = model(
        items(vectors, graph.item_ids.tolist(), entities=graph.item_entities),
        histories,
        seen,
        history_weight=history_weight,
        users=[f"u{row}" for row in range(1, 1 + histories.shape[0])],
        graph=lambda: graph,
    )
    return rec


def six_films(graph: kgrec.KnowledgeGraph) -> kgrec.Recommender:
    """On a half circle; u1 liked f1, u2 f1 and f2, u3 f6 and saw f5; u4 saw f1 and liked nothing."""
    histories, seen = matrix([1], [1, 2], [6], []), matrix([1], [1, 2], [5, 6], [1])
    return by_hand(graph, at(*ANGLES), histories, seen, np.array([1, 1, 1, 1, 1, 0.5], np.float32))


@pytest.fixture
def rec(graph) -> kgrec.Recommender:
    return six_films(graph)


def pairs(frame: pd.DataFrame) -> list[tuple[str, float]]:
    """Item or user, and score in degrees."""
    scores = np.rad2deg(np.arccos(frame["score"].clip(-1, 1).to_numpy(np.float64)))
    return list(zip(frame.iloc[:, 1].tolist(), scores.round(1).tolist(), strict=True))


def error(kind: type[KgrecError], call, *args, **options) -> tuple[str, str]:
    with pytest.raises(kind) as raised:
        call(*args, **options)
    return raised.value.problem, raised.value.remedy


# filters


def test_an_item_that_is_denied_makes_room_for_the_next(rec):
    assert pairs(rec.recommend(["u1"], 2)) == [("f2", 10), ("f3", 30)]
    assert pairs(rec.recommend(["u1"], 2, deny=["f2", "f1"])) == [("f3", 30), ("f4", 80)]
    assert pairs(rec.recommend(["u1"], 2, deny=iter(["f2"]), candidates=["f2", "f5"])) == [("f5", 90)]
    assert pairs(rec.recommend(["u1"], 2, deny=[])) == [("f2", 10), ("f3", 30)]
    assert rec.recommend(["u1"], 2, deny=ITEMS).empty


def test_a_condition_leaves_out_items_in_every_query(rec):
    """f1, f2 and f3 are science fiction; f1 is horror too; f4, f5 and f6 are romances."""
    space = "genres = 'Science fiction'"
    assert pairs(rec.recommend(["u1"], 9, where=space)) == [("f2", 10), ("f3", 30)]
    assert pairs(rec.recommend(["u1"], 9, exclude_seen=False, where=f"{space} and not genres = Horror")) == [
        ("f2", 10),
        ("f3", 30),
    ]
    assert pairs(rec.recommend_for_history([["f2"]], 9, where="genres = Romance", deny=["f5"])) == [
        ("f4", 70),
        ("f6", 110),
    ]
    assert pairs(rec.similar_items(["f6"], 9, where=space, candidates=["f1", "f3", "f4"])) == [
        ("f3", 90),
        ("f1", 120),
    ]
    assert pairs(rec.similar_items(["f6"], 1, where="directed_by = Cy")) == [("f5", 30)]
    assert rec.recommend(["u1"], where="has directed_by and not has genres").empty


def test_unknown_names_in_filters(rec):
    assert error(UnknownId, rec.recommend, ["u1"], deny=["f9"])[0] == "There is no item 'f9' in the model."
    assert error(UnknownId, rec.recommend, ["u1"], where="genres = Western")[0] == (
        "where, character 10: 'Western' matches no neighbour by 'genres'."
    )
    assert error(ConfigError, rec.similar_items, ["f1"], where="genres =")[0].startswith(
        "where, character 9:"
    )
    skipped = rec.recommend(["u1"], 9, deny=["f9", "f2"], where="genres != Western", on_unknown="skip")
    assert pairs(skipped) == [("f3", 30), ("f4", 80), ("f5", 90), ("f6", 120)]
    assert rec.recommend(["u1"], where="genres = Western", on_unknown="skip").empty


def test_scores_below_the_least_are_left_out_and_ranks_stay(rec):
    frame = rec.recommend(["u1", "u3"], 9, min_score=float(np.cos(np.deg2rad(85))))
    assert frame["user_id"].tolist() == ["u1", "u1", "u1", "u3"]
    assert pairs(frame) == [("f2", 10), ("f3", 30), ("f4", 80), ("f4", 40)]
    assert frame["rank"].tolist() == [1, 2, 3, 1]
    # a score that is just reached counts
    least = float(rec.recommend(["u1"], 2)["score"].iloc[1])
    assert pairs(rec.recommend(["u1"], 9, min_score=least)) == [("f2", 10), ("f3", 30)]
    assert pairs(rec.similar_items(["f1"], 9, min_score=0.5)) == [("f2", 10), ("f3", 30)]
    assert pairs(rec.recommend_for_history([["f1"]], 9, min_score=0.9)) == [("f2", 10)]
    assert rec.recommend(["u1"], min_score=2).empty


def test_a_condition_is_read_once_for_many_parts(graph):
    reads = []
    rec = six_films(graph)
    rec._fitted = replace(rec.model, graph=lambda: reads.append(1) or graph)
    for user in ("u1", "u2", "u1"):
        rec.recommend([user], where="genres = Horror")
    assert len(reads) == 1
    rec.recommend(["u1"], where="genres = Romance")
    assert len(reads) == 2


# a request


def test_a_request_holds_the_options_of_a_list(rec):
    request = Request(2, deny=["f2"], where="not genres = Horror", min_score=0.1, exclude_seen=False)
    expected = {"k": 2, "deny": ["f2"], "where": "not genres = Horror", "min_score": 0.1}
    for method, query in ((rec.recommend, ["u1"]), (rec.recommend_for_history, [["f1"]])):
        frame = method(query, exclude_seen=False, **expected)
        assert pairs(frame) == [("f3", 30), ("f4", 80)]
        pd.testing.assert_frame_equal(method(query, request=request), frame)
    near = rec.similar_items(["f1"], **expected)
    pd.testing.assert_frame_equal(rec.similar_items(["f1"], request=request), near)
    users = rec.similar_users(["u1"], request=Request(1))
    assert pairs(users) == [("u2", 5)]


def test_a_request_and_options_beside_it_are_refused(rec):
    problem = "Options are given both in the request and as keywords."
    assert error(ConfigError, rec.recommend, ["u1"], 5, request=Request())[0] == problem
    assert error(ConfigError, rec.similar_items, ["f1"], deny=["f2"], request=Request())[0] == problem
    assert error(ConfigError, rec.similar_users, ["u1"], min_score=0, request=Request())[0] == problem


def test_options_that_a_query_cannot_use_are_refused(rec):
    boosted, filtered = Request(new_item_boost=0.1), Request(deny=["f1"], where="has genres")
    assert error(ConfigError, rec.similar_items, ["f1"], request=boosted) == (
        "new_item_boost does not apply to similar items.",
        "Leave it out.",
    )
    assert error(ConfigError, rec.recommend_for_text, ["space"], request=boosted)[0] == (
        "new_item_boost does not apply to texts."
    )
    assert error(ConfigError, rec.similar_users, ["u1"], request=filtered) == (
        "deny and where do not apply to similar users.",
        "Leave them out.",
    )


# likes and dislikes


def test_what_is_like_a_disliked_item_sinks(rec):
    """u = z1 - .2 * z6 for likes of f1 and a dislike of f6: (1, 0) - .2 (-.5, .866) lies at -8.9 degrees."""
    direction = np.rad2deg(np.arctan2(-0.2 * np.sin(np.deg2rad(120)), 1 + 0.1))
    frame = rec.recommend_for_history([["f1"], ["f1"]], 9, dislikes=[["f6"], []], users=["ann", "bob"])
    lists = dict(iter(frame.groupby("user_id")))
    assert pairs(lists["ann"]) == [
        (item, round(float(angle - direction), 1))
        for item, angle in zip(ITEMS[1:5], ANGLES[1:5], strict=True)
    ]
    assert pairs(lists["bob"]) == [("f2", 10), ("f3", 30), ("f4", 80), ("f5", 90), ("f6", 120)]


def test_a_disliked_item_is_never_recommended(rec):
    options = {"dislikes": [["f3"]], "exclude_seen": False}
    assert sorted(rec.recommend_for_history([["f1"]], 9, **options)["item_id"]) == [
        "f1",
        "f2",
        "f4",
        "f5",
        "f6",
    ]
    typical = rec.recommend_for_history([[]], 9)
    without = rec.recommend_for_history([[]], 9, dislikes=[["f3"]])
    expected = typical[typical["item_id"] != "f3"]
    assert pairs(without) == pairs(expected)


def test_feedback_must_fit(rec):
    assert error(ConfigError, rec.recommend_for_history, [["f1"]], dislikes=[]) == (
        "There are 1 histories but 0 lists in `dislikes`.",
        "Give one for each history.",
    )
    assert error(ConfigError, rec.recommend_for_history, [["f1", "f2"]], dislikes=[["f2"]]) == (
        "'f2' is both liked and disliked.",
        "Remove it from one of the lists.",
    )
    assert error(UnknownId, rec.recommend_for_history, [["f1"]], dislikes=[["f9"]])[0] == (
        "There is no item 'f9' in the model."
    )
    known = rec.recommend_for_history([["f1"]], dislikes=[["f3"]])
    pd.testing.assert_frame_equal(
        known, rec.recommend_for_history([["f1"]], dislikes=[["f3", "f9"]], on_unknown="skip")
    )


# users


# newer histories of known users


def test_a_given_history_goes_with_the_stored_one(rec):
    # u3 liked f6 and saw f5
    alone = rec.recommend_for_history([["f4"]], 9, users=["u3"], known_users="replace")
    assert alone["item_id"].tolist() == ["f5", "f6", "f3", "f2", "f1"]
    merged = rec.recommend_for_history([["f4"]], 9, users=["u3"])
    assert merged["item_id"].tolist() == ["f3", "f2", "f1"], "all of f4, f5 and f6 is seen"
    whole = rec.recommend_for_history([["f4", "f6"]], 9)
    scores = whole.set_index("item_id")["score"]
    assert merged["score"].tolist() == pytest.approx([scores[item] for item in merged["item_id"]])
    seen_too = rec.recommend_for_history([["f4"]], 9, users=["u3"], exclude_seen=False)
    assert set(seen_too["item_id"]) == set(ITEMS)


def test_users_are_known_by_their_names_alone(rec):
    nobody = rec.recommend_for_history([["f1"], ["f4"]], 9)
    pd.testing.assert_frame_equal(
        rec.recommend_for_history([["f1"], ["f4"]], 9, users=["x", "y"]).assign(user_id=nobody["user_id"]),
        nobody,
    )
    mixed = rec.recommend_for_history([["f4"], ["f4"], []], 9, users=["x", "u3", "u2"])
    lists = mixed.groupby("user_id")["item_id"].agg(list)
    assert lists["x"] == ["f5", "f6", "f3", "f2", "f1"] and lists["u3"] == ["f3", "f2", "f1"]
    # nothing new of u2: the list is that of before
    assert lists["u2"] == rec.recommend(["u2"], 9)["item_id"].tolist()


def test_what_is_disliked_now_is_liked_no_longer(rec):
    merged = rec.recommend_for_history([["f1"]], 9, dislikes=[["f2"]], users=["u2"])
    anew = rec.recommend_for_history([["f1"]], 9, dislikes=[["f2"]])
    assert pairs(merged) == pairs(anew)


def test_what_is_stored_weighs_as_at_the_training_and_what_is_given_in_full(rec):
    # u2 took f1 and f2 long ago
    model = replace(rec.model, histories=histories_of(0.25 * rec.model.liked))
    liked, seen = with_stored(stored_of(model, ["u2", "x"]), matrix([2, 4], [4]), matrix([], []))
    assert liked.toarray().tolist() == [[0.25, 1, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]]
    assert seen.toarray().tolist() == [[1, 1, 0, 0, 0, 0], [0] * 6]


def test_there_are_two_things_to_do_with_known_users(rec):
    problem, remedy = error(ConfigError, rec.recommend_for_history, [["f1"]], known_users="append")
    assert problem == "known_users is 'append'." and remedy == "Choose one of merge, replace."


# new items


def aged(rec: kgrec.Recommender, *new: int, **fields) -> kgrec.Recommender:
    """The same, but training did not know some of the items, numbered from 1."""
    trained = ~np.isin(np.arange(1, 7), new)
    rec._fitted = replace(rec.model, items=replace(rec.model.items, trained=Rows.of(trained)), **fields)
    return rec


def test_a_boost_is_added_to_the_score_of_new_items_alone(graph):
    rec = aged(six_films(graph), 3, 5)
    plain = rec.recommend(["u1"], 5).set_index("item_id")["score"]
    assert plain.index.tolist() == ["f2", "f3", "f4", "f5", "f6"]
    raised = rec.recommend(["u1"], 5, new_item_boost=0.25)
    assert raised["item_id"].tolist() == ["f3", "f2", "f5", "f4", "f6"]
    expected = plain + 0.25 * plain.index.isin(["f3", "f5"])
    assert raised.set_index("item_id")["score"].sort_index().tolist() == pytest.approx(
        expected.sort_index().tolist()
    )
    lowered = rec.recommend_for_history([["f1"]], 5, new_item_boost=-0.75)
    assert lowered["item_id"].tolist() == ["f2", "f4", "f3", "f6", "f5"]


def test_a_boost_of_nothing_changes_nothing(graph):
    rec = aged(six_films(graph), 3, 5)
    pd.testing.assert_frame_equal(rec.recommend(["u1"], 5), rec.recommend(["u1"], 5, new_item_boost=0.0))
    known = six_films(graph)
    pd.testing.assert_frame_equal(known.recommend(["u1"], 5), known.recommend(["u1"], 5, new_item_boost=0.3))


def test_a_boost_decides_what_gets_the_second_look(graph):
    rec = six_films(graph)
    # the index finds five, and f6 is the furthest; but f1 and f6 go together
    together = sp.csr_matrix(([1.2], ([5], [0])), (6, 6), dtype=np.float32)
    weights = {"embedding": 1, "co_occurrence": 1}
    scored = rescorer(6, weights, co_occurrence=together)
    config = rec.config.model_copy(update={"rescore": kgrec.RescoreConfig(depth=5)})
    aged(rec, 6, rescorer=scored, config=config)
    assert rec.recommend(["u1"], 1, exclude_seen=False)["item_id"].tolist() == ["f1"]
    best = rec.recommend(["u1"], 1, exclude_seen=False, new_item_boost=0.2)
    # half of cos 120 degrees, half of 1.2, and the boost: more than half of cos 0
    assert best["item_id"].tolist() == ["f6"]
    assert best["score"].tolist() == pytest.approx([0.5 * -0.5 + 0.5 * 1.2 + 0.2])


def test_a_boost_keeps_the_limits(graph):
    rec = aged(six_films(graph), 3, 5)
    options = {"new_item_boost": 0.5, "candidates": ["f2", "f3", "f4"], "deny": ["f4"]}
    assert rec.recommend(["u1"], 5, **options)["item_id"].tolist() == ["f3", "f2"]
    assert rec.recommend(["u1"], 5, min_score=1.2, **options)["item_id"].tolist() == ["f3"]


@pytest.mark.parametrize("boost", [float("nan"), float("inf")])
def test_a_boost_is_a_number(rec, boost: float):
    problem, _ = error(ConfigError, rec.recommend, ["u1"], new_item_boost=boost)
    assert problem == f"new_item_boost is {boost}."


def test_similar_users_are_the_nearest_others(rec):
    """u1 lies at 0 degrees, u2 at 5, u3 at 120; u4 likes nothing, and gets what most people take."""
    frame = rec.similar_users(["u1", "u3"], 5)
    assert [*frame.columns] == ["user_id", "similar_id", "score", "rank"]
    assert frame["user_id"].tolist() == ["u1", "u1", "u3", "u3"] and frame["rank"].tolist() == [1, 2, 1, 2]
    assert pairs(frame) == [("u2", 5), ("u3", 120), ("u2", 115), ("u1", 120)]
    assert pairs(rec.similar_users(["u1"], 1)) == [("u2", 5)]
    assert pairs(rec.similar_users(["u1"], 5, min_score=0)) == [("u2", 5)]
    assert set(rec.similar_users(["u4"], 5)["similar_id"]) == {"u1", "u2", "u3"}
    table = rec.similar_users("u1", arrow=True)
    assert table.column_names == ["user_id", "similar_id", "score", "rank"] and table.num_rows == 2


def test_similar_users_of_nobody_known(rec):
    assert error(UnknownId, rec.similar_users, ["u9"])[0] == "There is no user 'u9' in the model."
    assert pairs(rec.similar_users(["u9", "u1"], 1, on_unknown="skip")) == [("u2", 5)]
    assert error(ConfigError, rec.similar_users, ["u1"], 0)[0] == "k is 0."
    for users in (rec.similar_users([]), rec.similar_users(["u9"], on_unknown="skip")):
        assert [*users.columns] == ["user_id", "similar_id", "score", "rank"] and users.empty
    rec._fitted = replace(rec.model, users=Vocabulary([]), histories=histories_of(matrix()))
    assert rec.similar_users([]).empty


# against brute force

N = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[kgrec.Recommender, pd.DataFrame]:
    """Sixty items with few different vectors, so that many scores are equal; and their facts."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("world")
    facts = pd.DataFrame(
        {
            "id": [f"i{n:02}" for n in range(N)],
            "year": rng.integers(1990, 2000, N),
            "genres": ["|".join(rng.permutation(["a", "b", "c"])[: rng.integers(0, 3)]) for _ in range(N)],
        }
    )
    facts.to_csv(folder / "items.csv", index=False)
    (folder / "kgrec.yaml").write_text(
        "version: 1\nnodes:\n  item:\n    item: true\n    file: items.csv\n    key: id\n"
        "    columns: {year: number, genres: {as: node, type: genre, split: '|'}}\n"
    )
    graph = kgrec.build_graph(folder / "kgrec.yaml")
    seen = sp.random(5, N, 0.3, "csr", np.float32, rng=rng)
    seen.data[:] = 1
    rec = by_hand(graph, at(*rng.integers(0, 8, N) * 45), seen, seen)
    return rec, facts.set_index("id")


NAMES = st.lists(st.integers(0, N - 1).map(lambda n: f"i{n:02}"), max_size=N)


@given(
    user=st.integers(1, 5),
    k=st.integers(1, N + 5),
    exclude_seen=st.booleans(),
    candidates=st.none() | NAMES.filter(len),
    deny=st.none() | NAMES,
    year=st.integers(1988, 2001),
    genre=st.sampled_from([None, "a", "b", "c"]),
    negated=st.booleans(),
)
def test_filtered_lists_are_the_best_that_are_left(
    world, user, k, exclude_seen, candidates, deny, year, genre, negated
):
    """However few they are, k items that match are returned as long as there are k; equal scores in the order of items."""
    rec, facts = world
    model = rec.model
    where = f"year >= {year}" + (f" and {'not ' * negated}genres = {genre}" if genre else "")
    frame = rec.recommend(
        [f"u{user}"], k, exclude_seen=exclude_seen, candidates=candidates, deny=deny, where=where
    )
    scores = model.items.vectors @ model.user_vectors(model.histories.take(np.array([user - 1])))[0]
    left = []
    for row, (name, fact) in enumerate(facts.iterrows()):
        allowed = fact["year"] >= year
        if genre:
            allowed &= (genre in fact["genres"].split("|")) != negated
        allowed &= candidates is None or name in candidates
        allowed &= deny is None or name not in deny
        allowed &= not (exclude_seen and model.seen[user - 1, row])
        if allowed:
            left.append((-round(float(scores[row]), 4), row, name))
    assert frame["item_id"].tolist() == [name for _, _, name in sorted(left)[:k]]
