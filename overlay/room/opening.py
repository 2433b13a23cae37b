"""Opening an incident from a check, and checking it again when its place, number or call changes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime

from checklists.load import as_plain, fingerprint
from markers.commits import Write
from markers.ledger import Basis, Operation
from markers.location import LocationError, RawLocation, read_location
from markers.store_errors import NotUnique
from overlay.incidents import entries as e
from overlay.incidents import wordings
from overlay.incidents.book import COLLECTION
from overlay.incidents.model import Incident, incident_of
from overlay.incidents.runs import silent_from_marked_number, wanted
from overlay.lookup import Along, Answer, Asked, Finding, check
from overlay.roles import Actor
from overlay.room.change import Planned, RoomBusy, RoomRefused, being_open, change, line, logged, person, record
from overlay.services import Services

_TRIES = 8
MOST_PLACES = 8
CALL_STATES = {"connected": "Connected", "silent": "Silent", "dropped": "Dropped"}
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_SAY_REFERENCE = (
    "Give the CAD reference, like CAD-4521: up to 64 letters, digits and - _ . : without spaces or slashes."
)


class NotKept(Exception):
    """The store is away: the incident was not opened or changed. `answer` is what was last known of its place."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            "The store is not answering, so the incident was not recorded. The answer shown is what was last known."
        )
        self.answer = answer


class _Moved(Exception):
    """The incident is somewhere else than the place that was just matched."""


class AlreadyOpen(RoomRefused):
    """There is an incident of that reference; `incident_id` is None when it is not yet known here."""

    def __init__(self, incident_id: str | None) -> None:
        super().__init__("reference", "An incident of that reference has been opened already.")
        self.incident_id = incident_id


@dataclass(frozen=True, slots=True)
class Opening:
    """What an incident is opened with. `call` is a code of CALL_STATES; the number is that of `place.phone`."""

    reference: str
    place: RawLocation
    incident_type: str | None = None
    call: str = "connected"


def open_incident(services: Services, actor: Actor, opening: Opening, now: datetime) -> tuple[Incident, Answer]:
    """Check the place and open the incident in one commit.

    Raises LocationError, RoomRefused, AlreadyOpen, NotKept, and what a check raises.
    """
    reference = read_reference(opening.reference)
    _known_type(services, opening.incident_type)
    _known_call(opening.call)
    by, incident_id = person(actor), secrets.token_hex(16)
    made: list[Incident] = []

    def along(finding: Finding) -> Along:
        first = incident_of(
            incident_id,
            1,
            (
                e.Opened(now, by, reference),
                e.Typed(now, by, opening.incident_type),
                e.Called(now, by, opening.place.phone, opening.call),
                e.Located(now, by, opening.place),
                checked(services, finding, opening.place, by, now),
            ),
        )
        incident, wording_writes = with_runs(services, None, first, by, now)
        made[:] = [replace(incident, version=1)]
        fields = ("reference", "type", "call", "place", "check")
        planned = Planned((), "incident_opened", fields, Operation.COLLECTION)
        write = record(services, made[0], 0)
        return Along((write, *wording_writes), (logged(actor, made[0], planned, now).canonical(),))

    asked = Asked(opening.place, reference, opening.incident_type, "incident_opened")
    try:
        answer = check(services, actor, asked, now, along)
    except NotUnique as taken:
        raise AlreadyOpen(taken.holder) from None
    if answer.store is not Basis.CURRENT:
        raise NotKept(answer)
    return made[0], answer


