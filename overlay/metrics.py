"""Counts and times for Prometheus, made so that no single check can be read from them.

Whoever reads them every second, and knows who is being asked about just then, must not learn whether a marker was
found. So the outcomes of checks are let out in batches that hold at least ten hits and ten clears; times are rounded
up to a step that a hit and a clear share; and every label is a word of this program, never one of a request's.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterable
from contextlib import suppress

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from markers.ledger import Basis
from markers.model import Status
from markers.snapshot import SnapshotRefused
from overlay.folders import public_key, snapshot_of
from overlay.lookup import Answer
from overlay.services import Services
from overlay.settings import FIGURES_VARIABLE

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LEAST_OF_EACH = 10
STEPS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_own = CollectorRegistry()
_requests = Counter(
    "overlay_requests", "Requests answered, of all workers.", ("method", "route", "status"), registry=_own
)
_seconds = Histogram(
    "overlay_request_seconds", "Time to answer, rounded up to a step.", ("route",), buckets=STEPS_S, registry=_own
)
_outcomes = Counter(
    "overlay_checks",
    "Checks, in batches of at least ten hits and ten clears.",
    ("outcome",),
    registry=_own,
)
_unanswered = Counter("overlay_checks_without_store", "Checks that the store did not answer for.", registry=_own)


class Batch:
    """Outcomes held back until they name nobody. Safe to share between threads."""

    def __init__(self) -> None:
        self._held: Tally[str] = Tally()
        self._lock = threading.Lock()

    def add(self, outcome: str) -> dict[str, int]:
        """Hold one outcome; returns all that were held once there are enough of both kinds, else nothing."""
        with self._lock:
            self._held[outcome] += 1
            if min(self._held[Status.HIT.value], self._held[Status.CLEAR.value]) < LEAST_OF_EACH:
                return {}
            out, self._held = dict(self._held), Tally()
            return out


_batch = Batch()


def checked(answer: Answer) -> None:
    """Count one check."""
    if answer.store is Basis.LAST_KNOWN:
        _unanswered.inc()
        return
    for outcome, count in _batch.add(answer.status.value).items():
        _outcomes.labels(outcome).inc(count)


def exposition(services: Services) -> bytes:
    """Everything in Prometheus's text form: the counts of all workers, and the state this worker sees."""
    registry = CollectorRegistry()
    if os.environ.get(FIGURES_VARIABLE):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    else:
        registry.register(_own)
    registry.register(_State(services))
    return generate_latest(registry)


def install(app: Flask) -> None:
    """Count and time every request."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "none"
        method = request.method if request.method in _METHODS else "other"
        _requests.labels(method, route, str(response.status_code)).inc()
        took_s = time.perf_counter() - g.began if "began" in g else 0.0
        _seconds.labels(route).observe(next((step for step in STEPS_S if took_s <= step), STEPS_S[-1]))
        return response


class _State(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        state = self._services.state(self._services.now())
        current = GaugeMetricFamily("overlay_store_current", "1 while a check is answered from a current store.")
        current.add_metric((), float(state.kind != "last_known"))
        waiting = GaugeMetricFamily("overlay_spool_waiting", "Looks that wait for the store in the spool.")
        waiting.add_metric((), float(self._services.spool.pending()))
        proved = GaugeMetricFamily("overlay_proved", "1 while the proof of life of this machine holds.")
        proved.add_metric((), float(self._services.proof.read(self._services.now()).holds))
        snapshot = GaugeMetricFamily(
            "overlay_snapshot_age_seconds", "Age of this machine's snapshot; absent without one."
        )
        with suppress(SnapshotRefused):
            found = snapshot_of(self._services.settings, self._services.vault).manifest(
                public_key(self._services.settings, self._services.area.code)
            )
            snapshot.add_metric((), (self._services.now() - found.as_of).total_seconds())
        return current, waiting, proved, snapshot
