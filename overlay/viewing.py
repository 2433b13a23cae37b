"""Looking at a marker by itself, and at who was shown it: logged before it is shown, like every look."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from markers.commits import Commit, Committed
from markers.ledger import LedgerEntry, Operation, RecordSeen
from markers.ledger_search import Found
from markers.model import LONDON, Ending, Grade, Marker, Match, State
from overlay.disclosure import Shown, for_actor, shows_all
from overlay.glass import same_incident
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services

LAST = 25
MOST_IN_A_DAY = 5_000
MOST_COUNTED = 2_000
_TRIES = 8
_RECORDS_AN_ENTRY = 1_000
DESK_READS = frozenset(
    (
        "desk_page",
        "marker_list",
        "marker_form",
        "proposal_page",
        "marker_map",
        "marker_export",
        "reconciled",
        "list_page",
    )
)
_LOOKS = (Operation.CONSULTATION, Operation.DISCLOSURE)


class NoSuchMarker(Exception):
    """No marker of that id: never was one, or it was erased."""


@dataclass(frozen=True, slots=True)
class Look:
    """One time a marker was shown to somebody. `who` is a name, `fields` what of the marker was shown."""

    sequence: int
    at: datetime
    who: str
    role: str
    incident: str | None
    reason: str | None
    grade: str | None
    fields: tuple[str, ...]
    last_known: bool

    @property
    def without_incident(self) -> bool:
        """A check of an address that names no incident: the owner may ask why."""
        return self.incident is None and self.grade is not None

    @property
    def glass_broken(self) -> bool:
        return self.reason == "break_glass"

    @property
    def only_existence(self) -> bool:
        """Somebody asked about another home near it and learnt that there is a marker, not which."""
        return self.fields == ("existence",)


@dataclass(frozen=True, slots=True)
class MarkerView:
    """One marker as its reader may see it, and its last looks, newest first.

    `matched` is how often checks found it, by grade, of its newest looks as many as are counted; `counted_all` when
    these are all there were.
    """

    shown: Shown
    place: str
    state: State
    starts_on: date
    review_on: date
    ends_on: date
    looks: tuple[Look, ...]
    matched: tuple[tuple[str, int], ...] = ()
    counted_all: bool = True
    subject: str = ""
    details: tuple[tuple[str, str], ...] = ()
    provisional_until: datetime | None = None
    confirmed_at: datetime | None = None
    confirmed_by: str = ""
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class MarkerLooks:
    """One marker's looks of one day. `reference` is None for a marker that is no longer there."""

    marker_id: str
    reference: str | None
    category_title: str | None
    owner: str | None
    looks: tuple[Look, ...]

    @property
    def disclosed(self) -> tuple[Look, ...]:
        """Those in which more was shown than that there is one."""
        return tuple(look for look in self.looks if not look.only_existence)


@dataclass(frozen=True, slots=True)
class Day:
    """The digest of one day in London. `cut` when there was more than a page holds."""

    day: date
    markers: tuple[MarkerLooks, ...]
    cut: bool

    @property
    def disclosures(self) -> int:
        """How often more of a marker was shown than that there is one."""
        return sum(len(marker.disclosed) for marker in self.markers)

    @property
    def without_incident(self) -> int:
        return sum(look.without_incident for marker in self.markers for look in marker.disclosed)


def view_marker(services: Services, actor: Actor, marker_id: str, now: datetime) -> MarkerView:
    """One marker and its last 25 looks.

    Raises NoSuchMarker, NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`.
    """
    services.freshen("markers")  # it may have been recorded through another process a moment ago
    every = services.ledger_search.find(marker=marker_id, limit=MOST_COUNTED)
    earlier = _looks(services, every[: 4 * LAST], marker_id)[:LAST]
    matched = Counter(
        seen.grade
        for item in every
        if item.entry.operation is Operation.CONSULTATION
        for seen in item.entry.records
        if seen.record_id == marker_id and seen.grade is not None
    )
    for _ in range(_TRIES):
        with services.index.lock:
            marker, position = services.index.get(marker_id), services.index.position
        if marker is None:
            raise NoSuchMarker
        shown = _whole(services, actor, marker, now)
        whole = shows_all(actor.role, services.categories.get(marker.category))
        own = tuple(name for name in ("subject", "details", "ending") if getattr(marker, name)) if whole else ()
        record = RecordSeen(marker.marker_id, marker.version, None, (*shown.fields(), *own))
        if look_logged(services, actor, "marker_page", (record,), {"markers": position}, now):
            return MarkerView(
                shown,
                place_words(marker),
                marker.state_at(now),
                marker.starts_on,
                marker.review_on,
                marker.ends_on,
                earlier,
                tuple(sorted(matched.items(), key=lambda one: (-one[1], one[0]))),
                len(every) < MOST_COUNTED,
                marker.subject if whole else "",
                marker.details if whole else (),
                marker.provisional_until,
                marker.confirmed_at,
                marker.confirmed_by,
                marker.ending if whole else None,
            )
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def view_day(services: Services, actor: Actor, day: date, now: datetime) -> Day:
    """Every marker shown to anybody on a day, its newest look first; the marker looked at last in front.

    Raises NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`.
    """
    since = datetime.combine(day, time(), LONDON)
    found = services.ledger_search.find(
        since=since,
        until=datetime.combine(day + timedelta(days=1), time(), LONDON),
        limit=MOST_IN_A_DAY,
        without=services.access.provers(),
    )
    records = dict.fromkeys(seen.record_id for item in found if _is_look(item) for seen in item.entry.records)
    digest = Day(
        day,
        tuple(_of_the_day(services, actor, marker_id, found, now) for marker_id in records),
        cut=len(found) == MOST_IN_A_DAY,
    )
    for _ in range(_TRIES):
        if look_logged(services, actor, "disclosures_page", (), {}, now):
            return digest
    raise NothingDisclosed("Accounts are changing faster than this page can follow. Open it again.")


