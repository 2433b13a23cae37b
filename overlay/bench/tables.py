"""Reports of the benchmarks as rows: the same for a screen and for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from overlay.bench.match import MatchReport
from overlay.bench.matchset import CLASSES
from overlay.bench.peer import PeerScore, PeerTimes
from overlay.bench.scale import ScaleReport
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
        "a second": _rate(timing.rate),
    }


def failure_rows(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Every text that came out otherwise than it should, gravest kinds first."""
    kinds = ("wrong home", "not surfaced", "said clear", "told apart", "clear though vague", "doubt")
    failed = [one for one in judged if one.failure]
    return [_failure(one) for kind in kinds for one in failed if one.failure == kind]


def side_by_side(report: MatchReport, peer: Iterable[PeerScore]) -> list[dict[str, Any]]:
    """ "This home" by us and by the peer."""
    ours, whole = report.score, len(report.judged)
    rows = [("overlay", ours.precision, ours.recall, ours.wrong_homes)]
    rows += [(f"peer, {one.setting}", one.precision, one.recall, one.wrong_homes) for one in peer]
    return [
        {
            "matcher": name,
            "precision (95 %)": share_text(precision),
            "recall (95 %)": share_text(recall),
            f"wrong homes of {whole:,}": wrong,
        }
        for name, precision, recall, wrong in rows
    ]


def peer_timing_rows(times: PeerTimes) -> list[dict[str, Any]]:
    """The peer's own rows for the table of timings."""
    single = timing_row("peer, one text", times.single)
    batch = dict.fromkeys(single, "") | {
        "measured": f"peer, a batch of {times.batch_size:,}",
        "a second": _rate(times.batch_rate),
    }
    return [single, batch]


def peer_json(scores: Iterable[PeerScore], times: PeerTimes) -> dict[str, Any]:
    """The peer for a program."""
    return {
        "scores": {
            one.setting: {
                "precision": one.precision.as_dict(),
                "recall": one.recall.as_dict(),
                "wrong_homes": one.wrong_homes,
            }
            for one in scores
        },
        **_peer_times_json(times),
    }


def scale_rows(report: ScaleReport) -> list[dict[str, Any]]:
    """The figures of a scale run, named."""
    figures = [
        ("addresses", f"{report.homes:,}"),
        ("load, s", f"{report.load_s:.1f}"),
        ("open a loaded gazetteer, s", f"{report.open_s:.2f}"),
        (f"take in {report.memory_markers:,} markers, s", f"{report.markers_s:.1f}"),
        (f"resident memory with {report.memory_markers:,} markers, MB", f"{report.memory_mb:.0f}"),
        ("texts read as the home meant", share_text(report.as_meant)),
        ("texts read as a home written otherwise", share_text(report.as_another)),
    ]
    return [{"figure": name, "is": value} for name, value in figures]


def scale_timing_rows(report: ScaleReport) -> list[dict[str, Any]]:
    """Single texts and the batch, ours and the peer's. The batch is one process, as `overlay check --input` is."""
    single = timing_row(f"one dirty text, {report.markers:,} markers", report.single)
    batch = dict.fromkeys(single, "") | {
        "measured": f"a batch of {report.batch_size:,}, one process",
        "a second": _rate(report.batch_rate),
    }
    return [single, batch, *(peer_timing_rows(report.peer) if report.peer else [])]


def scale_json(report: ScaleReport) -> dict[str, Any]:
    """A scale run for a program: seconds, milliseconds, megabytes, shares 0 to 1."""
    return {
        "homes": report.homes,
        "markers": report.markers,
        "load_s": report.load_s,
        "open_s": report.open_s,
        "markers_s": report.markers_s,
        "single": timing_json(report.single),
        "batch": {"size": report.batch_size, "per_second": report.batch_rate, "processes": 1},
        "memory": {"markers": report.memory_markers, "mb": report.memory_mb},
        "as_meant": report.as_meant.as_dict(),
        "as_another": report.as_another.as_dict(),
        "peer": _peer_times_json(report.peer) if report.peer else None,
        "ratios": [{"ratio": name, "is": value, "at_least": aim} for name, value, aim in report.ratios],
    }


def _peer_times_json(times: PeerTimes) -> dict[str, Any]:
    return {
        "prepare_s": times.prepare_s,
        "single": timing_json(times.single),
        "batch": {"size": times.batch_size, "per_second": times.batch_rate},
    }


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


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


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
