"""Locking the screen and opening it again, and the browser's word that somebody is still there."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.security import public
from overlay.web.chrome import chrome_for_nobody
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import UnlockPage

pages = Blueprint("lock", __name__)

PERSON = "X-Overlay-Person"  # whose session was opened, so that no page shows itself to somebody else
_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


@pages.post("/active")
@public("says whether the session of whoever holds the cookie is open; tells nothing to anybody else")
def active() -> ResponseReturnValue:
    """A key was pressed or the mouse moved: 204, or 423 when the session is locked, 401 when there is none."""
    actor = security.whoever()
    if actor is None:
        return "", 401
    if security.is_locked_now():
        return "", 423
    security.services().presence.note(actor.credential, security.now())
    return Response(status=204, headers={PERSON: actor.actor_id})


@pages.post("/lock")
@public("locks the session of whoever holds the cookie; harmless to anybody else")
def lock() -> ResponseReturnValue:
    """Lock now; a page with a script stays where it is, under its dialog."""
    actor = security.whoever()
    if actor is not None:
        identity.lock(security.services().door, actor, security.now())
    return ("", 204) if _by_script() else redirect("/unlock" if actor else "/sign-in", 303)


@pages.get("/unlock")
@public("the lock's own page; names nobody but the person who holds the cookie")
def ask() -> ResponseReturnValue:
    """The box for the password, for a page that has no dialog to show."""
    if security.whoever() is None:
        return redirect("/sign-in", 303)
    security.services().freshen("access")  # it may have been locked through another process a moment ago
    return _page(None) if security.is_locked_now() else redirect("/", 303)


@pages.post("/unlock")
@public("opens the locked session of whoever holds its cookie, by their password")
def unlock() -> ResponseReturnValue:
    """Take the password; the session goes on under a new cookie."""
    services = security.services()
    try:
        secret = identity.unlock(
            services.door,
            security.session_secret() or "",
            request.form.get("password", ""),
            security.now(),
            security.browser(),
        )
    except identity.StartAgain as over:
        if _by_script():
            return str(over), 410, _PLAIN
        raise
    except (identity.SignInRefused, identity.SlowDown, identity.SignInBusy) as refused:
        if _by_script():
            return with_wait(make_response(str(refused), status_of(refused), _PLAIN), refused)
        return _page(refused)
    actor = services.access.actor_for_session(secret, security.now())
    response = Response(status=204) if _by_script() else make_response(redirect("/", 303))
    response.headers[PERSON] = actor.actor_id if actor else ""
    security.give_session(response, secret)
    return response


def _by_script() -> bool:
    return "HX-Request" in request.headers


def _page(problem: identity.IdentityError | None) -> Response:
    actor = security.whoever()
    account = security.services().access.account_of(actor.actor_id) if actor else None
    page = UnlockPage(
        chrome_for_nobody(),
        person=account.name if account else "",
        signs_on=account is not None and account.subject != "",
        problem=None if problem is None else str(problem),
    )
    return with_wait(make_response(render_template("pages/unlock.html", page=page), status_of(problem)), problem)
