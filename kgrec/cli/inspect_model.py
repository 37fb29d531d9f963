"""A model as text, for `kgrec inspect`.

Enters: the values of `kgrec.model.summary`. Leaves: lines of text.
"""

from __future__ import annotations

from typing import Any


def lines(values: dict[str, Any]) -> list[str]:
    """One line per fact about a model."""
    items, log = values["items"], values["interactions"]
    scorers = ", ".join(
        f"{name.replace('_', '-')} {weight:.2f}" for name, weight in values["scorers"].items()
    )
    shown = [
        f"items: {items['all']:,}, {items['known to training']:,} known to training",
        f"without interactions at training: {items['without interactions']:,}",
        *([f"added since: {_counted(items['added'])}"] if items["added"] else []),
        f"removed: {_counted(items['removed'])}",
        f"users: {values['users']:,}",
        f"interactions: {log['all']:,}, {log['positive']:,} of them positive",
        f"dimension: {values['dim']}",
        f"weights of the scores: {scorers}",
        f"index: {_pairs(values['index'])}",
        f"text encoder: {values['text']}",
        f"chosen on validation data: {_pairs(values['chosen'], leave_out=('weights', 'item_item')) or 'nothing'}",
        *(
            f"{name.replace('_', '-')} weights: {options['method'].replace('_', ' ')}, {_pairs(options, leave_out=('method',))}"
            for name, options in values["chosen"].get("item_item", {}).items()
            if values["scorers"].get(name)
        ),
        f"validation: {_pairs(values['metrics'], prefix='valid_') or 'none'}",
    ]
    if values["refreshes"]:
        shown.append(f"refreshes since the full training: {values['refreshes']:,}")
    if values["ablated"]:
        shown.append(f"trained without: {', '.join(values['ablated'])}")
    shown += [
        f"settings: {_pairs(values['settings']) or 'defaults'}",
        f"inputs: {', '.join(values['inputs']) or 'none'}",
        f"written: {values['created']} by kgrec {values['kgrec']}, format {values['format']}",
        f"size: {size(values['size'] or 0)}",
    ]
    return shown


def size(count: int) -> str:
    """A number of bytes in a readable unit."""
    amount = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"


def _counted(some: dict[str, Any]) -> str:
    named = [
        f"{one['item_id']} ({one['label']})" if one["label"] else one["item_id"] for one in some["first"]
    ]
    more = ", ..." if some["count"] > len(named) else ""
    return f"{some['count']:,}" + (f": {', '.join(named)}{more}" if named else "")


def _pairs(values: dict[str, Any], *, prefix: str = "", leave_out: tuple[str, ...] = ()) -> str:
    kept = {name: value for name, value in values.items() if name not in leave_out}
    return ", ".join(
        f"{name.removeprefix(prefix).replace('_', ' ') if prefix else name} {_value(value)}"
        for name, value in kept.items()
    )


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
