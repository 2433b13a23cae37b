"""The `overlay` command. Exit 0 done, 1 refused with a one-line reason on stderr, 2 wrong usage."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from checklists.definition import DefinitionError
from markers import ledger as ledgers
from markers.categories import CategoryError
from markers.exchange import (
    Query,
    ResultsWriter,
    RowError,
    TableError,
    count_lines,
    read_gazetteer,
    read_markers,
    read_queries,
)
from markers.gazetteer import Gazetteer, GazetteerError
from markers.ledger import Via
from markers.location import LocationError, RawLocation
from markers.model import LONDON, Status
from markers.server import ServerError
from markers.store import StoreError
from markers.vault import VaultError
from overlay import demo, identity, logs
from overlay.api.models import CheckResponse, IncidentIn
from overlay.bench import tables as bench_tables
from overlay.bench.check import bench_check
from overlay.bench.match import bench_match
from overlay.bench.matchset import read_match_set
from overlay.bench.peer import PeerError, peer_match
from overlay.bench.scale import ScaleError, Sizes, bench_scale
from overlay.disclosure import DisclosureError
from overlay.lookup import Answer, Asked, NothingDisclosed, check
from overlay.plain_text import is_plain_text
from overlay.roles import Actor, RolesError
from overlay.run import CannotRun
from overlay.run import run as run_console
from overlay.services import Services, data_folders, running
from overlay.settings import Settings, SettingsError
from overlay.upkeep import Plan, UpkeepError, import_markers, plan_import

_REFUSALS = (
    CannotRun,
    CategoryError,
    DefinitionError,
    DisclosureError,
    GazetteerError,
    LocationError,
    NothingDisclosed,
    PeerError,
    RolesError,
    ScaleError,
    ServerError,
    SettingsError,
    StoreError,
    TableError,
    UpkeepError,
    VaultError,
    identity.IdentityError,
)
_ERRORS_SHOWN = 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LONGEST_PASSWORD_FILE = 65_536
_LONGEST_PERSON = 120
_Good = TypeVar("_Good")


class _Commands(click.Group):
    """Turns everything the application refuses on purpose into one line and exit 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _REFUSALS as error:
            raise click.ClickException(_one_line(str(error))) from error
        except BrokenPipeError:
            raise  # whoever read our output has seen enough; click ends quietly
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(_one_line(f"{where}{error.strerror or error}")) from error


data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="The data folder; OVERLAY_DATA is the same.", metavar="DIR"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overlay")
def main() -> None:
    """Warning markers beside the CAD: check a location, keep markers, run the console."""
    logs.to_stderr()


@main.command()
@click.option("--demo", "with_demo", is_flag=True, help="Lay out the invented neighbourhood and demo accounts.")
@data_option
@click.option("--port", type=int, help="Port of the console (8000).")
def run(with_demo: bool, data: Path | None, port: int | None) -> None:
    """Start the store and the console; Ctrl-C stops both.

    Example: overlay run --demo --port 8080
    """
    settings = Settings.read(data=data, port=port)
    laid_out: list[demo.Demo] = []

    def prepare(services: Services) -> None:
        if with_demo:
            laid_out.append(demo.prepare(services, datetime.now(UTC)))
        elif not services.access.accounts():
            click.echo(
                "No account exists yet. Make one: overlay users create NAME --role administrator --name 'A Person'"
            )

    def ready(address: str) -> None:
        click.echo(f"\nThe console is at {address}   (Ctrl-C stops it)\n")
        for outcome in laid_out:
            _say_demo(outcome)

    click.echo("Starting the store and the console ...")
    if run_console(settings, prepare, ready):
        click.echo("Stopped: console and store.")
    else:
        click.echo("Stopped: the console. The store goes on for those who use it.")


def _say_demo(laid_out: demo.Demo) -> None:
    click.echo(f"Sign in with any of these names and the password {demo.DEMO_PASSWORD}")
    for username, role in laid_out.accounts:
        click.echo(f"  {username:<14} {role}")
    click.echo("\nThree addresses to try:")
    for example in laid_out.tries:
        click.echo(f"  {example.expect:<16} {example.address}")
    click.echo("")


