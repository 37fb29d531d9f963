"""`kgrec doctor`: check the installation."""

from __future__ import annotations

import os
import platform
from typing import Annotated

import typer

from kgrec._version import __version__
from kgrec.cli.console import Json, Quiet, console
from kgrec.errors import EncoderNotFound, KgrecError

#: `kgrec.encode.text.PACKAGED`, repeated here because importing it is slow
_DEFAULT_ENCODER = "minilm"
_PACKAGES = (
    "torch",
    "torch-geometric",
    "sentence-transformers",
    "transformers",
    "faiss-cpu",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pyoxigraph",
    "rdflib",
    "networkx",
)


def doctor(
    encoder: Annotated[
        str, typer.Option("--encoder", help="Text encoder to test: a name or a folder.")
    ] = _DEFAULT_ENCODER,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check the installation: versions, text encoder, GPU, threads. The exit code is 2 if something is missing.

    Example: `kgrec doctor --encoder minilm`
    """
    out = console(as_json, quiet)
    facts = {"kgrec": __version__, "python": platform.python_version(), "system": platform.platform()}
    facts |= {name: _version(name) for name in _PACKAGES}
    facts |= _hardware()
    problem = _encoder_problem(encoder)
    facts["text encoder"] = f"{encoder}: {'works' if problem is None else problem.problem}"
    out.result(facts, "\n".join(f"{name:<22} {value}" for name, value in facts.items()))
    missing = [name for name in _PACKAGES if facts[name] == "missing"]
    if problem is not None:
        raise problem
    if missing:
        raise KgrecError(
            f"Missing packages: {', '.join(missing)}.", "Install kgrec again: pip install kgrec."
        )


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _hardware() -> dict[str, str]:
    try:
        import torch

        from kgrec.train.threads import idle_cores, usable_cores
    except ImportError as error:
        return {"gpu": f"unknown: {error}", "cores": str(os.cpu_count())}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "gpu": gpu,
        "cores": f"{os.cpu_count()}, {usable_cores()} usable, {idle_cores()} idle",
        "torch threads": str(torch.get_num_threads()),
    }


def _encoder_problem(name: str) -> EncoderNotFound | None:
    """Why the encoder cannot encode a sentence; None if it can."""
    try:
        from kgrec.encode.text import SentenceEncoder, TextConfig

        SentenceEncoder(TextConfig(model=name, cache=False)).encode(["A sentence to test the encoder."])
    except EncoderNotFound as error:
        return error
    except ImportError as error:
        return EncoderNotFound(
            f"The text encoder '{name}' cannot be loaded: {error}.", "Install kgrec again: pip install kgrec."
        )
    return None
