"""`overlay backup` and `overlay restore`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from markers.backup_files import Manifest
from overlay import backing_up, rekeying, restoring
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.tell import progress_bar, warn
from overlay.restoring import GivenUp, Plan, Restored
from overlay.settings import Settings

_GIVEN_UP: dict[GivenUp, str] = {
    "nothing": "There was nothing to go back to.",
    "undone": "Everything is as it was before.",
    "stands": "The restore had ended, so it stands.",
}


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DEST")
@click.option("--without-gazetteer", is_flag=True, help="Leave the known premises out: they can be loaded again.")
@data_option
@json_option
def backup(folder: Path, without_gazetteer: bool, data: Path | None, as_json: bool) -> None:
    """Back the store up to DEST, a new or empty folder, while the console serves: as it was at one moment, sealed,
    signed, and read back before it is called done. The keys are never in it. Logged.

    Example: overlay backup /media/stick/overlay-november
    """
    with rekeying.sealed(Settings.read(data=data)) as held:
        done = backing_up.back_up(held, operator(), folder, progress_bar, gazetteer=not without_gazetteer)
        keys = held.settings.data / "keys"
    told = done.manifest
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), **_plain(told)}))
        return
    click.echo(
        f"Backed up and read back: {_contents(told)}, {told.length / 1e6:,.0f} MB in {done.folder}.\n"
        f"Keys are not in it: {keys} is backed up apart, and without it nobody can open this."
    )


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path), metavar="[SRC]", required=False)
@click.option("--older", is_flag=True, help="Also when this machine knows of entries that the backup lacks.")
@click.option("--dry-run", is_flag=True, help="Look at all of it, say what would be done, and stop.")
@click.option("--give-up", is_flag=True, help="Instead: go back to what was there before a restore that was cut short.")
@data_option
@json_option
def restore(folder: Path | None, older: bool, dry_run: bool, give_up: bool, data: Path | None, as_json: bool) -> None:
    """Put a backup back, on this machine or on another that has its keys. Stop the console first.

    The store there is is kept under another name. Nothing is changed unless the whole backup is as it was signed.

    \b
    Examples:
      overlay restore /media/stick/overlay-november --dry-run
      overlay restore /media/stick/overlay-november
    """
    if give_up == (folder is not None):
        raise click.UsageError("Name the backup's folder, or say --give-up alone.")
    settings, now = Settings.read(data=data), datetime.now(UTC)
    if folder is None:
        click.echo(_GIVEN_UP[restoring.give_up(settings, now)])
        return
    done = restoring.restore(settings, operator(), folder, progress_bar, now, older=older, dry_run=dry_run)
    plan = done if isinstance(done, Plan) else done.plan
    if as_json:
        click.echo(json.dumps(_outcome(plan, done)))
        return
    if plan.unread is not None:
        warn(f"the store there is could not be read, so what it knew is not compared: {plan.unread}")
    if isinstance(done, Plan):
        _say_plan(done)
    else:
        _say_restored(done)


def _say_plan(plan: Plan) -> None:
    click.echo(f"Whole, and signed by this area's key: {_contents(plan.manifest)}.")
    words = ["It would be put back" + (", though this machine knows of more" if plan.older else "")]
    if plan.kept is not None:
        words.append(f"{plan.kept} would be kept under another name")
    if plan.anchors:
        words.append("its anchors would be put in, as there are none here")
    if not plan.proved:
        words.append("every check would answer could-not-check until somebody accepts it")
    if plan.gazetteer:
        words.append("its gazetteer would be put in, as there is none here")
    if plan.erased:
        words.append(f"the register of erased markers would gain {plan.erased}")
    click.echo("; ".join(words) + ". Nothing was changed.")


def _say_restored(done: Restored) -> None:
    told = done.plan.manifest
    click.echo(f"Restored and compared: {_contents(told)}.")
    if done.kept is not None:
        click.echo(f"The store that was there is kept in {done.kept}. Remove it when all is well.")
    click.echo(
        f"Whatever was changed after {told.made_at:%d %B %Y %H:%M:%S} (UTC) is not in it, accounts and tokens too: "
        "revoke again what was revoked since. What was erased after it comes back where this machine's register of "
        "erased markers does not know of it: look through the requests for erasure since. "
        "Other programs that use this store must be started anew."
    )
    if done.fenced:
        why = (
            f"This machine knows of {done.plan.known} entries, the backup holds {told.ledger}"
            if done.plan.older
            else "No anchors of this machine tell whether anything came after the backup"
        )
        click.echo(
            f"{why}: every check answers could-not-check until somebody decides, here or while the console runs:\n"
            f'  overlay ledger accept --sequence {told.ledger} --by "NAME" --reason "WHY"'
        )


def _contents(told: Manifest) -> str:
    records = sum(map(told.records, told.positions))
    return (
        f"the store of {told.area} as it was on {told.made_at:%d %B %Y %H:%M:%S} (UTC), {records:,} records "
        f"and {told.ledger:,} ledger entries"
    )


def _plain(told: Manifest) -> dict[str, Any]:
    return {
        "area": told.area,
        "made_at": told.made_at.isoformat(),
        "records": {name: told.records(name) for name in sorted(told.positions)},
        "ledger": told.ledger,
        "signed": told.signed,
        "bytes": told.length,
        "keys": sorted(told.keys),
    }


def _outcome(plan: Plan, done: Plan | Restored) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "backup": _plain(plan.manifest),
        "known": plan.known,
        "older": plan.older,
        "proved": plan.proved,
        "anchors": plan.anchors,
        "gazetteer": plan.gazetteer,
        "restored": isinstance(done, Restored),
    }
    if isinstance(done, Restored):
        outcome |= {"kept": None if done.kept is None else str(done.kept), "fenced": done.fenced}
    return outcome
