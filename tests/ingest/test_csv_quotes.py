"""Quotes that are never closed, quotes that swallow lines, and escapes."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import MappingError, SourceError, TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.ingest.batches import HEADER_AGAIN, TORN
from kgrec.ingest.csv_quotes import Escapes, quote_faults
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source
from kgrec.ingest.table_files import open_table


def read(folder, content, **options):
    """Cells with the line of each row; broken rows; rows left out."""
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = open_table(Source(path, "a.csv"), TableFormat(file=("a.csv",), **options))
    rows, broken, left_out = [], [], []
    for batch in table.read(table.columns):
        cells = [column.to_pylist() for column in batch.columns.values()]
        rows += [(int(line), *row) for line, *row in zip(batch.lines, *cells, strict=True)]
        broken += batch.broken
        left_out += [(row.reason, row.line, row.lines) for row in batch.left_out]
    return rows, broken, left_out


def open_line(folder, content, **options):
    with pytest.raises(SourceError) as caught:
        read(folder, content, **options)
    place, _, rest = caught.value.problem.partition(": ")
    assert rest == "a quote opens a cell here and is never closed."
    return int(place.removeprefix("a.csv:"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('id,t,u\n1,A,"one\n2,B,two\n3,C,three', 2),
        ('id,t,u\n1,A,"one\n2,B,two\n3,C,three\n', 2),
        ('id,t,u\n1,A,one\n2,"B\n', 3),
        ('id,t,u\n1,"A,one\n2,B,two', 2),
        ('id,t,u\n1,"x\ny","one\n', 3),
        ('id,t,u\n"1,A,one', 2),
        ('id,t,u\n1,A,"', 2),
        ('id,t,u\n1,A,""one"\n2,B,"""two\n', 3),
        ('"id,t,u\n1,A,one\n', 1),
        ('id,t,u\r\n1,A,"one\r\n2,B,two\r\n', 2),
        ('id,t,u\r1,A,"one\r2,B,two\r', 2),
    ],
)
def test_a_quote_that_is_open_at_the_end_is_named_with_its_line(tmp_path, content, line):
    assert open_line(tmp_path, content) == line


def test_an_open_quote_is_found_behind_many_rows_and_in_front_of_many(tmp_path):
    rows = [f'{i},"t{i}",u' for i in range(300_000)]
    rows[123_456] = '123456,"t,u'
    good = "id,t,u\n" + "\n".join(rows[:123_456])
    assert open_line(tmp_path, good + '\n1,A,"x\n' + "2,B,u\n" * 10) == 123_458
    # the rest of the file is longer than the parser's block
    assert open_line(tmp_path, good + '\n1,A,"x\n' + "2,B,u\n" * 2_000_000) == 123_458


def test_a_cell_may_end_with_a_line_break_and_a_quote_at_the_end_of_the_file(tmp_path):
    assert read(tmp_path, 'id,t,u\n1,A,"one\n"\n') == ([(2, "1", "A", "one\n")], [], [])
    assert read(tmp_path, 'id,t,u\n1,A,"one\n"') == ([(2, "1", "A", "one\n")], [], [])
    assert read(tmp_path, 'id,t,u\n1,A,one"') == ([(2, "1", "A", 'one"')], [], [])
    assert read(tmp_path, 'id,t,u\n1,A,"""one"""') == ([(2, "1", "A", '"one"')], [], [])
    assert read(tmp_path, 'id,t,u\n1,A,"one\n', quote="") == ([(2, "1", "A", '"one')], [], [])


def test_a_quote_that_swallows_lines_is_not_a_row(tmp_path):
    content = 'id,t,u\n1,A,"one\n2,B,"two"\n3,C,"a\nb"\n4,"D,x\n5,E\n6,F,"y"\n7,G,z\n'
    rows, broken, left_out = read(tmp_path, content)
    assert rows == [(4, "3", "C", "a\nb"), (9, "7", "G", "z")]
    assert broken == []
    assert left_out == [(TORN, 2, 2), (TORN, 6, 3)]


