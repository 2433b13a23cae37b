"""Reports of the benchmarks as rows: the same for a screen and for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from overlay.bench.match import MatchReport
from overlay.bench.matchset import CLASSES
from overlay.bench.score import COLUMNS, Judged, Share
from overlay.bench.timing import Timing

FEW = 5
"""Noise tags with fewer texts than this are told in one row."""


def confusion_rows(report: MatchReport) -> list[dict[str, Any]]:
    """How the texts of each class came out."""
    table = report.score.by_class
    return [_counted("class", cls, table[cls]) for cls in CLASSES if cls in table]


def tag_rows(report: MatchReport) -> list[dict[str, Any]]:
    """How the texts with each kind of noise came out, commonest first. A text with two kinds is in two rows."""
    table = report.score.by_tag
    common = {tag: counts for tag, counts in table.items() if counts.total() >= FEW}
    rare = sum((counts for tag, counts in table.items() if tag not in common), Counter[str]())
    ordered = sorted(common.items(), key=lambda item: (-item[1].total(), item[0]))
    return [_counted("noise", tag, counts) for tag, counts in [*ordered, *([("rarer", rare)] if rare else [])]]


def figure_rows(report: MatchReport) -> list[dict[str, Any]]:
    """The figures people quote, named."""
    score = report.score
    figures: list[tuple[str, Any]] = [
        ("precision of premises (95 %)", score.precision),
        ("recall of premises (95 %)", score.recall),
        ("doubt on decidable texts (95 %)", score.doubt),
        ("wrong homes shown as this home", score.wrong_homes),
        ("marked homes surfaced in no grade", score.unsurfaced),
        ("marked homes answered clear", score.said_clear),
        ("vague texts answered clear", score.clear_though_vague),
        ("markers placed on another home", report.misplaced),
        ("markers placed on no home", report.unplaced),
        ("homes", f"{report.homes:,}"),
        ("markers", f"{report.markers:,}"),
        ("resident memory, MB", f"{report.memory_mb:.0f}"),
    ]
    return [{"figure": name, "is": str(value)} for name, value in figures]


def timing_row(measured: str, timing: Timing) -> dict[str, Any]:
    """One timing: milliseconds a text, texts a second."""
    return {
        "measured": measured,
        "p50 ms": f"{timing.p50:.3f}",
        "p95 ms": f"{timing.p95:.3f}",
        "p99 ms": f"{timing.p99:.3f}",
        "a second": f"{timing.rate:,.0f}",
    }


def failure_rows(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Every text that came out otherwise than it should, gravest kinds first."""
    kinds = ("wrong home", "not surfaced", "said clear", "told apart", "clear though vague", "doubt")
    failed = [one for one in judged if one.failure]
    return [_failure(one) for kind in kinds for one in failed if one.failure == kind]


def as_json(report: MatchReport) -> dict[str, Any]:
    """The whole report for a program: shares 0 to 1, milliseconds, counts."""
    score = report.score
    return {
        "by_class": {cls: dict(counts) for cls, counts in score.by_class.items()},
        "by_tag": {tag: dict(counts) for tag, counts in score.by_tag.items()},
        "precision": score.precision.as_dict(),
        "recall": score.recall.as_dict(),
        "doubt": score.doubt.as_dict(),
        "wrong_homes": score.wrong_homes,
        "unsurfaced": score.unsurfaced,
        "said_clear": score.said_clear,
        "clear_though_vague": score.clear_though_vague,
        "misplaced": report.misplaced,
        "unplaced": report.unplaced,
        "homes": report.homes,
        "markers": report.markers,
        "queries": len(report.judged),
        "single": timing_json(report.timing),
        "memory_mb": report.memory_mb,
    }


def timing_json(timing: Timing) -> dict[str, float]:
    """Milliseconds and calls a second."""
    return {"p50_ms": timing.p50, "p95_ms": timing.p95, "p99_ms": timing.p99, "per_second": timing.rate}


def share_text(share: Share) -> str:
    """`98.70 % (97.8 to 99.2)`: short enough for a table beside another matcher's."""
    low, high = share.interval
    return f"{share.value * 100:.2f} % ({low * 100:.1f} to {high * 100:.1f})"


def _counted(heading: str, name: str, counts: Counter[str]) -> dict[str, Any]:
    return {heading: name, "texts": counts.total(), **{column: counts[column] or "" for column in COLUMNS}}


def _failure(one: Judged) -> dict[str, Any]:
    matches = one.outcome.matches
    first = matches[0] if matches else None
    answered = f"{one.outcome.status.value}: {one.outcome.understood or 'nothing understood'}"
    if first is not None:
        sub = f" / {first.sub_building.value}" if first.sub_building else ""
        answered += f"; {first.grade.value}{sub}: {first.marker.reference} {first.marker.place.address}"
        answered += f", {first.marker.place.postcode}" if first.marker.place.postcode else ""
    return {
        "failure": one.failure,
        "query": one.query.query_id,
        "text": one.query.text,
        "class": one.query.cls,
        "noise": "+".join(one.query.tags),
        "truth": one.query.true_uid or one.query.true_bid,
        "answered": answered,
        "why": "; ".join((*(first.why if first else ()), *filter(None, (one.outcome.reason,)))),
    }