def check_again(
    services: Services,
    actor: Actor,
    incident_id: str,
    now: datetime,
    news: Callable[[Incident, e.Person], tuple[e.Entry, ...]],
    reason: str,
    place_id: str | None = None,
) -> tuple[Incident, Answer]:
    """Record `news` of an incident, check the place it then has, and open what that asks for, in one commit.

    Its own place, or the added one named. Raises IncidentClosed, NoSuchIncident, LocationError, NotKept, RoomRefused
    for a place that concerns it no more, and what a check and `news` raise.
    """
    by = person(actor)
    for _ in range(_TRIES):
        services.freshen(COLLECTION)
        before = being_open(services.incidents.get(incident_id))
        place = _where(before.with_entries(*news(before, by)), place_id)
        made: list[Incident] = []

        def along(finding: Finding, place: RawLocation = place, made: list[Incident] = made) -> Along:
            current = being_open(services.incidents.get(incident_id))
            told = current.with_entries(*news(current, by))
            if _where(told, place_id) != place:
                raise _Moved
            found = checked(services, finding, place, by, now)
            entry = found if place_id is None else of_place(found, place_id)
            after, wording_writes = with_runs(services, current, told.with_entries(entry), by, now)
            after = replace(after, version=current.version + 1)
            made[:] = [after]
            planned = Planned((), reason, ("place", "check"))
            write = record(services, after, current.version)
            return Along((write, *wording_writes), (logged(actor, after, planned, now).canonical(),))

        try:
            answer = check(services, actor, Asked(place, before.reference, before.incident_type, reason), now, along)
        except _Moved:
            continue  # somebody moved it meanwhile: what was matched is of another place
        if answer.store is not Basis.CURRENT:
            raise NotKept(answer)
        return made[0], answer
    raise RoomBusy


def move(
    services: Services, actor: Actor, incident_id: str, place: RawLocation, now: datetime
) -> tuple[Incident, Answer]:
    """The incident is somewhere else than was thought; its caller's number stays unless another is given."""

    def news(incident: Incident, by: e.Person) -> tuple[e.Entry, ...]:
        kept = incident.place.phone if incident.place is not None else None
        return (e.Located(now, by, replace(place, phone=place.phone or kept)),)

    return check_again(services, actor, incident_id, now, news, "location_changed")


def call_changed(
    services: Services, actor: Actor, incident_id: str, state: str, number: str | None, now: datetime
) -> tuple[Incident, Answer]:
    """The call went silent, dropped or came back, or its number is known now."""
    _known_call(state)

    def news(incident: Incident, by: e.Person) -> tuple[e.Entry, ...]:
        place = incident.place or RawLocation()
        told: tuple[e.Entry, ...] = (e.Called(now, by, number or place.phone, state),)
        return told if number is None else (*told, e.Located(now, by, replace(place, phone=number)))

    return check_again(services, actor, incident_id, now, news, "call_changed")


def retype(
    services: Services, actor: Actor, incident_id: str, incident_type: str | None, now: datetime
) -> tuple[Incident, Answer]:
    """The incident is of another type than was thought."""
    _known_type(services, incident_type)
    return check_again(
        services, actor, incident_id, now, lambda _, by: (e.Typed(now, by, incident_type),), "type_changed"
    )


def recheck(
    services: Services, actor: Actor, incident_id: str, now: datetime, place_id: str | None = None
) -> tuple[Incident, Answer]:
    """Look again at its place, or at an added one."""
    return check_again(services, actor, incident_id, now, lambda _i, _by: (), "incident_response", place_id)


def add_place(
    services: Services, actor: Actor, incident_id: str, place: RawLocation, label: str, now: datetime
) -> tuple[Incident, Answer]:
    """Another place concerns the incident as well: it is checked, and what is marked there belongs to the incident.

    Raises RoomRefused for a place that it has already, or one too many.
    """
    named = line("label", label, "Say in a few words what the place is.", shortest=0)
    place, place_id = replace(place, phone=None), secrets.token_hex(8)

    def news(incident: Incident, by: e.Person) -> tuple[e.Entry, ...]:
        if place in (replace(incident.place or RawLocation(), phone=None), *(other.where for other in incident.also)):
            raise RoomRefused("location", "The incident has that place already: use Check again.")
        if len(incident.also) >= MOST_PLACES:
            raise RoomRefused("location", f"An incident has {MOST_PLACES} added places at most: remove one first.")
        return (e.PlaceAdded(now, by, place_id, named, place),)

    return check_again(services, actor, incident_id, now, news, "place_added", place_id)


def remove_place(
    services: Services, actor: Actor, incident_id: str, place_id: str, why: str, now: datetime
) -> Incident:
    """An added place concerns the incident no more; what was recorded of it stays."""
    reason = line("why", why, "Say why in one line.", shortest=0)

    def plan(incident: Incident) -> Planned:
        _where(being_open(incident), place_id)
        return Planned((e.PlaceRemoved(now, person(actor), place_id, reason),), "place_removed", ("place",))

    return change(services, actor, incident_id, now, plan)


