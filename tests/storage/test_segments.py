import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kgrec.storage.segments import Rows


def dense(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_changed_and_added_rows_are_read_in_their_places():
    base = dense([1, 1], [2, 2], [3, 3])
    rows = Rows.of(base).with_rows(np.array([3, 1]), dense([4, 4], [9, 9]))
    assert len(rows) == 4 and rows.shape == (4, 2)
    assert rows[np.array([3, 0, 1, -1])].tolist() == [[4, 4], [1, 1], [9, 9], [4, 4]]
    assert rows[1].tolist() == [9, 9] and rows[1:3].tolist() == [[9, 9], [3, 3]]
    labels = Rows.of(np.array(["a"], object)).with_rows(np.array([1]), np.array(["b"], object))
    assert (labels[0], labels[1], labels[-1]) == ("a", "b", "b")
    assert rows[np.array([[0, 1], [2, 3]])].shape == (2, 2, 2)
    assert rows.whole.tolist() == [[1, 1], [9, 9], [3, 3], [4, 4]]
    assert base.tolist() == [[1, 1], [2, 2], [3, 3]], "the base stays as it is"


def test_a_later_change_of_a_row_takes_the_place_of_an_earlier_one():
    rows = Rows.of(dense([1], [2])).with_rows(np.array([0, 2]), dense([5], [6]))
    later = rows.with_rows(np.array([2, 3]), dense([7], [8]))
    assert later.whole.ravel().tolist() == [5, 2, 7, 8]
    assert rows.whole.ravel().tolist() == [5, 2, 6]
    assert later.at.tolist() == [0, 2, 3]


def test_a_change_copies_the_delta_alone():
    base = dense(*([n] for n in range(1000)))
    rows = Rows.of(base).with_rows(np.array([1000]), dense([1]))
    assert rows.base is base and len(rows.delta) == 1
    assert Rows.of(base).whole is base
    assert rows.with_rows(np.zeros(0, np.int64), base[:0]) is rows


def test_merged_rows_are_one_base():
    rows = Rows.of(dense([1], [2])).with_rows(np.array([1]), dense([5])).merged()
    assert rows.base.ravel().tolist() == [1, 5] and not len(rows.at)


@pytest.mark.parametrize("sparse", [False, True])
@given(data=st.data())
def test_rows_are_those_of_an_array_that_is_changed_in_place(sparse: bool, data: st.DataObject):
    base = np.arange(8, dtype=np.float32).reshape(4, 2)
    rows, expected = Rows.of(sp.csr_matrix(base) if sparse else base), base
    for change in range(data.draw(st.integers(0, 3))):
        size = len(expected)
        some = data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=3))
        at = np.array([*some, *range(size, size + data.draw(st.integers(0, 2)))], np.int64)
        values = (np.arange(2 * len(at), dtype=np.float32) + 100 * (change + 1)).reshape(len(at), 2)
        rows = rows.with_rows(at, sp.csr_matrix(values) if sparse else values)
        expected = np.concatenate([expected, np.zeros((len(at) - len(some), 2), np.float32)])
        expected[at] = values
    asked = np.array(data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=6)), np.int64)
    found = rows[asked]
    np.testing.assert_array_equal(found.toarray() if sparse else found, expected[asked])
    whole = rows.whole
    np.testing.assert_array_equal(whole.toarray() if sparse else whole, expected)
