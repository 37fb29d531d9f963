"""How files are to be read, by their first lines."""

from __future__ import annotations

import gzip

import pytest

from kgrec.errors import SourceError
from kgrec.ingest.draft.sniff import head_of, sniff
from kgrec.ingest.sources import Source


def sniffed(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return sniff(Source(path, name), head_of(Source(path, name)))


def options(folder, name, content):
    return sniffed(folder, name, content).options


def numbered(n):
    return [f"column_{i}" for i in range(1, n + 1)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "id,title\n1,One\n2,Two\n", {}),
        ("a.tsv", "id\ttitle\n1\tOne\n2\tTwo\n", {}),
        ("a.csv", "id;title;price\n1;One, two;2,50\n2;Two;3,75\n", {"delimiter": ";"}),
        ("a.csv", "id|genres;x\n1|a,b\n2|c\n", {"delimiter": "|"}),
        ("a.csv", "id\ttitle\n1\tOne\n", {"delimiter": "\t"}),
        ("a.tsv", "id,title\n1,One\n", {"delimiter": ","}),
        ("a.csv", "id,genres\n1,Drama|War\n2,War|Art\n", {}),
        ("a.csv", 'id,title\n1,"One; two; three"\n2,"Two, too"\n', {}),
        ("a.csv", "id\n1\n2\n", {}),
        ("a.dat", "id\ttitle\n1\tOne\n", {"format": "tsv"}),
        ("a.txt", "id;title\n1;One\n", {"format": "csv", "delimiter": ";"}),
        ("a", "id,title\n1,One\n", {"format": "csv"}),
        ("a.list", "id\na\nb\n", {"format": "csv"}),
        ("a.json", '{"id": 1}\n{"id": 2}\n', {}),
        ("a.json", '[{"id": 1},\n{"id": 2}]\n', {}),
        ("a.txt", '{"id": 1}\n{"id": 2}\n', {"format": "jsonl"}),
        ("a.txt", "{'id': 1}\n{'id': 2}\n", {"format": "jsonl"}),
        ("a.jsonl", '[{"id": 1},\n{"id": 2}]\n', {"format": "json"}),
        ("a.jsonl", '{\n"id": 1\n}\n{\n"id": 2}\n', {"format": "json"}),
        ("a.txt", '[\n{"id": 1}]', {"format": "json"}),
        ("a.jsonl", "{'id': 1, 'ok': True}\n{'id': 2, 'ok': None}\n", {}),
        ("a.jsonl", '{"id": 1}\nno object\n{"id": 2}\n', {}),
    ],
)
def test_formats_and_delimiters(tmp_path, name, content, expected):
    assert options(tmp_path, name, content) == expected


def test_decimal_commas_split_less_well_than_semicolons(tmp_path):
    assert options(tmp_path, "a.csv", "1;3,5\n2;4,5\n") == {"delimiter": ";", "header": numbered(2)}
    assert options(tmp_path, "a.csv", "a;2,5;3,5\nb;1,5;4,5\n")["delimiter"] == ";"


