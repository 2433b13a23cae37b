"""One's own account: where one is signed in, the second factor, the password."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.identity.sign_in import PENDING_LASTS
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import AccountPage, RecoveryPage, SessionRow

pages = Blueprint("account", __name__)


@pages.get("/account")
@requires("console.open")
def show() -> ResponseReturnValue:
    """What is kept about whoever asks."""
    security.services().freshen("access")  # the change before may have gone through another process
    return _page(None, None)


@pages.post("/account/end-session")
@requires("console.open")
def end_session() -> ResponseReturnValue:
    """End one of one's own sessions, wherever its browser is."""
    services = security.services()
    identity.end_session(
        services.store, services.access, security.actor(), request.form.get("session", ""), security.now()
    )
    return redirect("/account", 303)


@pages.post("/account/second-factor")
@requires("console.open")
def begin_second_factor() -> ResponseReturnValue:
    """Prove again who one is, then set up a second factor, or another in place of the old."""
    problem = _proved()
    if problem is not None:
        return _page(problem, "second_factor")
    pending = identity.begin_enrolment(security.services().door, security.actor(), security.now())
    response = make_response(redirect("/sign-in/second-factor", 303))
    security.give_cookie(response, "pending", pending, PENDING_LASTS)
    return response


@pages.post("/account/recovery-codes")
@requires("console.open")
def renew_recovery_codes() -> ResponseReturnValue:
    """Prove again who one is, then see ten new recovery codes, once."""
    problem = _proved()
    if problem is None:
        try:
            codes = identity.renew_recovery_codes(security.services().door, security.actor(), security.now())
        except identity.Refused as refused:
            problem = refused
        else:
            page = RecoveryPage(chrome_for(security.actor()), codes)
            return make_response(render_template("pages/recovery_codes.html", page=page))
    return _page(problem, "recovery_codes")


@pages.post("/account/password")
@requires("console.open")
def change_password() -> ResponseReturnValue:
    """Prove again who one is, then have another password; every session ends and one signs in anew."""
    services, actor = security.services(), security.actor()
    problem = _proved()
    if problem is None:
        account = services.access.account_of(actor.actor_id)
        try:
            username = account.username if account else ""
            identity.set_password(
                services.store, services.access, username, request.form.get("new_password", ""), security.now(), actor
            )
        except identity.Refused as refused:
            problem = refused
        else:
            response = make_response(redirect("/sign-in", 303))
            security.take_session(response)
            return response
    return _page(problem, "password")


def _proved() -> identity.IdentityError | None:
    try:
        identity.reauthenticate(
            security.services().door,
            security.actor(),
            request.form.get("password", ""),
            request.form.get("code", ""),
            security.now(),
            security.browser(),
        )
    except (identity.SignInRefused, identity.SlowDown, identity.SignInBusy) as refused:
        return refused
    return None


def _page(problem: identity.IdentityError | None, field: str | None) -> Response:
    services, actor, now = security.services(), security.actor(), security.now()
    account = services.access.account_of(actor.actor_id)
    factor = services.access.second_factor(actor.actor_id)
    held = [session for session in services.access.sessions(actor.actor_id) if now < session.expires_at]
    rows = (
        SessionRow(
            session_id=session.session_id,
            began=session.created_at,
            last_used=identity.last_used(services.door, session),
            ends=session.expires_at,
            current=session.session_id == actor.credential,
            locked=identity.is_locked(services.door, session, now),
        )
        for session in sorted(held, key=lambda session: session.created_at)
    )
    page = AccountPage(
        chrome=chrome_for(actor),
        username=account.username if account else "",
        today=now,
        sessions=tuple(rows),
        has_factor=factor is not None,
        recovery_left=len(factor.recovery) if factor else 0,
        factor_required=services.policy.second_factor_required,
        problem=None if problem is None else str(problem),
        field=field,
    )
    status = 422 if isinstance(problem, identity.SignInRefused) else status_of(problem)
    return with_wait(make_response(render_template("pages/account.html", page=page), status), problem)
