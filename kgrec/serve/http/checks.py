"""The findings of `kgrec serve --check`: whether a server would start, and what it would serve.

Enters: a live model. Leaves: plain values. Nothing is written.
"""

from __future__ import annotations

from typing import Any

from kgrec.serve.http.keys import Keys
from kgrec.serve.live import LiveModel


def found(live: LiveModel, keys: Keys) -> dict[str, Any]:
    """Figures about a model that passed its self-test, its store, and the keys."""
    state, figures = live.state, live.store.figures()
    items = state.model.items
    return {
        "model": state.name,
        "items": len(items) - len(items.removed),
        "users": len(state.model.users),
        "revision": state.revision,
        "store": live.store.place,
        "events": figures.rows["events"],
        "keys": [{"name": key.name, "scopes": sorted(key.scopes)} for key in keys.keys],
    }
