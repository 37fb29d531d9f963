"""Updates of some columns: each is the same as an update with the whole row in which these columns are changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.errors import MappingError, SourceError
from kgrec.ingest.partial_tables import with_columns_of
from kgrec.ingest.table_files import frame_table

MAPPING = """\
version: 1
base: https://example.org/
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      price: number
      released: date
      genres: {as: node, type: genre, split: "|"}
      lead: {as: node, type: person, edge: starring}
      second: {as: node, type: person, edge: starring}
      shelf: ignore
interactions: {file: log.csv, user: user, item: film}
"""
COLUMNS = ["id", "title", "plot", "price", "released", "genres", "lead", "second"]
FILMS = [
    ("a", "Alien Dawn", "a crew meets a creature in space", "5", "1979-05-25", "Horror|Space", "Ann", "Bo"),
    ("b", "Star Drift", "a crew lost in space", "7", "1982-01-01", "Space", "Ann", "Cy"),
    ("c", "Paris Waltz", "two dancers fall in love", "5", "1990-02-03", "Romance", "Di", "Bo"),
    ("d", "Rome Summer", "a couple falls in love in summer", "9", "1991-06-07", "Romance", "Di", "Cy"),
]
LOG = "user,film\nu1,a\nu1,b\nu2,c\nu2,d\nu3,a\nu3,c\nu4,b\nu4,d\n"
CONFIG = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=8),
    train=kgrec.TrainConfig(epochs=3, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
    rescore=kgrec.RescoreConfig(weights={"embedding": 4, "graph": 2, "text": 2, "co_occurrence": 2}),
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("partial")
    (folder / "kgrec.yaml").write_text(MAPPING, encoding="utf-8")
    whole(*FILMS).assign(shelf="x").to_csv(folder / "films.csv", index=False)
    (folder / "log.csv").write_text(LOG, encoding="utf-8")
    graph = kgrec.build_graph(folder / "kgrec.yaml")
    kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph).save(folder / "model")
    return folder / "model"


@pytest.fixture
def rec(stored: Path) -> kgrec.Recommender:
    return kgrec.Recommender.load(stored, text_encoder=BagOfWords())


def whole(*films: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(films, columns=COLUMNS)


def everything(rec: kgrec.Recommender) -> list[tuple]:
    """Lists, vectors and facts of the graph."""
    graph = rec.model.graph()
    tables = {name: getattr(graph, name).to_pylist() for name in ("entities", "text", "numbers")}
    facts = {item: graph.neighbors("film", item).to_dict("records") for item in "abcd"}
    lists = rec.recommend(["u1", "u2"], 9, exclude_seen=False).to_dict("records")
    return [lists, rec.item_embeddings.vectors.tolist(), tables, facts]


CHANGES = {
    "price": "6.5",
    "released": "1999-09-09",
    "plot": "love wins in space",
    "title": "Alien Love",
    "genres": "Romance|Space",
}


@pytest.mark.parametrize("columns", [["price"], ["plot"], ["title"], ["genres", "released"], list(CHANGES)])
def test_columns_that_rows_lack_keep_their_values(rec, stored, columns):
    changes = {name: CHANGES[name] for name in columns}
    updated = rec.update_items(pd.DataFrame([{"id": "a", **changes}]))
    assert updated.ids == ["a"]
    assert updated.kept == {
        "film": [name for name in [*COLUMNS[1:], "shelf"] if name not in [*columns, "shelf"]]
    }
    other = kgrec.Recommender.load(stored, text_encoder=BagOfWords())
    full = other.update_items(whole(FILMS[0]).assign(shelf="", **changes))
    assert full.kept == {} and everything(rec) == everything(other)


def test_an_empty_cell_takes_back_the_value_of_its_column_alone(rec):
    rec.update_items(pd.DataFrame({"id": ["a"], "price": [None], "genres": [""]}))
    graph = rec.model.graph()
    assert rec.label("a") == "Alien Dawn"
    assert {row["key"] for row in graph.neighbors("film", "a").to_dict("records")} == {"Ann", "Bo"}
    assert graph.numbers.filter(np.array(graph.numbers["id"]) == graph.find("film", "a"))[
        "predicate"
    ].to_pylist() == ["released"]


def test_conditions_see_the_new_value_at_once_and_saved(rec, tmp_path):
    assert set(rec.recommend(["u1"], 9, where="price < 6", exclude_seen=False)["item_id"]) == {"a", "c"}
    rec.update_items(pd.DataFrame({"id": ["a", "b", "c"], "price": [8, 7, 5]}))
    updated = rec.update_items(pd.DataFrame({"id": ["a", "b"], "price": [8, 2]}))
    assert (updated.ids, updated.same) == (["b"], ["a"])
    rec.save(tmp_path / "model")
    for one in (rec, kgrec.Recommender.load(tmp_path / "model", text_encoder=BagOfWords())):
        assert set(one.recommend(["u1"], 9, where="price < 6", exclude_seen=False)["item_id"]) == {"b", "c"}


def test_a_file_with_some_columns_is_named_in_the_graph(rec, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("id,price\na,8\nx,9\n", encoding="utf-8")
    updated = rec.update_items(path)
    assert (updated.ids, updated.unknown) == (["a"], ["x"])
    assert any(name.endswith("/prices.csv") for name in rec.model.graph().inputs)
    folder = tmp_path / "changed"
    folder.mkdir()
    (folder / "films.csv").write_text("id,plot\na,a wedding\n", encoding="utf-8")
    assert rec.update_items(folder).words == [4]


def test_added_items_are_updated_by_columns_too(rec):
    rec.add_items(
        whole(("n", "Moon Base", "a crew in space", "5", "2001-01-01", "Space", "Ann", "")).assign(shelf="")
    )
    rec.update_items(pd.DataFrame({"id": ["n"], "title": ["Moon House"]}))
    assert rec.label("n") == "Moon House"
    frame = rec.model.graph().neighbors("film", "n")
    assert set(frame["key"]) == {"Space", "Ann"}


@pytest.mark.parametrize(
    ("frame", "kind", "problem"),
    [
        (
            {"id": ["a"]},
            SourceError,
            "film has no column of nodes.film.columns but the key, so it changes nothing.",
        ),
        (
            {"id": ["a"], "prize": [1]},
            SourceError,
            "film has no column of nodes.film.columns but the key, so it changes nothing.",
        ),
        ({"price": [1]}, SourceError, "film has no column 'id'."),
        (
            {"id": ["a"], "price": [1], "titel": ["x"]},
            MappingError,
            "film: the column 'titel' is not named under nodes.film.columns.",
        ),
        (
            {"id": ["a"], "lead": ["Eve"]},
            SourceError,
            "film has the column 'lead' but not 'second', which makes the same relation.",
        ),
    ],
)
def test_rows_that_cannot_be_read_change_nothing(rec, frame, kind, problem):
    before = rec.model
    with pytest.raises(kind) as caught:
        rec.update_items(pd.DataFrame(frame))
    assert caught.value.problem == problem and rec.model is before


def test_added_items_need_all_columns(rec):
    with pytest.raises(SourceError, match="film has no column 'title'"):
        rec.add_items(pd.DataFrame({"id": ["n"], "price": [1]}))


def test_tables_of_one_type_have_the_same_columns(rec):
    mapping = rec.model.graph().mapping
    tables = [
        frame_table({"id": ["a"], "price": [1]}, "one"),
        frame_table({"id": ["a"], "plot": ["x"]}, "two"),
    ]
    with pytest.raises(SourceError, match=r"has no column '(price|plot)', which (one|two) has"):
        with_columns_of(mapping, {"film": tables})
    reduced = with_columns_of(mapping, {"film": tables[:1], "other": tables})
    assert list(reduced.nodes["film"].columns) == ["price", "shelf"]


def test_other_keys_may_be_absent():
    table = {
        "item": True,
        "file": "films.csv",
        "keys": ["id", "isbn"],
        "columns": {"title": "label", "price": "number"},
    }
    mapping = kgrec.Mapping.from_dict({"version": 1, "nodes": {"film": table}})
    reduced = with_columns_of(mapping, {"film": [frame_table({"id": ["a"], "price": [1]}, "films")]})
    assert (reduced.nodes["film"].keys, list(reduced.nodes["film"].columns)) == (("id",), ["price"])
    whole = with_columns_of(
        mapping, {"film": [frame_table({"isbn": ["b"], "id": ["a"], "price": [1]}, "films")]}
    )
    assert whole.nodes["film"].keys == ("id", "isbn")
