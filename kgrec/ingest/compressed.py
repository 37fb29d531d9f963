"""Files as streams of bytes, decompressed.

Enters: a path. Leaves: a stream. Compression is detected from the first bytes, because browsers unpack files and keep the
name; a .zip file must contain exactly one file. Faults are `OSError`s in words for the user, and the output is bounded.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgrec.errors import SourceError

#: suffixes of compressed files
COMPRESSION = (".gz", ".zst", ".bz2", ".xz", ".zip")
_MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
}
_BZ2, _ZIP = b"1AY&SY", (b"PK\x03\x04", b"PK\x05\x06")
#: largest size that a file may expand to, in bytes, and as a multiple of its own size
_EXPANDED_BYTES, _EXPANSION = 1 << 30, 1000
_XZ_MEMORY = 256 << 20
_PIECE = 1 << 16
_DAMAGED = (lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError, EOFError, pa.ArrowException)


def open_bytes(path: Path) -> Any:
    """A stream of the file's bytes, decompressed.

    Raises:
        SourceError: It is a .zip file that does not contain exactly one file, or is not a valid .zip file.
        OSError: The file cannot be opened; reading raises it too if the file is damaged.
    """
    kind = compression_of(path)
    if not kind:
        return pa.input_stream(str(path), compression=None)
    try:
        return io.BufferedReader(_Expanded(_decompressor(path, kind), kind, path.stat().st_size), _PIECE)
    except _DAMAGED:
        raise OSError(f"its {kind} data are damaged or cut short") from None


def inner_name(path: Path) -> str:
    """Name of the file in a .zip file; for another file, its own name without the suffix of compression.

    Raises:
        SourceError: The .zip file does not contain exactly one file.
    """
    if path.suffix.lower() != ".zip":
        return path.stem if path.suffix.lower() in COMPRESSION else path.name
    if not path.is_file() or compression_of(path) != "zip":
        return path.stem
    return Path(_member(path).filename).name


def compression_of(path: Path) -> str:
    """The kind of compression by the first bytes, and for .zip files also by the name; "" if there is none."""
    with path.open("rb") as stream:
        head = stream.read(10)
    if path.suffix.lower() == ".zip":
        return "zip" if head.startswith(_ZIP) else ""
    if head.startswith(b"BZh") and head[4:] == _BZ2:
        return "bz2"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")


def _decompressor(path: Path, kind: str) -> Any:
    if kind == "zip":
        return _opened_member(path)
    return _Xz(path) if kind == "xz" else pa.input_stream(str(path), compression=kind)


def _member(path: Path) -> zipfile.ZipInfo:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [entry for entry in archive.infolist() if not _is_noise(entry)]
    except _DAMAGED:
        raise SourceError(f"{path.name} is a damaged .zip file.", "Copy or download it again.") from None
    if len(files) == 1:
        return files[0]
    names = [entry.filename for entry in files]
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise SourceError(
        f"{path.name} holds {len(files):,} files{': ' if files else ''}{listed}.",
        "Unpack it, and name the files that you need." if files else "Take it out of the mapping.",
    )


def _is_noise(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a folder, or a file that macOS adds."""
    name = entry.filename
    return entry.is_dir() or name.startswith("__MACOSX/") or name.endswith(".DS_Store")


def _opened_member(path: Path) -> Any:
    member = _member(path)
    if member.flag_bits & 1:
        raise SourceError(f"{path.name} is encrypted.", "Unpack it with its password, and name the file.")
    with zipfile.ZipFile(path) as archive:
        # the member keeps the archive's file open
        return archive.open(member)


class _Xz:
    """Reads .xz files, also with several streams, in bounded memory: their headers may ask for four gigabytes."""

    def __init__(self, path: Path) -> None:
        self.stream = path.open("rb")
        self.decoder = self._new()
        self.is_whole = False

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            if self.decoder.eof:
                rest = self.decoder.unused_data.lstrip(b"\0") or self.stream.read(_PIECE).lstrip(b"\0")
                if not rest:
                    return b""
                self.decoder, data = self._new(), rest
            elif self.decoder.needs_input:
                data = self.stream.read(_PIECE)
                if not data:
                    raise EOFError
            else:
                data = b""
            if found := self.decoder.decompress(data, size):
                return found

    def close(self) -> None:
        self.stream.close()


class _Expanded(io.RawIOBase):
    """A decompressed stream that raises `OSError` if the data are damaged or expand too far."""

    def __init__(self, stream: Any, kind: str, size: int) -> None:
        self.stream, self.kind, self.left = stream, kind, max(_EXPANDED_BYTES, _EXPANSION * size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes.

        Raises:
            OSError: The data are damaged, or expand too far.
        """
        try:
            data = self.stream.read(len(buffer))
        except (*_DAMAGED, OSError, ValueError):
            raise OSError(f"its {self.kind} data are damaged or cut short") from None
        self.left -= len(data)
        if self.left < 0:
            raise OSError(f"it expands more than {_EXPANSION:,}-fold")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()
