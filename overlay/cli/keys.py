"""`overlay keys`: the keys that seal the store."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from overlay import rekeying
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.tell import progress_bar, say_rows, warn
from overlay.settings import Settings


@click.group()
def keys() -> None:
    """The keys that seal the store."""


@keys.command("rotate")
@click.option(
    "--forget-old",
    is_flag=True,
    help="Then drop every older key for ever: backups sealed by them can't be opened any more.",
)
@data_option
@json_option
def keys_rotate(forget_old: bool, data: Path | None, as_json: bool) -> None:
    """Make a new key and seal everything with it, while the console serves.

    Cut off at any point, the same command goes on from there. Old keys stay in the ring for backups.

    Example: overlay keys rotate
    """
    with rekeying.sealed(Settings.read(data=data)) as held:
        done = rekeying.rotate(held, operator(), progress_bar)
        if done.unopened:
            warn(f"{done.unopened:,} can't be opened and stay as they are; 'overlay keys check' names them.")
        if done.in_spool:
            warn(f"{done.in_spool:,} looks wait in the spool of a running process, sealed as they were.")
        forgotten = rekeying.forget_old(held, operator(), progress_bar) if forget_old else ()
    if as_json:
        click.echo(json.dumps({**asdict(done), "forgotten": forgotten}))
        return
    begun = "Finished the rotation begun before" if done.resumed else "Rotated"
    click.echo(
        f"{begun}: key {done.key_id} is current; {done.records:,} records and {done.entries:,} ledger entries sealed "
        "anew. Back up the keys folder now."
    )
    if forgotten:
        click.echo(f"Forgotten for ever: {', '.join(forgotten)}.")


@keys.command("check")
@data_option
@json_option
@click.pass_context
def keys_check(context: click.Context, data: Path | None, as_json: bool) -> None:
    """Try to open everything: how much each key seals, and what can't be opened. Exit 1 when anything can't.

    Example: overlay keys check
    """
    with rekeying.sealed(Settings.read(data=data)) as held:
        checked = rekeying.check(held, progress_bar)
        current, known = held.vault.current, held.vault.key_ids
    counted = [
        {
            "key": key_id,
            "in_ring": "current" if key_id == current else "yes" if key_id in known else "no",
            "collection": collection,
            "sealed": count,
        }
        for key_id, counts in sorted(checked.sealed_by.items())
        for collection, count in sorted(counts.items())
    ]
    unopened = [
        {"collection": one.collection, "record": one.record, "key": one.key_id, "why": one.why}
        for one in checked.unopened
    ]
    if as_json:
        click.echo(json.dumps({"current": current, "keys": sorted(known), "sealed": counted, "unopened": unopened}))
    else:
        say_rows(counted, as_json=False)
        if unopened:
            click.echo("\nThese can't be opened:")
            say_rows(unopened, as_json=False)
    if unopened:
        click.echo(f"Error: {len(unopened):,} of what is kept can't be opened.", err=True)
        context.exit(1)
