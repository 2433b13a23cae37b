"""`overlay store`: the embedded store's own files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from markers.log_repair import Damage
from overlay import repairing
from overlay.cli.options import data_option, json_option, operator
from overlay.settings import Settings


@click.group()
def store() -> None:
    """The embedded store's own files."""


@store.command("repair")
@click.option("--dry-run", is_flag=True, help="Only say what would be cut off.")
@data_option
@json_option
def store_repair(dry_run: bool, data: Path | None, as_json: bool) -> None:
    """Cut a damaged log back to what is whole, after a power loss left zeros or rubbish behind it.

    The damaged log is kept as it was. Should anything that was signed be gone, every check says "could not check" until
    somebody accepts that with 'overlay ledger accept'.

    Example: overlay store repair --dry-run
    """
    settings = Settings.read(data=data)
    if dry_run:
        found = repairing.damage(settings)
        if as_json:
            click.echo(json.dumps({**_plain(found), "kept": None, "ledger_end": None, "behind": None}))
        else:
            click.echo(f"{_words(found)} would be cut off {found.file}. Nothing was changed.")
        return
    now = datetime.now(UTC)
    done = repairing.mend(settings, now)
    if not as_json:
        click.echo(f"{_words(done.damage)} cut off {done.damage.file}.")
        click.echo(f"The damaged log lies in {done.kept}, as it was.")
    left = repairing.stand(settings, operator(), now)
    if as_json:
        row = {"kept": str(done.kept), "ledger_end": left.ledger_end, "behind": left.behind}
        click.echo(json.dumps({**_plain(done.damage), **row}))
        return
    click.echo(f"The ledger ends at entry {left.ledger_end}.")
    if left.behind is not None:
        click.echo(
            f"But {left.behind}: restore a backup, or go on with 'overlay ledger accept --sequence {left.ledger_end} "
            "--by NAME --reason WHY'. Until then every check says that it could not check."
        )


def _words(found: Damage) -> str:
    cut = found.size - found.sound
    what = "all zeros, so nothing that was ever written," if found.zeros else "not readable as commands,"
    return f"{cut:,} of {found.size:,} bytes, {what}"


def _plain(found: Damage) -> dict[str, object]:
    return {"file": str(found.file), "size": found.size, "whole": found.sound, "only_zeros": found.zeros}
