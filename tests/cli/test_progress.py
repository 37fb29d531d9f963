"""Stages, counts and times of a command, and the lines that tell them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from kgrec.cli.evaluation_progress import Remaining
from kgrec.cli.progress import Progress
from kgrec.cli.progress_output import JsonLines, LiveLine, PlainLines
from kgrec.cli.status import Status, duration, end_line, live_line, running_line
from kgrec.cli.training_progress import TRAINING, TrainingProgress
from kgrec.config import Config

from .terminal import seen


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def plain(clock: Clock, *, verbose: bool = False) -> tuple[Progress, list[str]]:
    lines: list[str] = []
    return Progress(PlainLines(lines.append, verbose=verbose, clock=clock), clock), lines


def at(clock: Clock, now: float, do: Callable[..., None], *args: object, **options: object) -> None:
    clock.now = now
    do(*args, **options)


def test_a_line_at_the_end_of_each_stage_and_every_30_seconds(clock: Clock):
    progress, lines = plain(clock)
    progress.stage("reading the graph")
    at(clock, 4, progress.stage, "encoding texts", 0, 100, unit="texts")
    at(clock, 10, progress.stage, "encoding texts", 10, 100, unit="texts")
    at(clock, 30, progress.tick)
    at(clock, 40, progress.stage, "encoding texts", 30, 100, unit="texts")
    at(clock, 45, progress.tick)
    at(clock, 90, progress.stage, "building the index")
    at(clock, 125, progress.tick)
    at(clock, 126, progress.close, finished=True)
    assert lines == [
        "reading the graph: done in 4.0 s",
        # 20 texts in the 30 s since the first ones, which include the loading of the model
        "encoding texts: 30 of 100 texts, running for 36 s, about 1 min 45 s left",
        "encoding texts: 30 texts in 1 min 26 s",
        "building the index: running for 35 s",
        "building the index: done in 36 s",
    ]


def test_what_was_broken_off_has_no_end(clock: Clock):
    progress, lines = plain(clock)
    progress.stage("encoding texts", 1, 3)
    progress.close(finished=False)
    assert lines == []


def test_stages_of_a_task_are_told_on_demand(clock: Clock):
    for verbose in (False, True):
        clock.now = 0.0
        progress, lines = plain(clock, verbose=verbose)
        progress.task("[1/2] kgrec")
        at(clock, 1.0, progress.stage, "training")
        at(clock, 5.0, progress.stage, "computing lists")
        at(clock, 8.0, progress.task, "[2/2] popularity")
        at(clock, 9.0, progress.task, "")
        inner = ["[1/2] kgrec: training: done in 4.0 s", "[1/2] kgrec: computing lists: done in 3.0 s"]
        assert lines == [
            *(inner if verbose else []),
            "[1/2] kgrec: done in 8.0 s",
            "[2/2] popularity: done in 1.0 s",
        ]


def test_a_count_that_stages_share_is_not_begun_again(clock: Clock):
    progress, lines = plain(clock)
    for now in range(5):
        clock.now = 10 * now
        progress.stage("trial 1", now, 10, span=TRAINING, unit="epochs")
    progress.stage("trial 2", 4, 10, span=TRAINING, unit="epochs")
    # 3 epochs in 30 s since the first one
    assert progress.left == 60
    assert lines == [
        "trial 1: 3 of 10 epochs, running for 30 s, about 1 min 10 s left",
        "trial 1: done in 40 s",
    ]


def test_json_lines_hold_the_same(clock: Clock):
    lines: list[str] = []
    progress = Progress(JsonLines(lines.append, clock=clock), clock)
    progress.stage("encoding texts", 0, 4, unit="texts")
    at(clock, 2, progress.stage, "encoding texts", 1, 4, unit="texts")
    at(clock, 32, progress.stage, "encoding texts", 2, 4, unit="texts")
    progress.note("a remark\nof two lines", "warning")
    progress.close(finished=True)
    events = [json.loads(line) for line in lines]
    times = [event.pop("time") for event in events]
    assert all(time.endswith("Z") for time in times)
    common = {"stage": "encoding texts", "total": 4, "unit": "texts"}
    assert events == [
        common | {"event": "begin", "done": 0, "seconds": 0.0},
        common | {"event": "progress", "done": 2, "seconds": 32.0, "left_seconds": 60.0},
        {"event": "note", "level": "warning", "message": "a remark\nof two lines"},
        common | {"event": "end", "done": 2, "seconds": 32.0, "left_seconds": 60.0},
    ]


@pytest.mark.parametrize("columns", [10, 40, 80, 200])
def test_a_live_line_fits_and_leaves_nothing(columns: int, clock: Clock):
    stream = io.StringIO()
    progress = Progress(LiveLine(stream, width=lambda: columns), clock)
    for done in range(4):
        progress.stage("reading a file with a long name 日本.csv", done, 3, "loss 1.23", unit="rows")
        progress.note(f"remark {done}")
    with progress.room():
        stream.write("result\n")
    progress.stage("the end")
    progress.close(finished=True)
    assert seen(stream.getvalue().replace("\n", "\r\n"), columns) == [
        "remark 0",
        "remark 1",
        "remark 2",
        "remark 3",
        "result",
    ]


STATUS = Status("encoding texts", 1_200, 4_800, "texts", True, "loss 2.00", seconds=75, left=225, rate=16)


def test_a_narrow_line_gives_up_the_least_important_first():
    full = "encoding texts  25%  1,200 of 4,800 texts  loss 2.00  16/s  3 min 45 s left"
    assert live_line(STATUS, 80) == full
    assert live_line(STATUS, 70) == "encoding texts  25%  1,200 of 4,800 texts  loss 2.00  3 min 45 s left"
    assert live_line(STATUS, 60) == "encoding texts  25%  1,200 of 4,800 texts  3 min 45 s left"
    assert live_line(STATUS, 40) == "encoding texts  25%  3 min 45 s left"
    assert live_line(STATUS, 16) == "encoding texts"
    assert live_line(STATUS, 10) == "encodin..."
    evil = Status("reading a\nb\x1b[2J.csv")
    assert "\n" not in live_line(evil, 80) and "\x1b" not in live_line(evil, 80)


def test_the_whole_command_comes_first():
    whole = Status(
        "trial 2", 3, 12, task="[1/4] kgrec, fold 1 of 2", seconds=3.0, whole_share=0.1, whole_left=200
    )
    assert (
        live_line(whole, 80)
        == "10%, 3 min 20 s left | [1/4] kgrec, fold 1 of 2: trial 2  25%  3 of 12  3.0 s"
    )
    assert running_line(whole).endswith(" | 10% of all, about 3 min 20 s left")
    assert end_line(whole) == (
        "[1/4] kgrec, fold 1 of 2: trial 2: 3 in 3.0 s | 10% of all, about 3 min 20 s left"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (4, "4 s"),
        (59.6, "1 min"),
        (75, "1 min 15 s"),
        (3599, "59 min"),
        (3600, "1 h"),
        (8100, "2 h 15 min"),
    ],
)
def test_lengths_of_time(seconds: float, text: str):
    assert duration(seconds) == text


def test_the_length_of_the_encoding_is_told_once_it_is_known(clock: Clock):
    progress, lines = plain(clock)
    shown = TrainingProgress(progress, Config())
    shown.text(0, 100_000)
    at(clock, 20, shown.text, 64, 100_000)
    at(clock, 20.5, shown.text, 128, 100_000)
    at(clock, 22, shown.text, 256, 100_000)
    at(clock, 24, shown.text, 384, 100_000)
    assert [line for line in lines if "running" not in line] == [
        "100,000 texts to encode, with text.model=minilm.",
        # 192 texts in 2 s
        "Encoding takes about 17 min. --set text.model=static is about a hundred times as fast but less accurate. "
        "Encoded texts are kept, even after Ctrl-C.",
    ]


def test_a_short_encoding_needs_no_advice(clock: Clock):
    progress, lines = plain(clock)
    shown = TrainingProgress(progress, Config())
    for now, done in enumerate((0, 10, 110, 210)):
        at(clock, now, shown.text, done, 300)
    assert lines == ["300 texts to encode, with text.model=minilm."]


# the time left of an evaluation


def test_the_time_left_of_an_evaluation(clock: Clock):
    left = Remaining(["kgrec", "kgrec", "baseline", "baseline", "lists", "kgrec"], 30, clock)
    left.begin(kept=False)
    assert left("", 0.5) == (0, None), "only epochs tell how long a training takes"
    clock.now = 20
    # 80 s for each training; a baseline takes at most its budget
    assert left(TRAINING, 0.25) == (pytest.approx(20 / 300), pytest.approx(280))
    clock.now = 50
    assert left("choosing weights", 0.0)[1] == pytest.approx(250), "what the epochs told still counts"
    clock.now = 100
    left.begin(kept=False)
    assert left("", 0)[1] == pytest.approx(100 + 2 * 30 + 100)
    clock.now = 160
    left.begin(kept=False)
    # trainings took 100 and 60 s
    assert left("", 0)[1] == pytest.approx(2 * 30 + 80)
    clock.now = 164
    left.begin(kept=False)
    # the second baseline is expected to take as long as the first
    assert left("", 0)[1] == pytest.approx(4 + 80)
    clock.now = 166
    left.begin(kept=False)
    assert left("", 0)[1] == pytest.approx(80)
    left.begin(kept=False)
    clock.now = 400
    assert left("", 0)[1] == 0, "a run that takes longer than expected"
    left.end()
    assert left("", 0) == (1, None)


def test_kept_runs_tell_nothing_about_time(clock: Clock):
    left = Remaining(["kgrec", "kgrec"], 30, clock)
    left.begin(kept=True)
    clock.now = 1
    left.begin(kept=False)
    assert left("", 0) == (0.5, None)
    clock.now = 11
    assert left(TRAINING, 0.5) == (pytest.approx(0.5), pytest.approx(10))