def test_lists_of_edges_are_split_at_spaces(tmp_path):
    content = "u1 i1 5\nu2 i2 4\nu1 i2 3\n"
    assert options(tmp_path, "a.txt", content) == {"format": "csv", "delimiter": " ", "header": numbered(3)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,title\n1,é\n".encode(), {}),
        (b"\xef\xbb\xbf" + "id,title\n1,é\n".encode(), {}),
        ("id,title\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}),
        ("id,title\n1,5 €\n".encode("cp1252"), {"encoding": "cp1252"}),
        (b"id,title\n1,\x81\xe9\n", {"encoding": "latin-1"}),
        ("id,title\n1,é\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("id;title\n1;é\n".encode("latin-1"), {"delimiter": ";", "encoding": "latin-1"}),
        ("id,title\n1,Crème 日本\n2,".encode() + b"Caf\xe9\n", {}),
        ("id,title\n1,Crème 日本\n2,".encode() + b"5\x80\n", {}),
        (b"id,title\n" + b"1,a long title\n" * 20 + b"2,a\0b\n", {}),
        ("id,title\n1,é\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("id,title\n1,é\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
        ("id,title\n1,é\n".encode("utf-32"), {"encoding": "utf-32"}),
    ],
    ids=[
        "utf-8",
        "bom",
        "latin-1",
        "windows",
        "undefined in windows",
        "utf-16",
        "and a delimiter",
        "one stray byte",
        "a stray byte is not windows",
        "stray nul",
        "utf-16 without a mark",
        "big-endian",
        "utf-32",
    ],
)
def test_encodings(tmp_path, content, expected):
    assert options(tmp_path, "a.csv", content) == expected


def test_the_line_that_is_no_utf_8_is_named_and_compressed_files_are_looked_into(tmp_path):
    content = b"id,title\n" + b"1,a long line of plain text\n" * 100_000 + b"2,\xe9\n"
    found = sniffed(tmp_path, "a.csv.gz", gzip.compress(content, 1))
    assert found.reasons == [("encoding", '"latin-1"', "line 100,002 is not UTF-8")]


@pytest.mark.parametrize(
    ("encoding", "titles"),
    [
        ("cp1251", ["Война и мир", "Преступление и наказание"]),
        ("koi8-r", ["Война и мир", "Преступление и наказание"]),
        ("cp1253", ["Ζορμπάς, Έλληνας", "Οδύσσεια"]),
        ("cp1255", ["שלום עולם", "ואלס עם באשיר"]),
        ("cp1256", ["لورنس العرب", "باب الحديد"]),
        ("shift_jis", ["となりのトトロ", "千と千尋の神隠し"]),
        ("euc_jp", ["となりのトトロ", "千と千尋の神隠し"]),
        ("euc_kr", ["기생충", "살인의 추억"]),
        ("gb18030", ["我和我的祖国", "大话西游之月光宝盒", "战狼"]),
        ("big5", ["海角七號", "那些年我們一起追的女孩"]),
        ("latin-1", ["Amélie Poulain", "Gänsehaut für Größen", "Cañón"]),
        ("cp1252", ["Amélie “Poulain”", "Année"]),
    ],
)
def test_encodings_of_other_scripts(tmp_path, encoding, titles):
    rows = "".join(f"{i},{title}\n" for i, title in enumerate(titles))
    assert options(tmp_path, "a.csv", f"id,title\n{rows}".encode(encoding)) == {"encoding": encoding}


def test_a_script_that_is_not_known_is_shouted(tmp_path):
    content = "id,title\n1,ภาพยนตร์ไทย\n".encode("cp874")
    assert "CHECK `encoding:`" in sniffed(tmp_path, "a.csv", content).reasons[0][2]


def test_a_few_bytes_that_are_not_utf_8_are_named_and_the_file_stays_utf_8(tmp_path):
    content = "id,title\n1,Crème 日本\n2,".encode() + b"Caf\xe9\n"
    assert sniffed(tmp_path, "a.csv", content).reasons == [
        (
            "encoding",
            "utf-8",
            "3 of its characters are UTF-8, and 1 are not, first in line 3: such rows are bad, and are counted",
        )
    ]


def test_lines_may_end_with_carriage_returns(tmp_path):
    assert options(tmp_path, "a.txt", 'id;title\r1;"One"\r2;Two\r') == {"format": "csv", "delimiter": ";"}


@pytest.mark.parametrize(
    ("cells", "quote"),
    [
        (["'Alpha, film'", "'Beta, film'"], "'"),
        (["'Alpha''s, film'", "'Beta'"], "'"),
        (["'Tis a film", "'n' more"], None),
        (["'Alpha'", "Beta"], None),
        (["['a'; 'b']", "['c']"], None),
    ],
)
def test_single_quotes(tmp_path, cells, quote):
    content = "id,title\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    assert options(tmp_path, "a.csv", content) == ({"quote": quote} if quote else {})


@pytest.mark.parametrize(
    ("cells", "escape"),
    [
        ([r'"say \"hi\", he said"', '"x"'], "\\"),
        ([r'"\"One\", two"', r'"\"Three\""', r'"a \"b\""'], "\\"),
        ([r'"C:\"', r'"D:\dir\"', '"x"'], ""),
        ([r"5\" pipe", "x"], ""),
        (['"a ""b"" c"', '"x"'], ""),
        ([r'"a \""b\"" c"', '"x"'], ""),
    ],
)
def test_escapes_before_quotes(tmp_path, cells, escape):
    content = "id,title,n\n" + "".join(f"{i},{cell},3\n" for i, cell in enumerate(cells))
    assert options(tmp_path, "a.csv", content) == ({"escape": escape} if escape else {})


@pytest.mark.parametrize(
    ("cells", "quoted"),
    [
        (['"Great" Expectations', "plain", '"5'], False),
        (['"a "b"', "plain"], False),
        (['"a ""b"" c"', "plain", '"x\ty"'], True),
        (['5" pipe', "plain"], True),
        (['"two\nlines"', '"a"'], True),
    ],
)
def test_quotes_that_mean_nothing(tmp_path, cells, quoted):
    content = "id\ttitle\r\n" + "".join(f"{i}\t{cell}\r\n" for i, cell in enumerate(cells))
    assert options(tmp_path, "a.tsv", content) == ({} if quoted else {"quote": ""})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "'196' is a number, as are those below it"),
        ("One\t1995\nTwo\t1996\n", "'1995' is a number, as are those below it"),
        ("ann\t01-Jan-1995\nbob\t4-Feb-1971\n", "'01-Jan-1995' is a date, as are those below it"),
        (
            "One\thttp://ex.org/1\nTwo\thttp://ex.org/2\n",
            "'http://ex.org/1' is an address, as are those below it",
        ),
        ("ann\tOne\nbob\tTwo\nann\tTwo\n", "'ann' is repeated in lines below it"),
        ("m-1\tOne\nm-2\tTwo\n", "'m-1' has the form of those below it"),
        ("One\t7\n", "'7' is a number"),
        ("1\t2\t3\n2\t1\t5\n", "'1' is a number, as are those below it"),
        ("1\t2\t3\t881250949\n2\t1\t5\t881250948\n", "'881250949' is a number, as are those below it"),
    ],
)
def test_a_first_line_of_values(tmp_path, content, reason):
    found = sniffed(tmp_path, "a.tsv", content)
    width = content.partition("\n")[0].count("\t") + 1
    assert found.options == {"header": numbered(width)}
    assert found.reasons == [("header", f"{width} columns named here", f"line 1 has values: {reason}")]


