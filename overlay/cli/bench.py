"""`overlay bench`: measurements that anyone can run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

import click

from overlay.bench import tables as bench_tables
from overlay.bench.backup import BackupLoad, Taken, bench_backup
from overlay.bench.board import bench_board
from overlay.bench.check import Report, bench_check
from overlay.bench.ledger import bench_ledger, bench_verify
from overlay.bench.listed import bench_list
from overlay.bench.live import Load, bench_live
from overlay.bench.load import Night, bench_load
from overlay.bench.match import bench_match
from overlay.bench.matchset import read_match_set
from overlay.bench.peer import peer_match
from overlay.bench.progress import bench_progress
from overlay.bench.scale import Sizes, bench_scale
from overlay.cli.options import FILE, json_option
from overlay.cli.tell import say_rows
from overlay.settings import Settings


@click.group()
def bench() -> None:
    """Measurements that anyone can run again, in a temporary folder."""


@bench.command("check")
@click.option("--homes", default=10_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--markers", "marker_count", default=10_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--rounds", default=2_000, show_default=True, type=click.IntRange(100))
@json_option
def bench_check_command(homes: int, marker_count: int, rounds: int, as_json: bool) -> None:
    """Time a check and its parts beside PING, an fsynced XADD and an empty HTTP route.

    Example: overlay bench check --rounds 5000
    """
    timings, ratios = _rows(bench_check(Settings.read(), homes, marker_count, rounds, _tell))
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": ratios}))
        return
    _say_tables(timings, ratios)


@bench.command("ledger")
@click.option("--homes", default=10_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--rounds", default=1_500, show_default=True, type=click.IntRange(50))
@click.option("--entries", default=1_000_000, show_default=True, type=click.IntRange(1), help="To verify.")
@click.option("--each", default=100, show_default=True, type=click.IntRange(1), help="Entries under one checkpoint.")
@json_option
def bench_ledger_command(homes: int, rounds: int, entries: int, each: int, as_json: bool) -> None:
    """Time a durable check with the ledger and without, and verifying an exported ledger.

    Example: overlay bench ledger --entries 100000
    """
    timings, ratios = _rows(bench_ledger(Settings.read(), homes, rounds, _tell))
    took, found = bench_verify(entries, each, _tell)
    if found.fault is not None:
        raise click.ClickException(f"The invented ledger did not verify: {found.fault.words}.")
    verified = [
        {
            "verified": f"{took.entries:,} entries, {took.checkpoints:,} checkpoints, {took.megabytes:,.0f} MB",
            "seconds": f"{took.seconds:.2f}",
            "processor seconds": f"{took.worked:.2f}",
            "entries a second": f"{took.entries / took.seconds:,.0f}",
            "processors": took.processors,
            "aim": "< 10 s for 1,000,000",
        }
    ]
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": ratios, "verified": verified}))
        return
    _say_tables(timings, ratios, verified)


@bench.command("load")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.1, 600))
@click.option("--homes", default=100_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--markers", "marker_count", default=100_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--incidents", default=2_000, show_default=True, type=click.IntRange(1, 20_000), help="Open.")
@click.option("--screens", default=300, show_default=True, type=click.IntRange(1, 1_000))
@click.option("--checks", default=20.0, show_default=True, type=click.FloatRange(1, 200), help="A second.")
@click.option("--notes", default=5.0, show_default=True, type=click.FloatRange(0, 50), help="On incidents, a second.")
@click.option("--boards", default=2.0, show_default=True, type=click.FloatRange(0, 50), help="Asked again, a second.")
@click.option(
    "--changes",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 20),
    help="Homes marked and unmarked, a second.",
)
@click.option("--restart/--no-restart", default=True, show_default=True, help="Kill the store half-way.")
@json_option
def bench_load_command(
    minutes: float,
    homes: int,
    marker_count: int,
    incidents: int,
    screens: int,
    checks: float,
    notes: float,
    boards: float,
    changes: float,
    restart: bool,
    as_json: bool,
) -> None:
    """Let a busy night pass, with the store killed half-way; count wrong answers and lost writes.

    Example: overlay bench load --minutes 2 --markers 10000 --homes 10000
    """
    night = Night(minutes, homes, marker_count, incidents, screens, checks, notes, boards, changes, restart)
    found = bench_load(Settings.read(), night, _tell)
    timings = [
        {"checks of": name, "p50 ms": f"{t.p50:.1f}", "p99 ms": f"{t.p99:.1f}", "a second": f"{t.rate:,.1f}"}
        for name, t in (("minutes with the store", found.normal), ("degraded minutes", found.degraded))
        if t is not None
    ]
    told = [
        {
            **{kind: f"{found.checks[kind]:,}" for kind in ("right", "last known", "wrong", "refused", "cut off")},
            "of homes just changed": f"{found.changed:,}",
            "acknowledged writes": f"{found.acknowledged:,}",
            "lost": found.lost,
            "doubled": found.doubled,
            "without the store, s": f"{found.back_s:.1f}",
            "boards": ", ".join(f"{kind} {count:,}" for kind, count in found.boards.items()),
            "screens cut off": found.screens_lost,
        }
    ]
    if as_json:
        click.echo(json.dumps({"timings": timings, "told": told}))
        return
    _say_tables(timings, told)


@bench.command("live")
@click.option("--homes", default=10_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--screens", default=200, show_default=True, type=click.IntRange(1, 1_000))
@click.option(
    "--changes", default=5.0, show_default=True, type=click.FloatRange(0.1, 50), help="Of incidents, a second."
)
@click.option(
    "--approvals", default=0.5, show_default=True, type=click.FloatRange(0.1, 10), help="Of markers, a second."
)
@click.option("--checks", default=20.0, show_default=True, type=click.FloatRange(1, 200), help="Over HTTP, a second.")
@click.option("--turns", default=3, show_default=True, type=click.IntRange(1), help="With the screens, and without.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1, 600), help="Of each turn.")
@json_option
def bench_live_command(
    homes: int,
    screens: int,
    changes: float,
    approvals: float,
    checks: float,
    turns: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Time a change and an approval until every connected screen knows, and checks with the screens and without.

    Example: overlay bench live --screens 50 --seconds 5
    """
    live = bench_live(Settings.read(), Load(homes, screens, changes, approvals, checks, turns, seconds), _tell)
    timed = {
        f"a change on one of {screens} screens": (live.arrival, "<= 250"),
        f"an approval told to one of {screens} screens": (live.told, "<= 250"),
        "the approved marker on the incident of one that asks again": (live.seen, "<= 250"),
        "check over HTTP, no screens": (live.without, ""),
        "check over HTTP, all screens connected": (live.with_screens, f"<= {live.without.p99 * 4 / 3:.1f}"),
    }
    timings = [
        {
            "measured": name,
            "p50 ms": f"{t.p50:.1f}",
            "p99 ms": f"{t.p99:.1f}",
            "aim for p99": aim,
            "a second": f"{t.rate:,.0f}",
        }
        for name, (t, aim) in timed.items()
    ]
    told = [
        {
            "changes": live.changes,
            "never arrived": live.missed,
            "approvals": live.approvals,
            "never told": live.untold,
            "never seen": live.unseen,
            "told to load again": live.reloads,
            "processors busy with": f"{live.busy_with:.2f}",
            "without": f"{live.busy_without:.2f}",
            "load before": f"{live.load_before:.1f}",
            "load after": f"{live.load_after:.1f}",
        }
    ]
    if as_json:
        click.echo(json.dumps({"timings": timings, "told": told}))
        return
    _say_tables(timings, told)


