"""`overlay ledger`: the record of every look and change."""

from __future__ import annotations

from pathlib import Path

import click

from markers import ledger as ledgers
from overlay.cli.options import data_option, json_option
from overlay.cli.tell import say_rows
from overlay.services import running
from overlay.settings import Settings


@click.group()
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
    say_rows(rows, as_json=as_json)
