"""The dispatcher's board: every open incident, the one that needs somebody first in front."""

from __future__ import annotations

import hashlib

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from markers.ledger import Basis
from markers.model import Grade, Status
from overlay import security
from overlay.disclosure import Shown as ShownMatch
from overlay.incidents.board import Standing
from overlay.incidents.book import COLLECTION
from overlay.incidents.brief import where_also
from overlay.incidents.model import Incident
from overlay.incidents.runs import known_categories
from overlay.lookup import Answer
from overlay.room.looks import Shown, look
from overlay.room.view import answer_of
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.room_views import BoardPage, RowView, UnitView
from overlay.web.room_words import where_of
from overlay.web.times import clock

pages = Blueprint("board", __name__)

PER_PAGE = 50
_SHAPES = {
    Grade.PREMISES: ("square", "at this home"),
    Grade.PHONE: ("square", "on this number"),
    Grade.ZONE: ("square", "in this area"),
    Grade.POSSIBLE: ("triangle", "may be this home"),
    Grade.BUILDING: ("triangle", "in this building"),
    Grade.NEARBY: ("triangle", "close by"),
}


@pages.get("/board")
@requires("incidents.read")
def show() -> ResponseReturnValue:
    """The board, or its rows alone to a page that asked so."""
    page = board_page(request.args.get("page", "1"))
    template = "fragments/rows.html" if "HX-Request" in request.headers else "pages/board.html"
    response = make_response(render_template(template, page=page))
    response.vary.add("HX-Request")
    return response


def board_page(asked: str) -> BoardPage:
    """One page of the board, its looks logged. Raises NothingDisclosed."""
    services, actor, now = security.services(), security.actor(), security.now()
    services.freshen(COLLECTION)
    incidents = services.incidents.open()
    known = known_categories(services.categories, actor.role)
    order = services.board.order(incidents, services.standings, services.wordings, known, services.rules, now)
    last = max(1, -(-len(order) // PER_PAGE))
    number = min(int(asked), last) if asked.isascii() and asked.isdigit() and asked != "0" else 1
    here = order[(number - 1) * PER_PAGE : number * PER_PAGE]
    shown = look(services, actor, tuple(row.incident for row in here), now, "board")
    return BoardPage(
        chrome=chrome_for(actor),
        now=now,
        rows=tuple(_row(row, seen) for row, seen in zip(here, shown, strict=True)),
        open=len(order),
        more=max(0, len(order) - number * PER_PAGE),
        page=number,
        unreadable=len(services.incidents.unreadable),
    )


def _row(row: Standing, seen: Shown) -> RowView:
    services, incident = security.services(), row.incident
    rules, graded = services.rules, incident.graded
    shapes = _shapes(_worst(seen), seen)
    applies = any(item.match.applies for item in seen.matches)
    briefs = {brief.call_sign: brief for brief in row.units}
    units = tuple(
        UnitView(
            unit.call_sign,
            unit.state,
            rules.unit_states.get(unit.state, unit.state),
            unit.state_at,
            left=False,
            brief=briefs.get(unit.call_sign),
        )
        for unit in incident.units
        if unit.left_at is None
    )
    prompt = row.next_prompt
    mark = (
        incident.version,
        row.overdue,
        len(row.waiting_raises),
        shapes,
        prompt and (prompt.point.id, prompt.overdue),
    )
    return RowView(
        incident_id=incident.incident_id,
        mark=hashlib.sha256(repr(mark).encode()).hexdigest()[:12],
        reference=incident.reference,
        grade=graded.grade if graded else None,
        grade_title=rules.grades.get(graded.grade, graded.grade) if graded else None,
        type_title=dict(services.incident_types).get(incident.incident_type or ""),
        where=_where(incident),
        opened=incident.opened.at,
        shapes=shapes,
        units=units,
        next_prompt=prompt,
        open=row.open,
        overdue=row.overdue,
        raises=row.waiting_raises,
        briefs=tuple(f"{unit.call_sign}: {unit.why}" for unit in row.units if unit.why) if applies else (),
        need=row.need.name.casefold(),
    )


def _where(incident: Incident) -> str:
    place = incident.place
    own = where_of(place.address, place.postcode, place.grid_reference) if place else "no address"
    return " · also ".join((own, *(where_also(other) for other in incident.also)))


def _worst(seen: Shown) -> Answer | None:
    """The answer of its places that says least: one that could not be checked, then a hit, then clear; the oldest."""
    services, now = security.services(), security.now()
    answers = [answer_of(services, place, now) for place in (seen.place, *seen.also)]
    order = (Status.COULD_NOT_CHECK, Status.HIT, Status.CLEAR)
    return min(
        answers,
        key=lambda answer: (-1, 0.0) if answer is None else (order.index(answer.status), answer.as_of.timestamp()),
    )


def _shapes(answer: Answer | None, seen: Shown) -> tuple[tuple[str, str], ...]:
    """What applies, in shape and words; and how the check ended where nothing does. No marker is said with its time."""
    own = [_shape(item.shown) for item in seen.place.matches if item.match.applies]
    for other, place in zip(seen.incident.also, seen.also, strict=True):
        elsewhere = f"at another place ({other.label or where_also(other)})"
        own += [_shape(item.shown, elsewhere) for item in place.matches if item.match.applies]
    shapes = tuple(dict.fromkeys(own))
    match answer.status if answer is not None else Status.COULD_NOT_CHECK:
        case Status.CLEAR if answer is not None:
            return (("circle", f"no marker at {clock(answer.as_of)}"),)
        case Status.HIT if shapes:
            return shapes
        case _:
            changed = seen.changed and answer is not None and answer.store is Basis.CURRENT
            return (*shapes, ("cross", "changed: check again" if changed else "could not be checked"))


def _shape(shown: ShownMatch, elsewhere: str | None = None) -> tuple[str, str]:
    """What is marked, and where: at the incident's own place in the grade's words, or at another that is named."""
    shape, where = _SHAPES[shown.grade]
    if elsewhere is not None:
        where = elsewhere if shown.grade is Grade.PREMISES else f"{where} {elsewhere}"
    return shape, f"{shown.category_title or 'Detail withheld'}, {where}"
