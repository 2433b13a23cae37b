"""The walk: one check, from a location as it was given to an answer that is logged before anyone sees it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from checklists.suggest import Prompt, suggested
from markers.address import normalise
from markers.commits import Commit, Committed, Write
from markers.geocoders import Located
from markers.ledger import Basis, LedgerEntry, Operation, RecordSeen
from markers.location import Location, RawLocation, read_location
from markers.matching import Outcome, match
from markers.model import Grade, Status
from markers.spool import SpoolFailed
from markers.store_errors import StoreUnavailable, VersionConflict
from markers.vault import VaultError
from overlay.disclosure import Disclosed, Shown, for_actor
from overlay.glass import Glass
from overlay.hours import Contact
from overlay.incidents.runs import SILENT_TYPE
from overlay.known_at import known_at
from overlay.roles import Actor
from overlay.services import Services, trouble_words

_TRIES = 8


class NothingDisclosed(Exception):
    """The check could not be logged, so nothing may be shown: the location is to be treated as unknown."""


class NotAllowedAnyMore(Exception):
    """The account, session or token was revoked while the check ran."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and for which incident. `reason` is a short code for the ledger."""

    location: RawLocation
    incident_reference: str | None = None
    incident_type: str | None = None
    reason: str = "incident_response"


@dataclass(frozen=True, slots=True)
class Understood:
    """How the location was read: the address as known, how precisely, and whether the gazetteer knows it."""

    text: str | None
    precision: str
    known: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One check's answer, as far as the asking role may see it.

    `store` is `current`, or `last_known` when the store did not answer; then `status` is always
    could_not_check and `as_of` the moment the copy was last known to be complete. `glass_until` is when the glass
    broken for this incident is whole again. `ring` is whom to ring of public protection at this hour.
    """

    check_id: str
    status: Status
    reason: str | None
    advice: str | None
    as_of: datetime
    store: Basis
    understood: Understood
    warnings: tuple[str, ...]
    matches: tuple[Shown, ...]
    prompts: tuple[Prompt, ...]
    ledger_entry: str
    ring: Contact
    glass_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, before anything is withheld: for what is kept of it, never for what is shown.

    `about` are the ledger's tokens of the place.
    """

    check_id: str
    outcome: Outcome
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Along:
    """What goes into the commit of a check's own entry, and into no other."""

    writes: tuple[Write, ...] = ()
    entries: tuple[bytes, ...] = ()


def check(
    services: Services,
    actor: Actor,
    asked: Asked,
    now: datetime,
    along: Callable[[Finding], Along] = lambda _: Along(),
) -> Answer:
    """Match a location, log the look, and only then answer.

    `along` says what is to be written in the same commit; while the store is away nothing of it is, and the answer is
    last known. It is asked again when somebody else changed a record first. Raises LocationError for a location that
    can't be read, NotAllowedAnyMore for a revoked actor, and NothingDisclosed when the look could be logged neither in
    the store nor in the spool.
    """
    where = read_location(asked.location)
    located: Located | None = None
    check_id = str(uuid.uuid4())
    for _ in range(_TRIES):
        era = services.store.era
        access_position = services.access.standing(actor, now)
        if access_position is None:
            raise NotAllowedAnyMore
        # Once, outside every lock: another geocoder may be slow, and holds up only this check.
        located = located or services.geocoders.locate(where, services.gazetteer)
        position, outcome = _match(services, where, located, now)
        outcome = _believed(services, outcome, now)
        expect = {"markers": position, "access": access_position}
        glass = _glass(services, actor, asked, now, expect)
        seen = for_actor(
            outcome.matches,
            actor,
            services.categories,
            now,
            ask=services.roles.asks[actor.role],
            glass_broken=glass is not None,
        )
        answer = _compose(services, actor, asked, outcome, seen, glass, check_id, now)
        entry = _entry(services, actor, asked, where, outcome, seen, answer, now)
        more = along(Finding(check_id, outcome, entry.about))
        try:
            entries = (entry.canonical(), *more.entries)
            done = services.commit(Commit(entry.entry_id, expect, more.writes, entries, era), now)
            if isinstance(done, Committed):
                for collection in {write.collection for write in more.writes}:
                    services.freshen(collection)  # done is done, whatever becomes of the store just now
                return answer
            services.take_in(done.changes)
        except VersionConflict as conflict:
            services.catch_up(conflict.collection)
        except (StoreUnavailable, VaultError) as error:
            services.note_trouble(error)
            return _last_known(services, actor, asked, where, outcome, seen, answer, now, error)
    raise NothingDisclosed("Markers are changing faster than this check can follow. Check again.")


