"""Everybody's accounts, for whoever looks after them. No marker content is anywhere near."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.roles import ROLES, Actor
from overlay.security import requires
from overlay.services import Services
from overlay.web.chrome import chrome_for
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import AccountRow, AccountsPage, OneAccountPage

pages = Blueprint("accounts", __name__)

_OWN = "Your own account is changed by another administrator, so that nobody shuts themselves out or lifts themselves."


@pages.get("/accounts")
@requires("accounts.manage")
def show() -> ResponseReturnValue:
    """Every account, disabled ones included, and the form for a new one."""
    security.services().freshen("access")  # the change before may have gone through another process
    return _list({}, None)


@pages.post("/accounts")
@requires("accounts.manage")
def create() -> ResponseReturnValue:
    """Make an account, and show it."""
    services = security.services()
    typed = {name: request.form.get(name, "") for name in ("username", "name", "role")}
    try:
        account = identity.create_account(
            services.store,
            services.access,
            typed["username"],
            typed["name"],
            typed["role"],
            request.form.get("password", ""),
            security.now(),
            security.actor(),
        )
    except (identity.Refused, identity.NameTaken, identity.SignInBusy) as refused:
        return _list(typed, refused)
    return redirect(f"/accounts/{account.account_id}", 303)


@pages.get("/accounts/<account_id>")
@requires("accounts.manage")
def show_one(account_id: str) -> ResponseReturnValue:
    """One account, and what can be done to it."""
    security.services().freshen("access")  # the change before may have gone through another process
    return _one(_account(account_id), None, None)


@pages.post("/accounts/<account_id>/role")
@requires("accounts.manage")
def change_role(account_id: str) -> ResponseReturnValue:
    """Another role; its sessions end."""
    role = request.form.get("role", "")
    return _changed(account_id, lambda to, name: identity.set_role(to.store, to.access, name, role, *_by()))


@pages.post("/accounts/<account_id>/password")
@requires("accounts.manage")
def set_password(account_id: str) -> ResponseReturnValue:
    """Another password; its sessions end."""
    password = request.form.get("password", "")
    return _changed(account_id, lambda to, name: identity.set_password(to.store, to.access, name, password, *_by()))


@pages.post("/accounts/<account_id>/disable")
@requires("accounts.manage")
def disable(account_id: str) -> ResponseReturnValue:
    """Close it; its sessions end."""
    return _changed(account_id, lambda to, name: identity.disable_account(to.store, to.access, name, *_by()))


@pages.post("/accounts/<account_id>/enable")
@requires("accounts.manage")
def enable(account_id: str) -> ResponseReturnValue:
    """Let it sign in again."""
    return _changed(account_id, lambda to, name: identity.enable_account(to.store, to.access, name, *_by()))


@pages.post("/accounts/<account_id>/second-factor")
@requires("accounts.manage")
def reset_second_factor(account_id: str) -> ResponseReturnValue:
    """Forget its second factor; its sessions end and the next sign-in sets up another."""
    return _changed(account_id, lambda to, name: identity.reset_second_factor(to.store, to.access, name, *_by()))


@pages.post("/accounts/<account_id>/sessions")
@requires("accounts.manage")
def end_sessions(account_id: str) -> ResponseReturnValue:
    """End its sessions, on every screen."""
    return _changed(account_id, lambda to, name: identity.end_sessions(to.store, to.access, name, *_by()))


def _by() -> tuple[datetime, Actor]:
    return security.now(), security.actor()


def _changed(account_id: str, change: Callable[[Services, str], None]) -> Response:
    account = _account(account_id)
    try:
        if account.account_id == security.actor().actor_id:
            raise identity.Refused("account", _OWN)
        change(security.services(), account.username)
    except (identity.Refused, identity.SignInBusy) as refused:
        return _one(account, refused, None)
    return _one(_account(account_id), None, "Done. It holds on every screen within a second.")


def _account(account_id: str) -> identity.Account:
    account = security.services().access.account_of(account_id)
    if account is None:
        abort(404)
    return account


def _row(account: identity.Account) -> AccountRow:
    services, now = security.services(), security.now()
    held = services.access.sessions(account.account_id)
    return AccountRow(
        account_id=account.account_id,
        username=account.username,
        name=account.name,
        role_title=services.roles.title(account.role),
        kind="single sign-on" if account.subject else "local",
        disabled=account.disabled,
        has_factor=services.access.second_factor(account.account_id) is not None,
        sessions=sum(1 for session in held if now < session.expires_at),
    )


def _roles() -> tuple[tuple[str, str], ...]:
    return tuple((role, security.services().roles.title(role)) for role in ROLES if role != "service")


def _list(typed: dict[str, str], problem: identity.IdentityError | None) -> Response:
    page = AccountsPage(
        chrome=chrome_for(security.actor()),
        rows=tuple(map(_row, security.services().access.accounts())),
        roles=_roles(),
        typed=typed,
        problem=None if problem is None else str(problem),
        field=problem.field if isinstance(problem, identity.Refused) else "username",
    )
    return with_wait(make_response(render_template("pages/accounts.html", page=page), status_of(problem)), problem)


def _one(account: identity.Account, problem: identity.IdentityError | None, done: str | None) -> Response:
    page = OneAccountPage(
        chrome=chrome_for(security.actor()),
        row=_row(account),
        role=account.role,
        roles=_roles(),
        own=account.account_id == security.actor().actor_id,
        problem=None if problem is None else str(problem),
        done=done,
    )
    return with_wait(make_response(render_template("pages/one_account.html", page=page), status_of(problem)), problem)
