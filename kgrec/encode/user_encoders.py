"""Make the user encoder of a trained item encoder from its arrays.

Enters: arrays by name; those of the user encoder are called `order.NAME`. Leaves: a `UserEncoder`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgrec.encode.transformer_user_encoder import PARAMETERS, TransformerUserEncoder
from kgrec.encode.user_encoder import LinearUserEncoder, MeanUserEncoder, UserEncoder
from kgrec.storage.segments import Rows

#: prefix of the names of a user encoder's arrays
PREFIX = "order."
_LINEAR = ("log_weight", "maps")


def user_encoder_of(arrays: Mapping[str, np.ndarray], history_weight: np.ndarray, dim: int) -> UserEncoder:
    """The user encoder with these parameters.

    Args:
        arrays: `order.log_weight` and `order.maps` for a linear encoder, `order.gain` and others for a Transformer, none for a mean.
            Other arrays are ignored.
        history_weight: `d ** -alpha`; shape (n_items,), float32.
        dim: length of an embedding.

    Raises:
        ValueError: An array is absent, or has another shape.
    """
    weight = Rows.of(history_weight)
    own = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    if not own:
        return MeanUserEncoder(weight)
    names = PARAMETERS if "gain" in own else _LINEAR
    for name in names:
        if name not in own:
            raise ValueError(f"has no array '{PREFIX}{name}'")
    if "gain" in own:
        _check_shapes(own, _transformer_shapes(own, dim))
        return TransformerUserEncoder(weight, {name: own[name] for name in names})
    heads, positions = own["log_weight"].shape
    _check_shapes(own, {"log_weight": (heads, positions), "maps": (heads, dim, dim)})
    return LinearUserEncoder(weight, np.exp(own["log_weight"]), own["maps"])


def _transformer_shapes(own: Mapping[str, np.ndarray], dim: int) -> dict[str, tuple[int, ...]]:
    blocks, heads, positions = own["position"].shape
    inner = heads * max(1, dim // heads)
    square, into = (blocks, dim, dim), (blocks, dim, inner)
    return {
        "gain": (blocks, 2, dim),
        "position": (blocks, heads, positions),
        **dict.fromkeys(("query", "key", "value"), into),
        "output": (blocks, inner, dim),
        **dict.fromkeys(("expand", "contract"), square),
    }


def _check_shapes(own: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        if own[name].shape != shape:
            raise ValueError(f"has '{PREFIX}{name}' of shape {own[name].shape}, not {shape}")
