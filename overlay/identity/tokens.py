"""Service tokens: the bearer secrets other programs sign in with. Shown once, kept only as a hash."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from markers.ledger import Event
from markers.store import Store
from overlay.identity.access import BEARER_PREFIX, AccessBook, ServiceToken, secret_id
from overlay.identity.accounts import known_role, readable_name
from overlay.identity.changes import COMMAND_LINE, IdentityError, Planned, Refused, change, put
from overlay.roles import PERMISSIONS, Actor, Roles

LONGEST_DAYS = 366


class NoSuchToken(IdentityError):
    """No token, or more than one, has an id that begins so."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"No one token has an id beginning '{token_id}'. Nothing was changed; list the tokens first.")


def create_token(
    store: Store,
    access: AccessBook,
    name: str,
    role: str,
    now: datetime,
    days: int,
    by: Actor = COMMAND_LINE,
    scopes: frozenset[str] | None = None,
) -> str:
    """A new bearer secret (`wmo_...`, 256 bits) that ends after `days`. `Refused`, `StoreUnavailable`.

    `scopes` are the only permissions it is given (see `known_scopes`); None leaves all that its role holds.
    """
    name, role = readable_name(name), known_role(role)
    if not 1 <= days <= LONGEST_DAYS:
        raise Refused("days", f"A token lasts 1 to {LONGEST_DAYS} days.")
    bearer = BEARER_PREFIX + secrets.token_urlsafe(32)
    token = ServiceToken(secret_id(bearer), 0, name, role, now, now + timedelta(days=days), None)
    token = replace(token, scopes=None if scopes is None else tuple(sorted(scopes)))
    fields = ("name", "role", "expires_at", "scopes")
    planned = Planned((put(token),), Event.ACCESS, "token_created", token.token_id, fields)
    change(store, access, by, now, lambda: planned)
    return bearer


def known_scopes(roles: Roles, role: str, names: Collection[str]) -> frozenset[str] | None:
    """The scopes asked for, None when none are. `Refused` for a name that is no permission, or not the role's."""
    for name in names:
        if name not in PERMISSIONS:
            raise Refused("scopes", f"There is no permission '{name}'.")
        if not roles.allows(known_role(role), name):
            raise Refused("scopes", f"The role {role} does not hold the permission '{name}'.")
    return frozenset(names) or None


def revoke_token(
    store: Store, access: AccessBook, token_id: str, now: datetime, by: Actor = COMMAND_LINE
) -> ServiceToken:
    """End a token now. `token_id` may be its first characters, as listed. `NoSuchToken`, `StoreUnavailable`."""

    def found() -> ServiceToken:
        same = [token for token in access.tokens() if len(token_id) >= 8 and token.token_id.startswith(token_id)]
        if len(same) != 1:
            raise NoSuchToken(token_id)
        return same[0]

    def plan() -> Planned:
        revoked = replace(found(), revoked_at=now)
        return Planned((put(revoked),), Event.ACCESS, "token_revoked", revoked.token_id, ("revoked_at",))

    change(store, access, by, now, plan)
    return found()
