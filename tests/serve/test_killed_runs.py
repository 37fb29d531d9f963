"""Real processes that are killed: nothing hangs, nothing is lost, and a resumed run ends in the same bytes."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import kgrec
from kgrec import BatchOptions, Request, RunWatcher
from kgrec.errors import WorkerError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes")

N_USERS, BATCH = 600, 3


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of new users, many enough that a run of small parts takes seconds."""
    path = tmp_path_factory.mktemp("histories") / "history.csv"
    rows = [f"new{n:04},f{1 + (n + step) % 6}" for n in range(N_USERS) for step in range(2)]
    path.write_text("\n".join(["user_id,item_id", *rows, ""]))
    return path


class Command:
    """`kgrec recommend` in a process of its own, which leads a group; its output ends when its workers have, too."""

    def __init__(self, model: Path, histories: Path, output: Path, *more: str) -> None:
        self.parts = Path(f"{output}.parts")
        words = ["recommend", model, "--history", histories, "-k", "2", "--batch", str(BATCH), "-o", output]
        self.words = [*map(str, words), *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kgrec", *self.words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finished(self) -> int:
        """Number of finished parts."""
        return len(list(self.parts.glob("*.arrow")))

    def wait_for(self, count: int) -> None:
        """Until there are so many."""
        while self.finished() < count:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.005)

    def end(self, signal_: int) -> str:
        """Send a signal to the group; returns what it wrote to stderr until all of it had ended."""
        os.killpg(self.process.pid, signal_)
        return self.process.communicate(timeout=120)[1]


def write(model: Path, histories: Path, output: Path, **options: object) -> kgrec.RunSummary:
    return kgrec.write_recommendations_for_histories(
        model,
        output,
        histories,
        request=Request(k=2),
        options=BatchOptions(BATCH, **options),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("suffix", "more"),
    [(".jsonl", ()), (".parquet", ("--workers", "2"))],
    ids=["in one process", "with two workers"],
)
def test_a_run_that_is_killed_twice_ends_in_the_same_bytes(
    suffix: str, more: tuple[str, ...], model: Path, histories: Path, tmp_path: Path
):
    output, whole = tmp_path / f"recs{suffix}", tmp_path / f"whole{suffix}"
    resumed, began = 0, ""
    for more_parts in (15, 15):
        command = Command(model, histories, output, "--resume", *more)
        command.wait_for(resumed + more_parts)
        assert "Traceback" not in command.end(signal.SIGKILL)
        assert not output.exists()
        resumed = command.finished()
        stored = json.loads((command.parts / "run.json").read_text())
        assert began in ("", stored["began"])
        began = stored["began"]
    # a run that is never interrupted, in this process, and begins at the same time
    Path(f"{whole}.parts").mkdir()
    shutil.copy(command.parts / "run.json", f"{whole}.parts")
    assert write(model, histories, whole, resume=True).resumed == 0
    summary = write(model, histories, output, resume=True, workers=3)
    assert summary.resumed == resumed * BATCH < N_USERS
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([output.name, whole.name])
    if suffix == ".parquet":
        metadata = pq.read_metadata(output).metadata
        assert metadata[b"kgrec.written"].decode() == began[:19] + began[-6:]


def test_ctrl_c_ends_the_workers_and_says_how_to_resume(model: Path, histories: Path, tmp_path: Path):
    output = tmp_path / "recs.parquet"
    command = Command(model, histories, output, "--workers", "2")
    command.wait_for(10)
    said = command.end(signal.SIGINT)
    assert command.process.returncode == 130
    finished = command.finished()
    assert said.splitlines()[-3:] == [
        f"{finished} finished parts are kept in {output}.parts; run again with resume to continue.",
        "Stopped. Existing folders are unchanged.",
        f"Continue with: kgrec {shlex.join([*command.words, '--resume'])}",
    ]
    summary = write(model, histories, output, resume=True)
    assert summary.resumed == finished * BATCH < N_USERS
    assert (summary.queries, summary.lists) == (N_USERS, N_USERS)


def test_a_killed_worker_ends_the_run_with_its_parts_kept(model: Path, histories: Path, tmp_path: Path):
    output, whole = tmp_path / "recs.jsonl", tmp_path / "whole.jsonl"
    warnings: list[str] = []

    def kill(_: str, done: int, __: int) -> None:
        if done == 10 * BATCH:
            victim = multiprocessing.active_children()[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)

    with pytest.raises(WorkerError, match=r"was killed by signal 9 \(SIGKILL\)"):
        kgrec.write_recommendations_for_histories(
            model,
            output,
            histories,
            request=Request(k=2),
            options=BatchOptions(BATCH, workers=2),
            watcher=RunWatcher(progress=kill, warn=warnings.append),
        )
    (warning,) = warnings
    assert re.fullmatch(
        rf"\d+ finished parts are kept in {re.escape(str(output))}\.parts; run again with resume to continue\.",
        warning,
    )
    assert multiprocessing.active_children() == []
    assert 10 * BATCH <= write(model, histories, output, resume=True, workers=2).resumed < N_USERS
    write(model, histories, whole)
    assert output.read_bytes() == whole.read_bytes()
