"""Signing in with a local account: password, then the second factor, and only then a session."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from markers.ledger import Event
from overlay.identity.access import Account, Pending, SecondFactor, Session, factor_id, secret_id
from overlay.identity.changes import IdentityError, Planned, catch_up, change, put, remove
from overlay.identity.door import Browser, Door
from overlay.identity.passwords import is_password
from overlay.identity.second_factor import new_recovery_codes, new_secret, recovery_id, step_of, used
from overlay.identity.sessions import SignInRefused, new_session, person, reopened, tidied
from overlay.identity.tries import code_try, password_try
from overlay.roles import Actor

PENDING_LASTS = timedelta(minutes=10)


class CodeRefused(SignInRefused):
    """The code of the second factor is wrong, too old, or was used before."""

    def __init__(self) -> None:
        super().__init__(
            "That code is wrong, too old or already used. Wait for the next code on your device and type that one."
        )


class StartAgain(IdentityError):
    """The sign-in that waited for its code is over."""

    def __init__(self) -> None:
        super().__init__("That sign-in took too long, or the account has changed since. Sign in again.")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What comes next, and the secret for its cookie: of the session for `nothing`, else of the pending sign-in."""

    secret: str
    needs: Literal["nothing", "code", "enrolment"]
    account_id: str


def sign_in(door: Door, username: str, password: str, now: datetime, browser: Browser | None = None) -> SignedIn:
    """Take name and password. `SignInRefused`, `SlowDown`, `SignInBusy`, `StoreUnavailable`.

    An account with a second factor gets no session yet, and neither does one that must first set one up.
    """
    catch_up(door.store, door.access)
    account = door.access.account(username)
    taken = password_try(door, username, account, browser or Browser(), now)
    usable = account is not None and not account.disabled and account.password != ""
    kept = account.password if account is not None and usable else None
    if not is_password(kept, password, stranger=taken.stranger) or account is None:
        taken.failed(now)
        raise SignInRefused
    taken.succeeded()
    if door.access.second_factor(account.account_id) is not None:
        return SignedIn(_wait_for_code(door, account, "", now), "code", account.account_id)
    if door.policy.second_factor_required:
        return SignedIn(_wait_for_code(door, account, new_secret(), now), "enrolment", account.account_id)
    return SignedIn(_begin(door, account, now), "nothing", account.account_id)


def give_code(door: Door, pending_secret: str, code: str, now: datetime, browser: Browser | None = None) -> str:
    """Take the code of a pending sign-in; returns the session's secret.

    Raises `CodeRefused` (also for a code used before, by whichever process), `StartAgain`, `SlowDown`, `SignInBusy`,
    `StoreUnavailable`.
    """
    account = _waiting(door, pending_secret, now)
    taken = code_try(door, account, browser or Browser(), now)
    secret, session = new_session(door, account, now)

    def plan() -> Planned:
        pending, factor = _pending(door, pending_secret, now), door.access.second_factor(account.account_id)
        spent = used(factor, code, now) if factor is not None else None
        if spent is None or factor is None:
            raise CodeRefused
        how = "code" if spent.recovery == factor.recovery else "recovery_code"
        writes = (put(session), remove(pending), put(spent), *tidied(door.access, account.account_id, now))
        return Planned(writes, Event.SIGN_IN, "signed_in", session.session_id, (how,))

    try:
        change(door.store, door.access, person(account, session.session_id), now, plan)
    except CodeRefused:
        taken.failed(now)
        raise
    taken.succeeded()
    return secret


def new_factor(door: Door, pending_secret: str, now: datetime) -> tuple[Account, str]:
    """The account that sets up a second factor and the secret for its device. `StartAgain`, `StoreUnavailable`."""
    account = _waiting(door, pending_secret, now)
    return account, _pending(door, pending_secret, now).new_secret


