"""A way to call commands in this process, and folders that many tests ask."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kgrec.cli import app

# Read when the library is first imported: no test may ask the network for a model.
os.environ["HF_HUB_OFFLINE"] = "1"

#: trains in a blink: no text encoder, two epochs
QUICK = ("--set", "text.model=none", "--set", "epochs=2", "--set", "train.threads=1")

#: the end of a stage; and what a training says before it begins
_PROGRESS = re.compile(
    r".*: .+ in [\d.]+ (s|min|h)( [\d.]+ (s|min))?( \| .*)?|Training on .* Ahead: .*|.* texts? to encode, .*"
)


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    #: stderr without the progress
    err: str
    #: the lines of progress on stderr
    progress: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> tuple[int, str, str]:
        """Exit code, what is wrong, and what to do: an error says nothing else."""
        lines = self.err.splitlines()
        assert self.code in (2, 3), (self.code, self.out, self.err)
        assert len(lines) == 2, self.err
        assert lines[0].startswith("Error: ")
        assert lines[1].startswith("  ") and lines[1].strip()
        return self.code, lines[0].removeprefix("Error: "), lines[1].strip()


Run = Callable[..., Answer]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KGREC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def run() -> Run:
    """Call a command: `run("build", "kgrec.yaml")`."""

    def call(*words: object) -> Answer:
        result = CliRunner(env=dict(os.environ)).invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        told = result.stderr.splitlines(keepends=True)
        progress = tuple(line.rstrip("\n") for line in told if _PROGRESS.fullmatch(line.rstrip("\n")))
        rest = "".join(line for line in told if line.rstrip("\n") not in progress)
        return Answer(result.exit_code, result.stdout, rest, progress)

    return call


@pytest.fixture(scope="session")
def graph(run: Run, shared_catalogue: Path) -> Path:
    """A graph folder, for reading only."""
    folder = shared_catalogue.parent / "graph"
    assert run("build", shared_catalogue / "kgrec.yaml", "-o", folder).code == 0
    return folder


@pytest.fixture(scope="session")
def model(run: Run, graph: Path) -> Path:
    """A model folder, for reading only."""
    folder = graph.parent / "model"
    assert run("train", graph, "-o", folder, *QUICK).code == 0
    return folder
