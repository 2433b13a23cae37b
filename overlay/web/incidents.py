"""An incident's page: opened from a check in one key, worked by whoever is on it, closed with what is open listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from checklists.answers import AnswerRefused
from checklists.progress import PointState
from markers.address import normalise
from markers.location import LocationError, RawLocation
from overlay import metrics, security
from overlay.incidents.book import COLLECTION, NoSuchIncident
from overlay.incidents.brief import where_also
from overlay.incidents.entries import Seen
from overlay.incidents.model import Incident
from overlay.incidents.runs import known_categories
from overlay.room import answering, briefing, closing, grading, opening, units
from overlay.room.change import IncidentClosed, RoomBusy, RoomRefused
from overlay.room.looks import ShownPlace
from overlay.room.view import IncidentView, view
from overlay.security import requires
from overlay.web.answer_form import value_of
from overlay.web.check import answered, form_sent
from overlay.web.chrome import chrome_for
from overlay.web.feedback import marks_of
from overlay.web.room_views import IncidentPage, PlaceView, RunView, UnitView
from overlay.web.room_words import left_open_words, runs_of, timeline, where_of
from overlay.web.then_and_now import differences

pages = Blueprint("incidents", __name__, url_prefix="/incidents")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was wrong with a form just sent: which form, in words, and what a point's form held."""

    form: str
    words: str
    theirs: str | None = None


@pages.post("")
@requires("incidents.work")
def open_one() -> ResponseReturnValue:
    """Open the incident of the check on the screen: the same boxes, checked anew in the commit that opens it."""
    form = form_sent()
    wanted = opening.Opening(
        reference=form.incident,
        place=RawLocation(address=form.location.strip() or None, phone=form.caller.strip() or None),
        incident_type=form.incident_type or None,
        call=request.form.get("call", "connected"),
    )
    try:
        incident, answer = opening.open_incident(security.services(), security.actor(), wanted, security.now())
    except opening.AlreadyOpen as taken:
        if _is_of(taken.incident_id, wanted.place):
            return redirect(f"/incidents/{taken.incident_id}", 303)
        elsewhere = f"{taken.reason} It is closed or at another place: see the board, or put the reference right."
        return answered(form, None, problem=(elsewhere, "incident"))
    except RoomRefused as refused:
        field = {"reference": "incident", "type": "incident_type"}.get(refused.field)
        return answered(form, None, problem=(str(refused), field))
    except LocationError as refused:
        field = "caller" if refused.field == "phone" else "location"
        return answered(form, None, problem=(f"{refused.reason} No incident was opened.", field))
    except opening.NotKept as away:
        return answered(form, None, problem=(str(away), None))
    metrics.checked(answer)
    return redirect(f"/incidents/{incident.incident_id}", 303)


@pages.get("/<incident_id>")
@requires("incidents.read")
def show(incident_id: str) -> ResponseReturnValue:
    """The whole page, or the parts that change, to a page that asked so."""
    return _page(incident_id, None, 200)


@pages.post("/<incident_id>/answers")
@requires("incidents.work")
def answer(incident_id: str) -> ResponseReturnValue:
    """Answer a point, or say why there is no answer."""
    services, form, now = security.services(), request.form, security.now()
    name = form.get("part", "")
    services.freshen(COLLECTION)
    try:
        incident = services.incidents.get(incident_id)
        _, _, point = answering.find(
            services, security.actor(), incident, form.get("run_id", ""), form.get("point", "")
        )
        skipped = form.get("non_answer") or None
        given = answering.Given(
            run_id=form.get("run_id", ""),
            point=point.id,
            value=None if skipped else value_of(point, form, now),
            non_answer=skipped,
            note=form.get("note", ""),
            unit=form.get("unit") or None,
            seen=form.get("seen", ""),
        )
        answering.answer(services, security.actor(), incident_id, given, now)
    except answering.AnswerMoved as moved:
        return _page(incident_id, Refusal(name, str(moved), theirs=moved.theirs.answer_id), 409)
    except (AnswerRefused, RoomRefused, RoomBusy) as refused:
        return _page(incident_id, Refusal(name, str(refused)), _status(refused))
    return _after(incident_id)


