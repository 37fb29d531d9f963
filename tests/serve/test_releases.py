"""The newest model of a folder of releases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kgrec
from kgrec.errors import ArtifactError, UnknownId
from kgrec.serve.releases import all_of, dated_name, newest, prune, withdraw


def test_the_one_that_was_written_last(model: Path, tmp_path: Path):
    shutil.copytree(model, tmp_path / "b")
    kgrec.Recommender.load(model).save(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "d").write_text("no folder")
    found = newest(tmp_path)
    assert found.folder.name == "a" and len(found.name) == 12


def test_there_is_none(tmp_path: Path):
    with pytest.raises(ArtifactError, match="has no readable model folder"):
        newest(tmp_path)
    with pytest.raises(ArtifactError, match="has no readable model folder"):
        newest(tmp_path / "nothing")


@pytest.fixture
def three(model: Path, tmp_path: Path) -> Path:
    """Releases a, b and c, in this order."""
    for name in "abc":
        kgrec.Recommender.load(model).save(tmp_path / name)
    return tmp_path


def test_an_earlier_release_answers_after_a_rollback(three: Path):
    now, withdrawn = withdraw(three)
    assert (now.folder.name, withdrawn, newest(three).folder.name) == ("b", ["c"], "b")
    assert (three / ".c.withdrawn" / "manifest.json").exists()
    (three / ".c.withdrawn").rename(three / "c")
    assert withdraw(three, "a")[1] == ["c", "b"] and newest(three).folder.name == "a"


def test_a_rollback_needs_an_earlier_release(three: Path):
    with pytest.raises(UnknownId, match="no release 'd'"):
        withdraw(three, "d")
    withdraw(three, "a")
    with pytest.raises(ArtifactError, match="no release before the newest"):
        withdraw(three)


def test_names_are_dates():
    assert dated_name(1_796_000_000.9) == "2026-11-30T005320Z"


def test_old_dated_releases_are_removed_and_others_stay(three: Path, model: Path):
    for at in range(3):
        kgrec.Recommender.load(model).save(three / dated_name(1_796_000_000 + at))
    withdraw(three)
    assert prune(three, 1) == ["2026-11-30T005320Z", ".2026-11-30T005322Z.withdrawn"]
    assert {one.folder.name for one in all_of(three)} == {"a", "b", "c", "2026-11-30T005321Z"}
