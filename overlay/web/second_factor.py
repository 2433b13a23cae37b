"""Between the password and the session: giving the code, or setting a second factor up."""

from __future__ import annotations

import io

import segno
from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.identity.second_factor import enrolment_uri
from overlay.security import public
from overlay.web.chrome import chrome_for, chrome_for_nobody
from overlay.web.refusals import status_of, with_wait
from overlay.web.sign_in import end_session_before, remember_browser
from overlay.web.views import CodePage, EnrolPage, RecoveryPage

pages = Blueprint("second_factor", __name__)

_HALF_WAY = "half signed in: opens to the cookie of a sign-in that has the right password"


@pages.get("/sign-in/code")
@public(_HALF_WAY)
def ask() -> ResponseReturnValue:
    """The box for the code; back to the start for whoever has given no password yet."""
    if _account_id() is None:
        return redirect("/sign-in", 303)
    return _ask(None)


@pages.post("/sign-in/code")
@public(_HALF_WAY)
def give() -> ResponseReturnValue:
    """Take the code; on success hand out the session's cookie."""
    account_id = _account_id()
    if account_id is None:
        raise identity.StartAgain
    try:
        secret = identity.give_code(
            security.services().door, _pending(), request.form.get("code", ""), security.now(), security.browser()
        )
    except (identity.SignInRefused, identity.SlowDown, identity.SignInBusy) as refused:
        return _ask(refused)
    end_session_before()
    response = make_response(redirect("/", 303))
    security.give_session(response, secret)
    remember_browser(response, account_id)
    return response


@pages.get("/sign-in/second-factor")
@public(_HALF_WAY)
def show_new() -> ResponseReturnValue:
    """The QR code and the box for its first code."""
    if _account_id() is None:
        return redirect("/sign-in", 303)
    return _enrol(None)


@pages.post("/sign-in/second-factor")
@public(_HALF_WAY)
def set_up() -> ResponseReturnValue:
    """Take the first code; then the session begins and the recovery codes are shown, once."""
    account_id = _account_id()
    if account_id is None:
        raise identity.StartAgain
    services = security.services()
    try:
        secret, codes = identity.enrol(
            services.door, _pending(), request.form.get("code", ""), security.now(), security.browser()
        )
    except (identity.SignInRefused, identity.SlowDown, identity.SignInBusy) as refused:
        return _enrol(refused)
    actor = services.access.actor_for_session(secret, security.now())
    if actor is None:
        raise identity.StartAgain
    response = make_response(
        render_template("pages/recovery_codes.html", page=RecoveryPage(chrome_for(actor), codes)), 200
    )
    security.give_session(response, secret)
    remember_browser(response, account_id)
    return response


def _pending() -> str:
    return security.cookie("pending") or ""


def _account_id() -> str | None:
    pending = security.services().access.pending(_pending(), security.now())
    if pending is None:  # begun on another process a moment ago
        identity.catch_up(security.services().store, security.services().access)
        pending = security.services().access.pending(_pending(), security.now())
    return None if pending is None else pending.account_id


def _ask(problem: identity.IdentityError | None) -> Response:
    page = CodePage(chrome_for_nobody(), None if problem is None else str(problem))
    return with_wait(make_response(render_template("pages/code.html", page=page), status_of(problem)), problem)


def _enrol(problem: identity.IdentityError | None) -> Response:
    area = security.services().area
    account, secret = identity.new_factor(security.services().door, _pending(), security.now())
    drawn = io.BytesIO()
    code = segno.make(enrolment_uri(secret, account.username, f"Overlay {area.name}"), error="m")
    code.save(drawn, kind="svg", scale=4, border=4, xmldecl=False, svgns=False, nl=False, svgclass="qr", lineclass=None)
    page = EnrolPage(
        chrome_for_nobody(),
        picture=drawn.getvalue().decode(),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        problem=None if problem is None else str(problem),
    )
    return with_wait(make_response(render_template("pages/enrol.html", page=page), status_of(problem)), problem)
