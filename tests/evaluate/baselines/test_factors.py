"""iALS and BPR-MF."""

from __future__ import annotations

import numpy as np
from baseline_examples import example_data

from kgrec.evaluate.baselines.factors import BPR, IALS


def test_ials_satisfies_the_normal_equations():
    """At the solution a user's factors satisfy the normal equations of Hu et al. 2008, eq. 4."""
    data, options = example_data(), IALS(dim=3, confidence=5.0, regularization=2.0)
    model = options.fit(data).model
    items, x = model.item_factors.astype(np.float64), data.positives.toarray()
    for user in range(5):
        weight = np.where(x[user] > 0, 5.0, 1.0)
        gram = (items * weight[:, None]).T @ items + 2.0 * np.eye(3)
        solved = np.linalg.solve(gram, (items * weight[:, None]).T @ x[user])
        found = options.fit(data).scores(data.histories.take(np.array([user])))[0]
        np.testing.assert_allclose(found, items @ solved, atol=1e-3)


def test_bpr_scores_item_biases_for_a_new_user():
    data = example_data()
    fitted = BPR(dim=4, iterations=5).fit(data)
    new = fitted.scores(data.histories.take(np.arange(3, 5)), np.array([-1, 4]))
    assert new[0].tolist() == fitted.items[:, -1].tolist()
    np.testing.assert_allclose(new[1], fitted.users[4] @ fitted.items.T, rtol=1e-5)
