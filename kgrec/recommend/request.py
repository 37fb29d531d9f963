"""Options of a list: length, filters and scores, as one object for library, command line and batch runs.

Enters: the options of a call, or their JSON. Leaves: a valid `Request`, or a ConfigError; and the rows of a model that may be
ranked. Users, histories and texts are not part of a request: methods take them as arguments of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np

from kgrec.arguments import options
from kgrec.arguments.ids import as_ids
from kgrec.errors import ConfigError, did_you_mean
from kgrec.graph.where_syntax import parse
from kgrec.model.model import Model
from kgrec.recommend.ids import OnUnknown, item_rows


@dataclass(frozen=True)
class Request:
    """Options of a list; all restrictions hold at once.

    Raises:
        ConfigError: A value is out of range or of the wrong type, or the condition cannot be parsed.

    Example:
        >>> request = Request(k=5, where="year >= 1990")
        >>> Request.from_dict(request.to_dict()) == request
        True
    """

    k: int = 10
    """Items per list; fewer only where fewer are allowed."""
    candidates: Iterable[str] | None = None
    """Ids of the only items to rank, at least one, kept as a tuple; None: all."""
    deny: Iterable[str] | None = None
    """Ids of items to leave out, kept as a tuple."""
    where: str | None = None
    """A condition on the items, see `kgrec.graph.where_syntax`."""
    min_score: float | None = None
    """Lowest score that is returned; ranks do not change."""
    exclude_seen: bool = True
    """Leave out the items that the user has interacted with."""
    new_item_boost: float = 0.0
    """Added to the score of items without interactions at training; below 0 they sink."""
    on_unknown: OnUnknown = "raise"
    """"raise", or "skip" unknown ids, and let an unknown value of the condition match nothing."""

    def __post_init__(self) -> None:
        checked = {
            "k": options.whole_number("k", self.k),
            "candidates": _candidates(self.candidates),
            "deny": _ids("deny", self.deny),
            "where": _condition(self.where),
            "min_score": None if self.min_score is None else options.number("min_score", self.min_score),
            "exclude_seen": options.flag("exclude_seen", self.exclude_seen),
            "new_item_boost": checked_boost(self.new_item_boost),
            "on_unknown": options.choice("on_unknown", self.on_unknown, get_args(OnUnknown)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Request:
        """Read what `to_dict` gives; options that are absent have their defaults.

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
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def length(self, available: int) -> int:
        """`k`, or the number of available items if that is less."""
        return min(self.k, available)

    def rows(self, model: Model) -> np.ndarray | None:
        """Rows of the items that may be ranked, increasing, int64; None for all. Removed items may not.

        Raises:
            UnknownId: An item, or a value of the condition, is unknown.
            ConfigError: The condition names something that the graph lacks.
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

    def refuse(self, names: Iterable[str], query: str) -> None:
        """Refuse options that have no meaning for a kind of query.

        Args:
            names: The options.
            query: Plural noun for the message, such as "similar users".

        Raises:
            ConfigError: One of them is not at its default.
        """
        used = [name for name in names if getattr(self, name) != getattr(_DEFAULTS, name)]
        if used:
            verb, pronoun = ("does", "it") if len(used) == 1 else ("do", "them")
            raise ConfigError(f"{' and '.join(used)} {verb} not apply to {query}.", f"Leave {pronoun} out.")


def merged(request: Request | None, keywords: Request) -> Request:
    """The request of a call that takes one, or its options as keywords.

    Raises:
        ConfigError: Both are given.
    """
    if request is None:
        return keywords
    options.instance("request", request, Request, "Give kgrec.Request(k=20), or Request.from_dict(values).")
    if keywords != _DEFAULTS:
        raise ConfigError(
            "Options are given both in the request and beside it.",
            "Put all of them into the request: dataclasses.replace(request, k=20).",
        )
    return request


def checked_boost(boost: float) -> float:
    """The boost; ConfigError when it is not a finite number."""
    return options.number("new_item_boost", boost)


def _candidates(ids: Any) -> tuple[str, ...] | None:
    candidates = _ids("candidates", ids)
    if candidates == ():
        raise ConfigError(
            "candidates is empty, so there is no item to rank.", "Give ids of items, or None for all items."
        )
    return candidates


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
