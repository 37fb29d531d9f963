"""The page about large runs: its Python blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import kg_data
import kgrec

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "large-runs.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds `model`, of the bundled catalogue."""
    folder = tmp_path_factory.mktemp("page")
    graph = kgrec.build_graph(kg_data.movies() / "kgrec.yaml")
    settings = ["text.model=none", "dim=16", "epochs=1", "search_seconds=0", "train.threads=1"]
    kgrec.Recommender(kgrec.Config.read(settings=settings)).fit(graph).save(folder / "model")
    return folder


def run(code: str, folder: Path) -> str:
    (folder / "script.py").write_text(code)
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_of_python_runs(folder: Path):
    files, streams, metadata = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    said = run(files, folder)
    assert re.fullmatch(r"[\d,]+ rows for 600 of 600 users\n", said)
    assert len(pq.read_table(folder / "recs.parquet")) == int(said.split()[0].replace(",", ""))
    assert len(pq.read_table(folder / "near.parquet")) == 50 * 411
    assert (folder / "embeddings.npy").exists()
    assert run(streams, folder) == "6,000 rows\n"
    created, _, options = run(metadata, folder).split(maxsplit=2)
    assert created == str(kgrec.Recommender.load(folder / "model").model.version.encode())
    assert '"k": 100' in options
