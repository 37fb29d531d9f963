"""New and changed items for a trained model: read their rows, link them to known entities, embed them, and add them.

Enters: a `Model`, and rows in the layout of its mapping. Leaves: `ItemUpdates`, and another `Model`.
Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import torch

from kgrec.arguments import options
from kgrec.arguments.frames import as_table
from kgrec.config import Config
from kgrec.encode.dense_features import item_texts, raw_blocks
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.neighborhoods import hops_of
from kgrec.encode.text import TextEncoder, TextProgress
from kgrec.errors import ConfigError, SourceError
from kgrec.graph.build import read_addition
from kgrec.graph.extend import differing, matched, outdated, without
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.live_graph import LiveGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.ingest.build_report import Report
from kgrec.ingest.mapping.schema import Mapping
from kgrec.model.items import ItemStore
from kgrec.model.model import Model, Parameters, aliases
from kgrec.model.propagation import Propagation, propagated
from kgrec.rank.cold_transfer import transfer_shares, transferred
from kgrec.rank.config import ITEM_ITEM
from kgrec.rank.rescorer import Rescorer
from kgrec.rank.scorers import GraphScorer, ItemItemScorer

#: largest number of items in the deltas of a model, and of entities in those of its graph; above it, they are merged with the base
_DELTA = 4096


@dataclass(frozen=True)
class ItemUpdates:
    """Items that rows add or change, with embeddings."""

    ids: Vocabulary
    labels: list[str]
    #: row in the model, -1 for new items; shape (n,), int64
    rows: np.ndarray
    #: ids in `graph`; shape (n,), int64
    entities: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
    features: ItemFeatures
    #: per item: number of neighbours in the graph for which the model has a parameter
    linked: list[int]
    #: per item: number of words in its text
    words: list[int]
    #: items whose rows were left out: known items when adding, unknown items when updating
    others: list[str]
    #: known items that the rows leave unchanged
    same: list[str]
    #: node type -> columns of its table that the rows lack; their values are kept
    kept: dict[str, list[str]]
    #: known items linked to changed items; None when rows add items, because new items have no parameter of their own that could
    #: affect others
    reached: Propagation | None
    #: the model's graph, extended by the rows of these items
    graph: LiveGraph
    #: other names of all items -> row; None: the model's names, unchanged
    aliases: dict[str, int] | None
    #: report on reading the rows
    report: Report

    @property
    def bare(self) -> list[str]:
        """Items without text, vectors and known neighbours: their score is 0 unless a residual adds to it."""
        nothing = ~self.features.dense.any(axis=1) & (np.diff(self.features.neighbors.indptr) == 0)
        return [self.ids[at] for at in np.flatnonzero(nothing).tolist()]


def read_updates(
    model: Model,
    rows: Any,
    text_encoder: TextEncoder | None,
    progress: TextProgress | None = None,
    *,
    update: bool = False,
) -> ItemUpdates:
    """Read and embed items.

    Args:
        model: Not modified.
        rows: A folder with files in the layout of the mapping, a table of items, a frame of the only item type, frames by node
            type, or the result of `read_addition`.
        text_encoder: The one that the model was trained with; None: texts are ignored.
        progress: Called with the number of encoded texts and the total.
        update: Select items that the model recommends and the rows change, instead of items that it does not recommend.

    Raises:
        SourceError: The rows do not match the mapping.
        ConfigError: The text encoder differs from that of training.
    """
    live = LiveGraph.of(model.graph)
    addition = _addition(live, rows, update)
    scope = _scope(model, live, addition, update)
    names = _names(model, addition, scope.row)
    graph, entities = _larger(scope, addition)
    # several rows may describe one item, under names that were merged
    first = np.isin(
        np.arange(len(entities)), np.unique(np.where(scope.taken, entities, -1), return_index=True)[1]
    )
    changed = scope.taken & first
    if update:
        changed[changed] = differing(scope.known, graph, entities[changed])
    entities, row = entities[changed], scope.row[changed]
    parameters = model.parameters()
    features = read_features(parameters, graph, entities, text_encoder, progress)
    live, places = _live(live, scope, addition, graph)
    return ItemUpdates(
        ids=Vocabulary(names[changed]),
        labels=graph.entities["label"].take(entities).to_pylist(),
        rows=row,
        entities=places[changed],
        vectors=embed(parameters, model.config, features) + _residuals(model, row),
        features=features,
        linked=_link_counts(parameters.featurizer, features),
        words=[len(text.split()) for text in item_texts(graph, entities)],
        others=names[~scope.taken].tolist(),
        same=names[scope.taken & first & ~changed].tolist(),
        kept=_kept(live.mapping, addition.mapping) if update else {},
        reached=propagated(model, graph, scope.ids, entities, partial(embed, parameters, model.config))
        if update
        else None,
        graph=live,
        aliases=_aliases(model, graph, places[changed], row) if scope.is_whole else None,
        report=addition.report,
    )


@dataclass(frozen=True)
class _Scope:
    """The part of the model's graph that an addition is joined with."""

    known: KnowledgeGraph
    #: id in the whole graph of each entity of `known`; int64
    places: np.ndarray
    #: id in `known`, or in the larger graph, of each entity of the addition; int64
    ids: np.ndarray
    #: row in the model of each item of the addition, -1 for items that the model lacks; int64
    row: np.ndarray
    #: which items of the addition are added or updated; bool
    taken: np.ndarray
    #: whether `known` is the whole graph
    is_whole: bool

    def whole_ids(self) -> np.ndarray:
        """Id in the whole graph of each entity of the addition, -1 for new ones; int64."""
        places: np.ndarray = np.append(self.places, -1)[np.minimum(self.ids, len(self.known))]
        return places