@bench.command("backup")
@click.option("--homes", default=100_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--markers", "marker_count", default=100_000, show_default=True, type=click.IntRange(100, 100_000))
@click.option("--entries", default=1_000_000, show_default=True, type=click.IntRange(1), help="Of the ledger.")
@click.option("--checks", default=20.0, show_default=True, type=click.FloatRange(1, 200), help="Over HTTP, a second.")
@click.option("--turns", default=2, show_default=True, type=click.IntRange(1), help="With a backup, and without.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1, 600), help="Of a turn without.")
@json_option
def bench_backup_command(
    homes: int, marker_count: int, entries: int, checks: float, turns: int, seconds: float, as_json: bool
) -> None:
    """Time checks while a backup is taken and without one, and how long putting it back takes.

    Example: overlay bench backup --markers 1000 --homes 1000 --entries 10000 --seconds 10
    """
    found = bench_backup(Settings.read(), BackupLoad(homes, marker_count, entries, checks, turns, seconds), _tell)
    timings = [
        {"measured": name, "p50 ms": f"{t.p50:.1f}", "p95 ms": f"{t.p95:.1f}", "p99 ms": f"{t.p99:.1f}", "aim": aim}
        for name, t, aim in (
            ("check over HTTP, no backup", found.without, ""),
            ("check over HTTP during a backup", found.during, f"p99 <= {1.5 * found.without.p99:.1f}"),
        )
    ]
    growth = {"ratio": "p99 during / without", "is": f"{found.during.p99 / found.without.p99:.2f}", "aim": "<= 1.5"}
    took = [_took(f"backup {n}", one, "") for n, one in enumerate(found.backups, 1)]
    took.append(_took("restore", found.restored, "<= 120 s"))
    load = [{"load before": f"{found.load_before:.1f}", "load after": f"{found.load_after:.1f}"}]
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": [growth], "took": took, "machine": load}))
        return
    _say_tables(timings, [growth], took, load)


def _took(name: str, taken: Taken, aim: str) -> dict[str, Any]:
    return {"took": name, "seconds": f"{taken.seconds:.1f}", "processor seconds": f"{taken.worked:.1f}", "aim": aim}


peer_option = click.option("--peer", type=click.Choice(["uk-address-matcher"]), help="Measure it on the same data too.")
singles_option = click.option(
    "--peer-singles",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="So many texts of it singly: seconds each.",
)


@bench.command("match")
@click.option("--gazetteer", required=True, type=FILE, help="Known premises: id, address, postcode.")
@click.option("--markers", "marked", required=True, type=FILE, help="Those of them that carry a marker.")
@click.option("--queries", required=True, type=FILE, help="Labelled texts: unique_id,text,true_uid,...,cls,tags.")
@click.option("--failures", type=click.File("w", encoding="utf-8"), help="Write every failure there, - to print them.")
@peer_option
@singles_option
@json_option
def bench_match_command(
    gazetteer: Path,
    marked: Path,
    queries: Path,
    failures: TextIO | None,
    peer: str | None,
    peer_singles: int,
    as_json: bool,
) -> None:
    """Match a labelled set and count what came right, wrong and in doubt.

    Example: overlay bench match --gazetteer tests/data/labelled/gazetteer.csv
    --markers tests/data/labelled/markers.csv --queries tests/data/labelled/queries.csv --failures -
    """
    labelled = read_match_set(gazetteer, marked, queries)
    report = bench_match(labelled, _tell)
    scores, times = peer_match(labelled, peer_singles, _tell) if peer else ((), None)
    if as_json:
        told = {"peer": bench_tables.peer_json(scores, times)} if times else {}
        click.echo(json.dumps(bench_tables.as_json(report) | told))
    else:
        timings = [bench_tables.timing_row("one text, nothing warmed; a batch is the same loop", report.timing)]
        _say_tables(
            bench_tables.confusion_rows(report),
            bench_tables.tag_rows(report),
            bench_tables.figure_rows(report),
            timings + (bench_tables.peer_timing_rows(times) if times else []),
            bench_tables.side_by_side(report, scores) if scores else [],
        )
    if failures is not None:
        for row in bench_tables.failure_rows(report.judged):
            failures.write(json.dumps(row, ensure_ascii=False) + "\n" if as_json else _failure_text(row))


@bench.command("scale")
@click.option("--gazetteer", required=True, type=FILE, help="Parquet or CSV: address,postcode or name,a1..a4,postcode.")
@click.option("--homes", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--queries", default=2_000, show_default=True, type=click.IntRange(10))
@click.option("--markers", "marker_count", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=0, type=click.IntRange(0), help="Texts of the batch; as many as homes if not given.")
@click.option("--seed", default=1, show_default=True, type=int)
@peer_option
@singles_option
@json_option
def bench_scale_command(
    gazetteer: Path,
    homes: int,
    queries: int,
    marker_count: int,
    batch: int,
    seed: int,
    peer: str | None,
    peer_singles: int,
    as_json: bool,
) -> None:
    """Time loading, opening and dirty texts on a large gazetteer, and weigh the process.

    Example: overlay bench scale --gazetteer addresses.parquet --homes 100000 --peer uk-address-matcher
    """
    sizes = Sizes(homes, marker_count, queries, batch, seed, peer_singles)
    report = bench_scale(gazetteer, sizes, with_peer=peer is not None, say=_tell)
    if as_json:
        click.echo(json.dumps(bench_tables.scale_json(report)))
        return
    ratios = [{"ratio": name, "is": f"{value:,.2f}", "aim": f">= {aim:g}"} for name, value, aim in report.ratios]
    _say_tables(bench_tables.scale_rows(report), bench_tables.scale_timing_rows(report), ratios)


@bench.command("list")
@click.option("--gazetteer", required=True, type=FILE, help="Parquet or CSV: address,postcode or name,a1..a4,postcode.")
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1), help="Each a home of it.")
@click.option("--seed", default=1, show_default=True)
@json_option
def bench_list_command(gazetteer: Path, rows: int, seed: int, as_json: bool) -> None:
    """Time a list of markers sent in on its page: read, approved by another and carried out.

    Example: overlay bench list --gazetteer addresses.parquet --rows 100000
    """
    found = bench_list(Settings.read(), gazetteer, rows, seed, _tell)
    took = found.read_s + found.carried_out_s
    figures = [
        {"figure": name, "is": value, "aim": aim}
        for name, value, aim in (
            ("rows", f"{found.rows:,}", ""),
            ("markers written", f"{found.written:,}", ""),
            ("on a known home", f"{found.on_known_homes:,}", ""),
            ("read, s", f"{found.read_s:.2f}", ""),
            ("carried out, s", f"{found.carried_out_s:.2f}", ""),
            ("both, s", f"{took:.2f}", "<= 180 for 100,000"),
            ("processor seconds", f"{found.worked_s:.1f}", ""),
            ("resident before, MB", f"{found.before_mb:.0f}", ""),
            ("most while read, MB", f"{found.reading_mb:.0f}", ""),
            ("with its markers, MB", f"{found.done_mb:.0f}", ""),
            ("load before", f"{found.load_before:.1f}", ""),
        )
    ]
    if as_json:
        click.echo(json.dumps({"figures": figures}))
        return
    _say_tables(figures)


@bench.command("board")
@click.option("--incidents", default=10_000, show_default=True, type=click.IntRange(50, 100_000))
@click.option("--rounds", default=100, show_default=True, type=click.IntRange(10))
@json_option
def bench_board_command(incidents: int, rounds: int, as_json: bool) -> None:
    """Time the first page of the board with many open incidents, one change between every two.

    Example: overlay bench board --incidents 1000
    """
    timings, ratios = _rows(bench_board(Settings.read(), incidents, rounds, _tell))
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": ratios}))
        return
    _say_tables(timings, ratios)


@bench.command("progress")
@click.option("--answers", default=60, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--rounds", default=5_000, show_default=True, type=click.IntRange(100))
@json_option
def bench_progress_command(answers: int, rounds: int, as_json: bool) -> None:
    """Time how far a checklist has come, beside writing its answers out as JSON.

    Example: overlay bench progress --answers 60
    """
    timings, ratios = _rows(bench_progress(answers, rounds))
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": ratios}))
        return
    _say_tables(timings, ratios)


def _rows(report: Report) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    timings: list[dict[str, Any]] = [
        {"measured": name, "p50 ms": f"{t.p50:.3f}", "p99 ms": f"{t.p99:.3f}", "a second": f"{t.rate:,.0f}"}
        for name, t in report.timings.items()
    ]
    return timings, [{"ratio": name, "is": f"{value:.2f}", "aim": f"<= {aim:g}"} for name, value, aim in report.ratios]


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _say_tables(*tables: list[dict[str, Any]]) -> None:
    for number, rows in enumerate(filter(None, tables)):
        if number:
            click.echo("")
        say_rows(rows, as_json=False)


def _failure_text(row: dict[str, Any]) -> str:
    lines = (f"  {name}: {row[name]}" for name in ("text", "truth", "answered", "why"))
    return "\n".join((f"{row['failure']}  [{row['query']}, {row['class']}, {row['noise']}]", *lines, ""))
