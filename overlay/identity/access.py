"""The read model of the collection "access": who may come in, in memory, following the store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog

from markers.commits import Changes, Record
from markers.ledger import Via
from overlay.following import Following
from overlay.roles import Actor

log = structlog.get_logger()

COLLECTION = "access"
BEARER_PREFIX = "wmo_"
PROVES = "proof_of_life"  # a scope that is no permission: earlier versions read it too


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account. `epoch` grows when role, password or standing changes: sessions of an older one end.

    `subject` is a token of who the provider of single sign-on says it is, empty for a local account; such an account
    has no password.
    """

    account_id: str
    version: int
    username: str
    name: str
    role: str
    password: str
    disabled: bool
    epoch: int
    created_at: datetime
    changed_at: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """An account's second factor. `last_step` is the newest step used; `recovery` the hashes of codes left."""

    factor_id: str
    version: int
    account_id: str
    secret: str
    last_step: int
    recovery: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that has the right password and waits for its code; `pending_id` is the SHA-256 of the cookie's secret.

    `new_secret` is the second factor being set up, empty where the account has one. It opens no page.
    """

    pending_id: str
    version: int
    account_id: str
    epoch: int
    new_secret: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """Another program's bearer token; `token_id` is the SHA-256 of the secret, which is not kept.

    `scopes` are the permissions it was given; None is all that its role holds.
    """

    token_id: str
    version: int
    name: str
    role: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    scopes: tuple[str, ...] | None = None

    def valid_at(self, now: datetime) -> bool:
        """Not revoked and not past its end."""
        return self.revoked_at is None and now < self.expires_at

    @property
    def proves(self) -> bool:
        """Whether it is the proof of life's, whose looks are kept apart; nobody can make another one so."""
        return self.scopes is not None and PROVES in self.scopes

    @property
    def short_id(self) -> str:
        """Enough of the id for a person to name the token by."""
        return self.token_id[:12]


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser; `session_id` is the SHA-256 of the cookie's secret, which is not kept.

    `authenticated_at` is when its person last proved who they are; `locked_at` when they locked the screen.
    """

    session_id: str
    version: int
    account_id: str
    epoch: int
    created_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    locked_at: datetime | None = None


Entry = Account | SecondFactor | Pending | ServiceToken | Session

_KINDS: dict[str, tuple[type[Entry], str]] = {
    "account": (Account, "account_id"),
    "second_factor": (SecondFactor, "factor_id"),
    "pending": (Pending, "pending_id"),
    "token": (ServiceToken, "token_id"),
    "session": (Session, "session_id"),
}
_TIMES = ("created_at", "changed_at", "expires_at", "revoked_at", "authenticated_at", "locked_at")
_LISTS = ("recovery", "scopes")


def secret_id(secret: str) -> str:
    """The record id of a 256-bit secret: its SHA-256 in hex. Enough for secrets that can't be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def factor_id(account_id: str) -> str:
    """The record id of an account's second factor: one an account, so that two can't both be set up."""
    return f"second-factor:{account_id}"


def record_id(entry: Entry) -> str:
    """The record an entry is kept as."""
    return str(getattr(entry, _kind_of(entry)[1]))


def as_plain(entry: Entry) -> bytes:
    """The content of a sealed record."""
    kind, id_name = _kind_of(entry)
    fields = {name: value for name, value in asdict(entry).items() if name not in ("version", id_name)}
    for name in _TIMES:
        if isinstance(fields.get(name), datetime):
            fields[name] = fields[name].isoformat()
    return json.dumps({"kind": kind, **fields}, sort_keys=True, separators=(",", ":")).encode()


def from_plain(record_id: str, version: int, plain: bytes) -> Entry | None:
    """The inverse of `as_plain`. A kind this version does not know opens no door: None."""
    fields: dict[str, Any] = json.loads(plain)
    known = _KINDS.get(fields.pop("kind"))
    if known is None:
        return None
    for name in _TIMES:
        if fields.get(name) is not None:
            fields[name] = datetime.fromisoformat(fields[name])
    for name in _LISTS:
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    cls, id_name = known
    return cls(**{id_name: record_id, "version": version, **fields})


