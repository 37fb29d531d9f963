"""Metrics of lists on a fold: six films, three users, every value computed by hand."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from kgrec.config import Config, TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.ground_truth import GroundTruth, ground_truth_of, neighbor_vectors
from kgrec.evaluate.measure import evaluate_lists, measure_lists
from kgrec.evaluate.splits import given_split
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.memberships import linked_nodes
from kgrec.graph.vocabulary import Vocabulary
from kgrec.recommend.recommender import Recommender
from kgrec.recommend.results import Embeddings

#: f1 was taken by three users, f2 by two, f4 by one, the others by nobody
TRAIN = [("a", "f1"), ("a", "f2"), ("b", "f1"), ("b", "f2"), ("b", "f4"), ("c", "f1")]
TEST = [("a", "f4"), ("a", "f3"), ("b", "f5"), ("c", "f2"), ("c", "f6"), ("d", "f1")]
LISTS = [
    ("a", "f3", 1),
    ("a", "f5", 2),
    ("a", "f4", 3),
    ("b", "f6", 1),
    ("b", "f5", 2),
    ("c", "f4", 1),
    ("c", "f2", 2),
]


def frame(rows: list[tuple], *names: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", *names])


@pytest.fixture(scope="module")
def graph(shared_catalogue) -> KnowledgeGraph:
    return build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def fold(graph) -> Fold:
    return given_split(graph, frame(TRAIN), frame(TEST))


def test_metrics_by_hand(fold):
    """d has no history and no list."""
    found = evaluate_lists(fold, frame(LISTS, "rank"), [1, 2])
    assert found.users.tolist() == ["a", "b", "c", "d"]
    second = 1 / math.log2(3)
    expected = {
        "recall@1": [1 / 2, 0, 0, 0],
        "recall@2": [1 / 2, 1, 1 / 2, 0],
        "precision@2": [1 / 2, 1 / 2, 1 / 2, 0],
        "hit@2": [1, 1, 1, 0],
        "ndcg@2": [1 / (1 + second), second, second / (1 + second), 0],
        "map@2": [1 / 2, 1 / 2, (1 / 2) / 2, 0],
        "mrr@2": [1, 1 / 2, 1 / 2, 0],
        # a: f4, f3 of f3 f4 f5 f6: first before both others, the second is behind f5 and equal with f6
        "auc@2": [(2 + 0.5) / 4, 1 / 2, (2 + 1) / 6, 1 / 2],
        # three users; nobody took f3, f5 or f6
        "novelty@2": [math.log2(3), math.log2(3), (math.log2(3) + math.log2(1.5)) / 2, math.nan],
        "popularity_lift@2": [-1, -1, 1.5 / 3 - 1, math.nan],
        # the most popular that they have not seen: f4 f3; f3 f5; f2 f4; f1 f2
        "serendipity@2": [0, 0, 0, 0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found.of(name), values, rtol=0, atol=1e-12, err_msg=name)
        assert found[name] == pytest.approx(np.nanmean(values))
    assert found["coverage@2"] == pytest.approx(5 / 6) and found["coverage@1"] == pytest.approx(3 / 6)


def test_order_and_format_of_the_lists_do_not_matter(fold):
    """Rank or score, any order, as pandas, polars or Arrow, other columns and other users among them."""
    ranks = frame(LISTS, "rank")
    scores = ranks.assign(score=-ranks["rank"] / 7).drop(columns="rank").sample(frac=1, random_state=0)
    other = pd.concat([ranks, frame([("nobody", "f1", 1)], "rank")]).assign(why="")
    expected = evaluate_lists(fold, ranks, [2]).values[""]
    for lists in (scores, other, pa.Table.from_pandas(other), pl.DataFrame(other)):
        found = evaluate_lists(fold, lists, [2]).values[""]
        assert expected.keys() == found.keys()
        for name in expected:
            np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


def test_buckets_by_hand(fold):
    """Of six interactions half are with f1, a third with f2 and the last with f4; f3, f5 and f6 are new."""
    ground_truth = ground_truth_of(fold)
    named = {
        name: fold.source.item_ids.to_numpy()[mask].tolist()
        for name, mask in ground_truth.item_buckets.items()
    }
    assert named == {
        "items: head": ["f1"],
        "items: middle": ["f2"],
        "items: tail": ["f4"],
        "items: known": ["f1", "f2", "f4"],
        "items: new": ["f3", "f5", "f6"],
    }
    users = {
        name: ground_truth.users.to_numpy()[mask].tolist() for name, mask in ground_truth.user_buckets.items()
    }
    assert users == {"history: 0": ["d"], "history: 1-1": ["c"], "history: 2-2": ["a"], "history: 3-3": ["b"]}

    found = evaluate_lists(fold, frame(LISTS, "rank"), [2])
    none = math.nan
    # a: f3 is new and first, f4 known and not listed; b: f5 is new; c: f2 is known, f6 new and not listed; d: f1
    expected = {
        ("recall@2", "items: new"): [1, 1, 0, none],
        ("recall@2", "items: known"): [0, none, 1, 0],
        ("recall@2", "items: head"): [none, none, none, 0],
        ("precision@2", "items: known"): [0, none, 1 / 2, 0],
        ("mrr@2", "items: new"): [1, 1 / 2, 0, none],
        # c: f6 is behind f4, and equal with f3 and f5; f2, which is listed too, is a positive of another bucket
        ("auc@2", "items: new"): [1, 1 / 2, (0 + 2 / 2) / 3, none],
        ("recall@2", "history: 2-2"): [1 / 2, none, none, none],
        ("novelty@2", "history: 3-3"): [none, math.log2(3), none, none],
    }
    for (name, bucket), values in expected.items():
        np.testing.assert_allclose(found.of(name, bucket), values, atol=1e-12, err_msg=f"{name} {bucket}")
    assert found.totals["items: new"]["coverage@2"] == 1
    assert found.totals["history: 3-3"]["coverage@2"] == pytest.approx(2 / 6)


def test_diversity_and_calibration_come_from_graph_and_embeddings(fold, graph):
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 1, 2, 1, 3]]
    # in an order of its own, and one item has none
    order = [5, 4, 3, 2, 0]
    embeddings = Embeddings(Vocabulary([f"f{n + 1}" for n in order]), 3 * vectors[order])
    found = evaluate_lists(fold, frame(LISTS, "rank"), [2], embeddings=embeddings, classes=["genre"])
    # a: f3, f5 are the same; b: f6, f5 are not; c: f4 and f2, which has none
    np.testing.assert_allclose(found.of("diversity@2"), [0, 1, 1, math.nan], atol=1e-6)
    # f3 {SF, Bo} and f5 {Romance, Cy}; f6 {Romance, Comedy, Di} and f5; f4 {Romance, Comedy, Cy} and f2 {SF, Ada}
    expected = [1, 1 - 1 / math.sqrt(6), 1, math.nan]
    np.testing.assert_allclose(found.of("graph_diversity@2"), expected, atol=1e-6)
    assert linked_nodes(graph, graph.item_entities, "genre")[0].sum(axis=1).ravel().tolist() == [
        [2, 1, 1, 2, 1, 2]
    ]
    assert np.isnan(found.of("calibration of genre@2")).tolist() == [False, False, False, True]
    # a: f1 is half Horror, f2 and f3 Science fiction, f5 Romance
    p, q = {"horror": 0.25, "sf": 0.75}, {"horror": 0, "sf": 0.5}
    by_hand = sum(p[g] * math.log(p[g] / (0.99 * q[g] + 0.01 * p[g])) for g in p)
    assert found.of("calibration of genre@2")[0] == pytest.approx(by_hand, abs=1e-9)


def test_neighbor_vectors_are_unit_rows(graph):
    links = neighbor_vectors(graph)
    assert links.shape == (6, len(graph))
    np.testing.assert_allclose(links.power(2).sum(axis=1), 1, atol=1e-6)
    assert set(np.diff(links.indptr).tolist()) == {2, 3}


def test_the_frame_has_intervals_and_numbers_of_users(fold):
    found = evaluate_lists(fold, frame(LISTS, "rank"), [2]).frame(resamples=500)
    assert list(found.columns) == ["bucket", "metric", "k", "value", "low", "high", "users"]
    rows = found.set_index(["bucket", "metric", "k"])
    whole = rows.loc[("", "recall", 2)]
    assert whole["value"] == 0.5 and whole["users"] == 4 and 0 <= whole["low"] < 0.5 < whole["high"] <= 1
    assert rows.loc[("items: new", "recall", 2), "users"] == 3
    coverage = rows.loc[("history: 1-1", "coverage", 2)]
    assert coverage["users"] == 1 and math.isnan(coverage["low"])
    assert found.equals(evaluate_lists(fold, frame(LISTS, "rank"), [2]).frame(resamples=500))
    bare = evaluate_lists(fold, frame(LISTS, "rank"), [2]).frame(resamples=0)
    assert bare["low"].isna().all() and bare["value"].equals(found["value"])


def test_values_per_user_are_a_table(fold):
    table = evaluate_lists(fold, frame(LISTS, "rank"), [1, 2]).per_user()
    assert table["user_id"].to_pylist() == ["a", "b", "c", "d"]
    assert table["recall@2"].to_pylist() == [0.5, 1, 0.5, 0]
    assert {"ndcg@1", "auc@2", "serendipity@1"} <= set(table.column_names)


def test_a_ground_truth_without_graph_or_history():
    """Metrics of accuracy are defined, the others are nan or absent."""
    none, truth = csr_matrix((2, 3)), csr_matrix(np.eye(3)[:2])
    ground_truth = GroundTruth(Vocabulary(["a", "b"]), truth, none, none, np.zeros(3, int), 0)
    found = measure_lists(ground_truth, np.array([[0, 1], [2, -1]], np.int32), [2])
    assert found.of("recall@2").tolist() == [1, 0]
    assert np.isnan(found.of("popularity_lift@2")).all() and "diversity@2" not in found.values[""]
    assert set(found.values) == {"", "items: new", "history: 0"}


def test_invalid_lists_are_refused(fold):
    lists = frame(LISTS, "rank")
    with pytest.raises(SourceError, match="no column 'item_id'"):
        evaluate_lists(fold, lists.drop(columns="item_id"))
    with pytest.raises(SourceError, match="no column 'rank'"):
        evaluate_lists(fold, lists.drop(columns="rank"))
    with pytest.raises(UnknownId, match="no item 'f33' in the graph"):
        evaluate_lists(fold, lists.replace("f3", "f33"))
    with pytest.raises(SourceError, match="User 'a' has item 'f1' in the list, and had it before"):
        evaluate_lists(fold, lists.replace("f3", "f1"))
    with pytest.raises(SourceError, match="User 'a' has item 'f5' twice in the list"):
        evaluate_lists(fold, lists.replace("f3", "f5"))
    with pytest.raises(UnknownId, match="no node of type 'gener'"):
        evaluate_lists(fold, lists, classes=["gener"])
    for k in ([], [0], [1.5], None, "20", [True], 0):
        with pytest.raises(ConfigError, match=r"^k"):
            evaluate_lists(fold, lists, k)
    with pytest.raises(UnknownId, match="no per-user metric 'recall@9'"):
        evaluate_lists(fold, lists, [2])["recall@9"]


def test_lists_of_new_items_only_by_hand(fold):
    """f3, f5 and f6 are new: a took f3, b f5, c f6 and nothing else that is new, d nothing."""
    ground_truth = ground_truth_of(fold)
    assert {name: mask.tolist() for name, mask in ground_truth.candidate_subsets.items()} == {
        "among new items": [False, False, True, False, True, True],
        "among known items": [True, True, False, True, False, False],
    }
    new = ground_truth.restricted_to(ground_truth.candidate_subsets["among new items"])
    np.testing.assert_array_equal(
        new.truth.toarray()[:, [2, 4, 5]], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    )
    assert new.truth.sum() == 3 and ground_truth.truth.sum() == 6
    # nobody has seen a new one; of the known, a has two, b three, c one and d none
    np.testing.assert_array_equal(new.n_candidates, [3, 3, 3, 3])
    known = ground_truth.restricted_to(ground_truth.candidate_subsets["among known items"])
    np.testing.assert_array_equal(known.n_candidates, [1, 0, 2, 3])
    np.testing.assert_array_equal(ground_truth.n_candidates, [4, 3, 5, 6])

    lists = np.array([[2, 4], [2, 4], [2, 4], [2, 4]], np.int32)
    whole = np.full((4, 2), -1, np.int32)
    found = measure_lists(ground_truth, whole, [1, 2], {"among new items": lists})
    none, second = math.nan, 1 / math.log2(3)
    expected = {
        "recall@1": [1, 0, 0, none],
        "recall@2": [1, 1, 0, none],
        "ndcg@2": [1, second, 0, none],
        # behind it are two of two, one of two, and f6 is the last of three
        "auc@2": [1, 1 / 2, 0, none],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found.of(name, "among new items"), values, atol=1e-12, err_msg=name)
    assert found["recall@2"] == 0


def test_without_new_test_positives_there_are_no_candidate_subsets(graph):
    known_only = given_split(graph, frame(TRAIN), frame([("c", "f2")]))
    assert ground_truth_of(known_only).candidate_subsets == {}
    new_only = given_split(graph, frame(TRAIN), frame([("c", "f6")]))
    assert list(ground_truth_of(new_only).candidate_subsets) == ["among new items"]


def test_a_model_that_does_not_know_the_part_for_tuning_is_measured_without_it(graph, caplog):
    """As after fit(fold.graph, fold.train, valid=fold.valid): a gets f5 first, which is in valid; f3 takes its place."""
    fold = given_split(graph, frame(TRAIN), frame(TEST), frame([("a", "f5")]))
    found = evaluate_lists(fold, frame([("a", "f5", 1), ("a", "f3", 2), ("b", "f5", 1)], "rank"), [1, 2])
    assert found.of("hit@1").tolist() == [1, 1, 0, 0]
    assert found.of("recall@2").tolist() == [1 / 2, 1, 0, 0]
    assert found.remarks == (
        "Test users without a row, whose lists count as empty: 2 of 4, such as 'c'.",
        "Left out, because the user has the item in the validation part of the fold: 1 of 3 rows. "
        "Lists with fewer than 2 items because of that: 1; recommend 3 items per user to fill them.",
    )
    assert [record.getMessage() for record in caplog.records] == list(found.remarks)


def test_the_way_to_train_that_the_library_offers_is_one_to_measure(graph, bag_of_words):
    users = ["u1", "u2", "u3", "u4"]
    films = [["f1", "f2", "f3"], ["f1", "f3", "f2"], ["f4", "f5", "f6"], ["f5", "f6", "f4"]]
    parts = [frame([(user, films[at]) for user, films in zip(users, films, strict=True)]) for at in range(3)]
    fold = given_split(graph, parts[0], parts[2], parts[1])
    config = Config(
        encoder=EncoderConfig(dim=4),
        train=TrainConfig(epochs=1, temperature=0.1, threads=1, learning_rate=0.05),
    )
    rec = Recommender(config, text_encoder=bag_of_words).fit(fold.graph, fold.train, valid=fold.valid)
    found = evaluate_lists(fold, rec.recommend(fold.test.users, k=6), 4)
    assert len(found.remarks) == 1 and found.remarks[0].endswith("of the fold: 4 of 20 rows.")
    # 5 items are left beside that of training, 4 beside that of tuning: the test item is among them
    assert found.of("recall@4").tolist() == [1, 1, 1, 1]


def test_a_fold_without_a_part_for_tuning_is_trained_in_the_same_way(graph, bag_of_words):
    fold = given_split(graph, frame(TRAIN), frame(TEST))
    config = Config(train=TrainConfig(epochs=1, threads=1, valid_share=0), encoder=EncoderConfig(dim=4))
    rec = Recommender(config, text_encoder=bag_of_words).fit(fold.graph, fold.train, valid=fold.valid)
    assert not evaluate_lists(fold, rec.recommend(fold.test.users, k=6)).remarks


def test_lists_of_other_users_are_no_lists_of_nobody(fold):
    others = frame([("x", "f1", 1), ("y", "f2", 1)], "rank")
    with pytest.raises(SourceError) as caught:
        evaluate_lists(fold, others)
    assert (
        caught.value.problem == "None of the 2 rows belongs to one of the 4 test users: the first is of 'x'."
    )
    assert caught.value.remedy == "Recommend for fold.test.users.tolist(), such as 'a'."
    with pytest.raises(SourceError, match="None of the 0 rows belongs to one of the 4 test users"):
        evaluate_lists(fold, others[:0])
    some = evaluate_lists(fold, pd.concat([others, frame([("d", "f1", 1)], "rank")]))
    assert some.remarks == (
        "Left out, because the user is not a test user: 2 of 3 rows.",
        "Test users without a row, whose lists count as empty: 3 of 4, such as 'a'.",
    )


@pytest.mark.parametrize("key", ["rank", "score"])
@pytest.mark.parametrize("value", [math.nan, math.inf, None, "high", True])
def test_a_row_without_a_place_is_refused(fold, key, value):
    lists = frame([("a", "f3", 1), ("b", "f5", value)], key)
    with pytest.raises(SourceError, match=rf"^lists.*'{key}' is"):
        evaluate_lists(fold, lists)


@pytest.mark.parametrize(
    "change",
    [
        lambda lists: lists.astype({"user_id": "category", "item_id": "category"}),
        lambda lists: lists.astype({"user_id": "string[pyarrow]", "rank": "Int64"}),
        lambda lists: pl.from_pandas(lists).with_columns(pl.col("user_id").cast(pl.Categorical)),
        lambda lists: pa.Table.from_pandas(lists, preserve_index=False),
        lambda lists: lists.to_dict("list"),
        lambda lists: lists.to_dict("records"),
    ],
)
def test_lists_in_other_frames_are_the_same(fold, change):
    lists = frame(LISTS, "rank")
    expected = evaluate_lists(fold, lists, [2])
    assert evaluate_lists(fold, change(lists), 2).frame(resamples=0).equals(expected.frame(resamples=0))


def test_embeddings_of_users_are_no_embeddings_of_items(fold):
    users = Embeddings(Vocabulary(["a", "b"]), np.eye(2, dtype=np.float32))
    with pytest.raises(UnknownId, match="None of the 2 embeddings belongs to an item of the graph"):
        evaluate_lists(fold, frame(LISTS, "rank"), embeddings=users)
    with pytest.raises(ConfigError, match=r"^embeddings is of type ndarray"):
        evaluate_lists(fold, frame(LISTS, "rank"), embeddings=users.vectors)
