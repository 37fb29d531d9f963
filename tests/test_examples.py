"""The scripts in examples/ run as a reader would run them, and print what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts are encoded once for all examples."""
    return tmp_path_factory.mktemp("cache")


def _printed(name: str, cache: Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=cwd,
        env=os.environ | {"KGREC_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _section(text: str, start: str) -> list[str]:
    """The lines after the one that begins with `start`, up to an empty one."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start)) + 1
    rest = lines[first:]
    return rest[: rest.index("")] if "" in rest else rest


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "build_train_recommend.py",
        "cold_start.py",
        "embeddings_in_a_notebook.py",
    ]


def test_build_train_recommend(cache, tmp_path):
    text = _printed("build_train_recommend.py", cache, tmp_path)
    assert "411 items, 17,059 interactions" in text.splitlines()[0]
    rows = [line.split() for line in _section(text, "For two viewers:")]
    assert rows[0] == ["user_id", "item_id", "score", "rank"]
    assert [(row[0], row[3]) for row in rows[1:]] == [
        (user, str(rank)) for user in ("viewer-001", "viewer-002") for rank in (1, 2, 3)
    ]
    newcomer = [line.split() for line in _section(text, "For somebody")][1:]
    assert len(newcomer) == 3
    assert not {"alien-1979", "heat-1995"} & {row[1] for row in newcomer}
    score = float(text.split("for viewer-001: score ")[1].split()[0])
    assert f"The history's parts sum to {score:.3f}." in text
    assert float(rows[1][2]) == pytest.approx(score, abs=5e-4)
    assert "The loaded model gives the same list: True" in text
    assert not list(tmp_path.iterdir())


def test_cold_start(cache, tmp_path):
    text = _printed("cold_start.py", cache, tmp_path)
    added = _section(text, "Added 8 films:")
    assert len(added) == 8
    assert all(int(line.split(": ")[1].split()[0]) >= 3 for line in added)
    near = [line.split()[1] for line in _section(text, "Nearest to The Departed:")[1:]]
    assert {"heat-1995", "the-irishman-2019", "goodfellas-1990", "casino-1995"} & set(near)
    reached = int(text.split("in the top 10 of ")[1].split()[0])
    assert 50 < reached <= 600
    assert "wolves-in-orbit has a vector of length 32 and is not in the model." in text
    newcomer = _section(text, "For a newcomer")
    assert len(newcomer) == 4
    assert all(line.split()[0] == "newcomer" for line in newcomer[1:])
    assert not any("interstellar-2014" in line for line in newcomer)


def test_embeddings_in_a_notebook(cache, tmp_path):
    text = _printed("embeddings_in_a_notebook.py", cache, tmp_path)
    assert text.startswith("items (411, 32) users (600, 32) float32")
    said, product = text.split("recommend() says ")[1].splitlines()[0].split(", the inner product is ")
    assert said == product
    assert "furthest apart on the first axis: " in text
    assert "vector: fixed_size_list<item: float>[32]" in text
