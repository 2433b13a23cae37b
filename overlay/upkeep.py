"""The second walk: changes to what the store holds. Here: a list of markers, checked whole, then written row by row."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from markers.address import read_address
from markers.index import MarkerIndex
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.model import Marker
from markers.parents import without_a_row
from markers.resolve import resolve
from markers.store import Commit, Committed, StoreBehind, StoreUnavailable, VersionConflict, Write
from overlay.roles import Actor
from overlay.services import Services

_ROWS_A_COMMIT = 100
_TRIES = 8
_PATIENCE_S = 15.0
_PAUSE_S = 0.2
_Reply = TypeVar("_Reply")
_EVER = datetime.min.replace(tzinfo=UTC)


class UpkeepError(Exception):
    """A change that was refused, in one line; nothing of it was written unless the line says so."""


class _Contended(Exception):
    """Others changed the same markers each time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do.

    `unplaced` are references whose address the gazetteer does not surely know: they are found by their own text.
    `unfindable` give nothing but a UPRN that the gazetteer lacks: no written address could ever meet them, so
    they are not written.
    """

    new: tuple[Marker, ...]
    changed: tuple[Marker, ...]
    unchanged: int
    unplaced: tuple[str, ...]
    unfindable: tuple[str, ...]


def plan_import(services: Services, markers: Iterable[Marker]) -> Plan:
    """Compare a list with the store's copy. Versions are those the write will expect; nothing is written."""
    new: list[Marker] = []
    changed: list[Marker] = []
    unplaced: list[str] = []
    unfindable: list[str] = []
    unchanged = 0
    for given in markers:
        marker = place_on_gazetteer(services, given)
        place = marker.place
        if not (place.address or place.point or place.zone_wkt or place.phone or place.premises_id):
            unfindable.append(marker.reference)
            continue
        if place.address and place.premises_id is None:
            unplaced.append(marker.reference)
        versioned = _against(services.index, marker)
        if versioned is None:
            unchanged += 1
        elif versioned.version == 1:
            new.append(versioned)
        else:
            changed.append(versioned)
    return Plan(tuple(new), tuple(changed), unchanged, tuple(unplaced), tuple(unfindable))


def import_markers(
    services: Services,
    actor: Actor,
    plan: Plan,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write a plan's rows, each with its ledger entry; returns how many were written.

    Rows are atomic: an import that is killed leaves whole rows, and the same list run again finishes it.
    A store that is away is waited for, at most 15 s. Raises UpkeepError, saying how far it came, when the store
    stays away or others keep changing the same markers.
    """
    written = 0
    rows_to_write = (*plan.new, *plan.changed)
    for rows in _chunks(rows_to_write, _ROWS_A_COMMIT):
        try:
            written += _write(services, actor, rows, now)
        except (StoreUnavailable, _Contended) as error:
            raise UpkeepError(
                f"{error}. Of {len(rows_to_write):,} rows {written:,} were surely written; "
                "import the same list again to finish."
            ) from error
        progress(len(rows))
    return written


def place_on_gazetteer(services: Services, marker: Marker) -> Marker:
    """Note which known home a marker's place is, and where that stands, when there is exactly one it can be."""
    place = marker.place
    home = services.gazetteer.by_uprn(place.uprn) if place.uprn else None
    if home is None and place.address:
        home = resolve(read_address(place.address, place.postcode), services.gazetteer, services.index.homes).home
    address = place.address or (home.address if home is not None else None)
    if home is None and place.uprn:
        home = without_a_row(place.uprn, services.gazetteer)  # a building has no address of its own to be found by
    if home is None:
        return marker
    return replace(
        marker,
        place=replace(
            place,
            address=address,
            premises_id=home.premises_id,
            postcode=place.postcode or home.postcode,
            point=place.point or home.point,
        ),
    )


def _write(services: Services, actor: Actor, rows: tuple[Marker, ...], now: datetime) -> int:
    for _ in range(_TRIES):
        if not rows:
            return 0
        commit = Commit(
            request_id=str(uuid.uuid4()),
            expect={},
            writes=tuple(
                Write("markers", m.marker_id, m.version - 1, json.dumps(m.as_dict()).encode(), ()) for m in rows
            ),
            entries=tuple(_entry(services, actor, marker, now).canonical() for marker in rows),
        )
        try:
            done = _patiently(partial(services.commit, commit, now))
        except VersionConflict:
            _catch_up(services)
            again = (_against(services.index, marker) for marker in rows)
            rows = tuple(marker for marker in again if marker is not None)
            continue
        if isinstance(done, Committed):
            _catch_up(services)
            return len(rows)
        services.take_in(done.changes)
    raise _Contended("Others keep changing these markers")


def _patiently(ask: Callable[[], _Reply]) -> _Reply:
    """An import can wait where a check can't: a store that died is back in a second. A commit keeps its request id."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except StoreBehind:
            raise
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)


def _catch_up(services: Services) -> None:
    services.take_in({"markers": _patiently(lambda: services.store.changes("markers", services.index.position))})


def _entry(services: Services, actor: Actor, marker: Marker, now: datetime) -> LedgerEntry:
    place = marker.place
    named = {"premises": place.premises_id, "uprn": place.uprn, "phone": place.phone}
    content = marker.as_dict()
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.COLLECTION if marker.version == 1 else Operation.ALTERATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason="import",
        about=tuple(services.vault.token(kind, text) for kind, text in named.items() if text),
        records=(
            RecordSeen(
                marker.marker_id, marker.version, None, tuple(sorted(name for name in content if content[name]))
            ),
        ),
    )


def _against(index: MarkerIndex, marker: Marker) -> Marker | None:
    """The marker with the version its write would have, or None when the store already holds the same."""
    known = index.get(marker.marker_id)
    if known is None:
        return replace(marker, version=1)
    if _content(known) == _content(marker):
        return None
    return replace(marker, version=known.version + 1)


def _content(marker: Marker) -> Marker:
    """The marker without its bookkeeping: who recorded it, when and as which version is not what it says."""
    return replace(marker, version=1, recorded_at=_EVER, proposed_by="", approved_by="")


def _chunks(rows: tuple[Marker, ...], size: int) -> Iterator[tuple[Marker, ...]]:
    waiting = iter(rows)
    while chunk := tuple(islice(waiting, size)):
        yield chunk
