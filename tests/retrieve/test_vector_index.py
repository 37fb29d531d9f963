import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgrec.errors import CorruptArtifact
from kgrec.retrieve import Built, IndexConfig, VectorIndex
from kgrec.retrieve.exact import Exact
from kgrec.retrieve.recall import MeasuredEffort, least_effort, measured
from kgrec.storage import artifacts, files

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


def test_the_best_rows_come_first_and_ties_in_order():
    rows, scores = VectorIndex.build(VECTORS).search(QUERY, 4)
    assert rows.tolist() == [[0, 4, 3, 1]]
    np.testing.assert_allclose(scores, [[1, 1, 0.6, 0]])
    assert (rows.dtype, scores.dtype) == (np.int64, np.float32)


def test_missing_rows_are_minus_one():
    exclude = [np.array([0, 4, 3])]
    rows, scores = VectorIndex.build(VECTORS).search(QUERY, 4, exclude=exclude, only=np.array([2, 0, 1]))
    assert rows.tolist() == [[1, 2, -1, -1]]
    assert scores.tolist() == [[0, -1, -np.inf, -np.inf]]


def test_each_query_has_its_own_exclusions():
    exclude = [np.array([0]), np.array([], np.int64), np.arange(5)]
    rows, _ = VectorIndex.build(VECTORS).search(np.repeat(QUERY, 3, axis=0), 2, exclude=exclude)
    assert rows.tolist() == [[4, 3], [0, 4], [-1, -1]]


def test_a_row_named_twice_is_found_once():
    rows, scores = VectorIndex.build(VECTORS).search(QUERY, 3, only=np.array([3, 1, 3, 3]))
    assert rows.tolist() == [[3, 1, -1]] and scores[0, 2] == -np.inf


def test_no_row_allowed_and_no_query():
    index = VectorIndex.build(VECTORS)
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
def test_a_search_equals_the_definition(search):
    vectors, queries, k, exclude, only = search
    rows, scores = VectorIndex.build(vectors).search(queries, k, exclude=exclude, only=only)
    expected_rows, expected_scores = brute(vectors, queries, k, exclude, only)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(rows, expected_rows)


def test_many_queries_are_searched_in_batches():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    queries = rng.normal(size=(1500, 4)).astype(np.float32)
    exclude = [np.array([q % 30]) for q in range(1500)]
    rows, scores = VectorIndex.build(vectors).search(queries, 30, exclude=exclude)
    expected = queries @ vectors.T
    expected[np.arange(1500), np.arange(1500) % 30] = -np.inf
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1), rtol=1e-4, atol=1e-5)
    assert (rows[:, :29] != np.arange(1500)[:, None] % 30).all() and (rows[:, 29] == -1).all()


APPROXIMATE = ["hnsw", "ivf", "ivfpq"]


def unit(generator, n, dim):
    vectors = generator.normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module", params=APPROXIMATE)
def large(request):
    """Large enough for an approximate search with a configured effort; every third vector is duplicated."""
    rng = np.random.default_rng(0)
    # in few directions of many, so that little must be looked at, and comparing with every one takes long
    directions = np.linalg.qr(rng.standard_normal((128, 8)))[0].T.astype(np.float32)
    vectors, queries = (unit(rng, n, 8) @ directions for n in (20_000, 25))
    vectors[1::3] = vectors[0::3][: len(vectors[1::3])]
    return VectorIndex.build(vectors, IndexConfig(kind=request.param)), vectors, queries


@pytest.mark.parametrize("kind", APPROXIMATE)
@given(_searches())
def test_few_rows_are_searched_exhaustively_by_every_kind(kind, search):
    vectors, queries, k, exclude, only = search
    rows, scores = VectorIndex.build(vectors, IndexConfig(kind=kind)).search(
        queries, k, exclude=exclude, only=only
    )
    expected_rows, expected_scores = brute(vectors, queries, k, exclude, only)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(rows, expected_rows)


def test_an_approximate_index_reaches_the_required_recall(large):
    index, vectors, queries = large
    assert index.built.effort >= 1 and index.built.holds and index.built.recall >= 0.98
    assert (index.built.k, index.built.sample) == (100, 1000)
    scores = index.search(queries, 100)[1]
    exact = -np.sort(-(queries @ vectors.T), axis=1)[:, 99:100]
    assert (scores >= exact - 1e-6).mean() >= 0.97


