"""The check page: where is it, and is there a marker. What is typed travels in the body, never in an address."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.location import LocationError, RawLocation
from overlay import lookup, metrics, security
from overlay.plain_text import is_plain_text
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.views import CheckForm, CheckPage, GlassForm

pages = Blueprint("check", __name__)

_LONGEST = {"location": 10_000, "incident": 64, "incident_type": 40, "caller": 40}
_FIELDS = {"phone": "caller"}


@pages.get("/")
@requires("console.open")
def show() -> ResponseReturnValue:
    """The empty form; a role that makes no checks is told so."""
    return _page(_blank(CheckForm()), 200)


@pages.get("/check")
@requires("console.open")
def start_again() -> ResponseReturnValue:
    """A result is never kept under an address: going back to one starts anew."""
    return redirect("/", 303)


@pages.post("/check")
@requires("checks.make")
def make_check() -> ResponseReturnValue:
    """Check what was typed and show the same page with the result, or the result alone to a page that asked so."""
    return answered(form_sent(), None)


def form_sent() -> CheckForm:
    """The boxes of the check page as they were sent."""
    return CheckForm(**{name: request.form.get(name, "") for name in CheckForm.__slots__})


def answered(form: CheckForm, glass: GlassForm | None, problem: tuple[str, str | None] | None = None) -> Response:
    """The check page's answer to a form; `glass` is what stood in the form under the answer before it was refused.

    `problem` is why an incident could not be opened of it, and the box that is about: the check is made all the same.
    """
    page = replace(_blank(form), not_opened=problem)
    unusable = _unusable(form, page.incident_types)
    if unusable is not None:
        field, reason = unusable
        return _page(replace(page, problem=reason, field=field), 422)
    asked = lookup.Asked(
        location=RawLocation(address=form.location.strip() or None, phone=form.caller.strip() or None),
        incident_reference=form.incident.strip() or None,
        incident_type=form.incident_type or None,
    )
    try:
        answer = lookup.check(security.services(), security.actor(), asked, security.now())
    except LocationError as error:
        field = _FIELDS.get(error.field, "location")
        return _page(replace(page, problem=f"{error.reason} No check was made.", field=field), 422)
    except lookup.NothingDisclosed as error:
        return _page(replace(page, chrome=chrome_for(security.actor()), problem=str(error)), 503)
    metrics.checked(answer)
    page = replace(page, chrome=chrome_for(security.actor()), answer=answer, glass=_glass(answer, glass))
    return _page(page, 200)


def _glass(answer: lookup.Answer, tried: GlassForm | None) -> GlassForm | None:
    """The form under an answer, where this person could see more of it for this incident."""
    services, actor = security.services(), security.actor()
    withheld = any(shown.ask is not None for shown in answer.matches)
    if not withheld or not services.roles.may(actor, "break_glass.open"):
        return None
    account = services.access.account_of(actor.actor_id)
    return replace(
        tried or GlassForm(),
        wants_code=services.access.second_factor(actor.actor_id) is not None,
        signs_on=account is not None and account.subject != "",
    )


def _blank(form: CheckForm) -> CheckPage:
    services, actor = security.services(), security.actor()
    return CheckPage(
        chrome=chrome_for(actor),
        form=form,
        incident_types=services.incident_types,
        may_check=services.roles.may(actor, "checks.make"),
        may_open_markers=services.roles.may(actor, "markers.read"),
        may_open_incidents=services.roles.may(actor, "incidents.work"),
        may_tell=services.roles.may(actor, "feedback.give"),
    )


def _unusable(form: CheckForm, incident_types: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    for name, longest in _LONGEST.items():
        text = getattr(form, name)
        if len(text) > longest:
            return name, f"That is {len(text):,} characters; up to {longest:,} can be taken. No check was made."
        if not is_plain_text(text):
            return name, "That holds characters that are not text. Type it again. No check was made."
    if form.incident_type and form.incident_type not in dict(incident_types):
        return "incident_type", "Choose the incident's type from the list. No check was made."
    return None


def _page(page: CheckPage, status: int) -> Response:
    template = "fragments/answer.html" if "HX-Request" in request.headers else "pages/check.html"
    response = make_response(render_template(template, page=page), status)
    response.vary.add("HX-Request")
    return response
