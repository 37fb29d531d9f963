"""Versions of a folder that are kept beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgrec.errors import ArtifactError, UnknownId
from kgrec.storage import artifacts, atomic, kept


def written(folder: Path, word: str, keep: int) -> None:
    with artifacts.writing(folder, kind="model", keep=keep) as place:
        (place / "word.txt").write_text(word)


def word(folder: Path) -> str:
    return artifacts.reading(folder, "model", lambda place, _: (place / "word.txt").read_text())


def words(folder: Path) -> list[str]:
    return [word(version.path) for version in kept.versions(folder)]


@pytest.fixture(params=["exchange", "two renames"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "two renames":
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    return tmp_path / "model"


def test_as_many_versions_are_kept_as_asked_for(folder: Path):
    for name in "abcde":
        written(folder, name, keep=2)
    assert (word(folder), words(folder)) == ("e", ["d", "c"])
    written(folder, "f", keep=0)
    assert (word(folder), words(folder)) == ("f", ["d", "c"])
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model", "model.kept"]


def test_nothing_is_kept_unless_asked_for(folder: Path):
    written(folder, "a", keep=0)
    written(folder, "b", keep=0)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_rollback_swaps_and_a_second_one_swaps_back(folder: Path):
    for name in "abc":
        written(folder, name, keep=3)
    now, before = kept.rollback(folder)
    assert (word(folder), words(folder)) == ("b", ["c", "a"])
    assert kept.versions(folder)[0].name == before.name
    assert kept.version_of(folder) == kept.Version(now.name, folder, now.created, now.kgrec_version, 1)
    kept.rollback(folder)
    assert (word(folder), words(folder)) == ("c", ["b", "a"])
    kept.rollback(folder, kept.versions(folder)[1].name)
    assert (word(folder), words(folder)) == ("a", ["c", "b"])


def test_a_failed_write_keeps_the_folder_and_its_versions(folder: Path):
    written(folder, "a", keep=1)
    written(folder, "b", keep=1)
    with pytest.raises(ZeroDivisionError), artifacts.writing(folder, kind="model", keep=1):
        raise ZeroDivisionError
    assert (word(folder), words(folder)) == ("b", ["a"])


def test_wrong_rollbacks_are_refused(folder: Path):
    with pytest.raises(ArtifactError, match="was not written by kgrec"):
        kept.rollback(folder)
    written(folder, "a", keep=1)
    with pytest.raises(ArtifactError, match=r"No earlier version of .* is kept"):
        kept.rollback(folder)
    written(folder, "b", keep=1)
    with pytest.raises(UnknownId, match="There is no version '2020'"):
        kept.rollback(folder, "2020")
    (kept.kept_beside(folder) / "mine").mkdir()
    assert words(folder) == ["a"]
