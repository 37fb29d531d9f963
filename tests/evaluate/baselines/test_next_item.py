"""Sequences, and networks that read them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from baseline_examples import ordered_data, ordered_histories

from kgrec.evaluate.baselines import next_item
from kgrec.evaluate.baselines.gru4rec import GRU4Rec, GRU4RecNetwork
from kgrec.evaluate.baselines.next_item import padded, parts_of
from kgrec.evaluate.baselines.sasrec import SASRec, SASRecNetwork

NETWORKS = pytest.mark.parametrize(
    "network",
    [
        GRU4RecNetwork(6, GRU4Rec(dim=8, hidden=5)).eval(),
        SASRecNetwork(6, SASRec(dim=8, length=5)).eval(),
    ],
    ids=["gru4rec", "sasrec"],
)


def test_parts_cover_histories_and_share_one_item():
    histories = ordered_histories([[0, 1, 2, 3, 4], [5], [], [2, 1]], 6)
    items, lengths = padded(parts_of(histories, 3))
    assert items.tolist() == [[2, 3, 4], [0, 1, 2], [2, 1, 6]] and lengths.tolist() == [3, 3, 2]


@NETWORKS
def test_no_position_reads_what_comes_later(network: next_item.NextItemNetwork):
    one, other = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[0, 1, 5, 4]])
    with torch.no_grad():
        states = [network(sequence, torch.tensor([4]))[0] for sequence in (one, other)]
    torch.testing.assert_close(states[0][:2], states[1][:2])
    assert not torch.allclose(states[0][2], states[1][2])


@NETWORKS
def test_padding_does_not_matter(network: next_item.NextItemNetwork):
    with torch.no_grad():
        alone = network(torch.tensor([[0, 1]]), torch.tensor([2]))[0, 1]
        beside = network(torch.tensor([[0, 1, 6, 6], [2, 3, 4, 5]]), torch.tensor([2, 4]))[0, 1]
    torch.testing.assert_close(alone, beside)


@NETWORKS
def test_the_order_of_items_matters(network: next_item.NextItemNetwork):
    with torch.no_grad():
        one, other = (
            network(torch.tensor([items]), torch.tensor([3]))[0, 2] for items in ([0, 1, 2], [1, 0, 2])
        )
    assert not torch.allclose(one, other, atol=1e-4)


def test_a_sample_of_the_items_is_learned_from_as_all_of_them_are(monkeypatch: pytest.MonkeyPatch):
    """Users go round a circle of twelve items."""
    steps = (np.arange(120)[:, None] + np.arange(5)) % 12
    monkeypatch.setattr(next_item, "_MAX_CLASSES", 4)
    data = ordered_data(steps.tolist(), 12)
    fitted = GRU4Rec(dim=16, epochs=20, batch_size=16, negatives=6).fit(data)
    (scores,) = fitted.scores(ordered_histories([[3, 4, 5]], 12))
    assert scores.argmax() == 6 and scores.sum() == pytest.approx(1, abs=1e-5)
