from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from by_hand import HISTORY_WEIGHT, WEIGHTS, rescorer, scorers, users

from kgrec.rank.config import SCORERS
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.scorers import UserProfiles
from kgrec.storage import files
from kgrec.storage.segments import Rows


def test_scores_are_these_sums():
    """The first user has items 0 and 1 with weights 1 and 0.5; the second has item 2."""
    candidates = np.array([[2, 0], [1, 0]])
    cosines = np.array([[0.7, -0.2], [0.1, 0.5]], np.float32)
    scores = rescorer().scores(users([1, 1, 0], [0, 0, 1]), candidates, cosines)
    length, two = np.sqrt(1.25), np.sqrt(2)
    expected = np.array(
        [
            [
                # neighbours (1, 0.5) / length, text (0.5, 1) / length, and two items of a history of two
                0.4 * 0.7 + 0.3 * (0.6 * 1 + 0.8 * 0.5) / length + 0.1 * 0 + 0.1 * (0.5 + 0.3) / two,
                0.4 * -0.2 + 0.3 * 1 / length + 0.1 * 1 / length + 0.1 * 0.2 / two,
            ],
            [
                # item 2 has no text; what it counts for falls out of a cosine
                0.4 * 0.1 + 0.3 * 0.8 + 0.1 * 0,
                0.4 * 0.5 + 0.3 * 0.6 + 0.1 * 0.1,
            ],
        ]
    )
    # sequence, where each of two items without order has three quarters; and random walks
    expected[0] += 0.06 * 0.75 * np.array([0.8 + 0.6, 0.4]) / np.sqrt(1.5)
    expected[0] += 0.04 * np.array([0.4 - 0.25, 0.2]) / two
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores.dtype == np.float32


def test_a_scorer_without_weight_is_not_computed():
    parts = rescorer(embedding=0.5, text=0.5).parts(users([1, 1, 0]), np.array([[0, 1]]))
    assert [*parts] == ["text"]
    np.testing.assert_allclose(parts["text"], [[1 / np.sqrt(1.25), 0.5 / np.sqrt(1.25)]], rtol=1e-5)


def test_with_the_embeddings_weight_alone_the_scores_are_the_cosines():
    idle = rescorer(embedding=1)
    assert idle.is_idle and not rescorer().is_idle
    cosines = np.array([[0.7, -np.inf]], np.float32)
    np.testing.assert_array_equal(idle.scores(users([1, 1, 0]), np.array([[2, 0]]), cosines), cosines)


def test_a_prior_is_added_for_every_user_and_new_items_have_none():
    prior = Rows.of(np.array([0, -0.5, 0], np.float32))
    candidates, cosines = np.array([[0, 1, 2]]), np.array([[0.5, 0.4, 0.3]], np.float32)
    asked = (users([1, 0, 1]), candidates, cosines)
    alone = replace(rescorer(embedding=1), prior=prior)
    assert not alone.is_idle
    np.testing.assert_allclose(alone.scores(*asked), [[0.5, -0.1, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(
        replace(rescorer(), prior=prior).scores(*asked), rescorer().scores(*asked) + prior.whole, rtol=1e-6
    )
    more = alone.with_items(4).prior
    assert more.whole.tolist() == [0, -0.5, 0, 0] and more.whole.dtype == np.float32


def test_missing_candidates_stay_last_and_an_empty_history_adds_nothing():
    cosines = np.array([[0.5, -np.inf]], np.float32)
    scores = rescorer().scores(users([0, 0, 0]), np.array([[2, 0]]), cosines)
    np.testing.assert_allclose(scores, [[0.4 * 0.5, -np.inf]])


def test_many_users_are_scored_as_each_alone():
    """More users than one step scores."""
    rng = np.random.default_rng(0)
    many = sp.csr_matrix((rng.random((300, 3)) < 0.6).astype(np.float32))
    candidates = rng.integers(0, 3, (300, 2))
    cosines = rng.normal(size=(300, 2)).astype(np.float32)
    together = rescorer().scores(UserProfiles(many, HISTORY_WEIGHT), candidates, cosines)
    for user in (0, 127, 128, 299):
        one = UserProfiles(many[[user]], HISTORY_WEIGHT)
        alone = rescorer().scores(one, candidates[[user]], cosines[[user]])
        np.testing.assert_allclose(together[[user]], alone, rtol=1e-5)


@pytest.mark.parametrize("item", [0, 1, 2])
def test_shares_add_up_to_the_weighted_parts(item: int):
    user = users([1, 1, 0])
    parts = rescorer().parts(user, np.array([[item]]))
    shares = rescorer().shares(user, np.array([item]))
    assert [*shares] == [name for name in SCORERS if name != "embedding"]
    for name, share in shares.items():
        assert share.shape == (2, 1)
        assert share.sum() == pytest.approx(WEIGHTS[name] * parts[name][0, 0], rel=1e-5, abs=1e-7)
    idle = rescorer(embedding=1).shares(user, np.array([item]))
    assert not any(share.any() for share in idle.values())


def test_with_scorer_replaces_a_scorer_by_name():
    text = scorers()["text"].with_rows(np.array([2]), np.array([[0, 1]], np.float32))
    candidates, cosines = np.array([[0, 2]]), np.zeros((1, 2), np.float32)
    before, after = (
        one.scores(users([1, 0, 0]), candidates, cosines)
        for one in (
            rescorer(embedding=0.5, text=0.5),
            rescorer(embedding=0.5, text=0.5).with_scorer("text", text),
        )
    )
    np.testing.assert_allclose(before, [[0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(after, [[0.5, 0.5]], atol=1e-6)


def test_weights_are_proportions():
    expected = {**dict.fromkeys(SCORERS, 0), "embedding": 0.75, "text": 0.25}
    assert proportions({"embedding": 3, "text": 1}) == expected
    assert not any(proportions({}).values())


# on disk


def load(path: Path, n_items: int) -> Rescorer:
    return Rescorer.of_arrays(files.map_tensors(path), n_items)


def test_arrays_survive_a_round_trip(tmp_path: Path):
    files.write_tensors(rescorer().arrays(), tmp_path / "rescore.safetensors")
    read, written = load(tmp_path / "rescore.safetensors", 3).arrays(), rescorer().arrays()
    assert read.keys() == written.keys()
    for name, array in written.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_arrays_of_wrong_shapes_are_refused(tmp_path: Path):
    path, arrays = tmp_path / "rescore.safetensors", rescorer().arrays()
    files.write_tensors(arrays, path)
    with pytest.raises(ValueError, match="is not of 4 items"):
        load(path, 4)
    outside = {"co_occurrence.indices": np.array([1, 2, 0, 0, 3], np.int32)}
    files.write_tensors(arrays | outside, path)
    with pytest.raises(ValueError, match="columns of 'co_occurrence'"):
        load(path, 3)
    files.write_tensors(arrays | {"columns": np.array([3])}, path)
    with pytest.raises(ValueError, match="columns of 'graph'"):
        load(path, 3)
    for missing in ("weight.text", "prior", "text", "columns", "graph.indptr"):
        files.write_tensors({name: array for name, array in arrays.items() if name != missing}, path)
        with pytest.raises(ValueError, match=f"has no array '{missing}'"):
            load(path, 3)
    files.write_tensors(arrays | {"prior": np.zeros(2, np.float32)}, path)
    with pytest.raises(ValueError, match="is not of 3 items"):
        load(path, 3)
