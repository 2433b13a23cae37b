"""Breaking the glass from an answer, and the queue in which others review it."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import glass as glasses
from overlay import identity, security
from overlay.security import requires
from overlay.viewing import looks_under_glass
from overlay.web.check import answered, form_sent
from overlay.web.chrome import chrome_for
from overlay.web.views import GlassForm, GlassReview, GlassReviewsPage

pages = Blueprint("glass", __name__)

_SHOWN_REVIEWED = 50


@pages.post("/break-glass")
@requires("break_glass.open")
def break_glass() -> ResponseReturnValue:
    """Break it for the incident of the answer on the screen, then check the same location again under it.

    A refusal shows the same answer, checked and recorded anew, with what was wrong in the form.
    """
    services, actor, form = security.services(), security.actor(), form_sent()
    reason = request.form.get("reason", "")
    tried = GlassForm(reason=reason[: glasses.LONGEST_REASON], is_open=True)
    try:
        identity.reauthenticate(
            services.door,
            actor,
            request.form.get("password", ""),
            request.form.get("code", ""),
            security.now(),
            security.browser(),
        )
        glasses.break_glass(
            services.store, services.access, services.glass, actor, form.incident, reason, security.now()
        )
    except glasses.GlassRefused as refused:
        return answered(form, replace(tried, problem=str(refused), field=refused.field))
    except identity.CodeRefused as refused:
        return answered(form, replace(tried, problem=str(refused), field="code"))
    except (identity.ProviderFirst, identity.SlowDown, identity.SignInBusy) as refused:
        return answered(form, replace(tried, problem=str(refused), field="password"))
    except identity.SignInRefused:
        return answered(form, replace(tried, problem="That is not your password.", field="password"))
    return answered(form, None)


@pages.post("/break-glass/end")
@requires("break_glass.open")
def end_own() -> ResponseReturnValue:
    """Make it whole again before its time, and check the location once more without it."""
    services, actor, form = security.services(), security.actor(), form_sent()
    glass, _ = services.glass.open_for(actor, form.incident, security.now())
    if glass is not None:
        glasses.end_glass(services.store, services.access, services.glass, actor, glass.glass_id, security.now())
    return answered(form, None)


@pages.get("/broken-glass")
@requires("break_glass.review")
def reviews() -> ResponseReturnValue:
    """What is open now, what waits for its review, and what was reviewed lately."""
    security.services().freshen("break_glass")  # the change before may have gone through another process
    return _page()


@pages.post("/broken-glass/<glass_id>/end")
@requires("break_glass.review")
def end(glass_id: str) -> ResponseReturnValue:
    """A second person closes it."""
    services = security.services()
    glasses.end_glass(services.store, services.access, services.glass, security.actor(), glass_id, security.now())
    return redirect("/broken-glass", 303)


@pages.post("/broken-glass/<glass_id>/review")
@requires("break_glass.review")
def review(glass_id: str) -> ResponseReturnValue:
    """Record what a second person found."""
    services = security.services()
    finding, note = request.form.get("finding", ""), request.form.get("note", "")
    try:
        glasses.review_glass(
            services.store, services.access, services.glass, security.actor(), glass_id, finding, note, security.now()
        )
    except glasses.GlassRefused as refused:
        return _page(glass_id, refused.reason, refused.field, finding, note[: glasses.LONGEST_REASON], 422)
    return redirect("/broken-glass", 303)


def _page(
    wrong: str = "", problem: str = "", field: str = "", finding: str = "", note: str = "", status: int = 200
) -> ResponseReturnValue:
    services, now, actor = security.services(), security.now(), security.actor()
    waiting = [
        GlassReview(
            glass,
            is_open=glass.open_at(now),
            overdue=glass.overdue_at(now),
            own=glass.account_id == actor.actor_id,
            role_title=services.roles.titles.get(glass.role, glass.role),
            looks=looks_under_glass(services, glass.account_id, glass.incident, glass.opened_at, glass.until),
            problem=problem if glass.glass_id == wrong else None,
            field=field if glass.glass_id == wrong else None,
            finding=finding if glass.glass_id == wrong else "",
            note=note if glass.glass_id == wrong else "",
        )
        for glass in services.glass.to_review()
    ]
    reviewed = tuple(glass for glass in services.glass.all() if glass.reviewed_at is not None)[:_SHOWN_REVIEWED]
    page = GlassReviewsPage(chrome_for(actor), tuple(waiting), reviewed, tuple(glasses.FINDINGS.items()))
    return make_response(render_template("pages/broken_glass.html", page=page), status)
