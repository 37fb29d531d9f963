"""What is forced to the disk and in which order, and which leftovers are removed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kgrec.storage.atomic import put_in_place, temporary_beside, write_whole


def filled(folder: Path, word: str) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text(word)
    (folder / "inner" / "b.txt").write_text(word)
    return folder


def leftover(place: Path, name: str, pid: int) -> Path:
    """A temporary file as the process `pid` of this machine names it."""
    path = place / f".{name}.{socket.gethostname()}.{pid}.0123abcd.tmp"
    path.write_text("half of it")
    return path


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_files_and_folders_are_forced_to_the_disk_then_renamed(tmp_path: Path):
    there: list[tuple[str, bool]] = []
    target, temporary = tmp_path / "model", filled(tmp_path / "temporary", "new")

    def sync(path: Path) -> None:
        there.append((path.relative_to(tmp_path).as_posix(), target.exists()))

    put_in_place(temporary, target, sync=sync, folders_can_sync=True)
    assert there == [
        ("temporary/a.txt", False),
        ("temporary/inner", False),
        ("temporary/inner/b.txt", False),
        ("temporary", False),
        (".", True),
    ]
    assert (target / "inner" / "b.txt").read_text() == "new"


def test_a_system_that_cannot_force_folders_forces_the_files(tmp_path: Path):
    synced: list[Path] = []
    temporary = filled(tmp_path / "temporary", "new")
    put_in_place(temporary, tmp_path / "model", sync=synced.append, folders_can_sync=False)
    assert synced == [temporary / "a.txt", temporary / "inner" / "b.txt"]
    assert (tmp_path / "model" / "a.txt").read_text() == "new"


def test_a_file_is_forced_then_renamed(tmp_path: Path):
    synced: list[Path] = []
    (tmp_path / "temporary").write_text("new")
    put_in_place(tmp_path / "temporary", tmp_path / "file", sync=synced.append, folders_can_sync=True)
    assert synced == [tmp_path / "temporary", tmp_path]
    assert (tmp_path / "file").read_text() == "new"


def test_a_write_protected_file_is_put_in_place(tmp_path: Path):
    (tmp_path / "temporary").write_text("new")
    (tmp_path / "temporary").chmod(0o444)
    put_in_place(tmp_path / "temporary", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "new"


def test_another_folder_is_replaced_whole(tmp_path: Path):
    target = filled(tmp_path / "model", "old")
    (target / "only in the old one").touch()
    put_in_place(filled(tmp_path / "temporary", "new"), target)
    assert sorted(path.name for path in target.iterdir()) == ["a.txt", "inner"]
    assert (target / "a.txt").read_text() == "new"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    def write(path: Path) -> None:
        path.write_text("half")
        raise OSError("the disk is full")

    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="full"):
        write_whole(tmp_path / "file", write)
    assert (tmp_path / "file").read_text() == "old"


def test_leftovers_of_ended_processes_are_removed_and_others_stay(tmp_path: Path, ended: int):
    gone = leftover(tmp_path, "model", ended)
    ours = leftover(tmp_path, "model", os.getpid())
    of_another_folder = leftover(tmp_path, "graph", ended)
    of_another_machine = tmp_path / f".model.elsewhere-{socket.gethostname()}.{ended}.0123abcd.tmp"
    of_another_machine.touch()
    temporary = temporary_beside(tmp_path / "model")
    assert temporary.name.startswith(f".model.{socket.gethostname()}.{os.getpid()}.")
    assert not gone.exists()
    assert ours.exists() and of_another_folder.exists() and of_another_machine.exists()


def test_looking_for_leftovers_does_not_end_a_living_process(tmp_path: Path):
    """On Windows os.kill(pid, 0) ends the process."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        stale = leftover(tmp_path, "model", process.pid)
        temporary_beside(tmp_path / "model")
        assert process.poll() is None and stale.exists()
        process.communicate(b"\n")
    temporary_beside(tmp_path / "model")
    assert process.returncode == 0 and not stale.exists()
