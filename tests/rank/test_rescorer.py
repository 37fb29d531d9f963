from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.rank.rescorer import Rescorer, best_first, unit_rows
from kgrec.storage import files

WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1], np.float32)
HISTORY_WEIGHT = np.array([1.0, 0.5, 2.0], np.float32)


def by_hand(weights: np.ndarray = WEIGHTS) -> Rescorer:
    """Three items, with two columns of neighbours and a text of two numbers."""
    return Rescorer(
        weights=weights,
        graph=sp.csr_matrix(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)),
        columns=np.array([3, 8]),
        text=np.array([[0, 1], [1, 0], [0, 0]], np.float16),
        co_occurrence=sp.csr_matrix(np.array([[0, 0.2, 0.1], [0.2, 0, 0], [0.5, 0.3, 0]], np.float32)),
        prior=np.zeros(3, np.float32),
    )


def histories(*rows: list[int]) -> sp.csr_matrix:
    return sp.csr_matrix(np.array(rows, np.float32))


def test_scores_are_these_sums():
    """The first user has items 0 and 1, which count for 1 and 0.5; the second has item 2."""
    candidates = np.array([[2, 0], [1, 0]])
    cosines = np.array([[0.7, -0.2], [0.1, 0.5]], np.float32)
    scores = by_hand().scores(histories([1, 1, 0], [0, 0, 1]), HISTORY_WEIGHT, candidates, cosines)
    length = np.sqrt(1.25)
    expected = [
        [
            # neighbours (1, 0.5) / length, text (0.5, 1) / length, and two items of a history of two
            0.4 * 0.7 + 0.3 * (0.6 * 1 + 0.8 * 0.5) / length + 0.2 * 0 + 0.1 * (0.5 + 0.3) / np.sqrt(2),
            0.4 * -0.2 + 0.3 * 1 / length + 0.2 * 1 / length + 0.1 * 0.2 / np.sqrt(2),
        ],
        [
            # item 2 has no text; what it counts for falls out of a cosine
            0.4 * 0.1 + 0.3 * 0.8 + 0.1 * 0,
            0.4 * 0.5 + 0.3 * 0.6 + 0.1 * 0.1,
        ],
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores.dtype == np.float32


def test_a_part_without_weight_is_zero():
    rescorer = by_hand(np.array([0.5, 0, 0.5, 0], np.float32))
    parts = rescorer.parts(histories([1, 1, 0]), HISTORY_WEIGHT, np.array([[0, 1]]))
    assert not parts[0].any() and not parts[2].any()
    np.testing.assert_allclose(parts[1], [[1 / np.sqrt(1.25), 0.5 / np.sqrt(1.25)]], rtol=1e-5)


def test_with_the_first_weight_alone_the_scores_are_the_cosines():
    idle = by_hand(np.array([1, 0, 0, 0], np.float32))
    assert idle.is_idle and not by_hand().is_idle
    cosines = np.array([[0.7, -np.inf]], np.float32)
    scores = idle.scores(histories([1, 1, 0]), HISTORY_WEIGHT, np.array([[2, 0]]), cosines)
    np.testing.assert_array_equal(scores, cosines)


def test_a_prior_is_added_whoever_asks_and_new_items_have_none():
    alone, prior = np.array([1, 0, 0, 0], np.float32), np.array([0, -0.5, 0], np.float32)
    candidates, cosines = np.array([[0, 1, 2]]), np.array([[0.5, 0.4, 0.3]], np.float32)
    asked = (histories([1, 0, 1]), HISTORY_WEIGHT, candidates, cosines)
    one = replace(by_hand(alone), prior=prior)
    assert by_hand(alone).is_idle and not one.is_idle
    np.testing.assert_allclose(one.scores(*asked), [[0.5, -0.1, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(
        replace(by_hand(), prior=prior).scores(*asked), by_hand().scores(*asked) + prior, rtol=1e-6
    )
    nothing = sp.csr_matrix((1, 2), dtype=np.float32), np.zeros((1, 2), np.float32)
    more = one.with_rows(np.array([3]), *nothing, np.array([True]), sp.csr_matrix((1, 3), dtype=np.float32))
    assert more.prior.tolist() == [0, -0.5, 0, 0] and more.prior.dtype == np.float32


def test_no_candidate_stays_last_and_an_empty_history_adds_nothing():
    cosines = np.array([[0.5, -np.inf]], np.float32)
    scores = by_hand().scores(histories([0, 0, 0]), HISTORY_WEIGHT, np.array([[2, 0]]), cosines)
    np.testing.assert_allclose(scores, [[0.4 * 0.5, -np.inf]])


def test_many_users_are_scored_as_each_alone():
    """More than are taken at once."""
    rng = np.random.default_rng(0)
    many = sp.csr_matrix((rng.random((300, 3)) < 0.6).astype(np.float32))
    candidates = rng.integers(0, 3, (300, 2))
    cosines = rng.normal(size=(300, 2)).astype(np.float32)
    co_occurrence = by_hand().scores(many, HISTORY_WEIGHT, candidates, cosines)
    for user in (0, 127, 128, 299):
        alone = by_hand().scores(many[[user]], HISTORY_WEIGHT, candidates[[user]], cosines[[user]])
        np.testing.assert_allclose(co_occurrence[[user]], alone, rtol=1e-5)


@pytest.mark.parametrize("item", [0, 1, 2])
def test_shares_add_up_to_the_weighted_parts(item):
    history = histories([1, 1, 0])
    parts = by_hand().parts(history, HISTORY_WEIGHT, np.array([[item]]))[:, 0, 0]
    shares = by_hand().shares(history, HISTORY_WEIGHT, item)
    assert [share.shape for share in shares] == [(2,)] * 3
    np.testing.assert_allclose([share.sum() for share in shares], WEIGHTS[1:] * parts, rtol=1e-5, atol=1e-7)


def test_new_items_are_scored_beside_the_known():
    longer = by_hand().with_rows(
        np.array([3]),
        sp.csr_matrix(np.array([[0.8, 0.6]], np.float32)),
        np.array([[1, 0]], np.float32),
        np.array([True]),
        sp.csr_matrix(np.array([[0.4, 0, 0]], np.float32)),
    )
    assert longer.co_occurrence.shape == (4, 4) and longer.text.dtype == np.float16
    weight = np.append(HISTORY_WEIGHT, np.float32(1))
    old = histories([1, 1, 0, 0])
    known = longer.parts(old, weight, np.array([[2, 0]]))
    before = by_hand().parts(histories([1, 1, 0]), HISTORY_WEIGHT, np.array([[2, 0]]))
    np.testing.assert_array_equal(known, before)
    length = np.sqrt(1.25)
    new = longer.parts(old, weight, np.array([[3]]))[:, 0, 0]
    np.testing.assert_allclose(new, [(0.8 + 0.3) / length, 0.5 / length, 0.4 / np.sqrt(2)], rtol=1e-5)


def test_a_known_row_is_replaced_and_keeps_what_goes_with_it():
    known = by_hand()
    other = known.with_rows(
        np.array([3, 1]),
        sp.csr_matrix(np.array([[0.8, 0.6], [0, 1]], np.float32)),
        np.array([[1, 0], [0, 1]], np.float32),
        np.array([True, False]),
        sp.csr_matrix(np.array([[0.4, 0, 0]], np.float32)),
    )
    graph, text, co_occurrence = known.graph.toarray(), known.text, known.co_occurrence.toarray()
    new = np.array([0.8, 0.6], np.float32)
    np.testing.assert_array_equal(other.graph.toarray(), [graph[0], [0, 1], graph[2], new])
    np.testing.assert_array_equal(other.text, [text[0], [0, 1], text[2], [1, 0]])
    np.testing.assert_array_equal(other.co_occurrence.toarray()[:3, :3], co_occurrence)
    np.testing.assert_array_equal(other.co_occurrence.toarray()[3], np.array([0.4, 0, 0, 0], np.float32))


def test_unit_rows_leave_a_zero_row_zero():
    units = unit_rows(sp.csr_matrix(np.array([[3, 4], [0, 0]], np.float32)))
    np.testing.assert_allclose(units.toarray(), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert units.dtype == np.float32


# on disk


def load(path: Path, n_items: int) -> Rescorer:
    return Rescorer.of_arrays(files.map_tensors(path), n_items)


def test_what_is_written_is_read_again(tmp_path):
    files.write_tensors(by_hand().arrays(), tmp_path / "rescore.safetensors")
    read, written = load(tmp_path / "rescore.safetensors", 3).arrays(), by_hand().arrays()
    assert read.keys() == written.keys()
    for name, array in written.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "rescore.safetensors"
    files.write_tensors(by_hand().arrays(), path)
    with pytest.raises(ValueError, match="is not of 4 items"):
        load(path, 4)
    outside = by_hand().arrays() | {"co_occurrence.indices": np.array([1, 2, 0, 0, 3], np.int32)}
    files.write_tensors(outside, path)
    with pytest.raises(ValueError, match="columns of 'co_occurrence'"):
        load(path, 3)
    files.write_tensors(replace(by_hand(), columns=np.array([3])).arrays(), path)
    with pytest.raises(ValueError, match="columns of 'graph'"):
        load(path, 3)
    for name in by_hand().arrays():
        files.write_tensors({n: a for n, a in by_hand().arrays().items() if n != name}, path)
        with pytest.raises(ValueError, match=f"has no array '{name}'"):
            load(path, 3)
    files.write_tensors(replace(by_hand(), prior=np.zeros(2, np.float32)).arrays(), path)
    with pytest.raises(ValueError, match="is not of 3 items"):
        load(path, 3)


@given(data=st.data(), width=st.integers(1, 6), k=st.integers(1, 7))
def test_lists_are_cut_by_score_and_then_by_row(data: st.DataObject, width: int, k: int):
    rows = data.draw(st.lists(st.permutations(range(width)), min_size=1, max_size=3))
    values = st.sampled_from([0.5, 0.25, 0.0, -np.inf])
    scores = [data.draw(st.lists(values, min_size=width, max_size=width)) for _ in rows]
    found, best = best_first(np.array(rows), np.array(scores, np.float32), k)
    for n, (names, marks) in enumerate(zip(rows, scores, strict=True)):
        expected = sorted(zip(names, marks, strict=True), key=lambda pair: (-pair[1], pair[0]))[:k]
        assert list(zip(found[n].tolist(), best[n].tolist(), strict=True)) == expected
