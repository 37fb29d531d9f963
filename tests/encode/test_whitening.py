import numpy as np
import pytest
import torch
from grouped import grouped_items
from torch.nn.functional import normalize

from kgrec.config import TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.encode.item_encoder import whitening_of
from kgrec.train.data import TrainingData
from kgrec.train.learner import fresh_encoder


def data() -> TrainingData:
    encoder = EncoderConfig(dim=8)
    return TrainingData(*grouped_items(60, 4), encoder, TrainConfig(threads=1))


def narrow(n: int = 500, dim: int = 6) -> torch.Tensor:
    """Unit vectors whose variance falls from each direction to the next."""
    rng = np.random.default_rng(0)
    return normalize(torch.from_numpy(rng.normal(size=(n, dim)) * 0.5 ** np.arange(dim)), dim=1)


def test_the_map_takes_the_variances_to_a_power():
    """Along its axes a variance v, of mean 1, becomes v / (v + 0.1) ** power."""
    items = narrow()
    covariance = (items.T @ items) * (6 / 500)
    map_ = whitening_of(items, 0.5)
    variances = torch.linalg.eigvalsh(covariance)
    expected = variances / (variances + 0.1) ** 0.5
    torch.testing.assert_close(torch.linalg.eigvalsh(map_ @ covariance @ map_), expected.sort().values)
    torch.testing.assert_close(map_, map_.T)


def test_a_higher_power_brings_variances_closer():
    items = narrow()
    ratios = []
    for power in (0.0, 0.5, 1.0):
        mapped = items @ whitening_of(items, power)
        variances = torch.linalg.eigvalsh(mapped.T @ mapped)
        ratios.append(float(variances[-1] / variances[0]))
    assert ratios[0] > 3 * ratios[1] > 3 * ratios[2]


def test_items_without_a_vector_change_nothing():
    items = narrow()
    padded = torch.cat([items, torch.zeros(100, 6, dtype=items.dtype)])
    torch.testing.assert_close(whitening_of(padded, 0.5), whitening_of(items, 0.5))
    assert torch.isfinite(whitening_of(torch.zeros(3, 6), 0.5)).all()


@pytest.mark.parametrize("known", [True, False])
def test_whiten_applies_the_map_to_known_and_new_items(known):
    items = data()
    encoder = fresh_encoder(items)
    with torch.no_grad():
        before = encoder.items(items.inputs, encoder.identity)
        map_ = whitening_of(before, 0.5)
        expected = normalize(encoder(items.inputs, encoder.identity if known else None) @ map_, dim=1)
        encoder.whiten(items.inputs, 0.5)
        after = encoder.items(items.inputs, encoder.identity if known else None)
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before, atol=1e-3)


def test_power_zero_leaves_an_encoder_unchanged():
    items = data()
    encoder, untouched = fresh_encoder(items), fresh_encoder(items)
    encoder.whiten(items.inputs, 0)
    for one, other in zip(encoder.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(one, other)