def _scope(model: Model, live: LiveGraph, addition: KnowledgeGraph, update: bool) -> _Scope:
    """The entities around the addition; or the whole graph, if an item of the addition already has values in it."""
    around = _joined_with(model, *live.around(addition, model.parameters().featurizer.hops), addition, update)
    known_items = around.whole_ids()[addition.item_entities] >= 0
    if not update and not (around.taken & known_items).any() and not len(addition.aliases):
        return around
    known = live()
    whole = _joined_with(model, known, np.arange(len(known)), addition, update)
    return replace(whole, is_whole=True)


def _joined_with(
    model: Model, known: KnowledgeGraph, places: np.ndarray, addition: KnowledgeGraph, update: bool
) -> _Scope:
    ids, _ = matched(known, addition)
    scope = _Scope(known, places, ids, ids, ids, is_whole=False)
    row = model.items.rows_of(scope.whole_ids()[addition.item_entities])
    offered = (row >= 0) & ~np.isin(row, model.items.removed)
    return replace(scope, row=row, taken=offered if update else ~offered)


def _larger(scope: _Scope, addition: KnowledgeGraph) -> tuple[KnowledgeGraph, np.ndarray]:
    """The scope's graph with the selected items of the addition, and the entity of each of these items in it, int64."""
    items = addition.item_entities
    # earlier statements about a changed item are replaced
    before = outdated(scope.known, addition, scope.ids, items[scope.taken & (scope.row >= 0)])
    graph, ids = before.extended(without(addition, items[~scope.taken]))
    return graph, ids[items].astype(np.int64)


def _live(
    live: LiveGraph, scope: _Scope, addition: KnowledgeGraph, graph: KnowledgeGraph
) -> tuple[LiveGraph, np.ndarray]:
    """The live graph with the selected items of the addition, and the id of each of its items in the whole graph."""
    items = addition.item_entities
    if scope.is_whole:
        return LiveGraph(lambda: graph), np.asarray(scope.ids[items], np.int64)
    larger, places = live.with_addition(without(addition, items[~scope.taken]), scope.whole_ids())
    return larger, places[items]


def _aliases(model: Model, graph: KnowledgeGraph, entities: np.ndarray, rows: np.ndarray) -> dict[str, int]:
    """Other names of all items, including the items with these entities."""
    at = np.where(rows < 0, len(model.items) + np.cumsum(rows < 0) - 1, rows)
    return aliases(graph, model.items.entities.with_rows(at, entities).whole)


