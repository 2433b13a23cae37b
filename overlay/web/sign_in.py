"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.security import public
from overlay.web.chrome import chrome_for_nobody
from overlay.web.views import SignInPage

pages = Blueprint("sign_in", __name__)


@pages.get("/sign-in")
@public("nobody is signed in yet")
def show() -> ResponseReturnValue:
    """The empty form; whoever is signed in already goes to the first page."""
    if security.whoever() is not None:
        return redirect("/", 303)
    return _page(SignInPage(chrome_for_nobody()), 200)


@pages.post("/sign-in")
@public("nobody is signed in yet")
def sign_in() -> ResponseReturnValue:
    """Take username and password; on success hand out the session's cookie and go to the first page."""
    services, username = security.services(), request.form.get("username", "")
    try:
        secret = identity.sign_in(
            services.store,
            services.access,
            username,
            request.form.get("password", ""),
            security.now(),
            request.remote_addr or "",
        )
    except identity.SignInRefused as refused:
        return _page(SignInPage(chrome_for_nobody(), username[:64], str(refused)), 401)
    except identity.SlowDown as slow:
        response = _page(SignInPage(chrome_for_nobody(), username[:64], str(slow)), 429)
        response.headers["Retry-After"] = str(slow.wait_s)
        return response
    except identity.SignInBusy as busy:
        return _page(SignInPage(chrome_for_nobody(), username[:64], str(busy)), 503)
    response = make_response(redirect("/", 303))
    security.give_session(response, secret)
    return response


@pages.post("/sign-out")
@public("ends the session of whoever holds the cookie; harmless to anybody else")
def sign_out() -> ResponseReturnValue:
    """End the session and take the cookie back."""
    services, secret = security.services(), security.session_secret()
    if secret:
        identity.sign_out(services.store, services.access, secret, security.now())
    response = make_response(redirect("/sign-in", 303))
    security.forget_form_token()
    security.take_session(response)
    return response


def _page(page: SignInPage, status: int) -> Response:
    return make_response(render_template("pages/sign_in.html", page=page), status)
