"""What the page on vector databases shows, run on the film catalogue's embeddings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgrec.recommend.recommender import Recommender

from .conftest import Run

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "vector-databases.md").read_text(encoding="utf-8")


@pytest.fixture
def nearest(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, float]]:
    """All items by their cosine to u1, in a folder where the page's commands were called."""
    (tmp_path / "model").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    for words in re.findall(r"^kgrec (embed .*)$", PAGE, re.MULTILINE):
        assert run(*words.split()).code == 0
    rec = Recommender.load(model)
    scores = rec.item_embeddings.vectors @ rec.user_embeddings.vectors[rec.model.users.ids(["u1"])[0]]
    order = np.argsort(-scores)
    return [(rec.model.items.ids[row], float(scores[row])) for row in order]


@pytest.mark.parametrize(("title", "package"), [("Qdrant", "qdrant_client"), ("LanceDB", "lancedb")])
def test_the_page_finds_what_is_nearest(title: str, package: str, nearest: list[tuple[str, float]]):
    pytest.importorskip(
        package, reason=f"the client of {title} is not installed: pip install 'kgrec[vectors]'"
    )
    [code] = re.findall(rf"^## {title}\n.*?^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(code.replace("viewer-001", "u1"), names)
    found = names["found"]
    assert [name for name, _ in found] == [name for name, _ in nearest]
    assert [score for _, score in found] == pytest.approx([score for _, score in nearest], abs=1e-5)


def test_lines_for_postgresql_hold_what_the_statements_read(nearest: list[tuple[str, float]]):
    """No line has the two characters that stand for quote and delimiter, and a vector is text as pgvector reads it."""
    lines = Path("embeddings.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert not any(character in line for line in lines for character in "\x01\x02")
    asked = set(re.findall(r"line->>'(\w+)'", PAGE))
    assert all(asked == row.keys() for row in rows)
    vectors = {(row["type"], row["id"]): np.array(row["vector"]) for row in rows}
    scores = [vectors["item", name] @ vectors["user", "u1"] for name, _ in nearest]
    assert scores == pytest.approx([score for _, score in nearest], abs=1e-5)
    [length] = re.findall(r"vector vector\((\d+)\)", PAGE)
    assert {len(vector) for vector in vectors.values()} == {int(length)}
