"""Cells that say that there is nothing: declared by a mapping, and found by a draft."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kgrec.errors import MappingError
from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.ingest.draft import draft_mapping

MAPPING = r"""version: 1
nodes:
  film:
    item: true
    file: films.csv
    key: id
    nulls: [\N, "NULL", "-"]
    columns:
      title: label
      plot: {as: text, lang: en}
      year: number
      seen: date
      rated: category
      genres: {as: node, type: genre, split: "|"}
      studio: {as: ref, to: studio}
      page: same_as
      poster: vector
  studio: {file: studios.csv, key: id, nulls: "NULL", columns: {name: label}}
edges:
  acted_in: {file: cast.csv, nulls: [\N], from: {person: who}, to: {film: what}, weight: billing}
interactions: {file: log.csv, nulls: ["?"], user: user, item: film, value: stars, time: time}
errors: {unmatched: 1, stop_above: 1}
"""
FILES = {
    "films.csv": """id,title,plot,year,seen,rated,genres,studio,page,poster
1,One,A plot,1999,1999-01-02,PG,Drama|War,s1,http://ex.org/1,"[1, 2]"
2,\\N,NULL, - ,NULL,-,War|-|\\N,NULL,-,\\N
3,NULLS,null,2000,2001-01-01,--,"[""War"", ""-""]",s1,\\N,-
2, NULL ,-,\\N,-,\\N,"[""War"", ""-""]",-,NULL,-
NULL,Three,,1999,,,,,,
""",
    "studios.csv": "id,name\ns1,NULL\nNULL,Nothing\n",
    "cast.csv": "who,what,billing\nAnn,1,2\nBob,1,\\N\n\\N,1,1\n",
    "log.csv": "user,film,stars,time\nu1,1,5,10\nu1,3,?,?\n?,1,1,1\nu2,?,1,1\n",
}


def built(folder: Path, mapping: str, files: dict[str, str]) -> KnowledgeGraph:
    for name, content in {"kgrec.yaml": mapping, **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return build_graph(folder / "kgrec.yaml")


def test_cells_that_stand_for_nothing_are_empty_whatever_their_role(tmp_path):
    graph = built(tmp_path, MAPPING, FILES)
    rows = [(row["type"], row["key"], row["label"]) for row in graph.entities.to_pylist()]
    assert rows == [
        ("film", "1", "One"),
        ("film", "2", ""),
        ("film", "3", "NULLS"),
        ("genre", "Drama", "Drama"),
        ("genre", "War", "War"),
        ("person", "Ann", "Ann"),
        ("person", "Bob", "Bob"),
        ("rated", "--", "--"),
        ("rated", "PG", "PG"),
        ("studio", "s1", ""),
    ]
    assert graph.text["text"].to_pylist() == ["A plot", "null"]
    assert graph.stats()["edges"] == {"acted_in": 2, "genres": 4, "rated": 2, "studio": 2}
    assert graph.numbers["value"].to_pylist() == [915235200.0, 1999.0, 978307200.0, 2000.0]
    assert len(graph.vectors) == 1 and graph.report.missing == {}
    assert graph.triples["weight"].to_pylist()[:2] == [2.0, 1.0]
    assert graph.interactions.items.tolist() == ["1", "2", "3"]
    assert graph.interactions.item.tolist() == [2, 0] and graph.interactions.time.tolist() == [0, 10]
    assert str(graph.interactions.value.tolist()) == "[nan, 5.0]"


def test_rows_without_a_key_are_counted_and_rows_that_differ_in_marks_alone_are_the_same(tmp_path):
    files = built(tmp_path, MAPPING, FILES).report.files
    dropped = {name: {why: p.first for why, p in part.dropped.items()} for name, part in files.items()}
    assert dropped == {
        "films.csv": {"has an empty key": ["films.csv:6"], "has the key of an earlier row": ["films.csv:5"]},
        "studios.csv": {"has an empty key": ["studios.csv:3"]},
        "cast.csv": {"has an empty key": ["cast.csv:4"]},
        "log.csv": {"has an empty user or item": ["log.csv:4", "log.csv:5"]},
    }
    assert all(part.failed == {} for part in files.values())
    again = FILES["films.csv"].replace("War|-|\\N", '"[""War"", ""-""]"')
    dropped = built(tmp_path, MAPPING, {**FILES, "films.csv": again}).report.files["films.csv"].dropped
    assert dropped["identical to an earlier row"].first == ["films.csv:5"]


SMALL = """version: 1
nodes:
  film: {item: true, file: films.FORM, nulls: ["N/A"], key: id, columns: {year: number, tags: {as: node, type: tag}}}