@main.command("check")
@click.argument("address", required=False)
@click.option("--postcode")
@click.option("--uprn")
@click.option("--grid", "grid_reference", help="National Grid reference, for example 'TQ 3266 8168'.")
@click.option("--easting", type=float)
@click.option("--northing", type=float)
@click.option("--longitude", type=float)
@click.option("--latitude", type=float)
@click.option("--uncertainty", "uncertainty_m", type=float, help="Metres around the position.")
@click.option("--phone", help="The caller's number.")
@click.option("--incident", help="The incident's reference.")
@click.option("--type", "incident_type", help="The incident's type, for example domestic.")
@click.option(
    "--input", "queries", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file of queries."
)
@click.option("--output", "results", type=click.Path(dir_okay=False, path_type=Path), help="Where results go.")
@data_option
@json_option
def check_command(
    address: str | None,
    incident: str | None,
    incident_type: str | None,
    queries: Path | None,
    results: Path | None,
    data: Path | None,
    as_json: bool,
    **parts: Any,
) -> None:
    """Check one location, or a file of them, against the markers in force. Every check is logged.

    \b
    Examples:
      overlay check "Flat 3, 14 Tallow Yard, EC9A 1AB" --incident CAD-4521
      overlay check --longitude 0.8 --latitude 51.48 --uncertainty 30 --json
      overlay check --input queries.csv --output results.csv
    """
    if (queries is None) != (results is None):
        raise click.UsageError("--input and --output go together.")
    if queries is not None and results is not None:
        if as_json or any(value is not None for value in (address, incident, incident_type, *parts.values())):
            raise click.UsageError("With --input everything about a location stands in the file; results are CSV.")
        if results.exists() and results.samefile(queries):
            raise click.ClickException(
                f"{results} is the file of queries. Nothing was checked; write results elsewhere."
            )
        with running(Settings.read(data=data)) as services:
            _check_file(services, queries, results)
        return
    raw = RawLocation(address=address, **parts)
    asked = Asked(raw, *_incident(incident, incident_type))
    with running(Settings.read(data=data)) as services:
        if asked.incident_type is not None and asked.incident_type not in dict(services.incident_types):
            known = ", ".join(code for code, _ in services.incident_types)
            _warn(f"--type is not one this service knows, so it suggests no checklist. Known are: {known}.")
        answer = check(services, _operator(), asked, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(_plain(answer), indent=2))
    else:
        _say_answer(answer)


def _check_file(services: Services, queries: Path, results: Path) -> None:
    actor = _operator()
    counts = dict.fromkeys(Status, 0)
    refused: list[str] = []
    unreadable: set[int] = set()
    with _bar("Checking", count_lines(queries) - 1) as step, ResultsWriter(results) as writer:
        for query in read_queries(queries, _warn):
            step(1)
            if isinstance(query, RowError):
                refused.append(str(query))
                unreadable.add(query.line)
                continue
            status = _check_row(services, actor, query, writer, refused)
            counts[status] += 1
    click.echo("  ".join(f"{status.value} {count:,}" for status, count in counts.items()), err=True)
    _say_errors(refused)
    if unreadable:
        raise click.ClickException(
            f"{_rows(len(unreadable))} could not be read, so there is no result for them. Mend them and run again."
        )


def _check_row(services: Services, actor: Actor, query: Query, writer: ResultsWriter, refused: list[str]) -> Status:
    try:
        asked = Asked(_raw(query), *_incident(query.incident, None))
        answer = check(services, actor, asked, datetime.now(UTC))
    except LocationError as error:
        refused.append(f"query {query.query_id}, {error}")
        writer.none(query.query_id, Status.COULD_NOT_CHECK, str(error))
        return Status.COULD_NOT_CHECK
    reason = " ".join(filter(None, (answer.reason, *answer.warnings)))
    if not answer.matches:
        writer.none(query.query_id, answer.status, reason)
    for match in answer.matches:
        writer.match(
            query.query_id,
            answer.status,
            reason,
            grade=match.grade.value,
            sub_building=match.sub_building.value if match.sub_building else "",
            marker_reference=match.reference or "",
            category=match.category or "",
            distance_m=match.distance_m,
            confidence=match.confidence,
            why="; ".join(match.why),
        )
    return answer.status


