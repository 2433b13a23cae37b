"""`overlay check`: one location, or a file of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from markers.exchange import Query, ResultsWriter, RowError, count_lines, read_queries
from markers.location import LocationError, RawLocation
from markers.model import Status
from overlay.api.models import CheckResponse, IncidentIn
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.tell import progress_bar, rows_of, say_errors, warn
from overlay.known_at import known_at
from overlay.lookup import Answer, Asked, check
from overlay.roles import Actor
from overlay.services import Services, running
from overlay.settings import Settings


@click.command("check")
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
        with running(Settings.read(data=data), from_snapshot=True) as services:
            _check_file(services, queries, results)
        return
    raw = RawLocation(address=address, **parts)
    asked = Asked(raw, *_incident(incident, incident_type))
    with running(Settings.read(data=data), from_snapshot=True) as services:
        if asked.incident_type is not None and asked.incident_type not in dict(services.incident_types):
            known = ", ".join(code for code, _ in services.incident_types)
            warn(f"--type is not one this service knows, so it suggests no checklist. Known are: {known}.")
        answer = check(services, operator(), asked, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(_plain(answer), indent=2))
    else:
        _say_answer(answer)


def _check_file(services: Services, queries: Path, results: Path) -> None:
    actor = operator()
    counts = dict.fromkeys(Status, 0)
    refused: list[str] = []
    unreadable: set[int] = set()
    with progress_bar("Checking", count_lines(queries) - 1) as step, ResultsWriter(results) as writer:
        for query in read_queries(queries, warn):
            step(1)
            if isinstance(query, RowError):
                refused.append(str(query))
                unreadable.add(query.line)
                continue
            status = _check_row(services, actor, query, writer, refused)
            counts[status] += 1
    click.echo("  ".join(f"{status.value} {count:,}" for status, count in counts.items()), err=True)
    say_errors(refused)
    if unreadable:
        raise click.ClickException(
            f"{rows_of(len(unreadable))} could not be read, so there is no result for them. Mend them and run again."
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
        withheld = f"detail withheld: ask {match.ask}" if match.ask else "detail withheld"
        click.echo(f"  {grade}: {match.category_title or withheld}  {match.reference or ''}".rstrip())
        for label, text in (
            ("", match.headline),
            ("DO   ", match.action),
            ("ASK  ", " ".join(filter(None, (match.owner, match.owner_contact))) or None),
            ("FACT ", match.fact),
            ("OPINION ", match.opinion),
            ("", match.review if match.review != "current" else None),
            ("why: ", " · ".join(match.why)),
        ):
            if text:
                click.echo(f"      {label}{text}")
    if any(match.owner for match in answer.matches):
        click.echo(f"  ring now: {answer.ring.words}")
    for prompt in answer.prompts:
        click.echo(f"  opens: {prompt.title} ({prompt.why})")
    when = "checked" if answer.store == "current" else "last known"
    click.echo(f"  {when} {known_at(answer.as_of, datetime.now(UTC))}, ledger entry {answer.ledger_entry}")
