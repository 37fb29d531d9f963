"""The objects of one JSON text, read one after the other without holding the whole text in memory.

Enters: a text with a list of objects, an object with one such list, or consecutive objects. Leaves: the objects with their lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kgrec.errors import SourceError
from kgrec.ingest.objects import is_keyed, objects_in, value_at
from kgrec.ingest.text_stream import TextStream

_SPACE = re.compile(r"\s*")
#: largest number of characters of an object
_LARGEST = 64 << 20
_FIRST = 1 << 20


@dataclass(frozen=True)
class Row:
    """One object of a file."""

    line: int
    text: str
    #: None if the text is not an object
    value: dict[str, Any] | None
    #: whether it has bytes that are not in the file's encoding
    is_garbled: bool


class JsonObjects:
    """Reads a stream; `text` is the buffered part, `at` the position in it, and `line` the line at `marked`."""

    def __init__(self, name: str, stream: TextStream) -> None:
        self.name, self.stream = name, stream
        self.text, self.at, self.marked, self.line = "", 0, 0, 1

    def rows(self) -> Iterator[Row]:
        """The objects.

        Raises:
            SourceError: The text is not JSON, or has no list of objects, or has several.
        """
        first = self._peek()
        if first == "[":
            yield from self._elements()
        elif first == "{" and self._are_in_a_row():
            while self._peek():
                yield self._row()
        elif first == "{":
            yield from self._of_members()
        else:
            raise self._fault("is not JSON")

    def _of_members(self) -> Iterator[Row]:
        """The objects in the only list of objects among the fields of an object."""
        lists: list[str] = []
        self._skip("{")
        while self._peek() not in ("}", ""):
            name = self._value()
            self._skip(":")
            if self._peek() == "[" and self._peek(1) == "{":
                lists.append(str(name))
                if len(lists) > 1:
                    raise SourceError(
                        f"{self.name}:{self._line_at(self.at)}: there are two lists of objects, '{lists[0]}' and '{lists[1]}'.",
                        f"Write each list to its own file: jq -c '.{lists[0]}[]' {self.name} > {lists[0]}.jsonl",
                    )
                yield from self._elements()
            else:
                self._value()
            if self._peek() == ",":
                self._skip(",")
        self._skip("}")
        if not lists:
            keyed = "to_entries[] | {key: .key} + .value"
            raise SourceError(
                f"{self.name} is an object without a list of objects.",
                f"Write a list of objects, as pandas does with orient='records'; or use jq -c '{keyed}' {self.name}",
            )

    def _elements(self) -> Iterator[Row]:
        self._skip("[")
        while self._peek() not in ("]", ""):
            yield self._row()
            if self._peek() == ",":
                self._skip(",")
        self._skip("]")

    def _row(self) -> Row:
        self._peek()
        start, first = self.at, self._line_at(self.at)
        value = self._value()
        text = self.text[start : self.at]
        is_garbled = self.stream.is_garbled(first, first + text.count("\n"))
        self._forget()
        return Row(first, text, value if isinstance(value, dict) else None, is_garbled)

    def _are_in_a_row(self) -> bool:
        """Whether the first object ends early, and another follows, or it has no list of objects."""
        while len(self.text) < _FIRST and self._more():
            pass
        try:
            value, end = value_at(self.text, self.at)
        except (ValueError, RecursionError):
            return False
        rest = self.text[_SPACE.match(self.text, end).end() :]  # type: ignore[union-attr]
        return bool(rest) or not (objects_in(value) or is_keyed(value))

    # the text

    def _peek(self, further: int = 0) -> str:
        """The next character that is not a space, or the one after it; "" at the end."""
        at = self.at
        for _ in range(further + 1):
            while True:
                at = _SPACE.match(self.text, at).end()  # type: ignore[union-attr]
                if at < len(self.text) or not self._more():
                    break
            found = self.text[at : at + 1]
            at += 1
        if not further:
            self.at = at - 1
        return found

    def _skip(self, mark: str) -> None:
        if self._peek() != mark:
            raise self._fault(f"has no '{mark}' where JSON needs one")
        self.at += 1

    def _value(self) -> Any:
        self._peek()
        last = -1
        while True:
            try:
                value, self.at = value_at(self.text, self.at)
                return value
            except json.JSONDecodeError as error:
                # the same error with more text is an error of the file
                is_cut = error.msg.startswith("Unterminated") or error.pos != last
                last = error.pos
                if not is_cut or len(self.text) - self.at > _LARGEST or not self._double():
                    raise self._fault("is not JSON", error.pos) from None
            except RecursionError:
                raise self._fault("is nested too deeply") from None

    def _double(self) -> bool:
        """Double the buffered text; returns whether there was more to read."""
        wanted, found = len(self.text) - self.at, False
        while wanted > 0 and self._more():
            wanted -= 1 << 20
            found = True
        return found

    def _more(self) -> bool:
        piece = next(self.stream.pieces, b"")
        self.text += piece.decode()
        return bool(piece)

    def _forget(self) -> None:
        """Drop the processed text once it is long."""
        if self.at > _FIRST:
            self._line_at(self.at)
            self.text, self.at, self.marked = self.text[self.at :], 0, 0

    def _line_at(self, at: int) -> int:
        """The line of a position, which must not be before an earlier one."""
        self.line += self.text.count("\n", self.marked, at)
        self.marked = at
        return self.line

    def _fault(self, what: str, at: int | None = None) -> SourceError:
        line = self._line_at(self.at if at is None else at)
        return SourceError(
            f"{self.name}:{line}: the text {what}.",
            "Correct the file, or write one object per line, where bad lines are counted and left out.",
        )