def _incident(reference: str | None, incident_type: str | None) -> tuple[str | None, str | None]:
    """An incident's reference and type, as the HTTP interface takes them. Raises LocationError naming the field."""
    try:
        given = IncidentIn(reference=(reference or "").strip() or None, type=incident_type or None)
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("type",):
            raise LocationError("type", "not the code of an incident type, for example domestic.") from None
        raise LocationError("incident", "not a reference. Give up to 64 characters of plain text.") from None
    return given.reference, given.type


def _raw(query: Query) -> RawLocation:
    """A row's cells as a location. Raises LocationError for a cell that is not a number where one belongs."""

    def number(name: str) -> float | None:
        cell = getattr(query, name)
        if cell is None or not cell.strip():
            return None
        try:
            return float(cell)
        except ValueError:
            raise LocationError(name, "not a number.") from None

    return RawLocation(
        address=query.address,
        postcode=query.postcode,
        uprn=query.uprn,
        easting=number("easting"),
        northing=number("northing"),
        longitude=number("longitude"),
        latitude=number("latitude"),
        uncertainty_m=number("uncertainty_m"),
        phone=query.phone,
    )


@main.group()
def markers() -> None:
    """Lists of markers in and out."""


@markers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="Who proposes these markers.")
@click.option("--approved-by", required=True, help="Who approves them; never the same person.")
@click.option("--dry-run", is_flag=True, help="Show what would happen and change nothing.")
@click.option("--skip-bad-rows", is_flag=True, help="Load the good rows although some are bad.")
@data_option
@json_option
def markers_import(
    file: Path, by: str, approved_by: str, dry_run: bool, skip_bad_rows: bool, data: Path | None, as_json: bool
) -> None:
    """Load a CSV list of markers; a row whose reference is known changes that marker.

    Example: overlay markers import list.csv --by "A Officer" --approved-by "B Supervisor" --dry-run
    """
    by, approved_by = _person("--by", by), _person("--approved-by", approved_by)
    if by.casefold() == approved_by.casefold():
        raise click.ClickException("A marker is approved by a second person: --by and --approved-by must differ.")
    with running(Settings.read(data=data)) as services:
        now = datetime.now(UTC)
        rows = read_markers(file, services.categories, now.astimezone(LONDON).date(), by, approved_by, now, _warn)
        with _bar("Reading", count_lines(file) - 1) as step:
            good, errors = _sort_out(rows, step)
        _say_errors(errors)
        if errors and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"{_rows(_bad(errors), 'bad')}: nothing was loaded. Mend what is bad, or use --skip-bad-rows."
            )
        with _bar("Placing", len(good)) as step:
            plan = plan_import(services, _counted(good, step))
        if plan.unfindable:
            click.echo(f"Only a UPRN that the gazetteer lacks: {_some(plan.unfindable)}", err=True)
        if plan.unfindable and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"No written address could ever meet {_rows(len(plan.unfindable))}: nothing was loaded. "
                "Load the gazetteer first, give their addresses, or use --skip-bad-rows."
            )
        written = 0
        if not dry_run:
            with _bar("Writing", len(plan.new) + len(plan.changed)) as step:
                written = import_markers(services, _operator(), plan, now, step)
    _say_plan(plan, errors, written, dry_run=dry_run, as_json=as_json)


