"""Values as kgrec.yaml has them.

Enters: text. Leaves: the same, in quotes where YAML would misread it.
"""

from __future__ import annotations

import json
import re


def quoted(text: str) -> str:
    """Plain where YAML cannot misread it."""
    plain = re.fullmatch(r"[A-Za-z_][\w.\-/]*", text) and text.lower() not in (
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)
