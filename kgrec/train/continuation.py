"""What a refresh takes over from its parent model: the encoder's parameters, and the choices of validation.

Enters: a trained model, and features of its items, possibly extended by new ones. Leaves: an ItemEncoder to train further, and a
`Choice`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from kgrec.encode.config import UserEncoderName
from kgrec.encode.featurizer import Featurizer
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.encode.user_encoders import PREFIX
from kgrec.model.model import WHITENING, Model, Parameters
from kgrec.rank.item_item import ItemItemOptions, default_options
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.hyperparameters import Choice, default_hyperparameters
from kgrec.train.learner import fresh_encoder
from kgrec.train.ranker_search import RankerChoice

#: tables that a whitening is folded into
_TABLES = ("dense", "entity", "identity")


def continued_encoder(parent: Parameters, data: TrainingData, user: UserEncoderName) -> ItemEncoder:
    """An encoder for `data` with the parameters of a parent, aligned by name, without its whitening.

    Nodes and relations that the parent lacks get fresh parameters. Items that were not part of its training have no residual yet.

    Args:
        parent: its items are the first items of `data`.
        data: features made by a featurizer that `Featurizer.grown` derived from the parent's.
        user: name of the user encoder.
    """
    encoder, arrays = fresh_encoder(data, user), _without_whitening(parent.arrays)
    nodes = data.featurizer.nodes_in(parent.featurizer)
    relations = _places(data.featurizer.relations, parent.featurizer)
    residuals = np.full(len(encoder.identity), -1, np.int64)
    residuals[: len(arrays["identity"])] = np.arange(len(arrays["identity"]))
    with torch.no_grad():
        encoder.identity.zero_()
        for name, rows in (("entity", nodes), ("relation_scale", relations), ("identity", residuals)):
            known = np.flatnonzero(rows >= 0)
            values = torch.from_numpy(arrays[name][rows[known]]).to(data.device)
            encoder.state_dict()[name][torch.from_numpy(known).to(data.device)] = values
        for name, tensor in encoder.state_dict().items():
            if name in ("dense", "degree_exponent") or name.startswith(PREFIX):
                tensor.copy_(torch.from_numpy(arrays[name]))
    return encoder


def choice_of(parent: Model, data: TrainingData) -> Choice:
    """The choices of validation for a model, read from its metrics; the defaults if there was no validation."""
    chosen, config = parent.metrics.get("chosen") or {}, parent.config.rescore
    item_item = {name: ItemItemOptions(**values) for name, values in (chosen.get("item_item") or {}).items()}
    weights = parent.rescorer.weights
    for name in ("co_occurrence", "sequence", "random_walk"):
        if weights.get(name) and name not in item_item:
            item_item[name] = default_options(name, config)
    ranker = parent.rescorer.ranker
    return Choice(
        hyperparameters=_hyperparameters(chosen, user_encoder_name(parent.parameters()), data),
        whitening=float(chosen.get("whitening", 0.0)),
        item_item=item_item,
        weights=weights,
        cold_offset=float(chosen.get("cold_offset", config.cold_offset or 0.0)),
        popularity=float(chosen.get("popularity", config.popularity or 0.0)),
        ranker=RankerChoice() if ranker is None else RankerChoice(ranker.learned),
        corrects_new=ranker is not None and ranker.corrects_new,
    )


def user_encoder_name(parameters: Parameters) -> UserEncoderName:
    """The kind of user encoder that has these parameters."""
    own = {name.removeprefix(PREFIX) for name in parameters.arrays if name.startswith(PREFIX)}
    return "transformer" if "gain" in own else "linear" if own else "mean"


def _hyperparameters(
    chosen: Mapping[str, object], user: UserEncoderName, data: TrainingData
) -> Hyperparameters:
    names = ("temperature", "learning_rate", "epochs")
    if not all(name in chosen for name in names):
        return default_hyperparameters(data)
    temperature, rate, epochs = (float(str(chosen[name])) for name in names)
    return Hyperparameters(temperature, rate, int(epochs), user)


def _without_whitening(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters before the whitening was folded into them."""
    if WHITENING not in arrays:
        return dict(arrays)
    inverse = np.linalg.inv(arrays[WHITENING].astype(np.float64))
    return {
        name: (array @ inverse).astype(np.float32) if name in _TABLES else array
        for name, array in arrays.items()
    }


def _places(relations: tuple[str, ...], featurizer: Featurizer) -> np.ndarray:
    """Row of each relation in a featurizer, -1 where it is absent; shape (len(relations),), int64."""
    rows = {name: row for row, name in enumerate(featurizer.relations)}
    return np.array([rows.get(name, -1) for name in relations], np.int64)