def _kind_of(entry: Entry) -> tuple[str, str]:
    return next((kind, id_name) for kind, (cls, id_name) in _KINDS.items() if isinstance(entry, cls))


class AccessBook(Following):
    """Accounts, tokens and sessions as of `position`.

    A session that ended while this process looked on has ended for good: a clock that is put back revives none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, Entry] = {}
        self._names: dict[str, str] = {}
        self._subjects: dict[str, str] = {}
        self._provers: frozenset[str] = frozenset()
        self._over: set[str] = set()
        self._next_end: datetime | None = None

    def apply(self, changes: Changes) -> None:
        """Take in what changed; with `reload` the records are the whole collection and replace the book."""
        if changes.reload:
            self.replace(changes)
        else:
            super().apply(changes)

    def _clear(self) -> None:
        self._entries.clear()
        self._names.clear()
        self._subjects.clear()
        self._provers = frozenset()

    def _take(self, record: Record) -> None:
        self._drop(record.record_id)
        entry = None
        if record.plain is not None:
            try:
                entry = from_plain(record.record_id, record.version, record.plain)
            except (KeyError, TypeError, ValueError) as error:
                # Written by a version that knows more: it opens no door, and the book follows on.
                log.error("record_not_read", record=record.record_id, kind=type(error).__name__)
        if entry is not None:
            self._entries[record.record_id] = entry
        if isinstance(entry, ServiceToken) and entry.proves:
            self._provers |= {entry.token_id}
        if isinstance(entry, Session):
            self._next_end = min(self._next_end or entry.expires_at, entry.expires_at)
        if isinstance(entry, Account):
            self._names[entry.username.casefold()] = entry.account_id
            self._subjects[entry.subject] = entry.account_id

    def _drop(self, record_id: str) -> None:
        gone = self._entries.pop(record_id, None)
        if isinstance(gone, Account):
            self._names.pop(gone.username.casefold(), None)
            self._subjects.pop(gone.subject, None)

    def actor_for_session(self, secret: str, now: datetime) -> Actor | None:
        """Who holds the session cookie; None for an unknown, ended or expired session."""
        with self._lock:
            return self._by_session(secret_id(secret), now)

    def actor_for_token(self, bearer: str, now: datetime) -> Actor | None:
        """Which program holds the bearer token; None for an unknown, revoked or expired one."""
        if not bearer.startswith(BEARER_PREFIX):
            return None
        with self._lock:
            return self._by_token(secret_id(bearer), now)

    def standing(self, actor: Actor, now: datetime) -> int | None:
        """The book's position if the actor would be let in again just as they are, otherwise None (also when locked).

        A check commits expecting that position, so whoever was let in by an older one is seen in time.
        """
        with self._lock:
            if actor.via is Via.WEB:
                session = self._entries.get(actor.credential)
                locked = isinstance(session, Session) and session.locked_at is not None
                stands = not locked and self._by_session(actor.credential, now) == actor
            elif actor.via is Via.API:
                stands = self._by_token(actor.credential, now) == actor
            else:
                stands = True  # the command line works as whoever may read the data folder
            return self._position if stands else None

    def _by_session(self, session_id: str, now: datetime) -> Actor | None:
        session = self._entries.get(session_id)
        if self._next_end is not None and now >= self._next_end:
            self._note_ends(now)
        if not isinstance(session, Session) or now >= session.expires_at or session_id in self._over:
            return None
        account = self._entries.get(session.account_id)
        if not isinstance(account, Account) or account.disabled or account.epoch != session.epoch:
            return None
        return Actor(account.account_id, account.name, account.role, Via.WEB, session_id)

    def _note_ends(self, now: datetime) -> None:
        sessions = [entry for entry in self._entries.values() if isinstance(entry, Session)]
        ended = {session.session_id for session in sessions if now >= session.expires_at}
        self._over = (self._over | ended) & self._entries.keys()
        self._next_end = min((one.expires_at for one in sessions if one.session_id not in self._over), default=None)

    def _by_token(self, token_id: str, now: datetime) -> Actor | None:
        token = self._entries.get(token_id)
        if not isinstance(token, ServiceToken) or not token.valid_at(now):
            return None
        scopes = None if token.scopes is None else frozenset(token.scopes)
        return Actor(token_id, token.name, token.role, Via.API, token_id, scopes)

    def provers(self) -> frozenset[str]:
        """The ids of the tokens that ever made the proof of life; asked by every check, so kept at hand."""
        return self._provers

    def account(self, username: str) -> Account | None:
        """The account of that name, disabled or not; upper and lower case are the same."""
        with self._lock:
            found = self._entries.get(self._names.get(username.strip().casefold(), ""))
            return found if isinstance(found, Account) else None

    def account_of(self, account_id: str) -> Account | None:
        """The account of that record, disabled or not."""
        with self._lock:
            found = self._entries.get(account_id)
            return found if isinstance(found, Account) else None

    def name_of(self, actor_id: str) -> str:
        """The name of whoever the ledger names: a person, a program, or the id itself where neither is known."""
        with self._lock:
            found = self._entries.get(actor_id)
            return found.name if isinstance(found, Account | ServiceToken) else actor_id[:40]

    def account_by_subject(self, subject: str) -> Account | None:
        """The account that belongs to a person of the single sign-on, disabled or not."""
        with self._lock:
            found = self._entries.get(self._subjects.get(subject, "")) if subject else None
            return found if isinstance(found, Account) else None

    def second_factor(self, account_id: str) -> SecondFactor | None:
        """The account's second factor, if it has one."""
        with self._lock:
            found = self._entries.get(factor_id(account_id))
            return found if isinstance(found, SecondFactor) else None

    def pending(self, secret: str, now: datetime) -> Pending | None:
        """The sign-in that waits for its code, of this cookie; None when it is over, or its account has changed."""
        with self._lock:
            found = self._entries.get(secret_id(secret))
            account = self._entries.get(found.account_id) if isinstance(found, Pending) else None
            if not isinstance(found, Pending) or not isinstance(account, Account):
                return None
            good = now < found.expires_at and account.epoch == found.epoch and not account.disabled
            return found if good else None

    def openings(self, account_id: str) -> tuple[Session | Pending, ...]:
        """Sessions and half-done sign-ins kept for an account, ended ones included until they are tidied away."""
        with self._lock:
            found = [entry for entry in self._entries.values() if isinstance(entry, Session | Pending)]
        return tuple(opening for opening in found if opening.account_id == account_id)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts by username."""
        with self._lock:
            found = [entry for entry in self._entries.values() if isinstance(entry, Account)]
        return tuple(sorted(found, key=lambda account: account.username))

    def tokens(self) -> tuple[ServiceToken, ...]:
        """All service tokens, oldest first, ended ones included."""
        with self._lock:
            found = [entry for entry in self._entries.values() if isinstance(entry, ServiceToken)]
        return tuple(sorted(found, key=lambda token: (token.created_at, token.token_id)))

    def sessions(self, account_id: str) -> tuple[Session, ...]:
        """The sessions kept for an account, ended ones included until they are tidied away."""
        with self._lock:
            found = [entry for entry in self._entries.values() if isinstance(entry, Session)]
        return tuple(session for session in found if session.account_id == account_id)

    def session(self, secret: str) -> Session | None:
        """The session of a cookie, whether or not it still holds."""
        return self.session_of(secret_id(secret))

    def session_of(self, session_id: str) -> Session | None:
        """The session of that record, whether or not it still holds."""
        with self._lock:
            found = self._entries.get(session_id)
            return found if isinstance(found, Session) else None

    def token_of(self, token_id: str) -> ServiceToken | None:
        """The token of that record, whether or not it still holds."""
        with self._lock:
            found = self._entries.get(token_id)
            return found if isinstance(found, ServiceToken) else None

    def session_ids(self) -> frozenset[str]:
        """The records of all sessions and tokens there are."""
        with self._lock:
            return frozenset(key for key, entry in self._entries.items() if isinstance(entry, Session | ServiceToken))
