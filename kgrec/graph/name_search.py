"""Search for nodes by name, ignoring case, accents and punctuation.

Enters: ids and labels as Arrow arrays, and a text. Leaves: rows, best first, and the kind of each match. Nothing is written.

Every step is one pass over the arrays, without a Python object per name. Similar names are searched last, and only the few hundred
names that share most trigrams with the text are compared letter by letter.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kgrec.errors import UnknownId, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from kgrec.graph.tables import GraphTables

Match = Literal["id", "label", "prefix", "words", "part", "similar"]
_ORDER = get_args(Match)
#: letters without a removable accent
_LETTERS = {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
#: number of names that are compared letter by letter
_COMPARED = 300
_TRIGRAMS = 32
#: smallest share of common letters at which names count as similar
_SIMILAR = 0.6
#: largest difference in similarity to the best match
_WORSE_THAN_BEST = 0.2
_LONGEST = 500


@dataclass(frozen=True)
class Found:
    """A row whose id or label matches."""

    row: int
    match: Match
    #: share of letters in common for "similar", 1 otherwise
    score: float = 1.0


@dataclass(frozen=True)
class NameSearch:
    """Names to search: an id and a label per row."""

    #: large_string; shape (n,)
    ids: pa.Array
    #: large_string, "" if there is no label; shape (n,)
    labels: pa.Array

    def search(self, text: str, k: int) -> list[Found]:
        """At most `k` rows, best first: equal id, equal label, then labels and ids that begin with the text, have words that begin
        with its words, or contain it; if there are none, similar ones.
        """
        if not text.strip():
            return []
        found: dict[int, Found] = {}
        for match, mask in self._passes(text):
            rows = np.flatnonzero(mask)
            for row in rows[np.argsort(self._lengths[rows], kind="stable")][: k + len(found)].tolist():
                found.setdefault(row, Found(row, match))
            if len(found) >= k:
                break
        return list(found.values())[:k] or self._similar(folded_text(text), k)

    def named(self, text: str) -> list[int]:
        """Rows with this label: with exactly this spelling if there are any, otherwise ignoring case, accents and punctuation."""
        same = np.flatnonzero(_mask(pc.equal(self.labels, text))) if text else np.zeros(0, np.int64)
        word = folded_text(text)
        if not len(same) and word:
            same = np.flatnonzero(_mask(pc.equal(self._folded_labels, word)))
        return [int(row) for row in same]

    def _passes(self, text: str) -> Iterator[tuple[Match, np.ndarray]]:
        """Kinds of matches, best first, and the rows of each as a mask."""
        word = folded_text(text)
        yield "id", _mask(pc.equal(self.ids, text))
        yield "label", _mask(pc.equal(self.labels, text))
        if not word:
            return
        yield "label", _mask(pc.equal(self._folded_labels, word))
        yield "id", _mask(pc.equal(self._folded_ids, word))
        # a number may be the beginning of many ids
        names = [self._folded_labels, *([] if word.isdigit() else [self._folded_ids])]
        yield "prefix", _any(pc.starts_with(name, word) for name in names)
        words = word.split()
        yield "words", _any(_all_words(name, words) for name in names)
        yield "part", _any(pc.match_substring(name, word) for name in names)

    def _similar(self, word: str, k: int) -> list[Found]:
        rows = self._with_shared_trigrams(word)
        names = ((row, (self._folded_labels[row].as_py(), self._folded_ids[row].as_py())) for row in rows)
        scored = [(max(_likeness(word, name) for name in pair), row) for row, pair in names]
        best = sorted((one for one in scored if one[0] >= _SIMILAR), key=lambda one: (-one[0], one[1]))
        return [
            Found(row, "similar", round(score, 3))
            for score, row in best[:k]
            if score >= best[0][0] - _WORSE_THAN_BEST
        ]

    def _with_shared_trigrams(self, word: str) -> list[int]:
        """The rows whose names share most trigrams with a word, best first."""
        padded = f" {word[:_LONGEST]} "
        trigrams = list(dict.fromkeys(padded[at : at + 3] for at in range(len(padded) - 2)))[:_TRIGRAMS]
        shared = np.zeros(len(self.ids), np.int16)
        for trigram in trigrams:
            shared += _any(
                pc.match_substring(name, trigram) for name in (self._padded_labels, self._padded_ids)
            )
        rows = np.flatnonzero(shared)
        order = np.lexsort((self._lengths[rows], -shared[rows]))
        return [int(row) for row in rows[order[:_COMPARED]]]

    @cached_property
    def _folded_labels(self) -> pa.Array:
        return folded(self.labels)

    @cached_property
    def _folded_ids(self) -> pa.Array:
        return folded(self.ids)

    @cached_property
    def _padded_labels(self) -> pa.Array:
        return _padded(self._folded_labels)

    @cached_property
    def _padded_ids(self) -> pa.Array:
        return _padded(self._folded_ids)

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.asarray(pc.utf8_length(self.labels).to_numpy(zero_copy_only=False))


def find_nodes(graph: GraphTables, text: str, k: int, type_: str | None, items_only: bool) -> pd.DataFrame:
    """Nodes of a graph by name; see `KnowledgeGraph.find_nodes`."""
    import pandas as pd

    item_id = graph.row_of_item
    rows = graph.item_entities if items_only else np.arange(len(graph))
    types = pc.cast(graph.entities["type"], pa.large_string())
    if type_ is not None:
        known = pc.unique(types).to_pylist()
        if type_ not in known:
            raise UnknownId(
                f"There is no node of type '{type_}' in the graph.", did_you_mean(type_, sorted(known))
            )
        rows = rows[pc.equal(types, type_).to_numpy()[rows]]
    nodes = graph.entities.take(pa.array(rows))
    names = [pc.cast(nodes[name], pa.large_string()).combine_chunks() for name in ("key", "label")]
    # more than requested, so that items can be put first
    found = NameSearch(
        *(name if isinstance(name, pa.Array) else pa.concat_arrays(name.chunks) for name in names)
    ).search(text, 10 * k)
    found.sort(key=lambda one: (_ORDER.index(one.match), -one.score, int(rows[one.row]) not in item_id))
    values = [
        {
            "type": nodes["type"][one.row].as_py(),
            "id": graph.item_ids[item_id[at]]
            if (at := int(rows[one.row])) in item_id
            else nodes["key"][one.row].as_py(),
            "key": nodes["key"][one.row].as_py(),
            "label": nodes["label"][one.row].as_py(),
            "item": at in item_id,
            "match": one.match,
            "score": one.score,
        }
        for one in found[:k]
    ]
    return pd.DataFrame(values, columns=["type", "id", "key", "label", "item", "match", "score"])


def folded(names: pa.Array) -> pa.Array:
    """Names in lower case, without accents, with one space in place of any characters between letters and digits."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(names, "NFKD"), r"\p{M}+", "")
    plain = pc.utf8_lower(plain)
    for letter, others in _LETTERS.items():
        plain = pc.replace_substring(plain, letter, others)
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, r"[^\p{L}\p{N}]+", " "))


