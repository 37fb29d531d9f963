"""Pickling of a recommender for another process: as the path of its folder.

Enters: a recommender to pickle. Leaves: a folder, and the seal of the model that must be in it when it is read.
"""

from __future__ import annotations

from pathlib import Path

from kgrec.errors import ArtifactError
from kgrec.model.model import HOW_TO_SEND, Model
from kgrec.storage import artifacts


def folder_to_send(
    model: Model, folder: Path | None, *, saved: bool, own_text_encoder: bool
) -> tuple[str, str]:
    """The folder of a model, and the seal of its manifest.

    Args:
        model: The model to send.
        folder: The folder that this model or an earlier one was loaded from or saved to; None: there is none.
        saved: Whether the folder contains exactly this model.
        own_text_encoder: Whether the model needs a text encoder that the user passed in.

    Raises:
        ArtifactError: No folder contains the model and everything that it needs.
    """
    if own_text_encoder:
        remedy = HOW_TO_SEND.replace("(folder)", "(folder, text_encoder=...)")
        raise ArtifactError("This recommender has a custom text encoder, so it cannot be pickled.", remedy)
    if folder is None or model.origin is None:
        raise ArtifactError("This recommender has no folder, so it cannot be pickled.", HOW_TO_SEND)
    if not saved:
        raise ArtifactError("This recommender has unsaved changes, so it cannot be pickled.", HOW_TO_SEND)
    seal = model.origin[1].seal
    check_seal(folder, artifacts.current(folder, "model"), seal)
    return str(folder), seal


def check_seal(folder: Path, found: artifacts.Manifest, seal: str) -> None:
    """Check that a folder contains the model that was sent.

    Raises:
        ArtifactError: The folder was replaced.
    """
    if found.seal != seal:
        raise ArtifactError(
            f"{folder} was replaced after this recommender was loaded from it or saved to it.",
            "Reload the recommender, or load the folder again, and pickle it then.",
        )
