"""Files of results."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgrec.errors import ArtifactError
from kgrec.serve.result_files import result_file

TABLE = pa.table(
    {
        "id": pa.array(['a "b"', "%s, c", "ü/\u2028\n"], pa.large_string()),
        "score": pa.array([0.1, -1.0, 3e-9], pa.float32()),
        "rank": pa.array([1, 2, 3], pa.int32()),
        "vector": pa.array([[0.5, 1.0], [2.0, -0.25], [0.0, 0.0]], pa.list_(pa.float32(), 2)),
    }
)


def test_lines_equal_those_of_json_dumps(tmp_path: Path):
    with result_file(tmp_path / "x.jsonl", {}) as file:
        file.write(TABLE)
        file.write(TABLE.slice(0, 0))
    expected = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in TABLE.to_pylist())
    assert (tmp_path / "x.jsonl").read_text(encoding="utf-8") == expected


def test_columns_of_distinct_values_have_no_dictionary(tmp_path: Path):
    with result_file(tmp_path / "x.parquet", {"made": "by hand"}) as file:
        file.write(TABLE)
        file.write(TABLE)
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    assert (metadata.num_row_groups, metadata.metadata[b"made"]) == (2, b"by hand")
    columns = [metadata.row_group(0).column(n) for n in range(4)]
    assert [column.has_dictionary_page for column in columns] == [True, False, True, False]
    assert pq.read_table(tmp_path / "x.parquet").equals(pa.concat_tables([TABLE, TABLE]))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_an_error_while_writing_leaves_the_old_file(suffix: str, tmp_path: Path):
    path, table = tmp_path / f"x{suffix}", TABLE.drop(["vector"])
    path.write_text("old")

    def failing() -> None:
        with result_file(path, {}, "Mend it.") as file:
            file.write(table)
            raise OSError(28, "No space left on device")

    with pytest.raises(ArtifactError) as caught:
        failing()
    assert (caught.value.problem, caught.value.remedy) == (
        f"{path} cannot be written (No space left on device).",
        "Mend it.",
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name] and path.read_text() == "old"
