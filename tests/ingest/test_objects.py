"""Lists and objects in cells, in JSON and as Python prints them; fields within objects; JSON files."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.errors import MappingError, SourceError, TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.ingest import cells
from kgrec.ingest.mapping.schema import Mapping, TableFormat
from kgrec.ingest.objects import objects_of, parse, parts_of
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import frame_table, open_table


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['leek', 'salt']", ["leek", "salt"]),
        ("['it''s']", ["its"]),
        ("""["it's", 'x']""", ["it's", "x"]),
        (r"['a\'b', 'tab\t', u'c']", ["a'b", "tab\t", "c"]),
        ("('a', 'b')", ["a", "b"]),
        ("{'b', 'a'}", ["a", "b"]),
        ("['a', None, 1, 2.50, True]", ["a", "", "1", "2.5", "true"]),
        ("[007]", None),
        ('["a", null, 1, 2.50, true]', ["a", "", "1", "2.50", "true"]),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),
        ("[]", []),
        ("[Deluxe]", None),
        ('{Drama,"Sci Fi",NULL}', ["Drama", "Sci Fi", ""]),
        (r'{"a\"b","c, d"}', ['a"b', "c, d"]),
        ("{Drama}", ["Drama"]),
        ("{1,2}", ["1", "2"]),
        ("{a: 1}", None),
        ("{}", None),
        ("{a", None),
        ("[a, b]", None),
        ("[['a'], ['b']]", None),
        ("[{'a': 1}]", None),
        ("{'a': 1}", None),
        ("[__import__('os').system('x')]", None),
        ("['a' * 9999999999]", None),
        ("['a', b'c']", None),
        (r"['\ud800']", ["\ufffd"]),
        ("[" * 100_000, None),
        ("[" + "-" * 100_000 + "1]", None),
        ("['" + "a" * 200_000 + "', None]", None),
        ("[nan, 'a']", ["", "a"]),
        ('[nan, "it\'s"]', ["", "it's"]),
        ("[inf, 'a']", None),
        ('["a", NaN]', ["a", ""]),
    ],
)
def test_lists_are_read_as_json_or_python_and_nothing_is_run(text, parts):
    assert parts_of(text) == parts


@pytest.mark.parametrize("text", ["a", "1", "None", "print(1)", "{", "{'a': open('x')}", "{[]: 1}"])
def test_other_text_is_no_object(text):
    assert objects_of(text) == []


def test_an_unknown_escape_gives_no_warning():
    assert parse(r"['\d', None]") == ["\\d", None]


def test_cells_are_split_as_what_they_are():
    column = pa.array(["['a', 'b']", "c|d", " ('e', 'f') ", "(500) Days (of Summer)", "[x|y]", "", '["a|b"]'])
    rows, values = cells.split(column, "|")
    assert sorted(zip(rows.tolist(), values.to_pylist(), strict=True)) == [
        (0, "a"), (0, "b"), (1, "c"), (1, "d"), (2, "e"), (2, "f"), (3, "(500) Days (of Summer)"),
        (4, "[x"), (4, "y]"), (6, "a|b"),
    ]  # fmt: skip


def test_entities_are_not_split():
    column = pa.array(["Simon &amp; Sons", "Simon &amp; Sons;B&#233;b&#xe9;; AT&T;x", "a&b;c"])
    rows, values = cells.split(column, ";")
    assert list(zip(rows.tolist(), values.to_pylist(), strict=True)) == [
        (0, "Simon &amp; Sons"), (1, "Simon &amp; Sons"), (1, "B&#233;b&#xe9;"), (1, "AT&T"), (1, "x"),
        (2, "a&b"), (2, "c"),
    ]  # fmt: skip
    assert cells.split(pa.array(["a &amp; b; c"]), "; ")[1].to_pylist() == ["a &amp; b", "c"]


def test_vectors_are_read_as_numpy_prints_them():
    rows, vectors, bad = cells.vectors(pa.array(["[0.5 1. -2e-1\n 3]", "[1, 2]", "[a b]", ""]))
    assert rows.tolist() == [0, 1] and bad.tolist() == [2]
    assert [vector.tolist() for vector in vectors] == [[0.5, 1.0, pytest.approx(-0.2), 3.0], [1.0, 2.0]]


# fields

ROWS = [
    {
        "id": "1",
        "title": "One",
        "genres": [{"id": 1, "name": "Drama"}, {"id": 2, "name": "War"}],
        "address": {"city": "Oslo", "geo": {"lat": 59.9}, "streets": ["A", "B"]},
        "made": {"year": 1999, "on": "1999-01-02"},
        "links": [{"url": "http://e.org/1"}],
        "next": {"id": "2"},
        "said": [{"text": "one"}, {"text": "two"}],
    },
    {
        "id": "2",
        "title": "Two",
        "genres": [{"id": 1, "name": "Drama"}],
        "address": {"city": "Oslo", "geo": None, "streets": []},
        "made": None,
        "links": [],
        "next": None,
        "said": None,
    },
]
MAPPING = {
    "version": 1,
    "nodes": {
        "film": {
            "item": True,
            "file": "FILE",
            "key": "id",
            "columns": {
                "title": "label",
                "genres": {"as": "node", "type": "genre", "field": "name"},
                "address.city": {"as": "category", "type": "city", "edge": "in"},
                "address.streets": {"as": "node", "type": "street", "edge": "at"},
                "address.geo.lat": "number",
                "made": {"as": "date", "field": "on"},
                "made.year": "number",
                "links": {"as": "same_as", "field": "url"},
                "next": {"as": "ref", "to": "film", "field": "id"},
                "said": {"as": "text", "field": "text"},
            },
        }
    },
}


def written(folder, form):
    """ROWS in a file of some format; its name."""
    path = folder / f"films.{form}"
    frame = pd.DataFrame(ROWS)
    if form == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)))
    elif form == "python.jsonl":
        path.write_text("\n".join(map(repr, ROWS)))
    elif form == "json":
        path.write_text(json.dumps(ROWS, indent=1))
    elif form == "csv":
        frame.to_csv(path, index=False)
    elif form == "json.csv":
        cells_ = frame.map(lambda cell: json.dumps(cell) if isinstance(cell, dict | list) else cell)
        cells_.to_csv(path, index=False)
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path.name


FORMS = ["jsonl", "python.jsonl", "json", "csv", "json.csv", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_fields_are_read_from_all_formats(tmp_path, form):
    (tmp_path / "kgrec.yaml").write_text(json.dumps(MAPPING).replace("FILE", written(tmp_path, form)))
    graph = build_graph(tmp_path / "kgrec.yaml")
    names = [f"{row['type']}:{row['key']}" for row in graph.entities.to_pylist()]
    relations = graph.relations["name"].to_pylist()
    edges = {
        (names[t["head"]], relations[t["relation"]], names[t["tail"]]) for t in graph.triples.to_pylist()
    }
    assert edges == {
        ("film:1", "genres", "genre:Drama"), ("film:1", "genres", "genre:War"),
        ("film:2", "genres", "genre:Drama"), ("film:1", "in", "city:Oslo"), ("film:2", "in", "city:Oslo"),
        ("film:1", "at", "street:A"), ("film:1", "at", "street:B"), ("film:1", "next", "film:2"),
    }  # fmt: skip
    assert {row["predicate"]: row["value"] for row in graph.numbers.to_pylist()} == {
        "address.geo.lat": 59.9,
        "made": 915235200.0,
        "made.year": 1999.0,
    }
    assert graph.text["text"].to_pylist() == ["one", "two"]
    assert graph.entities["iri"].to_pylist()[names.index("film:1")] == "http://e.org/1"
    assert graph.report.files[f"films.{form}"].bad == 0


@pytest.mark.parametrize("make", [pd.DataFrame, pa.Table.from_pylist])
def test_fields_are_read_from_frames(make):
    table = frame_table(make(ROWS), "film")
    (batch,) = table.read(["id", "address.city", "made.year", "said.text"])
    assert {name: column.to_pylist() for name, column in batch.columns.items()} == {
        "id": ["1", "2"],
        "address.city": ["Oslo", "Oslo"],
        "made.year": ["1999", ""],
        "said.text": ['["one", "two"]', ""],
    }


def opened(folder, name, content, **options):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_table(Source(folder / name, name), TableFormat(file=(name,), **options))


def read(table, columns=None):
    found = []
    for batch in table.read(columns or table.columns):
        rows = zip(*(column.to_pylist() for column in batch.columns.values()), strict=True)
        found += [(int(line), *row) for line, row in zip(batch.lines, rows, strict=True)]
    return found


def test_keys_and_users_may_be_within_objects_and_names_with_dots_come_first(tmp_path):
    table = opened(tmp_path, "a.jsonl", '{"_id": {"$oid": "x"}, "a.b": 1, "a": {"b": 2, "c.d": 3}}\n')
    assert read(table, ["_id.$oid", "a.b", "a.c.d"]) == [(1, "x", "1", "3")]
    assert table.unread(["_id.$oid", "a.c.d"]) == ["a.b"]


def test_a_field_that_no_object_has_is_an_error_and_names_those_that_are_there(tmp_path):
    table = opened(tmp_path, "a.csv", "id,a\n1,\"{'city': 'Oslo'}\"\n2,\n")
    with pytest.raises(SourceError) as caught:
        read(table, ["id", "a.citi"])
    assert str(caught.value) == "a.csv: no object in 'a' has the field 'citi'.\n  Did you mean 'city'?"
    with pytest.raises(SourceError, match=r"a.csv has no column 'b.city'"):
        table.require(["b.city"])


ONE = "version: 1\nnodes: {film: {item: true, file: films.csv, key: id, columns: {genres: ROLE}}}\n"


def built(folder, role, cell, more="errors: {stop_above: 1}\n"):
    (folder / "films.csv").write_text(f"id,genres\n1,\"{cell}\"\n2,\"[{{'name': 'War'}}]\"\n")
    (folder / "kgrec.yaml").write_text(ONE.replace("ROLE", role) + more)
    return build_graph(folder / "kgrec.yaml")


def genres(graph):
    return [row["key"] for row in graph.entities.to_pylist() if row["type"] == "genres"]


def test_cells_without_objects_are_bad_where_a_field_is_wanted(tmp_path):
    graph = built(tmp_path, "{as: node, field: name}", "Drama")
    failed = graph.report.files["films.csv"].failed["genres"]
    assert genres(graph) == ["War"] and failed.first == ['films.csv:2: "Drama"']
    for cell in ("", "[]", "{}", "[{'id': 3}]"):
        graph = built(tmp_path, "{as: node, field: name}", cell)
        assert genres(graph) == ["War"] and graph.report.files["films.csv"].bad == 0


@pytest.mark.parametrize("role", ["node", "category", '{as: node, split: "|"}'])
def test_objects_never_become_names_of_nodes(tmp_path, role):
    graph = built(tmp_path, role, "Drama")
    assert genres(graph) == ["Drama"] and graph.report.files["films.csv"].bad == 1
    with pytest.raises(TooManyBadRows) as caught:
        built(tmp_path, role, "Drama", "")
    assert "'genres' holds objects, but the role has no `field:`, first at films.csv:3" in str(caught.value)
    assert "Give the column `field:`" in caught.value.remedy


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"genres": {"as": "node", "field": "a..b"}}, "a path consists of names"),
        ({"genres": {"as": "vector", "field": "a"}}, "field"),
    ],
)
def test_fields_are_checked(columns, message):
    nodes = {"film": {"item": True, "file": "a.csv", "key": "id", "columns": columns}}
    with pytest.raises(MappingError, match=message):
        Mapping.from_dict({"version": 1, "nodes": nodes})


def test_predicates_have_no_fields():
    rdf = [
        {
            "file": "a.nt",
            "types": {"f": "http://e.org/F"},
            "items": ["f"],
            "predicates": {"http://e.org/p": {"as": "label", "field": "a"}},
        }
    ]
    with pytest.raises(MappingError, match="cannot have `field:`"):
        Mapping.from_dict({"version": 1, "rdf": rdf})


# JSON files


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('[{"id": 1, "t": "a"}, {"id": 2, "t": "b"}]', [1, 1]),
        ('[\n {"id": 1,\n  "t": "a"},\n {"id": 2, "t": "b"}\n]\n', [2, 4]),
        (
            '{"count": 2, "more": {"x": [1]}, "films": [\n{"id": 1, "t": "a"},\n{"id": 2, "t": "b"}], "next": null}',
            [2, 3],
        ),
        ('{"id": 1, "t": "a"}\n{"id": 2, "t": "b"}\n', [1, 2]),
        ("{'id': 1, 't': 'a'}\n{'id': 2, 't': 'b'}\n", [1, 2]),
        ('[\n{"id": 1, "t": "a"},\n{"id": 2, "t": "b"}\n]', [2, 3]),
        ('{\n"id": 1,\n"t": "a"\n}\n{\n"id": 2,\n"t": "b"\n}\n', [1, 5]),
        ('\ufeff[{"id": 1, "t": "a"},\r\n{"id": 2, "t": "b"}]', [1, 2]),
    ],
)
def test_json_files_are_lists_of_objects_wherever_they_are(tmp_path, content, lines):
    for name in ("a.json", "a.jsonl"):
        if name == "a.json" or not content.startswith('{"count"'):
            found = read(opened(tmp_path, name, content))
            assert found == [(lines[0], "1", "a"), (lines[1], "2", "b")]


def test_a_long_json_text_is_read_piece_by_piece(tmp_path):
    rows = [{"id": i, "t": "x" * (i % 700), "l": [{"a": '"]}'}]} for i in range(9000)]
    expected = [(str(row["id"]), row["t"]) for row in rows]
    for content, first in ((json.dumps(rows), 1), (json.dumps({"n": 1, "r": rows}, indent=1), 4)):
        found = read(opened(tmp_path, "a.json", content), ["id", "t"])
        assert [row[1:] for row in found] == expected and found[0][0] == first
        assert found[-1][0] == (1 if first == 1 else content[: content.rindex('"id"')].count("\n"))


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        ('[{"id": 1},\n{"id": 2,}]', "a.json:2: the text is not JSON.", "Correct the file"),
        ('[{"id": 1},\n{"id": 2}', "a.json:2: the text has no ']' where JSON needs one.", "Correct the file"),
        (
            '{"a": [{"id": 1}],\n"b": [{"id": 2}]}',
            "there are two lists of objects, 'a' and 'b'.",
            "Write each",
        ),
        (
            '{"tt1": {"t": "a"},\n"tt2": {"t": "b"}}',
            "is an object without a list of objects.",
            "Write a list of objects",
        ),
        ('{"id": {"0": 1}, "t": {"0": "a"}}', "is an object without a list of objects.", "Write a list"),
        ("[1, 2]", "a.json has no JSON object in its first lines.", "Write a list of objects"),
        ("id,t\n1,a\n", "a.json:1: the text is not JSON.", "Correct the file"),
    ],
)
def test_other_json_says_what_to_do(tmp_path, content, problem, remedy):
    with pytest.raises(SourceError) as caught:
        read(opened(tmp_path, "a.json", content))
    assert problem in caught.value.problem and caught.value.remedy.startswith(remedy)


def test_elements_that_are_no_objects_are_counted(tmp_path):
    table = opened(tmp_path, "a.json", '[{"id": 1},\n2,\n{"id": 3}]')
    (batch,) = table.read(["id"])
    assert batch.columns["id"].to_pylist() == ["1", "3"] and batch.broken == ((2, "2"),)


def test_undecoded_bytes_of_json_are_known(tmp_path):
    table = opened(tmp_path, "a.jsonl", b'{"id": 1, "t": "\xe9"}\n{"id": 2, "t": "b"}\n')
    (batch,) = table.read(["id", "t"])
    assert batch.garbled.tolist() == [0] and batch.garbled_in("t").tolist() == [0]
    table = opened(tmp_path, "a.json", b'[{"id": 2, "t": "b"},\n{"id": 1,\n"t": "\xe9"}]')
    (batch,) = table.read(["id", "t"])
    assert batch.garbled.tolist() == [1] and batch.garbled_in("id").tolist() == []
