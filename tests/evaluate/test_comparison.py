"""Comparisons of models: a winner is named only if the difference is significant."""

import numpy as np
import pytest

from kgrec.errors import ConfigError, SourceError, UnknownId
from kgrec.evaluate.comparison import compare
from kgrec.evaluate.evaluation import Evaluation
from kgrec.graph.vocabulary import Vocabulary
from kgrec.metrics.significance import holm


def evaluation(**metrics: np.ndarray) -> Evaluation:
    named = {name.replace("_at_", "@"): values for name, values in metrics.items()}
    users = Vocabulary([str(n) for n in range(len(next(iter(named.values()))))])
    return Evaluation(users, {"": named}, {"": {}}, {"": len(users)})


def test_a_winner_is_named_only_if_the_difference_is_significant():
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


def test_correction_finds_no_winner_in_many_comparisons_of_noise():
    rng = np.random.default_rng(1)
    models = {str(n): evaluation(ndcg_at_20=rng.random(60)) for n in range(8)}
    found = compare(models, resamples=2000)
    assert len(found) == 28 and (found["higher"] == "").all()


def test_users_without_a_value_do_not_count():
    one = evaluation(ndcg_at_20=np.array([1.0, np.nan, 0.5]))
    other = evaluation(ndcg_at_20=np.array([0.5, np.nan, 0.5]))
    assert compare({"one": one, "other": other})[["difference", "users"]].to_numpy().tolist() == [[0.25, 2]]


def test_models_that_cannot_be_compared_are_refused():
    one, other = evaluation(ndcg_at_20=np.ones(3)), evaluation(ndcg_at_20=np.ones(4))
    with pytest.raises(ConfigError, match="fewer than two models"):
        compare({"one": one})
    with pytest.raises(SourceError, match="'one' and 'other' were evaluated on different users"):
        compare({"one": one, "other": other})
    with pytest.raises(UnknownId, match="no per-user metric 'ndcg@10'"):
        compare({"one": one, "same": one}, ["ndcg@10"])
    with pytest.raises(UnknownId, match="no bucket 'cold'"):
        compare({"one": one, "same": one}, bucket="cold")


def test_against_one_model_p_values_are_corrected_for_these_comparisons_only():
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
