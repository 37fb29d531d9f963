"""Logs and edges that match nothing, and what the error says of the cause."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.errors import TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.graph.knowledge_graph import KnowledgeGraph

MAPPING = """\
version: 1
nodes:
  book: {item: true, file: books.csv, KEYS, columns: {title: label, "*": ignore}}
edges:
  tagged: {file: tags.csv, FROM, to: {tag: tag}}
interactions: {file: log.csv, user: user, ITEM, value: stars}
"""
BOOKS = range(11, 31)


def built(
    folder: Path,
    log: list[str],
    tags: list[str] | None = None,
    *,
    keys: str = "key: id",
    head: str = "from: {book: book}",
    item: str = "item: book",
    errors: str = "",
    beside: str = "",
) -> KnowledgeGraph:
    """A graph of 20 books with the keys 11 to 30 and codes, of a log and of tags by book."""
    (folder / "books.csv").write_text(
        "id,code,title\n" + "".join(f"{book},{book * 7919},Book {book}\n" for book in BOOKS)
    )
    rows = "".join(f"u{n % 3},{book},{n % 5 + 1}\n" for n, book in enumerate(log))
    (folder / "log.csv").write_text(f"user,book{beside},stars\n{rows}")
    (folder / "tags.csv").write_text("book,tag\n" + "".join(f"{book},t\n" for book in tags or ["11"]))
    mapping = MAPPING.replace("KEYS", keys).replace("FROM", head).replace("ITEM", item)
    (folder / "kgrec.yaml").write_text(f"{mapping}{errors}\n")
    return build_graph(folder / "kgrec.yaml")


def refused(folder: Path, log: list[str], tags: list[str] | None = None, **changed: str) -> str:
    with pytest.raises(TooManyBadRows) as caught:
        built(folder, log, tags, **changed)
    assert caught.value.exit_code == 3
    return str(caught.value)


KEYS = [str(book) for book in BOOKS]
CODES = [str(book * 7919) for book in BOOKS]


def test_a_log_that_matches_nothing_stops_the_build(tmp_path: Path):
    said = refused(tmp_path, [f"{key}.0" for key in KEYS])
    assert said == (
        'log.csv: 20 of 20 rows name an unknown item, first log.csv:2: "11.0"; keys of the items look like "11".\n'
        '  Likely cause: a final ".0": "11.0" in log.csv is "11" in books.csv (100% of these ids match then). '
        "Write the ids as whole numbers: a column with gaps was saved as floats (in pandas, use astype('Int64')). "
        "Or raise `errors: unmatched` (0.2 of the rows)."
    )


def test_up_to_the_share_of_the_mapping_rows_are_counted(tmp_path: Path):
    log = [*KEYS, "x1", "x2", "x3", "x4", "x5"]
    graph = built(tmp_path, log)
    assert graph.report.unknown_items.count == 5 and graph.report.files["log.csv"].used == 20
    assert "6 of 26 rows name an unknown item" in refused(tmp_path, [*log, "x6"])
    assert "No likely cause was found" in refused(tmp_path, [*log, "x6"])
    assert len(built(tmp_path, [*log, "x6"], errors="errors: {unmatched: 0.5}").interactions) == 20
    assert "5 of 25 rows" in refused(tmp_path, log, errors="errors: {unmatched: 0}")


def test_the_items_table_has_another_key(tmp_path: Path):
    said = refused(tmp_path, CODES)
    assert "'book' has values of the column 'code' of books.csv, not of 'id' (100%" in said
    assert (
        "Write `keys: [id, code]` under nodes.book, and `item: {book.code: book}` under interactions." in said
    )
    named = refused(tmp_path, CODES, keys="keys: [id, code]")
    assert (
        "Write `item: {book.code: book}` under interactions." in named and "keys:" not in named.split("\n")[1]
    )
    right = built(tmp_path, CODES, keys="keys: [id, code]", item="item: {book.code: book}")
    assert right.report.files["log.csv"].used == 20
    wrong = refused(tmp_path, KEYS, keys="keys: [id, code]", item="item: {book.code: book}")
    assert "Write `item: {book: book}` under interactions." in wrong


def test_the_log_has_another_column_of_items(tmp_path: Path):
    said = refused(tmp_path, [f"name {n},{book}" for n, book in enumerate(BOOKS)], beside=",number")
    assert "the ids are in the column 'number' of log.csv, not in 'book' (100%" in said
    assert "Write `item: number` under interactions." in said


def test_columns_of_users_and_items_are_swapped(tmp_path: Path):
    built(tmp_path, KEYS)
    (tmp_path / "log.csv").write_text("user,book,stars\n" + "".join(f"{key},u{key},5\n" for key in KEYS))
    mapping = (
        MAPPING.replace("KEYS", "key: id").replace("FROM", "from: {book: book}").replace("ITEM", "item: book")
    )
    (tmp_path / "kgrec.yaml").write_text(mapping)
    with pytest.raises(TooManyBadRows) as caught:
        build_graph(tmp_path / "kgrec.yaml")
    # the prefix u would match as well, and spelling comes first
    assert '"u11" in log.csv is "11" in books.csv' in str(caught.value)
    (tmp_path / "log.csv").write_text("user,book,stars\n" + "".join(f"{key},name,5\n" for key in KEYS))
    with pytest.raises(TooManyBadRows) as caught:
        build_graph(tmp_path / "kgrec.yaml")
    assert "the columns 'book' and 'user' are swapped (100%" in str(caught.value)
    assert "Write `user: book` and `item: user` under interactions." in str(caught.value)


def test_ids_at_an_offset(tmp_path: Path):
    said = refused(tmp_path, [str(1000 + book) for book in BOOKS])
    assert "the ids of log.csv are 1,000 above those of books.csv" in said


def test_ids_that_count_from_another_start_match_all_but_one(tmp_path: Path):
    graph = built(tmp_path, [str(book - 1) for book in BOOKS])
    assert graph.report.warnings[-1].startswith(
        "log.csv: the only unknown id is 10, next to the ids 11 to 30: perhaps one file counts from another start"
    )
    assert not any("another start" in warning for warning in built(tmp_path, KEYS).report.warnings)


def test_blanks_around_keys_do_not_matter(tmp_path: Path):
    graph = built(tmp_path, [f" {key}\u00a0" for key in KEYS], [" 12 "])
    assert graph.report.files["log.csv"].used == 20 and graph.report.files["tags.csv"].used == 1
    assert len(graph.interactions) == 20


def test_keys_that_two_item_types_share(tmp_path: Path):
    (tmp_path / "a.csv").write_text("id\n" + "\n".join(KEYS))
    (tmp_path / "log.csv").write_text("u,i\n" + "".join(f"u,{key}\n" for key in KEYS))
    mapping = """\
