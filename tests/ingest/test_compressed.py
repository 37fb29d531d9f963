"""Files that are compressed, whatever their names say."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import pyarrow as pa
import pytest

from kgrec.errors import SourceError
from kgrec.graph.build import build_graph
from kgrec.ingest import compressed
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.draft import draft_mapping
from kgrec.ingest.sources import Source

CSV = b"id,title\n" + b"".join(b"%d,Film %d\n" % (i, i) for i in range(3000))
NT = b"<http://e.org/1> <http://e.org/t> <http://e.org/2> .\n"


def zipped(folder, name, files):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, content in files.items():
            archive.writestr(inner, content)


PACKED = {
    ".gz": gzip.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def read(path):
    with open_bytes(path) as stream:
        parts = []
        while data := stream.read(1000):
            parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize("suffix", PACKED)
def test_compressed_files_are_read_also_of_several_parts(tmp_path, suffix):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKED[suffix](CSV) + PACKED[suffix](CSV))
    assert read(path) == CSV + CSV
    assert Source(path, path.name).suffix == ".csv"


@pytest.mark.parametrize("suffix", PACKED)
def test_the_first_bytes_decide_not_the_name(tmp_path, suffix):
    packed, plain = tmp_path / "a.csv", tmp_path / f"b.csv{suffix}"
    packed.write_bytes(PACKED[suffix](CSV))
    plain.write_bytes(CSV)
    assert read(packed) == read(plain) == CSV


@pytest.mark.parametrize(
    ("suffix", "is_cut"), [*((s, True) for s in PACKED), (".gz", False), (".bz2", False), (".xz", False)]
)
def test_damaged_files_say_so(tmp_path, suffix, is_cut):
    path, content = tmp_path / f"a.csv{suffix}", PACKED[suffix](CSV)
    path.write_bytes(content[: len(content) // 2] if is_cut else content[:50] + b"\0\xff\0" + content[53:])
    with pytest.raises(OSError, match=r"^its (gzip|zstd|bz2|xz) data are damaged or cut short$"):
        read(path)


def test_a_zip_file_with_one_file_is_that_file(tmp_path):
    files = {"data/": b"", "data/films.csv": CSV, "__MACOSX/data/._films.csv": b"x", "data/.DS_Store": b"x"}
    zipped(tmp_path, "films.zip", files)
    path = tmp_path / "films.zip"
    assert read(path) == CSV
    assert Source(path, "films.zip").suffix == ".csv"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": b"x", "b.csv": b"y"}, "a.zip holds 2 files: a.csv, b.csv.\n  Unpack it, and name"),
        ({}, "a.zip holds 0 files.\n  Take it out"),
    ],
)
def test_a_zip_file_of_several_files_names_them(tmp_path, files, message):
    zipped(tmp_path, "a.zip", files)
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "a.zip")
    assert str(caught.value).startswith(message)


def test_output_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "_EXPANDED_BYTES", 1 << 20)
    for suffix in (".xz", ".bz2"):
        path = tmp_path / f"a.csv{suffix}"
        path.write_bytes(PACKED[suffix](bytes(20 << 20)))
        with pytest.raises(OSError, match="it expands more than 1,000-fold"):
            read(path)


def test_an_xz_file_that_asks_for_much_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(CSV))
    monkeypatch.setattr(compressed, "_XZ_MEMORY", 1 << 20)
    with pytest.raises(OSError, match="its xz data are damaged"):
        read(tmp_path / "a.csv.xz")


@pytest.mark.parametrize("suffix", [*PACKED, ".zip"])
def test_tables_and_rdf_are_built_from_compressed_files(tmp_path, suffix):
    for name, content in (("films.csv", CSV), ("more.nt", NT)):
        if suffix == ".zip":
            zipped(tmp_path, f"{name}.zip", {name: content})
        else:
            (tmp_path / f"{name}{suffix}").write_bytes(PACKED[suffix](content))
    (tmp_path / "kgrec.yaml").write_text(
        f"""version: 1
nodes: {{film: {{item: true, file: films.csv{suffix}, key: id, columns: {{title: label}}}}}}
rdf: [{{file: more.nt{suffix}, predicates: {{"*": ref}}}}]
"""
    )
    graph = build_graph(tmp_path / "kgrec.yaml")
    assert graph.stats()["nodes"] == {"film": 3000, "resource": 2}
    draft = draft_mapping([tmp_path / f"films.csv{suffix}", tmp_path / f"more.nt{suffix}"])
    assert "title: label" in draft.yaml and f"file: more.nt{suffix}" in draft.yaml.replace('"', "")
