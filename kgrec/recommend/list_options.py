"""Options about lists as a whole: diversity, calibration, novelty, exposure, caps and quotas.

Enters: options of a call as plain values, and a model. Leaves: checked values, or a ConfigError; the `ListPolicy` of a call; and
sentences that name the active options. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from kgrec.arguments import options
from kgrec.errors import ConfigError
from kgrec.graph.histories import Histories
from kgrec.graph.where_syntax import parse
from kgrec.model.model import Model
from kgrec.rank.lists.calibrate import Calibration
from kgrec.rank.lists.diversify import DIVERSITY_TERMS, Diversity
from kgrec.rank.lists.exposure import Exposure, ExposureTarget
from kgrec.rank.lists.greedy import Wish
from kgrec.rank.lists.limits import Cap, Quota
from kgrec.rank.lists.novelty import Novelty, self_information
from kgrec.rank.lists.policy import ListPolicy

if TYPE_CHECKING:
    from kgrec.recommend.request import Request

#: the options, in the order in which explanations name them
LIST_OPTIONS = (
    *("diversity", "diversity_method", "calibration", "calibrate_by", "novelty"),
    *("exposure", "exposure_by", "exposure_target", "at_most", "at_least"),
)
#: the only quota name that is not a condition: items without interactions at training
NEW = "new"
#: strength -> option that has no effect without it, and whether the strength needs the option
_BELONGING = (
    ("diversity", "diversity_method", False),
    ("calibration", "calibrate_by", True),
    ("exposure", "exposure_by", True),
    ("exposure", "exposure_target", False),
)


def checked_list_options(request: Request, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The list options as plain values.

    Args:
        request: Contains the options as given by the caller.
        defaults: Defaults of all options.

    Raises:
        ConfigError: A value is out of range or has the wrong type, a required companion option is absent, or a quota is larger
            than the list.
    """
    checked = {
        **{
            name: _strength(name, getattr(request, name))
            for name in ("diversity", "calibration", "novelty", "exposure")
        },
        "diversity_method": options.choice("diversity_method", request.diversity_method, [*DIVERSITY_TERMS]),
        "exposure_target": options.choice(
            "exposure_target", request.exposure_target, get_args(ExposureTarget)
        ),
        "calibrate_by": _type("calibrate_by", request.calibrate_by),
        "exposure_by": _type("exposure_by", request.exposure_by),
        "at_most": _counts("at_most", request.at_most, "node types", '{"author": 2}'),
        "at_least": _counts("at_least", request.at_least, "conditions", '{"year >= 2020": 3, "new": 1}'),
    }
    for strength, other, needed in _BELONGING:
        if checked[other] != defaults[other] and not checked[strength]:
            raise ConfigError(
                f"{other} is {options.shown(checked[other])}, but {strength} is 0, so it changes nothing.",
                f"Give {strength}, a number above 0 and at most 1, such as 0.3.",
            )
        if needed and checked[strength] and checked[other] is None:
            raise ConfigError(
                f"{strength} is {checked[strength]:g}, but {other} is not given.",
                f"Give a node type: {other}='genre'.",
            )
    _check_quotas(checked["at_least"], request.k)
    return checked


def list_policy(model: Model, request: Request, histories: Histories) -> ListPolicy | None:
    """The policy of a call; None if no list option is active.

    Args:
        model: Contains the items.
        request: The options.
        histories: Histories of the users in the call.

    Raises:
        UnknownId: The graph has no such node type, or a value of a condition is unknown.
        ConfigError: A condition names something that is not in the graph, or too few items meet it for any list.
    """
    caps = tuple(Cap(model.nodes_of(name), most) for name, most in (request.at_most or {}).items())
    wishes, kinds = tuple(_wishes(model, request, histories)), quotas(model, request)
    if not wishes and not caps and not kinds:
        return None
    return ListPolicy(wishes, caps, kinds, request.min_score)


def check_types(model: Model, request: Request) -> None:
    """Check the node types named by the list options before any list is computed.

    Raises:
        UnknownId: The graph has no such node type.
    """
    for name in (*(request.at_most or ()), request.calibrate_by, request.exposure_by):
        if name is not None:
            model.nodes_of(name)


