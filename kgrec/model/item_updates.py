"""New and changed items for a trained model: their rows are read, linked to what is known, embedded, put in.

Enters: a `Model`, and rows laid out as its mapping says. Leaves: `ItemUpdates`, and another `Model`.
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

#: items in the deltas of a model, and entities in those of its graph, before these are merged with the base
_DELTA = 4096


@dataclass(frozen=True)
class ItemUpdates:
    """Items that rows add or change, embedded."""

    ids: Vocabulary
    labels: list[str]
    #: row in the model, -1 for new items; shape (n,), int64
    rows: np.ndarray
    #: ids in `graph`; shape (n,), int64
    entities: np.ndarray
    #: before normalisation; shape (n, dim), float32
    vectors: np.ndarray
    features: ItemFeatures
    #: per item: neighbours in the graph that the model has a parameter for
    linked: list[int]
    #: per item: words of its text
    words: list[int]
    #: items of the rows that were left out: known ones when items are added, unknown ones when they are updated
    others: list[str]
    #: known items that the rows do not change
    same: list[str]
    #: type of nodes -> columns of its table that the rows lack, and whose values stay
    kept: dict[str, list[str]]
    #: known items that are linked to what the rows change; None where rows add items: new ones have no parameter of
    #: their own that others could be linked to
    reached: Propagation | None
    #: the model's graph with the rows of these items
    graph: LiveGraph
    #: other names of all items -> row; None: those of the model, and no more
    aliases: dict[str, int] | None
    #: of reading the rows
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
        model: Is not modified.
        rows: A folder with files laid out as the mapping says, or a table of items, or a frame of
            the only item type, or frames by node type, or what `read_addition` gave.
        text_encoder: The one that the model was trained with; None leaves texts out.
        progress: Called with the number of encoded texts and of all texts.
        update: Take the items that the model offers and that the rows change, in place of those that it does not.

    Raises:
        SourceError: The rows are not as the mapping says.
        ConfigError: The text encoder is another than that of training.
    """
    live = LiveGraph.of(model.graph)
    addition = _addition(live, rows, update)
    scope = _scope(model, live, addition, update)
    names = _names(model, addition, scope.row)
    graph, entities = _larger(scope, addition)
    # several rows may speak of one item, by names that were merged
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
    #: row in the model of each item of the addition, -1 for those that it does not have; int64
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
    """The entities around the addition, or the whole graph where an item of the addition has values in there already."""
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
    """The scope's graph with the addition's taken items, and the entity of each item in there, int64."""
    items = addition.item_entities
    # what the model knew of a changed item is replaced
    before = outdated(scope.known, addition, scope.ids, items[scope.taken & (scope.row >= 0)])
    graph, ids = before.extended(without(addition, items[~scope.taken]))
    return graph, ids[items].astype(np.int64)


def _live(
    live: LiveGraph, scope: _Scope, addition: KnowledgeGraph, graph: KnowledgeGraph
) -> tuple[LiveGraph, np.ndarray]:
    """The live graph with the addition's taken items, and the id of each of its items in the whole graph."""
    items = addition.item_entities
    if scope.is_whole:
        return LiveGraph(lambda: graph), np.asarray(scope.ids[items], np.int64)
    larger, places = live.with_addition(without(addition, items[~scope.taken]), scope.whole_ids())
    return larger, places[items]


def _aliases(model: Model, graph: KnowledgeGraph, entities: np.ndarray, rows: np.ndarray) -> dict[str, int]:
    """Other names of all items, those with these entities included."""
    at = np.where(rows < 0, len(model.items) + np.cumsum(rows < 0) - 1, rows)
    return aliases(graph, model.items.entities.with_rows(at, entities).whole)


def with_updates(model: Model, new: ItemUpdates) -> Model:
    """A model with these items, new ones appended, known ones in the row that they have; `model` stays as it is."""
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
    """What the encoder reads of some items.

    Args:
        parameters: Of a trained model.
        graph: Holds the items.
        entities: Ids of the items in `graph`.
        text_encoder: The one that the model was trained with; None leaves texts out.
        progress: Is told how many texts are encoded.

    Raises:
        ConfigError: The text encoder is another than that of training, or a vector of another length.
    """
    featurizer = parameters.featurizer
    widths = {name: len(whitening.mean) for name, whitening in featurizer.whitenings.items()}
    return featurizer.features(graph, entities, raw_blocks(graph, entities, text_encoder, widths, progress))


