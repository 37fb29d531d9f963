"""Options of a batch run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kgrec.errors import ConfigError
from kgrec.parallel import LocalExecutor, ProcessExecutor
from kgrec.serve.batch_options import BatchOptions, RunWatcher


@pytest.mark.parametrize(
    ("values", "problem", "remedy"),
    [
        ({"batch": 0}, "batch is 0.", "It must be a whole number, 1 or more, such as 1."),
        ({"workers": 0}, "workers is 0.", "It must be a whole number, 1 or more, such as 1."),
        (
            {"executor": "local", "workers": 2},
            "The executor 'local' has one worker, not 2.",
            "Choose the executor 'processes'.",
        ),
        (
            {"executor": "spark"},
            "There is no executor 'spark'.",
            "There are 'local', 'processes' and 'ray'.",
        ),
        (
            {"shards": 2},
            "shards and shard must be given together.",
            "Give the number of shards, and the number of this shard.",
        ),
        (
            {"shard": 0},
            "shards and shard must be given together.",
            "Give the number of shards, and the number of this shard.",
        ),
        ({"shards": 2, "shard": 2}, "There is no shard 2 of 2.", "Give 0 to 1."),
        ({"shards": 2, "shard": -1}, "shard is -1.", "It must be a whole number, 0 or more, such as 0."),
        ({"shards": 0, "shard": 0}, "shards is 0.", "It must be a whole number, 1 or more, such as 1."),
    ],
)
def test_invalid_options_are_refused(values: dict[str, Any], problem: str, remedy: str):
    with pytest.raises(ConfigError) as caught:
        BatchOptions(**values)
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)


def test_several_workers_are_processes():
    assert isinstance(BatchOptions().new_executor(), LocalExecutor)
    three = BatchOptions(workers=3).new_executor()
    assert isinstance(three, ProcessExecutor) and three.workers == 3
    assert isinstance(BatchOptions(executor="processes").new_executor(), ProcessExecutor)


def test_a_shard_names_its_file():
    output = Path("there/recs.csv")
    assert BatchOptions().file(output) == output
    third = BatchOptions(shard=3, shards=16)
    assert third.file(output) == Path("there/recs-00003-of-00016.csv")


def test_callbacks_are_optional():
    watcher = RunWatcher()
    watcher.progress("writing", 1, 2)
    watcher.note("a remark")
    watcher.warn("a warning")
