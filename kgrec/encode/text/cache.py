"""Vectors on the disk, by the hash of their text: one SQLite file a model, which all runs share.

Enters: texts, and vectors of those that were computed. Leaves: vectors of those that are known.
Writes: `text-<fingerprint>.sqlite` in the cache folder.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kgrec.errors import ArtifactError

#: keys a query; SQLite takes a thousand values at least
_KEYS = 500


def cache_folder() -> Path:
    """$KGREC_CACHE, or a folder in the user's own."""
    return Path(os.environ.get("KGREC_CACHE") or Path.home() / ".cache" / "kgrec")


class TextCache:
    """Vectors by the hash of their text.

    Args:
        fingerprint: Of all that decides a vector beside its text.

    Raises:
        ArtifactError: The file is damaged, or cannot be made; so do the methods.
    """

    def __init__(self, fingerprint: str) -> None:
        self.path = cache_folder() / f"text-{fingerprint[:32]}.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=60)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def get(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which of some distinct texts are known, and their vectors.

        Returns: known, shape (n,), bool; vectors, shape (n, dim), float32, zero where a text is not known;
        dim is 0 if none is.
        """
        row = {_key(text): at for at, text in enumerate(texts)}
        known, vectors = np.zeros(len(texts), np.bool_), np.zeros((len(texts), 0), np.float32)
        keys = sorted(row)  # those on one page of the file are near each other
        for start in range(0, len(keys), _KEYS):
            for key, content in self._select(keys[start : start + _KEYS]):
                vector = np.frombuffer(content, np.float32)
                if not vectors.shape[1]:
                    vectors = np.zeros((len(texts), len(vector)), np.float32)
                vectors[row[key]], known[row[key]] = vector, True
        return known, vectors

    def put(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep the vectors of some texts for later runs."""
        rows = [(_key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _select(self, keys: list[bytes]) -> list[tuple[bytes, bytes]]:
        marks = ",".join("?" * len(keys))
        try:
            return self._connection.execute(
                f"SELECT key, vector FROM vectors WHERE key IN ({marks})", keys
            ).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> ArtifactError:
        return ArtifactError(
            f"{self.path}: the cache of text vectors cannot be used ({error}).",
            "Remove the file, or set $KGREC_CACHE to a folder that can be written, or text.cache to false.",
        )


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
