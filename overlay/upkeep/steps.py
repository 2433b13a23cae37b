"""The steps of a marker's life, each one commit: `markers.lifecycle` says who may and what follows."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shapely import from_wkt
from shapely.geometry import Point as ShapelyPoint

from markers import lifecycle
from markers.address import read_address
from markers.cells import POSITIONS_AGREE_M
from markers.ledger import Operation
from markers.lifecycle import LifecycleRefused, Proposal, Step
from markers.model import Marker, Place, Premises
from markers.resolve import resolve
from overlay.hours import OFFICE
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import (
    Doubled,
    Planned,
    change,
    entry_of,
    live_beside,
    marker_writes,
    person,
    proposal_write,
    there_is,
)
from overlay.upkeep.placing import place_on_gazetteer
from overlay.viewing import NoSuchMarker


def propose(services: Services, actor: Actor, step: Step, wanted: Marker, why: str, now: datetime) -> Proposal:
    """Propose a marker, a change to one, or its ending; `wanted.version` is what the writer looked at, 0 for a new one.

    Raises LifecycleRefused, Outdated, Doubled, NotAllowedAnyMore, DeskBusy, `StoreUnavailable`.
    """
    proposal_id = str(uuid.uuid4())
    placed = placed_as_one(services, wanted)
    made: list[Proposal] = []

    def plan() -> Planned:
        current = services.index.get(placed.marker_id)
        proposal = replace(lifecycle.propose(step, placed, current, person(actor), why, now), proposal_id=proposal_id)
        refuse_doubled(services, proposal.marker, now)
        made.append(proposal)
        operation = Operation.COLLECTION if step is Step.NEW else Operation.ALTERATION
        entry = entry_of(services, actor, proposal.marker, f"proposed_{step.value}", now, operation)
        return Planned((proposal_write(services, proposal, 0),), entry)

    change(services, actor, now, plan)
    return made[-1]


def propose_ending(
    services: Services,
    actor: Actor,
    marker_id: str,
    version: int,
    reason: str,
    told: str,
    why: str,
    now: datetime,
    *,
    by_list: bool = False,
) -> Proposal:
    """Propose that a marker ends; a list leaves it to whoever approves to say who was told.

    Raises as `propose`, and NoSuchMarker.
    """
    marker = marker_of(services, marker_id)
    if not reason:
        raise LifecycleRefused("reason", "Choose why this marker ends.")
    ended = lifecycle.end(marker, reason, told, services.categories.get(marker.category), now, by_list=by_list)
    return propose(services, actor, Step.END, replace(ended, version=version), why, now)


def approve(services: Services, actor: Actor, proposal_id: str, why: str, now: datetime, told: str = "") -> Marker:
    """Put in force what another person proposed. Raises as `propose`, and NoSuchProposal.

    `told` is whether the subject of a marker that ends was told, where its proposer did not say.
    """
    made: list[Marker] = []

    def plan() -> Planned:
        proposal, version = services.proposals.get(proposal_id)
        current = services.index.get(proposal.marker.marker_id)
        category = services.categories.get(proposal.marker.category)
        marker = lifecycle.accept(proposal, current, person(actor), now, category, told)
        decided = lifecycle.decide(proposal, accepted=True, by=person(actor), why=why, now=now)
        made.append(marker)
        what = f"approved_{proposal.step.value}"
        return Planned(
            (
                *marker_writes(services, actor, marker, what, proposal.why, now),
                proposal_write(services, decided, version),
            ),
            entry_of(services, actor, marker, what, now, Operation.ALTERATION),
        )

    change(services, actor, now, plan)
    return made[-1]


def turn_down(services: Services, actor: Actor, proposal_id: str, why: str, now: datetime) -> Proposal:
    """Turn a proposal down, or take one's own back. Raises LifecycleRefused, NoSuchProposal."""
    made: list[Proposal] = []

    def plan() -> Planned:
        proposal, version = services.proposals.get(proposal_id)
        own = proposal.by.actor_id == actor.actor_id
        said = why or ("Taken back by its proposer." if own else "")
        decided = lifecycle.decide(proposal, accepted=False, by=person(actor), why=said, now=now)
        made.append(decided)
        reason = "withdrawn" if own else "turned_down"
        entry = entry_of(services, actor, proposal.marker, reason, now, Operation.ALTERATION)
        return Planned((proposal_write(services, decided, version),), entry)

    change(services, actor, now, plan)
    return made[-1]


def add_provisional(services: Services, actor: Actor, wanted: Marker, why: str, now: datetime) -> Marker:
    """A marker that warns at once and lapses unless public protection keeps it. Raises as `propose`.

    While the office is at work the word with it has to say why it can't wait for them.
    """
    ring = services.ring(now)
    if ring.which == OFFICE and not why:
        raise LifecycleRefused(
            "why", f"Public protection is at its desk now: ring {ring.words}. Or say why it can't wait."
        )
    lasts = services.desk.provisional
    marker = lifecycle.provisional(placed_as_one(services, wanted), person(actor), lasts, now)

    def plan() -> Planned:
        current = services.index.get(marker.marker_id)
        if current is not None:
            raise LifecycleRefused("reference", f"There is a marker {current.reference} already.")
        refuse_doubled(services, marker, now)
        return _planned(services, actor, marker, "provisional", why, now, Operation.COLLECTION)

    change(services, actor, now, plan)
    return marker


