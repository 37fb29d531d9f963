"""Figures of the server for Prometheus: `/metrics`.

Enters: counts and durations. Leaves: the text format. Labels are routes, statuses and kinds, never ids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from kgrec._version import __version__
from kgrec.errors import KgrecError
from kgrec.serve.drift_record import read_drift
from kgrec.serve.live import LiveState

logger = logging.getLogger("kgrec.serve")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """All figures of one server, in a registry of its own.

    Args:
        state: Gives the state now.
        store_revision: Gives the revision of the store.
        drift: Folder that `kgrec drift` writes; None: there are no figures of drift.
        ready: Whether the server takes requests, as `/readyz` says.
        workers: Number of workers of the server.
    """

    def __init__(
        self,
        state: Callable[[], LiveState],
        store_revision: Callable[[], int],
        drift: Path | None = None,
        ready: Callable[[], bool] = lambda: True,
        workers: int = 1,
    ) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "kgrec_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "kgrec_request_seconds", "Duration of a request.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.queue = Gauge("kgrec_queue", "Waiting questions.", ["queue"], registry=registry)
        self.batch = Histogram(
            "kgrec_batch_size",
            "Questions answered per library call.",
            buckets=_SIZES,
            registry=registry,
        )
        self.shed = Counter(
            "kgrec_shed", "Requests that were refused or dropped, by reason.", ["reason"], registry=registry
        )
        self.events = Counter("kgrec_events", "Events by result.", ["result"], registry=registry)
        self.reloads = Counter(
            "kgrec_reloads", "Attempts to replace the model, by result.", ["result"], registry=registry
        )
        self.fallbacks = Counter(
            "kgrec_fallbacks", "Lists for users without a history, by reason.", ["reason"], registry=registry
        )
        self.listed = Counter("kgrec_listed_items", "Items in lists.", ["age"], registry=registry)
        self.impressions_lost = Counter(
            "kgrec_impressions_lost",
            "Shown lists that were not stored, because too many were waiting.",
            registry=registry,
        )
        of_ready = Gauge("kgrec_ready", "Whether the server is ready: 0 while it drains.", registry=registry)
        of_ready.set_function(lambda: float(ready()))
        Gauge("kgrec_workers", "Number of workers of the server.", registry=registry).set(workers)
        registry.register(_OfState(state, store_revision))
        if drift is not None:
            registry.register(_OfDrift(drift))

    def text(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)


def with_workers(texts: Mapping[int, bytes]) -> bytes:
    """The texts of several workers joined into one, with a label `worker` on each figure.

    Figures are not summed: the counter of a restarted worker begins at 0 again, which Prometheus handles for a single series but not for a sum.
    """
    families: dict[str, Metric] = {}
    for worker, text in sorted(texts.items()):
        for family in text_string_to_metric_families(text.decode()):
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            merged.samples += [
                sample._replace(labels={**sample.labels, "worker": str(worker)}) for sample in family.samples
            ]
    registry = CollectorRegistry()
    registry.register(_Collected(list(families.values())))
    return generate_latest(registry)


@dataclass(eq=False)
class _Collected:
    """Figures that were already collected."""

    families: list[Metric]

    def collect(self) -> list[Metric]:
        """The figures."""
        return self.families


class _OfState:
    """Figures that are read on each request."""

    def __init__(self, state: Callable[[], LiveState], store_revision: Callable[[], int]) -> None:
        self._state, self._revision = state, store_revision

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: the figures are not read at registration."""
        return []

    def collect(self) -> list[GaugeMetricFamily]:
        """The figures now."""
        state = self._state()
        items = state.model.items
        by_state = GaugeMetricFamily("kgrec_items", "Items by state.", labels=["state"])
        by_state.add_metric(["trained"], items.n_trained)
        by_state.add_metric(["added"], len(items) - items.n_trained)
        by_state.add_metric(["removed"], len(items.removed))
        info = GaugeMetricFamily("kgrec_info", "Version of the server.", labels=["version"])
        info.add_metric([__version__], 1)
        return [
            by_state,
            info,
            GaugeMetricFamily("kgrec_users", "Users known to the model.", len(state.model.users)),
            GaugeMetricFamily(
                "kgrec_model_age_seconds", "Time since the model was written.", time.time() - state.written
            ),
            GaugeMetricFamily(
                "kgrec_revision", "Revision of the store that answers include.", state.revision
            ),
            *self._of_store(state.revision),
        ]

    def _of_store(self, revision: int) -> list[GaugeMetricFamily]:
        """Whether the store can be reached, and how far it is ahead; if it cannot be reached, only the lag is left out."""
        lag = GaugeMetricFamily(
            "kgrec_store_lag", "Revisions of the store that answers do not include yet.", labels=[]
        )
        try:
            lag.add_metric([], max(0, self._revision() - revision))
        except KgrecError:
            logger.warning("The store cannot be reached.", exc_info=True)
        reached = GaugeMetricFamily("kgrec_store_up", "Whether the store can be reached.", len(lag.samples))
        return [reached, lag]


class _OfDrift:
    """Figures of the last drift check, read on each request; the folder is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: the figures are not read at registration."""
        return []

    def collect(self) -> list[GaugeMetricFamily]:
        """The figures in the current folder; if it cannot be read, only a figure that says so."""
        name = "kgrec_drift_up"
        try:
            found = read_drift(self._folder)
        except KgrecError as error:
            logger.warning("There are no drift figures: %s", error.problem)
            return [GaugeMetricFamily(name, "Whether the drift folder can be read.", 0)]
        values = GaugeMetricFamily("kgrec_drift", "Value of each check for drift.", labels=["check"])
        alarms = GaugeMetricFamily(
            "kgrec_drift_alarm",
            "Verdict of each check for drift: 0 stable, 1 watch, 2 retrain.",
            labels=["check"],
        )
        for check in found.checks:
            values.add_metric([check.name], check.value)
            alarms.add_metric([check.name], check.alarm)
        return [
            GaugeMetricFamily(name, "Whether the drift folder can be read.", 1),
            values,
            alarms,
            GaugeMetricFamily(
                "kgrec_drift_verdict",
                "The worst verdict on drift: 0 stable, 1 watch, 2 retrain.",
                found.alarm,
            ),
            GaugeMetricFamily(
                "kgrec_drift_age_seconds", "Time since the drift check.", time.time() - found.written
            ),
        ]
