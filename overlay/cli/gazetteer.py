"""`overlay gazetteer`: the known premises of the area."""

from __future__ import annotations

import json
from pathlib import Path

import click

from markers.exchange import count_lines, read_gazetteer
from markers.gazetteer import Gazetteer
from overlay.cli.options import data_option, json_option
from overlay.cli.tell import bad_rows, counted, progress_bar, rows_of, say_errors, sort_out, warn
from overlay.folders import data_folders
from overlay.settings import Settings


@click.group()
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
    with progress_bar("Reading", count_lines(file) - 1) as step:
        homes, errors = sort_out(read_gazetteer(file, warn), step)
    say_errors(errors)
    if errors and not skip_bad_rows and not dry_run:
        raise click.ClickException(
            f"{rows_of(bad_rows(errors), 'bad')}: the gazetteer was left as it was. "
            "Mend what is bad, or use --skip-bad-rows."
        )
    if not homes:
        raise click.ClickException("The file holds no premises: the gazetteer was left as it was.")
    count = len(homes)
    if not dry_run:
        with progress_bar("Indexing", count) as step:
            count = Gazetteer.load(settings.data / "gazetteer", counted(homes, step)).count
    if as_json:
        told = {"premises": count, "bad_rows": bad_rows(errors), "errors": list(map(str, errors)), "dry_run": dry_run}
        click.echo(json.dumps(told))
    else:
        click.echo(
            f"premises {count:,}  bad rows {bad_rows(errors):,}"
            + ("  nothing was changed (--dry-run)" if dry_run else "")
        )
