"""Proving again who sits there, before something that a session alone does not open (ASVS 5.0, 7.5.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from markers.commits import Write
from markers.ledger import Event
from overlay.identity.access import Account
from overlay.identity.changes import Planned, catch_up, change, put
from overlay.identity.door import Browser, Door
from overlay.identity.passwords import is_password
from overlay.identity.second_factor import used
from overlay.identity.sessions import SignInRefused
from overlay.identity.sign_in import CodeRefused
from overlay.identity.tries import code_try, password_try
from overlay.roles import Actor

FRESH = timedelta(minutes=2)


class ProviderFirst(SignInRefused):
    """This account has no password here: its person proves who they are with the single sign-on."""

    def __init__(self) -> None:
        super().__init__("This account has no password here. Sign in again with single sign-on, then repeat this.")


def reauthenticate(
    door: Door, actor: Actor, password: str, code: str, now: datetime, browser: Browser | None = None
) -> None:
    """Nothing, if the password (and the code, where the account has a second factor) is this actor's own.

    A right code is used up, and the session says from now on that its person was just proved
    (`Session.authenticated_at`). An account of the single sign-on has no password: send its person to
    `/sign-in/single-sign-on?again=1`, which has the provider prove them anew (`prompt=login`) and comes back with
    a new `Session.authenticated_at`; within two minutes of that, nothing more is asked here.

    Raises `SignInRefused` (`CodeRefused`, `ProviderFirst`), `SlowDown`, `SignInBusy`, `StoreUnavailable`.
    """
    catch_up(door.store, door.access)
    account = door.access.account_of(actor.actor_id)
    if account is None or account.disabled:
        raise SignInRefused
    if account.subject:
        session = door.access.session_of(actor.credential)
        if session is None or not now - FRESH <= session.authenticated_at <= now:
            raise ProviderFirst
        return
    taken = password_try(door, account.username, account, browser or Browser(), now)
    if not is_password(account.password, password, stranger=taken.stranger):
        taken.failed(now)
        raise SignInRefused
    taken.succeeded()
    _use_code(door, actor, account, code, now, browser or Browser())


def _use_code(door: Door, actor: Actor, account: Account, code: str, now: datetime, browser: Browser) -> None:
    has_factor = door.access.second_factor(account.account_id) is not None
    taken = code_try(door, account, browser, now) if has_factor else None

    def plan() -> Planned:
        writes: list[Write] = []
        session, factor = door.access.session_of(actor.credential), door.access.second_factor(account.account_id)
        if session is None:
            raise SignInRefused
        if factor is not None:
            spent = used(factor, code, now)
            if spent is None:
                raise CodeRefused
            writes.append(put(spent))
        writes.append(put(replace(session, authenticated_at=now)))
        how = ("password",) if factor is None else ("password", "code")
        return Planned(tuple(writes), Event.SIGN_IN, "proved_again", actor.credential, how)

    try:
        change(door.store, door.access, actor, now, plan)
    except CodeRefused:
        if taken is not None:
            taken.failed(now)
        raise
    if taken is not None:
        taken.succeeded()
