"""A list of markers: checked whole, then written row by row, each row whole or not at all."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from markers.commits import Commit, Committed
from markers.index import MarkerIndex
from markers.ledger import Operation
from markers.lifecycle import LifecycleRefused
from markers.model import Marker
from markers.store_errors import NotUnique, StoreBehind, StoreUnavailable, VersionConflict
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import (
    Doubled,
    Planned,
    entry_of,
    let_go,
    live_beside,
    marker_writes,
    places_of,
)
from overlay.upkeep.placing import place_on_gazetteer

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
    they are not written. `doubled` are references whose place has a live marker of that kind already, in the store or
    further up in the list, each with the reference that has it: they are not written either. `ended` are references
    that were ended here: a list does not bring them back, so they warn nobody although it has them.
    """

    new: tuple[Marker, ...]
    changed: tuple[Marker, ...]
    unchanged: int
    unplaced: tuple[str, ...]
    unfindable: tuple[str, ...]
    doubled: tuple[tuple[str, str], ...]
    ended: tuple[str, ...]


def plan_import(
    services: Services, markers: Iterable[Marker], taken: dict[str, str] | None = None, *, placed: bool = False
) -> Plan:
    """Compare a list with the store's copy. Versions are those the write will expect; nothing is written.

    `taken` is by which reference each place is taken further up in the list, where it comes in batches. `placed`: the
    markers are on their known homes already.
    """
    new: list[Marker] = []
    changed: list[Marker] = []
    unplaced: list[str] = []
    unfindable: list[str] = []
    doubled: list[tuple[str, str]] = []
    ended: list[str] = []
    taken = {} if taken is None else taken
    unchanged = 0
    for given in markers:
        marker = given if placed else place_on_gazetteer(services, given)
        place = marker.place
        if not (place.address or place.point or place.zone_wkt or place.phone or place.premises_id):
            unfindable.append(marker.reference)
            continue
        if place.address and place.premises_id is None:
            unplaced.append(marker.reference)
        known = services.index.get(marker.marker_id)
        if known is not None and known.ending is not None:
            ended.append(marker.reference)
            continue
        versioned = _against(services.index, marker)
        if versioned is None:
            unchanged += 1
            continue
        holder = _holder(services, versioned, taken)
        if holder is not None:
            doubled.append((marker.reference, holder))
        elif versioned.version == 1:
            new.append(versioned)
        else:
            changed.append(versioned)
    return Plan(tuple(new), tuple(changed), unchanged, tuple(unplaced), tuple(unfindable), tuple(doubled), tuple(ended))


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
    stays away, others keep changing the same markers, or somebody took a row's place meanwhile.
    """
    written = 0
    rows_to_write = (*plan.new, *plan.changed)
    for rows in _chunks(rows_to_write, _ROWS_A_COMMIT):
        try:
            written += _write(services, actor, rows, now)
        except (StoreUnavailable, _Contended, Doubled, LifecycleRefused) as error:
            raise UpkeepError(
                f"{str(error).rstrip('.')}. Of {len(rows_to_write):,} rows {written:,} were surely written; "
                "import the same list again to finish."
            ) from error
        progress(len(rows))
    return written


def _holder(services: Services, marker: Marker, taken: dict[str, str]) -> str | None:
    """The reference of what is at the marker's place already; otherwise the place is noted as taken by it."""
    if marker.state_at(marker.recorded_at).over:
        return None
    places = places_of(marker)
    above = next((taken[place] for place in places if place in taken), None)
    if above is not None:
        return above
    other = live_beside(services, marker, marker.recorded_at)
    if other is not None:
        return other.reference
    taken.update(dict.fromkeys(places, marker.reference))
    return None


def _write(services: Services, actor: Actor, rows: tuple[Marker, ...], now: datetime) -> int:
    freed: tuple[Planned, ...] = ()
    for _ in range(_TRIES):
        if not rows:
            return 0
        planned = (*(_planned(services, actor, marker, now) for marker in rows), *freed)
        commit = Commit(
            request_id=str(uuid.uuid4()),
            expect={},
            writes=tuple(write for one in planned for write in one.writes),
            entries=tuple(one.entry.canonical() for one in planned),
        )
        try:
            done = _patiently(partial(services.commit, commit, now))
        except VersionConflict as conflict:
            _catch_up(services)
            again = (_against(services.index, marker) for marker in rows)
            rows = tuple(marker for marker in again if marker is not None)
            freed = tuple(one for one in freed if one.writes[0].record_id != conflict.record_id)
            continue
        except NotUnique as held_by:
            _catch_up(services)
            freed = (*freed, let_go(services, actor, held_by, now))
            continue
        if isinstance(done, Committed):
            _catch_up(services)
            return len(rows)
        services.take_in(done.changes)
    raise _Contended("Others keep changing these markers")


def _planned(services: Services, actor: Actor, marker: Marker, now: datetime) -> Planned:
    operation = Operation.COLLECTION if marker.version == 1 else Operation.ALTERATION
    return Planned(
        marker_writes(services, actor, marker, "import", "", now),
        entry_of(services, actor, marker, "import", now, operation),
    )


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


def _against(index: MarkerIndex, marker: Marker) -> Marker | None:
    """The marker with the version its write would have, or None when the store already holds the same.

    A list says nothing of reviews and endings, nor of what only a newer version knows: that stays as it is.
    """
    known = index.get(marker.marker_id)
    if known is None:
        return replace(marker, version=1)
    marker = replace(
        marker,
        confirmed_at=known.confirmed_at,
        confirmed_by=known.confirmed_by,
        ending=known.ending,
        more=known.more,
        version=1,
    )
    return None if _content(known) == _content(marker) else replace(marker, version=known.version + 1)


def _content(marker: Marker) -> Marker:
    """The marker without its bookkeeping: who recorded it, when and as which version is not what it says."""
    return replace(marker, version=1, recorded_at=_EVER, proposed_by="", approved_by="", proposer="")


def _chunks(rows: tuple[Marker, ...], size: int) -> Iterator[tuple[Marker, ...]]:
    waiting = iter(rows)
    while chunk := tuple(islice(waiting, size)):
        yield chunk
