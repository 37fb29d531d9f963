"""Files and folders that appear under their name whole or not at all.

Enters: a file or folder under a temporary name beside the final one. Leaves: the same under its final name. A process
that is killed at any instant leaves the earlier file or folder as it was.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

#: whether the system can flush a directory entry to the disk; Windows can flush files only
FOLDERS_CAN_SYNC = hasattr(os, "O_DIRECTORY")
#: Windows flushes a file only if it is open for writing; elsewhere a file may be write-protected
_SYNC_FLAGS = os.O_RDWR if sys.platform == "win32" else os.O_RDONLY


def temporary_beside(path: Path) -> Path:
    """A temporary name beside `path`; removes what killed processes of this machine left there."""
    beginning = f".{path.name}.{socket.gethostname()}."
    _sweep(path.parent, glob.escape(beginning))
    return path.parent / f"{beginning}{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"


def sweep(folder: Path) -> None:
    """Remove everything that killed processes of this machine left in a folder."""
    _sweep(folder, f".*.{glob.escape(socket.gethostname())}.")


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, _SYNC_FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(
    temporary: Path,
    path: Path,
    *,
    keep: Path | None = None,
    sync: Callable[[Path], None] = sync,
    folders_can_sync: bool = FOLDERS_CAN_SYNC,
) -> None:
    """Flush a file or a folder to the disk and give it its final name, in one step of the file system.

    A folder that had that name before may remain under `temporary`; the caller removes it.

    Args:
        temporary: The file or folder to rename.
        path: The final name.
        keep: New name of the folder that has the final name now; None: that folder is removed.
        sync: Flushes one file or folder to the disk.
        folders_can_sync: Whether `sync` accepts folders.
    """
    for written in _written(temporary):
        if folders_can_sync or not written.is_dir():
            sync(written)
    if temporary.is_dir():
        _replace(temporary, path, keep)
    else:
        temporary.replace(path)
    if folders_can_sync:
        sync(path.parent)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it: it appears whole or not at all."""
    temporary = temporary_beside(path)
    write(temporary)
    put_in_place(temporary, path)


def present(folder: Path) -> Path:
    """Current path of a folder: a temporary one while a writer is between two renames of it or a parent, or was killed there."""
    for part in (folder, *folder.parents):
        if part.exists():
            break
        if _previous(part).exists():
            return _previous(part) / folder.relative_to(part)
    return folder


def restore(folder: Path) -> None:
    """Give a folder its name back if a writer was killed between two renames."""
    if not folder.exists() and _previous(folder).exists():
        _previous(folder).rename(folder)


def _sweep(place: Path, beginning: str) -> None:
    """Remove temporary files and folders that killed processes left and whose names begin with `beginning`."""
    for stale in place.glob(f"{beginning}*.tmp"):
        process = stale.name.split(".")[-3]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)


def _written(temporary: Path) -> list[Path]:
    """Everything in a folder sorted by name, then the folder itself; or the one file."""
    inside = sorted(temporary.rglob("*")) if temporary.is_dir() else []
    return [*inside, temporary]


def _replace(temporary: Path, folder: Path, keep: Path | None) -> None:
    """Replace a folder by another. The old one gets the name `keep`, or remains under `temporary` if `keep` is None."""
    previous = _previous(folder)
    if not folder.exists() or not any(folder.iterdir()):
        temporary.rename(folder)
        remove(previous)
        return
    if keep is not None and temporary.parent != keep.parent:
        # Exchanged from there, the old folder is kept in the same step that replaces it.
        temporary = _moved(temporary, keep)
    if not _exchange(temporary, folder):
        # Without an atomic exchange there is an instant without a folder; readers then take the previous one.
        remove(previous)
        folder.rename(previous)
        try:
            temporary.rename(folder)
        except OSError:
            previous.rename(folder)
            raise
        if keep is not None:
            _moved(previous, keep)
    elif keep is not None and temporary != keep:
        _moved(temporary, keep)
    remove(previous)


def _moved(folder: Path, to: Path) -> Path:
    to.parent.mkdir(exist_ok=True)
    remove(to)
    return folder.rename(to)


def remove(folder: Path) -> None:
    """Rename a folder before deleting it: deleted under its own name, its files would vanish from a reader one by one."""
    gone = temporary_beside(folder)
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically where the system supports it (Linux and macOS)."""
    a, b = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(library := _c_library(), "renameat2"):
        at_cwd, swap = -100, 2
        return bool(library.renameat2(at_cwd, a, at_cwd, b, swap) == 0)
    if sys.platform == "darwin" and hasattr(library := _c_library(), "renamex_np"):
        return bool(library.renamex_np(a, b, 2) == 0)
    return False


def _c_library() -> ctypes.CDLL:
    """The C library of this process; Windows has none with this name."""
    return ctypes.CDLL(None, use_errno=True)


def _previous(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.previous"