def quotas(model: Model, request: Request) -> tuple[Quota, ...]:
    """The quotas of a request.

    Raises:
        UnknownId: A value of a condition is unknown.
        ConfigError: A condition names something that is not in the graph, or no list can meet the quotas.
    """
    if not request.at_least:
        return ()
    offered = _mask(model, request.rows(model))
    found = tuple(
        Quota(_kind(model, name, request.on_unknown == "skip") & offered, least, name)
        for name, least in request.at_least.items()
    )
    for quota in found:
        there = int(quota.items.sum())
        if there < quota.least:
            raise ConfigError(
                f"at_least requires {quota.least} item{'s' * (quota.least > 1)} of '{quota.name}', but {there} of the items that may be listed "
                f"{'is' if there == 1 else 'are'} of that kind.",
                "Give a smaller number, another condition, or weaker filters.",
            )
    total = sum(quota.least for quota in found)
    if total > request.k and not (np.sum([quota.items for quota in found], axis=0) > 1).any():
        raise ConfigError(
            f"at_least requires {total} items in total (no item counts twice), but a list has {request.k}.",
            "Give smaller numbers, or a larger k.",
        )
    return found


def at_work(request: Request) -> list[str]:
    """One sentence per active list option."""
    said = []
    if request.diversity:
        method = {"mmr": "the most similar listed item", "dpp": "all listed items together"}
        said.append(
            f"diversity {request.diversity:g} ({request.diversity_method}): an item sinks by its similarity to "
            f"{method[request.diversity_method]}"
        )
    if request.calibration:
        said.append(
            f"calibration {request.calibration:g} by {request.calibrate_by}: the list follows the shares of {request.calibrate_by} "
            "in the history"
        )
    if request.novelty:
        said.append(f"novelty {request.novelty:g}: items with few users rise")
    if request.exposure:
        said.append(
            f"exposure {request.exposure:g} by {request.exposure_by} ({request.exposure_target}): items of a {request.exposure_by} "
            "with less exposure than its target rise"
        )
    said += [f"at most {most} per {name}" for name, most in (request.at_most or {}).items()]
    return said + [f"at least {least} of '{name}'" for name, least in (request.at_least or {}).items()]


def _wishes(model: Model, request: Request, histories: Histories) -> Sequence[Wish]:
    wishes: list[Wish] = []
    if request.diversity:
        wishes.append(Diversity(request.diversity, model.items.vectors, request.diversity_method))
    if request.calibration:
        assert request.calibrate_by is not None
        nodes = model.nodes_of(request.calibrate_by)
        wishes.append(Calibration(request.calibration, nodes, histories.matrix()))
    if request.novelty:
        n_users = int(model.histories.has_positive.sum())
        wishes.append(Novelty(request.novelty, self_information(model.users_of_items, n_users)))
    if request.exposure:
        assert request.exposure_by is not None
        groups = model.nodes_of(request.exposure_by)
        offered = _mask(model, request.rows(model))
        wishes.append(Exposure(request.exposure, groups, request.exposure_target, offered))
    return wishes


def _kind(model: Model, name: str, skip_unknown: bool) -> np.ndarray:
    """Mask of the items that a quota applies to; shape (n_items,), bool."""
    return ~model.items.trained.whole if name == NEW else model.matching(name, skip_unknown)


def _mask(model: Model, rows: np.ndarray | None) -> np.ndarray:
    """Rows as a mask; shape (n_items,), bool; None means all rows."""
    mask = np.full(len(model.items), rows is None)
    if rows is not None:
        mask[rows] = True
    return mask


def _strength(name: str, value: Any) -> float:
    strength = options.number(name, value, least=0)
    if strength > 1:
        raise ConfigError(f"{name} is {strength:g}.", "It must be a number from 0 to 1, such as 0.3.")
    return strength


def _type(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not (isinstance(value, str) and value.strip()):
        raise ConfigError(f"{name} is {options.shown(value)}.", "Give a node type, such as 'genre'.")
    return options.text(name, value)


def _counts(name: str, values: Any, keys: str, example: str) -> dict[str, int] | None:
    if values is None:
        return None
    read = options.mapping(name, values, f"Give a dict from {keys} to whole numbers: {example}.")
    return {
        options.text(f"a key of {name}", key): options.whole_number(f"{name}[{key!r}]", one)
        for key, one in read.items()
    } or None


def _check_quotas(at_least: Mapping[str, int] | None, k: int) -> None:
    for name, least in (at_least or {}).items():
        if name != NEW:
            parse(name)
        if least > k:
            raise ConfigError(
                f"at_least['{name}'] is {least}, but a list has {k} items.",
                "Give a smaller number, or a larger k.",
            )
