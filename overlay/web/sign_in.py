"""Signing in and out with a local account."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.identity.devices import remember_device
from overlay.identity.sign_in import PENDING_LASTS
from overlay.security import public
from overlay.web.chrome import chrome_for_nobody
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import SignInPage

pages = Blueprint("sign_in", __name__)

_NEXT = {"code": "/sign-in/code", "enrolment": "/sign-in/second-factor"}


@pages.get("/sign-in")
@public("nobody is signed in yet")
def show() -> ResponseReturnValue:
    """The empty form; whoever is signed in already goes to the first page."""
    if security.whoever() is not None:
        return redirect("/", 303)
    return _page("", None)


@pages.post("/sign-in")
@public("nobody is signed in yet")
def sign_in() -> ResponseReturnValue:
    """Take username and password; then hand out the session's cookie, or go on to the second factor."""
    username = request.form.get("username", "")
    try:
        signed_in = identity.sign_in(
            security.services().door,
            username,
            request.form.get("password", ""),
            security.now(),
            security.browser(),
        )
    except (identity.SignInRefused, identity.SlowDown, identity.SignInBusy) as refused:
        return _page(username, refused)
    if signed_in.needs == "nothing":
        end_session_before()
        response = make_response(redirect("/", 303))
        security.give_session(response, signed_in.secret)
        remember_browser(response, signed_in.account_id)
        return response
    response = make_response(redirect(_NEXT[signed_in.needs], 303))
    security.give_cookie(response, "pending", signed_in.secret, PENDING_LASTS)
    return response


@pages.post("/sign-out")
@public("ends the session of whoever holds the cookie; harmless to anybody else")
def sign_out() -> ResponseReturnValue:
    """End the session and take the cookie back."""
    end_session_before()
    response = make_response(redirect("/sign-in", 303))
    security.forget_form_token()
    security.take_session(response)
    return response


def end_session_before() -> None:
    """End the session whose cookie came along: one browser, one session (ASVS 5.0, 7.2.4)."""
    services, secret = security.services(), security.session_secret()
    if secret:
        identity.sign_out(services.store, services.access, secret, security.now())


def remember_browser(response: Response, account_id: str) -> None:
    """Give the browser its device cookie: from now on it is no stranger to this account."""
    kept = remember_device(security.services().vault, security.browser().device, account_id, security.now())
    security.give_cookie(response, "device", kept, security.DEVICE_LASTS)


def _page(username: str, problem: identity.IdentityError | None) -> Response:
    sign_on = security.services().sign_on
    page = SignInPage(
        chrome_for_nobody(),
        username[:64],
        None if problem is None else str(problem),
        None if sign_on is None else sign_on.provider.title,
    )
    return with_wait(make_response(render_template("pages/sign_in.html", page=page), status_of(problem)), problem)