@given(st.data())
def test_a_filter_never_shortens_a_list(large, data):
    index, vectors, queries = large
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    k, share = data.draw(st.sampled_from([1, 10, 300])), data.draw(st.sampled_from([0.9, 0.5, 0.01, 0.001]))
    nearest = np.argsort(-(queries @ vectors.T), axis=1)
    exclude = [nearest[q, : data.draw(st.sampled_from([0, 5, 2000]))] for q in range(3)]
    only = np.flatnonzero(rng.random(len(vectors)) < share)
    rows, scores = index.search(queries[:3], k, exclude=exclude, only=only)
    for query, out, found, values in zip(queries, exclude, rows, scores, strict=False):
        left = np.setdiff1d(only, out)
        wanted = min(k, len(left))
        assert (found[:wanted] >= 0).all() and (found[wanted:] == -1).all()
        assert len(set(found[:wanted])) == wanted and np.isin(found[:wanted], left).all()
        np.testing.assert_allclose(values[:wanted], vectors[found[:wanted]] @ query, atol=1e-5)
        order = np.lexsort((found[:wanted], -values[:wanted]))
        assert (order == np.arange(wanted)).all()
        if wanted and share <= 0.01:
            best = -np.sort(-(vectors[left] @ query))[wanted - 1]
            assert (values[:wanted] >= best - 1e-6).all()


