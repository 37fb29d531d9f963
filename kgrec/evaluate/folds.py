"""One split of a graph: a training graph without the held-out part, the test part, and hidden items to add later.

Enters: a `KnowledgeGraph`, and which of its interactions and items are held out. Leaves: a `Fold`, checked for leaks.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from kgrec.errors import SourceError
from kgrec.graph.histories import places
from kgrec.graph.interactions import Interactions
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary

#: table of a graph -> column with the entity that a row describes
_ENTITY_COLUMNS = {"text": "id", "numbers": "id", "vectors": "id", "aliases": "id"}


@dataclass(frozen=True)
class Fold:
    """One split of a graph. Training may read only `graph`, `train` and `valid`."""

    #: the whole graph: for metrics, never for training
    source: KnowledgeGraph
    #: the training graph: without hidden items and nodes that have edges only with them; its interactions are `train` and
    #: `valid` together
    graph: KnowledgeGraph
    #: training interactions, over `graph.item_ids`
    train: Interactions
    #: interactions for tuning, over `graph.item_ids`; may be empty
    valid: Interactions
    #: test positives, over `source.item_ids`; each of its users has at least one
    test: Interactions
    #: histories of test users that are not part of training, given when recommending; over `source.item_ids`
    history: Interactions
    #: rows of `source.item_ids` that training must not see; sorted, int64
    hidden: np.ndarray
    #: training sees only interactions before this time, in seconds since 1970; None: any time
    cut: int | None = None
    #: number of the fold in a cross-validation, from 0
    number: int = 0

    def __repr__(self) -> str:
        parts = {"train": self.train, "valid": self.valid, "history": self.history, "test": self.test}
        counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items() if len(part))
        hidden = f", {len(self.hidden):,} items hidden" if len(self.hidden) else ""
        return f"Fold({counts}{hidden})"

    @cached_property
    def later(self) -> KnowledgeGraph:
        """The hidden items as rows for `Recommender.add_items`."""
        return revealed(self.source, self.hidden)

    @cached_property
    def truth(self) -> csr_matrix:
        """Test positives; shape (len(test.users), n_items), n_items of `source`."""
        return self.test.matrix()

    @cached_property
    def popularity(self) -> np.ndarray:
        """Number of users with a positive interaction in train or valid, per item; shape (n_items,), int64."""
        log = self.graph.interactions
        return np.bincount(self._items(log)[log.positive], minlength=len(self.source.item_ids))

    @cached_property
    def known(self) -> csr_matrix:
        """Positives of the test users in train, valid and history; shape as `truth`."""
        return self._known(positive_only=True)

    @cached_property
    def places(self) -> csr_matrix | None:
        """Position of each entry of `known` in the user's history, from 1; shape as `truth`; None: there is no order."""
        logs = [log for log in (self.train, self.valid, self.history) if len(log)]
        if not logs or not all(log.ordered for log in logs):
            return None
        parts = [(*self._rows_of_test_users(log), log) for log in logs]
        row, item = (np.concatenate([part[at] for part in parts]) for at in range(2))
        stamp = np.concatenate([log.stamps[chosen] for _, _, chosen, log in parts if log.stamps is not None])
        return csr_matrix((places(row, stamp, item), (row, item)), shape=self.known.shape)

    @cached_property
    def seen(self) -> csr_matrix:
        """Items that no list may contain: `known`, and interactions that are not positive; shape as `truth`."""
        return self._known(positive_only=False)

    @cached_property
    def in_valid(self) -> csr_matrix:
        """Interactions of the test users in valid; shape as `truth`."""
        return self._of_test_users([self.valid])

    def check(self) -> Fold:
        """Check that training cannot see the held-out part, and return the fold.

        Raises:
            SourceError: Training sees a hidden item, an edge to one, a test interaction, or an interaction after the cut.
        """
        for problem in self._leaks():
            raise _leak(problem)
        return self

    def _leaks(self) -> Iterator[str]:
        entities = self.source.item_entities[self.hidden]
        for name in self.source.names.labels.take(pa.array(entities)).to_pylist():
            if self.graph.ids([name])[0] >= 0:
                yield f"{name} is hidden, but in the graph"
        iris = self.source.entities["iri"].take(pa.array(entities))
        for iri in iris.filter(pc.is_in(iris, value_set=self.graph.entities["iri"])).to_pylist():
            yield f"<{iri}> is hidden, but in the graph"
        test, train, valid = (self._pairs(log) for log in (self.test, self.train, self.valid))
        own = self._pairs(self.graph.interactions)
        yield from self._overlap(
            np.setdiff1d(own, np.concatenate([train, valid])), "the graph, not in train or valid"
        )
        yield from self._overlap(np.intersect1d(train, valid), "train and in valid")
        for name in ("train", "valid", "history"):
            log = getattr(self, name)
            yield from self._overlap(np.intersect1d(self._pairs(log), test), f"{name} and in test")
            if np.isin(self._items(log), self.hidden).any():
                yield f"{name} has interactions with hidden items"
            if self.cut is not None and log.time is not None and (log.time >= self.cut).any():
                yield f"{name} has interactions after the cut"

    @cached_property
    def _all_users(self) -> Vocabulary:
        logs = (self.train, self.test, self.history, self.graph.interactions)
        return Vocabulary.of(pa.concat_arrays([log.users.labels for log in logs]))

    def _pairs(self, log: Interactions) -> np.ndarray:
        """User and item of each interaction as one number; shape (len(log),), int64."""
        users = self._all_users.ids(log.users.labels)
        return np.asarray(users[log.user] * len(self.source.item_ids) + self._items(log))

    def _items(self, log: Interactions) -> np.ndarray:
        """Item of each interaction as a row of `source.item_ids`; shape (len(log),)."""
        if log.items is self.source.item_ids:
            return log.item
        return np.asarray(self.source.item_ids.ids(log.items.labels)[log.item])

    def _overlap(self, pairs: np.ndarray, where: str) -> Iterator[str]:
        if len(pairs):
            user, item = divmod(int(pairs[0]), len(self.source.item_ids))
            named = f"user '{self._all_users[user]}' with item '{self.source.item_ids[item]}'"
            yield f"{named}{f' and {len(pairs) - 1:,} more pairs' if len(pairs) > 1 else ''} in {where}"

    def _known(self, positive_only: bool) -> csr_matrix:
        """Items of the test users in train, valid and history together; shape as `truth`."""
        return self._of_test_users([self.train, self.valid, self.history], positive_only)

    def _of_test_users(self, logs: Sequence[Interactions], positive_only: bool = False) -> csr_matrix:
        found = [self._rows_of_test_users(log, positive_only) for log in logs]
        row, column = (np.concatenate([part[at] for part in found]) for at in range(2))
        size = (len(self.test.users), len(self.source.item_ids))
        return csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=size)

    def _rows_of_test_users(
        self, log: Interactions, positive_only: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row of `truth`, row of `source.item_ids` and row of the log, for the interactions of test users."""
        row = self.test.users.ids(log.users.labels)[log.user]
        chosen = np.flatnonzero((row >= 0) & (log.positive if positive_only else True))
        return row[chosen], self._items(log)[chosen], chosen


def fold_of(
    source: KnowledgeGraph,
    train: Interactions,
    valid: Interactions,
    test: Interactions,
    *,
    history: Interactions | None = None,
    hidden: np.ndarray | None = None,
    cut: int | None = None,
    number: int = 0,
) -> Fold:
    """Make a fold: hide the held-out part from the graph, and check for leaks.

    Args:
        source: The whole graph.
        train: Training interactions, over `source.item_ids`.
        valid: Interactions for tuning, over `source.item_ids`.
        test: Test positives, over `source.item_ids`.
        history: Histories of test users that are not part of training; None: none.
        hidden: Rows of `source.item_ids` that training must not see; None: none.
        cut: Time before which all training interactions must be, in seconds since 1970; None: any time.
        number: Number of the fold in a cross-validation, from 0.

    Raises:
        SourceError: There are no test interactions, or the parts overlap.
    """
    if not len(test):
        raise SourceError(
            "The split has no test interactions.",
            "Hold out a larger share, or give more interactions.",
        )
    hidden = np.zeros(0, np.int64) if hidden is None else np.unique(hidden).astype(np.int64)
    history = Interactions.none(source.item_ids) if history is None else history
    if np.isin(np.concatenate([train.item, valid.item]), hidden).any():
        raise _leak("training has interactions with hidden items")
    graph = concealed(source, hidden)
    _check_names(source, graph, hidden)
    test_users, given_users = _names(test), _names(history)
    # test users without a given history are users of the training graph, even if they have no interactions in it
    train_users = np.concatenate([_names(train), _names(valid), np.setdiff1d(test_users, given_users)])
    kept = np.setdiff1d(np.arange(len(source.item_ids)), hidden)
    train, valid = (
        replace(log, items=graph.item_ids, item=np.searchsorted(kept, log.item).astype(np.int32))
        for log in (_of_users(train, train_users), _of_users(valid, train_users))
    )
    graph = replace(graph, interactions=together(train, valid))
    test, history = _of_users(test, test_users), _of_users(history, given_users)
    return Fold(source, graph, train, valid, test, history, hidden, cut, number).check()


def concealed(graph: KnowledgeGraph, hidden: np.ndarray) -> KnowledgeGraph:
    """The graph without some items, as if their rows had never been read; without interactions.

    Edges from and to the items are removed, and so are nodes without a table of their own that have edges only with these items.

    Args:
        graph: Not modified.
        hidden: Rows of `graph.item_ids`.
    """
    if not len(hidden):
        return replace(graph, interactions=Interactions.none(graph.item_ids))
    smaller = graph.subgraph(np.flatnonzero(~_gone(graph, hidden)), hops=0)
    return replace(smaller, interactions=Interactions.none(smaller.item_ids))


def revealed(graph: KnowledgeGraph, hidden: np.ndarray) -> KnowledgeGraph:
    """The part that `concealed` removes, as an addition: `concealed(g, h).extended(revealed(g, h))` is g again."""
    gone = _gone(graph, hidden)
    heads, tails = graph.triples["head"].to_numpy(), graph.triples["tail"].to_numpy()
    edges = gone[heads] | gone[tails]
    kept = gone.copy()
    kept[heads[edges]] = kept[tails[edges]] = True
    tables = {
        name: getattr(graph, name).filter(pa.array(gone[getattr(graph, name)[subject].to_numpy()]))
        for name, subject in _ENTITY_COLUMNS.items()
    }
    only = graph.item_entities[hidden].astype(np.int64)
    part = replace(graph, triples=graph.triples.filter(pa.array(edges)), only_items=np.sort(only), **tables)
    part = replace(part, interactions=Interactions.none(part.item_ids))
    return part.subgraph(np.flatnonzero(kept), hops=0)


def together(one: Interactions, other: Interactions) -> Interactions:
    """The union of two logs over the same users and items, in the order of `Interactions`."""
    if not len(other):
        return one

    def joined(name: str) -> Any:
        parts = [getattr(one, name), getattr(other, name)]
        return None if parts[0] is None or parts[1] is None else np.concatenate(parts)

    names = ("user", "item", "positive", "count", "value", "time", "position", "weight")
    return replace(one, **{name: joined(name) for name in names}).in_order()


def _leak(problem: str) -> SourceError:
    return SourceError(f"The split leaks: {problem}.", "Remove it from the graph and from training.")


def _gone(graph: KnowledgeGraph, hidden: np.ndarray) -> np.ndarray:
    """Hidden items, and entities of types without a table that have edges only with these; shape (len(graph),), bool."""
    gone = np.zeros(len(graph), bool)
    gone[graph.item_entities[hidden]] = True
    heads, tails = graph.triples["head"].to_numpy(), graph.triples["tail"].to_numpy()
    with_hidden = gone[heads] | gone[tails]
    near, elsewhere = np.zeros((2, len(graph)), bool)
    near[heads[with_hidden]] = near[tails[with_hidden]] = True
    elsewhere[heads[~with_hidden]] = elsewhere[tails[~with_hidden]] = True
    tables = pa.array(list(graph.mapping.nodes), pa.string())
    has_table = pc.is_in(graph.entities["type"].cast(pa.string()), value_set=tables).to_numpy()
    elsewhere[graph.item_entities] = True
    return np.asarray(gone | (near & ~elsewhere & ~has_table))


def _names(log: Interactions) -> np.ndarray:
    """Names of the users with an interaction; shape (n,), object."""
    return np.asarray(log.users.to_numpy()[np.unique(log.user)])


def _of_users(log: Interactions, names: np.ndarray) -> Interactions:
    """The log over these users, which include all of its own."""
    users = Vocabulary.of(pa.array(names, pa.large_string()))
    log = replace(log, users=users, user=users.ids(log.users.labels)[log.user].astype(np.int32))
    return log.rows(np.argsort(log.user, kind="stable"))


def _check_names(source: KnowledgeGraph, graph: KnowledgeGraph, hidden: np.ndarray) -> None:
    """Raise SourceError if hiding an item changes the name of another item."""
    kept = np.delete(source.item_ids.to_numpy(), hidden)
    changed = np.setdiff1d(kept, graph.item_ids.to_numpy())
    if len(changed):
        raise SourceError(
            f"Items of two types share a key, and '{changed[0]}' changes its name when one of them is hidden.",
            "Give items of different types different keys, or use a protocol that hides no items.",
        )
