"""Why each item of a list was recommended: the evidence, largest parts first, and one sentence in the words of kgrec.yaml.

Enters: a model, histories, lists as rows of items. Leaves: a `Reason` per listed item. Nothing is written.

A share is a contribution divided by the total support for the item, from history items and boosts. A part with a share below `LEAST` is not evidence.
A list costs a few matrix products, and a call costs two look-ups of names, whatever the number of items; see docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from kgrec.encode.featurizer import item_numbers
from kgrec.encode.label_tokens import LABEL_TOKEN
from kgrec.graph.histories import Histories
from kgrec.ingest.mapping.sayings import Sayings, filled, often_phrase, shared_phrase
from kgrec.model.model import Model
from kgrec.recommend.explanation_parts import readable_name
from kgrec.recommend.explanation_text import number_text
from kgrec.recommend.list_account import STEP, ListAccount

#: smallest share of a part that counts as evidence
LEAST = 0.05
#: largest number of item names, of node names, and of reasons per sentence
NAMED = 2
#: largest number of groups of nodes in the evidence
GROUPS = 5
#: a node is "often chosen" if at least this share of the history, and this number of its items, have it
_OFTEN, _OFTEN_ITEMS = 0.25, 3
#: a node is named beside the largest node of its relation if it has at least this fraction of that node's contribution
_OF_LARGEST = 0.5

#: type of the column `evidence` of a list
EVIDENCE = pa.struct(
    [
        (
            "items",
            pa.list_(pa.struct([("item_id", pa.string()), ("label", pa.string()), ("share", pa.float64())])),
        ),
        (
            "shared",
            pa.list_(
                pa.struct(
                    [
                        ("relation", pa.string()),
                        ("nodes", pa.list_(pa.string())),
                        ("often", pa.bool_()),
                        ("share", pa.float64()),
                    ]
                )
            ),
        ),
        ("sources", pa.list_(pa.struct([("source", pa.string()), ("share", pa.float64())]))),
    ]
)


@dataclass(frozen=True)
class Shared:
    """Nodes that an item shares with its user's history by one relation."""

    relation: str
    #: labels; for a column of numbers, the item's own value; for a direct link, the linked history items
    nodes: tuple[str, ...]
    #: whether much of the history has these nodes; otherwise a named item has them
    often: bool
    share: float
    #: whether the nodes are themselves history items
    is_link: bool = False


