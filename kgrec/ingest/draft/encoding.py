"""The encoding of a text file, and its first characters.

Enters: a file and its first bytes. Leaves: the name of an encoding, or text.
"""

from __future__ import annotations

import codecs

from kgrec.errors import SourceError
from kgrec.ingest.batches import open_bytes, unreadable, wrong_encoding
from kgrec.ingest.sources import Source

#: bytes that are looked at: of the head, and for one that is no UTF-8
_HEAD, _SEARCHED = 1 << 20, 64 << 20
_PIECE = 1 << 20


def head_of(source: Source) -> bytes:
    """The first bytes of a file, decompressed by suffix.

    Raises:
        SourceError: The file is empty, or cannot be read.
    """
    try:
        with open_bytes(source.path) as stream:
            head: bytes = stream.read(_HEAD)
    except (OSError, ValueError) as error:
        raise unreadable(source, str(error)) from None
    if not head.strip():
        raise SourceError(f"{source.name} is empty.", "Leave it out, or name the file that has the data.")
    return head


def encoding_of(source: Source, head: bytes) -> tuple[str, str]:
    """An encoding that fits the file, and why, which is "" for UTF-8, with a mark or without.

    Raises:
        SourceError: The file cannot be read.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "its first bytes are the mark of UTF-16"
    line = _line_of_no_utf8(source)
    if not line:
        return "utf-8", ""
    # 0x80 to 0x9f are control characters in latin-1, quotes and the sign of the Euro in Windows' code page
    if any(0x80 <= byte <= 0x9F for byte in head) and _decodes(head, "cp1252"):
        return "cp1252", f"line {line:,} is no UTF-8, and has characters of Windows"
    return "latin-1", f"line {line:,} is no UTF-8"


def decoded(source: Source, head: bytes, encoding: str) -> str:
    """The whole lines of the head as text.

    Raises:
        SourceError: It is not in this encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    try:
        text = decoder.decode(head)
    except UnicodeError:
        raise wrong_encoding(source, encoding) from None
    return text[: text.rfind("\n") + 1] or text if len(head) >= _HEAD else text


def _line_of_no_utf8(source: Source) -> int:
    """The first line that is no UTF-8, 0 if there is none in what is looked at."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, done = 1, 0
    try:
        with open_bytes(source.path) as stream:
            while done < _SEARCHED and (piece := stream.read(_PIECE)):
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    return line + error.object[: error.start].count(b"\n")
                line, done = line + piece.count(b"\n"), done + len(piece)
    except (OSError, ValueError) as error:
        raise unreadable(source, str(error)) from None
    return 0


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        head.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
