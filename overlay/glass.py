"""Breaking the glass: one person sees withheld detail for one incident, for a reason, for at most 15 minutes.

Every breaking is a sealed record of the collection "break_glass" and an entry of the ledger, made in one commit; every
look under it says so in its own entry. Somebody else reviews it within 24 hours.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from markers.commits import Commit, Committed, Record, Write
from markers.ledger import Event, LedgerEntry, RecordSeen
from markers.store import Store
from markers.store_errors import StoreUnavailable, VersionConflict
from overlay.following import Following
from overlay.identity import AccessBook
from overlay.plain_text import is_plain_text
from overlay.roles import Actor

COLLECTION = "break_glass"
LASTS = timedelta(minutes=15)
REVIEW_WITHIN = timedelta(hours=24)
SHORTEST_REASON, LONGEST_REASON = 10, 500
LONGEST_INCIDENT = 64
FINDINGS: Mapping[str, str] = {
    "justified": "Justified",
    "not_justified": "Not justified",
    "follow_up": "Needs following up",
}
_SAY_WHY = f"Say why you need it, in {SHORTEST_REASON} to {LONGEST_REASON} characters."
_SAY_WHAT_FOLLOWS = f"Say what has to follow, in {SHORTEST_REASON} to {LONGEST_REASON} characters."
_TRIES = 8
_TIMES = ("opened_at", "expires_at", "ended_at", "reviewed_at")


class GlassRefused(Exception):
    """A breaking, ending or review that was refused; nothing was changed. `field` is the box it is about."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{reason} Nothing was changed.")
        self.field = field
        self.reason = reason


class NoSuchGlass(Exception):
    """No breaking of that id."""


@dataclass(frozen=True, slots=True)
class Glass:
    """One breaking: who, for which incident, why, from when to when, and what its review found.

    `reviewed_by` is the account of the reviewer, `reviewer` their name; `finding` is a code of `FINDINGS`.
    """

    glass_id: str
    version: int
    account_id: str
    name: str
    role: str
    incident: str
    reason: str
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    reviewed_by: str | None = None
    reviewer: str | None = None
    reviewed_at: datetime | None = None
    finding: str | None = None
    note: str = ""

    @property
    def until(self) -> datetime:
        """When it was over, or will be."""
        return self.expires_at if self.ended_at is None else min(self.ended_at, self.expires_at)

    @property
    def review_due(self) -> datetime:
        return self.opened_at + REVIEW_WITHIN

    def open_at(self, now: datetime) -> bool:
        return self.opened_at <= now < self.until

    def overdue_at(self, now: datetime) -> bool:
        """Not reviewed although its 24 hours are over."""
        return self.reviewed_at is None and now >= self.review_due

    def as_plain(self) -> bytes:
        """The content of the sealed record."""
        fields = {name: value for name, value in asdict(self).items() if name not in ("glass_id", "version")}
        for name in _TIMES:
            fields[name] = None if fields[name] is None else fields[name].isoformat()
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_plain(cls, glass_id: str, version: int, plain: bytes) -> Glass:
        """The inverse of `as_plain`."""
        fields: dict[str, Any] = json.loads(plain)
        for name in _TIMES:
            fields[name] = None if fields[name] is None else datetime.fromisoformat(fields[name])
        return cls(glass_id=glass_id, version=version, **fields)


