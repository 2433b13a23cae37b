"""Single sign-on: leaving for the provider, coming back, and the account that belongs to whoever came."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from markers.ledger import Event
from markers.vault import VaultError
from overlay.identity.access import Account
from overlay.identity.accounts import LONGEST_NAME, readable_name
from overlay.identity.changes import Planned, Refused, change, put, remove
from overlay.identity.door import Door
from overlay.identity.openid import LEEWAY_S, OpenId, Question, SignOnRefused, Vouched
from overlay.identity.sessions import new_session, person, tidied
from overlay.identity.sign_in import reopen
from overlay.roles import Actor

QUESTION_LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SignedOn:
    """Who came back, with the secret for the session's cookie; `again` when it is a session that went on."""

    secret: str
    again: bool


def leave(door: Door, provider: OpenId, now: datetime, again: Actor | None = None) -> tuple[str, str]:
    """The provider's address to send the browser to, and the cookie it brings back. `ProviderAway`, `SignInBusy`.

    The cookie is sealed, so nothing is kept here of people who never come back. With `again` the provider is asked to
    have them prove anew who they are, for the session they have.
    """
    question = Question.new()
    address = provider.address(question, prove_anew=again is not None)
    plain = {
        "nonce": question.nonce,
        "verifier": question.verifier,
        "at": now.isoformat(),
        "again": again.credential if again is not None else "",
    }
    sealed = door.vault.seal("sign-on", question.state, 1, json.dumps(plain).encode())
    return address, f"{question.state}.{base64.urlsafe_b64encode(sealed).decode()}"


def come_back(door: Door, provider: OpenId, cookie: str, answer: Mapping[str, str], now: datetime) -> SignedOn:
    """Let in whoever the provider vouches for, under the role of their groups.

    Raises `SignOnRefused`, `ProviderAway`, `SignInBusy`, `StoreUnavailable`, `StartAgain`.
    """
    question, left_at, session_id = _opened(door, cookie, now)
    vouched = provider.redeem(question, answer, now)
    role = provider.provider.role_of(vouched.groups)
    if role is None:
        raise SignOnRefused(
            "The single sign-on knows you, but your groups there stand for no role here, or for more than one. "
            "Ask whoever looks after accounts."
        )
    subject = door.vault.token("subject", f"{provider.provider.issuer}|{vouched.subject}")
    if session_id:
        return SignedOn(_again(door, session_id, subject, role, vouched, left_at, now), again=True)
    return SignedOn(_first(door, subject, role, vouched, now), again=False)


def _opened(door: Door, cookie: str, now: datetime) -> tuple[Question, datetime, str]:
    state, _, sealed = cookie.partition(".")
    try:
        plain = json.loads(door.vault.open("sign-on", state, 1, base64.urlsafe_b64decode(sealed)))
        left_at = datetime.fromisoformat(plain["at"])
    except (VaultError, ValueError, binascii.Error):
        raise SignOnRefused("That answer belongs to no sign-in of this browser. Start again.") from None
    if not left_at <= now < left_at + QUESTION_LASTS:
        raise SignOnRefused("That sign-in took too long. Start again.")
    return Question(state, plain["nonce"], plain["verifier"]), left_at, plain["again"]


def _first(door: Door, subject: str, role: str, vouched: Vouched, now: datetime) -> str:
    """A session of the account of this subject, made now if there is none; its role and name follow the provider's."""
    fresh_id = secrets.token_hex(16)
    secret: list[str] = []

    def plan() -> Planned:
        known = door.access.account_by_subject(subject)
        if known is not None and known.disabled:
            raise SignOnRefused("Your account here is disabled. Ask whoever looks after accounts.")
        account = (
            _account(fresh_id, subject, role, vouched, now) if known is None else _following(known, role, vouched, now)
        )
        over = door.access.openings(account.account_id) if known is not None and account.epoch != known.epoch else ()
        fresh, session = new_session(door, account, now, _proved_at(vouched, now))
        secret[:] = [fresh]
        tidy = tuple(map(remove, over)) or tidied(door.access, account.account_id, now)
        changed = () if account == known else (put(account),)
        fields = ("single_sign_on", *(("role", "name") if changed else ()))
        return Planned((put(session), *changed, *tidy), Event.SIGN_IN, "signed_in", session.session_id, fields)

    by = door.access.account_by_subject(subject) or _account(fresh_id, subject, role, vouched, now)
    change(door.store, door.access, person(by, ""), now, plan)
    return secret[0]


def _again(
    door: Door, session_id: str, subject: str, role: str, vouched: Vouched, left_at: datetime, now: datetime
) -> str:
    session = door.access.session_of(session_id)
    account = door.access.account_of(session.account_id) if session is not None else None
    if account is None or account.subject != subject or account.role != role:
        raise SignOnRefused("Another person signed on than the one whose screen this is. Nothing was opened.")
    if vouched.proved_at is None or vouched.proved_at < left_at - timedelta(seconds=LEEWAY_S):
        raise SignOnRefused("The single sign-on did not ask you to prove anew who you are, so nothing was opened.")
    return reopen(door, person(account, session_id), "proved_again", now)


def _account(account_id: str, subject: str, role: str, vouched: Vouched, now: datetime) -> Account:
    return Account(
        account_id=account_id,
        version=0,
        username=f"sso.{account_id[:12]}",
        name=_name(vouched),
        role=role,
        password="",
        disabled=False,
        epoch=1,
        created_at=now,
        changed_at=now,
        subject=subject,
    )


def _following(known: Account, role: str, vouched: Vouched, now: datetime) -> Account:
    """The account under the provider's name and role; another role ends the sessions of the one before."""
    if (known.role, known.name) == (role, _name(vouched)):
        return known
    epoch = known.epoch + (known.role != role)
    return replace(known, role=role, name=_name(vouched), epoch=epoch, changed_at=now)


def _proved_at(vouched: Vouched, now: datetime) -> datetime:
    """When the person proved at the provider who they are; long ago where it does not say, so that it is asked anew."""
    return datetime.fromtimestamp(0, UTC) if vouched.proved_at is None else min(vouched.proved_at, now)


def _name(vouched: Vouched) -> str:
    try:
        return readable_name(vouched.name[:LONGEST_NAME])
    except Refused:
        return "Name not given"