def _match(services: Services, where: Location, located: Located, now: datetime) -> tuple[int, Outcome]:
    with services.index.lock:
        outcome = match(
            where,
            services.index,
            services.gazetteer,
            services.categories,
            services.area.distances,
            now,
            located=located.spot,
        )
        position = services.index.position
    outcome = replace(outcome, warnings=(*outcome.warnings, *located.warnings))
    if where.spot is not None and not services.area.contains(where.spot.centre):
        outcome = replace(outcome, warnings=(*outcome.warnings, f"That position is outside {services.area.name}."))
    elif outcome.home is not None and outcome.home.point is not None and not services.area.contains(outcome.home.point):
        outcome = replace(outcome, warnings=(*outcome.warnings, f"That address is outside {services.area.name}."))
    return position, outcome


def _believed(services: Services, outcome: Outcome, now: datetime) -> Outcome:
    """Nothing is clear while the proof of life shows that this service misses markers."""
    proof = services.proof.read(now)
    if outcome.status is not Status.CLEAR or proof.kind != "wrong":
        return outcome
    reason = f"This service may be missing markers: {proof.words}"
    return replace(outcome, status=Status.COULD_NOT_CHECK, reason=" ".join(filter(None, (reason, outcome.reason))))


def _glass(services: Services, actor: Actor, asked: Asked, now: datetime, expect: dict[str, int]) -> Glass | None:
    """What the actor has broken for this incident; the commit then expects that it still stands."""
    if not services.roles.may(actor, "break_glass.open"):
        return None
    glass, position = services.glass.open_for(actor, asked.incident_reference, now)
    if glass is not None:
        expect["break_glass"] = position
    return glass


def _compose(
    services: Services,
    actor: Actor,
    asked: Asked,
    outcome: Outcome,
    seen: tuple[Disclosed, ...],
    glass: Glass | None,
    check_id: str,
    now: datetime,
) -> Answer:
    shown = tuple(item.shown for item in seen)
    applying = frozenset((item.category, item.grade.value) for item in shown if item.category is not None)
    return Answer(
        check_id=check_id,
        status=outcome.status,
        reason=_reason(services, actor, outcome),
        advice="Treat as unknown until it is checked." if outcome.status is Status.COULD_NOT_CHECK else None,
        as_of=now,
        store=Basis.CURRENT,
        understood=Understood(outcome.understood, outcome.precision.value, outcome.known),
        warnings=outcome.warnings,
        matches=shown,
        prompts=suggested(
            services.definitions,
            asked.incident_type,
            applying,
            silent_from_marked_number=asked.incident_type == SILENT_TYPE
            and any(item.grade is Grade.PHONE for item in shown),
        ),
        ledger_entry=str(uuid.uuid4()),
        ring=services.ring(now),
        glass_until=glass.until if glass is not None else None,
    )


def _reason(services: Services, actor: Actor, outcome: Outcome) -> str | None:
    """What could not be decided; how many marked premises it could mean only where the role may know that."""
    if not outcome.could_mean or not services.roles.may(actor, "markers.count"):
        return outcome.reason
    return f"{outcome.reason} Marked premises it could mean: {outcome.could_mean}."


