"""One key on a match: the room's word to the marker's owner; and the owner's dealing with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.lifecycle import LifecycleRefused
from markers.store_errors import StoreUnavailable
from overlay import security
from overlay.feedback import KINDS
from overlay.incidents.book import COLLECTION
from overlay.plain_text import is_plain_text
from overlay.room.looks import ShownPlace, look
from overlay.security import requires
from overlay.upkeep import desk as reads
from overlay.upkeep import feedback, steps
from overlay.upkeep.change import DeskBusy
from overlay.viewing import NoSuchMarker
from overlay.web.chrome import chrome_for

if TYPE_CHECKING:
    from overlay.web.views import Chrome

pages = Blueprint("feedback", __name__)

_AWAY = "The store is not answering, so the owner was not told. Press it again in a moment."
_GONE = "That marker is no longer there."
_TEXT = "That holds characters that can't be kept. Type it again without them."


@dataclass(frozen=True, slots=True)
class About:
    """Which match somebody speaks of: the place it has in the answer of a check they made, or on an incident's page.

    `mark` is the incident page's, so that a match which has another place by now is not taken for it.
    """

    check_id: str
    number: int
    incident_id: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class FeedbackPage:
    """`fragments/feedback.html` and `pages/told.html`: what was told, or why it was not."""

    chrome: Chrome
    about: About
    told: str = ""
    problem: str = ""


@pages.post("/feedback")
@requires("feedback.give")
def give() -> ResponseReturnValue:
    """Tell a marker's owner what this person knows of it: of a check they made, or of an incident's page."""
    form = request.form
    number = form.get("number", "")
    asked = About(
        check_id=form.get("check", "")[:64],
        number=int(number) if number.isdecimal() and len(number) < 5 else -1,
        incident_id=form.get("incident", "")[:64],
        mark=form.get("mark", "")[:64],
    )
    kind, word = form.get("kind", ""), form.get("word", "").strip()
    services, actor, now = security.services(), security.actor(), security.now()
    try:
        if word and not is_plain_text(word):
            raise LifecycleRefused("word", _TEXT)
        if asked.incident_id:
            marker_id, incident = _on_incident(asked)
            feedback.tell(services, actor, marker_id, incident, kind, word, now)
        else:
            feedback.give(services, actor, asked.check_id, asked.number, kind, word, now)
    except LifecycleRefused as refused:
        return _told(asked, problem=refused.reason), 422
    except NoSuchMarker:
        return _told(asked, problem=_GONE), 404
    except (StoreUnavailable, DeskBusy):
        return _told(asked, problem=_AWAY), 503
    return _told(asked, told=f"Told its owner: {KINDS[kind]}.")


def _on_incident(asked: About) -> tuple[str, str]:
    """The marker that stands where the page showed one, if it is still the same. Raises LifecycleRefused, Forbidden."""
    services, actor, now = security.services(), security.actor(), security.now()
    if not services.roles.may(actor, "incidents.read"):
        raise security.Forbidden(services.roles.title(actor.role), "incidents.read")
    services.freshen(COLLECTION)
    (shown,) = look(services, actor, (services.incidents.get(asked.incident_id),), now, "incident")
    matches = shown.matches
    marks = [mark for place in (shown.place, *shown.also) for mark in marks_of(place)]
    if 0 <= asked.number < len(matches) and marks[asked.number] == asked.mark:
        return matches[asked.number].match.marker.marker_id, shown.incident.reference
    raise LifecycleRefused("incident", "What is marked here changed since the page was shown. Look again, then say it.")


def marks_of(place: ShownPlace) -> tuple[str, ...]:
    """What a page that may not name them says each match of a place by: of this check and this person alone.

    Another check of another place says the same marker otherwise, or two positions could be crossed to find its home.
    """
    who, check = security.actor().actor_id, place.checked.check_id if place.checked is not None else ""
    token = security.services().vault.token
    return tuple(
        token("feedback", f"{who}|{check}|{item.match.marker.marker_id}|{item.match.marker.version}")[:32]
        for item in place.matches
    )


@pages.post("/feedback/<feedback_id>/settle")
@requires("markers.confirm")
def settle(feedback_id: str) -> ResponseReturnValue:
    """Note what was done about it."""
    services, actor = security.services(), security.actor()
    services.freshen("feedback")
    found, _ = services.feedback.get(feedback_id)
    if not reads.may_see_whole(services, actor, steps.marker_of(services, found.marker_id).category):
        raise security.Forbidden(services.roles.title(actor.role), "markers.confirm")
    why = request.form.get("why", "").strip()[:1_000]
    try:
        if not is_plain_text(why):
            raise LifecycleRefused("why", _TEXT)
        feedback.settle(services, actor, feedback_id, why, security.now())
    except LifecycleRefused:
        return redirect(f"/markers/{found.marker_id}?done=not_settled", 303)
    return redirect(f"/markers/{found.marker_id}?done=settled", 303)


def _told(about: About, *, told: str = "", problem: str = "") -> str:
    page = FeedbackPage(chrome_for(security.actor()), about, told, problem)
    return render_template(
        "fragments/feedback.html" if "HX-Request" in request.headers else "pages/told.html", page=page
    )