def embed(parameters: Parameters, config: Config, features: ItemFeatures) -> np.ndarray:
    """Vectors of items from content alone, before normalisation; shape (len(features), dim)."""
    featurizer = parameters.featurizer
    # neither fresh parameters nor a copy of those that are there: they are as large as the catalogue
    with torch.device("meta"):
        encoder = ItemEncoder.for_features(config.encoder, featurizer, len(parameters.arrays["identity"]))
    state = {name: torch.from_numpy(parameters.arrays[name]) for name in encoder.state_dict()}
    encoder.load_state_dict(state, assign=True)
    with torch.no_grad():
        vectors: np.ndarray = encoder(EncoderInputs(features)).numpy()
    return vectors


def _link_counts(featurizer: Featurizer, features: ItemFeatures) -> list[int]:
    """How many neighbours with a parameter each of these items has."""
    links = features.neighbors.tocoo()
    # A number is no neighbour that a user would count, nor is what is further away.
    near = np.array([hops_of(name) == 1 for name in featurizer.relations], bool)[features.relation]
    is_entity = ((features.entity < len(featurizer.entities)) & near)[links.col]
    counts: list[int] = np.bincount(links.row[is_entity], minlength=len(features)).tolist()
    return counts


def _residuals(model: Model, rows: np.ndarray) -> np.ndarray:
    """What the audience of known items taught, zero for others; shape (len(rows), dim), float32."""
    identity = model.parameters().arrays["identity"]
    residuals = np.zeros((len(rows), identity.shape[1]), np.float32)
    trained = (rows >= 0) & model.items.trained[rows]
    residuals[trained] = identity[rows[trained]]
    return residuals


def _moved(model: Model, reached: Propagation) -> Model:
    """The model with items where their neighbours put them; its index is as it was."""
    items = model.items.with_vectors(reached.rows, reached.vectors)
    graph = _graph_scorer(model)
    rows = graph.rows_of(reached.features, model.parameters().featurizer)
    rescorer = model.rescorer.with_scorer("graph", graph.with_rows(reached.rows, rows))
    return replace(model, items=items, rescorer=rescorer)


def _rescorer(model: Model, items: ItemStore, features: ItemFeatures, at: np.ndarray) -> Rescorer:
    """The model's, with items with these features in the rows `at` of `items`."""
    graph, text = _graph_scorer(model), model.rescorer.scorers["text"]
    rows = graph.rows_of(features, model.parameters().featurizer)
    rescorer = (
        model.rescorer.with_items(len(items))
        .with_scorer("graph", graph.with_rows(at, rows))
        .with_scorer("text", text.with_rows(at, features.dense))
    )
    # the item-item weights of an item that training knew were learned from its users, not from its content
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
    """Shares of known items in new ones; shape (n_new, n_items), float32."""
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
    """Names of the addition's items: of known ones as in the model, of new ones type/key where the key is taken.

    Args:
        model: Knows some of the items.
        addition: Brings them.
        row: Of each item in the model, -1 for new ones.
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
    """A frame of the only item type, by its type."""
    type_ = _item_type(graph)
    return {type_: as_table(rows, "rows", keys=[graph.mapping.nodes[type_].key])}


def _only_items(graph: LiveGraph, path: Path) -> Mapping:
    """The mapping with nothing but its item table, to be read from `path`."""
    type_ = _item_type(graph)
    table = graph.mapping.nodes[type_].model_copy(update={"file": (path.name,), "format": None})
    return graph.mapping.model_copy(update={"nodes": {type_: table}, "edges": {}, "rdf": ()})


def _item_type(graph: LiveGraph) -> str:
    """The only item type that has a table."""
    types = [type_ for type_ in graph.item_types if type_ in graph.mapping.nodes]
    if len(types) != 1:
        raise ConfigError(
            f"Items of {len(types)} types come from tables here, so one table is not enough.",
            "Give a folder laid out as the mapping says, or a dict of frames by type.",
        )
    return types[0]
