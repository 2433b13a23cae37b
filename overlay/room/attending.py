"""What happens to incidents by itself, in a process of its own (`python -m overlay.room.attending PARENT`).

A marker that is new, changed or over is matched against every open incident, and what that changes is recorded there,
so that units are briefed again. Closed incidents are purged when their time is over. Killing it at any moment harms
nothing: the next one begins with all of it again, and two at once find nothing left to do.
"""

from __future__ import annotations

import signal
import sys
import time
import uuid
from datetime import date, datetime

import structlog

from markers.commits import Commit, Write
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.location import RawLocation
from markers.server import ServerError
from markers.store_errors import StoreError, StoreUnavailable, VersionConflict
from markers.vault import VaultError
from overlay import logs
from overlay.incidents.afresh import differs
from overlay.incidents.book import COLLECTION
from overlay.incidents.entries import Checked
from overlay.incidents.model import Incident
from overlay.lookup import find
from overlay.parent import end_with_parent
from overlay.roles import Actor
from overlay.room.change import Planned, change, person
from overlay.room.opening import checked, of_place, with_runs
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.erasing import erase_again, learn_erased, purge_proposals
from overlay.upkeep.list_plans import ListWorker, drop_unfinished, purge_lists

log = structlog.get_logger()

ATTENDANT = Actor("system:attendant", "Attendant", "service", Via.SYSTEM)
_EACH_S = 0.5
_PURGE_EACH_S = 60.0
_MOST_PURGED = 200


def rematch(services: Services, now: datetime) -> int:
    """Match every open incident against the markers as they are; returns how many had changed. `StoreUnavailable`."""
    services.catch_up(COLLECTION)  # one opened just before the markers changed must not be passed over
    changed = 0
    for incident in services.incidents.open():
        try:
            changed += _rematch_one(services, incident, now)
        except StoreUnavailable:
            raise
        except Exception as error:
            # One incident that can't be matched must not keep the others from it. Its page says that it changed.
            log.error("incident_not_rematched", incident_id=incident.incident_id, kind=type(error).__name__)
    return changed


def _rematch_one(services: Services, incident: Incident, now: datetime) -> bool:
    places = (None, *(place.place_id for place in incident.also))
    return sum(_rematch_place(services, incident, place_id, now) for place_id in places) > 0


def _rematch_place(services: Services, incident: Incident, place_id: str | None, now: datetime) -> bool:
    place, last = _place(incident, place_id)
    if place is None or last is None:
        return False
    _, finding = find(services, place, now)
    if not differs(last, finding.outcome):
        return False
    by = person(ATTENDANT)
    done: list[bool] = []

    def plan(current: Incident) -> Planned:
        done[:] = []
        where, since = _place(current, place_id)
        stands = since is not None and not differs(since, finding.outcome)
        if current.closed is not None or where != place or stands:
            return Planned((), "rematched")
        fresh = checked(services, finding, place, by, now)
        if place_id is not None:
            fresh = of_place(fresh, place_id)
        after, writes = with_runs(services, current, current.with_entries(fresh), by, now)
        done.append(True)
        records = tuple(RecordSeen(seen.marker_id, seen.version, seen.grade) for seen in fresh.seen)
        entries = after.log[len(current.log) :]
        return Planned(entries, "rematched", ("check",), Operation.COMBINATION, records, (), writes)

    change(services, ATTENDANT, incident.incident_id, now, plan)
    return bool(done)


def _place(incident: Incident, place_id: str | None) -> tuple[RawLocation | None, Checked | None]:
    """Its own place or an added one, and the last check of it."""
    if place_id is None:
        return incident.place, incident.checked
    other = incident.other_place(place_id)
    return (None, None) if other is None else (other.where, other.checked)


def purge(services: Services, now: datetime) -> int:
    """Erase closed incidents whose time is over; the ledger keeps their ids alone. `StoreUnavailable`."""
    over = [
        incident
        for incident in services.incidents.all()
        if incident.closed is not None and now - incident.closed.at >= services.rules.kept_closed
    ][:_MOST_PURGED]
    purged = 0
    for incident in over:
        entry = LedgerEntry(
            entry_id=str(uuid.uuid4()),
            at=now,
            operation=Operation.ERASURE,
            actor_id=ATTENDANT.actor_id,
            actor_role=ATTENDANT.role,
            via=ATTENDANT.via,
            reason="retention",
            records=(RecordSeen(incident.incident_id, incident.version + 1),),
        )
        write = Write(COLLECTION, incident.incident_id, incident.version, None)
        try:
            services.commit(Commit(entry.entry_id, {}, (write,), (entry.canonical(),)), now)
            purged += 1
        except VersionConflict:
            continue  # somebody opened it again, or another attendant was first
    if over:
        services.catch_up(COLLECTION)
    return purged


def attend(services: Services) -> None:
    """Go on until killed."""
    seen: tuple[int, tuple[date, int]] | None = None
    lists = ListWorker()
    purged_at = 0.0
    log_written = 0
    while True:
        now = services.now()
        try:
            # Only markers and time change what is marked; an incident that moved was checked when it did.
            at = services.index.position, services.index.period(now)
            if at != seen:
                count = rematch(services, now)
                if count:
                    log.info("incidents_rematched", count=count)
                seen = at
            if time.monotonic() - purged_at >= _PURGE_EACH_S:
                count = purge(services, now)
                if count:
                    log.info("incidents_purged", count=count)
                purged_at = time.monotonic()  # what is refused below is tried again in a minute
                learn_erased(services)
                if erase_again(services, ATTENDANT, now):
                    drop_unfinished(services, ATTENDANT, now)
                purge_proposals(services, ATTENDANT, now)
                purge_lists(services, ATTENDANT, now)
                log_written = _without_erased(services, log_written)
            if lists.step(services):
                continue  # the next batch at once; open incidents come between
        except (StoreError, VaultError, OSError) as error:  # a full disk must not keep incidents from being matched
            log.warning("attendant_waits", kind=type(error).__name__)
        time.sleep(_EACH_S)


def _without_erased(services: Services, written: int) -> int:
    """Have the store's log written anew when markers were erased since; returns how many erasures it is without."""
    erased = len(services.erased.all())
    return erased if erased != written and services.store.rewrite_log() else written


def main() -> None:
    """Attend until killed, or until the process named on the command line has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for `overlay run`, which then stops this
    logs.to_stderr()
    end_with_parent(int(sys.argv[1]))
    settings = Settings.read()
    while True:
        try:
            services = Services.start(settings)
            break
        except (ServerError, StoreUnavailable) as error:
            log.error("attendant_waits_for_store", reason=str(error))
            time.sleep(1.0)
    attend(services)


if __name__ == "__main__":
    main()
