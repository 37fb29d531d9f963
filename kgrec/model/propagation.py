"""Known items affected by a change, because they are linked to changed items or to entities whose edges changed further away.

Enters: a `Model`, and its graph before and after the change. Leaves: rows, vectors and features of these items. Nothing is written.

Their texts and residuals do not change, and the encoder is linear. Their vectors therefore move by the contribution of the new
neighbours minus that of the old ones, and no text is encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.encode.featurizer import ItemFeatures
from kgrec.encode.neighborhoods import hops_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.model.model import Model


@dataclass(frozen=True)
class Propagation:
    """Known items whose neighbours changed, although no row describes them."""

    #: rows in the model; shape (n,), int64
    rows: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
    #: their new neighbours; the dense part is zero
    features: ItemFeatures


def propagated(
    model: Model,
    after: KnowledgeGraph,
    said: np.ndarray,
    entities: np.ndarray,
    embed: Callable[[ItemFeatures], np.ndarray],
) -> Propagation:
    """The items of a model whose neighbours in `after` differ from those in its graph, except the items with ids `entities`.

    Args:
        model: Not modified.
        after: The graph with the change; entities of the model's graph keep their ids.
        said: Ids of all entities that the change describes; only edges that start at them changed.
        entities: Items whose vectors come from their own rows.
        embed: Returns vectors of items from features, before normalisation.
    """
    before, featurizer = model.graph(), model.parameters().featurizer
    near = _near(before, after, said, max(map(hops_of, featurizer.relations), default=1))
    near = np.union1d(near, _near_renamed(before, after, said)) if featurizer.label_tokens else near
    rows = np.flatnonzero(np.isin(model.items.entities.whole, np.setdiff1d(near, entities)))
    was, now = (featurizer.features(graph, model.items.entities[rows]) for graph in (before, after))
    moved = (
        (embed(now) - embed(was)) if len(rows) else np.zeros((0, model.items.vectors.shape[1]), np.float32)
    )
    some = np.flatnonzero(moved.any(axis=1))
    rows = rows[some]
    return Propagation(
        rows, model.items.vectors[rows] * model.items.lengths[rows][:, None] + moved[some], now.take(some)
    )


def _near(before: KnowledgeGraph, after: KnowledgeGraph, said: np.ndarray, hops: int) -> np.ndarray:
    """Ids of the ends of changed edges between items, and of entities that lead to other changed edges within some hops."""
    is_item = np.zeros(len(after), bool)
    is_item[after.item_entities] = True
    head, tail = _changed(before, after, said)
    between = is_item[head] & is_item[tail]
    near, further = [head[between], tail[between]], head[~is_item[head] & ~is_item[tail]]
    if hops > 1 and len(further):
        head, tail = (after.triples[name].to_numpy() for name in ("head", "tail"))
        onward, leads = ~is_item[head] & ~is_item[tail], np.zeros(len(after), bool)
        leads[further] = True
        for _ in range(2, hops):
            leads[head[onward & leads[tail]]] = True
        near += [head[is_item[head] & leads[tail]], tail[is_item[tail] & leads[head]]]
    return np.unique(np.concatenate(near))


def _near_renamed(before: KnowledgeGraph, after: KnowledgeGraph, said: np.ndarray) -> np.ndarray:
    """Ids of items linked to an entity with a changed label, and therefore with changed tokens."""
    there = said[said < len(before)]
    was, now = (
        graph.entities["label"].take(pa.array(there)).to_numpy(zero_copy_only=False)
        for graph in (before, after)
    )
    head, tail = (after.triples[name].to_numpy() for name in ("head", "tail"))
    renamed = np.zeros(len(after), bool)
    renamed[there[was != now]] = True
    ends = np.concatenate([head[renamed[tail]], tail[renamed[head]]])
    return np.unique(ends[np.isin(ends, after.item_entities)])


def _changed(
    before: KnowledgeGraph, after: KnowledgeGraph, said: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Heads and tails of the edges from some entities that only one graph has, or that differ in weight."""
    spoken_of = np.zeros(len(after), bool)
    spoken_of[said] = True
    columns = []
    for graph in (before, after):
        table = graph.triples.filter(pa.array(spoken_of[graph.triples["head"].to_numpy()]))
        names = graph.relations["name"].take(table["relation"])
        columns.append(table.set_column(table.column_names.index("relation"), "relation", names))
    both = pa.concat_tables(columns, promote_options="permissive")
    counts = both.group_by(both.column_names).aggregate([([], "count_all")])
    alone = counts.filter(pc.equal(counts["count_all"], 1))
    return alone["head"].to_numpy(), alone["tail"].to_numpy()