def test_swallowed_lines_count_as_bad_rows(tmp_path):
    (tmp_path / "items.csv").write_text('id,t\n1,"one\n2,"two"\n3,"three"\n')
    mapping = "version: 1\nnodes: {item: {item: true, file: items.csv, key: id, columns: {t: label}}}\n"
    (tmp_path / "kgrec.yaml").write_text(mapping)
    with pytest.raises(TooManyBadRows) as caught:
        build_graph(tmp_path / "kgrec.yaml")
    assert caught.value.problem == (
        "items.csv: 2 of 3 rows are bad; 2 of them: has a quote that is not closed in its cell, "
        "and swallows the lines up to the next quote, first at items.csv:2."
    )
    assert caught.value.remedy.startswith("Close the quote, or give `quote:")
    (tmp_path / "kgrec.yaml").write_text(mapping + "errors: {stop_above: 1}\n")
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert [row["key"] for row in graph.entities.to_pylist()] == ["3"]
    assert graph.report.files["items.csv"].rows == 3


def test_quotes_inside_a_cell_are_kept(tmp_path):
    content = 'id,t,u\n1,5" pipe,a "b" c\n2,"B "x" y",""\n3,"a ""b""",say "hi"\n'
    assert read(tmp_path, content)[0] == [
        (2, "1", '5" pipe', 'a "b" c'),
        (3, "2", 'B x" y"', ""),
        (4, "3", 'a "b"', 'say "hi"'),
    ]


def test_a_header_in_the_middle_of_joined_files_is_no_row(tmp_path):
    content = "\ufeffid,t\n1,a\n\ufeffid,t\n2,id\nid,x\n"
    assert read(tmp_path, content) == (
        [(2, "1", "a"), (4, "2", "id"), (5, "id", "x")],
        [],
        [(HEADER_AGAIN, 3, 1)],
    )


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (r'"say \"hi\""', 'say "hi"'),
        (r'"a \\ b\\"', "a \\ b\\"),
        (r'"C:\new, \N"', r"C:\new, \N"),
        (r'"two ""marks"" \" more"', 'two "marks" " more'),
        ('"line\n\\" break"', 'line\n" break'),
        (r"5\" \\ \N", r"5\" \\ \N"),
        (r'"\""', '"'),
        (r'"\\"', "\\"),
    ],
)
def test_escapes_count_inside_quoted_cells(tmp_path, cell, value):
    rows, broken, left_out = read(tmp_path, f"id,t\n1,{cell}\n2,x\n", escape="\\")
    assert [row[1:] for row in rows] == [("1", value), ("2", "x")]
    assert (broken, left_out) == ([], [])


def test_another_escape_and_escapes_across_pieces(tmp_path):
    rows = "".join(f"{i};'a^'b;^^\n^''\n" for i in range(200_000))
    found = read(tmp_path, f"id;t\n{rows}", delimiter=";", quote="'", escape="^")[0]
    assert len(found) == 200_000 and {row[2] for row in found} == {"a'b;^\n'"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('escape: "\\\\", quote: ""', "`escape:` needs `quote:`"),
        ("escape: '\"'", "`quote:` and `escape:` are both"),
        ("delimiter: ';', quote: ';'", "`delimiter:` and `quote:` are both ';'"),
        ("delimiter: '\u00a7'", "must be an ASCII character"),
    ],
)
def test_marks_that_cannot_work_are_refused(tmp_path, options, message):
    (tmp_path / "kgrec.yaml").write_text(
        f"version: 1\nnodes: {{item: {{item: true, file: items.csv, key: id, {options}}}}}\n"
    )
    (tmp_path / "items.csv").write_text("id\n1\n")
    with pytest.raises(MappingError, match=message):
        build_graph(tmp_path / "kgrec.yaml")


@given(st.text(st.sampled_from('ab",\n'), max_size=30))
def test_open_quotes_are_those_of_the_csv_module(text):
    """With another row appended, the csv module finds this row unless a quote is open."""
    rows = list(csv.reader(io.StringIO(f"{text}\nend,row", newline="")))
    assert bool(quote_faults(text.encode(), ",", '"').opened) == (rows[-1] != ["end", "row"])


@given(st.lists(st.text(st.sampled_from('ab",\n\\'), max_size=6), min_size=1, max_size=4))
def test_escaped_cells_are_read_back(cells):
    written = ",".join('"' + c.replace("\\", "\\\\").replace('"', '\\"') + '"' for c in cells)
    plain = Escapes(",", '"', "\\").without(written.encode()).decode()
    assert next(csv.reader(io.StringIO(plain, newline=""))) == cells
