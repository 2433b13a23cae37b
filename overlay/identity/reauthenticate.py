"""Proving again who sits there, before something that a session alone does not open (ASVS 5.0, 7.5.3)."""

from __future__ import annotations

from datetime import datetime

from overlay.identity.changes import catch_up
from overlay.identity.door import Door
from overlay.identity.passwords import is_password
from overlay.identity.sessions import SignInRefused
from overlay.roles import Actor


def reauthenticate(door: Door, actor: Actor, password: str, code: str, now: datetime) -> None:
    """Nothing, if the password (and the code, where the account has a second factor) is this actor's own.

    Raises `SignInRefused`, `SlowDown`, `SignInBusy`, `StoreUnavailable`.
    """
    del code, now  # no account has a second factor yet
    catch_up(door.store, door.access)
    account = door.access.account_of(actor.actor_id)
    right = is_password(account.password if account is not None and not account.disabled else None, password)
    if account is None or not right:
        raise SignInRefused
