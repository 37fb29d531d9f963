"""Encodings with bytes that do not fit, line ends, and marks of byte order."""

from __future__ import annotations

import pytest

from kgrec.errors import SourceError, TooManyBadRows
from kgrec.graph.build import build_graph
from kgrec.ingest.sources import Source
from kgrec.ingest.text_stream import TextStream


def text_of(folder, content, encoding="utf-8"):
    (folder / "a.txt").write_bytes(content)
    with TextStream(Source(folder / "a.txt", "a.txt"), encoding, longest=1 << 20) as stream:
        return stream.read().decode(), list(stream.garbled)


@pytest.mark.parametrize(
    ("content", "encoding", "text", "garbled"),
    [
        (b"a\xe9b\nc\xc3\xa9\n", "utf-8", "a\ufffdb\nc\u00e9\n", [1]),
        (b"a\n\xe9\xe8\n\xef\xbf\xbd\n", "utf-8", "a\n\ufffd\ufffd\n\ufffd\n", [2]),
        (b"a\0b\nc", "utf-8", "a\ufffdb\nc", [1]),
        (b"caf\xe9\n\x81\n", "cp1252", "caf\u00e9\n\ufffd\n", [2]),
        ("a\u00e9\nb".encode("utf-16"), "utf-16", "a\u00e9\nb", []),
        ("a\n".encode("utf-16") + b"\x00\xd8\n\0", "utf-16", "a\n\ufffd\n", [2]),
        ("a\u00e9\nb".encode("utf-16-be"), "utf-16-be", "a\u00e9\nb", []),
        ("a\u00e9\r\nb".encode("utf-32"), "utf-32", "a\u00e9\r\nb", []),
        ("\u65e5\u672c\n".encode("shift_jis") + b"\x81\n", "shift_jis", "\u65e5\u672c\n\ufffd\n", [2]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\nc\xef\xbb\xbf\n", "utf-8-sig", "a\nb\nc\ufeff\n", []),
        (b"a\rb\rc", "utf-8", "a\nb\nc", []),
        (b"a\r\nb\rc\r\r\n", "utf-8", "a\r\nb\nc\n\r\n", []),
    ],
)
def test_any_encoding_becomes_utf_8(tmp_path, content, encoding, text, garbled):
    assert text_of(tmp_path, content, encoding) == (text, garbled)


def test_utf_16_without_a_mark_says_so(tmp_path):
    with pytest.raises(SourceError, match=r"a.txt:1: not encoded in utf-16\."):
        text_of(tmp_path, b"ab\n", "utf-16")


def test_a_line_without_end_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"a.txt:2: the line has more than 1 MB"):
        text_of(tmp_path, b"a\n" + b"b" * (3 << 20))


def test_lines_that_do_not_decode_are_found_in_every_piece(tmp_path):
    lines = [b"%d,text \xc3\xa9" % i for i in range(300_000)]
    bad = [0, 77_777, 150_000, 299_999]
    for number in bad:
        lines[number] = b"\xff"
    text, garbled = text_of(tmp_path, b"\n".join(lines))
    assert garbled == [number + 1 for number in bad]
    assert text.count("\ufffd") == 4 and text.count("\n") == 299_999


MAPPING = """version: 1
nodes: {item: {item: true, file: items.csv, key: id, columns: {title: label, year: number, "*": ignore}}}
edges: {likes: {file: edges.csv, from: {person: who}, to: {item: what}}}
interactions: {file: log.csv, user: user, item: item}
errors: {stop_above: SHARE}
"""


def built(folder, share):
    (folder / "items.csv").write_bytes(
        b"id,title,year,notes\n1,Cr\xc3\xa8me \xe6\x97\xa5,1999,\n2,Caf\xe9,2000,\n3\xe9,x,2001,\n4,z,1\xff,\n5,y,2002,\xfe\n6,\xef\xbf\xbd,,\n"
    )
    (folder / "edges.csv").write_bytes(b"who,what\nann,1\nb\xe9,2\n")
    (folder / "log.csv").write_bytes(b"user,item\nann,1\nb\xe9,2\nann,2\n")
    (folder / "kgrec.yaml").write_text(MAPPING.replace("SHARE", share))
    return build_graph(folder / "kgrec.yaml")


def test_rows_with_such_bytes_are_named_and_counted(tmp_path):
    graph = built(tmp_path, "1")
    labels = {row["key"]: row["label"] for row in graph.entities.to_pylist() if row["type"] == "item"}
    assert labels == {"1": "Cr\u00e8me \u65e5", "2": "Caf\ufffd", "4": "z", "5": "y", "6": "\ufffd"}
    items = graph.report.files["items.csv"]
    key = "has a key with bytes that are not in the file's encoding"
    assert (items.rows, items.used, items.bad) == (6, 5, 3)
    assert items.dropped[key].first == ["items.csv:4"]
    assert items.failed["title"].first == ['items.csv:3: "Caf\ufffd"']
    assert items.failed["year"].first == ['items.csv:5: "1\ufffd"']
    assert graph.report.files["edges.csv"].dropped[key].first == ["edges.csv:3"]
    assert graph.report.files["log.csv"].dropped[key].first == ["log.csv:3"]
    assert len(graph.interactions) == 2


def test_too_many_such_rows_stop_the_build_and_name_the_encoding(tmp_path):
    with pytest.raises(TooManyBadRows) as caught:
        built(tmp_path, "0.4")
    assert caught.value.problem.startswith("items.csv: 3 of 6 rows are bad; 1 of them: ")
    assert "give the file's `encoding:`, such as latin-1" in caught.value.remedy
