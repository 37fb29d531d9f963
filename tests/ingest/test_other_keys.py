"""Types with several keys, from the mapping to the graph."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from kgrec.errors import SourceError, TooManyBadRows
from kgrec.graph.build import build_graph, read_addition
from kgrec.graph.knowledge_graph import KnowledgeGraph

MAPPING = """\
version: 1
nodes:
  shelf: {file: shelves.csv, key: id, columns: {best: {as: ref, to: book.gr id, split: "|"}}}
  book: {item: true, file: books.csv, keys: [id, gr id, isbn], columns: {title: label}}
edges:
  tagged: {file: tags.csv, from: {book.gr id: gr}, to: {tag: tag}}
  follows: {file: follows.csv, from: {book.isbn: one}, to: {book: two}}
interactions: {file: log.csv, user: u, item: {book.gr id: b}}
errors: {stop_above: 1, unmatched: 1}
"""
#: the other key of book 1 is the key of book 2
FILES = {
    "books.csv": "id,gr id,isbn,title\n1,2,x-1,One\n2,3,,Two\n3,1,x-3,Three\n",
    "shelves.csv": "id,best\ns,1|2\nt,9\n",
    "tags.csv": "gr,tag\n1,funny\n 2 ,sad\n9,lost\n",
    "follows.csv": "one,two\nx-1,2\nx-3,3\nx-9,1\n",
    "log.csv": "u,b\nann,1\nann,2\nbob,3\nbob,9\n",
}


def written(folder: Path, mapping: str = MAPPING, **changed: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in {
        **FILES,
        **{name.replace("_csv", ".csv"): text for name, text in changed.items()},
    }.items():
        (folder / name).write_text(text)
    (folder / "kgrec.yaml").write_text(mapping)
    return folder / "kgrec.yaml"


def edges(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
    names, relations = graph.names.tolist(), graph.relations["name"].to_pylist()
    columns = (graph.triples[name].to_pylist() for name in ("head", "relation", "tail"))
    return {
        (names[head], relations[relation], names[tail]) for head, relation, tail in zip(*columns, strict=True)
    }


EDGES = {
    ("shelf/s", "best", "book/1"),
    ("shelf/s", "best", "book/3"),
    ("book/3", "tagged", "tag/funny"),
    ("book/1", "tagged", "tag/sad"),
    ("book/1", "follows", "book/2"),
    ("book/3", "follows", "book/3"),
}


def test_edges_references_and_interactions_find_nodes_by_another_key(tmp_path: Path):
    graph = build_graph(written(tmp_path))
    assert edges(graph) == EDGES
    log = graph.interactions
    pairs = zip(log.user, log.item, strict=True)
    assert {(log.users[user], log.items[item]) for user, item in pairs} == {
        ("ann", "3"),
        ("ann", "1"),
        ("bob", "2"),
    }


def test_what_names_no_node_is_not_used(tmp_path: Path):
    report = build_graph(written(tmp_path)).report
    counts = {name: (part.rows, part.used) for name, part in report.files.items()}
    assert counts["tags.csv"] == counts["follows.csv"] == (3, 2)
    assert counts["shelves.csv"] == (2, 2) and counts["log.csv"] == (4, 3)
    dropped = report.files["tags.csv"].dropped["names a node that no source has"]
    assert (dropped.count, dropped.first) == (1, ["tags.csv:4"])
    assert {name: (places.count, places.first) for name, places in report.missing.items()} == {
        "best -> book.gr id": (1, ['shelves.csv:3: "9"']),
        "tagged -> book.gr id": (1, ['tags.csv:4: "9"']),
        "follows -> book.isbn": (1, ['follows.csv:4: "x-9"']),
    }
    # of shelf s some references lead to a book, of shelf t none
    assert (report.files["shelves.csv"].missing.count, report.files["shelves.csv"].missing.first) == (
        1,
        ["shelves.csv:3"],
    )
    assert report.unknown_items.first == ['log.csv:5: "9"']


@pytest.mark.parametrize("name", ["tags", "follows", "shelves"])
def test_references_to_no_node_count_as_bad_rows(tmp_path: Path, name: str):
    path = written(tmp_path, MAPPING.replace("stop_above: 1", "stop_above: 0.3"))
    with pytest.raises(TooManyBadRows) as caught:
        build_graph(path)
    assert caught.value.exit_code == 3 and "1 of 2 rows are bad" in str(caught.value)
    fewer = {
        "shelves_csv": "id,best\ns,1|2\nt,9|1\n",
        "tags_csv": "gr,tag\n1,a\n",
        "follows_csv": "one,two\nx-1,2\n",
    }
    del fewer[f"{name}_csv"]
    with pytest.raises(
        TooManyBadRows, match=rf"{name}.csv: 1 of . rows are bad; 1 of them: (names|refers to) a node"
    ):
        build_graph(written(tmp_path, MAPPING.replace("stop_above: 1", "stop_above: 0.3"), **fewer))


def test_another_key_belongs_to_one_node(tmp_path: Path):
    books = "id,gr id,isbn,title\n1,2,,One\n2,2,,Two\n3,,,Three\n4,,,Four\n"
    graph = build_graph(written(tmp_path, books_csv=books))
    failed = graph.report.files["books.csv"].failed["gr id"]
    assert (failed.count, failed.first) == (1, ['books.csv:3: "2"'])
    assert graph.ids(["book.gr id/2"]).tolist() == graph.ids(["book/1"]).tolist()
    # rows without the other key are books like others
    assert len(graph.item_ids) == 4
    strict = MAPPING.replace("stop_above: 1", "bad_row: fail")
    with pytest.raises(
        SourceError, match=r"books\.csv:3: 'gr id' is \"2\", which is also a key of an earlier row"
    ):
        build_graph(written(tmp_path, strict, books_csv=books))


def test_another_key_is_no_id_of_an_item_alone(tmp_path: Path):
    graph = build_graph(written(tmp_path))
    assert graph.item_codes(["x-1"]).tolist() == [-1]
    # 2 is the key of book 2, though it is another key of book 1
    assert graph.item_ids[graph.item_codes(["2"])[0]] == "2"
    assert [graph.item_ids[code] for code in graph.item_codes(["book.isbn/x-1", "book.gr id/2"])] == [
        "1",
        "1",
    ]


def test_other_keys_are_stored(tmp_path: Path):
    build_graph(written(tmp_path)).save(tmp_path / "graph")
    graph = KnowledgeGraph.load(tmp_path / "graph")
    assert graph.mapping.nodes["book"].other_keys == ("gr id", "isbn")
    codes = graph.item_codes_by("book.gr id")
    assert codes(pa.array(["1", "2", "9"])).tolist() == graph.item_codes(["3", "1", "9"]).tolist()
    assert (
        graph.item_codes_by("book")(pa.array(["1", "x-1"])).tolist() == graph.item_codes(["1", "?"]).tolist()
    )


def test_an_addition_refers_to_known_nodes_by_another_key(tmp_path: Path):
    graph = build_graph(written(tmp_path / "known"))
    new = tmp_path / "new"
    new.mkdir()
    (new / "books.csv").write_text("id,gr id,isbn,title\n4,44,,Four\n")
    (new / "tags.csv").write_text("gr,tag\n44,new\n1,new\n")
    larger, _ = graph.extended(read_addition(graph.mapping, new, known=graph))
    assert edges(larger) == EDGES | {("book/4", "tagged", "tag/new"), ("book/3", "tagged", "tag/new")}
    assert larger.ids(["book.gr id/44"]).tolist() == larger.ids(["book/4"]).tolist()


def test_an_addition_of_which_no_edge_is_used_is_refused(tmp_path: Path):
    graph = build_graph(
        written(
            tmp_path / "known",
            MAPPING.replace("stop_above: 1, ", ""),
            tags_csv="gr,tag\n1,a\n",
            follows_csv="one,two\nx-1,2\n",
            shelves_csv="id,best\ns,1\n",
        )
    )
    new = tmp_path / "new"
    new.mkdir()
    (new / "tags.csv").write_text("gr,tag\n77,new\n78,new\n")
    with pytest.raises(TooManyBadRows, match=r"tags\.csv: 2 of 2 rows are bad"):
        read_addition(graph.mapping, new, known=graph)
