"""The invented home's marker and the prover's token: made as the console starts, where they are not there yet."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from markers.commits import Commit, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.model import LONDON, PROOF_OF_LIFE, Marker, Place, Point
from markers.private_file import read_private
from overlay.disclosure import names_it
from overlay.folders import proof_of
from overlay.identity import create_token
from overlay.identity.access import PROVES
from overlay.proof import PROOF_ADDRESS, PROOF_POSTCODE, PROOF_REFERENCE
from overlay.roles import Actor
from overlay.services import Services

PROVER: Final = Actor("system:proof-of-life", "Proof of life", "service", Via.SYSTEM)
_LASTS: Final = timedelta(days=3650)
_TOKEN_DAYS: Final = 366
_RENEWED: Final = timedelta(days=60)
_AT_SEA: Final = Point(640_000.0, 400_000.0)  # the North Sea, far from every zone and home


def prepare_proof(services: Services, now: datetime) -> None:
    """See that marker and token are there for the prover. Raises `StoreUnavailable`, OSError, NotPrivate."""
    _marker(services, now)
    _token(services, now)


def _marker(services: Services, now: datetime) -> None:
    services.catch_up("markers")
    found = services.index.get(PROOF_OF_LIFE)
    today = now.astimezone(LONDON).date()
    wanted = Marker(
        marker_id=PROOF_OF_LIFE,
        reference=PROOF_REFERENCE,
        category=_category(services),
        place=Place(address=PROOF_ADDRESS, postcode=PROOF_POSTCODE, point=_AT_SEA),
        headline="Proof of life: this is no home",
        action="Nothing to do: the service checks this invented home every minute to prove that checks find markers.",
        owner="This service",
        owner_contact="none",
        starts_on=today - timedelta(days=1),
        review_on=today + _LASTS,
        ends_on=today + _LASTS,
        source="This service",
        source_reference=PROOF_REFERENCE,
        proposed_by=PROVER.actor_id,
        approved_by=PROVER.actor_id,
        recorded_at=now,
        version=1 if found is None else found.version + 1,
    )
    if found is not None and _stands(found, wanted):
        return
    version = 0 if found is None else found.version
    write = Write("markers", PROOF_OF_LIFE, version, json.dumps(wanted.as_dict()).encode())
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.ALTERATION,
        actor_id=PROVER.actor_id,
        actor_role=PROVER.role,
        via=PROVER.via,
        reason="proof_of_life",
        records=(RecordSeen(PROOF_OF_LIFE, version + 1),),
    )
    services.commit(Commit(entry.entry_id, {}, (write,), (entry.canonical(),)), now)
    services.catch_up("markers")


def _stands(found: Marker, wanted: Marker) -> bool:
    same = ("version", "starts_on", "review_on", "ends_on", "recorded_at")
    return replace(wanted, **{name: getattr(found, name) for name in same}) == found and (
        wanted.ends_on - found.ends_on < _LASTS / 2
    )


def _category(services: Services) -> str:
    """One whose reference a service is told, so that the prover knows its own marker."""
    told = [code for code, category in services.categories.items() if names_it("service", category)]
    return min(told or services.categories)


def _token(services: Services, now: datetime) -> None:
    folder = proof_of(services.settings)
    try:
        bearer = read_private(folder.token_file, "token of the proof of life").decode("ascii").strip()
        actor = services.access.actor_for_token(bearer, now + _RENEWED)
    except (FileNotFoundError, UnicodeDecodeError):
        actor = None
    if actor is not None and actor.actor_id in services.access.provers():
        return
    bearer = create_token(
        services.store,
        services.access,
        PROVER.name,
        "service",
        now,
        _TOKEN_DAYS,
        PROVER,
        frozenset(("checks.make", PROVES)),
    )
    folder.folder.mkdir(mode=0o700, exist_ok=True)
    fresh = folder.token_file.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(bearer + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder.token_file)