def with_updates(model: Model, new: ItemUpdates) -> Model:
    """Return a model with these items: new ones appended, known ones in their existing rows. `model` does not change."""
    appended = new.rows < 0
    at = new.rows.copy()
    at[appended] = len(model.items) + np.arange(appended.sum())
    names = [new.ids[one] for one in np.flatnonzero(appended).tolist()]
    before, model = model, model if new.reached is None else _moved(model, new.reached)
    items = model.items.with_items(at, names, new.labels, new.entities, new.vectors)
    n_items = len(items)
    larger = replace(
        model,
        items=items if new.aliases is None else replace(items, aliases=new.aliases),
        histories=model.histories.with_items(n_items),
        user_encoder=model.user_encoder.with_items(n_items),
        index=model.index.with_vectors(items.vectors),
        rescorer=_rescorer(model, items, new.features, at),
        graph=new.graph if new.graph.n_pending <= _DELTA else LiveGraph(new.graph),
    )
    larger = larger.knowing(before, same_vectors=new.reached is None)
    return larger if len(items.vectors.at) <= _DELTA else larger.merged()


def read_features(
    parameters: Parameters,
    graph: KnowledgeGraph,
    entities: np.ndarray,
    text_encoder: TextEncoder | None,
    progress: TextProgress | None = None,
) -> ItemFeatures:
    """Features of some items, as the encoder reads them.

    Args:
        parameters: Parameters of a trained model.
        graph: Contains the items.
        entities: Ids of the items in `graph`.
        text_encoder: The one that the model was trained with; None: texts are ignored.
        progress: Called with the number of encoded texts and the total.

    Raises:
        ConfigError: The text encoder differs from that of training, or a vector has another length.
    """
    featurizer = parameters.featurizer
    widths = {name: len(whitening.mean) for name, whitening in featurizer.whitenings.items()}
    return featurizer.features(graph, entities, raw_blocks(graph, entities, text_encoder, widths, progress))


def embed(parameters: Parameters, config: Config, features: ItemFeatures) -> np.ndarray:
    """Vectors of items from content alone, before normalisation; shape (len(features), dim)."""
    featurizer = parameters.featurizer
    # avoid fresh parameters and copies of the existing ones: they are as large as the catalogue
    with torch.device("meta"):
        encoder = ItemEncoder.for_features(config.encoder, featurizer, len(parameters.arrays["identity"]))
    state = {name: torch.from_numpy(parameters.arrays[name]) for name in encoder.state_dict()}
    encoder.load_state_dict(state, assign=True)
    with torch.no_grad():
        vectors: np.ndarray = encoder(EncoderInputs(features)).numpy()
    return vectors


def _link_counts(featurizer: Featurizer, features: ItemFeatures) -> list[int]:
    """Number of neighbours with a parameter, per item."""
    links = features.neighbors.tocoo()
    # Users would not count numbers and nodes further away as neighbours.
    near = np.array([hops_of(name) == 1 for name in featurizer.relations], bool)[features.relation]
    is_entity = ((features.entity < len(featurizer.entities)) & near)[links.col]
    counts: list[int] = np.bincount(links.row[is_entity], minlength=len(features)).tolist()
    return counts


def _residuals(model: Model, rows: np.ndarray) -> np.ndarray:
    """ID residuals of known items, zero for other items; shape (len(rows), dim), float32."""
    identity = model.parameters().arrays["identity"]
    residuals = np.zeros((len(rows), identity.shape[1]), np.float32)
    trained = (rows >= 0) & model.items.trained[rows]
    residuals[trained] = identity[rows[trained]]
    return residuals


def _moved(model: Model, reached: Propagation) -> Model:
    """The model with new vectors of the affected items; the index is unchanged."""
    items = model.items.with_vectors(reached.rows, reached.vectors)
    graph = _graph_scorer(model)
    rows = graph.rows_of(reached.features, model.parameters().featurizer)
    rescorer = model.rescorer.with_scorer("graph", graph.with_rows(reached.rows, rows))
    return replace(model, items=items, rescorer=rescorer)


