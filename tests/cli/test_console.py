"""Progress bars."""

from __future__ import annotations

import re
from typing import Any

from kgrec.cli.console import Bars


class Display:
    """Calls of a bar, in place of a terminal."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def add_task(self, description: str, **fields: Any) -> int:
        self.calls.append({"description": description, **fields})
        return len(self.calls)

    def remove_task(self, _: int) -> None:
        pass

    def update(self, _: int, **fields: Any) -> None:
        self.calls.append(fields)


def test_a_bar_counts_its_rate_from_where_a_run_is_resumed():
    display = Display()
    show = Bars(display).step("computing lists")
    show(40_000, 100_000)
    show(70_000, 100_000)
    first, _, last = display.calls
    assert (first["completed"], first["rate"]) == (40_000, "")
    assert (last["completed"], last["total"]) == (70_000, 100_000)
    rate = re.fullmatch(r"([\d,]+)/s", last["rate"])
    assert rate and int(rate[1].replace(",", "")) > 0
