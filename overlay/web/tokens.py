"""Service tokens of other programs, for whoever looks after them."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.roles import PERMISSIONS, ROLES
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import TokenRow, TokensPage

pages = Blueprint("tokens", __name__)

_USUAL = {"name": "", "role": "service", "days": "90"}


@pages.get("/tokens")
@requires("tokens.manage")
def show() -> ResponseReturnValue:
    """Every token there is or was, without its secret, and the form for a new one."""
    security.services().freshen("access")  # the change before may have gone through another process
    return _page(_USUAL, (), None)


@pages.post("/tokens")
@requires("tokens.manage")
def create() -> ResponseReturnValue:
    """Make a token and show its secret, once."""
    services = security.services()
    typed = {name: request.form.get(name, "") for name in _USUAL}
    chosen = tuple(request.form.getlist("scopes"))
    try:
        scopes = identity.known_scopes(services.roles, typed["role"], chosen)
        bearer = identity.create_token(
            services.store,
            services.access,
            typed["name"],
            typed["role"],
            security.now(),
            int(typed["days"]) if typed["days"].strip().isdecimal() and len(typed["days"]) < 6 else 0,
            security.actor(),
            scopes,
        )
    except identity.Refused as refused:
        return _page(typed, chosen, refused)
    return _page(_USUAL, (), None, bearer)


@pages.post("/tokens/revoke")
@requires("tokens.manage")
def revoke() -> ResponseReturnValue:
    """End a token now."""
    services = security.services()
    identity.revoke_token(
        services.store, services.access, request.form.get("token", ""), security.now(), security.actor()
    )
    return redirect("/tokens", 303)


def _page(
    typed: dict[str, str], chosen: tuple[str, ...], problem: identity.IdentityError | None, secret: str | None = None
) -> Response:
    services, now = security.services(), security.now()
    page = TokensPage(
        chrome=chrome_for(security.actor()),
        today=now,
        rows=tuple(
            TokenRow(
                token_id=token.token_id,
                short_id=token.short_id,
                name=token.name,
                role_title=services.roles.title(token.role),
                scopes=token.scopes,
                created=token.created_at,
                ends=token.expires_at,
                last_used=services.presence.seen(token.token_id),
                state="revoked" if token.revoked_at else "in force" if token.valid_at(now) else "ended",
            )
            for token in services.access.tokens()
        ),
        roles=tuple((role, services.roles.title(role)) for role in ROLES),
        scopes=tuple(PERMISSIONS.items()),
        typed=typed,
        chosen=chosen,
        problem=None if problem is None else str(problem),
        field=problem.field if isinstance(problem, identity.Refused) else None,
        secret=secret,
    )
    return with_wait(make_response(render_template("pages/tokens.html", page=page), status_of(problem)), problem)