def _rescorer(model: Model, items: ItemStore, features: ItemFeatures, at: np.ndarray) -> Rescorer:
    """The model's rescorer, updated with the features of the rows `at` of `items`."""
    graph, text = _graph_scorer(model), model.rescorer.scorers["text"]
    rows = graph.rows_of(features, model.parameters().featurizer)
    rescorer = (
        model.rescorer.with_items(len(items))
        .with_scorer("graph", graph.with_rows(at, rows))
        .with_scorer("text", text.with_rows(at, features.dense))
    )
    # the item-item weights of a trained item come from its users, not from its content
    new = np.flatnonzero(~items.trained[at])
    item_item = [name for name in ITEM_ITEM if name in model.rescorer.scorers]
    if not item_item:
        return rescorer
    shares = _shares(model, items.vectors[at[new]], rows[new])
    for name in item_item:
        scorer = model.rescorer.scorers[name]
        assert isinstance(scorer, ItemItemScorer)
        scorer = scorer.with_rows(at[new], transferred(shares, scorer.weights))
        rescorer = rescorer.with_scorer(name, scorer)
    return rescorer


def _graph_scorer(model: Model) -> GraphScorer:
    scorer = model.rescorer.scorers["graph"]
    assert isinstance(scorer, GraphScorer)
    return scorer


def _shares(model: Model, vectors: np.ndarray, neighbors: sp.csr_matrix) -> sp.csr_matrix:
    """Shares of known items in new items; shape (n_new, n_items), float32."""
    trained = model.items.trained.whole
    return transfer_shares(
        model.index,
        vectors,
        neighbors,
        np.flatnonzero(trained),
        _graph_scorer(model).neighbors,
        unknown=np.flatnonzero(~trained),
    )


def _kept(whole: Mapping, read: Mapping) -> dict[str, list[str]]:
    """Type -> columns that `whole` has and `read` lacks."""
    pairs = {
        type_: (whole.nodes[type_].columns, table.columns)
        for type_, table in read.nodes.items()
        if type_ in whole.nodes
    }
    kept = {type_: [name for name in before if name not in now] for type_, (before, now) in pairs.items()}
    return {type_: names for type_, names in kept.items() if names}


def _names(model: Model, addition: KnowledgeGraph, row: np.ndarray) -> np.ndarray:
    """Names of the addition's items: for known items as in the model, for new items type/key if the key is taken.

    Args:
        model: Contains the known items.
        addition: Contains all of these items.
        row: Row of each item in the model, -1 for new items.
    """
    names = addition.item_ids.to_numpy().copy()
    new = row < 0
    names[~new] = [model.items.ids[one] for one in row[~new]]
    taken = new & (model.items.ids.ids(names) >= 0)
    names[taken] = [addition.names[entity] for entity in addition.item_entities[taken]]
    return names


def _addition(graph: LiveGraph, rows: Any, update: bool) -> KnowledgeGraph:
    if isinstance(rows, KnowledgeGraph):
        return rows
    if isinstance(rows, str | Path):
        path = options.path("rows", rows)
        if not path.exists():
            raise SourceError(
                f"{path} is not there.", "Give a folder laid out as the mapping says, or a table of items."
            )
        if path.is_dir():
            return read_addition(graph.mapping, path, known=graph, partial_rows=update)
        return read_addition(_only_items(graph, path), path.parent, known=graph, partial_rows=update)
    by_type = isinstance(rows, dict) and (not rows or any(type_ in graph.mapping.nodes for type_ in rows))
    frames = rows if by_type else _of_items(graph, rows)
    return read_addition(graph.mapping, frames=frames, known=graph, partial_rows=update)


def _of_items(graph: LiveGraph, rows: Any) -> dict[str, pa.Table]:
    """A frame of the only item type, keyed by this type."""
    type_ = _item_type(graph)
    return {type_: as_table(rows, "rows", keys=[graph.mapping.nodes[type_].key])}


def _only_items(graph: LiveGraph, path: Path) -> Mapping:
    """The mapping reduced to its item table, which is read from `path`."""
    type_ = _item_type(graph)
    table = graph.mapping.nodes[type_].model_copy(update={"file": (path.name,), "format": None})
    return graph.mapping.model_copy(update={"nodes": {type_: table}, "edges": {}, "rdf": ()})


def _item_type(graph: LiveGraph) -> str:
    """The only item type with a table."""
    types = [type_ for type_ in graph.item_types if type_ in graph.mapping.nodes]
    if len(types) != 1:
        raise ConfigError(
            f"The mapping has tables for {len(types)} item types, so a single table is ambiguous.",
            "Give a folder laid out as the mapping says, or a dict of frames by type.",
        )
    return types[0]