class GlassBook(Following):
    """Every breaking as of `position`."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Glass] = {}

    def _clear(self) -> None:
        self._kept.clear()

    def _take(self, record: Record) -> None:
        if record.plain is None:
            self._kept.pop(record.record_id, None)
        else:
            self._kept[record.record_id] = Glass.from_plain(record.record_id, record.version, record.plain)

    def open_for(self, actor: Actor, incident: str | None, now: datetime) -> tuple[Glass | None, int]:
        """What the actor has open for exactly this incident, and the position at which that was so."""
        with self._lock:
            mine = (kept for kept in self._kept.values() if kept.account_id == actor.actor_id and kept.open_at(now))
            return next((kept for kept in mine if same_incident(kept.incident, incident)), None), self._position

    def get(self, glass_id: str) -> Glass:
        """Raises NoSuchGlass."""
        with self._lock:
            found = self._kept.get(glass_id)
        if found is None:
            raise NoSuchGlass
        return found

    def all(self) -> tuple[Glass, ...]:
        """Every breaking, newest first."""
        with self._lock:
            return tuple(sorted(self._kept.values(), key=lambda kept: kept.opened_at, reverse=True))

    def to_review(self) -> tuple[Glass, ...]:
        """Those nobody has reviewed yet, the one due first in front."""
        return tuple(kept for kept in self.all()[::-1] if kept.reviewed_at is None)


def break_glass(
    store: Store, access: AccessBook, book: GlassBook, actor: Actor, incident: str, reason: str, now: datetime
) -> Glass:
    """Open it for 15 minutes. The caller has just re-authenticated the person.

    Raises GlassRefused, `StoreUnavailable` (the outcome is then unknown).
    """
    glass = Glass(
        glass_id=secrets.token_hex(16),
        version=1,
        account_id=actor.actor_id,
        name=actor.name,
        role=actor.role,
        incident=_text(
            "incident", incident, 1, LONGEST_INCIDENT, "Give the incident's reference, up to 64 characters."
        ),
        reason=_text("reason", reason, SHORTEST_REASON, LONGEST_REASON, _SAY_WHY),
        opened_at=now,
        expires_at=now + LASTS,
    )
    _change(store, access, book, actor, glass, 0, "opened", ("incident", "reason", "expires_at"), now)
    return glass


def end_glass(store: Store, access: AccessBook, book: GlassBook, actor: Actor, glass_id: str, now: datetime) -> None:
    """Close it before its time: the person who opened it, or whoever reviews. GlassRefused, NoSuchGlass."""
    glass = book.get(glass_id)
    if not glass.open_at(now):
        raise GlassRefused("glass", "That had already ended.")
    ended = replace(glass, ended_at=now)
    _change(store, access, book, actor, ended, glass.version, "ended", ("ended_at",), now)


def review_glass(
    store: Store,
    access: AccessBook,
    book: GlassBook,
    actor: Actor,
    glass_id: str,
    finding: str,
    note: str,
    now: datetime,
) -> None:
    """Record what a second person found. GlassRefused (also for one's own), NoSuchGlass, `VersionConflict`."""
    glass = book.get(glass_id)
    if glass.account_id == actor.actor_id:
        raise GlassRefused("finding", "Nobody reviews their own.")
    if glass.reviewed_at is not None:
        raise GlassRefused("finding", "Somebody else has reviewed it already.")
    if finding not in FINDINGS:
        raise GlassRefused("finding", "Choose what you found.")
    shortest = 0 if finding == "justified" else SHORTEST_REASON
    reviewed = replace(
        glass,
        reviewed_by=actor.actor_id,
        reviewer=actor.name,
        reviewed_at=now,
        finding=finding,
        note=_text("note", note, shortest, LONGEST_REASON, _SAY_WHAT_FOLLOWS),
    )
    fields = ("reviewed_by", "finding", "note")
    _change(store, access, book, actor, reviewed, glass.version, f"reviewed_{finding}", fields, now)


def same_incident(one: str | None, other: str | None) -> bool:
    """Whether two references name one incident: spaces and capitals apart, and neither missing."""
    tidy = ["".join(reference.split()).casefold() for reference in (one or "", other or "")]
    return tidy[0] == tidy[1] != ""


def _text(field: str, text: str, shortest: int, longest: int, say: str) -> str:
    tidy = "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
    if not shortest <= len(tidy) <= longest or not is_plain_text(tidy.replace("\n", " ")):
        raise GlassRefused(field, say)
    return tidy


def _change(
    store: Store,
    access: AccessBook,
    book: GlassBook,
    actor: Actor,
    glass: Glass,
    expected: int,
    act: str,
    fields: tuple[str, ...],
    now: datetime,
) -> None:
    """One record, its ledger entry, and only if the actor still stands as they are."""
    request_id = str(uuid.uuid4())
    entry = LedgerEntry(
        entry_id=request_id,
        at=now,
        operation=Event.BREAK_GLASS,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        incident=glass.incident,
        reason=f"break_glass_{act}",
        records=(RecordSeen(glass.glass_id, expected + 1, fields=fields),),
    )
    write = Write(COLLECTION, glass.glass_id, expected, glass.as_plain())
    for _ in range(_TRIES):
        standing = access.standing(actor, now)
        if standing is None:
            raise GlassRefused("password", "Your sign-in has ended.")
        commit = Commit(request_id, {"access": standing}, (write,), (entry.canonical(),))
        try:
            done = _sent(store, commit)
        except VersionConflict:
            _catch_up(store, book)
            raise
        if isinstance(done, Committed):
            _catch_up(store, book)
            return
        news = done.changes["access"]
        access.apply(store.load("access") if news.reload else news)
    raise GlassRefused("password", "Accounts are changing faster than this can follow. Try again.")


def _sent(store: Store, commit: Commit) -> Any:
    try:
        return store.commit(commit)
    except StoreUnavailable:
        return store.commit(commit)  # one lost reply or one restarted store; the request id makes it one change


def _catch_up(store: Store, book: GlassBook) -> None:
    news = store.changes(COLLECTION, book.position)
    if news.reload:
        book.replace(store.load(COLLECTION))
    else:
        book.apply(news)
