"""How a recommender gets to another process: as the path of its folder.

Enters: a recommender that is to be pickled. Leaves: a folder, and the seal of the model that must be there when it is read.
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
        model: Is to be sent.
        folder: It was loaded from there or saved to there, or an earlier one; None: neither.
        saved: Whether that very model is in the folder.
        own_text_encoder: Whether it needs a text encoder that the user passed in.

    Raises:
        ArtifactError: There is no folder that holds the model and all that it needs.
    """
    if own_text_encoder:
        remedy = HOW_TO_SEND.replace("(folder)", "(folder, text_encoder=...)")
        raise ArtifactError(
            "This recommender has a text encoder of your own, so it cannot be pickled.", remedy
        )
    if folder is None or model.origin is None:
        raise ArtifactError("This recommender has no folder, so it cannot be pickled.", HOW_TO_SEND)
    if not saved:
        raise ArtifactError(
            "This recommender has changes that are not saved, so it cannot be pickled.", HOW_TO_SEND
        )
    seal = model.origin[1].seal
    check_seal(folder, artifacts.current(folder, "model"), seal)
    return str(folder), seal


def check_seal(folder: Path, found: artifacts.Manifest, seal: str) -> None:
    """Refuse a folder that holds another model than the one that was sent.

    Raises:
        ArtifactError: It was replaced.
    """
    if found.seal != seal:
        raise ArtifactError(
            f"{folder} was replaced after this recommender was loaded from it or saved to it.",
            "Reload the recommender, or load the folder again, and pickle it then.",
        )
