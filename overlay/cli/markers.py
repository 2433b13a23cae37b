"""`overlay markers`: lists of markers in and out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from markers.exchange import RowError, count_lines, read_markers
from markers.handing_out import CAVEAT, columns_of
from markers.model import LONDON, State
from markers.results import whole_file
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.person import password_of, password_option, person
from overlay.cli.tell import bad_rows, counted, progress_bar, rows_of, say_errors, some, sort_out, warn
from overlay.listing import Search
from overlay.plain_text import is_plain_text
from overlay.services import Services, running
from overlay.settings import Settings
from overlay.upkeep.handing_out import FORMS, listed
from overlay.upkeep.lists import Plan, import_markers, plan_import
from overlay.upkeep.placing import placed
from overlay.upkeep.reconciling import Reconciled, Theirs, read_homes, reconcile
from overlay.viewing import place_words

_LONGEST_PERSON = 120


@click.group()
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
    """Load a list of markers (CSV or .xlsx); a row whose reference is known changes that marker.

    Example: overlay markers import list.csv --by "A Officer" --approved-by "B Supervisor" --dry-run
    """
    by, approved_by = _person("--by", by), _person("--approved-by", approved_by)
    if by.casefold() == approved_by.casefold():
        raise click.ClickException("A marker is approved by a second person: --by and --approved-by must differ.")
    with running(Settings.read(data=data)) as services:
        now = datetime.now(UTC)
        rows = read_markers(file, services.categories, now.astimezone(LONDON).date(), by, approved_by, now, warn)
        with progress_bar("Reading", count_lines(file) - 1) as step:
            good, errors = sort_out(rows, step)
        say_errors(errors)
        if errors and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"{rows_of(bad_rows(errors), 'bad')}: nothing was loaded. Mend what is bad, or use --skip-bad-rows."
            )
        with progress_bar("Placing", len(good)) as step:
            on_homes = (marker for marker in placed(services, good, len(good)) if marker is not None)
            plan = plan_import(services, counted(on_homes, step), placed=True)
        if plan.unfindable:
            click.echo(f"Only a UPRN that the gazetteer lacks: {some(plan.unfindable)}", err=True)
        if plan.unfindable and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"No written address could ever meet {rows_of(len(plan.unfindable))}: nothing was loaded. "
                "Load the gazetteer first, give their addresses, or use --skip-bad-rows."
            )
        if plan.doubled:
            taken = tuple(f"{reference} (as {other})" for reference, other in plan.doubled)
            click.echo(f"The same place has a live marker of that kind already: {some(taken)}", err=True)
        if plan.doubled and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"One live marker a place and category: {rows_of(len(plan.doubled), 'doubled')}, nothing was loaded. "
                "Take them out of the list, or use --skip-bad-rows."
            )
        if plan.ended:
            click.echo(f"Ended here, so they warn nobody although the list has them: {some(plan.ended)}", err=True)
        if plan.ended and not skip_bad_rows and not dry_run:
            raise click.ClickException(
                f"A list does not bring back what was ended: {rows_of(len(plan.ended), 'ended')}, nothing was loaded. "
                "Give those that are needed again a reference of their own, or use --skip-bad-rows."
            )
        written = 0
        if not dry_run:
            with progress_bar("Writing", len(plan.new) + len(plan.changed)) as step:
                written = import_markers(services, operator(), plan, now, step)
    _say_plan(plan, errors, written, dry_run=dry_run, as_json=as_json)


@markers.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", "username", required=True, help="Your account in the console; asks for its password.")
@click.option("--category", default="", help="Only markers of this kind.")
@click.option("--owner", default="", help="Only markers of this owner.")
@click.option("--state", default="live", show_default=True, type=click.Choice(["live", "due", "all", *map(str, State)]))
@password_option
@data_option
@json_option
def markers_export(
    file: Path,
    username: str,
    category: str,
    owner: str,
    state: str,
    password_file: Any,
    data: Path | None,
    as_json: bool,
) -> None:
    """Write a list of markers to a .csv or .xlsx file, each row with its handling caveat; markers.export is needed.

    Example: overlay markers export november.xlsx --by mreid --category child_protection_plan
    """
    form = file.suffix.casefold().removeprefix(".")
    if form not in FORMS:
        raise click.BadParameter(f"'{file.name}' has to end in .csv or .xlsx.", param_hint="FILE")
    password = password_of(password_file)
    with whole_file(file) as out, running(Settings.read(data=data)) as services:
        if category and category not in services.categories:
            raise _no_such_category(services, category)
        search = Search(category=category, owner=owner, state="" if state == "all" else state)
        with person(services, username, password, "markers.export") as actor:
            found = listed(services, actor, search, services.now())
            with progress_bar("Writing", len(found)) as step:
                out.write(FORMS[form](counted(found, step), columns_of(services.categories)))
    if as_json:
        click.echo(json.dumps({"file": str(file), "markers": len(found), "handling": CAVEAT}))
    else:
        click.echo(f"{file}: {rows_of(len(found))}, {CAVEAT}.")


@markers.command("reconcile")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--category", default="child_protection_plan", show_default=True, help="Our markers to compare with.")
@data_option
@json_option
def markers_reconcile(file: Path, category: str, data: Path | None, as_json: bool) -> None:
    """Compare another system's list of homes with our live markers; nothing of it is kept.

    Example: overlay markers reconcile met-cad.csv --category child_protection_plan
    """
    with running(Settings.read(data=data)) as services:
        if category not in services.categories:
            raise _no_such_category(services, category)
        found = reconcile(services, operator(), category, read_homes(services, file, warn), datetime.now(UTC))
    say_errors(list(found.errors))
    if as_json:
        click.echo(json.dumps(_plain(found)))
        return
    written, bad = sum(one.written for one in found.both), bad_rows(list(found.errors))
    click.echo(
        f"on both {len(found.both):,} (written two ways {written:,})  only there {len(found.theirs):,}  "
        f"only here {len(found.ours):,}  twice on theirs {len(found.twice):,}  bad rows {bad:,}"
    )
    for theirs in found.theirs:
        sure = "" if theirs.home is not None else "  (not surely one home of the gazetteer)"
        click.echo(f"only there  line {theirs.line}: {theirs.reference}  {theirs.address}{sure}")
    for marker in found.ours:
        click.echo(f"only here   {marker.reference}: {place_words(marker)}")
    for one in found.both:
        if one.written:
            click.echo(f"two ways    {one.marker.reference}: {place_words(one.marker)} | {one.theirs.address}")
    for theirs in found.twice:
        click.echo(f"twice       line {theirs.line}: {theirs.reference}  {theirs.address}")


def _no_such_category(services: Services, category: str) -> click.ClickException:
    known = ", ".join(sorted(services.categories))
    return click.ClickException(f"There is no category {category}. There are: {known}.")


def _plain(found: Reconciled) -> dict[str, object]:
    def row(theirs: Theirs) -> dict[str, object]:
        home = theirs.home.premises_id if theirs.home is not None else None
        return {"line": theirs.line, "reference": theirs.reference, "address": theirs.address, "premises_id": home}

    return {
        "both": [{**row(b.theirs), "marker": b.marker.reference, "written_two_ways": b.written} for b in found.both],
        "only_there": [row(theirs) for theirs in found.theirs],
        "only_here": [{"marker": marker.reference, "where": place_words(marker)} for marker in found.ours],
        "twice": [row(theirs) for theirs in found.twice],
        "errors": list(map(str, found.errors)),
    }


def _say_plan(plan: Plan, errors: list[RowError], written: int, *, dry_run: bool, as_json: bool) -> None:
    figures = {
        "new": len(plan.new),
        "changed": len(plan.changed),
        "unchanged": plan.unchanged,
        "bad_rows": bad_rows(errors),
        "not_in_gazetteer": len(plan.unplaced),
        "unfindable": len(plan.unfindable),
        "doubled": len(plan.doubled),
        "ended": len(plan.ended),
        "written": written,
    }
    if as_json:
        more = {"dry_run": dry_run, "errors": list(map(str, errors)), "unplaced": list(plan.unplaced)}
        click.echo(json.dumps({**figures, **more}))
        return
    click.echo("  ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in figures.items()))
    if plan.unplaced:
        click.echo(f"Not surely one home of the gazetteer, so found by their own text only: {some(plan.unplaced)}")
    if dry_run:
        click.echo("Nothing was changed (--dry-run).")


def _person(option: str, name: str) -> str:
    """A name as it will stand in the record, its spaces tidied."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_PERSON or not is_plain_text(name):
        raise click.ClickException(f"{option}: give the person's name, up to {_LONGEST_PERSON} characters.")
    return name
