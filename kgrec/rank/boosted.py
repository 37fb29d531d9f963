"""The boosted ranker: regression trees that correct the fused score, by LambdaMART.

Enters: features of candidates. Leaves: a correction, and its exact parts per feature. Nothing is written.

LambdaMART (Burges 2010) in LightGBM (Ke et al. 2017), starting from the fused score. The parts are Shapley values of the trees
(TreeSHAP, Lundberg et al. 2018), which sum to the correction. LightGBM is installed by the extra `boosted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kgrec.errors import ConfigError
from kgrec.rank.ranker import Examples

if TYPE_CHECKING:
    import lightgbm

#: largest number of characters of a stored model; a model of 60 trees has about 100,000
MAX_TEXT = 1 << 24
_TREES = 60
#: `label_gain`: for a candidate that is not a hit, and for a hit. One thread and `deterministic`: a seed gives the same trees
_OPTIONS: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "lambda_l2": 10.0,
    "label_gain": [0, 1],
    "lambdarank_truncation_level": 100,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True)
class Boosted:
    """Trees, and the scale of their output."""

    #: names of the features
    names: tuple[str, ...]
    #: the trees in LightGBM's own text format
    text: str
    #: corrections are multiples of this
    scale: float

    kind = "boosted"

    def corrections(self, features: np.ndarray) -> np.ndarray:
        """See `LearnedRanker`."""
        if not len(features):
            return np.zeros(0, np.float32)
        found = self._booster.predict(features, num_threads=1)
        return np.asarray(self.scale * np.asarray(found), np.float32)

    def added_weights(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`."""
        del features
        return {}

    def shares(self, features: np.ndarray) -> dict[str, float]:
        """See `LearnedRanker`; "mean" is the mean of the trees over the examples."""
        found = np.asarray(self._booster.predict(features[None], pred_contrib=True, num_threads=1))[0]
        values = dict(zip((*self.names, "mean"), (self.scale * found).tolist(), strict=True))
        return {name: value for name, value in values.items() if value}

    def arrays(self) -> dict[str, np.ndarray]:
        """See `LearnedRanker`; the trees are stored beside them, as text."""
        return {"boosted.scale": np.array([self.scale])}

    @classmethod
    def of_text(cls, names: tuple[str, ...], text: str, scale: float) -> Boosted:
        """The ranker with these trees.

        Raises:
            ConfigError: LightGBM is not installed.
            ValueError: The text is not a LightGBM model, or is a model of other features.
        """
        made = cls(names, text, scale)
        library = _lightgbm()
        if not text.startswith("tree\n") or len(text) > MAX_TEXT:
            raise ValueError("is not a model of LightGBM")
        try:
            features = made._booster.num_feature()
        except library.basic.LightGBMError as error:
            raise ValueError(f"is not a model of LightGBM ({error})") from None
        if features != len(names):
            raise ValueError(f"has trees of {features} features, and there are {len(names)}")
        return made

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        booster: lightgbm.Booster = _lightgbm().Booster(model_str=self.text)
        return booster


def fit_boosted(examples: Examples, seed: int = 0) -> Boosted:
    """Fit trees to the examples, some of which have hits.

    Raises:
        ConfigError: LightGBM is not installed.
    """
    library = _lightgbm()
    some, scale = examples.with_hits, examples.temperature()
    allowed = some.allowed
    data = library.Dataset(
        some.features[allowed],
        some.hits[allowed].astype(np.int32),
        group=allowed.sum(axis=1),
        init_score=some.scores[allowed] * scale,
        # LightGBM refuses most special characters in names; the real names are in `names`
        feature_name=[f"f{at}" for at in range(len(some.names))],
        params={"verbose": -1},
    )
    booster = library.train({**_OPTIONS, "seed": seed % (1 << 31)}, data, _TREES)
    return Boosted(some.names, booster.model_to_string(), 1 / scale)


def is_installed() -> bool:
    """Whether LightGBM can be imported."""
    from importlib.util import find_spec

    return find_spec("lightgbm") is not None


def check_installed() -> None:
    """Raise ConfigError unless LightGBM can be imported."""
    _lightgbm()


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise ConfigError(
            "The boosted ranker needs LightGBM, which is not installed.", "pip install 'kgrec[boosted]'"
        ) from None
    return lightgbm