@pages.post("/<incident_id>/units")
@requires("incidents.dispatch")
def unit(incident_id: str) -> ResponseReturnValue:
    """Add a unit, say where one stands, or take one off."""
    form = request.form
    call_sign, act = form.get("call_sign", ""), form.get("act", "add")
    services, actor, now = security.services(), security.actor(), security.now()

    def do() -> Incident:
        match act:
            case "leave":
                return units.leave(services, actor, incident_id, call_sign, form.get("why", ""), now)
            case "state":
                return units.move_unit(services, actor, incident_id, call_sign, form.get("state", ""), now)
            case _:
                return units.add_unit(services, actor, incident_id, call_sign, now)

    return _done(incident_id, "units", do)


@pages.post("/<incident_id>/handoffs")
@requires("incidents.dispatch")
def hand_off(incident_id: str) -> ResponseReturnValue:
    """Record that units were told the brief or read it back."""
    form = request.form
    return _done(
        incident_id,
        "brief",
        lambda: briefing.hand_off(
            security.services(),
            security.actor(),
            incident_id,
            form.get("what", ""),
            tuple(form.getlist("call_sign")),
            form.get("brief", ""),
            security.now(),
        ),
    )


@pages.post("/<incident_id>/grade")
@requires("incidents.work")
def grade(incident_id: str) -> ResponseReturnValue:
    """Set the grade."""
    form = request.form
    return _done(
        incident_id,
        "grade",
        lambda: grading.grade(
            security.services(),
            security.actor(),
            incident_id,
            form.get("grade", ""),
            form.get("reason", ""),
            form.get("supervisor") or None,
            security.now(),
        ),
    )


@pages.post("/<incident_id>/place")
@requires("incidents.work")
def place(incident_id: str) -> ResponseReturnValue:
    """Another location, type, number or state of the call: checked again at once."""
    form, services, actor, now = request.form, security.services(), security.actor(), security.now()
    act = form.get("act", "place")
    typed = RawLocation(address=form.get("location", "").strip() or None)

    def do() -> Any:
        match act:
            case "type":
                return opening.retype(services, actor, incident_id, form.get("incident_type") or None, now)
            case "call":
                number = form.get("number", "").strip() or None
                return opening.call_changed(services, actor, incident_id, form.get("call", ""), number, now)
            case "again":
                return opening.recheck(services, actor, incident_id, now, form.get("place_id") or None)
            case "also":
                return opening.add_place(services, actor, incident_id, typed, form.get("label", ""), now)
            case "remove":
                return opening.remove_place(services, actor, incident_id, form.get("place_id", ""), "", now)
            case _:
                return opening.move(services, actor, incident_id, typed, now)

    return _done(incident_id, "place", do)


@pages.post("/<incident_id>/notes")
@requires("incidents.work")
def note(incident_id: str) -> ResponseReturnValue:
    """A line for the timeline, or another call's reference."""
    form, services, actor, now = request.form, security.services(), security.actor(), security.now()

    def do() -> Incident:
        if form.get("act") == "link":
            return closing.link(services, actor, incident_id, form.get("reference", ""), now)
        return closing.write_note(services, actor, incident_id, form.get("text", ""), now)

    return _done(incident_id, "notes", do)


@pages.post("/<incident_id>/raises")
@requires("raises.take")
def take_raise(incident_id: str) -> ResponseReturnValue:
    """Take what was raised on oneself."""
    form = request.form
    return _done(
        incident_id,
        "raises",
        lambda: closing.acknowledge(
            security.services(),
            security.actor(),
            incident_id,
            tuple(form.getlist("key")),
            form.get("note", ""),
            security.now(),
        ),
    )