@pytest.mark.parametrize(
    "content",
    [
        "id\ttitle\n1\tOne\n",
        "user\titem\nann\tAlien\nbob\tStar\n",
        "uid\tiid\nu1\ti1\nu2\ti2\n",
        "name\tplot\nOne\t" + "long " * 20 + "\nTwo\t" + "words " * 20 + "\n",
        "\ttitle\n0\tOne\n1\tTwo\n",
        "id\t2019\n1\tOne\n2\tTwo\n",
        "one\ttwo\nthree\tfour\n",
        "\t0\t1\t2\n0\t0.5\t0.25\t1\n1\t0\t1\t2\n",
        "country\t2019\t2020\t2021\nNorway\t1\t2\t3\nPeru\t4\t5\t6\n",
        "id\ttitle\n",
    ],
)
def test_a_first_line_of_names(tmp_path, content):
    assert options(tmp_path, "a.tsv", content) == {}


@pytest.mark.parametrize(
    ("name", "content", "problem", "remedy"),
    [
        (
            "ratings.dat",
            "1::1193::5::978300760\n1::661::3::978302109\n",
            "ratings.dat:1: columns are separated by '::', but a delimiter is one character.",
            "kgrec import FOLDER reads datasets such as MovieLens; otherwise replace '::' with tabs.",
        ),
        (
            "movies.dat",
            "1::One (1995)::Drama|War\n2::Two, too (1995)::War|Art\n",
            "movies.dat:1: columns are separated by '::', but a delimiter is one character.",
            "kgrec import FOLDER reads datasets such as MovieLens; otherwise replace '::' with tabs.",
        ),
        (
            "train.txt",
            "0 1 2 3\n1 4 5\n2 6\n",
            "train.txt: no delimiter splits its lines evenly into columns.",
            "Write it as CSV; kgrec import FOLDER reads datasets in a published format.",
        ),
        (
            "a.json",
            '{"id": 1}\nx\ny\n',
            "a.json does not have one JSON object per line.",
            "Write one object per line; jq -c '.[]' a.json converts an array.",
        ),
        (
            "a.tar",
            b"a.csv" + bytes(252) + b"ustar" + bytes(250),
            "a.tar is a tar archive.",
            "Save it as CSV, TSV, JSON, JSON Lines or Parquet.",
        ),
        (
            "a.xlsx",
            b"PK\x03\x04\x00",
            "a.xlsx is a workbook or another archive.",
            "Save it as CSV, TSV, JSON, JSON Lines or Parquet.",
        ),
        ("a.csv", b"a\x00b", "a.csv is not text.", "Save it as CSV, TSV, JSON, JSON Lines or Parquet."),
        ("a.csv", "\n\n", "a.csv is empty.", "Leave it out, or name the file that has the data."),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(tmp_path, name, content, problem, remedy):
    with pytest.raises(SourceError) as caught:
        sniffed(tmp_path, name, content)
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)
