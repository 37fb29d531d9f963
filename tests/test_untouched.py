"""The random states and the values of the caller are the same after a call as before it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from text_encoders import BagOfWords

import kgrec
from kgrec.encode.sparse import Adjacency
from kgrec.encode.whitening import Whitening
from kgrec.evaluate.baselines.baseline_data import BaselineData
from kgrec.evaluate.baselines.nearest_neighbors import largest
from kgrec.evaluate.baselines.registry import BASELINES
from kgrec.evaluate.baselines.tune import tune
from kgrec.metrics import beyond_accuracy, topk
from kgrec.rank.slim import item_weights
from kgrec.retrieve import IndexConfig, VectorIndex

CONFIG = kgrec.Config.read(settings=["dim=8", "epochs=2", "train.threads=1", "search_seconds=0"])
#: so that a fit is quick
SMALL: dict[str, dict[str, int]] = {
    "ials": {"dim": 4},
    "bpr": {"dim": 4, "iterations": 5},
    "pure-svd": {"dim": 4},
    "lightgcn": {"dim": 4, "epochs": 2},
    "kgat": {"dim": 4, "epochs": 2},
    "gru4rec": {"dim": 4, "epochs": 2},
    "sasrec": {"dim": 4, "epochs": 2},
    "vae": {"dim": 4, "epochs": 2},
}
N_USERS, N_ITEMS = 40, 12


def states() -> list[bytes]:
    """The random states of the process."""
    name, keys, *rest = np.random.get_state()
    return [
        repr(random.getstate()).encode(),
        repr((name, rest)).encode() + np.asarray(keys).tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    ]


def content(value: Any) -> Any:
    """Everything that a value holds, in bytes."""
    if isinstance(value, np.ndarray):
        # an array of objects holds pointers: its content is that of the objects
        held = value.tolist() if value.dtype == object else value.tobytes()
        return (value.dtype.str, value.shape, held)
    if sp.issparse(value):
        return [content(part) for part in (value.data, value.indices, value.indptr)]
    if isinstance(value, pd.DataFrame):
        return [value.index.tolist(), *((name, value[name].tolist()) for name in value)]
    if isinstance(value, pa.Table):
        return value.to_pylist()
    if isinstance(value, dict | list | tuple):
        return [content(part) for part in (value.items() if isinstance(value, dict) else value)]
    if isinstance(value, kgrec.Vocabulary):
        return value.tolist()
    if dataclasses.is_dataclass(value):
        # fields that do not count in a comparison are caches of what the others hold
        return [content(getattr(value, field.name)) for field in dataclasses.fields(value) if field.compare]
    return repr(value)


@pytest.fixture(autouse=True)
def same_random_states() -> Iterator[None]:
    random.seed(3)
    np.random.seed(3)  # the state that belongs to the caller
    torch.manual_seed(3)
    before = states()
    yield
    assert states() == before


def unsorted(dense: np.ndarray) -> sp.csr_matrix:
    """A matrix whose columns stand in falling order within each row."""
    matrix = sp.csr_matrix(dense.astype(np.float32))
    for row in range(matrix.shape[0]):
        part = slice(*matrix.indptr[row : row + 2])
        matrix.indices[part] = matrix.indices[part][::-1].copy()
        matrix.data[part] = matrix.data[part][::-1].copy()
    matrix = sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), matrix.shape)
    assert matrix.nnz > 2 * len(dense) and not matrix.has_sorted_indices
    # the test above leaves a note in the matrix that it is unsorted, which would hide a sort
    return sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), matrix.shape)


def world() -> BaselineData:
    rng = np.random.default_rng(0)
    positives = unsorted(rng.random((N_USERS, N_ITEMS)) < 0.4)
    neighbors = unsorted(rng.random((N_ITEMS, 6)) < 0.7)
    item, entity = neighbors.nonzero()
    order = np.concatenate([rng.permutation(count) + 1 for count in np.diff(positives.indptr)])
    return BaselineData(
        positives,
        sp.csr_matrix(
            (rng.random(positives.nnz) * 400, positives.indices, positives.indptr), positives.shape
        ),
        [" ".join(np.array(["space", "love", "crew", "rome"])[rng.random(4) < 0.6]) for _ in range(N_ITEMS)],
        neighbors,
        np.stack([item, np.zeros(len(item), int), N_ITEMS + entity], axis=1).astype(np.int64),
        rng.normal(size=(N_ITEMS, 4)).astype(np.float32),
        np.arange(N_ITEMS) == 3,
        unsorted(rng.random((N_USERS, N_ITEMS)) < 0.4),
        sp.csr_matrix((order.astype(np.float32), positives.indices, positives.indptr), positives.shape),
    )


@pytest.fixture(scope="module")
def graph(shared_catalogue: Path) -> kgrec.KnowledgeGraph:
    return kgrec.build_graph(shared_catalogue / "kgrec.yaml")


@pytest.fixture(scope="module")
def rec(graph: kgrec.KnowledgeGraph) -> kgrec.Recommender:
    return kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph)


def new_film() -> pd.DataFrame:
    columns = {"id": ["n1"], "title": ["Moon"], "plot": ["love"], "genres": ["Romance"], "director": ["Ada"]}
    return pd.DataFrame(columns, index=[7])


def test_training(graph: kgrec.KnowledgeGraph):
    frame = pd.DataFrame(
        {"user_id": ["b", "a", "b", "a"], "item_id": ["f1", "f4", "f3", "f5"]}, index=[3, 1, 2, 0]
    )
    valid = pd.DataFrame({"user_id": ["a", "b"], "item_id": ["f6", "f2"]})
    tables = [graph.entities, graph.triples, graph.text]
    before = content([frame, valid, graph.interactions, tables])
    kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph, frame, valid=valid)
    kgrec.Recommender(CONFIG, text_encoder=BagOfWords()).fit(graph)
    assert content([frame, valid, graph.interactions, tables]) == before


def test_queries(rec: kgrec.Recommender):
    histories, dislikes, users = [["f3", "f1"], []], [["f6"], []], ["u2", "new"]
    model = rec.model
    values = [histories, dislikes, users, model.items, model.histories, model.seen, model.rescorer]
    before = content(values)
    rec.recommend(users, where="genres = Romance", on_unknown="skip", new_item_boost=0.1)
    rec.recommend_for_history(histories, dislikes=dislikes, users=users)
    rec.recommend_for_text(["love in rome"])
    rec.similar_items(["f1"])
    rec.similar_users(["u1"])
    rec.explain("u1", "f4")
    rec.embed_histories(histories)
    assert content(values) == before


def test_changes(rec: kgrec.Recommender, tmp_path: Path):
    new, update = new_film(), new_film().assign(id="f2")
    model = rec.model
    values = [model.items, model.histories, model.seen, model.rescorer]
    before = content([new, update, values])
    rec.embed_items(new)
    rec.add_items(new)
    rec.update_items({"film": update})
    rec.remove_items(["n1"])
    rec.save(tmp_path / "model")
    kgrec.Recommender.load(tmp_path / "model", text_encoder=BagOfWords()).add_items(new)
    assert content([new, update, values]) == before


def test_evaluation(graph: kgrec.KnowledgeGraph):
    (fold,) = kgrec.split_graph(graph, kgrec.Protocol(kind="random", share=0.3, seed=1))
    users = fold.test.users.tolist()
    lists = pd.DataFrame({"user_id": users, "item_id": ["f6"] * len(users), "rank": [1] * len(users)})
    lists = lists[[user in ("u1", "u2") for user in users]]
    vectors = np.eye(6, 4, dtype=np.float32)
    embeddings = kgrec.Embeddings(graph.item_ids, vectors)
    before = content([lists, vectors, fold.train, fold.test, graph.interactions])
    evaluation = kgrec.evaluate_lists(fold, lists, k=(1, 3), embeddings=embeddings, classes=["genre"])
    evaluation.frame(resamples=50)
    kgrec.compare({"one": evaluation, "other": evaluation}, metrics=("ndcg@3",))
    assert content([lists, vectors, fold.train, fold.test, graph.interactions]) == before


def test_drift(rec: kgrec.Recommender):
    recent = pd.DataFrame({"user_id": ["u1", "u9"], "item_id": ["f4", "f99"]})
    before = content([recent, rec.model.users, rec.model.histories])
    kgrec.drift(rec, recent)
    assert content([recent, rec.model.users, rec.model.histories]) == before


def test_simulate(graph: kgrec.KnowledgeGraph):
    before = content([graph.interactions, graph.triples])
    size = kgrec.SimulationConfig(viewers=4, rounds=2, seeds=1, k=2, start=2)
    kgrec.simulate(graph, ["model", "thompson"], simulation=size, by=["genre"])
    assert content([graph.interactions, graph.triples]) == before


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(name: str):
    data, asked, users = world(), world().histories.take(np.arange(9)), np.arange(9)
    before = content([data, asked, users])
    scorer = BASELINES[name](**SMALL.get(name, {})).fit(data)
    scorer.scores(asked, users)
    scorer.scores(asked)
    assert content([data, asked, users]) == before


def test_a_search_of_options():
    data, valid = world(), unsorted(np.random.default_rng(1).random((N_USERS, N_ITEMS)) < 0.4)
    before = content([data, valid])
    tune(BASELINES["item-knn"](), data, valid, budget=0.2)
    assert content([data, valid]) == before


def _figures(data: BaselineData) -> None:
    lists = np.tile(np.arange(3, dtype=np.int32), (N_USERS, 1))
    gains, counts, classes = np.ones(lists.shape, bool), data.counts, data.neighbors
    users, items = np.eye(4, dtype=np.float32), np.ones((N_ITEMS, 4), np.float32)
    assert classes is not None
    before = content([lists, gains, counts, users, items])
    topk.ranked(users, items, 3, data.positives[:4])
    topk.gains(lists, data.positives)
    beyond_accuracy.popularity_lift(lists, data.positives, counts)
    beyond_accuracy.diversity(lists, classes)
    beyond_accuracy.serendipity(lists, gains, counts, data.positives)
    beyond_accuracy.calibration(lists, data.positives, classes)
    assert content([lists, gains, counts, users, items]) == before


def _largest(data: BaselineData) -> None:
    largest(data.positives, 2)
    assert data.neighbors is not None
    largest(data.neighbors, 2)


OF_MATRICES: dict[str, Callable[[BaselineData], object]] = {
    "a matrix of torch": lambda data: Adjacency(data.positives),
    "weights of co-occurrence": lambda data: item_weights(data.positives, (5.0,), 4),
    "largest entries": _largest,
    "figures": _figures,
}


@pytest.mark.parametrize("name", OF_MATRICES)
def test_matrices_of_which_the_columns_are_not_in_order(name: str):
    data = world()
    before = content(data)
    OF_MATRICES[name](data)
    assert content(data) == before


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "ivfpq"])
def test_an_index(kind: str):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    queries, only = vectors[:30] + np.float32(0.1), np.array([9, 3, 3, 40, 20])
    exclude = [np.array([2, 1]) for _ in range(30)]
    before = content([vectors, queries, only, exclude])
    index = VectorIndex.build(vectors, IndexConfig(kind=kind), queries)
    index.search(queries, 5, exclude=exclude, only=only)
    index.extended(np.concatenate([vectors, queries])).search(queries, 5, exclude=exclude)
    assert content([vectors, queries, only, exclude]) == before


def test_whitening():
    vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    before = content(vectors)
    Whitening.learn(vectors)(vectors)
    assert content(vectors) == before
