"""The status of a command, and its text forms.

Enters: a `Status`. Leaves: a line for a terminal, a line for a log, or plain values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Status:
    """The status of a running command."""

    stage: str = ""
    done: int = 0
    #: final count; 0: unknown
    total: int = 0
    #: plural noun of the counted things
    unit: str = ""
    #: whether the count belongs to this stage alone
    own_count: bool = True
    #: further text, such as the loss
    detail: str = ""
    #: task that the stage belongs to, such as a system of a benchmark; "": none
    task: str = ""
    #: seconds since the stage began
    seconds: float = 0.0
    #: seconds until the count is complete; None: unknown
    left: float | None = None
    #: count per second; None: unknown
    rate: float | None = None
    #: finished share of the whole command, and its remaining seconds; None: unknown
    whole_share: float | None = None
    whole_left: float | None = None

    @property
    def share(self) -> float:
        """Share of the count that is done, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def live_line(status: Status, width: int) -> str:
    """The status in at most `width` columns; the least important parts are left out first."""
    whole = status.whole_share
    remaining = "" if status.whole_left is None else f", {duration(round(status.whole_left))} left"
    overall = "" if whole is None else f"{whole:.0%}{remaining} | "
    task = f"{status.task}: " if status.task else ""
    count = _count(status, f"{status.done:,} of {status.total:,}")
    percent = f"{status.share:.0%}" if status.total else ""
    left = f"{duration(round(status.left))} left" if status.left is not None and whole is None else ""
    rate = f"{status.rate:,.0f}/s" if status.rate is not None and status.rate >= 1 else ""
    since = duration(status.seconds) if not left else ""
    # `parts` is in reading order; the loop drops parts in its own order until the line fits
    parts = {"name": _printable(f"{overall}{task}{status.stage}"), "percent": percent, "count": count}
    parts |= {"detail": _printable(status.detail), "rate": rate, "since": since, "left": left}
    for dropped in ("", "rate", "detail", "count", "since", "percent", "left"):
        parts.pop(dropped, None)
        line = "  ".join(filter(None, parts.values()))
        if _width(line) <= width:
            return line
    return _cut(line, width)


def running_line(status: Status) -> str:
    """The status of a running stage as a sentence."""
    words = [_count(status, f"{status.done:,} of {status.total:,}"), status.detail]
    words.append(f"running for {duration(status.seconds)}")
    left = f", about {duration(round(status.left))} left" if status.left is not None else ""
    return f"{_named(status)}: {', '.join(filter(None, words))}{left}{_whole(status)}"


def end_line(status: Status) -> str:
    """The status of a stage or task that has ended."""
    name = _named(status) if status.stage else status.task
    count = _count(status, f"{status.done:,}") if status.own_count else ""
    return f"{name}: {', '.join(filter(None, (count, status.detail))) or 'done'} in {duration(status.seconds)}{_whole(status)}"


def duration(seconds: float) -> str:
    """A duration as text, in its two largest units; with one decimal if it is short and not a whole number."""
    if seconds < 9.95 and not isinstance(seconds, int):
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _named(status: Status) -> str:
    return _printable(f"{status.task}: {status.stage}" if status.task else status.stage)


def _count(status: Status, count: str) -> str:
    """The count with its noun; "" if nothing is counted."""
    return f"{count} {status.unit}".rstrip() if status.total or status.done else ""


def _whole(status: Status) -> str:
    if status.whole_share is None:
        return ""
    return f" | {status.whole_share:.0%} of all{_left(status.whole_left)}"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", about {duration(round(seconds))} left"


def values_of(status: Status) -> dict[str, Any]:
    """The status as plain values, without unknown ones."""
    values = {
        "task": status.task or None,
        "stage": status.stage or None,
        "done": status.done if status.total or status.done else None,
        "total": status.total or None,
        "unit": status.unit or None,
        "detail": status.detail or None,
        "seconds": round(status.seconds, 3),
        "left_seconds": None if status.left is None else round(status.left, 1),
        "whole_share": None if status.whole_share is None else round(status.whole_share, 4),
        "whole_left_seconds": None if status.whole_left is None else round(status.whole_left, 1),
    }
    return {name: value for name, value in values.items() if value is not None}


def _printable(text: str) -> str:
    """The text on one line; file names may contain any character."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, max(0, width - 3)).rstrip()}..."
