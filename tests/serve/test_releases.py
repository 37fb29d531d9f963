"""The newest model of a folder of releases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kgrec
from kgrec.errors import ArtifactError
from kgrec.serve.releases import newest


def test_the_one_that_was_written_last(model: Path, tmp_path: Path):
    shutil.copytree(model, tmp_path / "b")
    kgrec.Recommender.load(model).save(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "d").write_text("no folder")
    found = newest(tmp_path)
    assert found.folder.name == "a" and len(found.name) == 12


def test_there_is_none(tmp_path: Path):
    with pytest.raises(ArtifactError, match="has no model folder"):
        newest(tmp_path)
    with pytest.raises(ArtifactError, match="has no model folder"):
        newest(tmp_path / "nothing")