errors: {unmatched: 1, stop_above: 1}
"""
ROWS = [
    {"id": "1", "year": "1999", "tags": ["a", "N/A", None]},
    {"id": "2", "year": " N/A ", "tags": ["N/A"]},
    {"id": "N/A", "year": "2000", "tags": None},
]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_marks_in_other_formats_and_in_their_lists(tmp_path, form):
    path = tmp_path / f"films.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    graph = built(tmp_path, SMALL.replace("FORM", form), {})
    assert graph.stats()["nodes"] == {"film": 2, "tag": 1}
    assert graph.numbers["value"].to_pylist() == [1999.0]
    assert graph.report.files[path.name].dropped["has an empty key"].count == 1


def test_frames_of_new_items_are_read_as_their_table_is(tmp_path):
    (tmp_path / "films.csv").write_text("id,year,tags\n0,1998,a\n")
    graph = built(tmp_path, SMALL.replace("FORM", "csv"), {})
    addition = read_addition(graph.mapping, frames={"film": pd.DataFrame(ROWS)}, known=graph)
    assert addition.item_ids.tolist() == ["1", "2"]
    assert addition.stats()["nodes"] == {"film": 2, "tag": 1}
    assert addition.report.files["film"].failed == {}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("[NULL]", "YAML reads one of these as null: put it in quotes"),
        ("[-1]", "YAML reads one of these as -1: put it in quotes"),
        ("[a, no]", "YAML reads one of these as false: put it in quotes"),
        (r'["\N"]', r"'\x85' is empty, and empty cells are missing anyway; write \N without quotes"),
        ('""', r"'' is empty, and empty cells are missing anyway; write \N without quotes"),
        ("[[a]]", 'YAML reads one of these as ["a"]: put it in quotes'),
    ],
)
def test_marks_are_text(tmp_path, value, line):
    path = tmp_path / "kgrec.yaml"
    path.write_text(
        f"version: 1\nnodes:\n  a:\n    item: true\n    file: a.csv\n    nulls: {value}\n    key: id\n"
    )
    (tmp_path / "a.csv").write_text("id\n1\n")
    with pytest.raises(MappingError) as caught:
        build_graph(path)
    assert caught.value.problem.startswith("kgrec.yaml:6: nodes.a.nulls")
    assert caught.value.problem.endswith(f": {line}.")


def drafted(folder: Path, content: str) -> tuple[object, list[str]]:
    """The marks that a draft declares, and what it says of them, without the name of the file; the draft builds."""
    (folder / "a.csv").write_text(content, encoding="utf-8")
    draft = draft_mapping([folder / "a.csv"])
    (folder / "kgrec.yaml").write_text(draft.yaml, encoding="utf-8")
    assert build_graph(folder / "kgrec.yaml").report.files["a.csv"].failed == {}
    said = [reason.removeprefix("a.csv: nulls: ") for reason in draft.reasons if ": nulls: " in reason]
    return yaml.safe_load(draft.yaml)["nodes"]["a"].get("nulls"), said


HALF = ("One A", "Two B", "Three C", "Four D", "Five E")


@pytest.mark.parametrize(
    ("column", "cells", "marks", "why"),
    [
        ("year", ["1999", "\\N", "2001", "2000", "2002"], ["\\N"], ["all numbers"]),
        ("year", ["1999", "-", "2001", "?", "2002"], ["-", "?"], ["all numbers", "all numbers"]),
        (
            "on",
            ["1.2.1999", "31.2.1998".replace("31", "27"), "None", "3.4.2000", "5.6.2000"],
            ["None"],
            ["all dates"],
        ),
        (
            "page",
            ["http://e.org/1", "http://e.org/2", "na", "http://e.org/3", "http://e.org/4"],
            ["na"],
            ["all IRIs"],
        ),
        ("year", ["1999", "-", "?", "-", "-"], None, []),
        ("kind", ["x", "-", "y", "-", "x"], None, []),
        ("kind", ["x", "NULL", "y", "x", "x"], None, []),
        ("year", ["1999", "unknown", "2001", "2000", "2002"], None, []),
    ],
)
def test_a_draft_knows_marks_among_other_values(tmp_path, column, cells, marks, why):
    rows = [f"{i},{title},{cell}" for i, (title, cell) in enumerate(zip(HALF, cells, strict=True))]
    found, said = drafted(tmp_path, f"id,title,{column}\n" + "\n".join(rows) + "\n")
    assert found == marks
    assert said == [
        f"{json.dumps(mark) if mark != 'None' and mark != 'na' else mark}, since the other values of {column} are {kind}"
        for mark, kind in zip(marks or [], why, strict=True)
    ]


def test_a_draft_knows_frequent_marks(tmp_path):
    rows = [f"{i},{'NULL' if i % 3 else f'Film {i} of all'},x" for i in range(30)]
    found, said = drafted(tmp_path, "id,title,kind\n" + "\n".join(rows) + "\n")
    assert (found, said) == (["NULL"], ['"NULL", since it is frequent in 1 column'])
    rows = [f"{i},Film {i} of all,{'-xy'[i % 3]},{'-zz'[i % 3]}" for i in range(30)]
    found, said = drafted(tmp_path, "id,title,kind,sort\n" + "\n".join(rows) + "\n")
    assert (found, said) == (["-"], ['"-", since it is frequent in 2 columns'])


def test_marks_decide_no_role_and_a_log_may_have_them(tmp_path):
    rows = [
        f"tt{i},Film {'abcdefghij'[i]},{1990 + i if i % 3 else 'N/A'},{'xy'[i % 2] if i else 'N/A'}"
        for i in range(10)
    ]
    (tmp_path / "titles.csv").write_text("id,title,year,kind\n" + "\n".join(rows) + "\n")
    log = [f"u{i % 4},tt{i % 10},{i % 5 + 1 if i % 4 else 'NaN'}" for i in range(20)]
    (tmp_path / "log.csv").write_text("user,item,stars\n" + "\n".join(log) + "\n")
    draft = draft_mapping([tmp_path / "titles.csv", tmp_path / "log.csv"])
    mapping = yaml.safe_load(draft.yaml)
    assert mapping["nodes"]["title"]["columns"] == {"title": "label", "year": "number", "kind": "category"}
    assert mapping["nodes"]["title"]["nulls"] == ["N/A"]
    assert mapping["interactions"] == {
        "file": "log.csv",
        "nulls": ["NaN"],
        "user": "user",
        "item": "item",
        "value": "stars",
        "positive": ">= 4",
    }
    (tmp_path / "kgrec.yaml").write_text(draft.yaml)
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"kind": 2, "title": 10}
    assert all(part.bad == 0 for part in graph.report.files.values())
