"""Fields of items beside the lists."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import kgrec
from kgrec.errors import ConfigError
from kgrec.serve.batch import stream_recommendations, write_recommendations
from kgrec.serve.batch_options import BatchOptions
from kgrec.serve.item_fields import ItemFields

MAPPING = """\
version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    columns:
      title: label
      plot: text
      year: number
      seen_on: date
      genres: {as: node, type: genre, split: "|"}
      sequel_of: {as: ref, to: film}
"""
FILMS = """\
id,title,plot,year,seen_on,genres,sequel_of
f1,Alien Dawn,a crew,1979,2020-01-05,Horror|Drama,
f2,,a crew again,,,Drama,f1
f3,Rome,,1999.5,,,
"""


@pytest.fixture(scope="module")
def rec(tmp_path_factory: pytest.TempPathFactory) -> kgrec.Recommender:
    folder = tmp_path_factory.mktemp("films")
    (folder / "kgrec.yaml").write_text(MAPPING)
    (folder / "films.csv").write_text(FILMS)
    config = kgrec.Config.read(settings=["text.model=none", "epochs=1", "train.threads=1"])
    return kgrec.Recommender(config).fit(kgrec.build_graph(folder / "kgrec.yaml"))


LISTS = pa.table(
    {"user_id": ["u", "u", "u"], "item_id": ["f3", "f1", "f2"], "score": [3.0, 2, 1], "rank": [1, 2, 3]}
)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label", ["Rome", "Alien Dawn", ""]),
        ("genres", [[], ["Drama", "Horror"], ["Drama"]]),
        ("genre", [[], ["Drama", "Horror"], ["Drama"]]),
        ("sequel_of", [[], [], ["Alien Dawn"]]),
        ("^sequel_of", [[], ["f2"], []]),
        ("year", [1999.5, 1979.0, None]),
        ("seen_on", [None, "2020-01-05", None]),
        ("plot", [None, "a crew", "a crew again"]),
    ],
)
def test_each_kind_of_field(name: str, values: list[object], rec):
    found = ItemFields.of(rec.model, [name]).beside(LISTS)
    assert found.column_names == [*LISTS.column_names, name]
    assert [sorted(one) if isinstance(one, list) else one for one in found[name].to_pylist()] == values


def test_wrong_fields_are_refused(rec):
    with pytest.raises(ConfigError, match="Items have no field 'genr'") as caught:
        ItemFields.of(rec.model, ["genr"])
    assert "'genre'" in caught.value.remedy
    with pytest.raises(ConfigError, match="A list already has a column 'score'"):
        ItemFields.of(rec.model, ["score"])
    with pytest.raises(ConfigError, match="Lists of similar users have no item fields"):
        ItemFields.of(rec.model, ["label"]).check(("user_id", "similar_id"))


@pytest.fixture(scope="module")
def watched(shared_catalogue: Path) -> kgrec.Recommender:
    config = kgrec.Config.read(settings=["text.model=none", "epochs=1", "train.threads=1"])
    return kgrec.Recommender(config).fit(kgrec.build_graph(shared_catalogue / "kgrec.yaml"))


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl"])
def test_files_have_the_fields(format: str, watched, tmp_path: Path):
    path = tmp_path / "recs.out"
    options = BatchOptions(batch=2, item_fields=("label", "genres"), format=format)  # type: ignore[arg-type]
    write_recommendations(watched, path, ["u1", "u6"], options=options)
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "jsonl": lambda p: pd.read_json(p, lines=True)}
    found = read[format](path)
    assert found.columns.tolist() == ["user_id", "item_id", "score", "rank", "label", "genres"]
    row = found[found["item_id"] == "f4"].iloc[0]
    genres = row["genres"].split("|") if format == "csv" else list(row["genres"])
    assert (row["label"], sorted(genres)) == ("Paris Waltz", ["Comedy", "Romance"])
    streamed = pa.concat_tables(
        stream_recommendations(watched, ["u1", "u6"], options=BatchOptions(item_fields=("label",)))
    )
    assert streamed["label"].to_pylist() == found["label"].tolist()
