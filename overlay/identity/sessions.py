"""Sessions: begun by a sign-in, locked and unlocked, ended. One lasts a shift at most, and ends with its account."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from markers.commits import Write
from markers.ledger import Event, Via
from markers.store import Store
from overlay.identity.access import AccessBook, Account, Session, secret_id
from overlay.identity.changes import IdentityError, Planned, change, put, remove
from overlay.identity.door import Door
from overlay.roles import Actor

_CLOCK_SLACK = timedelta(minutes=1)
"""How far the clocks of two hosts, or one host's before and after it was set, may be apart unnoticed."""


class SignInRefused(IdentityError):
    """Name and password do not go together. Never says which was wrong, or that the account is disabled."""

    def __init__(self, words: str = "") -> None:
        super().__init__(
            words or "That username and password don't match an account that can sign in. Check both and try again."
        )


def new_session(door: Door, account: Account, now: datetime, proved_at: datetime | None = None) -> tuple[str, Session]:
    """The secret for the cookie, and the session to write; its person proved who they are now, or at `proved_at`."""
    secret = secrets.token_urlsafe(32)
    return secret, Session(
        session_id=secret_id(secret),
        version=0,
        account_id=account.account_id,
        epoch=account.epoch,
        created_at=now,
        expires_at=now + door.policy.shift,
        authenticated_at=proved_at or now,
    )


def person(account: Account, session_id: str) -> Actor:
    """Who acts when an account signs in."""
    return Actor(account.account_id, account.name, account.role, Via.WEB, session_id)


def tidied(access: AccessBook, account_id: str, now: datetime) -> tuple[Write, ...]:
    """The end of what is over of an account: sessions past their shift, sign-ins that never got their code."""
    return tuple(remove(kept) for kept in access.openings(account_id) if now >= kept.expires_at)


def is_locked(door: Door, session: Session, now: datetime) -> bool:
    """Whether nothing may be shown: locked by its person, or idle for as long as the area allows.

    Last used later than now, it was used before the clock was put back, and nobody knows how long ago.
    """
    if session.locked_at is not None:
        return True
    idle = now - last_used(door, session)
    return idle >= door.policy.idle or idle < -_CLOCK_SLACK


def last_used(door: Door, session: Session) -> datetime:
    """When its person last did something, as far as this process knows."""
    seen = door.presence.seen(session.session_id)
    return max(time for time in (session.created_at, session.authenticated_at, seen) if time is not None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How long somebody let in stays so if nothing else happens; or, with `over`, that it is past and how it ended."""

    until: datetime
    over: Literal["over", "locked"] | None = None


def standing(door: Door, actor: Actor, now: datetime) -> Standing:
    """Whether a stream opened by this actor may go on. Looking does not count as use."""
    session = door.access.session_of(actor.credential)
    token = door.access.token_of(actor.credential)
    if session is not None and actor.via is Via.WEB:
        until, locked = last_used(door, session) + door.policy.idle, is_locked(door, session, now)
        if not locked and door.access.standing(actor, now) is not None:
            return Standing(min(until, session.expires_at))
        return Standing(now, "locked" if locked and now < session.expires_at else "over")
    if token is None or door.access.standing(actor, now) is None:
        return Standing(now, "over")
    return Standing(token.expires_at)


def lock(door: Door, actor: Actor, now: datetime) -> None:
    """Lock the actor's own session for every process; nothing when it is locked or over. `StoreUnavailable`."""

    def plan() -> Planned:
        session = door.access.session_of(actor.credential)
        open_still = session is not None and session.locked_at is None
        writes = (put(replace(session, locked_at=now)),) if session is not None and open_still else ()
        return Planned(writes, Event.SIGN_IN, "locked", actor.credential, ("locked_at",) if writes else ())

    session = door.access.session_of(actor.credential)
    if session is not None and session.locked_at is None:
        change(door.store, door.access, actor, now, plan)


def reopened(session: Session, now: datetime) -> tuple[str, Session]:
    """The same session under a new secret, unlocked, its person just proved (ASVS 5.0, 7.2.4)."""
    secret = secrets.token_urlsafe(32)
    return secret, replace(
        session,
        session_id=secret_id(secret),
        version=0,
        created_at=min(session.created_at, now),  # of before the clock was put back it would lock at once again
        authenticated_at=now,
        locked_at=None,
    )


def sign_out(store: Store, access: AccessBook, secret: str, now: datetime) -> None:
    """End the session of this cookie; nothing happens when it has already ended. `StoreUnavailable`."""
    actor = access.actor_for_session(secret, now)
    if actor is not None:
        end_session(store, access, actor, actor.credential, now, "signed_out")


def end_session(
    store: Store, access: AccessBook, actor: Actor, session_id: str, now: datetime, reason: str = "session_ended"
) -> None:
    """End one of the actor's own sessions; nothing happens when it is somebody else's. `StoreUnavailable`."""

    def plan() -> Planned:
        session = access.session_of(session_id)
        mine = session is not None and session.account_id == actor.actor_id
        writes = (remove(session),) if session is not None and mine else ()
        return Planned(writes, Event.SIGN_IN, reason, session_id)

    session = access.session_of(session_id)
    if session is not None and session.account_id == actor.actor_id:
        change(store, access, actor, now, plan)
