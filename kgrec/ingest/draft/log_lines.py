"""Lines of a log in kgrec.yaml.

Enters: a `Log`. Leaves: its lines under `interactions:`, with reasons; doubts about `positive:` and kinds of events.
"""

from __future__ import annotations

from collections.abc import Iterator

from kgrec.ingest.draft import looks, names
from kgrec.ingest.draft.doubts import Doubts
from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.logs import Log
from kgrec.ingest.draft.scales import Kinds, scale_of

#: numbers that are written with a comma
_DECIMAL_COMMA = r"^\s*[+-]?\d+,\d+\s*$"


def log_lines(log: Log, item: str, doubts: Doubts) -> Iterator[str]:
    """Lines of a log.

    Args:
        log: The log.
        item: The text after `item:`.
        doubts: Doubts about the draft.
    """
    sample, columns = log.sample, {role: name for role, (name, _) in log.columns.items()}
    for role, (name, why) in log.columns.items():
        sample.why(name, role, why)
    yield from sample.file_lines()
    yield f"user: {written(columns['user'])}"
    yield f"item: {item}{sample.marks.get('item', '')}"
    if "value" in columns:
        yield f"value: {written(columns['value'])}"
    if "time" in columns:
        yield f"time: {written(columns['time'])}"
        yield from _time_lines(log, columns["time"])
    if "position" in columns:
        yield f"position: {written(columns['position'])}"
    if "value" in columns:
        yield from _positive_lines(log, columns["value"], doubts)
    if log.kinds is not None:
        yield from _event_lines(log, columns["event"], log.kinds, doubts)
    rest = [name for name in sample.columns if name not in {*columns.values(), *sample.elsewhere}]
    if rest:
        sample.why(", ".join(rest), "not read", "a log has users, items, values, times and kinds of events")
    for name in rest:
        full = sample.profile(name).filled if name in sample.plain else None
        if full is not None and names.is_value(name) and looks.share(full, _DECIMAL_COMMA) == 1:
            doubts.warn(
                f'{sample.source.name}: {name} is not read, since its numbers have decimal commas, such as "{full[0]}".',
                "Write them with a point, and draft the mapping again.",
            )


def _time_lines(log: Log, name: str) -> Iterator[str]:
    profile = log.sample.profile(name)
    unit = looks.clock_of(profile.filled)
    if unit and unit != looks.UNITS[0]:
        yield f"time_unit: {unit}"
        return
    form = None if unit else looks.date_form(profile.filled, name)
    if form is not None and form.format:
        yield f"time_format: {written(form.format)}"


def _positive_lines(log: Log, name: str, doubts: Doubts) -> Iterator[str]:
    sample = log.sample
    scale = scale_of(sample.profile(name), has_name=sample.has_names)
    positive, reason, mark = scale.positive, scale.reason, ""
    if scale.doubt:
        question = f"{sample.source.name}: which values of {name} mean that a user liked an item?"
        conditions = [positive, *scale.others]
        answers = [f'positive: "{one}"' if one else "every row is positive" for one in conditions]
        taken, reason = doubts.choose(question, answers, f"{scale.reason}, but {scale.doubt}")
        positive, mark = conditions[taken], doubts.mark if doubts.ask is None else ""
    if positive:
        sample.why(name, f"positive: {positive}", reason)
        yield f"positive: {written(positive)}{mark}"
    else:
        sample.why(name, "no condition", reason)
        if mark:
            yield f"# positive:{mark}"


def _event_lines(log: Log, name: str, kinds: Kinds, doubts: Doubts) -> Iterator[str]:
    sample, mark = log.sample, ""
    if kinds.unknown:
        shown_kinds = ", ".join(kinds.unknown[:5])
        mark = doubts.warn(
            f"{sample.source.name}: {name} has kinds of events whose weight is a guess: {shown_kinds}.",
            "Write their weights under `events:`; use 0 for events that only show that an item was seen.",
        )
    yield f"event: {written(name)}"
    weights = ", ".join(f"{written(kind)}: {weight}" for kind, weight in kinds.weights.items())
    yield f"events: {{{weights}}}{mark}"
    seen = [kind for kind, weight in kinds.weights.items() if weight == 0]
    if seen:
        sample.why(
            name, f"{', '.join(seen)}: weight 0", "they say that an item was seen, not that it was liked"
        )
