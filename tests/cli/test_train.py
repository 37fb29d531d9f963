"""`kgrec train`."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgrec.recommend.recommender import Recommender
from kgrec.serve.store.store import Store

from .conftest import QUICK, Run

SUMMARY = r"""Trained on 6 items, 6 users, 14 positive interactions\.
Chosen on validation data: temperature 0\.\d+, learning rate 0\.\d+, [124] epochs?(, whitening 0\.\d+)?; weights of the scores: embedding \d\.\d\d[^.\n]*(\.\d\d[^.\n]*)*\.
(?:(?:The graph|Co-occurrence) has weight 0: .*\n)*On validation data: recall@20 \d\.\d{3}, NDCG@20 \d\.\d{3}( with the embedding score; recall@20 \d\.\d{3}, NDCG@20 \d\.\d{3} with all scores)?\. The final model is trained on all interactions\.
"""


def test_train_reports_what_validation_chose(run: Run, graph: Path, tmp_path: Path):
    output = tmp_path / "model"
    answer = run("train", graph, "-o", output, *QUICK)
    assert (answer.code, answer.err) == (0, "")
    written = f"Wrote {output}. Next: kgrec recommend {output} --all-users -o recs.parquet\n"
    assert re.fullmatch(SUMMARY + re.escape(written), answer.out)
    assert (output / "README.md").read_text().startswith("# Model card\n")


def test_a_weight_of_zero_is_told_in_words(run: Run, graph: Path, tmp_path: Path):
    """Here the embeddings rank everything right, and nothing can improve on that."""
    lines = run("train", graph, "-o", tmp_path / "model", *QUICK).out.splitlines()
    assert (
        "The graph has weight 0: scoring items by what they share in the graph did not improve the lists on validation data. "
        "Embeddings still use the graph; kgrec evaluate with --ablate graph measures how much that is worth."
    ) in lines
    assert not any(line.startswith("Text has weight 0") for line in lines), "there are no texts to score"
    # weights that the user chose need no remark
    words = ["--set", "rescore.weights={embedding: 1}"]
    assert "has weight 0" not in run("train", graph, "-o", tmp_path / "model", *QUICK, *words).out


def test_a_graph_that_joins_no_items_is_told(run: Run, catalogue: Path, tmp_path: Path):
    mapping = (catalogue / "kgrec.yaml").read_text()
    mapping = mapping.replace('{as: node, type: genre, split: "|"}', "ignore")
    mapping = mapping.replace("{as: node, type: person, edge: directed_by}", "ignore")
    (catalogue / "kgrec.yaml").write_text(mapping)
    run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph")
    said = run("train", tmp_path / "graph", "-o", tmp_path / "model", *QUICK).out
    assert "The graph has weight 0: no two items share a neighbour in it, so it connects none." in said


def test_train_says_what_is_ahead_and_how_each_stage_ended(run: Run, graph: Path, tmp_path: Path):
    told = run("train", graph, "-o", tmp_path / "model", *QUICK).progress
    assert told[0] == (
        "Training on 6 items, 6 users, 15 interactions. Ahead: search for options, within about 4 min of CPU time; "
        "train the final model."
    )
    stages = [line.partition(":")[0] for line in told[1:]]
    assert stages[:4] == [
        "reading the graph folder",
        "reading vectors",
        "reading neighbours in the graph",
        "whitening vectors and weighting neighbours",
    ]
    trials = [stage for stage in stages if stage.startswith("trial ")]
    assert trials == [f"trial {n + 1}" for n in range(len(trials))] and trials
    assert stages[-4:] == [
        "final training",
        "embedding all items",
        "building the index",
        "writing the model folder",
    ]
    assert "fitting item-item weights" in stages and "choosing the weights of the scores" in stages
    assert re.match(
        r"trial 1: NDCG \d\.\d{4}, recall \d\.\d{4} \(temperature 0\.1, ",
        next(t for t in told if "trial" in t),
    )


def test_progress_as_json_lines(run: Run, graph: Path, tmp_path: Path):
    answer = run("train", graph, "-o", tmp_path / "model", *QUICK, "--log-format", "json", "--json")
    events = [json.loads(line) for line in answer.err.splitlines()]
    assert answer.json["model"] == str(tmp_path / "model")
    assert {event["event"] for event in events} == {"begin", "end", "note"}
    assert [e["message"].startswith("Training on 6 items") for e in events if e["event"] == "note"] == [True]
    begun, ended = ([e["stage"] for e in events if e["event"] == kind] for kind in ("begin", "end"))
    assert begun == ended and "final training" in ended
    last = next(e for e in events if e["event"] == "end" and e["stage"] == "final training")
    assert last["done"] == last["total"] and last["unit"] == "epochs" and last["seconds"] >= 0
    wrong = run("train", tmp_path / "absent", "-o", tmp_path / "m", "--log-format=json")
    (error,) = [e for e in map(json.loads, wrong.err.splitlines()) if e["event"] == "error"]
    assert wrong.code == 2 and error["problem"] and error["remedy"]


def test_verbose_and_quiet_exclude_each_other(run: Run, graph: Path, tmp_path: Path):
    assert run("train", graph, "-o", tmp_path / "model", "-v", "-q").error == (
        2,
        "--verbose and --quiet cannot be combined.",
        "Give one of them.",
    )


def test_train_as_json(run: Run, graph: Path, tmp_path: Path):
    said = run("train", graph, "-o", tmp_path / "model", *QUICK, "--json").json
    assert said["model"] == str(tmp_path / "model")
    assert said["chosen"]["temperature"] in (0.1, 0.15, 0.2)
    assert {line["stage"] for line in said["log"]} == {"select", "valid", "refit"}
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["log"] == said["log"]


def test_train_quietly(run: Run, graph: Path, tmp_path: Path):
    answer = run("train", graph, "-o", tmp_path / "model", *QUICK, "-q")
    assert (answer.code, answer.out, answer.err, answer.progress) == (0, "", "", ())


def test_options_come_from_a_file_and_from_settings(run: Run, graph: Path, tmp_path: Path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "encoder: {dim: 16}\ntrain: {epochs: 3, threads: 1, valid_share: 0}\ntext: {model: none}\n"
    )
    words = ["--config", file, "--set", "epochs=1", "--seed", 7]
    answer = run("train", graph, "-o", tmp_path / "model", *words)
    assert answer.code == 0, answer.err
    assert "There was no validation." in answer.out
    config = json.loads((tmp_path / "model" / "config.json").read_text())["config"]
    assert config["encoder"]["dim"] == 16
    assert (config["train"]["epochs"], config["train"]["seed"]) == (1, 7)
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["config"]["seed"] == 7


def test_the_same_seed_gives_the_same_model(run: Run, graph: Path, model: Path, tmp_path: Path):
    assert run("train", graph, "-o", tmp_path / "again", *QUICK).code == 0
    assert run("train", graph, "-o", tmp_path / "other", *QUICK, "--seed", 1).code == 0
    first, again, other = (
        np.load(f / "item_embeddings.npy") for f in (model, tmp_path / "again", tmp_path / "other")
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_columns_of_validation_data_are_ours_or_those_of_the_mapping(run: Run, graph: Path, tmp_path: Path):
    chosen = []
    for header in ("user_id,item_id", "user,film"):
        (tmp_path / "valid.csv").write_text(f"{header}\nu1,f4\nu3,f1\n")
        words = ["--valid", tmp_path / "valid.csv", "--json"]
        chosen.append(run("train", graph, "-o", tmp_path / "model", *QUICK, *words).json["chosen"])
    assert chosen[0] == chosen[1]
    (tmp_path / "valid.csv").write_text("user,film\nu1,f4\nu3,f11\n")
    code, problem, remedy = run(
        "train", graph, "-o", tmp_path / "m", *QUICK, "--valid", tmp_path / "valid.csv"
    ).error
    assert code == 2
    assert problem == f"{tmp_path / 'valid.csv'}:3: there is no item 'f11' in the graph."
    assert remedy.startswith("Did you mean 'f1'")


def test_a_model_needs_neither_graph_nor_sources(run: Run, catalogue: Path, tmp_path: Path):
    graph, model = tmp_path / "graph", tmp_path / "model"
    run("build", catalogue / "kgrec.yaml", "-o", graph)
    assert run("train", graph, "-o", model, *QUICK).code == 0
    graph.rename(tmp_path / "gone")
    catalogue.rename(tmp_path / "gone too")
    assert len(Recommender.load(model).recommend(["u1"], 3)) == 3
    assert run("explain", model, "-u", "u1", "-i", "f4").code == 0


def test_validation_interactions_are_checked(run: Run, catalogue: Path, tmp_path: Path):
    graph = tmp_path / "graph"
    run("build", catalogue / "kgrec.yaml", "-o", graph)
    valid = catalogue / "valid.csv"
    # a pair that training has, an unknown user, a negative, and one that can be ranked
    valid.write_text("user,film,stars\nu1,f1,5\nghost,f2,5\nu3,f1,1\nu5,f1,5\n")
    answer = run("train", graph, "-o", tmp_path / "model", *QUICK, "--valid", valid)
    assert answer.code == 0
    assert "Chosen on validation data" in answer.out

    valid.write_text("user,film\nu1,f1\nghost,f2\n")
    assert run("train", graph, "-o", tmp_path / "model", *QUICK, "--valid", valid).error == (
        2,
        "None of the 2 held-out interactions can be used: 1 are of unknown users, 1 are in the training data too.",
        "Give positive interactions of known users that the training data lacks.",
    )


def test_the_training_log_as_csv_and_json_lines(run: Run, graph: Path, tmp_path: Path):
    for name in ("log.csv", "log.jsonl"):
        assert run("train", graph, "-o", tmp_path / "model", *QUICK, "--log", tmp_path / name).code == 0
    kept = json.loads((tmp_path / "model" / "metrics.json").read_text())["log"]
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for told in (rows, lines):
        assert [(line["stage"], int(line["epoch"])) for line in told] == [
            (line["stage"], line["epoch"]) for line in kept
        ]
    assert [line["loss"] for line in lines] == pytest.approx([line["loss"] for line in kept], abs=1e-4)
    assert run("train", graph, "-o", tmp_path / "model", *QUICK, "--log", tmp_path / "log.txt").error == (
        2,
        f"--log {tmp_path / 'log.txt'} is neither a .csv nor a .jsonl file.",
        "Give a file name with one of these suffixes.",
    )


def metrics_of(model: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((model / "metrics.json").read_text())
    return found


def test_an_ablation_is_reported_and_kept_in_the_metrics(run: Run, graph: Path, model: Path, tmp_path: Path):
    output = tmp_path / "model"
    sources = ("--ablate", "graph", "--ablate", "id", "--ablate", "graph")
    answer = run("train", graph, "-o", output, *QUICK, *sources)
    assert answer.out.startswith("Ablated: graph, id.\n")
    assert metrics_of(output)["ablated"] == ["graph", "id"]
    ablated = Recommender.load(output).model
    assert len(ablated.graph().triples) == 0 and not ablated.config.encoder.identity
    assert "ablated" not in metrics_of(model)


def test_co_occurrence_is_ablated(run: Run, graph: Path, tmp_path: Path):
    output = tmp_path / "model"
    said = run("train", graph, "-o", output, *QUICK, "--ablate", "co-occurrence", "--json").json
    assert said["ablated"] == ["co-occurrence"]
    assert not said["chosen"]["weights"].get("co_occurrence")
    assert not Recommender.load(output).config.rescore.co_occurrence


def test_text_is_ablated_though_an_encoder_is_set(run: Run, graph: Path, tmp_path: Path):
    """The encoder does not exist: training would fail if it were loaded."""
    output = tmp_path / "model"
    words = ("--set", f"text.model={tmp_path / 'absent'}", "--set", "epochs=1", "--set", "train.threads=1")
    assert run("train", graph, "-o", output, *words).code == 2
    assert run("train", graph, "-o", output, *words, "--ablate", "text").code == 0
    assert metrics_of(output)["ablated"] == ["text"]
    assert Recommender.load(output).config.text.model == "none"


def test_an_unknown_source_is_refused_before_training(run: Run, graph: Path, tmp_path: Path):
    assert run("train", graph, "-o", tmp_path / "m", *QUICK, "--ablate", "grph").error == (
        2,
        "There is no source 'grph' to leave out.",
        "Did you mean 'graph'?",
    )
    assert not (tmp_path / "m").exists()


def test_a_killed_training_is_resumed(
    run: Run, graph: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from kgrec.train import checkpoint

    class Killed(Exception):
        pass

    keep = checkpoint.Checkpoint.save_run

    def killed(self: checkpoint.Checkpoint, *args: object) -> None:
        keep(self, *args)  # type: ignore[arg-type]
        raise Killed

    output = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "save_run", killed)
        patch.setattr(checkpoint.Checkpoint.__init__, "__kwdefaults__", {"resume": False, "every": 0.0})
        with pytest.raises(Killed):
            run("train", graph, "-o", output, *QUICK)
    state = json.loads((tmp_path / "model.checkpoint" / "state.json").read_text())
    assert state["running"]["lines"], "it was killed in a run"
    # other options are another training
    wrong = run("train", graph, "-o", output, *QUICK, "--seed", 1, "--resume").error
    assert (
        wrong[1]
        == f"{tmp_path / 'model.checkpoint'} is a checkpoint of other data or of another configuration."
    )
    assert run("train", graph, "-o", output, *QUICK, "--resume").code == 0
    for name in ("item_embeddings.npy", "rescore.safetensors", "model.safetensors"):
        assert (output / name).read_bytes() == (model / name).read_bytes(), name
    assert not (tmp_path / "model.checkpoint").exists()


def test_feedback_of_a_store_is_learned(run: Run, graph: Path, tmp_path: Path):
    store = tmp_path / "feedback.sqlite"
    with Store.open(store) as opened:
        items = ("f1", "f2", "x1")
        made = [{"event_id": item, "user": "new", "item": item, "type": "click"} for item in items]
        assert opened.add_events(made).accepted == 3
        opened.erase_user("u1")
    answer = run("train", graph, "-o", tmp_path / "model", "--feedback", store, *QUICK)
    assert answer.code == 0
    assert answer.out.splitlines()[:3] == [
        "The store has 2 events of 1 user to learn from, up to revision 4.",
        "Left out: 1 event of unknown items, such as 'x1'.",
        "Left out: interactions in the graph of 1 erased user.",
    ]
    model = Recommender.load(tmp_path / "model").model
    assert model.users.tolist() == ["new", "u2", "u3", "u4", "u5", "u6"]
    assert (model.inputs["feedback"], model.metrics["feedback"]["events"]) == ("4", 2)


def test_feedback_of_no_store(run: Run, graph: Path, tmp_path: Path):
    store = tmp_path / "none.sqlite"
    answer = run("train", graph, "-o", tmp_path / "model", "--feedback", store, *QUICK)
    assert answer.code == 2
    assert "There is no store" in answer.err and "--allow-missing-store" in answer.err
    assert not (tmp_path / "model").exists()
    allowed = run(
        "train", graph, "-o", tmp_path / "model", "--feedback", store, "--allow-missing-store", "-q", *QUICK
    )
    assert allowed.code == 0
    assert f"There is no store {store}. The model is trained on the graph alone." in allowed.err
    assert "feedback" not in Recommender.load(tmp_path / "model").model.inputs
    assert not store.exists()


def test_an_empty_store_is_no_missing_one(run: Run, graph: Path, tmp_path: Path):
    with Store.open(tmp_path / "feedback.sqlite"):
        pass
    answer = run("train", graph, "-o", tmp_path / "model", "--feedback", tmp_path / "feedback.sqlite", *QUICK)
    assert answer.code == 0
    assert "The store has 0 events" in answer.out
    assert Recommender.load(tmp_path / "model").model.inputs["feedback"] == "0"


def test_a_missing_store_is_only_allowed_where_one_is_named(run: Run, graph: Path, tmp_path: Path):
    answer = run("train", graph, "-o", tmp_path / "model", "--allow-missing-store", *QUICK)
    assert answer.code == 2 and "--feedback STORE" in answer.err
    place = tmp_path / "nowhere" / "feedback.sqlite"
    answer = run("train", graph, "-o", tmp_path / "model", "--feedback", place, "--allow-missing-store")
    assert answer.code == 2 and "in a folder that does not exist" in answer.err