@pages.post("/<incident_id>/close")
@requires("incidents.close")
def close(incident_id: str) -> ResponseReturnValue:
    """Begin to close it, close it, or open it again."""
    form, services, actor, now = request.form, security.services(), security.actor(), security.now()

    def do() -> Incident:
        match form.get("act"):
            case "begin":
                return closing.begin_closing(services, actor, incident_id, now)
            case "reopen":
                return closing.reopen(services, actor, incident_id, form.get("reason", ""), now)
            case _:
                return closing.close(services, actor, incident_id, form.get("reason", ""), now)

    return _done(incident_id, "close", do)


def _done(incident_id: str, form: str, do: Callable[[], Any]) -> ResponseReturnValue:
    try:
        do()
    except (RoomRefused, RoomBusy) as refused:
        return _page(incident_id, Refusal(form, str(refused)), _status(refused))
    except LocationError as refused:
        return _page(incident_id, Refusal(form, f"{refused.reason} Nothing was changed."), 422)
    except opening.NotKept as away:
        return _page(incident_id, Refusal(form, str(away)), 503)
    return _after(incident_id)


def _status(refused: Exception) -> int:
    if isinstance(refused, RoomBusy):
        return 503
    return 409 if isinstance(refused, IncidentClosed | briefing.BriefMoved) else 422


def _after(incident_id: str) -> ResponseReturnValue:
    """A page's script gets the parts that changed; a form without one goes back to the page it was sent from."""
    if _by_script():
        return _page(incident_id, None, 200)
    pages_to = {"control-room": "/control-room", "board": "/board"}
    back = pages_to.get(request.form.get("back", ""), f"/incidents/{incident_id}")
    return redirect(back, 303)


def _by_script() -> bool:
    return "HX-Request" in request.headers


def _is_of(incident_id: str | None, place: RawLocation) -> bool:
    """Whether that incident is open and at this place: opening it twice then leads to it, and loses nothing typed."""
    services = security.services()
    services.freshen(COLLECTION)
    try:
        known = services.incidents.get(incident_id or "")
    except NoSuchIncident:
        return False
    there = [normalise(one.address or "") for one in (known.place or RawLocation(), place)]
    return known.closed is None and there[0] == there[1]


def _page(incident_id: str, refusal: Refusal | None, status: int) -> Response:
    page = page_of(incident_id, refusal)
    in_place = "board" in (request.form.get("back"), request.args.get("in"))
    part = "fragments/desk.html" if in_place else "fragments/work.html"
    template = part if _by_script() else "pages/incident.html"
    response = make_response(render_template(template, page=page), status)
    response.vary.add("HX-Request")
    return response


def page_of(incident_id: str, refusal: Refusal | None) -> IncidentPage:
    """Everything the page shows, looked at and logged. Raises NoSuchIncident."""
    services, actor, now = security.services(), security.actor(), security.now()
    seen = view(services, actor, incident_id, now)
    incident, rules, roles = seen.incident, services.rules, services.roles
    known = known_categories(services.categories, actor.role)
    graded, call = incident.graded, incident.call
    location = incident.place or RawLocation()
    return IncidentPage(
        chrome=chrome_for(actor),
        now=now,
        incident_id=incident_id,
        version=incident.version,
        reference=incident.reference,
        type_title=dict(services.incident_types).get(incident.incident_type or ""),
        incident_type=incident.incident_type or "",
        grade=graded.grade if graded else None,
        grade_title=rules.grades.get(graded.grade, graded.grade) if graded else None,
        graded_reason=graded.reason if graded else None,
        call=call.state if call else "connected",
        number=call.number if call else None,
        where=where_of(location.address, location.postcode, location.grid_reference),
        opened=incident.opened.at,
        opened_by=incident.opened.by.name,
        closed=incident.closed.at if incident.closed else None,
        closed_reason=incident.closed.reason if incident.closed else None,
        answer=seen.answer,
        changed=seen.shown.place.changed,
        also=_places(seen),
        warnings=incident.checked.warnings if incident.checked else (),
        runs=_with(refusal, runs_of(services, seen, known, actor.name)),
        units=units_of(seen),
        brief=seen.brief,
        raises=seen.standing.raises,
        lines=timeline(services, incident, known, actor.role),
        left_open=left_open_words(services, incident, closing.left_open(services, incident, now), known),
        standing=seen.standing,
        lacking=seen.lacking,
        grades=rules.grades,
        unit_states=rules.unit_states,
        incident_types=services.incident_types,
        call_states=opening.CALL_STATES,
        contact_methods=rules.contact_methods,
        may_work=roles.may(actor, "incidents.work"),
        may_dispatch=roles.may(actor, "incidents.dispatch"),
        may_close=roles.may(actor, "incidents.close"),
        may_take=roles.may(actor, "raises.take"),
        example=rules.call_sign_example,
        refusal=refusal.words if refusal else None,
        form=refusal.form if refusal else None,
        typed=request.form.to_dict() if refusal else None,
        may_open_markers=roles.may(actor, "markers.read"),
        marks=_marks(seen.shown.place),
        since=_since(seen.shown.place),
    )


