"""A text file as a stream of UTF-8, whatever its encoding, line ends and byte order marks.

Enters: a file and its encoding. Leaves: UTF-8 in whole lines, and the numbers of lines with bytes that are not in the encoding;
U+FFFD replaces such bytes.
"""

from __future__ import annotations

import codecs
import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

import numpy as np

from kgrec.errors import SourceError
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.sources import Source

#: replacement of bytes that cannot be decoded
GARBLED = "\ufffd"
_PIECE = 1 << 20
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_BOM, _NEWLINE = codecs.BOM_UTF8, ord("\n")


class TextStream:
    """The bytes of a text file as UTF-8, for readers that take a file object.

    A single carriage return becomes a line feed. Byte order marks are dropped at the beginning of each line, because joined files
    have them in the middle. NUL bytes count as bytes that cannot be decoded.
    """

    closed = False

    def __init__(
        self,
        source: Source,
        encoding: str,
        *,
        longest: int,
        rewrite: Callable[[bytes], bytes] | None = None,
        keep: bool = False,
    ) -> None:
        """Open the file.

        Args:
            source: The file.
            encoding: Its encoding.
            longest: Largest number of bytes per line.
            rewrite: Changes the text, but not its lines; it is given pieces of whole lines.
            keep: Whether to keep the text for `text_of`, until `forget` is called.
        """
        self.source, self.longest, self.rewrite, self.keep = source, longest, rewrite, keep
        self.stream = open_bytes(source.path)
        name = codecs.lookup(encoding).name
        self.encoding = "utf-8" if name == "utf-8-sig" else name
        #: number of lines read so far
        self.lines = 0
        #: lines with bytes that cannot be decoded, in ascending order
        self.garbled = array("q")
        #: pieces of whole lines, each with its first line
        self.kept: deque[tuple[int, bytes]] = deque()
        self.pieces = self._texts()
        self.rest = b""

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or fewer at the end.

        Raises:
            SourceError: A line is too long.
            OSError: The file cannot be read.
        """
        parts, length = [self.rest], len(self.rest)
        while (size < 0 or length < size) and (piece := next(self.pieces, b"")):
            parts.append(piece)
            length += len(piece)
        self.rest = b""
        if 0 <= size < length:
            last = parts.pop()
            end = len(last) - (length - size)
            self.rest = last[end:]
            parts.append(last[:end])
        return b"".join(parts)

    def numbered(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, trimmed, with their numbers.

        Raises:
            SourceError, OSError: As in `read`.
        """
        for piece in self.pieces:
            first = self.lines - piece.count(b"\n") + 1
            for number, line in enumerate(piece.decode().split("\n"), first):
                if text := line.strip():
                    yield number, text

    def is_garbled(self, first: int, last: int) -> bool:
        """Whether one of the lines read so far, from `first` to `last`, has bytes that cannot be decoded."""
        at = bisect_left(self.garbled, first)
        return at < len(self.garbled) and self.garbled[at] <= last

    def forget(self, line: int) -> None:
        """Drop the text of the lines before `line`, in whole pieces."""
        while len(self.kept) > 1 and self.kept[1][0] <= line:
            self.kept.popleft()

    def text_of(self, lines: np.ndarray, heights: np.ndarray) -> bytes:
        """The text of some rows, given the first line and the number of lines of each; at least one, ascending."""
        last = int(lines[-1] + heights[-1])
        pieces = [piece for piece in tuple(self.kept) if piece[0] < last]
        at = max(i for i, (line, _) in enumerate(pieces) if line <= lines[0])
        text = b"".join(piece for _, piece in pieces[at:])
        newlines = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE)
        starts = np.concatenate([[0], newlines + 1, [len(text)]])
        begin = lines - pieces[at][0]
        end = begin + heights
        return b"".join(
            [
                text[i:j]
                for i, j in zip(
                    starts.take(begin, mode="clip").tolist(),
                    starts.take(end, mode="clip").tolist(),
                    strict=True,
                )
            ]
        )

    def close(self) -> None:
        """Close the file."""
        self.stream.close()
        self.closed = True

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _texts(self) -> Iterator[bytes]:
        for piece in self._whole_lines():
            text = self._clean(piece)
            if self.rewrite is not None:
                text = self.rewrite(text)
            if self.keep:
                self.kept.append((self.lines + 1, text))
            self.lines += text.count(b"\n")
            if text:
                yield text

    def _whole_lines(self) -> Iterator[bytes]:
        """Pieces that end with a line, or with the file; still in the file's encoding, if it extends ASCII."""
        waiting: list[bytes | memoryview] = []
        length = 0
        for piece in self._unix_lines():
            end = piece.rfind(b"\n") + 1
            if end:
                yield b"".join([*waiting, memoryview(piece)[:end]])
                waiting, length = [], 0
            waiting.append(piece[end:])
            length += len(piece) - end
            if length > self.longest:
                raise SourceError(
                    f"{self.source.name}:{self.lines + 1}: the line has more than {self.longest >> 20} MB.",
                    "Check that this is a text file, and that its lines end.",
                )
        yield b"".join(waiting)

    def _unix_lines(self) -> Iterator[bytes]:
        only_returns: bool | None = None
        for piece in self._narrow():
            if only_returns is None:
                only_returns = b"\r" in piece and b"\n" not in piece
            yield piece.replace(b"\r", b"\n") if only_returns else piece

    def _narrow(self) -> Iterator[bytes]:
        """Pieces in an encoding that extends ASCII: UTF-16 and UTF-32 become UTF-8."""
        is_wide = self.encoding.startswith(("utf-16", "utf-32"))
        decoder = codecs.getincrementaldecoder(self.encoding)("replace") if is_wide else None
        while data := bytes(self.stream.read(_PIECE)):
            try:
                yield decoder.decode(data).encode("utf-8", "replace") if decoder else data
            except UnicodeError:
                # without a byte order mark
                raise not_encoded(f"{self.source.name}:1", self.encoding) from None
        if decoder:
            yield decoder.decode(b"", final=True).encode()

    def _clean(self, piece: bytes) -> bytes:
        """Whole lines as UTF-8."""
        if self.encoding.startswith(("utf-16", "utf-32")):
            suspect, text = GARBLED.encode() in piece, piece
        else:
            suspect, text = self._decoded(piece)
        if suspect or b"\0" in text:
            text = self._by_line(piece)
        if b"\r" in text and text.count(b"\r") > text.count(b"\r\n"):
            text = _LONE_RETURN.sub(b"\n", text)
        # a search for one byte is ten times as fast
        if _BOM[:1] in text and _BOM in text:
            text = text.replace(b"\n" + _BOM, b"\n").removeprefix(_BOM)
        return text

    def _decoded(self, piece: bytes) -> tuple[bool, bytes]:
        """Whether some bytes cannot be decoded; if none, also the piece as UTF-8."""
        if piece.isascii() and self.encoding in ("utf-8", "iso8859-1", "cp1252", "ascii"):
            return False, piece
        try:
            text = piece.decode(self.encoding)
        except UnicodeError:
            return True, piece
        return False, piece if self.encoding == "utf-8" else text.encode("utf-8", "replace")

    def _by_line(self, piece: bytes) -> bytes:
        """Like `_clean`, for pieces with bad bytes; records their lines."""
        is_wide = self.encoding.startswith(("utf-16", "utf-32"))
        encoding = "utf-8" if is_wide else self.encoding
        texts = []
        for number, line in enumerate(piece.split(b"\n"), self.lines + 1):
            text, is_bad = _decoded_line(line, encoding)
            if is_bad or (is_wide and GARBLED in text):
                self.garbled.append(number)
            texts.append(text.encode("utf-8", "replace"))
        return b"\n".join(texts)


def _decoded_line(line: bytes, encoding: str) -> tuple[str, bool]:
    try:
        text, is_bad = line.decode(encoding), False
    except UnicodeError:
        text, is_bad = line.decode(encoding, "replace"), True
    return text.replace("\0", GARBLED), is_bad or "\0" in text


def not_encoded(place: str, encoding: str) -> SourceError:
    """The error for a place in a file that is not in `encoding`."""
    return SourceError(
        f"{place}: not encoded in {encoding}.",
        "Give `encoding:` beside `file:` in the mapping, such as latin-1 or utf-16, or save the file as UTF-8.",
    )
