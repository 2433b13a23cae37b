"""`/api/v1/incidents` and what is under it: the room's work for another program, such as a CAD bridge."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from spectree import Response as Described

from markers.location import RawLocation
from overlay import metrics, security
from overlay.api.body import read_body
from overlay.api.description import described
from overlay.api.models import LocationIn, ProblemOut
from overlay.api.room_models import (
    AnswerIn,
    BriefOut,
    ChangeIncidentIn,
    ChecklistOut,
    ChecklistsOut,
    CloseIn,
    GradeIn,
    HandOffIn,
    IncidentOut,
    IncidentsOut,
    OpenIncidentIn,
    TakeRaiseIn,
    UnitIn,
    summary,
)
from overlay.errors import BodyRefused, FieldError
from overlay.incidents.book import COLLECTION
from overlay.incidents.runs import known_categories
from overlay.room import answering, briefing, closing, grading, opening, units
from overlay.room.view import view
from overlay.security import View, requires

api = Blueprint("incidents_api", __name__, url_prefix="/api/v1")

_MOST = 200


def _told(
    body: type[BaseModel] | None, answer: type[BaseModel], name: str, status: int = 200
) -> Callable[[View], View]:
    """How a route stands in the description."""
    refusals = dict.fromkeys(
        (f"HTTP_{code}" for code in (400, 401, 403, 404, 409, 413, 415, 422, 500, 503)), ProblemOut
    )
    return described(
        json=body,
        resp=Described(**{f"HTTP_{status}": answer}, **refusals),
        tags=["incidents"],
        operation_id=name,
    )


@api.post("/incidents")
@requires("incidents.work")
@_told(OpenIncidentIn, IncidentOut, "open_incident", 201)
def open_one() -> ResponseReturnValue:
    """Check a place and open an incident in one commit."""
    body = read_body(OpenIncidentIn)
    place = RawLocation(**body.location.model_dump(), phone=body.caller_number)
    wanted = opening.Opening(body.reference, place, body.type, body.call)
    incident, answer = opening.open_incident(security.services(), security.actor(), wanted, security.now())
    metrics.checked(answer)
    return _one(incident.incident_id, 201)


@api.get("/incidents")
@requires("incidents.read")
@_told(None, IncidentsOut, "list_incidents")
def list_open() -> ResponseReturnValue:
    """Open incidents in the order of the board, at most 200; `?reference=` finds one, open or closed."""
    services, actor, now = security.services(), security.actor(), security.now()
    services.freshen(COLLECTION)
    known = known_categories(services.categories, actor.role)
    incidents = services.incidents.open()
    reference = request.args.get("reference")
    if reference is not None:
        found = services.incidents.of_reference(reference[:200])
        incidents = (found,) if found is not None else ()
    rows = services.board.order(incidents, services.standings, services.wordings, known, services.rules, now)
    told = IncidentsOut(
        incidents=tuple(
            summary(row.incident, row.need.name.casefold(), row.open, row.overdue, len(row.waiting_raises))
            for row in rows[:_MOST]
        ),
        open=len(services.incidents.open()),
    )
    return _json(told)


@api.get("/incidents/<incident_id>")
@requires("incidents.read")
@_told(None, IncidentOut, "get_incident")
def get_one(incident_id: str) -> ResponseReturnValue:
    """One incident as this role may see it; the look is logged before it is answered."""
    return _one(incident_id)


@api.post("/incidents/<incident_id>/changes")
@requires("incidents.work")
@_told(ChangeIncidentIn, IncidentOut, "change_incident")
def change_one(incident_id: str) -> ResponseReturnValue:
    """Another location, type or state of the call; a note; a linked call. What concerns the place is checked again."""
    body = read_body(ChangeIncidentIn)
    services, actor, now = security.services(), security.actor(), security.now()
    given = body.model_fields_set - ({"caller_number"} if body.call is not None else set())
    if len(given) != 1:
        raise BodyRefused((FieldError("body", "must hold exactly one change."),), malformed=False)
    if body.location is not None:
        opening.move(services, actor, incident_id, _raw(body.location), now)
    elif body.added_place is not None:
        added = body.added_place
        opening.add_place(services, actor, incident_id, _raw(added.location), added.label, now)
    elif body.removed_place is not None:
        opening.remove_place(services, actor, incident_id, body.removed_place, "", now)
    elif body.call is not None:
        opening.call_changed(services, actor, incident_id, body.call, body.caller_number, now)
    elif body.note is not None:
        closing.write_note(services, actor, incident_id, body.note, now)
    elif body.linked_reference is not None:
        closing.link(services, actor, incident_id, body.linked_reference, now)
    elif "type" in given:
        opening.retype(services, actor, incident_id, body.type, now)
    else:
        raise BodyRefused((FieldError("body", "must hold a change; a number comes with a call."),), malformed=False)
    return _one(incident_id)


@api.post("/incidents/<incident_id>/grade")
@requires("incidents.work")
@_told(GradeIn, IncidentOut, "grade_incident")
def grade(incident_id: str) -> ResponseReturnValue:
    """Set the grade."""
    body = read_body(GradeIn)
    return _after(
        incident_id,
        lambda: grading.grade(
            security.services(), security.actor(), incident_id, body.grade, body.reason, body.supervisor, security.now()
        ),
    )


@api.post("/incidents/<incident_id>/units")
@requires("incidents.dispatch")
@_told(UnitIn, IncidentOut, "change_unit")
def unit(incident_id: str) -> ResponseReturnValue:
    """Put a unit on the incident, say where it stands, or take it off."""
    body = read_body(UnitIn)
    services, actor, now = security.services(), security.actor(), security.now()
    match body.act:
        case "state":
            units.move_unit(services, actor, incident_id, body.call_sign, body.state or "", now)
        case "left":
            units.leave(services, actor, incident_id, body.call_sign, body.why, now)
        case _:
            units.add_unit(services, actor, incident_id, body.call_sign, now)
    return _one(incident_id)


@api.post("/incidents/<incident_id>/answers")
@requires("incidents.work")
@_told(AnswerIn, IncidentOut, "answer_point")
def answer(incident_id: str) -> ResponseReturnValue:
    """Answer a point. An answer that came first is never silently overwritten: 409."""
    given = answering.Given(**read_body(AnswerIn).model_dump())
    return _after(
        incident_id,
        lambda: answering.answer(security.services(), security.actor(), incident_id, given, security.now()),
    )


@api.get("/incidents/<incident_id>/brief")
@requires("incidents.dispatch")
@_told(None, BriefOut, "get_brief")
def get_brief(incident_id: str) -> ResponseReturnValue:
    """The radio brief, as far as this role may pass it on."""
    script, _ = briefing.brief(security.services(), security.actor(), incident_id, security.now())
    return _json(
        BriefOut(fingerprint=script.fingerprint, say=script.say, not_on_open_channel=script.not_on_open_channel)
    )


@api.post("/incidents/<incident_id>/handoffs")
@requires("incidents.dispatch")
@_told(HandOffIn, IncidentOut, "hand_off")
def hand_off(incident_id: str) -> ResponseReturnValue:
    """Record that units were told the brief or read it back: a disclosure with the call signs as recipients."""
    body = read_body(HandOffIn)
    return _after(
        incident_id,
        lambda: briefing.hand_off(
            security.services(),
            security.actor(),
            incident_id,
            body.what,
            body.call_signs,
            body.brief,
            security.now(),
        ),
    )


@api.post("/incidents/<incident_id>/raises")
@requires("raises.take")
@_told(TakeRaiseIn, IncidentOut, "take_raise")
def take_raise(incident_id: str) -> ResponseReturnValue:
    """Take a raise on oneself, by name."""
    body = read_body(TakeRaiseIn)
    return _after(
        incident_id,
        lambda: closing.acknowledge(
            security.services(), security.actor(), incident_id, body.keys, body.note, security.now()
        ),
    )


@api.post("/incidents/<incident_id>/close")
@requires("incidents.close")
@_told(CloseIn, IncidentOut, "close_incident")
def close(incident_id: str) -> ResponseReturnValue:
    """Ask the points before closing, close the incident, or open it again."""
    body = read_body(CloseIn)
    services, actor, now = security.services(), security.actor(), security.now()
    match body.act:
        case "begin":
            closing.begin_closing(services, actor, incident_id, now)
        case "reopen":
            closing.reopen(services, actor, incident_id, body.reason, now)
        case _:
            closing.close(services, actor, incident_id, body.reason, now)
    return _one(incident_id)


@api.get("/checklists")
@requires("incidents.read")
@_told(None, ChecklistsOut, "list_checklists")
def list_checklists() -> ResponseReturnValue:
    """The checklists that incidents are opened with now."""
    return _json(ChecklistsOut(checklists=tuple(ChecklistOut.of(d) for d in security.services().definitions)))


def _raw(location: LocationIn) -> RawLocation:
    return RawLocation(**location.model_dump())


def _after(incident_id: str, do: Callable[[], object]) -> ResponseReturnValue:
    do()
    return _one(incident_id)


def _one(incident_id: str, status: int = 200) -> Response:
    seen = view(security.services(), security.actor(), incident_id, security.now())
    return _json(IncidentOut.of(seen), status)


def _json(told: BaseModel, status: int = 200) -> Response:
    return current_app.response_class(told.model_dump_json(), status, mimetype="application/json")
