"""Metric values of one model over folds."""

import math

import numpy as np

from kgrec.evaluate.evaluation import Evaluation, pooled
from kgrec.graph.vocabulary import Vocabulary


def test_values_of_a_user_are_averaged_over_the_folds_that_test_it():
    one = Evaluation(
        Vocabulary(["a", "b"]),
        {"": {"hit@1": np.array([1.0, math.nan])}, "items: new": {"hit@1": np.array([0.0, 1.0])}},
        {"": {"gini@1": 0.25}, "items: new": {"gini@1": 0.5}},
        {"": 2, "items: new": 2},
    )
    other = Evaluation(
        Vocabulary(["b", "c"]), {"": {"hit@1": np.array([1.0, 0.0])}}, {"": {"gini@1": 0.75}}, {"": 2}
    )
    again = Evaluation(
        Vocabulary(["a", "c"]), {"": {"hit@1": np.array([0.0, 0.0])}}, {"": {"gini@1": 0.5}}, {"": 2}
    )
    whole = pooled([one, other, again])
    assert whole.users.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(whole.of("hit@1"), [0.5, 1, 0])
    assert list(whole.values) == [""] and whole.totals == {"": {"gini@1": 0.5}} and whole.lists == {"": 6}
    assert pooled([one]) is one
