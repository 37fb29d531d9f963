"""The Transformer over histories, in torch and in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from kgrec.encode.config import EncoderConfig
from kgrec.encode.transformer import CausalTransformer
from kgrec.encode.transformer_user_encoder import TransformerUserEncoder
from kgrec.encode.user_encoders import user_encoder_of
from kgrec.graph.histories import Histories
from kgrec.storage.segments import Rows

DIM, N_ITEMS = 6, 9


def in_order(*histories: list[int], weights: list[list[float]] | None = None) -> Histories:
    """Rows of items, oldest first."""
    stamps, values = np.zeros((2, len(histories), N_ITEMS), np.float32)
    for user, items in enumerate(histories):
        stamps[user, items] = np.arange(1, len(items) + 1)
        values[user, items] = 1 if weights is None else weights[user]
    return Histories.of_matrix(sp.csr_matrix(values), sp.csr_matrix(stamps))


def random_module(blocks: int = 1, heads: int = 2) -> CausalTransformer:
    torch.manual_seed(3)
    module = CausalTransformer(EncoderConfig(dim=DIM, blocks=blocks, heads=heads, dropout=0.5)).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return module


def encoder_of(module: CausalTransformer, weight: np.ndarray | None = None) -> TransformerUserEncoder:
    arrays = {f"order.{name}": value.numpy() for name, value in module.state_dict().items()}
    weight = np.ones(N_ITEMS, np.float32) if weight is None else weight
    made = user_encoder_of(arrays, weight, DIM)
    assert isinstance(made, TransformerUserEncoder)
    return made


def unit_vectors(seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(N_ITEMS, DIM))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


VECTORS = Rows.of(unit_vectors())


def test_attention_by_hand():
    """Without products and positions attention follows the weights: of a and b, 1 and .5, it is 2/3 and 1/3; u is b + (2a + b) / 3."""
    arrays = {
        "gain": np.ones((1, 2, 2), np.float32),
        "position": np.zeros((1, 1, 3), np.float32),
        **dict.fromkeys(("query", "key", "expand", "contract"), np.zeros((1, 2, 2), np.float32)),
        **dict.fromkeys(("value", "output"), np.eye(2, dtype=np.float32)[None]),
    }
    encoder = TransformerUserEncoder(Rows.of(np.array([1, 0.5], np.float32)), arrays)
    vectors = Rows.of(np.eye(2, dtype=np.float32))
    history = Histories.of_matrix(sp.csr_matrix([[1.0, 1.0]]), sp.csr_matrix([[1.0, 2.0]]))
    np.testing.assert_allclose(encoder.attention(history, vectors), [2 / 3, 1 / 3], rtol=1e-6)
    expected = np.array([2 / 3, 4 / 3]) / np.hypot(2 / 3, 4 / 3)
    np.testing.assert_allclose(encoder.encode(history, vectors), [expected], rtol=1e-5)
    # a bias of log 2 for the item before the newest one doubles its weight: 4/5 and 1/5
    biased = {**arrays, "position": np.log(np.array([[[1, 2, 1]]], np.float32))}
    seen = TransformerUserEncoder(encoder.history_weight, biased).attention(history, vectors)
    np.testing.assert_allclose(seen, [0.8, 0.2], rtol=1e-6)


@pytest.mark.parametrize(("blocks", "heads"), [(1, 1), (1, 4), (3, 2)])
def test_users_in_torch_are_those_in_numpy(blocks: int, heads: int):
    module, weight = random_module(blocks, heads), np.linspace(0.2, 1, N_ITEMS).astype(np.float32)
    order = np.random.default_rng(1).permutation(N_ITEMS)
    predicted = torch.ones(1, N_ITEMS - 1, dtype=torch.bool)
    with torch.no_grad():
        states = module(
            torch.from_numpy(VECTORS.base[order])[None], torch.from_numpy(weight[order])[None], predicted
        )
    prefixes = in_order(*(order[:end].tolist() for end in range(1, N_ITEMS)))
    users = encoder_of(module, weight).encode(prefixes, VECTORS)
    np.testing.assert_allclose(users, states.numpy(), atol=2e-6)


def test_a_later_item_never_changes_an_earlier_state():
    module, vectors = random_module(2), torch.from_numpy(VECTORS.base)[None]
    ones, predicted = torch.ones(1, N_ITEMS), torch.ones(1, N_ITEMS - 1, dtype=torch.bool)
    changed = vectors.clone()
    changed[0, 4] = -changed[0, 4]
    with torch.no_grad():
        before, after = module(vectors, ones, predicted), module(changed, ones, predicted)
    assert torch.equal(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:], atol=1e-3)


def test_the_order_of_a_history_matters():
    users = encoder_of(random_module()).encode(in_order([0, 1, 2], [1, 0, 2]), VECTORS)
    assert np.abs(users[0] - users[1]).max() > 1e-2


def test_only_the_newest_items_are_read():
    encoder = encoder_of(random_module())
    short = TransformerUserEncoder(
        encoder.history_weight, {**encoder.arrays, "position": encoder.arrays["position"][:, :, :3]}
    )
    users = short.encode(in_order([5, 0, 1, 2], [0, 1, 2]), VECTORS)
    np.testing.assert_allclose(users[0], users[1], atol=1e-6)


def test_histories_of_any_lengths_are_encoded_as_alone():
    encoder = encoder_of(random_module(2))
    histories = [[3], [0, 1, 2, 3, 4, 5, 6, 7], [], [8, 2], [1, 2, 3]]
    together = encoder.encode(in_order(*histories), VECTORS)
    for user, history in enumerate(histories):
        alone = encoder.encode(in_order(history), VECTORS)[0]
        np.testing.assert_allclose(together[user], alone, atol=1e-6)
    assert not together[2].any()


def test_a_weight_counts_as_so_many_items_in_attention():
    encoder = encoder_of(random_module())
    attention = encoder.attention(in_order([0, 1, 2]), VECTORS)
    weighted = encoder.attention(in_order([0, 1, 2], weights=[[3, 1, 1]]), VECTORS)
    assert attention.sum() == pytest.approx(1) and weighted[0] > attention[0] + 0.05
    # one head: the odds are exactly three times as high
    single = encoder_of(random_module(heads=1))
    plain, tripled = (
        single.attention(in_order([0, 1, 2], weights=weights), VECTORS) for weights in (None, [[3, 1, 1]])
    )
    assert tripled[0] / tripled[1] == pytest.approx(3 * plain[0] / plain[1], rel=1e-4)


def test_a_dislike_takes_its_vector_off():
    encoder = encoder_of(random_module())
    liked = encoder.encode(in_order([0, 1]), VECTORS)[0]
    both = encoder.encode(in_order([0, 1, 2], weights=[[1, 1, -0.4]]), VECTORS)[0]
    expected = liked - 0.2 * VECTORS.base[2]
    np.testing.assert_allclose(both, expected / np.linalg.norm(expected), atol=1e-6)
    assert encoder.attention(in_order([0, 1, 2], weights=[[1, 1, -0.4]]), VECTORS)[2] == 0


def test_a_new_item_in_a_history_changes_the_user():
    encoder = encoder_of(random_module())
    vectors = VECTORS.with_rows(np.array([N_ITEMS]), -VECTORS.base[[0]])
    longer = in_order([0, 1]).with_items(N_ITEMS + 1)
    larger = encoder.with_items(N_ITEMS + 1)
    known = larger.encode(longer, vectors)
    np.testing.assert_allclose(known, encoder.encode(in_order([0, 1]), VECTORS), atol=1e-6)
    stamps = sp.csr_matrix(np.array([[1, 2, *[0] * 7, 3]], np.float32))
    added = larger.encode(Histories.of_matrix((stamps > 0).astype(np.float32), stamps), vectors)
    assert np.abs(added - known).max() > 1e-2


def test_it_starts_as_a_mean_whose_weights_fall():
    torch.manual_seed(0)
    module = CausalTransformer(EncoderConfig(dim=DIM, heads=1)).eval()
    with torch.no_grad():
        module.query.zero_()
    users = encoder_of(module).encode(in_order([0, 1]), VECTORS)
    mean = VECTORS.base[1] + (0.8 * VECTORS.base[0] + VECTORS.base[1]) / 1.8
    np.testing.assert_allclose(users[0], mean / np.linalg.norm(mean), atol=1e-4)


def test_dropout_is_of_training_only():
    module = random_module()
    given = torch.from_numpy(VECTORS.base)[None], torch.ones(1, N_ITEMS), torch.ones(1, 8, dtype=torch.bool)
    assert torch.equal(module(*given), module(*given))
    module.train()
    assert not torch.equal(module(*given), module(*given))


def test_arrays_that_do_not_fit_are_refused():
    arrays = {f"order.{name}": value.numpy() for name, value in random_module().state_dict().items()}
    weight = np.ones(N_ITEMS, np.float32)
    short = {name: value for name, value in arrays.items() if name != "order.key"}
    with pytest.raises(ValueError, match=r"no array 'order\.key'"):
        user_encoder_of(short, weight, DIM)
    with pytest.raises(ValueError, match=r"'order\.gain' of shape \(1, 2, 6\), not \(1, 2, 7\)"):
        user_encoder_of(arrays, weight, DIM + 1)
