"""Label tokens: nodes that connect items whose neighbours have similar names.

Enters: a KnowledgeGraph and the neighborhoods of some items. Leaves: `TokenMentions`, the label tokens per item. Nothing is
written.

In the graph, the tags "metabolic_network" and "Metabolic networks" are two unrelated nodes, and a new item may have a third
spelling, or only a title that contains the tokens. A label token connects all of these: it is a node one hop behind the neighbours
of an item, and a direct neighbour of an item whose own label contains it. The idea of sharing vectors between names through their
parts is from Bojanowski et al. 2017, "Enriching word vectors with subword information".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from kgrec.encode.neighborhoods import Neighborhoods, hops_of
from kgrec.graph.knowledge_graph import KnowledgeGraph

#: name of the relation between an item and a label token; models store it, so it keeps its original spelling
LABEL_TOKEN = "~word"
#: number of letters in a stem: in many languages the rest of a token is mostly inflection
_STEM_LENGTH = 6
#: largest number of tokens read per label, so that a label as long as a book costs no more than others
_MAX_PARTS = 32
#: regular expressions: separators of tokens, what a token must contain, what marks a code
_TOKEN_SEPARATORS, _LETTER, _DIGIT = r"[^\pL\pM\pN]+", r"\pL", r"\pN"
#: end of the namespace of an IRI
_NAMESPACE_END = re.compile("[/#]")


@dataclass(frozen=True)
class TokenMentions:
    """The label tokens of items: from their own labels and from those of their neighbours."""

    #: first letters of each token, by which tokens are compared; shape (n_tokens,)
    stems: pa.Array
    #: most frequent token of each stem; shape (n_tokens,)
    tokens: pa.Array
    #: nonzero where an item has a token; shape (n_items, n_tokens)
    by_item: sp.csr_matrix
    #: whether an item has a token from a neighbour; shape (n_items,), bool
    from_neighbors: np.ndarray
    #: number of neighbours whose label contains the token; shape (n_tokens,), int64
    neighbor_counts: np.ndarray
    #: number of items whose own label contains the token; shape (n_tokens,), int64
    item_counts: np.ndarray


def token_mentions(
    graph: KnowledgeGraph, items: np.ndarray, neighborhoods: Neighborhoods, own: bool
) -> TokenMentions:
    """The label tokens of some items.

    Args:
        graph: holds the items.
        items: entity ids; shape (n,), int64.
        neighborhoods: of these items. Neighbours that are items, or are more than one hop away, contribute no tokens.
        own: whether to read the items' own labels too.
    """
    is_item = np.zeros(len(graph.entities), bool)
    is_item[graph.item_entities] = True
    near = np.array([hops_of(name) == 1 for name in neighborhoods.names], bool)[neighborhoods.relation]
    near &= ~is_item[neighborhoods.entity]
    neighbors, neighbor = np.unique(neighborhoods.entity[near], return_inverse=True)
    names = _names(graph, np.concatenate([neighbors, items if own else items[:0]]))
    name, spelled = _tokens(names)
    distinct, code = _alphabetical(spelled)
    stems, stem = _alphabetical(stems_of(distinct))
    # Sorted by stem, then by falling count: the first row of each stem is its most frequent token. lexsort is stable, so among
    # equally frequent tokens the first in the alphabet wins, whatever the order of rows in the sources.
    by_count = np.lexsort((-np.bincount(code, minlength=len(distinct)), stem))
    most_frequent = by_count[np.unique(stem[by_count], return_index=True)[1]]
    contains = _ones(name, stem[code], (len(names), len(stems)))
    # Names of neighbours come first, then names of items.
    of_neighbors, of_own = contains[: len(neighbors)], contains[len(neighbors) :]
    has_neighbor = _ones(neighborhoods.item[near], neighbor, (len(items), len(neighbors)))
    inherited = (has_neighbor @ of_neighbors).tocsr()
    return TokenMentions(
        stems,
        distinct.take(pa.array(most_frequent)),
        inherited + of_own if own else inherited,
        inherited.getnnz(axis=1) > 0,
        of_neighbors.getnnz(axis=0).astype(np.int64),
        of_own.getnnz(axis=0).astype(np.int64),
    )


def stems_of(tokens: pa.Array) -> pa.Array:
    """First letters of each token; a token with a digit may be a code, so it is kept whole."""
    has_digit = pc.match_substring_regex(tokens, _DIGIT)
    return pc.if_else(has_digit, tokens, pc.utf8_slice_codeunits(tokens, 0, _STEM_LENGTH))


def _names(graph: KnowledgeGraph, entities: np.ndarray) -> pa.Array:
    """Label of each entity; the local name of its IRI if it has no label."""
    rows = pa.array(entities)
    labels = pc.cast(graph.entities["label"].take(rows), pa.large_string()).combine_chunks()
    unlabelled = np.flatnonzero(pc.equal(labels, "").to_numpy(zero_copy_only=False))
    if not len(unlabelled):
        return labels
    iris = graph.entities["iri"].take(rows.take(pa.array(unlabelled))).to_pylist()
    local = pa.array([unquote(_NAMESPACE_END.split(iri)[-1]) for iri in iris], pa.large_string())
    # The local names follow the labels in one array; an unlabelled entity takes its name from that second part.
    place = np.arange(len(labels))
    place[unlabelled] = len(labels) + np.arange(len(unlabelled))
    return pa.concat_arrays([labels, local]).take(pa.array(place))


def _tokens(names: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Lower-case tokens of the names: position of the name, and token. Single letters and plain numbers are left out."""
    parts = pc.split_pattern_regex(pc.utf8_lower(pc.utf8_normalize(names, "NFKC")), _TOKEN_SEPARATORS)
    parts = pc.list_slice(parts, 0, _MAX_PARTS)
    name, part = pc.list_parent_indices(parts), pc.list_flatten(parts)
    is_token = pc.and_(pc.greater(pc.utf8_length(part), 1), pc.match_substring_regex(part, _LETTER))
    return name.filter(is_token).to_numpy().astype(np.int64), part.filter(is_token)


def _ones(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sp.csr_matrix:
    """A matrix with 1 at the given positions, even if a position is repeated."""
    matrix = sp.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape)
    matrix.data[:] = 1  # the constructor sums repeated positions
    return matrix


def _alphabetical(strings: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The distinct strings, sorted, and the position of each string among them."""
    distinct = pc.unique(strings)
    distinct = distinct.take(pc.sort_indices(distinct))
    position = pc.index_in(strings, value_set=distinct)
    return distinct, position.to_numpy(zero_copy_only=False).astype(np.int64)