def _entry(
    services: Services,
    actor: Actor,
    asked: Asked,
    where: Location,
    outcome: Outcome,
    seen: tuple[Disclosed, ...],
    answer: Answer,
    now: datetime,
) -> LedgerEntry:
    """What the ledger keeps of this look: who, when, why, tokens of where, and which fields of which markers."""
    return LedgerEntry(
        entry_id=answer.ledger_entry,
        at=now,
        operation=Operation.CONSULTATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        incident=asked.incident_reference,
        reason="break_glass" if answer.glass_until is not None else asked.reason,
        check_id=answer.check_id,
        status=answer.status.value,
        store=answer.store,
        about=_tokens(services, where, outcome),
        records=tuple(
            RecordSeen(
                item.match.marker.marker_id, item.match.marker.version, item.match.grade.value, item.shown.fields()
            )
            for item in seen
        ),
    )


def _tokens(services: Services, where: Location, outcome: Outcome) -> tuple[str, ...]:
    """What was looked at, so that "who looked at this address" can be answered without the address."""
    named = {
        "premises": outcome.home.premises_id if outcome.home is not None else None,
        "address": normalise(where.address) if where.address else None,
        "uprn": where.uprn,
        "postcode": where.postcode,
        "phone": where.phone,
        "position": f"{where.spot.centre.easting:.0f} {where.spot.centre.northing:.0f}" if where.spot else None,
    }
    return tuple(services.vault.token(kind, text) for kind, text in named.items() if text)


def find(services: Services, raw: RawLocation, now: datetime) -> tuple[int, Finding]:
    """What is marked at a place as of a position of the markers; unlogged, so nobody may see it. LocationError."""
    where = read_location(raw)
    located = services.geocoders.locate(where, services.gazetteer)
    position, outcome = _match(services, where, located, now)
    return position, Finding(str(uuid.uuid4()), outcome, _tokens(services, where, outcome))


def tokens_of(services: Services, raw: RawLocation, now: datetime) -> tuple[str, ...]:
    """What looks at this home are filed under, however it is written here and was written there.

    A postcode counts only where nothing nearer is given. Raises LocationError.
    """
    where = read_location(raw)
    located = services.geocoders.locate(where, services.gazetteer)
    _, outcome = _match(services, where, located, now)
    home = outcome.home
    named = {
        "premises": home.premises_id if home is not None else None,
        "address": normalise(where.address) if where.address else None,
        "uprn": home.uprn if home is not None and home.uprn else where.uprn,
    }
    tokens = tuple(services.vault.token(kind, text) for kind, text in named.items() if text)
    return tokens or _tokens(services, where, outcome)


def _last_known(
    services: Services,
    actor: Actor,
    asked: Asked,
    where: Location,
    outcome: Outcome,
    seen: tuple[Disclosed, ...],
    answer: Answer,
    now: datetime,
    error: Exception,
) -> Answer:
    """The store can't be relied on: say so, show what was last known, and log it in the spool first."""
    as_of = services.last_contact
    trouble = trouble_words(error)
    stale = replace(
        answer,
        status=Status.COULD_NOT_CHECK,
        reason=" ".join(
            part
            for part in (
                f"{trouble[0].upper()}{trouble[1:]}.",
                f"What follows was last known at {known_at(as_of, now)}.",
                outcome.reason,
            )
            if part
        ),
        advice=f"Treat as unknown. Ring now: {services.ring(now).words}.",
        as_of=as_of,
        store=Basis.LAST_KNOWN,
        ledger_entry=str(uuid.uuid4()),
    )
    try:
        services.spool.append(_entry(services, actor, asked, where, outcome, seen, stale, now))
    except SpoolFailed as error:
        raise NothingDisclosed(
            "The store is not answering and this look could not be logged here either, so nothing is shown. "
            f"Treat as unknown. Ring now: {services.ring(now).words}."
        ) from error
    return stale
