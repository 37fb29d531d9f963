"""`kgrec split` and `kgrec evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from .conftest import QUICK, Run

#: one baseline, no ablations, no text: a few seconds
SHORT = ("--baselines", "popularity", "--ablate", "none", *QUICK)


@pytest.fixture
def test_part(tmp_path: Path) -> Path:
    path = tmp_path / "test.csv"
    path.write_text("user,film\nu1,f5\nu2,f2\nu5,f1\n", encoding="utf-8")
    return path


def test_split_writes_a_folder_that_evaluate_reads(run: Run, graph: Path, tmp_path: Path):
    said = run("split", graph, "-o", tmp_path / "split", "--protocol", "random", "--share", 0.4, "--seed", 3)
    assert said.code == 0, said.err
    # two users have three positives, of which one is held out; u2's row that is not positive stays in training
    place = tmp_path / "split" / "0"
    assert said.out == f"{place}: interactions: 13 for training, 2 for testing, of 2 users\n"
    parts = {name: pq.read_table(tmp_path / "split" / "0" / f"{name}.parquet") for name in ("train", "test")}
    answer = run("evaluate", graph, "-o", tmp_path / "report", "--split", tmp_path / "split", *SHORT)
    assert answer.code == 0, answer.err
    users = pq.read_table(tmp_path / "report" / "per_user.parquet").to_pandas()
    assert set(users["user_id"]) == set(parts["test"]["user_id"].to_pylist())
    again = pq.read_table(tmp_path / "report" / "split" / "0" / "train.parquet")
    assert again.equals(parts["train"])


def test_evaluate_compares_systems_and_writes_a_report(
    run: Run, graph: Path, test_part: Path, tmp_path: Path
):
    output = tmp_path / "report"
    answer = run("evaluate", graph, "-o", output, "--test", test_part, "-k", 3, "-k", 1, *SHORT)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "interactions: 13 for training, 2 for tuning, 3 for testing, of 3 users."
    assert lines[1:3] == ["[1/2] kgrec", "[2/2] popularity"]
    assert lines[3].split() == ["ndcg@3", "95", "%", "interval", "recall@3", "CPU", "s"]
    assert {line.split()[0] for line in lines[4:6]} == {"kgrec", "popularity"}
    # nothing is significant with three users
    assert lines[6] == "By ndcg@3, kgrec does not differ significantly from popularity."
    assert lines[7] == f"Wrote {output}. Open {output / 'report.html'} in a browser."
    record = json.loads((output / "metrics.json").read_text())
    assert (record["primary_metric"], record["k"], record["graph"]) == ("ndcg@3", [1, 3], str(graph))
    assert [system["name"] for system in record["systems"]] == ["kgrec", "popularity"]
    # neither the mapping nor an option names the data set
    assert record["name"] == "6 films"
    page = (output / "report.html").read_text()
    assert "<h1>Evaluation on 6 films</h1>" in page
    assert page.startswith("<!DOCTYPE html>") and "popularity" in page
    assert not (tmp_path / "report.parts").exists()


def test_evaluate_as_json(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    output = tmp_path / "report"
    said = run("evaluate", graph, "-o", output, "--test", test_part, *SHORT, "--json").json
    assert said.pop("report") == str(output)
    assert said == json.loads((output / "metrics.json").read_text())
    assert said["primary_metric"] == "ndcg@20"


def test_evaluate_quietly(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    answer = run("evaluate", graph, "-o", tmp_path / "report", "--test", test_part, *SHORT, "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_default_ablations_are_the_sources_of_the_graph(
    run: Run, graph: Path, test_part: Path, tmp_path: Path
):
    """QUICK has no text encoder, so that text cannot be left out."""
    words = ("--baselines", "none", *QUICK, "--json")
    said = run("evaluate", graph, "-o", tmp_path / "a", "--test", test_part, *words).json
    names = ["kgrec", "kgrec without graph", "kgrec with shuffled graph"]
    assert [system["name"] for system in said["systems"]] == names
    said = run("evaluate", graph, "-o", tmp_path / "b", "--test", test_part, "--ablate", "id", *words).json
    assert [system["name"] for system in said["systems"]] == ["kgrec", "kgrec without id"]


def test_baselines_in_one_option_or_in_several(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    words = ("--test", test_part, "--ablate", "none", "--budget", 0, *QUICK, "--json")
    for number, named in enumerate((["ease,popularity"], ["ease", "popularity", "none", "ease"])):
        options = [word for name in named for word in ("--baselines", name)]
        said = run("evaluate", graph, "-o", tmp_path / str(number), *options, *words).json
        assert [system["name"] for system in said["systems"]] == ["kgrec", "ease", "popularity"]


def test_new_items_are_added_after_training(run: Run, graph: Path, shared_catalogue: Path, tmp_path: Path):
    test = tmp_path / "test.csv"
    test.write_text("user_id,item_id\nu1,n1\nu2,f2\nu3,n2\n")
    words = ("--test", test, "--new", shared_catalogue / "new", "-k", 8)
    said = run("evaluate", graph, "-o", tmp_path / "report", *words, *SHORT, "--json").json
    assert (said["data"]["items"], said["data"]["new_items"]) == (8, 2)
    kgrec = said["systems"][0]
    figures = {(f["bucket"], f["metric"]): f for f in kgrec["metrics"]}
    # with as many places as there are items, everything is found
    assert (
        figures["among new items", "recall"]["value"] == 1
        and figures["among new items", "recall"]["users"] == 2
    )
    assert figures["among known items", "recall"]["users"] == 1
    without = run("evaluate", graph, "-o", tmp_path / "report", "--test", test, *SHORT)
    assert without.error[:2] == (2, f"{test}:2: there is no item 'n1' (and 1 more row) in the graph.")


def test_lists_of_another_system_are_measured(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    pd.DataFrame(
        {"user_id": ["u1", "u2", "u2"], "item_id": ["f5", "f5", "f2"], "score": [1.5, 0.9, 0.1]}
    ).to_csv(tmp_path / "today.csv", index=False)
    words = ("--lists", f"today={tmp_path / 'today.csv'}", "-k", 2)
    said = run(
        "evaluate", graph, "-o", tmp_path / "report", "--test", test_part, *words, *SHORT, "--json"
    ).json
    today = next(system for system in said["systems"] if system["name"] == "today")
    figures = {(f["bucket"], f["metric"]): f["value"] for f in today["metrics"]}
    assert today["kind"] == "lists"
    assert (figures["", "recall"], figures["", "mrr"]) == (pytest.approx(2 / 3), pytest.approx(1.5 / 3))


def test_an_interrupted_run_is_resumed(
    run: Run, graph: Path, test_part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = ("evaluate", graph, "-o", tmp_path / "report", "--test", test_part, *SHORT)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kgrec.evaluate.benchmark.systems.TunedBaseline.predict", stopped)
        assert run(*words).code == 130
    assert not (tmp_path / "report").exists()
    with monkeypatch.context() as patch:
        patch.setattr("kgrec.evaluate.benchmark.systems.Kgrec.predict", stopped)
        other = run(*words, "--resume", "--seed", 1)
        assert other.error[1].endswith("report.parts holds another run: graph, protocol or options differ.")
        answer = run(*words, "--resume")
    assert answer.code == 0, answer.err
    assert "kgrec does not differ" in answer.out and not (tmp_path / "report.parts").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--protocol", "leave-one-out"], "--protocol is 'leave-one-out': input should be 'time', 'last', "),
        (["--share", "2"], "--share is 2.0: input should be less than 1."),
        (["--protocol", "time"], "The interactions have no times, which the protocol 'time' needs."),
        (["--baselines", "populrity"], "There is no baseline 'populrity'."),
        (["--ablate", "txt"], "There is no source 'txt' to leave out."),
        (["--lists", "today.csv"], "--lists is 'today.csv'."),
        (["--lists", "today=no.csv"], "no.csv is not there."),
        (["--train", "x.csv"], "--train, --valid and --new need --test."),
        (["--split", "x", "--test", "y"], "--split and --test cannot be combined."),
        (["--by", "genr"], "There is no node of type 'genr' in the graph."),
        (["-k", "0"], "-k is 0."),
    ],
)
def test_wrong_usage(run: Run, graph: Path, tmp_path: Path, words: list[str], problem: str):
    answer = run("evaluate", graph, "-o", tmp_path / "report", *QUICK, "--ablate", "none", *words)
    code, said, _ = answer.error
    assert code == 2 and said.startswith(problem), said
    assert not (tmp_path / "report").exists()


def test_bad_lists_are_reported_with_their_line(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    lists = tmp_path / "today.csv"
    words = (
        "evaluate",
        graph,
        "-o",
        tmp_path / "r",
        "--test",
        test_part,
        "--lists",
        f"today={lists}",
        *SHORT,
    )
    lists.write_text("user_id,item_id,rank\nu1,f5,1\nu1,f6,second\n")
    assert run(*words).error[1] == f"{lists}:3: 'rank' is not a number."
    lists.write_text("user_id,item_id\nu1,f5\n")
    assert run(*words).error[1] == f"{lists} has no column 'rank'."
    lists.write_text("user_id,item_id,rank\nu1,f1,1\n")
    said = run(*words)
    assert (
        said.code == 0
        and "today" in said.out
        and "failed: User 'u1' has item 'f1' in the list, and had it before." in said.out
    )


def test_no_two_systems_share_a_name(run: Run, graph: Path, test_part: Path, tmp_path: Path):
    lists = tmp_path / "today.csv"
    lists.write_text("user_id,item_id,rank\nu1,f5,1\n")
    words = ("--lists", f"kgrec={lists}")
    answer = run("evaluate", graph, "-o", tmp_path / "r", "--test", test_part, *words, *SHORT)
    assert answer.error == (2, "Two systems are named 'kgrec'.", "Give the lists another name.")


def test_the_report_has_the_name_of_the_data_set(run: Run, catalogue: Path, test_part: Path, tmp_path: Path):
    mapping = catalogue / "kgrec.yaml"
    mapping.write_text("name: Six films & no more\n" + mapping.read_text())
    assert run("build", mapping, "-o", tmp_path / "graph").code == 0
    words = [
        "evaluate",
        tmp_path / "graph",
        "--test",
        test_part,
        "--baselines",
        "popularity",
        "--ablate",
        "none",
    ]
    for more, title in (([], "Six films &amp; no more"), (["--name", "Mine"], "Mine")):
        assert run(*words, "-o", tmp_path / "report", *more, *QUICK).code == 0
        assert f"<h1>Evaluation on {title}</h1>" in (tmp_path / "report" / "report.html").read_text()


def test_workers_compute_the_lists_of_a_run_without_them(run: Run, graph: Path, tmp_path: Path):
    words = ["evaluate", graph, "--protocol", "folds", "--folds", 2, *SHORT]
    tables = {}
    for name, more in {"alone": [], "workers": ["--workers", 2]}.items():
        answer = run(*words, "-o", tmp_path / name, *more)
        assert answer.code == 0, answer.err
        tables[name] = pq.read_table(tmp_path / name / "per_user.parquet")
    assert tables["workers"].equals(tables["alone"])
    assert sorted(path.name for path in tmp_path.glob("*.parts")) == []


def test_workers_need_folders(run: Run, graph: Path, test_part: Path, catalogue: Path):
    said = run("evaluate", graph, "--test", test_part, "--new", catalogue / "new", "--workers", 2, *SHORT)
    assert said.error[1:] == (
        "--new does not apply to a run with workers.",
        "Leave out --executor and --workers.",
    )