def keep(services: Services, actor: Actor, marker_id: str, why: str, now: datetime) -> Marker:
    """Keep a provisional marker. Raises as `propose`, and NoSuchMarker."""
    return _changed(services, actor, marker_id, "kept", why, now, lambda it: lifecycle.keep(it, person(actor), now))


def dismiss(services: Services, actor: Actor, marker_id: str, why: str, now: datetime) -> Marker:
    """End a provisional marker at once. Raises as `propose`, and NoSuchMarker."""
    return _changed(
        services, actor, marker_id, "dismissed", why, now, lambda it: lifecycle.dismiss(it, person(actor), why, now)
    )


def confirm(services: Services, actor: Actor, marker_id: str, version: int, evidence: str, now: datetime) -> Marker:
    """Confirm at review that a marker is still right; `evidence` is what was checked. As `propose`; NoSuchMarker."""
    if not evidence:
        raise LifecycleRefused("evidence", "Say in a line what you checked, and with whom.")

    def confirmed(marker: Marker) -> Marker:
        category = services.categories.get(marker.category)
        if category is None:
            raise LifecycleRefused("marker", "Its category is no longer kept here. Amend the marker, or end it.")
        working = services.desk.hours.working_day_before
        return lifecycle.confirm(marker, category, version, person(actor), now, working)

    return _changed(services, actor, marker_id, "confirmed", evidence, now, confirmed)


def placed_as_one(services: Services, wanted: Marker) -> Marker:
    """The marker on its known home, once everything that was typed of its place means that one.

    A UPRN or position left over from another address would leave the marker on that other home: LifecycleRefused.
    """
    place = wanted.place
    read = home_of(services, place)
    known = services.gazetteer.by_uprn(place.uprn) if place.uprn else None
    if known is not None and read is not None and known.premises_id != read.premises_id:
        raise LifecycleRefused(
            "uprn",
            f"UPRN {place.uprn} is {known.address}, and the address reads as {read.address}. "
            "Correct one of them, or leave the UPRN empty.",
        )
    home = read or known
    if home is not None and home.point is not None and place.point is not None and not place.radius_m:
        apart = math.dist((home.point.easting, home.point.northing), (place.point.easting, place.point.northing))
        if apart > POSITIONS_AGREE_M:
            raise LifecycleRefused(
                "easting",
                f"That position is {apart:,.0f} m from {home.address}. Correct one of them, or leave it empty.",
            )
    _in_the_area(services, place)
    marker = place_on_gazetteer(services, wanted)
    if home is not None and marker.place.uprn is None and marker.place.premises_id == home.premises_id:
        marker = replace(marker, place=replace(marker.place, uprn=home.uprn))
    return marker


def _in_the_area(services: Services, place: Place) -> None:
    """Raises LifecycleRefused for a position or an area that lies wholly outside the force's."""
    title = services.area.title
    if place.point is not None and not services.area.contains(place.point):
        reach = place.radius_m or 0.0
        if not services.area.meets(ShapelyPoint(place.point.easting, place.point.northing).buffer(reach)):
            raise LifecycleRefused(
                "easting", f"That position is outside {title}: no check here would meet it. Correct it."
            )
    if place.zone_wkt and not services.area.meets(from_wkt(place.zone_wkt)):
        raise LifecycleRefused("zone_wkt", f"That area is outside {title}: no check here would meet it. Draw it again.")


def home_of(services: Services, place: Place) -> Premises | None:
    """The known home that a place's written address means, if it surely means one."""
    if not place.address:
        return None
    return resolve(read_address(place.address, place.postcode), services.gazetteer, services.index.homes).home


def marker_of(services: Services, marker_id: str) -> Marker:
    """The marker as this process knows it, or learns of it now. Raises NoSuchMarker."""
    marker = services.index.get(marker_id)
    if marker is None:
        services.freshen("markers")  # recorded through another process, whose news is still on the way
        marker = services.index.get(marker_id)
    if marker is None:
        raise NoSuchMarker
    return marker


def refuse_doubled(services: Services, marker: Marker, now: datetime) -> None:
    """Raises Doubled where a live marker of the same kind is at the same place: told before anybody approves."""
    other = live_beside(services, marker, now)
    if other is not None:
        raise Doubled(other.marker_id, None, there_is(other))


def _changed(
    services: Services,
    actor: Actor,
    marker_id: str,
    what: str,
    why: str,
    now: datetime,
    step: Callable[[Marker], Marker],
) -> Marker:
    made: list[Marker] = []

    def plan() -> Planned:
        made.append(step(marker_of(services, marker_id)))
        return _planned(services, actor, made[-1], what, why, now, Operation.ALTERATION)

    change(services, actor, now, plan)
    return made[-1]


def _planned(
    services: Services, actor: Actor, marker: Marker, what: str, why: str, now: datetime, operation: Operation
) -> Planned:
    return Planned(
        marker_writes(services, actor, marker, what, why, now), entry_of(services, actor, marker, what, now, operation)
    )
