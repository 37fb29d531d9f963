"""Files of artefacts: JSON, Parquet, npy and safetensors.

Enters: plain values, Arrow tables, arrays. Leaves: one file each, and the same values when the file is read. Reading a file never
runs code from it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgrec.errors import CorruptArtifact

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: array types that kgrec maps: name in safetensors -> name in numpy
_TENSOR_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}


def corrupt(path: Path, problem: str) -> CorruptArtifact:
    """The error for a damaged file; `problem` completes the sentence that starts with the path."""
    return CorruptArtifact(f"{path} {problem}.", "Make the folder again, or restore it from a copy.")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(value: object, path: Path) -> None:
    """Write `value` as indented JSON with a final newline."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CorruptArtifact: The file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise corrupt(path, f"is not JSON ({error})") from None


def write_table(table: pa.Table, path: Path) -> None:
    """Write an Arrow table as Parquet; equal tables give equal bytes."""
    import pyarrow.parquet as pq

    # each row group repeats the dictionaries, so few large groups take less space
    pq.write_table(table, path, compression="zstd", row_group_size=1 << 24)


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file as an Arrow table.

    Raises:
        CorruptArtifact: The file is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # `pq.read_table` imports the reader of partitioned datasets, and that import takes as long as reading this file
        with pq.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise corrupt(path, f"is not a Parquet file ({error})") from None


def write_array(array: np.ndarray, path: Path) -> None:
    """Write an array as npy."""
    import numpy as np

    np.save(path, array, allow_pickle=False)


def map_array(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """Map an npy file into memory, read-only: pages are read when they are first used.

    The array stays valid when the file is renamed or deleted, which happens when its folder is replaced.

    Args:
        path: The file.
        shape: Expected shape; None: any length.

    Raises:
        CorruptArtifact: The file is not npy, or its array has another shape.
    """
    import numpy as np

    try:
        array: np.ndarray = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise corrupt(path, f"is not an npy file ({error})") from None
    if len(array.shape) != len(shape) or any(
        want not in (None, have) for have, want in zip(array.shape, shape, strict=True)
    ):
        raise corrupt(path, f"has shape {array.shape} where {shape} was expected")
    return array


def write_tensors(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write named arrays as safetensors.

    Raises:
        OSError: The file cannot be written.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # safetensors gives read permission to the owner only: set the permissions of any new file
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
        path.chmod(mode)
    except SafetensorError as error:
        raise OSError(str(error)) from None


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """Map a safetensors file into memory, as `map_array` does, and return its arrays by name.

    The safetensors library would copy the data. The format is documented at https://huggingface.co/docs/safetensors.

    Raises:
        CorruptArtifact: The file is not safetensors.
    """
    try:
        with path.open("rb") as stream:
            # eight bytes give the length of the header; the arrays follow the header
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(size, path.stat().st_size)))
        header.pop("__metadata__", None)
        return {name: _mapped_tensor(path, 8 + size, **entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise corrupt(path, f"is not a safetensors file ({error})") from None


def _mapped_tensor(
    path: Path, start: int, dtype: str, shape: list[int], data_offsets: list[int]
) -> np.ndarray:
    import numpy as np

    kind, (begin, end) = np.dtype(_TENSOR_TYPES[dtype]), data_offsets
    if kind.itemsize * math.prod(shape) != end - begin or start + end > path.stat().st_size:
        raise ValueError(f"an array of shape {shape} does not fit")
    # One map per array: scipy would copy a view of a larger array.
    return (
        np.asarray(np.memmap(path, kind, "r", start + begin, tuple(shape)))
        if end > begin
        else np.zeros(shape, kind)
    )