@dataclass(frozen=True)
class Reason:
    """Why an item was recommended."""

    text: str
    #: id, label and share of the history items that contribute most, at most two
    items: tuple[tuple[str, str, float], ...] = ()
    #: at most five, largest first
    shared: tuple[Shared, ...] = ()
    #: "users", "text", "graph", "inherited" or "boost" -> share
    sources: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the text and the evidence."""
        return {"text": self.text, **self.evidence()}

    def evidence(self) -> dict[str, Any]:
        """Plain values for JSON, and for a column of type `EVIDENCE`."""
        return {
            "items": [
                {"item_id": item, "label": label, "share": round(share, 4)}
                for item, label, share in self.items
            ],
            "shared": [
                {
                    "relation": one.relation,
                    "nodes": list(one.nodes),
                    "often": one.often,
                    "share": round(one.share, 4),
                }
                for one in self.shared
            ],
            "sources": [{"source": name, "share": round(share, 4)} for name, share in self.sources.items()],
        }


def reasons(
    model: Model, histories: Histories, found: np.ndarray, boost: np.ndarray | None = None
) -> list[list[Reason]]:
    """The reason of each listed item.

    Args:
        model: Contains the items, and the mapping with the templates.
        histories: One history per list.
        found: Rows of items, padded with -1; shape (n_lists, k).
        boost: Boost of each item; shape (n_items,); None: no boosts.

    Returns:
        One reason per item, in the order of the list, for each list.
    """
    lists = [row[row >= 0].astype(np.int64) for row in found]
    drawn = [
        list(_of_list(model, histories.take(np.array([at])), rows, boost)) for at, rows in enumerate(lists)
    ]
    names = _Names.of(model, [one for some in drawn for one in some])
    say = model.mapping.say
    return [[_said(names.named(one), say, names.is_number) for one in some] for some in drawn]


@dataclass(frozen=True)
class _Group:
    """Columns of one relation, before their names are known; largest first."""

    relation: int
    nodes: tuple[int, ...]
    often: bool
    share: float


@dataclass(frozen=True)
class _Drawn:
    """The evidence of one score, as rows and numbers."""

    item: int
    #: rows and shares of history items; None: the user has no history
    items: tuple[tuple[int, float], ...] | None
    groups: tuple[_Group, ...] = ()
    sources: Mapping[str, float] = field(default_factory=dict)


def _of_list(
    model: Model, history: Histories, rows: np.ndarray, boost: np.ndarray | None
) -> Iterator[_Drawn]:
    for start in range(0, len(rows), STEP):
        some = rows[start : start + STEP]
        account = ListAccount(model, history, some)
        liked = history.matrix().data > 0
        for at, row in enumerate(some.tolist()):
            added = 0.0 if boost is None else max(float(boost[row]), 0.0)
            yield _drawn(account, at, liked, added) if liked.any() else _Drawn(row, None)


def _drawn(account: ListAccount, at: int, liked: np.ndarray, boost: float) -> _Drawn:
    whole = float(account.for_it[at]) + boost
    if whole <= 0:
        return _Drawn(int(account.items[at]), ())
    by_item = np.where(liked, account.by_item[:, at], 0) / whole
    best = [int(one) for one in np.argsort(-by_item, kind="stable")[:NAMED] if by_item[one] >= LEAST]
    sources = {name: float(values[at]) / whole for name, values in account.sources.items()}
    sources["boost"] = boost / whole
    return _Drawn(
        int(account.items[at]),
        tuple((int(account.rows[one]), float(by_item[one])) for one in best),
        _groups(account, at, np.array(best, np.int64), liked, whole),
        {name: share for name, share in sorted(sources.items(), key=lambda one: -one[1]) if share >= LEAST},
    )


def _groups(
    account: ListAccount, at: int, named: np.ndarray, liked: np.ndarray, whole: float
) -> tuple[_Group, ...]:
    """The nodes of an item that named items share, and the nodes that much of the history shares, by relation."""
    history, shares = account.neighbors_of_history, account.by_column[at] / whole
    of_liked = np.bincount(history.column[liked[history.row]], minlength=len(shares))
    often = (of_liked >= _OFTEN_ITEMS) & (of_liked >= _OFTEN * np.count_nonzero(liked))
    of_named = np.zeros(len(shares), bool)
    of_named[history.column[np.isin(history.row, named)]] = True
    relation, node = account.relations_and_nodes
    known = np.flatnonzero(account.has[at] & (shares > 0) & (often | of_named))
    groups = []
    for name, is_often in sorted({(int(relation[c]), bool(often[c])) for c in known.tolist()}):
        columns = known[(relation[known] == name) & (often[known] == is_often)]
        columns = columns[np.argsort(-shares[columns], kind="stable")][:NAMED]
        columns = columns[shares[columns] >= _OF_LARGEST * shares[columns[0]]]
        share = float(shares[columns].sum())
        if share >= LEAST:
            groups.append(_Group(name, tuple(node[columns].tolist()), is_often, share))
    return tuple(sorted(groups, key=lambda one: -one.share)[:GROUPS])


@dataclass(frozen=True)
class _Names:
    """Names of relations, nodes and items."""

    model: Model
    #: node of the featurizer -> its id in the graph, and its label
    entities: Mapping[int, tuple[int, str]]
    #: predicate -> row of an item -> value in words
    numbers: Mapping[str, Mapping[int, str]]

    @classmethod
    def of(cls, model: Model, drawn: Sequence[_Drawn]) -> _Names:
        """Look up the names of all evidence at once."""
        featurizer = model.parameters().featurizer
        nodes = sorted({node for one in drawn for group in one.groups for node in group.nodes})
        nodes = [node for node in nodes if node < len(featurizer.entities)]
        entities: dict[int, tuple[int, str]] = {}
        if nodes:
            graph = model.graph()
            rows = graph.ids(featurizer.entities.take(np.array(nodes)).to_pylist())
            facts = graph.entities.select(["key", "label"]).take(pa.array(rows)).to_pylist()
            entities = {
                node: (int(row), readable_name(fact["label"] or fact["key"]))
                for node, row, fact in zip(nodes, rows, facts, strict=True)
            }
        used = {featurizer.relations[group.relation] for one in drawn for group in one.groups}
        items = np.array(sorted({one.item for one in drawn}), np.int64)
        return cls(model, entities, {name: _values(model, items, name) for name in used & {*featurizer.bins}})

    def is_number(self, relation: str) -> bool:
        """Whether a relation is a column of numbers or dates."""
        return relation in self.numbers

    def named(self, drawn: _Drawn) -> Reason:
        """The evidence with names, still without its sentence."""
        if drawn.items is None:
            return Reason(self.model.mapping.say.typical)
        store = self.model.items
        items = tuple(
            (store.ids[row], store.label(row) or store.ids[row], share) for row, share in drawn.items
        )
        near = {
            int(store.entities[row]): label
            for (row, _), (_, label, _) in zip(drawn.items, items, strict=True)
        }
        own = int(store.entities[drawn.item])
        shared = [self._shared(group, drawn.item, own, near) for group in drawn.groups]
        return Reason("", items, tuple(one for one in shared if one is not None), drawn.sources)

    def _shared(self, group: _Group, item: int, own: int, near: Mapping[int, str]) -> Shared | None:
        """A group with names; None if none of its names is readable."""
        featurizer = self.model.parameters().featurizer
        relation = featurizer.relations[group.relation]
        if relation in self.numbers:
            value = self.numbers[relation].get(item)
            return None if value is None else Shared(relation, (value,), group.often, group.share)
        if relation == LABEL_TOKEN:
            words = tuple(featurizer.label_tokens[node - featurizer.first_token] for node in group.nodes)
            return Shared(relation, words, group.often, group.share)
        found = [self.entities[node] for node in group.nodes]
        # If items are linked, an item is its own neighbour, so a shared node that is one of the two items is a link between them.
        linked = [near[row] for row, _ in found if row in near]
        if linked or any(row == own for row, _ in found):
            names = tuple(linked) or tuple(near.values())
            return Shared(relation, names, False, group.share, is_link=True) if names else None
        return Shared(relation, tuple(label for _, label in found), group.often, group.share)


def _values(model: Model, items: np.ndarray, predicate: str) -> dict[int, str]:
    """The first number of each item, in words."""
    graph = model.graph()
    rows = model.items.entities[items]
    distinct, back = np.unique(rows, return_inverse=True)
    place, value = item_numbers(graph, distinct, predicate)
    is_date = predicate in graph.mapping.date_predicates
    texts = {
        int(at): number_text(float(one), is_date) for at, one in zip(place[::-1], value[::-1], strict=True)
    }
    return {int(item): texts[int(at)] for item, at in zip(items, back, strict=True) if int(at) in texts}


def _said(reason: Reason, say: Sayings, is_number: Callable[[str], bool]) -> Reason:
    """The reason with its sentence: the opening, and the two largest parts that have names."""
    if reason.text:
        return replace(reason, text=filled(say.alone, {"why": reason.text}))
    names = _joined([filled(say.item, {"item": label}) for _, label, _ in reason.items], say.pair)
    phrases = _phrases(reason, say, is_number)
    why = say.history if phrases else say.otherwise
    why = filled(say.liked, {"items": names}) if names else why
    if not phrases:
        return replace(reason, text=filled(say.alone, {"why": why}))
    return replace(reason, text=filled(say.sentence, {"why": why, "reasons": _joined(phrases, say.reasons)}))


def _phrases(reason: Reason, say: Sayings, is_number: Callable[[str], bool]) -> list[str]:
    """At most two phrases, apportioned to the sources by their shares (D'Hondt's method); an item that inherits has no users to name."""
    # one person may be several nodes: director and writer, or with two spellings
    different = {tuple(map(str.casefold, one.nodes)): one for one in reversed(reason.shared)}
    of_source = {
        "graph": [_phrase(one, say, is_number(one.relation)) for one in reversed(different.values())],
        "users": [say.users],
        "text": [say.text],
    }
    seats = [
        (reason.sources.get(source, 0.0) / place, phrase)
        for source, some in of_source.items()
        if source in reason.sources
        for place, phrase in enumerate(dict.fromkeys(some), 1)
    ]
    return [phrase for _, phrase in sorted(seats, key=lambda seat: -seat[0])[:NAMED]]


def _phrase(shared: Shared, say: Sayings, is_number: bool) -> str:
    nodes = {"nodes": _joined(list(shared.nodes), say.pair)}
    if shared.is_link:
        return filled(say.link, nodes)
    if shared.relation == LABEL_TOKEN:
        return filled(say.words, nodes)
    given, default = (say.often, often_phrase) if shared.often else (say.shared, shared_phrase)
    template = given.get(shared.relation) or default(shared.relation, is_number=is_number)
    return filled(template, nodes)


def _joined(names: Sequence[str], pair: str) -> str:
    """One or two names."""
    return filled(pair, {"first": names[0], "second": names[1]}) if len(names) > 1 else "".join(names)
