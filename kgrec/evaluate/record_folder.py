"""A folder with the record of an analysis as JSON, and its page.

Enters: a record of plain values. Leaves: nothing. Writes NAME.json, and NAME.html if there is a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from kgrec.arguments import options
from kgrec.storage import artifacts, files


def save_record(
    folder: str | Path,
    kind: Literal["drift", "simulation"],
    record: Callable[[], dict[str, Any]],
    inputs: Mapping[str, str],
    page: Callable[[dict[str, Any]], str] | None,
) -> dict[str, Any]:
    """Write the folder, whole or not at all.

    Args:
        folder: The folder to write.
        kind: Kind of the artefact, and name of its files.
        record: Makes the record.
        inputs: Hash by name of each input, for the manifest.
        page: Renders the page from the record; None: no page.

    Returns:
        The record.

    Raises:
        ArtifactError: The folder cannot be written.
    """
    folder = options.path("folder", folder)
    options.callback("page", page, f"the content of {kind}.json")
    written = record()
    with artifacts.writing(folder, kind=kind, inputs=dict(inputs)) as place:
        files.write_json(written, place / f"{kind}.json")
        if page is not None:
            (place / f"{kind}.html").write_text(page(written), encoding="utf-8")
    return written