def _since(place: ShownPlace) -> tuple[tuple[str, str], ...]:
    """What differs at a place from its last check."""
    if not place.changed or place.checked is None:
        return ()
    now = (
        Seen(
            marker_id=item.match.marker.marker_id,
            version=item.match.marker.version,
            category=item.match.marker.category,
            grade=item.match.grade.value,
            sub_building=None,
            distance_m=None,
            confidence=item.match.confidence,
            why=(),
            applies=True,
        )
        for item in place.matches
        if item.match.applies
    )
    then = (seen for seen in place.checked.seen if seen.applies)
    return differences(then, now, security.actor().role, security.services().categories)


def _marks(place: ShownPlace) -> tuple[str, ...]:
    """What each match of a place is said by when somebody tells its owner of it; none for who does not."""
    if not security.services().roles.may(security.actor(), "feedback.give"):
        return ()
    return marks_of(place)


def _places(seen: IncidentView) -> tuple[PlaceView, ...]:
    """The places that were added, their matches counted on from those of its own."""
    may_open = security.services().roles.may(security.actor(), "markers.read")
    first, found = len(seen.shown.place.matches), []
    for place, answer, shown in zip(seen.incident.also, seen.also, seen.shown.also, strict=True):
        found.append(
            PlaceView(
                place.place_id,
                where_also(place),
                answer,
                may_open,
                seen.incident.incident_id,
                _marks(shown),
                first,
                _since(shown),
            )
        )
        first += len(shown.matches)
    return tuple(found)


def units_of(seen: IncidentView) -> tuple[UnitView, ...]:
    """The call signs of an incident, those that left at the end."""
    titles = security.services().rules.unit_states
    briefs = {brief.call_sign: brief for brief in seen.standing.units}
    found = [
        UnitView(
            unit.call_sign,
            unit.state,
            titles.get(unit.state, unit.state),
            unit.state_at,
            unit.left_at is not None,
            briefs.get(unit.call_sign),
        )
        for unit in seen.incident.units
    ]
    return tuple(sorted(found, key=lambda unit: unit.left))


def _with(refusal: Refusal | None, runs: tuple[RunView, ...]) -> tuple[RunView, ...]:
    """The refused form among its points, holding what was typed."""
    if refusal is None:
        return runs
    return tuple(
        replace(
            run,
            sections=tuple(
                replace(
                    section,
                    points=tuple(
                        replace(
                            point,
                            fields=_typed(point.state),
                            note=request.form.get("note", ""),
                            problem=refusal.words,
                            theirs=refusal.theirs,
                            mark="refused",
                        )
                        if point.id == refusal.form
                        else point
                        for point in section.points
                    ),
                )
                for section in run.sections
            ),
        )
        for run in runs
    )


def _typed(state: PointState) -> dict[str, Any]:
    many = state.point.answer.type in ("multi", "call_signs")
    return {
        name: request.form.getlist(name) if many and name == "value" else request.form.get(name, "")
        for name in request.form
        if name == "value" or name.startswith("value.")
    }
