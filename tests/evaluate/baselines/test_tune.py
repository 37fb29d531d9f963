"""The search of options, within its budget."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import scipy.sparse as sp
from baseline_examples import matrix
from grouped import grouped_halves

from kgrec.errors import TrainingError
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.content import ContentTfidf
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.baselines.tune import quality, tune


def test_quality_does_not_rank_items_of_the_history():
    """The most popular item is in both histories; the other one is at rank 1 for the first user, and 2 for the second."""
    data = BaselineData(matrix([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]))
    truth = matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    ndcg, recall = quality(Popularity().fit(data), data, truth, np.array([0, 1]), 2)
    assert (ndcg, recall) == pytest.approx(((1 + 1 / np.log2(3)) / 2, 1.0))


def test_quality_does_not_rank_items_that_were_seen_and_not_liked():
    """The second user met item 1, so that item 2 comes first there, too."""
    taken = [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    seen = matrix(np.array(taken) | np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    data = BaselineData(matrix(taken), seen=seen)
    truth = matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert quality(Popularity().fit(data), data, truth, np.array([0, 1]), 2) == pytest.approx((1, 1))


def test_the_search_finds_the_best_trial_and_reports_its_budget():
    training, valid = grouped_halves(60, 24, 4)
    found = tune(ItemKNN(), BaselineData(training), valid, budget=1e9, k=5)
    by_hand = {
        trial.baseline: quality(
            trial.baseline.fit(BaselineData(training)), BaselineData(training), valid, np.arange(60), 5
        )
        for trial in found.trials
    }
    assert len(by_hand) == len(found.trials) >= 1 + 5 + 4 + 2
    assert found.best.ndcg == max(ndcg for ndcg, _ in by_hand.values())
    assert {trial.baseline: (trial.ndcg, trial.recall) for trial in found.trials} == by_hand
    assert "of 1,000,000,000 CPU seconds" in str(found) and str(found.best.baseline) in str(found)


@pytest.mark.parametrize(("budget", "trials"), [(0.0, 1), (19.0, 1), (20.0, 2), (55.0, 5)])
def test_no_trial_starts_that_would_exceed_the_budget(budget: float, trials: int):
    training, valid = grouped_halves(20, 20, 4)
    ticks = count(0, 10)  # a trial looks twice: 10 s each
    found = tune(Ease(), BaselineData(training), valid, budget=budget, clock=lambda: next(ticks))
    assert len(found.trials) == trials and found.seconds == 10 * trials
    assert found.trials[0].baseline == Ease()


def test_parts_of_a_hybrid_are_tuned_first_with_their_share_of_the_budget():
    training, valid = grouped_halves(60, 24, 4)
    data = BaselineData(training, texts=[f"word{n % 4}" for n in range(24)])
    found = tune(Hybrid(), data, valid, budget=1e9, k=5)
    item_knn, content = (tune(part, data, valid, budget=1e9, k=5) for part in (ItemKNN(), ContentTfidf()))
    assert [part.best.baseline for part in found.parts] == [item_knn.best.baseline, content.best.baseline]
    # there is no graph to take terms from, which ends no search
    assert {trial.baseline.terms for trial in content.trials} == {"both", "words"}  # type: ignore[attr-defined]
    first = found.trials[0].baseline
    assert first == Hybrid(item_knn.best.baseline, content.best.baseline)
    assert found.n_trials == len(found.trials) + len(item_knn.trials) + len(content.trials)
    assert f"{found.n_trials} trials" in str(found)
    ticks = count(0, 10)
    short = tune(Hybrid(), data, valid, budget=60, k=5, clock=lambda: next(ticks))
    # two of 20 s each for the parts
    assert [len(part.trials) for part in short.parts] == [2, 2] and short.seconds == 60
    assert len(short.trials) == 2


def test_tuning_needs_validation_interactions():
    training, _ = grouped_halves(20, 20, 4)
    with pytest.raises(TrainingError, match="no validation interactions"):
        tune(Ease(), BaselineData(training), sp.csr_matrix(training.shape, dtype=np.float32))
