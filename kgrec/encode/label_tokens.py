"""The words of labels: what items have in common whose neighbours are named alike, though they are not the same.

Enters: a KnowledgeGraph and the links of some items. Leaves: `TokenMentions`, which words each item has. Nothing is written.

Of two tags "metabolic_network" and "Metabolic networks" the graph knows no more than that they differ, and a new item
may have a third, or none but a title that names them. A word joins all of these: it is a node that is one hop behind
the neighbours of an item, and next to the item whose own label has it. That names share vectors through their parts is the idea
of Bojanowski et al. 2017, "Enriching word vectors with subword information".
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

#: name of the relation of an item and a word
LABEL_TOKEN = "~word"
#: letters that count: the rest of a word is mostly inflection, in many languages; of what has a digit all counts
_LETTERS, _DIGIT = 6, r"\pN"
#: parts of a name that are looked at, so that a label as long as a book does no harm
_MOST = 32
#: what stands between words; what a word must have; what stands before the local name of an IRI
_BETWEEN, _LETTER, _BEFORE = r"[^\pL\pM\pN]+", r"\pL", re.compile("[/#]")


@dataclass(frozen=True)
class TokenMentions:
    """Which words items have, in their labels or in those of their neighbours."""

    #: what counts of each word
    stems: pa.Array
    #: the commonest word of each
    tokens: pa.Array
    #: not zero where an item has a word; shape (n_items, n_words)
    of_items: sp.csr_matrix
    #: whether an item has a word of a neighbour's label; shape (n_items,), bool
    linked: np.ndarray
    #: of the neighbours, how many have a word in their label; shape (n_words,), int64
    neighbors: np.ndarray
    #: of the items, how many have it in theirs; shape (n_words,), int64
    items: np.ndarray


def token_mentions(
    graph: KnowledgeGraph, items: np.ndarray, links: Neighborhoods, own: bool
) -> TokenMentions:
    """The words of some items.

    Args:
        graph: holds the items.
        items: entity ids; shape (n,), int64.
        links: of these. Neighbours that are items, or further away than one hop, give no words.
        own: whether an item's own label is read, too.
    """
    is_item = np.zeros(len(graph.entities), bool)
    is_item[graph.item_entities] = True
    near = np.array([hops_of(name) == 1 for name in links.names], bool)[links.relation]
    near &= ~is_item[links.entity]
    neighbors, place = np.unique(links.entity[near], return_inverse=True)
    names = _names(graph, np.concatenate([neighbors, items if own else items[:0]]))
    name, spelled = _words(names)
    distinct, code = _alphabetical(spelled)
    stems, stem = _alphabetical(stems_of(distinct))
    by_count = np.lexsort((-np.bincount(code, minlength=len(distinct)), stem))
    commonest = by_count[np.unique(stem[by_count], return_index=True)[1]]
    has = _ones(name, stem[code], (len(names), len(stems)))
    linked = _ones(links.item[near], place, (len(items), len(neighbors)))
    theirs, mine = has[: len(neighbors)], has[len(neighbors) :]
    by_link = (linked @ theirs).tocsr()
    return TokenMentions(
        stems,
        distinct.take(pa.array(commonest)),
        by_link + mine if own else by_link,
        by_link.getnnz(axis=1) > 0,
        theirs.getnnz(axis=0).astype(np.int64),
        mine.getnnz(axis=0).astype(np.int64),
    )


def stems_of(words: pa.Array) -> pa.Array:
    """What counts of words: their first letters; all of one that has a digit, which may be a code."""
    has_digit = pc.match_substring_regex(words, _DIGIT)
    return pc.if_else(has_digit, words, pc.utf8_slice_codeunits(words, 0, _LETTERS))


def _names(graph: KnowledgeGraph, entities: np.ndarray) -> pa.Array:
    """Label of each entity, or the local name of the IRI of a resource without one."""
    rows = pa.array(entities)
    labels = pc.cast(graph.entities["label"].take(rows), pa.large_string()).combine_chunks()
    bare = np.flatnonzero(pc.equal(labels, "").to_numpy(zero_copy_only=False))
    if not len(bare):
        return labels
    iris = graph.entities["iri"].take(rows.take(pa.array(bare))).to_pylist()
    local = pa.array([unquote(_BEFORE.split(iri)[-1]) for iri in iris], pa.large_string())
    place = np.arange(len(labels))
    place[bare] = len(labels) + np.arange(len(bare))
    return pa.concat_arrays([labels, local]).take(pa.array(place))


def _words(names: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """The words of each name in lower case: positions of the names, and the words. A single letter or a number is none."""
    parts = pc.split_pattern_regex(pc.utf8_lower(pc.utf8_normalize(names, "NFKC")), _BETWEEN)
    parts = pc.list_slice(parts, 0, _MOST)
    owner, word = pc.list_parent_indices(parts), pc.list_flatten(parts)
    real = pc.and_(pc.greater(pc.utf8_length(word), 1), pc.match_substring_regex(word, _LETTER))
    return owner.filter(real).to_numpy().astype(np.int64), word.filter(real)


def _ones(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sp.csr_matrix:
    """A one in each place that is given, however often."""
    matrix = sp.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape)
    matrix.data[:] = 1
    return matrix


def _alphabetical(strings: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The distinct ones in order, and the place of each among them."""
    distinct = pc.unique(strings)
    distinct = distinct.take(pc.sort_indices(distinct))
    place = pc.index_in(strings, value_set=distinct)
    return distinct, place.to_numpy(zero_copy_only=False).astype(np.int64)