def folded_text(text: str) -> str:
    """One name, converted as in `folded`."""
    return str(folded(pa.array([text[:_LONGEST]], pa.large_string()))[0].as_py())


def _likeness(word: str, name: str) -> float:
    """Share of common letters: in the whole text, or in each word and the most similar word of the name."""
    matcher = difflib.SequenceMatcher(None, word, name[:_LONGEST], autojunk=False)
    whole = matcher.ratio()
    parts = name.split()[:20]
    if not parts:
        return whole
    each = [
        max(difflib.SequenceMatcher(None, one, part).ratio() for part in parts) for one in word.split()[:20]
    ]
    return max(whole, 0.9 * sum(each) / max(len(each), 1))


def _all_words(names: pa.Array, words: list[str]) -> np.ndarray:
    """Which names have, for each of the words, a word that begins with it."""
    mask = np.ones(len(names), bool)
    padded = _padded(names)
    for word in words:
        mask &= _mask(pc.match_substring(padded, f" {word}"))
    return mask


def _padded(names: pa.Array) -> pa.Array:
    blank = pa.scalar(" ", pa.large_string())
    return pc.binary_join_element_wise(blank, names, blank, pa.scalar("", pa.large_string()))


def _any(masks: Iterator[pa.Array | np.ndarray]) -> np.ndarray:
    every = [mask if isinstance(mask, np.ndarray) else _mask(mask) for mask in masks]
    return np.asarray(np.logical_or.reduce(every), bool)


def _mask(values: pa.Array) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)
