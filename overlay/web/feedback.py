"""One key on a match: the room's word to the marker's owner; and the owner's dealing with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.lifecycle import LifecycleRefused
from markers.store import StoreUnavailable
from overlay import security
from overlay.feedback import KINDS
from overlay.plain_text import is_plain_text
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
class FeedbackPage:
    """`fragments/feedback.html` and `pages/told.html`: what was told, or why it was not."""

    chrome: Chrome
    check_id: str
    number: int
    told: str = ""
    problem: str = ""


@pages.post("/feedback")
@requires("feedback.give")
def give() -> ResponseReturnValue:
    """Tell a marker's owner what this person knows of it."""
    form = request.form
    number = form.get("number", "")
    at, check = int(number) if number.isdecimal() and len(number) < 5 else -1, form.get("check", "")[:64]
    kind, word = form.get("kind", ""), form.get("word", "").strip()
    try:
        if word and not is_plain_text(word):
            raise LifecycleRefused("word", _TEXT)
        feedback.give(security.services(), security.actor(), check, at, kind, word, security.now())
    except LifecycleRefused as refused:
        return _told(check, at, problem=refused.reason), 422
    except NoSuchMarker:
        return _told(check, at, problem=_GONE), 404
    except (StoreUnavailable, DeskBusy):
        return _told(check, at, problem=_AWAY), 503
    return _told(check, at, told=f"Told its owner: {KINDS[kind]}.")


@pages.post("/feedback/<feedback_id>/settle")
@requires("markers.confirm")
def settle(feedback_id: str) -> ResponseReturnValue:
    """Note what was done about it."""
    services, actor = security.services(), security.actor()
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


def _told(check: str, number: int, *, told: str = "", problem: str = "") -> str:
    page = FeedbackPage(chrome_for(security.actor()), check, number, told, problem)
    return render_template(
        "fragments/feedback.html" if "HX-Request" in request.headers else "pages/told.html", page=page
    )
