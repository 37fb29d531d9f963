import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgrec.encode.config import EncoderConfig
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.sparse import Adjacency, WeightedSum
from kgrec.encode.whitening import Whitening

#: two items; columns are (relation 0, entity 0), (relation 0, entity 1), (relation 1, entity 1)
FEATURES = ItemFeatures(
    dense=np.array([[1, 0, 0], [0, 0.6, 0.8]], np.float32),
    neighbors=sp.csr_matrix(np.array([[0.6, 0.8, 0], [0, 0, 1]], np.float32)),
    relation=np.array([0, 0, 1]),
    entity=np.array([0, 1, 1]),
)


def encoder(dim: int = 4, **sizes: int) -> ItemEncoder:
    torch.manual_seed(0)
    sizes = {"dense_dim": 3, "n_relations": 2, "n_entities": 2, "n_items": 2} | sizes
    return ItemEncoder(EncoderConfig(dim=dim), **sizes)


def test_one_hop_is_this_weighted_sum():
    matrix = sp.csr_matrix(np.array([[0, 2, 0], [1, 0, 3]], np.float32))
    x = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    hop = WeightedSum()(x, Adjacency(matrix))
    assert hop.tolist() == [[4, 40], [1 + 9, 10 + 90]]


def test_the_gradient_of_a_hop_is_the_transposed_product():
    matrix = np.array([[0, 2, 0], [1, 0, 3]], np.float32)
    x = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]], requires_grad=True)
    (
        WeightedSum()(x, Adjacency(sp.csr_matrix(matrix))) * torch.tensor([[1.0, 2.0], [5.0, 7.0]])
    ).sum().backward()
    assert x.grad.tolist() == [[5, 7], [2, 4], [15, 21]]