def test_rows_far_from_the_query_are_found_exhaustively(large):
    index, vectors, queries = large
    for query in queries[:3]:
        only = np.argsort(vectors @ query)[: len(vectors) // 2]
        rows, _ = index.search(query[None], 20, only=only)
        best = -np.sort(-(vectors[only] @ query))[:20]
        np.testing.assert_allclose(vectors[rows[0]] @ query, best, atol=1e-5)


def test_added_rows_are_found_and_the_old_index_is_unchanged(large):
    index, vectors, queries = large
    more = index.extended(np.concatenate([vectors, queries]))
    assert (len(index), len(more)) == (20_000, 20_025)
    assert more.search(queries, 1)[0][:, 0].tolist() == list(range(20_000, 20_025))
    assert (index.search(queries, 1)[0] < 20_000).all()


def test_a_mapped_index_equals_the_saved_one_survives_its_file_and_can_be_extended(large, tmp_path):
    index, vectors, queries = large
    index.save(tmp_path)
    stored = VectorIndex.load(tmp_path, vectors, index.built)
    (tmp_path / "index.faiss").unlink()
    for one, other in zip(index.search(queries, 50), stored.search(queries, 50), strict=True):
        np.testing.assert_array_equal(one, other)
    more = stored.extended(np.concatenate([vectors, queries]))
    assert more.search(queries, 1)[0][:, 0].tolist() == list(range(20_000, 20_025))


def test_an_index_is_read_from_one_folder_even_if_it_is_replaced_meanwhile(large, tmp_path):
    index, vectors, queries = large
    kind, folder = index.built.kind, tmp_path / "model"
    others = vectors[::-1].copy()

    def write(rows):
        made = VectorIndex.build(rows, IndexConfig(kind=kind, effort=index.built.effort), queries)
        with artifacts.writing(folder, kind="model") as place:
            files.write_array(rows, place / "vectors.npy")
            made.save(place)
            files.write_json(made.built.model_dump(), place / "built.json")
        return made

    def load(place, _):
        rows = files.map_array(place / "vectors.npy", (None, 128))
        if (rows == vectors).all():
            after.append(write(others))
        built = Built.model_validate(files.read_json(place / "built.json"))
        return VectorIndex.load(place, rows, built)

    before, after = write(vectors), []
    early = VectorIndex.load(folder, files.map_array(folder / "vectors.npy", (None, 128)), before.built)
    late = artifacts.reading(folder, "model", load)
    assert len(after) == 1
    for loaded, made in ((early, before), (late, after[0])):
        for one, other in zip(loaded.search(queries, 50), made.search(queries, 50), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_effort_is_doubled_until_recall_is_reached_or_to_the_largest():
    recall = {8: 0.5, 16: 0.9, 32: 0.99, 40: 1.0}
    assert least_effort(recall.__getitem__, (8, 40), IndexConfig()) == (32, 0.99)
    assert least_effort(recall.__getitem__, (8, 16), IndexConfig()) == (16, 0.9)
    assert least_effort(recall.__getitem__, (8, 40), IndexConfig(min_recall=1)) == (40, 1.0)
    assert least_effort(recall.__getitem__, (8, 40), IndexConfig(effort=16)) == (16, 0.9)


MEASURED = Built(
    kind="ivf",
    effort=8,
    k=100,
    recall=0.99,
    min_recall=0.98,
    sample=3,
    longer=(MeasuredEffort(k=200, effort=16, recall=0.985), MeasuredEffort(k=400, effort=64, recall=0.981)),
)


def test_effort_for_interpolates_the_measured_efforts():
    # between 100 and 200 as the length, between 200 and 400 as its square
    asked = [1, 100, 125, 200, 283, 400, 401, 10_000]
    assert [MEASURED.effort_for(k) for k in asked] == [8, 8, 10, 16, 33, 64, None, None]
    alone = Built(kind="ivf", effort=8, k=40)
    assert [alone.effort_for(k) for k in (40, 41)] == [8, None]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(1, 5000))
def test_a_longer_list_never_takes_less_effort(doublings, k):
    efforts = 8 << np.cumsum(doublings)
    longer = tuple(MeasuredEffort(k=200 << n, effort=int(e), recall=1) for n, e in enumerate(efforts))
    built = Built(kind="hnsw", effort=8, k=100, longer=longer)
    effort, more = built.effort_for(k), built.effort_for(k + 1)
    assert (effort is None) == (k > longer[-1].k)
    if more is not None:
        assert 8 <= effort <= more <= longer[-1].effort
        after = next((held for held in longer if held.k >= k + 1), longer[-1])
        assert more <= after.effort


def test_long_lists_reach_the_required_recall_too(large):
    index, vectors, queries = large
    lengths = [held.k for held in index.built.longer]
    assert lengths and lengths == [200, 400, 800, 1600][: len(lengths)]
    exact = -np.sort(-(queries @ vectors.T), axis=1)
    for held in index.built.longer:
        assert held.recall >= 0.98
        scores = index._approximate.best(queries, held.k, held.effort)[1]
        assert (scores >= exact[:, held.k - 1 : held.k] - 1e-6).mean() >= 0.97


def test_lengths_are_measured_while_recall_is_reached_and_they_pay():
    """The recall of the index of this test falls with the length of a list and rises with the effort."""

    class Partial:
        efforts = (1, 64)

        def best(self, queries, k, effort):
            found = -np.sort(-(queries @ rows.T), axis=1)[:, :k].astype(np.float32)
            found[:, int(k * min(1.0, effort * 100 / k)) :] = -np.inf
            return None, found

    rng = np.random.default_rng(0)
    rows, queries = (rng.standard_normal((n, 8)).astype(np.float32) for n in (1000, 20))
    index, exact = Partial(), Exact(rows)
    always = measured("ivf", index, exact, queries, IndexConfig(), lambda *_: True)
    assert (always.k, always.effort, always.recall) == (100, 1, 1)
    assert [(held.k, held.effort) for held in always.longer] == [(200, 2), (400, 4), (800, 8)]
    cheap = measured("ivf", index, exact, queries, IndexConfig(), lambda k, effort: effort * k < 1000)
    assert [held.k for held in cheap.longer] == [200]
    index.efforts = (1, 2)
    short = measured("ivf", index, exact, queries, IndexConfig(), lambda *_: True)
    assert [held.k for held in short.longer] == [200]
    assert short.holds


def test_built_describes_its_measurements():
    built = Built(kind="hnsw", effort=4096, recall=0.9, min_recall=0.98, k=100, sample=1000)
    assert not built.holds
    assert str(built) == (
        "Index: hnsw, recall@100 0.900 for 1,000 users at effort 4,096, below index.min_recall 0.98 at the "
        "largest effort. Choose index.kind=flat or ivf, or a lower index.min_recall."
    )
    assert MEASURED.holds and not MEASURED.model_copy(update={"recall": 0.97}).holds
    assert str(MEASURED) == "Index: ivf, recall@100 0.990 for 3 users at effort 8, recall@400 0.981 at 64."
    assert str(Built(kind="ivf", effort=8, recall=1.0, min_recall=0.98, k=100, sample=3)) == (
        "Index: ivf, recall@100 1.000 for 3 users at effort 8."
    )


def test_auto_chooses_by_size_and_memory():
    auto, gigabyte = IndexConfig(), 1 << 30
    assert auto.kind_for(100_000, 256, gigabyte) == "flat"
    assert auto.kind_for(1_000_000, 256, 24 * gigabyte) == "ivf"
    assert auto.kind_for(1_000_000, 256, 4 * gigabyte) == "ivf"
    assert auto.kind_for(1_000_000, 256, 3 * gigabyte) == "ivfpq"
    assert IndexConfig(kind="ivf").kind_for(1, 1) == "ivf"


def test_a_flat_index_writes_nothing_and_can_be_extended(tmp_path):
    index = VectorIndex.build(VECTORS[:3], IndexConfig(threads=1)).extended(VECTORS)
    index.save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert VectorIndex.load(tmp_path, VECTORS, Built()).search(QUERY, 4)[0].tolist() == [[0, 4, 3, 1]]


def test_a_file_that_is_not_an_index_is_corrupt(tmp_path):
    path = tmp_path / "index.faiss"
    path.write_bytes(b"no index")
    with pytest.raises(CorruptArtifact) as raised:
        VectorIndex.load(tmp_path, VECTORS, Built(kind="ivf"))
    assert raised.value.problem.startswith(f"{path} is not a FAISS index (")
    assert raised.value.remedy == "Make the folder again, or restore it from a copy."


def test_an_index_of_another_kind_or_shape_is_corrupt(tmp_path):
    path = tmp_path / "index.faiss"
    VectorIndex.build(VECTORS, IndexConfig(kind="ivf")).save(tmp_path)
    with pytest.raises(CorruptArtifact) as raised:
        VectorIndex.load(tmp_path, VECTORS[:4], Built(kind="ivf"))
    assert raised.value.problem == f"{path} has shape (5, 2) where (4, 2) was expected."
    with pytest.raises(CorruptArtifact) as raised:
        VectorIndex.load(tmp_path, VECTORS, Built(kind="hnsw"))
    assert raised.value.problem == f"{path} holds an IndexIVFFlat where an IndexHNSWFlat was expected."
