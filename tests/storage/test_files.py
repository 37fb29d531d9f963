"""Files of artefacts: read as they were written, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file

from kgrec.errors import CorruptArtifact, KgrecError
from kgrec.storage import files


def test_values_are_read_as_they_were_written(tmp_path: Path):
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    files.write_table(table, tmp_path / "t")
    files.write_array(array, tmp_path / "a.npy")
    files.write_json({"é": [1, None]}, tmp_path / "j")
    assert files.read_table(tmp_path / "t").equals(table)
    assert np.array_equal(files.map_array(tmp_path / "a.npy", (None, 3)), array)
    assert files.read_json(tmp_path / "j") == {"é": [1, None]}
    for shape in ((3, 2), (None,), (None, None, None)):
        with pytest.raises(CorruptArtifact, match="has shape"):
            files.map_array(tmp_path / "a.npy", shape)


def test_a_file_of_another_format_is_refused(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"neither")
    for read in (
        files.read_table,
        files.read_json,
        lambda path: files.map_array(path, (None,)),
    ):
        with pytest.raises(CorruptArtifact) as raised:
            read(tmp_path / "f")
        assert raised.value.problem.startswith(f"{tmp_path / 'f'} is not ")


def test_tensors_are_mapped_as_they_were_written(tmp_path: Path):
    path = tmp_path / "t.safetensors"
    arrays = {
        "a": np.arange(6, dtype=np.float16).reshape(2, 3),
        "b": np.array([1.5], np.float32),
        "c": np.array([[1], [2]], np.int64),
        "d": np.zeros((3, 0), np.float32),
        "e": np.array([-7], np.int32),
    }
    files.write_tensors(arrays, path)
    mapped, read = files.map_tensors(path), load_file(path)
    assert mapped.keys() == read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert mapped[name].dtype == read[name].dtype == array.dtype
        np.testing.assert_array_equal(mapped[name], array)
        assert not mapped[name].flags.writeable or not array.size


def test_tensors_have_the_permissions_of_other_files(tmp_path: Path):
    """A server that runs as another user than the training has to read them."""
    other, path = tmp_path / "other", tmp_path / "arrays.safetensors"
    other.touch()
    files.write_tensors({"a": np.zeros(3)}, path)
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\xff" * 16,
        (7).to_bytes(8, "little") + b'["a",1]' + bytes(8),
        (62).to_bytes(8, "little") + b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}',
        (61).to_bytes(8, "little")
        + b'{"a": {"dtype": "F8", "shape": [9], "data_offsets": [0, 36]}}'
        + bytes(36),
    ],
    ids=["empty", "no header", "a header beyond the end", "no names", "too short", "another type"],
)
def test_a_broken_safetensors_file_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(CorruptArtifact) as raised:
        files.map_tensors(tmp_path / "t")
    assert raised.value.problem.startswith(f"{tmp_path / 't'} is not a safetensors file")


def test_an_array_of_objects_runs_no_code(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(KgrecError, match="is not an npy file"):
        files.map_array(tmp_path / "a.npy", (None,))
