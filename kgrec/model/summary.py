"""A summary of a model in numbers.

Enters: a `Model`. Leaves: plain values that can be written as JSON. Nothing is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel

from kgrec._version import __version__
from kgrec.config import Config
from kgrec.model.model import LINEAGE, Model
from kgrec.rank.config import SCORERS

_FIRST = 5


def summary(model: Model) -> dict[str, Any]:
    """Counts, weights of the scorers, metrics on validation data, options, and items added and removed since training.

    `settings` has the options that differ from their defaults; `chosen` the results of validation; `refreshes` the number of refreshes
    since the full training; `size` the size in bytes, None for a model without a folder. `added` and `removed` have a count and the
    first items; `added` is None for a model that does not distinguish added items from items without interactions.
    """
    items, manifest = model.items, model.origin[1] if model.origin else None
    trained, added = items.trained.whole, _appended(model)
    chosen = model.metrics.get("chosen") or {}
    scored = {name: float(model.rescorer.weights.get(name, 0)) for name in SCORERS}
    return {
        "items": {
            "all": len(items),
            "known to training": items.n_trained,
            "added": None if added is None else _first(model, np.flatnonzero(added)),
            "without interactions": int((~trained if added is None else ~trained & ~added).sum()),
            "removed": _first(model, items.removed),
        },
        "users": len(model.users),
        "interactions": {"positive": int(model.liked.nnz), "all": int(model.seen.nnz)},
        "dim": int(items.vectors.shape[1]),
        "scorers": scored,
        "index": model.index.built.model_dump(exclude={"longer"}, exclude_none=True),
        "chosen": {name: value for name, value in chosen.items() if not name.startswith("valid_")},
        "metrics": {name: value for name, value in chosen.items() if name.startswith("valid_")},
        "ablated": list(model.metrics.get("ablated", ())),
        "refreshes": len(model.metrics.get(LINEAGE, ())),
        "text": model.config.text.model if not model.own_text_encoder else "an encoder of the caller",
        "seed": model.config.train.seed,
        "settings": settings(model.config),
        "inputs": dict(model.inputs),
        "created": model.version,
        "kgrec": manifest.kgrec_version if manifest else __version__,
        "format": manifest.format_version if manifest else None,
        "size": sum(file["bytes"] for file in manifest.files.values()) if manifest else None,
    }


def settings(config: Config) -> dict[str, Any]:
    """Options that differ from their defaults, by their full names."""
    defaults, changed = Config(), dict[str, Any]()
    for section, options in config:
        if isinstance(options, BaseModel):
            other = getattr(defaults, section)
            changed |= {
                f"{section}.{name}": value for name, value in options if value != getattr(other, name)
            }
    return changed


def _appended(model: Model) -> np.ndarray | None:
    """Which items were added after training, shape (n_items,), bool; None for a model of an earlier version, which lacks this record."""
    trained = model.metrics.get("n_items")
    return None if trained is None else np.arange(len(model.items)) >= trained


def _first(model: Model, rows: np.ndarray) -> dict[str, Any]:
    shown = [
        {"item_id": model.items.ids[row], "label": model.items.label(row)} for row in rows[:_FIRST].tolist()
    ]
    return {"count": len(rows), "first": shown}
