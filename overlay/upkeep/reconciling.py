"""Another system's list of marked homes against ours: on both, on theirs or ours alone, and one written two ways.

Nothing is kept of the other list. Homes are compared as a check would understand them, never as strings alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markers.address import normalise, read_address
from markers.cells import Cells, read_uprn
from markers.ledger import Operation, RecordSeen
from markers.model import Marker, Premises
from markers.resolve import resolve
from markers.tables import RowError, Warn, read_table
from overlay.lookup import NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services
from overlay.viewing import look_logged

COLUMNS = ("reference", "address", "postcode", "uprn")
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Theirs:
    """One home of the other list as it is written there, and the known home it surely means."""

    line: int
    reference: str
    address: str
    home: Premises | None


@dataclass(frozen=True, slots=True)
class Both:
    """A home that both have. `written` tells that the two write it differently."""

    theirs: Theirs
    marker: Marker
    written: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`twice` are rows of theirs that mean a home of an earlier row; `errors` rows that could not be read."""

    both: tuple[Both, ...]
    theirs: tuple[Theirs, ...]
    ours: tuple[Marker, ...]
    twice: tuple[Theirs, ...]
    errors: tuple[RowError, ...]


def read_homes(services: Services, path: Path, warn: Warn) -> Iterator[Theirs | RowError]:
    """The other list, in the columns of COLUMNS; a row needs an address or a UPRN. Raises TableError."""
    for row in read_table(path, {"address"}, set(COLUMNS), warn):
        if isinstance(row, RowError):
            yield row
            continue
        cells = Cells(row)
        address, postcode = cells.home()
        uprn = cells.read("uprn", read_uprn)
        reference = cells.text("reference", 64) or ""
        if not cells.errors and address is None and uprn is None:
            cells.refuse("address", "missing. Write the home's address.")
        if cells.errors:
            yield from cells.errors
            continue
        home = services.gazetteer.by_uprn(uprn) if uprn else None
        if home is None and address is not None:
            home = resolve(read_address(address, postcode), services.gazetteer, services.index.homes).home
        written = ", ".join(filter(None, (address, postcode))) or f"UPRN {uprn}"
        yield Theirs(row.line, reference, written, home)


def reconcile(
    services: Services, actor: Actor, category: str, rows: Iterable[Theirs | RowError], now: datetime
) -> Reconciled:
    """Their homes against our live markers of one category; logged as a combination before it is told.

    Raises NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`.
    """
    listed = list(rows)
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        live = [m for m in services.index.all() if m.category == category and not m.state_at(now).over]
        found = _compared(live, listed)
        records = tuple(RecordSeen(m.marker_id, m.version, None, ("existence", "reference", "place")) for m in live)
        if look_logged(services, actor, "reconciled", records, at, now, Operation.COMBINATION):
            return found
    raise NothingDisclosed("Markers are changing faster than they can be compared. Ask again.")


def _compared(live: list[Marker], listed: list[Theirs | RowError]) -> Reconciled:
    ours: dict[str, list[Marker]] = defaultdict(list)
    for marker in live:
        ours[_home_of_marker(marker)].append(marker)
    both: list[Both] = []
    alone: list[Theirs] = []
    twice: list[Theirs] = []
    met: set[str] = set()
    for theirs in listed:
        if isinstance(theirs, RowError):
            continue
        key = theirs.home.premises_id if theirs.home is not None else _plain(theirs.address)
        if key in met:
            twice.append(theirs)
            continue
        met.add(key)
        both += [Both(theirs, here, _plain(theirs.address) != _plain(_written(here))) for here in ours.get(key, ())]
        if key not in ours:
            alone.append(theirs)
    left = [marker for key, markers in ours.items() if key not in met for marker in markers]
    errors = tuple(row for row in listed if isinstance(row, RowError))
    return Reconciled(tuple(both), tuple(alone), tuple(left), tuple(twice), errors)


def _home_of_marker(marker: Marker) -> str:
    return marker.place.premises_id or _plain(_written(marker))


def _written(marker: Marker) -> str:
    return ", ".join(filter(None, (marker.place.address, marker.place.postcode))) or marker.marker_id


def _plain(text: str) -> str:
    return " ".join(normalise(text).replace(",", " ").split())
