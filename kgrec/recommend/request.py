"""Options of a list: length, filters and scores, as one object for the library, the command line and batch runs.

Enters: the options of a call, or their JSON. Leaves: a valid `Request`, or a ConfigError; and the rows of a model that may be
ranked. Users, histories and texts are not part of a request; methods take them as separate arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.ids import as_ids
from kgrec.errors import ConfigError, did_you_mean
from kgrec.graph.where_syntax import parse
from kgrec.model.model import Model
from kgrec.model.retrieval import Filters
from kgrec.rank.lists.diversify import DiversityMethod
from kgrec.rank.lists.exposure import ExposureTarget
from kgrec.recommend.boosts import item_boosts, where_boosts
from kgrec.recommend.ids import OnUnknown, item_rows, known_rows
from kgrec.recommend.items_by_user import ItemsByUser
from kgrec.recommend.list_options import LIST_OPTIONS, checked_list_options, quotas

#: options that apply only to lists for users, only to lists, and only to items
OF_USERS = ("user_candidates", "user_deny", "explain", *LIST_OPTIONS)
OF_LISTS = ("k", "candidates", "deny", "where", "min_score", "exclude_seen", *OF_USERS)
OF_ITEMS = ("candidates", "deny", "where", "new_item_boost", "item_boost", "where_boost", *OF_USERS)


@dataclass(frozen=True)
class Request:
    """Options of a list; all restrictions apply together.

    Raises:
        ConfigError: A value is out of range or has the wrong type, or the condition cannot be parsed.

    Example:
        >>> request = Request(k=5, where="year >= 1990")
        >>> Request.from_dict(request.to_dict()) == request
        True
    """

    k: int = 10
    """Items per list; fewer only if fewer are allowed."""
    candidates: Iterable[str] | None = None
    """Ids of the only items to rank, at least one, kept as a tuple; None: all."""
    deny: Iterable[str] | None = None
    """Ids of items to leave out, kept as a tuple."""
    where: str | None = None
    """A condition on the items, see `kgrec.graph.where_syntax`."""
    min_score: float | None = None
    """Lowest returned score; ranks do not change."""
    exclude_seen: bool = True
    """Leave out items that the user has interacted with."""
    new_item_boost: float = 0.0
    """Added to the score of items without interactions at training; a negative value lowers them."""
    on_unknown: OnUnknown = "raise"
    """"raise", or "skip" unknown ids; with "skip", an unknown value of the condition matches nothing."""
    item_boost: Any = None
    """Added to the scores of items: a mapping from ids to numbers, or a frame with item_id and boost; kept as a dict."""
    where_boost: Mapping[str, float] | None = None
    """Added to the scores of items that meet conditions: a mapping from conditions to numbers, kept as a dict."""
    user_candidates: Any = None
    """The only items to rank for some users: a mapping from users to ids, or a frame with user_id and item_id; kept as
    `ItemsByUser`. Other users are not restricted."""
    user_deny: Any = None
    """Items to leave out for some users, in the same form as `user_candidates`."""
    diversity: float = 0.0
    """Weight of diversity against relevance, 0 (no effect) to 1: how much an item gains by being unlike the items listed before it."""
    diversity_method: DiversityMethod = "mmr"
    """"mmr" (penalizes similarity to the most similar listed item) or "dpp" (to all listed items together)."""
    calibration: float = 0.0
    """Weight of calibration, 0 to 1: how closely the list follows the history's shares of `calibrate_by`."""
    calibrate_by: str | None = None
    """A node type or a relation, such as "genre"."""
    novelty: float = 0.0
    """Weight of novelty, 0 to 1: how much items with few users gain."""
    exposure: float = 0.0
    """Weight of exposure, 0 to 1: how closely the attention that each group gets over all lists of a call follows its target."""
    exposure_by: str | None = None
    """The groups for exposure: a node type or a relation, such as "publisher"."""
    exposure_target: ExposureTarget = "equal"
    """Target attention of a group: "equal", or in proportion to its number of items ("catalogue") or their relevance ("relevance")."""
    at_most: Mapping[str, int] | None = None
    """Largest number of items per list for each node of a type: {"author": 2}; kept as a dict."""
    at_least: Mapping[str, int] | None = None
    """Smallest number of items per list that meet a condition, or are "new" (without interactions at training): {"year >= 2020": 3}; kept as a dict."""
    explain: bool = False
    """Add two columns that say why each item is listed: `because`, a sentence, and `evidence`."""

    def __post_init__(self) -> None:
        checked = {
            "k": options.whole_number("k", self.k),
            "candidates": _candidates(self.candidates),
            "deny": _ids("deny", self.deny),
            "where": _condition(self.where),
            "min_score": None if self.min_score is None else options.number("min_score", self.min_score),
            "exclude_seen": options.flag("exclude_seen", self.exclude_seen),
            "new_item_boost": checked_boost(self.new_item_boost),
            "item_boost": _optional(item_boosts, self.item_boost),
            "where_boost": _optional(where_boosts, self.where_boost),
            "user_candidates": _lists_of_users("user_candidates", self.user_candidates),
            "user_deny": _lists_of_users("user_deny", self.user_deny),
            "explain": options.flag("explain", self.explain),
            "on_unknown": options.choice("on_unknown", self.on_unknown, get_args(OnUnknown)),
        }
        defaults = {field.name: field.default for field in fields(self)}
        checked |= checked_list_options(self, defaults)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Request:
        """Read the result of `to_dict`; absent options have their defaults.

        Raises:
            ConfigError: An option is unknown, or its value is not valid.
        """
        names = [field.name for field in fields(cls)]
        options.mapping("values", values, 'Give a dict of options, such as {"k": 20}.')
        for name in values:
            if name not in names:
                raise ConfigError(f"A request has no option '{name}'.", did_you_mean(str(name), names))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Every option as a plain value, for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in values.items()}

    def length(self, available: int) -> int:
        """`k`, or the number of available items if it is smaller."""
        return min(self.k, available)

    def rows(self, model: Model) -> np.ndarray | None:
        """Increasing rows (int64) of the items that may be ranked, without removed items; None for all items.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: The condition names something that is not in the graph.
        """
        if self.candidates is None and self.deny is None and self.where is None:
            return model.items.offered
        allowed = np.full(len(model.items), self.candidates is None)
        if self.candidates is not None:
            allowed[item_rows(model, tuple(self.candidates), self.on_unknown)] = True
        if self.deny is not None:
            allowed[item_rows(model, tuple(self.deny), self.on_unknown)] = False
        if self.where is not None:
            allowed &= model.matching(self.where, self.on_unknown == "skip")
        allowed[model.items.removed] = False
        return np.flatnonzero(allowed)

    def filters(
        self, model: Model, users: Sequence[str] | None = None, seen: csr_matrix | None = None
    ) -> Filters:
        """The filters of lists, and the boosts of scores.

        Args:
            model: Contains the items.
            users: Names of the users, for candidate and deny lists per user; None: the lists are not for users.
            seen: Items to leave out of each user's list; shape (n_users, n_items).

        Raises:
            UnknownId: An item, or a value of a condition, is unknown.
            ConfigError: A condition names something that is not in the graph.
        """
        exclude = None if seen is None else np.split(seen.indices, seen.indptr[1:-1])
        candidates = None
        if users is not None and self.user_deny is not None:
            denied = self.user_deny.rows(model, users, self.on_unknown)
            exclude = [np.zeros(0, np.int64)] * len(users) if exclude is None else exclude
            exclude = [
                one if own is None else np.union1d(one, own) for one, own in zip(exclude, denied, strict=True)
            ]
        if users is not None and self.user_candidates is not None:
            candidates = self.user_candidates.rows(model, users, self.on_unknown)
        kinds = [np.flatnonzero(quota.items) for quota in quotas(model, self)]
        return Filters(self.rows(model), exclude, candidates, self.boosts(model), kinds)

    def boosts(self, model: Model) -> np.ndarray | None:
        """The sum of all boosts of each item, which is added to its score; shape (n_items,), float32; None: no boosts.

        Raises:
            UnknownId: An item, or a value of a condition, is unknown.
            ConfigError: A condition names something that is not in the graph.
        """
        total = np.zeros(len(model.items), np.float32)
        if self.new_item_boost:
            total[~model.items.trained.whole] += np.float32(self.new_item_boost)
        for condition, boost in (self.where_boost or {}).items():
            total[model.matching(condition, self.on_unknown == "skip")] += np.float32(boost)
        if self.item_boost:
            rows, there = known_rows(
                model.items.rows, list(self.item_boost), "item", model.items.ids, self.on_unknown
            )
            # the boosts of two names of one item are added
            np.add.at(total, rows, np.array(list(self.item_boost.values()), np.float32)[there])
        return total if total.any() else None

    def boosts_of(self, model: Model, item: int) -> list[tuple[str, float]]:
        """The boosts of an item: the condition (or "" for a boost by id) and the number of each."""
        skip = self.on_unknown == "skip"
        found = [
            (condition, boost)
            for condition, boost in (self.where_boost or {}).items()
            if model.matching(condition, skip)[item]
        ]
        named = self.item_boost or {}
        rows = model.items.rows(list(named))
        return found + [("", boost) for row, boost in zip(rows, named.values(), strict=True) if row == item]

    def refuse(self, names: Iterable[str], query: str) -> None:
        """Raise an error for options that do not apply to a kind of query.

        Args:
            names: The options.
            query: Plural noun for the message, such as "similar users".

        Raises:
            ConfigError: One of the options differs from its default.
        """
        used = [name for name in names if getattr(self, name) != getattr(_DEFAULTS, name)]
        if used:
            verb, pronoun = ("does", "it") if len(used) == 1 else ("do", "them")
            raise ConfigError(f"{' and '.join(used)} {verb} not apply to {query}.", f"Leave {pronoun} out.")


