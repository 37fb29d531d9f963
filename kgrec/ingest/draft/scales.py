"""The meaning of a log's values: ratings on a scale, counts, kinds of events.

Enters: the name and the values of a column. Leaves: `positive:` with its reason, or `events:` with weights.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from kgrec.ingest.draft import names
from kgrec.ingest.draft.profile import Profile

#: share of the largest value from which on a rating is positive
_POSITIVE = 0.75
#: number of rows from which on the largest value is the end of the scale
_MANY = 1000
#: share of the rows with 0 from which on 0 may mean "not rated"
_OFTEN = 0.2
#: largest values of scales
_STARS, _TEN, _PERCENT = 5, 10, 100
#: largest number of distinct values of a scale
_MAX_VALUES = 21
_MAX_KINDS = 20

#: kind of event, as its words joined by "_" -> weight; 0: seen, but not learned from
_EVENTS = {
    "purchase|purchased|buy|bought|order|ordered|transaction|checkout|sale|subscribe|subscribed|enroll|enrolled|booking"
    "|book|booked|payment|pay|paid|conversion|apply|applied|download|downloaded|install|complete|completed|buying": 10,
    "cart|addtocart|add_to_cart|basket|add_to_basket|cart_add|add|atc": 3,
    "fav|favorite|favourite|wishlist|add_to_wishlist|like|liked|likes|bookmark|save|saved|collect|collected|share|shared"
    "|comment|follow|followed|up|upvote|thumbs_up|recommend|recommended|positive|yes|true": 2,
    "view|viewed|click|clicked|pv|detail|visit|visited|page_view|pageview|read|open|opened|play|played|watch|watched"
    "|listen|listened|detail_view|item_view|view_item|product_view|stream|streamed|browse|search_click": 1,
    "impression|imp|show|shown|expose|exposed|skip|skipped|dislike|disliked|remove_from_cart|remove|removed|removefromcart"
    "|unlike|return|returned|refund|refunded|cancel|cancelled|canceled|down|downvote|thumbs_down|negative|no|false"
    "|unsubscribe|hide|hidden|report|not_recommended|delete|deleted": 0,
}
#: kinds that answer the question in the name of the column
_ANSWERS = ("true", "false", "yes", "no")
_WEIGHTS = {word: weight for group, weight in _EVENTS.items() for word in group.split("|")}


@dataclass(frozen=True)
class Scale:
    """When a value of the log is positive."""

    #: condition for `positive:`; "" if every row is positive
    positive: str
    reason: str
    #: reason for doubt about the condition; "" if there is none
    doubt: str = ""
    #: other possible conditions
    others: tuple[str, ...] = ("",)


def scale_of(profile: Profile, *, has_name: bool) -> Scale:
    """When a value is positive.

    Args:
        profile: A column of numbers.
        has_name: Whether its name is informative.
    """
    found, name = profile.numbers, profile.name
    assert found is not None
    low, high, steps = float(found.min()), float(found.max()), len(np.unique(found))
    said = has_name and (names.is_rating(name) or names.is_percent(name))
    if low == high:
        return Scale("", f"it is {_plain(low)} in all sampled rows")
    if has_name and names.is_count(name) and not said and steps > 2:
        return Scale("", "its name is that of counts: every row is positive")
    if set(found) <= {0.0, 1.0}:
        return Scale(">= 1", "it is 0 or 1")
    if set(found) <= {-1.0, 0.0, 1.0}:
        return Scale("> 0", "it is -1 or 1" if steps == 2 else "it is -1, 0 or 1")
    span = f"its values go from {_plain(low)} to {_plain(high)}"
    if set(found[found < 0]) == {-1.0} and high > 1:
        return _unrated(found[found >= 0], span, float((found < 0).mean()))
    if low < 0:
        return (
            Scale("> 0", span, "a scale with values below 0 may have another middle")
            if said
            else _counts(span)
        )
    if not (said or (steps <= _MAX_VALUES and high in (_STARS, _TEN))):
        return _counts(span)
    return _upward(found, low, high, span)


def _unrated(rated: np.ndarray, span: str, share: float) -> Scale:
    """A scale of ratings in which -1 means not rated."""
    scale = _upward(rated, float(rated.min()), float(rated.max()), span)
    doubt = f"-1, in {share:.0%} of the rows, may mean 'not rated': such rows count as seen, not as liked"
    return replace(scale, doubt=doubt, others=(">= 0", "")) if scale.positive else scale


def _counts(span: str) -> Scale:
    return Scale("", f"{span}, which is not a scale of ratings, so every row is positive")


def _upward(found: np.ndarray, low: float, high: float, span: str) -> Scale:
    """A scale from about 0 or 1 to a largest value."""
    median = f">= {_plain(float(np.median(found)))}"
    if high > _PERCENT:
        return Scale("", span, "no known scale of ratings has such values", (median,))
    end = _end_of(found, high)
    least = _POSITIVE * end if end <= 1 else math.ceil(_POSITIVE * end)
    first = _plain(0 if low == 0 else 0.5 if low == 0.5 else min(low, 1))
    scale = Scale(f">= {_plain(least)}", f"it looks like ratings from {first} to {_plain(end)}")
    zeros = float((found == 0).mean())
    if zeros >= _OFTEN and end > 1:
        doubt = f"0, in {zeros:.0%} of the rows, may mean 'not rated': such rows count as seen, not as liked"
        return replace(scale, doubt=doubt, others=("> 0", ""))
    if end == _PERCENT or high <= 1:
        return replace(scale, doubt="where liking begins on such a scale is a guess", others=(median, ""))
    if end != high:
        doubt = f"the largest value found is {_plain(high)}, which may be the end of the scale"
        other = f">= {_plain(math.ceil(_POSITIVE * high))}"
        return replace(scale, doubt=doubt, others=("",) if other == scale.positive else (other, ""))
    return scale


def _end_of(found: np.ndarray, high: float) -> float:
    """The largest value of the scale: the largest value found, if there are enough values."""
    if high <= 1:
        return 1.0
    if len(found) >= _MANY and high <= _TEN:
        return float(math.ceil(high))
    return float(next(end for end in (_STARS, _TEN, _PERCENT) if high <= end))


def _plain(value: float) -> str:
    return f"{value:g}"


@dataclass(frozen=True)
class Kinds:
    """Kinds of events."""

    #: kind, as in the file -> weight
    weights: dict[str, int]
    #: kinds whose weight is a guess
    unknown: list[str]


def kinds_of(profile: Profile) -> Kinds | None:
    """The kinds of events in a column, with weights; None if it has none.

    A column with the name of kinds must hold a few texts or codes; other columns must hold known words.
    """
    if (
        profile.is_list
        or not 1 < len(profile.values) <= _MAX_KINDS
        or len(profile.filled) < 0.9 * len(profile.cells)
    ):
        return None
    found = sorted(profile.values.to_pylist())
    known = {kind: weight for kind in found if (weight := _weight(kind)) is not None}
    is_named = names.is_event(profile.name)
    if profile.numbers is not None and not is_named:
        return None
    if not (len(known) == len(found) or (is_named and len(profile.values) * 2 <= len(profile.filled))):
        return None
    if (
        not is_named
        and not names.is_rating(profile.name)
        and all(names.snake(kind) in _ANSWERS for kind in found)
    ):
        # `verified: true` does not mean that the user liked the item
        return None
    weights = {kind: known.get(kind, 1) for kind in found}
    if not any(weights.values()):
        return None
    if len(set(weights.values()) - {0}) == 1:
        weights = {kind: min(weight, 1) for kind, weight in weights.items()}
    ordered = dict(sorted(weights.items(), key=lambda item: (item[1], item[0])))
    return Kinds(ordered, [kind for kind in found if kind not in known])


def _weight(kind: str) -> int | None:
    if re.fullmatch(r"[+-]?[\d.]+", kind):
        return None
    made = names.snake(kind)
    if made in _WEIGHTS:
        return _WEIGHTS[made]
    return next((_WEIGHTS[word] for word in reversed(names.words(kind)) if word in _WEIGHTS), None)


def weight_of_file(path: Path) -> int | None:
    """The weight of a log that is named after one kind of events, such as `purchases.csv`; None for other names."""
    found = [_weight(names.singular(word)) for word in names.words(path.name.split(".")[0])]
    known = [weight for weight in found if weight]
    return known[0] if len(known) == 1 else None


def are_stars(profile: Profile) -> bool:
    """Whether the values look like ratings from 1 to 5 or to 10."""
    found = profile.numbers
    if found is None or found.max() not in (_STARS, _TEN) or found.min() < 0:
        return False
    return int(pc.count_distinct(profile.filled).as_py()) <= _MAX_VALUES and found.max() * 2 + 1 >= len(
        np.unique(found)
    )
