"""A benchmark on the six films: what systems predict, what training may see, and the files of the results."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from text_encoders import BagOfWords

from kgrec.config import Config
from kgrec.errors import ArtifactError, ConfigError, CorruptArtifact, SourceError, TrainingError
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.lightgcn import LightGCN
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.benchmark.benchmark_results import BenchmarkResults
from kgrec.evaluate.benchmark.run import Entry, KeptEntries, run_benchmark
from kgrec.evaluate.benchmark.systems import GivenLists, Kgrec, SystemKind, TunedBaseline
from kgrec.evaluate.benchmark.task import Predictions, Task, small_types
from kgrec.evaluate.folds import Fold
from kgrec.evaluate.splits import Protocol, given_split, load_folds, split_graph
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph

CONFIG = Config.read(settings=["text.model=none", "epochs=2", "train.threads=1"])
#: user, item
TRAIN = [("a", "f1"), ("a", "f2"), ("b", "f1"), ("b", "f2"), ("b", "f4"), ("c", "f1"), ("c", "f4")]
TEST = [("a", "f4"), ("b", "f3"), ("c", "f2")]


def frame(rows: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> KnowledgeGraph:
    return build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def fold(graph: KnowledgeGraph) -> Fold:
    return given_split(graph, frame(TRAIN), frame(TEST))


@pytest.fixture(scope="module")
def cold(graph: KnowledgeGraph) -> Fold:
    """f3 and f6 are hidden; b took one of them, and c one that is known."""
    return given_split(graph, frame(TRAIN), frame([("b", "f3"), ("c", "f2")]), hidden=["f3", "f6"])


def names(fold: Fold, predictions: np.ndarray) -> list[list[str]]:
    labels = fold.source.item_ids.to_numpy()
    return [[labels[row] for row in line if row >= 0] for line in predictions]


class Failing:
    """A system that cannot learn."""

    name, kind, description = "failing", "baseline", "it fails"

    def predict(self, task: Task) -> Predictions:
        raise TrainingError(f"There is nothing to learn for lists of {task.k}.", "Leave it out.")


class Counting:
    kind, description = "baseline", "it counts"

    def __init__(self, name: str = "counting") -> None:
        self.name, self.calls = name, 0

    def predict(self, task: Task) -> Predictions:
        self.calls += 1
        lists = np.full((len(task.user_rows), task.k), -1, np.int32)
        return Predictions(
            lists, {"among new items": lists[:, :1]}, {"train": 1.5}, "none", 2, 3.0, [{"stage": "refit"}]
        )


def test_popularity_lists_unseen_items_by_number_of_users(fold: Fold):
    """f1 has three, f2 and f4 two, the others none."""
    predictions = TunedBaseline("popularity", Popularity()).predict(Task(fold, 3))
    assert names(fold, predictions.lists) == [["f4", "f3", "f5"], ["f3", "f5", "f6"], ["f2", "f3", "f5"]]
    # nobody took f3, f5 and f6, and b is asked for one of them
    assert names(fold, predictions.by_subset["among new items"]) == [["f3", "f5", "f6"]] * 3
    assert (predictions.trials, predictions.cpu_budget) == (0, None)
    assert set(predictions.cpu_seconds) == {"train", "recommend"}


def test_a_baseline_is_tuned_on_the_validation_part_and_then_fitted_to_all_data(graph: KnowledgeGraph):
    valid = frame([("c", "f4")])
    fold = given_split(graph, frame([pair for pair in TRAIN if pair != ("c", "f4")]), frame(TEST), valid)
    task = Task(fold, 3)
    assert task.valid.nnz == 1 and task.train_data.positives.nnz == 6
    assert task.full_data.positives.nnz == 7
    predictions = TunedBaseline("item-knn", ItemKNN(), cpu_budget=1e9).predict(task)
    assert (
        predictions.trials > 1
        and predictions.cpu_budget == 1e9
        and predictions.options.startswith("ItemKNN(")
    )
    # only with (c, f4), f1 and f4 have a second user in common
    assert names(fold, predictions.lists)[0][0] == "f4"


def test_lists_among_new_and_among_known_items(cold: Fold, bag_of_words: BagOfWords):
    task = Task(cold, 4, text_encoder=bag_of_words)
    assert task.train_data.hidden is not None and task.train_data.hidden.sum() == 2
    for system in (TunedBaseline("popularity", Popularity()), Kgrec(CONFIG), Kgrec(CONFIG, "graph")):
        predictions = system.predict(task)
        assert [sorted(line) for line in names(cold, predictions.lists)] == [
            ["f3", "f5", "f6"],
            ["f2", "f3", "f5", "f6"],
        ]
        # f5 is in training's graph, though nobody took it: new to the log, and not hidden
        new, known = (predictions.by_subset[f"among {part} items"] for part in ("new", "known"))
        assert [sorted(line) for line in names(cold, new)] == [["f3", "f5", "f6"]] * 2
        assert names(cold, known) == [[], ["f2"]]


def test_training_never_sees_held_out_data(cold: Fold, monkeypatch: pytest.MonkeyPatch):
    met: list[KnowledgeGraph] = []

    def fit(_: object, graph: KnowledgeGraph, **__: object) -> object:
        met.append(graph)
        raise TrainingError("That is enough.", "Stop.")

    monkeypatch.setattr("kgrec.evaluate.benchmark.systems.Recommender.fit", fit)
    with pytest.raises(TrainingError, match="enough"):
        Kgrec(CONFIG).predict(Task(cold, 2))
    (seen,) = met
    assert seen.item_ids.tolist() == ["f1", "f2", "f4", "f5"]
    assert not {("b", "f3"), ("c", "f2")} & {
        (seen.interactions.users[u], seen.item_ids[i])
        for u, i in zip(seen.interactions.user.tolist(), seen.interactions.item.tolist(), strict=True)
    }


def test_users_that_training_does_not_know_are_served_by_their_history(graph: KnowledgeGraph):
    (fold,) = split_graph(graph, Protocol(kind="cold-users", share=0.4, valid_share=0, seed=1))
    task = Task(fold, 6)
    assert (task.user_rows == -1).all() and len(task.user_rows) == 2
    told = [set(line) for line in names(fold, [row.indices for row in fold.known])]
    for system in (TunedBaseline("item-knn", ItemKNN()), Kgrec(CONFIG)):
        for line, history in zip(names(fold, system.predict(task).lists), told, strict=True):
            assert history and sorted({*line, *history}) == ["f1", "f2", "f3", "f4", "f5", "f6"]


def test_an_ablation_has_its_own_name_options_and_training_log(fold: Fold):
    named = {source: Kgrec(CONFIG, source) for source in ("", "graph", "shuffle-graph")}
    assert [(one.name, one.kind) for one in named.values()] == [
        ("kgrec", "kgrec"),
        ("kgrec without graph", "ablation"),
        ("kgrec with shuffled graph", "ablation"),
    ]
    predictions = named["graph"].predict(Task(fold, 2))
    assert re.fullmatch(
        r"temperature [\d.]+, learning rate [\d.]+, epochs \d+(, (whitening|penalty|cold offset) -?[\d.]+)*; "
        r"weights: embedding [\d.]+(, (text|co-occurrence) [\d.e-]+)*",
        predictions.options,
    )
    assert {line["stage"] for line in predictions.training_log} == {"select", "valid", "refit"}


def test_given_lists_are_checked(fold: Fold):
    good = frame([("a", "f4"), ("a", "f3"), ("c", "f2")]).assign(rank=[1, 2, 1])
    predictions = GivenLists("today", good).predict(Task(fold, 2))
    assert names(fold, predictions.lists) == [["f4", "f3"], [], ["f2"]]
    with pytest.raises(SourceError, match="'a' has item 'f1' in the list, and had it before"):
        GivenLists("today", frame([("a", "f1")]).assign(rank=1)).predict(Task(fold, 2))


def test_a_system_that_cannot_learn_does_not_stop_the_others(fold: Fold):
    told: list[tuple[str, int, bool]] = []
    entries = run_benchmark(
        [Task(fold, 3)],
        [
            Failing(),
            TunedBaseline("popularity", Popularity()),
            TunedBaseline("too slow", LightGCN(), cpu_budget=0),
        ],
        [1, 3],
        on_run=lambda system, fold, kept: told.append((system.name, fold, kept)),
    )
    assert told == [("failing", 0, False), ("popularity", 0, False), ("too slow", 0, False)]
    failed, popularity, slow = entries
    assert failed.evaluation is None and str(failed.error).startswith(
        "There is nothing to learn for lists of 3."
    )
    assert slow.error is not None and "LightGCN would take about" in slow.error.problem
    assert popularity.evaluation is not None
    # a: f4 first, b: f3 first, c: f2 first
    assert popularity.evaluation["hit@1"] == 1 and popularity.evaluation["recall@3"] == 1
    assert popularity.metrics is not None and set(popularity.metrics["k"]) == {1, 3}


def test_an_interrupted_run_is_resumed(cold: Fold, tmp_path: Path):
    of = {"k": [2], "seed": 0}
    first = Counting()
    run_benchmark([Task(cold, 2)], [first], [2], KeptEntries(tmp_path / "parts", of))
    again, other = Counting(), Counting("other")
    entries = run_benchmark(
        [Task(cold, 2)], [again, other], [2], KeptEntries(tmp_path / "parts", of, resume=True)
    )
    assert (first.calls, again.calls, other.calls) == (1, 0, 1)
    kept, fresh = (replace(entry.predictions[0], lists=np.zeros(0), by_subset={}) for entry in entries)
    assert vars(kept).keys() == vars(fresh).keys()
    for name in ("cpu_seconds", "options", "trials", "cpu_budget", "training_log"):
        assert getattr(kept, name) == getattr(fresh, name)
    np.testing.assert_array_equal(entries[0].predictions[0].lists, np.full((2, 2), -1))
    np.testing.assert_array_equal(entries[0].predictions[0].by_subset["among new items"], np.full((2, 1), -1))

    with pytest.raises(ArtifactError, match="holds another run"):
        KeptEntries(tmp_path / "parts", of | {"seed": 1}, resume=True)
    anew = Counting()
    run_benchmark([Task(cold, 2)], [anew], [2], KeptEntries(tmp_path / "parts", of))
    assert anew.calls == 1
    (arrays,) = (tmp_path / "parts").glob("*.npz")
    arrays.write_bytes(b"torn")
    with pytest.raises(CorruptArtifact, match=r"\.npz cannot be read"):
        run_benchmark([Task(cold, 2)], [Counting()], [2], KeptEntries(tmp_path / "parts", of, resume=True))
    kept_folder = KeptEntries(tmp_path / "parts", of)
    kept_folder.remove()
    assert not (tmp_path / "parts").exists()


def test_small_types_have_few_nodes_and_edges_with_most_items(graph: KnowledgeGraph):
    """Genres and persons; of the films none, which are the items themselves."""
    assert small_types(graph) == ("genre", "person")
    assert small_types(replace(graph, triples=graph.triples[:0])) == ()


@pytest.fixture(scope="module")
def results(fold: Fold) -> BenchmarkResults:
    today = frame([("a", "f3"), ("b", "f3"), ("b", "f5")]).assign(score=[0.5, 0.2, 0.7])
    systems = [
        TunedBaseline("ease", Ease()),
        Failing(),
        TunedBaseline("popularity", Popularity()),
        GivenLists("today", today),
    ]
    entries = run_benchmark([Task(fold, 3, ("genre",))], systems, [1, 3])
    return BenchmarkResults([fold], entries, [3, 1], graph="films", created="then")


def test_the_record_holds_all_results_in_plain_values(results: BenchmarkResults):
    record = results.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["data"] == {
        "items": 6, "users": 3, "edges": len(results.folds[0].source.triples), "train": 7, "valid": 0,
        "test": 3, "test_users": 3, "new_items": 0,
    }  # fmt: skip
    assert record["protocol"] == {
        "kind": "given",
        "sentence": "The split was given as files.",
    }
    assert (record["k"], record["primary_metric"], record["folds"]) == ([1, 3], "ndcg@3", 1)
    ease, failing, popularity, today = record["systems"]
    assert (failing["metrics"], failing["error"]) == ([], "There is nothing to learn for lists of 3.")
    assert (ease["error"], ease["options"][:5], ease["trials"], ease["cpu_budget"]) == (
        None,
        "Ease(",
        0,
        None,
    )
    assert (today["kind"], today["cpu_seconds"]) == ("lists", {})
    figures = {(f["bucket"], f["metric"], f["k"]): f for f in popularity["metrics"]}
    assert figures["", "recall", 3]["value"] == 1 and figures["", "recall", 3]["users"] == 3
    assert figures["", "coverage", 3]["low"] is None
    assert ("", "calibration of genre", 1) in figures
    assert [(row["metric"], row["model"], row["other"]) for row in record["comparisons"]] == [
        ("ndcg@3", "ease", "popularity"),
        ("recall@3", "ease", "popularity"),
        ("ndcg@3", "ease", "today"),
        ("recall@3", "ease", "today"),
    ]


def test_examples_have_history_held_out_items_and_lists(results: BenchmarkResults):
    (example,) = results.record()["examples"]
    assert example["user"] == "b"  # the only one with a history of three
    assert example["held_out"] == [{"id": "f3", "label": "Red Planet"}]
    assert [item["id"] for item in example["history"]] == ["f1", "f2", "f4"]
    assert list(example["lists"]) == ["ease", "today"]
    (first, *_) = example["lists"]["ease"]
    assert set(first) == {"id", "label", "hit", "new"}
    listed = {item["id"]: item for item in example["lists"]["ease"]}
    assert listed["f3"]["hit"] and listed["f3"]["new"] and not listed["f5"]["hit"]


def test_systems_are_sorted_and_failed_ones_left_out(results: BenchmarkResults):
    """Today has a hit for b alone, at the second place."""
    assert [entry.name for entry in results.ran][2:] == ["today"]
    assert {entry.name for entry in results.ran[:2]} == {"ease", "popularity"}
    values = [results.value(entry, "ndcg@3")[0] for entry in results.ran]
    assert values == sorted(values, reverse=True) and values[2] == pytest.approx(1 / math.log2(3) / 3)
    nobody = BenchmarkResults(results.folds, [Entry("x", "baseline", "", error=TrainingError("a", "b"))], [1])
    assert nobody.ran == [] and nobody.comparisons.empty and nobody.metrics().empty
    assert nobody.per_user().num_rows == 0 and nobody.record()["comparisons"] == []


def test_a_report_is_written_whole_or_not_at_all(
    results: BenchmarkResults, graph: KnowledgeGraph, tmp_path: Path
):
    results.save(tmp_path / "report", lambda record: f"<p>{record['primary_metric']}</p>")
    assert (tmp_path / "report" / "report.html").read_text() == "<p>ndcg@3</p>"
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == results.record()
    users = pq.read_table(tmp_path / "report" / "per_user.parquet").to_pandas()
    assert list(users["system"].unique()) == ["ease", "popularity", "today"] and len(users) == 9
    of_popularity = users[users["system"] == "popularity"].set_index("user_id")
    assert of_popularity["recall@1"].to_dict() == {"a": 1, "b": 1, "c": 1}
    (again,) = load_folds(graph, tmp_path / "report" / "split")
    assert (again.truth != results.folds[0].truth).nnz == 0

    def broken(record: dict[str, object]) -> str:
        raise ValueError(record["primary_metric"])

    with pytest.raises(ValueError, match="ndcg@3"):
        results.save(tmp_path / "report", broken)
    assert (tmp_path / "report" / "report.html").read_text() == "<p>ndcg@3</p>"


def test_a_cross_validation_evaluates_each_user_once(graph: KnowledgeGraph):
    protocol = Protocol(kind="folds", folds=2, valid_share=0)
    folds = split_graph(graph, protocol)
    entries = run_benchmark(
        [Task(fold, 2) for fold in folds], [TunedBaseline("popularity", Popularity())], [2]
    )
    (entry,) = entries
    assert len(entry.predictions) == 2 and entry.evaluation is not None
    assert sorted(entry.evaluation.users.tolist()) == ["u1", "u2", "u3", "u4", "u5", "u6"]
    record = BenchmarkResults(folds, entries, [2], protocol).record()
    assert record["folds"] == 2 and record["data"]["test"] == 14
    assert record["protocol"]["sentence"].startswith("Cross-validation with 2 folds:")


@dataclass
class Wrong:
    """A system whose lists are no rows of items."""

    lists: Any
    name: str = "wrong"
    kind: SystemKind = "lists"
    description: str = ""

    def predict(self, _: Task) -> Predictions:
        return Predictions(self.lists)


@pytest.mark.parametrize(
    "lists",
    [
        np.array([["f1"]]),
        np.zeros((99, 1), int),
        np.array([[99], [99]]),
        np.array([[0.5], [0.5]]),
        [[0], [0]],
    ],
)
def test_lists_that_are_no_rows_of_items_fail_with_their_reason(fold, lists):
    (entry,) = run_benchmark([Task(fold, 1)], [Wrong(lists)], [1])
    assert entry.evaluation is None and "The lists are not rows of items" in str(entry.error)


def test_a_benchmark_that_cannot_be_is_refused(fold):
    for tasks, systems, ks, problem in (
        ([Task(fold, 2)], [Wrong(0), Wrong(0)], [1], "Two of the systems have the same name"),
        ([Task(fold, 2)], [Wrong(0)], [1, 3], r"ks\[1\] is 3"),
        ([], [Wrong(0)], [1], "tasks is empty"),
        ([Task(fold, 2)], [], [1], "systems is empty"),
        ([Task(fold, 2)], [Wrong], [1], r"systems\[0\] is of type type"),
    ):
        with pytest.raises(ConfigError, match=problem):
            run_benchmark(tasks, systems, ks)