def merged(request: Request | None, keywords: Request) -> Request:
    """The request of a call that accepts a request or its options as keywords.

    Raises:
        ConfigError: Both are given.
    """
    if request is None:
        return keywords
    options.instance("request", request, Request, "Give kgrec.Request(k=20), or Request.from_dict(values).")
    if keywords != _DEFAULTS:
        raise ConfigError(
            "Options are given both in the request and as keywords.",
            "Put all of them into the request: dataclasses.replace(request, k=20).",
        )
    return request


def checked_boost(boost: float) -> float:
    """The boost; ConfigError if it is not a finite number."""
    return options.number("new_item_boost", boost)


def _candidates(ids: Any) -> tuple[str, ...] | None:
    candidates = _ids("candidates", ids)
    if candidates == ():
        raise ConfigError(
            "candidates is empty, so there is no item to rank.", "Give ids of items, or None for all items."
        )
    return candidates


def _optional(read: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else read(value)


def _lists_of_users(name: str, value: Any) -> ItemsByUser | None:
    return None if value is None else ItemsByUser.of(value, name)


def _plain(value: Any) -> Any:
    if isinstance(value, ItemsByUser):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value


def _ids(name: str, ids: Any) -> tuple[str, ...] | None:
    if ids is None:
        return None
    return tuple(as_ids(ids, name))


def _condition(where: Any) -> str | None:
    if where is None:
        return None
    condition = options.text("where", where, "'year >= 1990'")
    parse(condition)
    return condition


_DEFAULTS = Request()