@given(st.integers(0, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_a_hop_and_its_gradient_equal_the_dense_ones(n_targets, n_sources, dim, seed):
    rng = np.random.default_rng(seed)
    matrix = sp.random(n_targets, n_sources, 0.5, format="csr", dtype=np.float32, rng=rng)
    dense = torch.from_numpy(matrix.toarray())
    start = torch.from_numpy(rng.normal(size=(n_sources, dim)).astype(np.float32))
    results = []
    for product in (lambda x: WeightedSum()(x, Adjacency(matrix)), lambda x: dense @ x):
        x = start.clone().requires_grad_()
        out = product(x)
        out.pow(2).sum().backward()
        results.append((out.detach(), x.grad))
    torch.testing.assert_close(results[0], results[1])


def test_items_follow_the_formula():
    """z = normalize(W x + sum_r s_r sum_j a_rj E_j + ID), computed again from dense arrays."""
    model = encoder()
    with torch.no_grad():
        model.relation_scale.copy_(torch.tensor([0.5, 2.0]))
    W, E, ID = (p.detach().numpy() for p in (model.dense, model.entity, model.identity))
    raw = np.stack(
        [
            W[0] + 0.5 * (0.6 * E[0] + 0.8 * E[1]) + ID[0],
            0.6 * W[1] + 0.8 * W[2] + 2.0 * E[1] + ID[1],
        ]
    )
    inputs = EncoderInputs(FEATURES)
    np.testing.assert_allclose(model(inputs, model.identity).detach(), raw, rtol=1e-5, atol=1e-6)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(model.items(inputs, model.identity).detach(), unit, rtol=1e-5, atol=1e-6)
    # a new item has no residual
    np.testing.assert_allclose(model(inputs).detach(), raw - ID, rtol=1e-5, atol=1e-6)


def test_users_follow_the_formula():
    """u = normalize(sum_j degree_j ** -alpha z_j)."""
    model = encoder()
    with torch.no_grad():
        model.degree_exponent.fill_(0.25)
    items = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    degree = torch.tensor([16.0, 1.0, 81.0])
    histories = sp.csr_matrix(np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32))
    users = model.users(items, degree.log(), Adjacency(histories)).detach()
    # 16 ** -1/4 = 1/2
    expected = [[0.5 / math.hypot(0.5, 1), 1 / math.hypot(0.5, 1)], [0.6, 0.8], [0, 0]]
    np.testing.assert_allclose(users, expected, rtol=1e-5)


def test_items_and_users_have_unit_length():
    model = encoder(dim=7)
    items = model.items(EncoderInputs(FEATURES), model.identity)
    users = model.users(items, torch.zeros(2), Adjacency(sp.csr_matrix(np.eye(2, dtype=np.float32))))
    for vectors in (items, users):
        assert vectors.shape == (2, 7)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_every_parameter_gets_a_gradient():
    model = encoder()
    items = model.items(EncoderInputs(FEATURES), model.identity)
    histories = Adjacency(sp.csr_matrix(np.ones((1, 2), np.float32)))
    users = model.users(items, torch.tensor([0.0, 1.0]), histories)
    (users @ items.T)[0, 0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_gradients_of_the_whole_encoder_equal_finite_differences():
    model = encoder(dim=3)
    inputs, histories = EncoderInputs(FEATURES), Adjacency(sp.csr_matrix(np.ones((1, 2), np.float32)))

    def score() -> torch.Tensor:
        items = model.items(inputs, model.identity)
        return (model.users(items, torch.tensor([0.0, 1.0]), histories) @ items.T)[0, 0]

    score().backward()
    for name, parameter in model.named_parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for at in range(len(flat)):
            # relative to the size of the parameter: float32 allows no smaller step
            step = 1e-2 * max(1e-1, float(flat.abs().max()))
            before = float(flat[at])
            with torch.no_grad():
                flat[at] = before + step
                above = float(score())
                flat[at] = before - step
                below = float(score())
                flat[at] = before
            assert (above - below) / (2 * step) == pytest.approx(float(gradient[at]), abs=5e-3), name


def test_without_text_or_neighbours_an_item_is_its_residual():
    blank = ItemFeatures(
        np.zeros((2, 0), np.float32),
        sp.csr_matrix((2, 0), dtype=np.float32),
        np.zeros(0, int),
        np.zeros(0, int),
    )
    model = encoder(dense_dim=0, n_relations=0, n_entities=0)
    inputs = EncoderInputs(blank)
    torch.testing.assert_close(model(inputs, model.identity), model.identity)
    assert model.items(inputs).tolist() == [[0] * 4] * 2


def test_an_encoder_has_a_parameter_for_each_part_of_the_featurizer():
    """Text of 2 and vectors of 3 numbers; 2 relations and 1 numeric predicate; 2 entities and 4 quantiles."""
    whitenings = {
        name: Whitening(np.zeros(dim, np.float32), np.eye(dim, dtype=np.float32))
        for name, dim in {"": 2, "look": 3}.items()
    }
    bins = {"year": np.array([1.0, 2.0, 3.0, 4.0])}
    featurizer = Featurizer(
        ("genre", "^genre", "year"), np.array([5, 8]), np.ones(2, np.float32), bins, whitenings
    )
    model = ItemEncoder.for_features(EncoderConfig(dim=4), featurizer, n_items=7)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes == {
        "dense": (5, 4),
        "entity": (6, 4),
        "relation_scale": (3,),
        "identity": (7, 4),
        "degree_exponent": (),
    }


def test_without_identity_the_residuals_are_zero_and_not_learned():
    torch.manual_seed(0)
    config = EncoderConfig(dim=4, identity=False)
    model = ItemEncoder(config, dense_dim=3, n_relations=2, n_entities=2, n_items=2)
    assert not model.identity.any() and not model.identity.requires_grad
    inputs = EncoderInputs(FEATURES)
    torch.testing.assert_close(model(inputs, model.identity), model(inputs))


def test_an_adjacency_does_not_warn_and_keeps_both_forms():
    adjacency = Adjacency(sp.csr_matrix(np.array([[0, 2, 0], [1, 0, 3]], np.float32)))
    assert adjacency.matrix.to_dense().tolist() == [[0, 2, 0], [1, 0, 3]]
    assert adjacency.transposed.to_dense().tolist() == [[0, 1], [2, 0], [0, 3]]
