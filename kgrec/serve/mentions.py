"""Nodes and items that a text names: "like Alien, but no horror".

Enters: a graph, and texts written by users. Leaves: the nodes whose labels occur in a text, and whether they are wanted. Nothing is
written.

Labels are compared without case, accents and punctuation, longest first. An item counts only after a word such as "like", because
titles are often common words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kgrec.graph.name_search import folded, folded_text
from kgrec.graph.tables import GraphTables

#: limits: words of the longest label, letters of the shortest label, nodes of the largest graph
_WORDS, _LETTERS, _MOST_NODES = 8, 3, 500_000
_WANTED = frozenset(["like", "liked", "love", "loved", "enjoyed", "as", "to", "watched", "bought"])
_UNWANTED = frozenset(["unlike", "hate", "hated", "dislike", "disliked"])
_NEGATIONS = frozenset(["not", "no", "without", "except", "never", "nothing"])
#: number of words before a label in which a negation counts
_BEFORE = 3


@dataclass(frozen=True)
class Mention:
    """A node that a text names."""

    #: the words in the text
    said: str
    entity: int
    wanted: bool


class Mentions:
    """The labels of a graph.

    Args:
        graph: Contains the nodes; in a graph with too many nodes, no mentions are found.
    """

    def __init__(self, graph: GraphTables) -> None:
        self.graph = graph
        self._entities: dict[str, list[int]] = {}
        if len(graph) > _MOST_NODES:
            return
        labels = pc.cast(graph.entities["label"], pa.large_string()).combine_chunks()
        named = folded(
            labels if isinstance(labels, pa.Array) else pa.concat_arrays(labels.chunks)
        ).to_pylist()
        for entity, label in enumerate(named):
            if len(label) >= _LETTERS and label.count(" ") < _WORDS:
                self._entities.setdefault(label, []).append(entity)

    def found(self, text: str) -> list[Mention]:
        """The distinct nodes that a text names, in order of mention."""
        words = folded_text(text).split()
        mentions: dict[int, Mention] = {}
        for start, end, entities in self._labels(words):
            before = words[max(0, start - _BEFORE) : start]
            said = " ".join(words[start:end])
            negated = not _NEGATIONS.isdisjoint(before)
            for entity in entities:
                is_item = entity in self.graph.row_of_item
                near = before[-1:]
                if is_item and not (_WANTED | _UNWANTED) & set(near):
                    continue
                wanted = not negated and not _UNWANTED & set(near)
                mentions.setdefault(entity, Mention(said, entity, wanted))
        return list(mentions.values())

    def _labels(self, words: list[str]) -> Iterator[tuple[int, int, list[int]]]:
        """Labels in a list of words: position of the first word, position after the last word, and nodes; the longest label at each position."""
        at = 0
        while at < len(words):
            for end in range(min(len(words), at + _WORDS), at, -1):
                entities = self._entities.get(" ".join(words[at:end]))
                if entities:
                    yield at, end, entities
                    at = end - 1
                    break
            at += 1
