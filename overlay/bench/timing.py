"""Timing one thing many times, and the figures people quote of it."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds a call, and calls a second over the whole run."""

    p50: float
    p95: float
    p99: float
    rate: float

    @classmethod
    def of(cls, seconds: list[float], elapsed: float) -> Timing:
        seconds = seconds if len(seconds) > 1 else seconds * 2
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        return cls(cuts[49] * 1000, cuts[94] * 1000, cuts[98] * 1000, len(seconds) / elapsed)


def time_in_turn(calls: Mapping[str, Callable[[int], object]], times: int) -> dict[str, Timing]:
    """Time `call(number)` of each in turn, A B C A B C, after a warm-up of a tenth.

    A disk or a processor that others slow down then slows all of them alike, so their ratios hold.
    """
    for number in range(times // 10):
        for call in calls.values():
            call(number)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(times):
        for name, call in calls.items():
            start = time.perf_counter()
            call(number)
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing.of(mine, sum(mine)) for name, mine in seconds.items()}


def time_callers(make: Callable[[], Callable[[int], object]], callers: int, times: int) -> Timing:
    """Time `callers` threads, each with a call of its own from `make`, sharing `times` calls."""
    calls = [make() for _ in range(callers)]
    each = max(times // callers, 10)
    seconds: list[list[float]] = [[] for _ in calls]
    ready = threading.Barrier(callers + 1)

    def work(caller: int) -> None:
        call, mine = calls[caller], seconds[caller]
        call(0)
        ready.wait()
        for number in range(each):
            start = time.perf_counter()
            call(number * callers + caller)
            mine.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return Timing.of([value for mine in seconds for value in mine], time.perf_counter() - began)
