import gzip
import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.errors import SourceError, TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.ingest import cells
from kgrec.ingest.mapping.schema import TableFormat
from kgrec.ingest.sources import Source, find_files
from kgrec.ingest.table_files import frame_table, open_table


def rows_of(folder, name, content, **options):
    """All rows as lists of cells, with their lines; and the broken rows."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = open_table(Source(path, name), TableFormat(file=(name,), **options))
    rows, broken = [], []
    for batch in table.read(table.columns):
        cells = [column.to_pylist() for column in batch.columns.values()]
        rows += [(int(line), *row) for line, *row in zip(batch.lines, *cells, strict=True)]
        broken += batch.broken
    return rows, broken


def refused(folder, name, content, **options):
    with pytest.raises(SourceError) as caught:
        rows_of(folder, name, content, **options)
    return str(caught.value)


def test_csv_keeps_cells_as_they_are_written(tmp_path):
    content = b'\xef\xbb\xbfid,t\r\n007,"a ""b"", c"\r\n008,"two\nlines"\r\n\r\n009,NULL\r\n010,\r\n'
    rows, broken = rows_of(tmp_path, "a.csv", content)
    assert rows == [
        (2, "007", 'a "b", c'),
        (3, "008", "two\nlines"),
        (6, "009", "NULL"),
        (7, "010", ""),
    ]
    assert broken == []


def test_lines_count_breaks_in_cells_and_broken_rows(tmp_path):
    content = 'id,t\n1,a\n1,2,3\n2,"x\ny\nz"\n4,5,6\n7\n3,c\n'
    rows, broken = rows_of(tmp_path, "a.csv", content)
    assert rows == [(2, "1", "a"), (4, "2", "x\ny\nz"), (9, "3", "c")]
    assert broken == [(3, "1,2,3"), (7, "4,5,6"), (8, "7")]


def test_lines_stay_right_over_many_batches(tmp_path):
    lines = [f'{i},"{"x" * 2000}\n{i}"' if i % 3 == 0 else f"{i},y" for i in range(20_000)]
    lines[::1000] = [f"{i},too,many" for i in range(0, 20_000, 1000)]
    rows, broken = rows_of(tmp_path, "a.csv", "id,t\n" + "\n".join(lines) + "\n")
    text = ("id,t\n" + "\n".join(lines)).split("\n")
    assert len(rows) == 19_980 and len(broken) == 20
    assert all(text[line - 1] == found for line, found in broken)
    assert all(text[line - 1].startswith(f"{key},") for line, key, _ in rows)


def test_rows_that_all_are_broken_are_still_counted(tmp_path):
    assert rows_of(tmp_path, "a.csv", "id,t\n1,2,3\n4\n") == ([], [(2, "1,2,3"), (3, "4")])
    assert rows_of(tmp_path, "a.csv", "1\n2\n", header=("id", "t")) == ([], [(1, "1"), (2, "2")])


def test_names_in_the_mapping_make_line_1_a_row(tmp_path):
    content = '1,a\n1,2,3\n2,"x\ny"\n4\n\n3,c\n5\n'
    rows, broken = rows_of(tmp_path, "a.csv", content, header=("id", "t"))
    assert rows == [(1, "1", "a"), (3, "2", "x\ny"), (7, "3", "c")]
    assert broken == [(2, "1,2,3"), (5, "4"), (8, "5")]
    rows, broken = rows_of(tmp_path, "a.csv", "too,many,cells\n1,a\n", header=("id", "t"))
    assert (rows, broken) == ([(2, "1", "a")], [(1, "too,many,cells")])


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.tsv", b"007\t\xc3\xa9\n8\tb\n", {}),
        ("u.data", b"007\t\xc3\xa9\r\n8\tb\r\n", {"format": "tsv"}),
        ("a.csv", b"\xef\xbb\xbf007,\xc3\xa9\r\n8,b\r\n", {}),
        ("a.csv", b"\xef\xbb\xbf007,\xc3\xa9\n8,b", {"encoding": "utf-8-sig"}),
        ("a.csv", b"007|\xe9\n8|b\n", {"encoding": "latin-1", "delimiter": "|"}),
        ("a.csv", "007,\xe9\n8,b\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("a.csv.gz", gzip.compress(b'"007",\xc3\xa9\n8,b\n'), {}),
    ],
    ids=["tsv", "crlf", "bom", "utf-8-sig", "latin-1", "utf-16", "gz"],
)
def test_a_file_without_a_header_is_read_as_others_are(tmp_path, name, content, options):
    rows, broken = rows_of(tmp_path, name, content, header=("id", "t"), **options)
    assert (rows, broken) == ([(1, "007", "\xe9"), (2, "8", "b")], [])


def test_names_in_the_mapping_over_many_batches(tmp_path):
    lines = [f"{i},{'x' * 2000}" for i in range(20_000)]
    lines[::1000] = [f"{i},too,many" for i in range(0, 20_000, 1000)]
    rows, broken = rows_of(tmp_path, "a.csv", "\n".join(lines), header=("id", "t"))
    assert [line for line, *_ in rows] == [i + 1 for i in range(20_000) if i % 1000]
    assert broken == [(i + 1, f"{i},too,many") for i in range(0, 20_000, 1000)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_names_in_the_mapping_are_for_csv_and_tsv(tmp_path, name):
    assert refused(tmp_path, name, "x", header=("id", "t")) == (
        f"{name} is {name[2:]}, whose columns have names of their own.\n"
        "  Take `header:` out of the mapping: it is for CSV and TSV."
    )


@pytest.mark.parametrize(("suffix", "codec"), [("gz", "gzip"), ("zst", "zstd")])
def test_compressed_files_are_read_by_suffix(tmp_path, suffix, codec):
    def compressed(content):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    assert rows_of(tmp_path, f"a.csv.{suffix}", compressed(b"id,t\n1,a\n"))[0] == [(2, "1", "a")]
    assert rows_of(tmp_path, f"a.jsonl.{suffix}", compressed(b'{"id": 1}\n'))[0] == [(1, "1")]


def test_rows_with_other_columns_say_how_many(tmp_path):
    for content, remedy in (
        ("id,t\n1,a\n1,2,3\n4\n", "The first has 3 cells for 2 columns: check `delimiter:` and `quote:`,"),
        ("id,t\n4\n1,2,3\n", "The first has 1 cell for 2 columns: "),
    ):
        (tmp_path / "films.csv").write_text(content)
        (tmp_path / "kgrec.yaml").write_text(
            "version: 1\nnodes: {f: {item: true, file: films.csv, key: id, columns: {t: label}}}\n"
        )
        with pytest.raises(TooManyBadRows) as caught:
            build_graph(tmp_path / "kgrec.yaml")
        assert caught.value.remedy.startswith(remedy)


def test_parquet_that_is_compressed_as_a_whole_says_so(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "b.parquet")
    message = refused(tmp_path, "a.parquet.gz", gzip.compress((tmp_path / "b.parquet").read_bytes()))
    assert message == (
        "a.parquet.gz is compressed as a whole.\n  Unpack it: Parquet is compressed within the file."
    )


@pytest.mark.parametrize("shift", range(4))
def test_no_read_ends_within_a_character(tmp_path, shift):
    content = "id,t\n" + "x" * shift + ",\U0001f600\n" + ("1," + "\U0001f600" * 50 + "\n") * 30_000
    rows, _ = rows_of(tmp_path, "a.csv", content)
    assert len(rows) == 30_001 and {row[2] for row in rows[1:]} == {"\U0001f600" * 50}
    content = json.dumps({"id": 1, "t": "\U0001f600" * 50}, ensure_ascii=False) + "\n"
    rows, _ = rows_of(tmp_path, "a.jsonl", " " * shift + content * 30_000)
    assert len(rows) == 30_000 and {row[2] for row in rows} == {"\U0001f600" * 50}


def test_tsv_quotes_and_encoding_can_be_set(tmp_path):
    assert rows_of(tmp_path, "a.tsv", 'id\tt\n1\t"a" b\n', quote="")[0] == [(2, "1", '"a" b')]
    assert rows_of(tmp_path, "a.csv", "id;t\n1;é\n".encode("latin-1"), encoding="latin-1", delimiter=";")[
        0
    ] == [(2, "1", "é")]
    assert rows_of(tmp_path, "b.csv", "id,t\n1,é\n".encode("utf-16"), encoding="utf-16")[0] == [(2, "1", "é")]


def test_jsonl_keeps_digits_and_turns_the_rest_to_text(tmp_path):
    content = '{"id": "007", "n": 1.50, "l": ["a", "b"], "b": true}\n\n{"id": 8, "n": null}\nnot json\n[1]\n'
    rows, broken = rows_of(tmp_path, "a.jsonl", content)
    assert rows == [(1, "007", "1.50", '["a", "b"]', "true"), (3, "8", "", "", "")]
    assert broken == [(4, "not json"), (5, "[1]")]


def test_half_of_a_surrogate_pair_is_replaced_in_json(tmp_path):
    content = r"""{"id": "a\ud800", "t": "\uD83D\uDE00", "\udfff": 1}
{"id": "\\ud800", "t": ["\ud83d"]}
"""
    rows, _ = rows_of(tmp_path, "a.jsonl", content)
    assert rows == [(1, "a\ufffd", "\U0001f600", "1"), (2, "\\ud800", '["\ufffd"]', "")]
    assert cells.split(pa.array([r'["\ud800"]']), None)[1].to_pylist() == ["\ufffd"]


def test_text_in_parquet_that_is_not_utf_8_is_refused(tmp_path):
    pq.write_table(pa.table({"t": pa.array([b"\xff", b"a"]).view(pa.string())}), tmp_path / "t.parquet")
    opened = open_table(Source(tmp_path / "t.parquet", "t.parquet"), TableFormat(file=("t.parquet",)))
    with pytest.raises(SourceError, match=r"t.parquet: 't' has text that is not UTF-8"):
        list(opened.read(["t"]))


def test_parquet_types_become_text(tmp_path):
    table = pa.table(
        {
            "id": pa.array([1, None], pa.int64()),
            "f": [1.0, float("nan")],
            "g": [0.5, 2.0],
            "l": [["a", "b"], None],
            "d": pa.array(["x", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    opened = open_table(Source(tmp_path / "t.parquet", "t.parquet"), TableFormat(file=("t.parquet",)))
    (batch,) = opened.read(opened.columns)
    assert {name: column.to_pylist() for name, column in batch.columns.items()} == {
        "id": ["1", ""],
        "f": ["1", ""],
        "g": ["0.5", "2"],
        "l": [["a", "b"], None],
        "d": ["x", ""],
    }


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_frames_of_three_libraries_are_one(make):
    table = frame_table(make({"id": [1, 2], "t": ["a", None]}), "movie")
    (batch,) = table.read(["id", "t"])
    assert [column.to_pylist() for column in batch.columns.values()] == [["1", "2"], ["a", ""]]


def test_whole_numbers_have_no_fraction_and_no_exponent_however_large():
    table = frame_table({"id": [1.0, 1e15, 2.5, 0.00001, None]}, "movie")
    (batch,) = table.read(["id"])
    assert batch.columns["id"].to_pylist() == ["1", "1000000000000000", "2.5", "0.00001", ""]


def test_what_is_no_frame_is_refused():
    with pytest.raises(SourceError, match=r"movie is \['a'\], not a frame"):
        frame_table(["a"], "movie")


@pytest.mark.parametrize(
    ("name", "content", "problem", "remedy"),
    [
        ("a.csv", b"", "a.csv is empty.", "Write a header and rows, or take the file out of the mapping."),
        (
            "a.csv",
            b"id,t\xe9\n1,a\n2,b\n",
            "a.csv:1: not encoded in utf-8.",
            "Give `encoding:` beside `file:` in the mapping, such as latin-1 or utf-16, or save the file as UTF-8.",
        ),
        (
            "a.csv",
            b"id,id\n1,2\n",
            "a.csv has the column 'id' twice.",
            "Rename one of the two in its header.",
        ),
        (
            "a.csv",
            b'id,t\n1,a\n2,"b\n3,c\n',
            "a.csv:3: a quote opens a cell here and is never closed.",
            'Close it, or give `quote: ""` beside `file:` if the file does not enclose cells in quotes.',
        ),
        (
            "a.xls",
            b"x",
            "a.xls: the suffix does not show the format.",
            "Name it .csv, .tsv, .json, .jsonl or .parquet, or give `format:` beside `file:` in the mapping.",
        ),
        ("a.jsonl", b"x\n", "a.jsonl has no JSON object in its first lines.", "Write one object per line."),
    ],
)
def test_unreadable_files_say_why(tmp_path, name, content, problem, remedy):
    assert refused(tmp_path, name, content) == f"{problem}\n  {remedy}"


def test_characters_of_many_bytes_may_stand_across_two_reads(tmp_path):
    cell = "\u00e9\u20ac\U0001f600" * 1000
    rows, broken = rows_of(tmp_path, "a.csv", "id,t\n" + f"x,{cell}\n" * 2000)
    assert len(rows) == 2000 and {row[2] for row in rows} == {cell} and not broken


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet"])
def test_damaged_files_are_source_errors(tmp_path, name):
    content = gzip.compress(b"id,t\n" + b"1,a\n" * 1000)[:40] if name.endswith("gz") else b"PAR1 but no more"
    assert "cannot be read" in refused(tmp_path, name, content)


def test_parquet_of_lists_of_lists_is_refused(tmp_path):
    pq.write_table(pa.table({"id": [[[1]]]}), tmp_path / "b.parquet")
    message = refused(tmp_path, "a.parquet", (tmp_path / "b.parquet").read_bytes())
    assert (
        "a.parquet: 'id' is of type " in message
        and "\n  Give the column the role ignore, or write it as text." in message
    )


def test_structs_and_maps_are_json(tmp_path):
    map_type = pa.map_(pa.string(), pa.list_(pa.struct({"n": pa.int8()})))
    table = pa.table(
        {
            "s": [{"a": "\u00e9", "b": [1, None]}, None],
            "l": [[{"x": 1}, {"x": None}], []],
            "m": pa.array([[("en", [{"n": 1}]), ("de", None)], None], map_type),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    opened = open_table(Source(tmp_path / "t.parquet", "t.parquet"), TableFormat(file=("t.parquet",)))
    (batch,) = opened.read(opened.columns)
    assert {name: column.to_pylist() for name, column in batch.columns.items()} == {
        "s": ['{"a": "\u00e9", "b": [1, null]}', ""],
        "l": ['[{"x": 1}, {"x": null}]', "[]"],
        "m": ['{"en": [{"n": 1}], "de": null}', ""],
    }


def test_parquet_with_text_that_is_no_utf_8_is_refused(tmp_path):
    pq.write_table(pa.table({"id": ["a", "2e3"]}), tmp_path / "b.parquet")
    broken = (tmp_path / "b.parquet").read_bytes().replace(b"2e3", b"\xffe3")
    assert "a.parquet: 'id' has text that is not UTF-8." in refused(tmp_path, "a.parquet", broken)


@pytest.mark.parametrize(("name", "encoding"), [("a.csv", "utf-9"), ("a.jsonl", "utf-9"), ("a.csv", "hex")])
def test_an_encoding_that_does_not_exist_is_refused(tmp_path, name, encoding):
    message = refused(tmp_path, name, "id\n1\n", encoding=encoding)
    assert message.startswith(f"There is no encoding '{encoding}'.")


def test_files_are_found_by_name_and_glob_inside_the_folder(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    found = find_files(tmp_path, ["*.csv", "c.txt"], allow_outside=False)
    assert [source.name for source in found] == ["a.csv", "b.csv", "c.txt"]
    with pytest.raises(SourceError, match=r"a.cvs does not exist.\n.*Did you mean 'a.csv'"):
        find_files(tmp_path, ["a.cvs"], allow_outside=False)


def test_paths_that_leave_the_folder_are_refused_unless_allowed(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text(json.dumps({}))
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    for name in ("../secret.csv", "link.csv", str(tmp_path / "secret.csv"), "../*.csv"):
        with pytest.raises(SourceError, match="is outside the mapping's folder"):
            find_files(inside, [name], allow_outside=False)
        assert len(find_files(inside, [name], allow_outside=True)) == 1


@pytest.mark.parametrize(("separator", "written"), [("\t", r'"\t"'), (";", '";"'), ("|", '"|"')])
def test_a_line_that_another_delimiter_splits_gets_the_remedy(tmp_path, separator, written):
    (tmp_path / "a.csv").write_text(f"id{separator}title\n1{separator}A\n")
    (tmp_path / "kgrec.yaml").write_text(
        "version: 1\nnodes: {film: {item: true, file: a.csv, key: id, columns: {title: label}}}\n"
    )
    with pytest.raises(SourceError) as caught:
        build_graph(tmp_path / "kgrec.yaml")
    assert caught.value.problem == "a.csv has no column 'id'."
    assert f"write `delimiter: {written}` beside `file:`" in caught.value.remedy
