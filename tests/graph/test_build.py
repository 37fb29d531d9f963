"""From sources to a graph: every table of a small one, and every kind of bad row."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest
from movie_graph import FILES, HEAD, MAPPING, changed, write

from kgrec.errors import KgrecError, MappingError, SourceError, TooManyBadRows
from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return build_graph(write(tmp_path_factory.mktemp("graph")))


def test_entities_are_sorted_with_labels_and_iris(graph: KnowledgeGraph):
    columns = [graph.entities[name].to_pylist() for name in ("type", "key", "label", "iri")]
    base = "https://example.org/"
    assert list(zip(*columns, strict=True)) == [
        ("genre", "Art|House", "Art|House", base + "genre/Art%7CHouse"),
        ("genre", "Drama", "Drama", base + "genre/Drama"),
        ("genre", "War", "War", base + "genre/War"),
        ("movie", "01", "One", "http://ex.org/Q1"),
        ("movie", "2", "Two", base + "movie/2"),
        ("movie", "a/b c", "Three", base + "movie/a%2Fb%20c"),
        ("person", "Ann", "Ann", base + "person/Ann"),
        ("person", "Bob", "Bob", base + "person/Bob"),
        ("rated", "PG", "PG", base + "rated/PG"),
        ("resource", "http://ex.org/topic", "Topic", "http://ex.org/topic"),
        ("studio", "s1", "Studio", base + "studio/s1"),
    ]
    assert graph.entities["id"].to_pylist() == list(range(11))


def test_every_edge_is_there_once_and_sorted(graph: KnowledgeGraph):
    names, keys = graph.relations["name"].to_pylist(), graph.entities["key"].to_pylist()
    assert names == ["acted_in", "ex:about", "genres", "made_by", "rated", "sequel"]
    rows = [tuple(row.values()) for row in graph.triples.to_pylist()]
    assert rows == sorted(rows, key=lambda row: (row[1], row[0], row[2]))
    assert [(keys[h], names[r], keys[t], w) for h, r, t, w in rows] == [
        ("Ann", "acted_in", "01", 2.0),
        ("Bob", "acted_in", "2", 1.0),
        ("01", "ex:about", "http://ex.org/topic", 1.0),
        ("a/b c", "ex:about", "http://ex.org/topic", 1.0),
        ("01", "genres", "Drama", 1.0),
        ("01", "genres", "War", 1.0),
        ("2", "genres", "Art|House", 1.0),
        ("2", "genres", "Drama", 1.0),
        ("01", "made_by", "s1", 1.0),
        ("01", "rated", "PG", 1.0),
        ("2", "rated", "PG", 1.0),
        ("01", "sequel", "2", 1.0),
    ]


def test_text_numbers_and_vectors(graph: KnowledgeGraph):
    assert graph.text.to_pylist() == [{"id": 3, "predicate": "plot", "lang": "en", "text": "A plot"}]
    assert graph.numbers.to_pylist() == [
        {"id": 3, "predicate": "released", "value": 86400.0},
        {"id": 3, "predicate": "runtime", "value": 90.0},
    ]
    assert graph.vectors.to_pylist() == [{"id": 3, "predicate": "poster", "vector": [1.0, 0.5]}]


def test_missing_references_and_unknown_items_are_reported_with_places(graph: KnowledgeGraph):
    missing = {name: places.first for name, places in graph.report.missing.items()}
    assert missing == {
        "made_by -> studio": ['movies.csv:3: "s9"'],
        "acted_in -> movie": ['cast.csv:3: "77"'],
        "ex:about -> movie": ['more.nt: "gone"'],
    }
    assert graph.report.unknown_items.first == ['log.csv:6: "99"']
    assert graph.report.files["log.csv"].dropped["has an empty user or item"].first == ["log.csv:7"]
    assert graph.report.repeated_pairs == 1
    assert "INTERACTIONS THAT NAME AN UNKNOWN ITEM: 1" in str(graph.report)


def test_interactions_are_sorted_and_keep_the_last_of_a_pair(graph: KnowledgeGraph):
    log = graph.interactions
    assert log.users.tolist() == ["u1", "u2"]
    assert log.items == graph.item_ids and log.items.tolist() == ["01", "2", "a/b c"]
    assert log.user.tolist() == [0, 0, 1] and log.item.tolist() == [0, 1, 0]
    assert log.value.tolist() == [4.0, 5.0, 5.0] and log.time.tolist() == [20, 40, 10]
    assert log.positive.tolist() == [True, True, True]
    assert log.count.tolist() == [1, 2, 1] and graph.report.repeated_pairs == 1


def test_the_order_of_rows_leaves_no_trace(tmp_path: Path):
    written = []
    for seed in range(3):
        files = {name: list(lines) for name, lines in FILES.items()}
        for name, lines in files.items():
            head = 0 if name.endswith(".nt") else 1
            rest = lines[head:]
            random.Random(seed).shuffle(rest)
            files[name] = lines[:head] + rest
        build_graph(write(tmp_path / str(seed), files)).save(tmp_path / f"graph{seed}")
        folder = tmp_path / f"graph{seed}"
        written.append({path.name: path.read_bytes() for path in folder.glob("*.parquet")})
    assert len(written[0]) == 8
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize(
    ("name", "line", "content", "error", "problem", "remedy"),
    [
        (
            "movies.csv",
            0,
            HEAD.replace("title", "titel"),
            SourceError,
            "movies.csv has no column 'title'.",
            "'titel'",
        ),
        (
            "movies.csv",
            0,
            HEAD.replace("notes", "remarks"),
            MappingError,
            "movies.csv: the column 'remarks' is not named under nodes.movie.columns.",
            "There is 'notes'.",
        ),
        ("studios.csv", 0, "key,name", SourceError, "studios.csv has no column 'id'.", "'key'"),
    ],
)
def test_columns_must_fit_the_mapping(
    tmp_path: Path, name: str, line: int, content: str, error: type[KgrecError], problem: str, remedy: str
):
    with pytest.raises(error) as caught:
        build_graph(write(tmp_path, changed(name, line, content)))
    assert caught.value.problem == problem
    assert remedy.split("?")[0] in caught.value.remedy


HEADERLESS = """\
version: 1
nodes:
  film:
    item: true
    file: u.item
    format: csv
    delimiter: "|"
    header: [id, title, kind]
    key: id
    columns: {title: label, kind: category}