def looks_under_glass(services: Services, account_id: str, incident: str, since: datetime, until: datetime) -> int:
    """How many looks somebody made under broken glass. Raises `StoreUnavailable`."""
    found = services.ledger_search.find(actor=account_id, since=since, until=until, limit=MOST_IN_A_DAY)
    return sum(item.entry.reason == "break_glass" and same_incident(item.entry.incident, incident) for item in found)


def look_logged(
    services: Services,
    actor: Actor,
    reason: str,
    records: tuple[RecordSeen, ...],
    expect: dict[str, int],
    now: datetime,
    operation: Operation = Operation.CONSULTATION,
) -> bool:
    """Whether the look is in the ledger, at the positions it was made at. Otherwise the news has been taken in.

    One entry for each 1,000 records, all in one commit. Raises NotAllowedAnyMore, `StoreUnavailable`.
    """
    standing = services.access.standing(actor, now)
    if standing is None:
        raise NotAllowedAnyMore
    entries = tuple(
        LedgerEntry(
            entry_id=str(uuid.uuid4()),
            at=now,
            operation=operation,
            actor_id=actor.actor_id,
            actor_role=actor.role,
            via=actor.via,
            reason=reason,
            records=records[first : first + _RECORDS_AN_ENTRY],
        )
        for first in range(0, max(1, len(records)), _RECORDS_AN_ENTRY)
    )
    written = tuple(entry.canonical() for entry in entries)
    done = services.commit(Commit(entries[0].entry_id, {**expect, "access": standing}, (), written), now)
    if isinstance(done, Committed):
        return True
    services.take_in(done.changes)
    return False


def _whole(services: Services, actor: Actor, marker: Marker, now: datetime) -> Shown:
    here = Match(marker, Grade.PREMISES, (), 1.0)
    (item,) = for_actor((here,), actor, services.categories, now, ask=services.roles.asks[actor.role])
    return item.shown


def _of_the_day(services: Services, actor: Actor, marker_id: str, found: Iterable[Found], now: datetime) -> MarkerLooks:
    marker = services.index.get(marker_id)
    looks = _looks(services, found, marker_id)
    if marker is None:
        return MarkerLooks(marker_id, None, None, None, looks)
    shown = _whole(services, actor, marker, now)
    return MarkerLooks(marker_id, shown.reference, shown.category_title, shown.owner, looks)


def _looks(services: Services, found: Iterable[Found], marker_id: str) -> tuple[Look, ...]:
    """The looks of one marker, as they came. A look that was sent again from the spool stands once, as it was shown."""
    items = [item for item in found if _is_look(item)]
    late = {item.entry.check_id for item in items if item.entry.late}
    return tuple(
        Look(
            item.sequence,
            item.entry.at,
            services.access.name_of(item.entry.actor_id),
            services.roles.titles.get(item.entry.actor_role, item.entry.actor_role),
            item.entry.incident,
            item.entry.reason,
            seen.grade,
            seen.fields,
            item.entry.store == "last_known",
        )
        for item in items
        if item.entry.late or item.entry.check_id is None or item.entry.check_id not in late
        for seen in item.entry.records
        if seen.record_id == marker_id
    )


def _is_look(item: Found) -> bool:
    """Whether somebody was shown a marker. Public protection's own lists are left out: they say nothing of who asks."""
    return item.entry.operation in _LOOKS and item.entry.reason not in DESK_READS


def place_words(marker: Marker) -> str:
    """Where a marker is, in words."""
    place = marker.place
    if place.address:
        return ", ".join(filter(None, (place.address, place.postcode)))
    if place.zone_wkt:
        return "an area drawn on the map"
    if place.point is not None:
        circle = f", {place.radius_m:.0f} m around" if place.radius_m else ""
        return f"{place.point.easting:.0f} {place.point.northing:.0f}{circle}"
    return place.phone or f"UPRN {place.uprn}"
