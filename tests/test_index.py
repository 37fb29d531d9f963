import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import CorruptArtifact
from kgrec.index import IndexConfig, VectorIndex

#: cosines with (1, 0): 1, 0, -1, .6, 1
VECTORS = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8], [1, 0]], np.float32)
QUERY = np.array([[1, 0]], np.float32)


def brute(vectors, queries, k, exclude, only):
    """The definition: allowed rows by falling score, then by row."""
    rows, scores = np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32)
    for q, query in enumerate(queries):
        allowed = range(len(vectors)) if only is None else sorted(set(only.tolist()))
        allowed = [row for row in allowed if exclude is None or row not in exclude[q]]
        ranked = sorted(allowed, key=lambda row: (-float(vectors[row] @ query), row))[:k]
        rows[q, : len(ranked)] = ranked
        scores[q, : len(ranked)] = [vectors[row] @ query for row in ranked]
    return rows, scores


def test_the_best_rows_come_first_and_equal_ones_in_order():
    rows, scores = VectorIndex(VECTORS).search(QUERY, 4)
    assert rows.tolist() == [[0, 4, 3, 1]]
    np.testing.assert_allclose(scores, [[1, 1, 0.6, 0]])
    assert (rows.dtype, scores.dtype) == (np.int64, np.float32)


def test_where_fewer_rows_are_left_the_rest_is_none():
    exclude = [np.array([0, 4, 3])]
    rows, scores = VectorIndex(VECTORS).search(QUERY, 4, exclude=exclude, only=np.array([2, 0, 1]))
    assert rows.tolist() == [[1, 2, -1, -1]]
    assert scores.tolist() == [[0, -1, -np.inf, -np.inf]]


def test_each_query_has_exclusions_of_its_own():
    exclude = [np.array([0]), np.array([], np.int64), np.arange(5)]
    rows, _ = VectorIndex(VECTORS).search(np.repeat(QUERY, 3, axis=0), 2, exclude=exclude)
    assert rows.tolist() == [[4, 3], [0, 4], [-1, -1]]


def test_a_row_named_twice_is_found_once():
    rows, scores = VectorIndex(VECTORS).search(QUERY, 3, only=np.array([3, 1, 3, 3]))
    assert rows.tolist() == [[3, 1, -1]] and scores[0, 2] == -np.inf


def test_no_row_allowed_and_no_query():
    index = VectorIndex(VECTORS)
    rows, scores = index.search(QUERY, 2, only=np.array([], np.int64), exclude=[np.array([1])])
    assert rows.tolist() == [[-1, -1]] and (scores == -np.inf).all()
    assert index.search(QUERY[:0], 2)[0].shape == (0, 2)


@st.composite
def _searches(draw):
    """Whole numbers, so that scores are exact and often equal."""
    n, queries, dim = draw(st.integers(1, 40)), draw(st.sampled_from([1, 3, 30])), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    some = st.lists(st.integers(0, n - 1), max_size=n, unique=True)
    only = draw(st.none() | some.map(lambda rows: np.array(rows, np.int64)))
    excluded = draw(st.lists(some, min_size=3, max_size=3))
    exclude = draw(st.sampled_from([None, [np.array(excluded[q % 3], np.int64) for q in range(queries)]]))
    vectors = rng.integers(-2, 3, (n, dim)).astype(np.float32)
    return (
        vectors,
        rng.integers(-2, 3, (queries, dim)).astype(np.float32),
        draw(st.integers(1, 50)),
        exclude,
        only,
    )


@given(_searches())
def test_a_search_equals_comparing_with_every_row(search):
    vectors, queries, k, exclude, only = search
    rows, scores = VectorIndex(vectors).search(queries, k, exclude=exclude, only=only)
    expected_rows, expected_scores = brute(vectors, queries, k, exclude, only)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(rows, expected_rows)


def test_many_queries_are_searched_in_parts():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    queries = rng.normal(size=(1500, 4)).astype(np.float32)
    exclude = [np.array([q % 30]) for q in range(1500)]
    rows, scores = VectorIndex(vectors).search(queries, 30, exclude=exclude)
    expected = queries @ vectors.T
    expected[np.arange(1500), np.arange(1500) % 30] = -np.inf
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1), rtol=1e-4, atol=1e-5)
    assert (rows[:, :29] != np.arange(1500)[:, None] % 30).all() and (rows[:, 29] == -1).all()


def test_added_rows_follow_the_others_and_survive_the_disk(tmp_path):
    index = VectorIndex(VECTORS[:3], IndexConfig(threads=1))
    index.add(VECTORS[3:])
    index.save(tmp_path / "index.faiss")
    stored = VectorIndex.load(tmp_path / "index.faiss", (5, 2))
    assert len(index) == len(stored) == 5
    for one, other in zip(index.search(QUERY, 5), stored.search(QUERY, 5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_that_is_no_index_is_corrupt(tmp_path):
    path = tmp_path / "index.faiss"
    path.write_bytes(b"no index")
    with pytest.raises(CorruptArtifact) as raised:
        VectorIndex.load(path, (5, 2))
    assert raised.value.problem.startswith(f"{path} is not a FAISS index (")
    assert raised.value.remedy == "Make the folder again, or restore it from a copy."


@pytest.mark.parametrize("shape", [(4, 2), (5, 3)])
def test_an_index_of_another_shape_is_corrupt(tmp_path, shape):
    path = tmp_path / "index.faiss"
    VectorIndex(VECTORS).save(path)
    with pytest.raises(CorruptArtifact) as raised:
        VectorIndex.load(path, shape)
    assert raised.value.problem == f"{path} has shape (5, 2) where {shape} was expected."
