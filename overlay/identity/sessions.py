"""Signing in and out. A session lasts one shift at most, and ends with the account or its password."""

from __future__ import annotations

import math
import secrets
from datetime import datetime, timedelta

from markers.ledger import Event, Via
from markers.store import Store
from overlay.identity.access import AccessBook, Session, secret_id
from overlay.identity.changes import IdentityError, Planned, catch_up, change, put, remove
from overlay.identity.passwords import is_password
from overlay.roles import Actor

SESSION_LASTS = timedelta(hours=12)


class SignInRefused(IdentityError):
    """Name and password do not go together. Never says which was wrong, or that the account is disabled."""

    def __init__(self) -> None:
        super().__init__(
            "That username and password don't match an account that can sign in. Check both and try again."
        )


class SlowDown(IdentityError):
    """Too many wrong passwords in a row; `wait_s` is how long until the next try."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(f"Too many wrong tries. Wait {self.wait_s} seconds, then try again.")


def sign_in(store: Store, access: AccessBook, username: str, password: str, now: datetime, address: str = "") -> str:
    """A new session; returns the secret for its cookie. `address` is where the request came from.

    Raises `SignInRefused`, `SlowDown`, `SignInBusy`, `StoreUnavailable`.
    """
    catch_up(store, access)
    by_account = f"{username.strip().casefold()[:80]}|{address}"
    wait_s = max(access.wrong_by_account.wait_s(by_account, now), access.wrong_by_address.wait_s(address, now))
    if wait_s > 0:
        raise SlowDown(wait_s)
    access.wrong_by_account.begin(by_account, now)
    access.wrong_by_address.begin(address, now)

    account = access.account(username)
    usable = account is not None and not account.disabled
    right = is_password(account.password if account is not None and usable else None, password)
    if account is None or not right:
        raise SignInRefused

    secret = secrets.token_urlsafe(32)
    actor = Actor(account.account_id, account.name, account.role, Via.WEB, secret_id(secret))

    def plan() -> Planned:
        current = access.account(username)
        if current is None or current.disabled or current.epoch != account.epoch:
            raise SignInRefused
        session = Session(secret_id(secret), 0, current.account_id, current.epoch, now, now + SESSION_LASTS)
        over = (kept for kept in access.sessions(current.account_id) if now >= kept.expires_at)
        writes = (put(session), *(remove(kept) for kept in over))
        return Planned(writes, Event.SIGN_IN, "signed_in", session.session_id)

    change(store, access, actor, now, plan)
    access.wrong_by_account.succeeded(by_account)
    access.wrong_by_address.succeeded(address)
    return secret


def sign_out(store: Store, access: AccessBook, secret: str, now: datetime) -> None:
    """End the session of this cookie; nothing happens when it has already ended. `StoreUnavailable`."""
    actor = access.actor_for_session(secret, now)
    if actor is None:
        return

    def plan() -> Planned:
        session = access.session(secret)
        writes = () if session is None else (remove(session),)
        return Planned(writes, Event.SIGN_IN, "signed_out", actor.credential)

    change(store, access, actor, now, plan)
