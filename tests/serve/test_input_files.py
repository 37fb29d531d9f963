"""Tables and lists of ids that users bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import kgrec
from kgrec.errors import SourceError, TooManyBadRows
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.mapping.schema import InteractionTable
from kgrec.serve.input_files import read_ids, read_interactions, read_lists, read_rows

#: columns as in the mapping of a graph
MAPPED = InteractionTable(file=("log.csv",), user="who", item="what", value="stars", positive=">= 4")
ITEMS = Vocabulary(["f1", "f2"])


def by_key(reference: str | None) -> Callable[[pa.Array], np.ndarray]:
    """Codes of the items by their ids, or by another key, which is `gr-` and the id."""
    if reference is None:
        return ITEMS.ids
    assert reference == "film.gr"
    return Vocabulary([f"gr-{name}" for name in ITEMS]).ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def test_each_line_is_an_id(path: Path):
    path.write_text("\ufefff2\n\n f6 \nf2\n", encoding="utf-8")
    assert read_ids(path) == ["f2", "f6", "f2"]


def test_a_list_of_ids_may_be_empty_if_allowed(path: Path):
    path.write_text("\n \n")
    assert read_ids(path, may_be_empty=True) == []
    with pytest.raises(SourceError) as caught:
        read_ids(path)
    assert (caught.value.problem, caught.value.remedy) == (
        f"{path} is empty.",
        "Give a file with one id per line.",
    )


@pytest.mark.parametrize("header", ["who,stars,what", "user_id,stars,item_id", "who,stars,item_id"])
def test_columns_may_have_the_names_of_the_mapping(header: str, path: Path):
    path.write_text(f"{header}\nu1,5,f1\nu2,3,f2\n")
    log = read_rows(path, [MAPPED], by_key)
    assert [users.to_pylist() for users in log.users] == [["u1", "u2"]]
    assert [part[0].tolist() for part in (log.user, log.item, log.value)] == [[0, 1], [0, 1], [5, 3]]
    assert log.positive[0].tolist() == [True, False]


def test_a_table_without_values_has_no_condition(path: Path):
    path.write_text("who,what\nu1,f1\n")
    log = read_rows(path, [MAPPED], by_key)
    assert (log.value, log.positive[0].tolist()) == ([], [True])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user_id,stars\nu1,5\n", "{path} has no column 'item_id'."),
        ("user_id,item_id\nu1,f1\n,f2\n", "{path}:3: 'user_id' is empty."),
        ("user_id,item_id\nu1,f1,9\n", "{path}:2: the row cannot be split into columns."),
        ("user_id,item_id\nu1,f1\nu1,f3\n", "{path}:3: there is no item 'f3' in the graph."),
        (
            "user_id,item_id\nu1,f9\nu1,f3\nu1,f1\n",
            "{path}:2: there is no item 'f9' (and 1 more row) in the graph.",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(text: str, problem: str, path: Path):
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read_rows(path, [], by_key)
    assert caught.value.problem == problem.format(path=path)


VIEWS = InteractionTable(file=("views.csv",), user="who", item={"film.gr": "what"}, time="at")
SALES = InteractionTable(
    file=("sales.csv",),
    user="buyer",
    item="sku",
    event="kind",
    events={"buy": 5, "look": 0},
    only={"land": ("de",)},
)


def test_of_several_tables_the_file_is_read_as_that_whose_columns_it_has(path: Path):
    tables = [MAPPED, VIEWS, SALES]
    path.write_text("who,stars,what\nu1,5,f1\nu1,2,f2\n")
    assert read_rows(path, tables, by_key).positive[0].tolist() == [True, False]
    path.write_text("who,what,at\nu1,gr-f2,1570752002000\n")
    found = read_rows(path, tables, by_key)
    assert (found.item[0].tolist(), found.time[0].tolist()) == ([1], [1570752002])
    path.write_text("land,kind,sku,buyer\nde,buy,f1,u1\nfr,buy,f1,u2\nde,look,f2,u1\nde,drop,f2,u1\n")
    found = read_rows(path, tables, by_key)
    assert found.users[0].to_pylist() == ["u1"]
    assert (found.weight[0].tolist(), found.positive[0].tolist()) == ([5, 0], [True, False])
    # a plain file has no events and no filter, and its items have ids
    path.write_text("user_id,item_id\nu1,f2\n")
    assert read_rows(path, tables, by_key).item[0].tolist() == [1]


def test_of_two_tables_with_the_same_columns_the_name_of_the_file_decides(tmp_path: Path):
    likes = InteractionTable(file=("likes.csv",), user="who", item="what")
    buys = InteractionTable(file=("data/buys.csv",), user="who", item="what", weight=7)
    (tmp_path / "buys.csv").write_text("who,what\nu1,f1\n")
    (tmp_path / "new.csv").write_text("who,what\nu1,f1\n")
    assert read_rows(tmp_path / "buys.csv", [likes, buys], by_key).weight[0].tolist() == [7]
    assert read_rows(tmp_path / "new.csv", [likes, buys], by_key).weight == []


def test_a_file_of_which_the_mapping_leaves_out_all_rows_is_refused(path: Path):
    path.write_text("land,kind,sku,buyer\nfr,buy,f1,u1\n")
    with pytest.raises(TooManyBadRows, match="no row has a value of 'land' that `only:` lists"):
        read_rows(path, [SALES], by_key)


def test_interactions_are_positive_as_the_mapping_says(path: Path, shared_catalogue: Path):
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    path.write_text("user,film,stars\nu1,f1,5\nu1,f2,3\n")
    found = read_interactions(path, graph)
    assert (found.users.tolist(), found.positive.tolist()) == (["u1"], [True, False])
    path.write_text("user_id,item_id\nu1,f1\nu1,f2\n")
    assert read_interactions(path, graph).positive.tolist() == [True, True]


def test_lists_of_another_system_have_ranks_or_scores(path: Path):
    path.write_text("user_id,item_id,rank,score\nu1,f1,2,0.5\n")
    assert read_lists(path).to_pylist() == [{"user_id": "u1", "item_id": "f1", "rank": 2.0}]
    path.write_text("user_id,item_id,score\nu1,f1,0.5\n")
    assert read_lists(path).to_pylist() == [{"user_id": "u1", "item_id": "f1", "score": 0.5}]
    path.write_text("user_id,item_id,score\nu1,f1,0.5\nu1,f2,high\n")
    with pytest.raises(SourceError) as caught:
        read_lists(path)
    assert caught.value.problem == f"{path}:3: 'score' is not a number."
