"""A terminal: commands run in a pseudo-terminal, and what a reader sees of their output."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|([^\x1b])", re.DOTALL)


@dataclass(frozen=True)
class Screen:
    """The end of a command in a terminal."""

    code: int
    #: as written
    raw: str
    #: as a reader sees it, without trailing blank lines
    lines: list[str]


def on_screen(words: Sequence[object], columns: int, *, stop_at: str = "", cwd: Path | None = None) -> Screen:
    """Run a command of kgrec in a terminal of so many columns.

    Args:
        words: The words of the command.
        columns: Width of the terminal.
        stop_at: Press Ctrl-C once this is on the screen.
        cwd: Folder in which the command runs.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "kgrec", *map(str, words)]
    environment = {**os.environ, "TERM": "xterm", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    raw, deadline, stopped = b"", time.monotonic() + 300, False
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            raw += part
        if stop_at and not stopped and stop_at in raw.decode(errors="replace"):
            os.kill(process.pid, signal.SIGINT)
            stopped = True
    os.close(ours)
    text = raw.decode(errors="replace")
    return Screen(process.wait(timeout=60), text, seen(text, columns))


def seen(raw: str, columns: int) -> list[str]:
    """The lines that a terminal shows after these characters: carriage return, line feed, erase line, and wrapping."""
    rows: list[list[str]] = [[]]
    column = 0
    for token in _TOKEN.finditer(raw):
        _, letter, char = token.groups()
        if letter == "K":
            rows[-1] = []
        elif letter:
            raise AssertionError(f"an unknown sequence: {token[0]!r}")
        elif char == "\r":
            column = 0
        elif char == "\n":
            rows.append([])
        else:
            if column == columns:
                rows.append([])
                column = 0
            row = rows[-1]
            row += [" "] * (column + 1 - len(row))
            row[column] = char
            column += 1
    lines = ["".join(row).rstrip() for row in rows]
    while lines and not lines[-1]:
        lines.pop()
    return lines