def enrol(
    door: Door, pending_secret: str, code: str, now: datetime, browser: Browser | None = None
) -> tuple[str, tuple[str, ...]]:
    """Set up the second factor by its first code; returns the session's secret and the recovery codes, shown once.

    Every other session of the account ends. Raises as `give_code` does.
    """
    account = _waiting(door, pending_secret, now)
    taken = code_try(door, account, browser or Browser(), now)
    codes = new_recovery_codes()
    secret, session = new_session(door, replace(account, epoch=account.epoch + 1), now)

    def plan() -> Planned:
        pending, current = _pending(door, pending_secret, now), _same(door, account)
        step = step_of(pending.new_secret, code, now) if pending.new_secret else None
        if step is None:
            raise CodeRefused
        known = door.access.second_factor(account.account_id)
        factor = SecondFactor(
            factor_id(account.account_id),
            0 if known is None else known.version,
            account.account_id,
            pending.new_secret,
            step,
            tuple(map(recovery_id, codes)),
            now,
        )
        over = door.access.openings(account.account_id)
        renewed = replace(current, epoch=current.epoch + 1, changed_at=now)
        writes = (put(renewed), put(factor), put(session), *(remove(kept) for kept in over))
        return Planned(writes, Event.ACCESS, "second_factor_set", account.account_id, ("second_factor",))

    try:
        change(door.store, door.access, person(account, session.session_id), now, plan)
    except CodeRefused:
        taken.failed(now)
        raise
    taken.succeeded()
    return secret, codes


def unlock(door: Door, secret: str, password: str, now: datetime, browser: Browser | None = None) -> str:
    """Open a locked session by its person's password; returns its new secret. The old one opens nothing any more.

    Raises `SignInRefused`, `SlowDown`, `SignInBusy`, `StartAgain` when the session is over, `StoreUnavailable`.
    """
    catch_up(door.store, door.access)
    actor = door.access.actor_for_session(secret, now)
    account = door.access.account_of(actor.actor_id) if actor is not None else None
    if actor is None or account is None:
        raise StartAgain
    taken = password_try(door, account.username, account, browser or Browser(), now)
    if not is_password(account.password or None, password, stranger=taken.stranger):
        taken.failed(now)
        raise SignInRefused("That password is not right. What was on the screen is still there.")
    taken.succeeded()
    return reopen(door, actor, "unlocked", now)


def reopen(door: Door, actor: Actor, reason: str, now: datetime) -> str:
    """The actor's session, just proved, under a new secret. `StartAgain` when it is over, `StoreUnavailable`."""
    fresh: list[str] = []

    def plan() -> Planned:
        session = door.access.session_of(actor.credential)
        if not isinstance(session, Session):
            raise StartAgain
        secret, opened = reopened(session, now)
        fresh[:] = [secret]
        return Planned((put(opened), remove(session)), Event.SIGN_IN, reason, opened.session_id)

    change(door.store, door.access, actor, now, plan)
    return fresh[0]


def begin_enrolment(door: Door, actor: Actor, now: datetime) -> str:
    """A pending sign-in in which somebody signed in already sets up a second factor, or a new one."""
    account = door.access.account_of(actor.actor_id)
    if account is None:
        raise StartAgain
    return _wait_for_code(door, account, new_secret(), now)


def _begin(door: Door, account: Account, now: datetime) -> str:
    secret, session = new_session(door, account, now)

    def plan() -> Planned:
        _same(door, account)
        return Planned(
            (put(session), *tidied(door.access, account.account_id, now)),
            Event.SIGN_IN,
            "signed_in",
            session.session_id,
            ("password",),
        )

    change(door.store, door.access, person(account, session.session_id), now, plan)
    return secret


def _wait_for_code(door: Door, account: Account, secret_to_set_up: str, now: datetime) -> str:
    secret = secrets.token_urlsafe(32)
    pending = Pending(
        secret_id(secret), 0, account.account_id, account.epoch, secret_to_set_up, now, now + PENDING_LASTS
    )

    def plan() -> Planned:
        _same(door, account)
        return Planned(
            (put(pending), *tidied(door.access, account.account_id, now)),
            Event.SIGN_IN,
            "password_right",
            pending.pending_id,
        )

    change(door.store, door.access, person(account, pending.pending_id), now, plan)
    return secret


def _waiting(door: Door, pending_secret: str, now: datetime) -> Account:
    catch_up(door.store, door.access)
    account = door.access.account_of(_pending(door, pending_secret, now).account_id)
    if account is None:
        raise StartAgain
    return account


def _pending(door: Door, pending_secret: str, now: datetime) -> Pending:
    pending = door.access.pending(pending_secret, now)
    if pending is None:
        raise StartAgain
    return pending


def _same(door: Door, account: Account) -> Account:
    current = door.access.account_of(account.account_id)
    if current is None or current.disabled or current.epoch != account.epoch:
        raise SignInRefused
    return current
