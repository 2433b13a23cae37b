"""`overlay ledger`: the record of every look and change, and the proof of it."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from markers import ledger_verify
from markers.checkpoints import KeyRefused, PublicKey
from markers.ledger_export import MANIFEST
from markers.ledger_search import Found
from markers.model import LONDON
from overlay import auditing
from overlay.accepting import accept
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.tell import progress_bar, say_rows
from overlay.exporting import export_ledger
from overlay.services import Services, running
from overlay.settings import Settings

_ALL = 2**53
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.group()
def ledger() -> None:
    """The record of every look and change."""


@ledger.command("search")
@click.option("--address", help="A home, however it is written.")
@click.option("--postcode")
@click.option("--incident")
@click.option("--actor", help="A username, an account or token id, or os:NAME for the command line.")
@click.option("--marker", help="A marker's reference or id.")
@click.option("--check", "check_id")
@click.option("--since", type=_MOMENT, help="Local time; for example 2026-11-25T22:00.")
@click.option("--until", type=_MOMENT)
@click.option("--last", type=click.IntRange(1), help="Only the newest entries.")
@data_option
@json_option
def ledger_search(
    address: str | None,
    postcode: str | None,
    incident: str | None,
    actor: str | None,
    marker: str | None,
    check_id: str | None,
    since: datetime | None,
    until: datetime | None,
    last: int | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """List ledger entries, oldest first. The search is itself logged.

    \b
    Examples:
      overlay ledger search --incident CAD-4521
      overlay ledger search --address "Flat 3, 14 Tallow Yard" --postcode "EC9A 1AB" --last 20
    """
    question = auditing.Question(address, postcode, marker, actor, incident, check_id, _aware(since), _aware(until))
    with running(Settings.read(data=data)) as services:
        now = datetime.now(UTC)
        wanted = auditing.sought(services, question, now)
        search = auditing.log_search(services, operator(), wanted, now, "ledger_search")
        found, not_shown = auditing.find_all(services, wanted, last + 1 if last else _ALL)
    # The search's own entry is not what was asked for.
    listed = [one for one in found if one.entry.entry_id != search.entry_id][:last]
    say_rows([_row(one, one.sequence in not_shown, as_json) for one in reversed(listed)], as_json=as_json)


@ledger.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def ledger_export(folder: Path, data: Path | None) -> None:
    """Write the whole ledger with its proofs to a new folder, for `overlay ledger verify` anywhere. Logged.

    Example: overlay ledger export /media/stick/ledger-november
    """
    with running(Settings.read(data=data)) as services, _progress_over(services, "Exporting") as step:
        count = export_ledger(services, operator(), folder, services.now(), step)
    click.echo(f"{count:,} entries in {folder}. OFFICIAL-SENSITIVE: handle, store and destroy it as that.")


@ledger.command("verify")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--key", help="The public key you hold: its file, or its fingerprint SHA256:...", metavar="KEY")
@click.option(
    "--anchors",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Anchors you keep yourself, out of reach of the store's keeper.",
)
@json_option
def ledger_verify_command(folder: Path, key: str | None, anchors: Path | None, as_json: bool) -> None:
    """Check an exported ledger, with nothing else at hand. Exit 0 when all of it holds, 1 with the first bad entry.

    Example: overlay ledger verify /media/stick/ledger-november --key SHA256:0f3c... --anchors /media/anchors
    """
    with progress_bar("Verifying", _entries_of(folder)) as step:
        found = ledger_verify.verify(folder, pinned=_fingerprint(key), anchors=anchors, step=step)
    if as_json:
        click.echo(json.dumps(_plain(found)))
    else:
        _say(found)
    sys.exit(found.fault is not None)


@ledger.command("accept")
@click.option("--sequence", required=True, type=click.IntRange(0), help="The last entry of the store as it is now.")
@click.option("--by", required=True, help="Who decided.")
@click.option("--reason", required=True, help="Why the store may be gone on with.")
@data_option
def ledger_accept(sequence: int, by: str, reason: str, data: Path | None) -> None:
    """Go on with a store that was put back or replaced. Signed, anchored, and told by every verification.

    Example: overlay ledger accept --sequence 4120 --by "A Supervisor" --reason "disk replaced, backup of 24 November"
    """
    with running(Settings.read(data=data)) as services, progress_bar("Reading", sequence) as step:
        told = accept(services, operator(), sequence, by, reason, services.now(), step)
    click.echo(f"Accepted: the ledger goes on after entry {told.size}, in place of {told.instead}.")


def _progress_over(services: Services, title: str) -> progress_bar:
    return progress_bar(title, services.fence.store.ledger_end())


def _row(found: Found, not_shown: bool, as_json: bool) -> dict[str, Any]:
    entry = found.entry
    return {
        "sequence": found.sequence,
        "at": entry.at,
        "operation": entry.operation.value,
        "actor": entry.actor_id if len(entry.actor_id) <= 20 or as_json else f"{entry.actor_id[:12]}...",
        "role": entry.actor_role,
        "via": entry.via.value,
        "incident": entry.incident,
        "reason": entry.reason,
        "status": "not shown" if not_shown else entry.status,
        "records": [seen.record_id for seen in entry.records] if as_json else len(entry.records),
        **({"store": entry.store, "late": entry.late, "check": entry.check_id} if as_json else {}),
        "entry": entry.entry_id,
    }


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=LONDON)


def _entries_of(folder: Path) -> int:
    try:
        return int(json.loads((folder / MANIFEST).read_text("utf-8"))["entries"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # the verification says what is wrong with it


def _fingerprint(key: str | None) -> str | None:
    if key is None:
        return None
    if re.fullmatch(r"(SHA256:)?[0-9a-fA-F]{64}", key):
        return f"SHA256:{key[-64:].lower()}"
    try:
        return PublicKey.read(Path(key).read_text("ascii")).fingerprint
    except (OSError, UnicodeDecodeError, KeyRefused):
        raise click.BadParameter(f"{key} is neither a fingerprint nor the file of a public key.") from None


def _say(found: ledger_verify.Verified) -> None:
    if found.fault is not None:
        click.echo(f"NOT AS SIGNED from entry {found.fault.sequence}: {found.fault.words}.")
    else:
        click.echo(f"As signed: {found.entries:,} entries.")
    signed = f"{found.signed_at:%d %B %Y %H:%M:%S} (UTC), over {found.signed:,}" if found.signed_at else "none"
    anchored = f"{found.anchored_at:%d %B %Y %H:%M:%S} (UTC), over {found.anchored:,}" if found.anchored_at else "none"
    click.echo(f"Last checkpoint: {signed}.")
    click.echo(f"Last anchor: {anchored}. Entries after it, not anchored yet: {found.after_anchor:,}.")
    for told in found.accepted:
        click.echo(
            f"Accepted {told.at:%d %B %Y %H:%M:%S} (UTC) by {told.by}: went on after entry {told.size} in place of "
            f"{told.instead}, whose entries from {told.size + 1} were given up: {told.why}."
        )
    compared = "the key you hold" if found.pinned else "compare it with the one you hold"
    click.echo(f"Key: {found.fingerprint} ({compared}).")


def _plain(found: ledger_verify.Verified) -> dict[str, Any]:
    return {
        "holds": found.fault is None,
        "first_bad_entry": None if found.fault is None else found.fault.sequence,
        "what": None if found.fault is None else found.fault.words,
        "entries": found.entries,
        "signed": found.signed,
        "signed_at": None if found.signed_at is None else found.signed_at.isoformat(),
        "anchored": found.anchored,
        "anchored_at": None if found.anchored_at is None else found.anchored_at.isoformat(),
        "after_anchor": found.after_anchor,
        "key": found.fingerprint,
        "key_given": found.pinned,
        "accepted": [
            {"at": told.at.isoformat(), "sequence": told.size, "instead": told.instead, "by": told.by, "why": told.why}
            for told in found.accepted
        ],
    }
