"""Hand-made results of a benchmark, as metrics.json has them."""

from __future__ import annotations

from typing import Any


def metric(name: str, value: float | None, *, bucket: str = "", k: int = 20) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.01, value + 0.01)
    return {
        "bucket": bucket, "metric": name, "k": k, "value": value, "low": low, "high": high, "users": 90,
    }  # fmt: skip


def system(name: str, kind: str, ndcg: float | None, recall: float | None, **changes: Any) -> dict[str, Any]:
    found = {
        "name": name,
        "kind": kind,
        "description": f"description of {name}",
        "options": "",
        "trials": 0,
        "cpu_budget": None,
        "cpu_seconds": {"train": 2.0, "recommend": 0.5},
        "error": None,
        "metrics": [metric("ndcg", ndcg), metric("recall", recall)],
        "learning_curve": [],
    }
    return found | changes


def comparison(other: str, difference: float, higher: str, *, on: str = "ndcg@20") -> dict[str, Any]:
    return {
        "metric": on, "model": "kgrec", "other": other, "difference": difference, "low": difference - 0.01,
        "high": difference + 0.01, "effect": 0.2, "users": 90, "p": 0.01, "p_holm": 0.02 if higher else 0.6,
        "higher": higher,
    }  # fmt: skip


def results(*systems: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = {
        "kgrec": "0.1.0",
        "created": "2026-11-24T22:00:00+00:00",
        "cpu_seconds": 512.3,
        "graph": "graph/",
        "data": {
            "items": 1682, "users": 943, "edges": 12345, "train": 70000, "valid": 7000, "test": 9000,
            "test_users": 900, "new_items": 0,
        },
        "protocol": {"kind": "random", "share": 0.2, "sentence": "A fifth is held out at random."},
        "k": [20],
        "primary_metric": "ndcg@20",
        "level": 0.95,
        "resamples": 1000, "permutations": 10_000,
        "folds": 1,
        "systems": list(systems),
        "comparisons": [],
        "examples": [],
    }  # fmt: skip
    return found | changes
