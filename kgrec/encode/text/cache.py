"""Text vectors on the disk, keyed by the hash of the text: one SQLite file per model, shared by all runs.

Enters: texts, and computed vectors. Leaves: the vectors of the cached texts.
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

#: keys per SELECT; every build of SQLite takes at least 999 parameters
_KEYS_PER_SELECT = 500


def cache_folder() -> Path:
    """$KGREC_CACHE, or `.cache/kgrec` in the user's home folder."""
    return Path(os.environ.get("KGREC_CACHE") or Path.home() / ".cache" / "kgrec")


class TextCache:
    """Vectors by the hash of their text.

    Args:
        fingerprint: Hash of everything that determines a vector except the text.

    Raises:
        ArtifactError: The file is damaged, or cannot be created; the methods raise this too.
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
        """Which of these distinct texts are cached, and their vectors.

        Returns:
            known, shape (n,), bool; and vectors, shape (n, dim), float32, zero where a text is not cached. dim is 0 if no text
            is cached.
        """
        row = {_key(text): at for at, text in enumerate(texts)}
        known, vectors = np.zeros(len(texts), np.bool_), np.zeros((len(texts), 0), np.float32)
        keys = sorted(row)  # in page order of the file, so that each page is read once
        for start in range(0, len(keys), _KEYS_PER_SELECT):
            for key, content in self._select(keys[start : start + _KEYS_PER_SELECT]):
                vector = np.frombuffer(content, np.float32)
                if not vectors.shape[1]:
                    vectors = np.zeros((len(texts), len(vector)), np.float32)
                vectors[row[key]], known[row[key]] = vector, True
        return known, vectors

    def put(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Store the vectors of texts for later runs."""
        rows = [(_key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        """Close the file."""
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
            "Remove the file, or set $KGREC_CACHE to a writable folder, or text.cache to false.",
        )


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