def _where(incident: Incident, place_id: str | None) -> RawLocation:
    """Its own place, or an added one. Raises RoomRefused."""
    if place_id is None:
        return incident.place or RawLocation()
    other = incident.other_place(place_id)
    if other is None:
        raise RoomRefused("place", "That place concerns the incident no more.")
    return other.where


def of_place(found: e.Checked, place_id: str) -> e.PlaceChecked:
    """The check of an added place."""
    return e.PlaceChecked(**{field.name: getattr(found, field.name) for field in fields(found)}, place_id=place_id)


def read_reference(text: str) -> str:
    """A CAD reference as it is kept. Raises RoomRefused."""
    tidy = line("reference", text, _SAY_REFERENCE, longest=64)
    if not _REFERENCE.fullmatch(tidy):
        raise RoomRefused("reference", _SAY_REFERENCE)
    return tidy


def checked(services: Services, finding: Finding, place: RawLocation, by: e.Person, now: datetime) -> e.Checked:
    """What an incident keeps of a check: every match, whoever made it; showing it is decided anew each time."""
    outcome = finding.outcome
    return e.Checked(
        at=now,
        by=by,
        check_id=finding.check_id,
        status=outcome.status.value,
        reason=outcome.reason,
        store=Basis.CURRENT.value,
        understood=outcome.understood,
        precision=outcome.precision.value,
        known=outcome.known,
        warnings=outcome.warnings,
        about=finding.about,
        same=same_tokens(services, outcome.home.premises_id if outcome.home is not None else None, place.phone),
        seen=tuple(
            e.Seen(
                marker_id=match.marker.marker_id,
                version=match.marker.version,
                category=match.marker.category,
                grade=match.grade.value,
                sub_building=match.sub_building.value if match.sub_building else None,
                distance_m=match.distance_m,
                confidence=match.confidence,
                why=match.why,
                applies=match.applies,
            )
            for match in outcome.matches
        ),
    )


def same_tokens(services: Services, premises_id: str | None, phone: str | None) -> tuple[str, ...]:
    """What another call from the same home or number shares with this one."""
    try:
        number = read_location(RawLocation(phone=phone)).phone if phone else None
    except LocationError:
        number = None
    named = {"same home": premises_id, "same number": number}
    return tuple(services.vault.token(kind, text) for kind, text in named.items() if text)


def with_runs(
    services: Services, before: Incident | None, incident: Incident, by: e.Person, now: datetime
) -> tuple[Incident, tuple[Write, ...]]:
    """The incident with the checklists it asks for, and the wordings of them that the store does not have yet.

    When the call has become one that is silent or dropped from a marked number, it is graded no lower than the floor;
    a grade that was lowered since, with a supervisor's name, stands.
    """
    writes: list[Write] = []
    entries: list[e.Entry] = []
    for definition, because in wanted(services.definitions, incident):
        key = fingerprint(definition)
        entries.append(e.RunOpened(now, by, secrets.token_hex(8), definition.id, key, because))
        if not services.wordings.stored(key):
            writes.append(Write(wordings.COLLECTION, key, 0, as_plain(definition)))
    became = silent_from_marked_number(incident) and not (before is not None and silent_from_marked_number(before))
    if became and _below_floor(services, incident):
        floor = services.rules.silent_floor
        entries.append(e.Graded(now, by, floor, "Silent or dropped call from a marked number.", False, None))  # noqa: FBT003 - a field
    return incident.with_entries(*entries), tuple(writes)


def _below_floor(services: Services, incident: Incident) -> bool:
    graded = incident.graded.grade if incident.graded is not None else None
    return graded is None or services.rules.lowers(services.rules.silent_floor, graded)


def _known_type(services: Services, incident_type: str | None) -> None:
    if incident_type is not None and incident_type not in dict(services.incident_types):
        raise RoomRefused("type", "Choose the incident's type from the list.")


def _known_call(state: str) -> None:
    if state not in CALL_STATES:
        raise RoomRefused("call", f"A call is {', '.join(CALL_STATES)}.")
