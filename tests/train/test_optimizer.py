import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from grouped import grouped_halves, grouped_items
from torch.nn.functional import embedding

from kgrec.config import TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.encode.item_encoder import ItemEncoder
from kgrec.graph.histories import Histories
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import Learner, fresh_encoder
from kgrec.train.optimizer import Optimizer, RowAdam


def table(n: int, dim: int = 3) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(n, dim, generator=torch.Generator().manual_seed(0)))


def moved(optimizer: Callable[..., Any], given: torch.nn.Parameter, steps: list[list[int]]) -> np.ndarray:
    """The table after steps that each read some rows, and move them towards ones."""
    one = optimizer([given])
    for rows in steps:
        one.zero_grad()
        sparse = not isinstance(one, torch.optim.Adam)
        ((embedding(torch.tensor(rows), given, sparse=sparse) - 1) ** 2).sum().backward()
        one.step()
    return given.detach().numpy()


# more rows than are computed with at a time, some of them read twice in a step
STEPS = [[0, 5, 5, 2], [*range(1500), 7], [5, 1999], [1999, 0]]


def test_a_row_moves_as_computed_by_hand():
    """Row 0 is read in the first and the third step; the gradient is always 2."""
    one, read = RowAdam([given := torch.nn.Parameter(torch.zeros(2, 1))]), []
    for row in (0, 1, 0):
        one.zero_grad()
        (2 * embedding(torch.tensor([row]), given, sparse=True)).sum().backward()
        one.step()
        read.append(given[:, 0].tolist())
    # the mean square of gradients, less what it lacks for it began at zero: 4, then 4 in one step of two, and of three
    first, second = 1.0, math.sqrt((1 - 0.999**2) / (1 - 0.999))
    third = math.sqrt((1 - 0.999**3) / ((1 - 0.999) * (0.999**2 + 1)))
    expected = [[first, 0], [first, second], [first + third, second]]
    np.testing.assert_allclose(read, -0.001 * np.array(expected), rtol=1e-5)


def test_where_every_row_is_read_it_is_adam_without_momentum():
    steps, one = [list(range(40))] * 5, table(40)
    plain = functools.partial(torch.optim.Adam, betas=(0.0, 0.999))
    np.testing.assert_allclose(moved(RowAdam, one, steps), moved(plain, table(40), steps), atol=1e-6)


def test_rows_that_are_not_read_stay_unchanged():
    before, after = table(2000).detach().numpy(), moved(RowAdam, table(2000), STEPS)
    untouched = np.setdiff1d(np.arange(2000), np.concatenate(STEPS))
    assert len(untouched) == 499 and (after[untouched] == before[untouched]).all()
    assert (after[np.unique(np.concatenate(STEPS))] != before[np.unique(np.concatenate(STEPS))]).all()


def test_a_table_that_is_not_read_stays_unchanged():
    tables = [table(4), table(4)]
    one = RowAdam(tables)
    embedding(torch.tensor([2]), tables[0], sparse=True).sum().backward()
    one.step()
    assert (tables[1] == table(4)).all() and (tables[0] != table(4)).any(dim=1).tolist() == [0, 0, 1, 0]


def encoder(sparse: bool) -> ItemEncoder:
    items, featurizer = grouped_items(24, 4)
    data = TrainingData(items, featurizer, EncoderConfig(dim=8), TrainConfig(device="cpu"))
    made = fresh_encoder(data)
    made.sparse = sparse
    return made


def test_the_rate_rises_for_the_warm_up_then_falls_to_zero():
    one = Optimizer(encoder(False), 0.1, steps=10, warmup=2)
    rates = []
    for made in range(11):
        one.made = made
        rates.append(one.rate)
    expected = [0.1 / 3, 0.1 * 2 / 3 * 0.9, *(0.1 * left / 10 for left in range(8, -1, -1))]
    np.testing.assert_allclose(rates, expected, atol=1e-12)


def learner(sparse: bool, **options: int) -> Learner:
    """A learner with a sampled softmax."""
    items, featurizer = grouped_items(24, 4)
    config = TrainConfig(**{"batch_size": 8, **options}, device="cpu", full_softmax_items=1, sampled_items=5)
    data = TrainingData(items, featurizer, EncoderConfig(dim=8), config)
    made = fresh_encoder(data)
    made.sparse = sparse
    training, held_out = grouped_halves(32, 24, 4)
    return Learner(
        made, data, Histories.of_matrix((training + held_out).tocsr()), Hyperparameters(0.1, 0.02, 8)
    )


def test_the_first_step_is_the_same_with_sparse_gradients():
    dense, sparse = learner(False, batch_size=32), learner(True, batch_size=32)
    assert dense.epoch() == sparse.epoch()
    for (name, one), other in zip(
        dense.encoder.state_dict().items(), sparse.encoder.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, msg=name, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_loss_falls(sparse):
    one = learner(sparse)
    losses = [one.epoch() for _ in range(8)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_sparse_state_is_restored_bit_for_bit():
    one, other = learner(True), learner(True)
    first = [one.epoch(), one.epoch()]
    other.restore(*one.state())
    assert other.optimizer.made == one.optimizer.made == 8
    assert [one.epoch(), one.epoch()] == [other.epoch(), other.epoch()] != first
    for name, value in one.encoder.state_dict().items():
        assert value.numpy().tobytes() == other.encoder.state_dict()[name].numpy().tobytes(), name