version: 1
nodes: {film: {item: true, file: a.csv, key: id}, book: {item: true, file: a.csv, key: id}}
interactions: {file: log.csv, user: u, item: ITEM}
"""
    (tmp_path / "kgrec.yaml").write_text(mapping.replace("ITEM", "i"))
    with pytest.raises(TooManyBadRows, match="several item types have these keys: book, film") as caught:
        build_graph(tmp_path / "kgrec.yaml")
    assert "Write `item: {book: i}` for one of the types" in str(caught.value)
    (tmp_path / "kgrec.yaml").write_text(mapping.replace("ITEM", "{film: i}"))
    log = build_graph(tmp_path / "kgrec.yaml").interactions
    assert {log.items[item] for item in log.item} == {f"film/{key}" for key in KEYS}


def test_edges_that_match_nothing_stop_the_build(tmp_path: Path):
    said = refused(tmp_path, KEYS, CODES)
    assert said.startswith(
        "tags.csv: 20 of 20 rows are bad; 20 of them: names a node that no source has, first at tags.csv:2.\n"
        "  Likely cause: 'book' has values of the column 'code' of books.csv, not of 'id' (100% of these ids match then). "
        "Write `keys: [id, code]` under nodes.book, and `from: {book.code: book}` under edges.tagged."
    )
    right = built(tmp_path, KEYS, CODES, keys="keys: [id, code]", head="from: {book.code: book}")
    assert right.report.files["tags.csv"].used == 20


def test_references_that_match_nothing_stop_the_build(tmp_path: Path):
    (tmp_path / "items.csv").write_text(
        "id,maker,also\n" + "".join(f"{n},0{n},1|0{n}\n" for n in range(1, 10))
    )
    (tmp_path / "makers.csv").write_text("id,name\n" + "".join(f"{n},M{n}\n" for n in range(1, 10)))
    (tmp_path / "kgrec.yaml").write_text("""\
version: 1
nodes:
  item:
    item: true
    file: items.csv
    key: id
    columns: {maker: {as: ref, to: maker}, also: {as: ref, to: item, split: "|"}}
  maker: {file: makers.csv, key: id, columns: {name: label}}
""")
    with pytest.raises(TooManyBadRows) as caught:
        build_graph(tmp_path / "kgrec.yaml")
    said = str(caught.value)
    assert "items.csv: 9 of 9 rows are bad; 9 of them: refers to a node that no source has" in said
    assert 'leading zeros: "01" in items.csv is "1" in makers.csv' in said


def test_columns_that_cannot_be_read_do_not_hide_the_cause(tmp_path: Path):
    log = pa.table({"user": ["u"] * 20, "book": [f"{key}.0" for key in KEYS], "more": [{"a": 1}] * 20})
    pq.write_table(log, tmp_path / "log.parquet")
    (tmp_path / "books.csv").write_text("id,title\n" + "".join(f"{key},Book {key}\n" for key in KEYS))
    (tmp_path / "kgrec.yaml").write_text("""\
version: 1
nodes: {book: {item: true, file: books.csv, key: id, columns: {title: label}}}
interactions: {file: log.parquet, user: user, item: book}
""")
    with pytest.raises(TooManyBadRows, match=r'a final "\.0": "11\.0" in log\.parquet is "11" in books\.csv'):
        build_graph(tmp_path / "kgrec.yaml")