def _say_plan(plan: Plan, errors: list[RowError], written: int, *, dry_run: bool, as_json: bool) -> None:
    figures = {
        "new": len(plan.new),
        "changed": len(plan.changed),
        "unchanged": plan.unchanged,
        "bad_rows": _bad(errors),
        "not_in_gazetteer": len(plan.unplaced),
        "unfindable": len(plan.unfindable),
        "written": written,
    }
    if as_json:
        more = {"dry_run": dry_run, "errors": list(map(str, errors)), "unplaced": list(plan.unplaced)}
        click.echo(json.dumps({**figures, **more}))
        return
    click.echo("  ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in figures.items()))
    if plan.unplaced:
        click.echo(f"Not surely one home of the gazetteer, so found by their own text only: {_some(plan.unplaced)}")
    if dry_run:
        click.echo("Nothing was changed (--dry-run).")


@main.group()
def gazetteer() -> None:
    """The known premises of the area."""


@gazetteer.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read the file and change nothing.")
@click.option("--skip-bad-rows", is_flag=True, help="Load the good rows although some are bad.")
@data_option
@json_option
def gazetteer_load(file: Path, dry_run: bool, skip_bad_rows: bool, data: Path | None, as_json: bool) -> None:
    """Replace the gazetteer with a CSV file: uprn, address, postcode and where known a position and parent_uprn.

    Example: overlay gazetteer load premises.csv
    """
    settings = Settings.read(data=data)
    data_folders(settings.data)
    with _bar("Reading", count_lines(file) - 1) as step:
        homes, errors = _sort_out(read_gazetteer(file, _warn), step)
    _say_errors(errors)
    if errors and not skip_bad_rows and not dry_run:
        raise click.ClickException(
            f"{_rows(_bad(errors), 'bad')}: the gazetteer was left as it was. Mend what is bad, or use --skip-bad-rows."
        )
    if not homes:
        raise click.ClickException("The file holds no premises: the gazetteer was left as it was.")
    count = len(homes)
    if not dry_run:
        with _bar("Indexing", count) as step:
            count = Gazetteer.load(settings.data / "gazetteer", _counted(homes, step)).count
    if as_json:
        told = {"premises": count, "bad_rows": _bad(errors), "errors": list(map(str, errors)), "dry_run": dry_run}
        click.echo(json.dumps(told))
    else:
        click.echo(
            f"premises {count:,}  bad rows {_bad(errors):,}" + ("  nothing was changed (--dry-run)" if dry_run else "")
        )


@main.group()
def tokens() -> None:
    """Bearer tokens of other programs."""


@tokens.command("create")
@click.option("--role", required=True)
@click.option("--name", required=True, help="Which program will use it.")
@click.option("--days", default=90, show_default=True)
@data_option
@json_option
def tokens_create(role: str, name: str, days: int, data: Path | None, as_json: bool) -> None:
    """Make a token and print it, once.

    Example: overlay tokens create --role service --name "CAD bridge"
    """
    with running(Settings.read(data=data)) as services:
        bearer = identity.create_token(
            services.store, services.access, name, role, datetime.now(UTC), days, _operator()
        )
    click.echo(json.dumps({"token": bearer, "role": role, "name": name, "days": days}) if as_json else bearer)


@tokens.command("list")
@data_option
@json_option
def tokens_list(data: Path | None, as_json: bool) -> None:
    """Every token there is or was, without its secret.

    Example: overlay tokens list
    """
    with running(Settings.read(data=data)) as services:
        rows = [
            {"id": t.token_id[:12], "name": t.name, "role": t.role, "until": t.expires_at, "revoked": t.revoked_at}
            for t in services.access.tokens()
        ]
    _say_rows(rows, as_json=as_json)


@tokens.command("revoke")
@click.argument("token_id")
@data_option
def tokens_revoke(token_id: str, data: Path | None) -> None:
    """End a token now, by the id `overlay tokens list` shows.

    Example: overlay tokens revoke 3fa94c02b1aa
    """
    with running(Settings.read(data=data)) as services:
        token = identity.revoke_token(services.store, services.access, token_id, datetime.now(UTC), _operator())
    click.echo(f"Revoked: {token.name}")


@main.group()
def users() -> None:
    """Local accounts."""


@users.command("create")
@click.argument("username")
@click.option("--role", required=True)
@click.option("--name", required=True, help="The person's name as others see it.")
@click.option("--password-file", type=click.File("rb"), help="Read the password from a file, - for standard input.")
@data_option
def users_create(username: str, role: str, name: str, password_file: Any, data: Path | None) -> None:
    """Make an account; asks for the password.

    Example: overlay users create jsmith --role call_handler --name "J Smith"
    """
    password = (
        _password(password_file.read(_LONGEST_PASSWORD_FILE))
        if password_file
        else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    with running(Settings.read(data=data)) as services:
        identity.create_account(
            services.store, services.access, username, name, role, password, datetime.now(UTC), _operator()
        )
    click.echo(f"Made: {username} ({role})")


@users.command("list")
@data_option
@json_option
def users_list(data: Path | None, as_json: bool) -> None:
    """Every account.

    Example: overlay users list
    """
    with running(Settings.read(data=data)) as services:
        rows = [
            {"username": a.username, "name": a.name, "role": a.role, "disabled": a.disabled, "created": a.created_at}
            for a in services.access.accounts()
        ]
    _say_rows(rows, as_json=as_json)


@users.command("disable")
@click.argument("username")
@data_option
def users_disable(username: str, data: Path | None) -> None:
    """Close an account; its sessions end at once.

    Example: overlay users disable jsmith
    """
    with running(Settings.read(data=data)) as services:
        identity.disable_account(services.store, services.access, username, datetime.now(UTC), _operator())
    click.echo(f"Disabled: {username}")


@main.group()
def ledger() -> None:
    """The record of every look and change."""


@ledger.command("search")
@click.option("--incident")
@click.option("--actor", help="Account or token id, or os:NAME for the command line.")
@click.option("--marker", help="Marker id.")
@click.option("--check", "check_id")
@click.option("--last", type=click.IntRange(1), help="Only the newest entries.")
@data_option
@json_option
def ledger_search(
    incident: str | None,
    actor: str | None,
    marker: str | None,
    check_id: str | None,
    last: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """List ledger entries, oldest first.

    Example: overlay ledger search --incident CAD-4521
    """
    with running(Settings.read(data=data)) as services:
        entries = [(r.sequence, ledgers.LedgerEntry.from_bytes(r.entry)) for r in services.store.ledger()]
    wanted = set(
        map(id, ledgers.search((e for _, e in entries), actor=actor, incident=incident, marker=marker, check=check_id))
    )
    found = [(sequence, entry) for sequence, entry in entries if id(entry) in wanted]
    late_checks = {entry.check_id for _, entry in entries if entry.late}
    rows = [
        {
            "sequence": sequence,
            "at": entry.at,
            "operation": entry.operation.value,
            "actor": entry.actor_id if len(entry.actor_id) <= 20 or as_json else f"{entry.actor_id[:12]}...",
            "role": entry.actor_role,
            "via": entry.via.value,
            "incident": entry.incident,
            "reason": entry.reason,
            # The store kept the look after all, but its reply came too late: the late entry is what was shown.
            "status": "not shown" if entry.check_id in late_checks and not entry.late else entry.status,
            "records": [seen.record_id for seen in entry.records] if as_json else len(entry.records),
            **({"store": entry.store, "late": entry.late, "check": entry.check_id} if as_json else {}),
            "entry": entry.entry_id,
        }
        for sequence, entry in (found[-last:] if last else found)
    ]
    _say_rows(rows, as_json=as_json)


@main.group()
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
    report = bench_check(Settings.read(), homes, marker_count, rounds, _tell)
    timings = [
        {"measured": name, "p50 ms": f"{t.p50:.3f}", "p99 ms": f"{t.p99:.3f}", "a second": f"{t.rate:,.0f}"}
        for name, t in report.timings.items()
    ]
    ratios = [{"ratio": name, "is": f"{value:.2f}", "aim": f"<= {aim:g}"} for name, value, aim in report.ratios]
    if as_json:
        click.echo(json.dumps({"timings": timings, "ratios": ratios}))
        return
    _say_rows(timings, as_json=False)
    click.echo("")
    _say_rows(ratios, as_json=False)


peer_option = click.option("--peer", type=click.Choice(["uk-address-matcher"]), help="Measure it on the same data too.")
singles_option = click.option(
    "--peer-singles",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="So many texts of it singly: seconds each.",
)


@bench.command("match")
@click.option("--gazetteer", required=True, type=_FILE, help="Known premises: id, address, postcode.")
@click.option("--markers", "marked", required=True, type=_FILE, help="Those of them that carry a marker.")
@click.option("--queries", required=True, type=_FILE, help="Labelled texts: unique_id,text,true_uid,...,cls,tags.")
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
@click.option(
    "--gazetteer", required=True, type=_FILE, help="Parquet or CSV: address,postcode or name,a1..a4,postcode."
)
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


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _say_tables(*tables: list[dict[str, Any]]) -> None:
    for number, rows in enumerate(filter(None, tables)):
        if number:
            click.echo("")
        _say_rows(rows, as_json=False)


def _failure_text(row: dict[str, Any]) -> str:
    lines = (f"  {name}: {row[name]}" for name in ("text", "truth", "answered", "why"))
    return "\n".join((f"{row['failure']}  [{row['query']}, {row['class']}, {row['noise']}]", *lines, ""))


def _operator() -> Actor:
    """Whoever runs the command: the operating system's account, in the service role."""
    account = getpass.getuser()
    return Actor(f"os:{account}", account, "service", Via.CLI)


def _plain(answer: Answer) -> dict[str, Any]:
    """The answer as the HTTP interface gives it (DESIGN section 6)."""
    return CheckResponse.of(answer).model_dump(mode="json")


_HEADINGS = {
    Status.HIT: ("■", "MARKER"),
    Status.CLEAR: ("○", "NO MARKER"),
    Status.COULD_NOT_CHECK: ("✕", "COULD NOT CHECK: treat as unknown"),
}


def _say_answer(answer: Answer) -> None:
    shape, heading = _HEADINGS[answer.status]
    click.echo(f"{shape} {heading}   [{answer.status.value}]")
    if answer.understood.text:
        known = "in the gazetteer" if answer.understood.known else "not in the gazetteer"
        click.echo(f"  {answer.understood.text}  ({known}, understood to {answer.understood.precision})")
    for line in (answer.reason, answer.advice, *answer.warnings):
        if line:
            click.echo(f"  {line}")
    for match in answer.matches:
        grade = match.grade.value + (f" / {match.sub_building.value}" if match.sub_building else "")
        click.echo(f"  {grade}: {match.category_title or 'detail withheld'}  {match.reference or ''}".rstrip())
        for label, text in (
            ("", match.headline),
            ("DO   ", match.action),
            ("ASK  ", " ".join(filter(None, (match.owner, match.owner_contact))) or None),
            ("", match.review if match.review != "current" else None),
            ("why: ", " · ".join(match.why)),
        ):
            if text:
                click.echo(f"      {label}{text}")
    for prompt in answer.prompts:
        click.echo(f"  opens: {prompt.title} ({prompt.why})")
    click.echo(f"  checked {answer.as_of.astimezone(LONDON):%H:%M:%S}, ledger entry {answer.ledger_entry}")


def _warn(line: str) -> None:
    click.echo(f"Note: {line}", err=True)


def _person(option: str, name: str) -> str:
    """A name as it will stand in the record, its spaces tidied."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_PERSON or not is_plain_text(name):
        raise click.ClickException(f"{option}: give the person's name, up to {_LONGEST_PERSON} characters.")
    return name


def _password(content: bytes) -> str:
    """The first line of a password file, however an editor saved it."""
    try:
        return content.decode("utf-8-sig").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise click.ClickException("The password file is not UTF-8 text. No account was made.") from None


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _some(references: tuple[str, ...]) -> str:
    return ", ".join(references[:10]) + (" ..." if len(references) > 10 else "")


def _rows(count: int, kind: str = "") -> str:
    return f"{count:,} {kind} row".replace("  ", " ") + ("" if count == 1 else "s")


def _bad(errors: Iterable[RowError]) -> int:
    """How many rows are bad: one row may have several errors."""
    return len({error.line for error in errors})


def _sort_out(rows: Iterable[_Good | RowError], step: Callable[[int], None]) -> tuple[list[_Good], list[RowError]]:
    good: list[_Good] = []
    errors: list[RowError] = []
    for row in rows:
        step(1)
        if isinstance(row, RowError):
            errors.append(row)
        else:
            good.append(row)
    return good, errors


def _counted(rows: Iterable[_Good], step: Callable[[int], None]) -> Iterator[_Good]:
    for row in rows:
        yield row
        step(1)


def _say_errors(errors: Sequence[RowError | str]) -> None:
    for error in errors[:_ERRORS_SHOWN]:
        click.echo(str(error), err=True)
    if len(errors) > _ERRORS_SHOWN:
        click.echo(f"... and {len(errors) - _ERRORS_SHOWN:,} more", err=True)


def _say_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=_readable))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in rows[0] if rows else ("nothing found",):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(_readable(value))) for value in row.values()))
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=250)  # a file or a pipe has no edge to fold at
    screen.print(table)


def _readable(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
    return " ".join(value) if isinstance(value, list) else value


class _bar:  # noqa: N801 - used as a verb in `with`
    """A progress bar on standard error, where that is a screen."""

    def __init__(self, title: str, total: int) -> None:
        screen = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self._task = self._progress.add_task(title, total=max(total, 0))

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda count: self._progress.advance(self._task, count)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
