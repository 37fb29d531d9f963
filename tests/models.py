"""Models small enough to compute by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from kgrec.config import Config
from kgrec.encode.user_encoder import MeanUserEncoder
from kgrec.graph.histories import Histories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model.items import ItemStore
from kgrec.model.model import Model
from kgrec.rank.rescorer import Rescorer, proportions
from kgrec.rank.scorers import GraphScorer, ItemItemScorer, Scorer, TextScorer
from kgrec.retrieve import VectorIndex
from kgrec.retrieve.segmented_index import SegmentedIndex
from kgrec.storage.segments import Rows


def never() -> Any:
    raise AssertionError("it is not needed")


def items(
    vectors: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    lengths: np.ndarray | None = None,
    trained: np.ndarray | None = None,
    entities: np.ndarray | None = None,
) -> ItemStore:
    """Items with these vectors, named i0, i1, ... unless names are given; the label of each is its name in capitals."""
    n = len(vectors)
    names = [f"i{row}" for row in range(n)] if names is None else list(names)
    return ItemStore(
        ids=Vocabulary(names),
        labels=Rows.of(np.array([name.upper() for name in names], dtype=object)),
        entities=Rows.of(np.arange(n) if entities is None else entities.astype(np.int64)),
        vectors=Rows.of(np.asarray(vectors, np.float32)),
        lengths=Rows.of(np.ones(n, np.float32) if lengths is None else lengths),
        trained=Rows.of(np.ones(n, bool) if trained is None else trained),
    )


def rescorer(
    n: int,
    weights: Mapping[str, float] | None = None,
    *,
    graph: sp.csr_matrix | None = None,
    columns: np.ndarray | None = None,
    text: np.ndarray | None = None,
    co_occurrence: sp.csr_matrix | None = None,
) -> Rescorer:
    """The cosine of the embeddings alone, unless weights say otherwise."""
    graph = sp.csr_matrix((n, 0), dtype=np.float32) if graph is None else graph
    scorers: dict[str, Scorer] = {
        "graph": GraphScorer(Rows.of(graph), np.arange(graph.shape[1]) if columns is None else columns),
        "text": TextScorer(Rows.of(np.zeros((n, 0), np.float16) if text is None else text)),
        "co_occurrence": ItemItemScorer(
            Rows.of(sp.csr_matrix((n, n), dtype=np.float32) if co_occurrence is None else co_occurrence)
        ),
    }
    given: Any = weights or {"embedding": 1}
    return Rescorer(proportions(given), scorers, Rows.of(np.zeros(n, np.float32)))


def histories_of(liked: sp.csr_matrix, seen: sp.csr_matrix | None = None) -> Histories:
    """Histories of liked items, and of others that were seen; without times."""
    bags = Histories.of_matrix(liked)
    if seen is None:
        return bags
    everything = Histories.of_matrix((liked + seen).tocsr())
    weights = np.asarray(liked[everything.users(), everything.item], np.float32).ravel()
    return replace(everything, positive=weights != 0, weight=weights)


def model(
    store: ItemStore,
    histories: sp.csr_matrix,
    seen: sp.csr_matrix | None = None,
    *,
    history_weight: np.ndarray | None = None,
    users: Sequence[str] | None = None,
    scored: Rescorer | None = None,
    config: Config | None = None,
    graph: Callable[[], Any] = never,
    parameters: Callable[[], Any] = never,
) -> Model:
    """Users u0, u1, ... unless names are given."""
    n, vectors = len(store), store.vectors.whole
    return Model(
        config=config or Config(),
        items=store,
        users=Vocabulary([f"u{row}" for row in range(histories.shape[0])] if users is None else users),
        histories=histories_of(histories, seen),
        user_encoder=MeanUserEncoder(
            Rows.of(np.ones(n, np.float32) if history_weight is None else history_weight)
        ),
        index=SegmentedIndex.of(VectorIndex.build(vectors), vectors),
        rescorer=scored or rescorer(n),
        metrics={},
        parameters=parameters,
        graph=graph,
    )


def with_vectors(model: Model, vectors: np.ndarray, **columns: np.ndarray) -> Model:
    """The model with other vectors of all its items, and an index of them."""
    store = replace(
        model.items,
        vectors=Rows.of(vectors),
        **{name: Rows.of(values) for name, values in columns.items()},
    )
    return replace(model, items=store, index=SegmentedIndex.of(VectorIndex.build(vectors), vectors))
