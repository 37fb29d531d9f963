"""Intervals and p values are scipy's where it has the same, and no difference is found in noise."""

import numpy as np
import pytest
from scipy import stats

from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.evaluate.comparison import compare
from kgrec.evaluate.evaluation import Evaluation
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.significance import effect_size, holm, intervals, permutation_test


def evaluation(**figures: np.ndarray) -> Evaluation:
    named = {name.replace("_at_", "@"): values for name, values in figures.items()}
    users = Vocabulary([str(n) for n in range(len(next(iter(named.values()))))])
    return Evaluation(users, {"": named}, {"": {}}, {"": len(users)})


def test_intervals_are_those_of_scipy():
    values = np.random.default_rng(0).exponential(size=(50, 1))
    low, high = intervals(values, np.random.default_rng(1), level=0.9, resamples=999)
    theirs = stats.bootstrap(
        (values[:, 0],), np.mean, confidence_level=0.9, n_resamples=999, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_intervals_pass_over_what_is_not_there():
    rng = np.random.default_rng(0)
    values = rng.normal(3, 1, (400, 1))
    padded = np.concatenate([values, np.full((100, 1), np.nan)])
    low, high = intervals(np.hstack([padded, np.full((500, 1), np.nan)]), rng)
    assert low[0] < values.mean() < high[0]
    # about the normal interval of 400 values, not of 500
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert np.isnan([low[1], high[1]]).all()
    nobody = intervals(np.zeros((0, 2)), rng)
    assert np.isnan(nobody).all() and nobody[0].shape == (2,)


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(80, 300))
    low, high = intervals(values, rng, level=0.9, resamples=500)
    assert 0.83 < ((low <= 1) & (high >= 1)).mean() < 0.95


@pytest.mark.parametrize("n", [2, 5, 10])
def test_the_exact_test_is_that_of_scipy(n: int):
    differences = np.random.default_rng(n).normal(0.5, 1, n).round(1)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation_test(differences, np.random.default_rng(0)) == pytest.approx(theirs.pvalue, abs=1e-9)


def test_the_drawn_test_is_near_the_exact_one():
    differences = np.random.default_rng(1).normal(0.2, 1, 16)
    exact = permutation_test(differences, np.random.default_rng(0), resamples=2**16)
    drawn = permutation_test(differences, np.random.default_rng(0), resamples=20_000)
    assert 0.01 < exact < 0.5 and drawn == pytest.approx(exact, abs=0.015)


def test_p_values_of_clear_cases():
    rng = np.random.default_rng(0)
    assert permutation_test(np.zeros(30), rng) == 1
    assert permutation_test(np.array([np.nan]), rng) == 1
    assert permutation_test(np.ones(30), rng, resamples=999) == pytest.approx(1 / 1000)
    spread = np.array([0.1] * 8 + [np.nan] * 5)
    assert permutation_test(spread, rng) == pytest.approx(2 / 2**8)


def test_p_values_of_noise_are_even():
    """Where there is no difference, a twentieth of the p values is below a twentieth."""
    rng = np.random.default_rng(0)
    found = [permutation_test(rng.normal(size=40), rng, resamples=500) for _ in range(400)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_holm_by_hand():
    """Three p values: .01 * 3, .02 * 2, and .04, none below the one before it."""
    assert holm([0.04, 0.01, 0.02]).tolist() == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.02, 0.03]).tolist() == pytest.approx([0.04, 0.04])
    assert holm([0.7, 0.6]).tolist() == [1, 1]
    assert holm([]).shape == (0,)


def test_effect_sizes():
    differences = np.array([1.0, 2, 3, np.nan])
    assert effect_size(differences) == pytest.approx(2)
    # of paired samples it is the t statistic over the root of their number
    t = stats.ttest_rel([2, 4, 6], [1, 2, 3]).statistic
    assert effect_size(differences) == pytest.approx(t / np.sqrt(3))
    assert effect_size(np.full(4, -0.3)) == -np.inf and effect_size(np.zeros(4)) == 0
    assert np.isnan(effect_size(np.array([1.0])))


def test_a_winner_is_named_only_beyond_the_noise():
    rng = np.random.default_rng(0)
    base = rng.random(300)
    models = {
        "base": evaluation(ndcg_at_20=base, recall_at_20=base),
        "better": evaluation(ndcg_at_20=base + rng.normal(0.05, 0.1, 300), recall_at_20=base),
        "noise": evaluation(ndcg_at_20=base + rng.normal(0, 0.1, 300), recall_at_20=base),
    }
    found = compare(models, ["ndcg@20", "recall@20"], resamples=2000)
    verdicts = {(row.metric, row.model, row.other): row.higher for row in found.itertuples()}
    assert verdicts == {
        ("ndcg@20", "base", "better"): "better",
        ("ndcg@20", "base", "noise"): "",
        ("ndcg@20", "better", "noise"): "better",
        ("recall@20", "base", "better"): "",
        ("recall@20", "base", "noise"): "",
        ("recall@20", "better", "noise"): "",
    }
    first = found.iloc[0]
    assert first["difference"] == pytest.approx((base - models["better"].of("ndcg@20")).mean())
    assert first["low"] < first["difference"] < first["high"] < 0 and first["effect"] < -0.3
    assert (found["p_holm"] >= found["p"]).all() and (found["users"] == 300).all()
    assert found.equals(compare(models, ["ndcg@20", "recall@20"], resamples=2000))


def test_correction_keeps_many_comparisons_of_noise_quiet():
    rng = np.random.default_rng(1)
    models = {str(n): evaluation(ndcg_at_20=rng.random(60)) for n in range(8)}
    found = compare(models, resamples=2000)
    assert len(found) == 28 and (found["higher"] == "").all()


def test_users_without_a_figure_do_not_count():
    one = evaluation(ndcg_at_20=np.array([1.0, np.nan, 0.5]))
    other = evaluation(ndcg_at_20=np.array([0.5, np.nan, 0.5]))
    assert compare({"one": one, "other": other})[["difference", "users"]].to_numpy().tolist() == [[0.25, 2]]


def test_what_cannot_be_compared_is_refused():
    one, other = evaluation(ndcg_at_20=np.ones(3)), evaluation(ndcg_at_20=np.ones(4))
    with pytest.raises(ConfigError, match="fewer than two models"):
        compare({"one": one})
    with pytest.raises(SourceError, match="'one' and 'other' were evaluated on different users"):
        compare({"one": one, "other": other})
    with pytest.raises(UnknownId, match="no per-user metric 'ndcg@10'"):
        compare({"one": one, "same": one}, ["ndcg@10"])
    with pytest.raises(UnknownId, match="no bucket 'cold'"):
        compare({"one": one, "same": one}, bucket="cold")


def test_one_against_the_others_is_corrected_for_those_alone():
    rng = np.random.default_rng(0)
    models = {
        name: evaluation(ndcg_at_20=rng.normal(shift, 1, 300))
        for name, shift in (("a", 0), ("b", 1), ("c", 0))
    }
    alone = compare(models, against="b")
    assert [tuple(row) for row in alone[["model", "other"]].to_numpy()] == [("b", "a"), ("b", "c")]
    assert alone["higher"].tolist() == ["b", "b"] and (alone["difference"] > 0.7).all()
    np.testing.assert_array_equal(alone["p_holm"], holm(alone["p"].tolist()))
    every = compare(models)
    assert len(every) == 3 and every["difference"].iloc[0] == pytest.approx(-alone["difference"].iloc[0])
    with pytest.raises(UnknownId, match="no model 'd'"):
        compare(models, against="d")
