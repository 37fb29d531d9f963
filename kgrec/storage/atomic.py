"""Files and folders that appear under their name whole or not at all.

Enters: what was written under a temporary name beside the final one. Leaves: that under its final
name. A process that is killed at any instant leaves what was there before.
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


def temporary_beside(path: Path) -> Path:
    """A name to write under before renaming to `path`; what killed processes of this machine left is removed."""
    beginning = f".{path.name}.{socket.gethostname()}."
    _sweep(path.parent, beginning)
    return path.parent / f"{beginning}{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"


def put_in_place(temporary: Path, path: Path) -> None:
    """Force a file or a folder to the disk and give it its final name, in one step of the file system.

    What was there under that name may be left under `temporary`, which the caller removes.
    """
    inside = sorted(temporary.rglob("*")) if temporary.is_dir() else []
    for written in [*inside, temporary]:
        _sync(written)
    if temporary.is_dir():
        _replace(temporary, path)
    else:
        temporary.replace(path)
    _sync(path.parent)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Have a file written under another name, force it to the disk and put it in place: it appears whole or not at all."""
    temporary = temporary_beside(path)
    write(temporary)
    put_in_place(temporary, path)


def present(folder: Path) -> Path:
    """Where a folder is: elsewhere, if a writer is between two renames of it or of one around it, or was killed there."""
    for part in (folder, *folder.parents):
        if part.exists():
            break
        if _previous(part).exists():
            return _previous(part) / folder.relative_to(part)
    return folder


def restore(folder: Path) -> None:
    """Give a folder its name back, if a writer was killed between two renames."""
    if not folder.exists() and _previous(folder).exists():
        _previous(folder).rename(folder)


def _sweep(place: Path, beginning: str) -> None:
    """Remove what killed processes left in a folder under names that begin so."""
    for stale in place.glob(f"{glob.escape(beginning)}*.tmp"):
        process = stale.name.split(".")[-3]
        if process.isdigit() and not _alive(int(process)):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _replace(temporary: Path, folder: Path) -> None:
    """Put a folder in the place of another."""
    previous = _previous(folder)
    if not folder.exists() or not any(folder.iterdir()):
        temporary.rename(folder)
    elif not _exchange(temporary, folder):
        # Without an exchanging rename there is an instant with no folder: readers take the previous one then.
        _remove(previous)
        folder.rename(previous)
        try:
            temporary.rename(folder)
        except OSError:
            previous.rename(folder)
            raise
    _remove(previous)


def _remove(folder: Path) -> None:
    """Remove a folder all at once for who reads it: under its own name its files would be gone one by one."""
    gone = temporary_beside(folder)
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically where the system can: Linux and macOS."""
    library = ctypes.CDLL(None, use_errno=True)
    a, b = os.fsencode(one), os.fsencode(other)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        at_cwd, swap = -100, 2
        return bool(library.renameat2(at_cwd, a, at_cwd, b, swap) == 0)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return bool(library.renamex_np(a, b, 2) == 0)
    return False


def _previous(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.previous"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