interactions: {file: u.data, format: tsv, header: [user, film, stars], user: user, item: film, value: stars}
errors: {unmatched: 1, stop_above: 1}
"""


def test_files_without_a_header_are_reported_by_their_lines(tmp_path: Path):
    files = {
        "u.item": ["1|One|x", "2|Two", "|Three|y", "1|One|x"],
        "u.data": ["ann\t1\t5", "ann\t9\t4", "bob\t1\tfive"],
    }
    graph = build_graph(write(tmp_path, files, HEADERLESS))
    items, log = graph.report.files["u.item"], graph.report.files["u.data"]
    assert {reason: places.first for reason, places in items.dropped.items()} == {
        "cannot be split into columns": ["u.item:2"],
        "has an empty key": ["u.item:3"],
        "identical to an earlier row": ["u.item:4"],
    }
    assert (items.rows, items.used, log.rows, log.used) == (4, 1, 3, 2)
    assert graph.report.unknown_items.first == ['u.data:2: "9"']
    assert log.failed["stars"].first == ['u.data:3: "five"']
    with pytest.raises(SourceError, match=r"u.item has no column 'name'"):
        build_graph(write(tmp_path, files, HEADERLESS.replace("title: label", "name: label")))


def test_a_file_of_which_all_rows_are_broken_stops_the_build(tmp_path: Path):
    files = {"u.item": ["1|One", "2|Two"], "u.data": ["ann\t1\t5"]}
    with pytest.raises(TooManyBadRows, match=r"u.item: 2 of 2 rows are bad.*first at u.item:1"):
        build_graph(write(tmp_path, files, HEADERLESS.replace("stop_above: 1", "stop_above: 0.5")))


def test_repeated_keys_are_counted_by_kind(tmp_path: Path):
    files = {**FILES, "studios.csv": ["id,name", "s1,Studio", "s1,Studio", "s1,Other", "s2,B", ",C"]}
    report = build_graph(write(tmp_path, files)).report.files["studios.csv"]
    assert (report.rows, report.used) == (5, 2)
    assert {reason: (places.count, places.first) for reason, places in report.dropped.items()} == {
        "has an empty key": (1, ["studios.csv:6"]),
        "identical to an earlier row": (1, ["studios.csv:3"]),
        "has the key of an earlier row": (1, ["studios.csv:4"]),
    }


def test_bad_values_are_counted_or_stop_the_build(tmp_path: Path):
    files = changed("movies.csv", 1, "01,One,,long,31-12-99,,,,,nowhere|http://a b,[x],")
    failed = build_graph(write(tmp_path, files)).report.files["movies.csv"].failed
    assert {column: places.first for column, places in failed.items()} == {
        "runtime": ['movies.csv:2: "long"'],
        "released": ['movies.csv:2: "31-12-99"'],
        "wikidata": ['movies.csv:2: "nowhere|http://a b"'],
        "poster": ['movies.csv:2: "[x]"'],
    }
    files = changed("movies.csv", 1, "01,One,,,31/12/99,,,,,,,")
    strict = MAPPING.replace("stop_above: 0.9", "bad_row: fail")
    with pytest.raises(SourceError) as caught:
        build_graph(write(tmp_path, files, strict))
    assert str(caught.value) == (
        'movies.csv:2: \'released\' is "31/12/99", which does not match "%d/%m/%Y".\n'
        "  Correct the row, or set `format:` of the column in kgrec.yaml."
    )
    with pytest.raises(TooManyBadRows, match=r"movies.csv: 1 of 3 rows are bad"):
        build_graph(write(tmp_path, files, MAPPING.replace("0.9", "0.1")))


def test_missing_references_can_stop_the_build(tmp_path: Path):
    with pytest.raises(SourceError, match=r'^movies.csv:3: "s9" is not a studio in any source'):
        build_graph(write(tmp_path, mapping=MAPPING.replace("stop_above: 0.9", "missing_ref: fail")))


def test_items_that_are_one_are_merged_and_answer_to_both_names(tmp_path: Path):
    files = changed("movies.csv", 2, "2,Two,,,,,,,,http://ex.org/Q1,,")
    mapping = MAPPING.replace("stop_above: 0.9", "stop_above: 0.9, shared_identity: merge")
    graph = build_graph(write(tmp_path, files, mapping))
    assert graph.item_ids.tolist() == ["01", "a/b c"]
    assert graph.report.merged_items.first == ["movie/2 into movie/01"]
    assert graph.item_codes(["2", "movie/2", "01", "77"]).tolist() == [0, 0, 0, -1]
    assert graph.find("movie", "2") == graph.find("movie", "01")
    assert graph.text.to_pylist()[-1]["text"] == "Two"
    assert len(graph.interactions) == 2


def test_one_key_in_two_item_types_is_named_with_its_type(tmp_path: Path):
    mapping = MAPPING.replace("studio: {file", "studio: {item: true, file")
    files = {**FILES, "studios.csv": ["id,name", "01,Studio"]}
    graph = build_graph(write(tmp_path, files, mapping))
    assert graph.item_ids.tolist() == ["2", "a/b c", "movie/01", "studio/01"]
    assert graph.report.unknown_items.count == 3


def test_an_addition_from_a_folder_reads_the_files_that_are_there(graph: KnowledgeGraph, tmp_path: Path):
    (tmp_path / "movies.csv").write_text(f"{HEAD}\n9,Nine,,,,,,,,,,\n")
    assert read_addition(graph.mapping, tmp_path, known=graph).item_ids.tolist() == ["9"]
    with pytest.raises(SourceError) as caught:
        read_addition(graph.mapping, tmp_path / "none", known=graph)
    assert caught.value.remedy == (
        "Files are looked for by the names: movies.csv, studios.csv, cast.csv, more.nt."
    )
    with pytest.raises(SourceError, match="There is no node table 'film'"):
        read_addition(graph.mapping, frames={"film": pd.DataFrame({"id": ["1"]})}, known=graph)
