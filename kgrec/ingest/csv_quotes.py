"""Quotes of a CSV file, tracked as the parser does: which cells they enclose, and which quote is never closed.

Enters: text of rows. Leaves: the line of an open quote, and of torn cells; text without escapes.

The parser opens a quote only at the beginning of a cell. Inside, two quotes are one character, and a single quote closes; text
between it and the delimiter belongs to the cell. A quote that is never closed therefore ends at the next quote, which was meant
to open another cell. It has swallowed the lines between, and text follows its closing quote. Such a cell is called torn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_LINE_ENDS = b"\r\n"


@dataclass(frozen=True)
class QuoteFaults:
    """Faults in the quotes of a text; lines are counted from 1."""

    #: lines on which torn cells begin, ascending
    torn: list[int]
    #: line of the quote that is open at the end; 0 if none is open
    opened: int


def quote_faults(text: bytes, delimiter: str, quote: str) -> QuoteFaults:
    """Track the quotes of a text that begins with a row.

    Args:
        text: Rows as UTF-8.
        delimiter: Separator of cells, an ASCII character.
        quote: Quotation mark, an ASCII character.
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    at = np.flatnonzero(codes == ord(quote))
    if not len(at):
        return QuoteFaults([], 0)
    # runs of adjacent quotes
    first = np.flatnonzero(np.diff(at, prepend=-2) != 1)
    starts, lengths = at[first], np.diff(first, append=len(at))
    bounds = np.isin(np.arange(256), list(delimiter.encode() + _LINE_ENDS))
    after = starts + lengths
    begins = bounds[codes[starts - 1]] | (starts == 0)
    ends = bounds[codes[np.minimum(after, len(codes) - 1)]] | (after == len(codes))
    is_odd = (lengths & 1).astype(bool)
    inside = _inside(is_odd, begins)
    opens = np.flatnonzero(~inside & begins & is_odd)
    closes = np.flatnonzero(inside & is_odd)
    pairs = zip(starts[opens].tolist(), starts[closes].tolist(), ends[closes].tolist(), strict=False)
    torn = [start for start, close, is_end in pairs if not is_end and text.find(b"\n", start, close) >= 0]
    is_open = len(opens) > len(closes)
    return QuoteFaults(
        [text.count(b"\n", 0, start) + 1 for start in torn],
        text.count(b"\n", 0, int(starts[opens[-1]])) + 1 if is_open else 0,
    )


def _inside(is_odd: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Whether a quoted cell is open before each run of adjacent quotes.

    A run of odd length opens or closes, unless it is within an unquoted cell. Up to the first such run the state is the
    parity of the odd runs; from there on, the runs are processed one by one.
    """
    inside: np.ndarray = ((np.cumsum(is_odd) - is_odd) & 1).astype(bool)
    stray = np.flatnonzero(~inside & ~begins & is_odd)
    if not len(stray):
        return inside
    first = int(stray[0])
    state, states = False, []
    for odd, begin in zip(is_odd[first:].tolist(), begins[first:].tolist(), strict=True):
        states.append(state)
        state ^= odd and (state or begin)
    inside[first:] = states
    return inside


class Escapes:
    """Removes escapes inside quoted cells: an escaped quote becomes two quotes, an escaped escape becomes one."""

    def __init__(self, delimiter: str, quote: str, escape: str) -> None:
        mark, sign = re.escape(quote.encode()), re.escape(escape.encode())
        self.sign = escape.encode()
        # a quoted cell, or the rest of one from the line before
        self.rest = re.compile(
            b"(?:[^%b%b]|%b.|%b%b)*+(%b)?" % (mark, sign, sign, mark, mark, mark), re.DOTALL
        )
        self.cell = re.compile(
            b"(?:^|(?<=[%b\n\r]))%b((?:[^%b%b]|%b.|%b%b)*+)(%b)?"
            % (re.escape(delimiter.encode()), mark, mark, sign, sign, mark, mark, mark),
            re.DOTALL,
        )
        self.escaped = re.compile(b"%b([%b%b])" % (sign, mark, sign))
        self.new = {quote.encode(): quote.encode() * 2, self.sign: self.sign}
        self.is_open = False

    def without(self, piece: bytes) -> bytes:
        """A piece of whole lines without escapes."""
        parts, done = [], 0
        if self.is_open:
            rest = self.rest.match(piece)
            assert rest is not None
            parts.append(self._plain(rest[0]))
            done, self.is_open = rest.end(), rest[1] is None
        for cell in self.cell.finditer(piece, done):
            self.is_open = cell[2] is None
            if self.sign in cell[1]:
                parts += [piece[done : cell.start(1)], self._plain(cell[1])]
                done = cell.end(1)
        return b"".join([*parts, piece[done:]])

    def _plain(self, text: bytes) -> bytes:
        return self.escaped.sub(lambda found: self.new[found[1]], text)
