"""Why an item is not in a list: the rules that keep it out, or its score.

Enters: a state, the recipient of the list, its options, and an item. Leaves: an explanation, a rank, and the rules that exclude the item.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kgrec.recommend.explanation_parts import largest_edges
from kgrec.recommend.ids import item_rows
from kgrec.recommend.list_options import LIST_OPTIONS
from kgrec.recommend.request import Request
from kgrec.serve.http.lists import ListOf, Whom, explanation, kind_of, lists
from kgrec.serve.live import LiveState

#: length of the list in which the rank is searched
MAX_RANK = 1000
_DEFAULTS = Request()


def explained(
    state: LiveState,
    whom: Whom,
    item: str,
    request: Request,
    edges: int = 0,
    counterfactual: bool = False,
) -> dict[str, Any]:
    """The score of an item in parts, its rank, and the rules that keep it out of the list; the `edges` largest paths are listed separately.

    The rank is the item's rank, or the rank that it would have if no rule excluded it; None below `MAX_RANK`.
    """
    row = int(item_rows(state.model, [item])[0])
    name = state.model.items.ids[row]
    why = explanation(state, whom, name, request, counterfactual)
    longest = ListOf(kind_of(whom), replace(request, k=MAX_RANK, min_score=None))
    listed = lists(state, longest, [whom])[0].items
    place = {one["item"]: one for one in listed}
    score = place[name]["score"] if name in place else round(why.score, 6)
    above = sum(one["score"] > score for one in listed)
    found = name in place or above < len(listed) or len(listed) < MAX_RANK
    rank = place[name]["rank"] if name in place else above + 1 if found else None
    last = listed[min(request.k, len(listed)) - 1]["score"] if listed else None
    excluded = _excluded(state, whom, row, request)
    if request.min_score is not None and score < request.min_score:
        excluded.append(
            {"by": "min_score", "detail": f"its score {score:.4f} is below {request.min_score:.4f}"}
        )
    is_listed = name in place and place[name]["rank"] <= request.k
    if not excluded and not is_listed:
        excluded.append(_by_rank(request, score, rank, last))
    return {
        "item": name,
        "label": state.model.items.label(row),
        "score": score,
        "rank": rank,
        "parts": {kind: [part.to_dict() for part in some] for kind, some in why.parts().items()},
        "excluded_by": excluded,
        "exact": why.exact,
        "because": None if why.because is None else why.because.to_dict(),
        "text": why.text(),
        **({"counterfactual": why.counterfactual.to_dict()} if why.counterfactual else {}),
        **({"edges": largest_edges(why.history, why.paths, edges)} if edges else {}),
    }


def _by_rank(request: Request, score: float, rank: int | None, last: float | None) -> dict[str, Any]:
    """Why an item that only ranks lower is not in the list: its score, or the options about the list as a whole."""
    found = {"rank": rank, "last_score": last}
    used = [name for name in LIST_OPTIONS if getattr(request, name) != getattr(_DEFAULTS, name)]
    if used and last is not None and score >= last:
        detail = f"other items fit {', '.join(used)} better"
        return {"by": "list", "detail": detail, **found}
    below = "" if last is None else f", {last:.4f}"
    return {
        "by": "score",
        "detail": f"its score {score:.4f} is below that of the last item of the list{below}",
        **found,
    }


def _excluded(state: LiveState, whom: Whom, row: int, request: Request) -> list[dict[str, Any]]:
    model, skip = state.model, request.on_unknown == "skip"
    rules = {
        "removed": (row in model.items.removed, "it was removed from the catalogue"),
        "candidates": (
            request.candidates is not None and row not in model.items.rows(list(request.candidates)),
            "it is not a candidate",
        ),
        "deny": (
            request.deny is not None and row in model.items.rows(list(request.deny)),
            "it is on the list of denied items",
        ),
        "where": (
            request.where is not None and not model.matching(request.where, skip)[row],
            f"it does not meet the condition {request.where}",
        ),
        "seen": (request.exclude_seen and row in _seen(state, whom), "the user has interacted with it"),
        "disliked": (row in model.items.rows(list(whom.disliked)), "it is disliked"),
    }
    return [{"by": name, "detail": text} for name, (holds, text) in rules.items() if holds]


def _seen(state: LiveState, whom: Whom) -> np.ndarray:
    """Rows of the items that the user has interacted with."""
    model = state.model
    rows = model.items.rows(list(whom.liked))
    if whom.user is None or not state.knows(whom.user):
        return rows
    return np.concatenate([rows, model.histories.take(model.users.ids([whom.user])).item])
