"""One entry of the consultation ledger: who did what to which records, when, for which incident.

The operations are those of the Data Protection Act 2018 s.62(1), with signing in and changes of access beside them.
An entry names records and fields, never their content, so that erasing a record leaves no copy in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

_FORMAT: Final = 1
_EXACT: Final = 2**53 - 1
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Operation(StrEnum):
    """Data Protection Act 2018 s.62(1)(a) to (f)."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"


class Event(StrEnum):
    """What is logged beside the six operations: who came in, what they were allowed, and when they broke the glass."""

    SIGN_IN = "sign_in"
    ACCESS = "access"
    BREAK_GLASS = "break_glass"


class Via(StrEnum):
    """The way in."""

    WEB = "web"
    API = "api"
    CLI = "cli"
    SYSTEM = "system"


class Basis(StrEnum):
    """Whether the answer came from the store as it is, or from what was last known of it."""

    CURRENT = "current"
    LAST_KNOWN = "last_known"


@dataclass(frozen=True, slots=True)
class RecordSeen:
    """One record an entry is about: its version, the grade it matched with, and the names of the fields shown."""

    record_id: str
    version: int
    grade: str | None = None
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.version <= _EXACT:
            raise ValueError("a version is a whole number from 0 to 2^53")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry. `at` is when it happened (aware, kept as UTC to the microsecond), not when it was stored.

    `about` holds HMAC tokens of what was looked for, never its text; `recipients` who a disclosure went to;
    `late` marks an entry that waited in the spool while the store was away. `ValueError` for a naive time.
    """

    entry_id: str
    at: datetime
    operation: Operation | Event
    actor_id: str
    actor_role: str
    via: Via
    incident: str | None = None
    reason: str | None = None
    check_id: str | None = None
    status: str | None = None
    store: Basis = Basis.CURRENT
    about: tuple[str, ...] = ()
    records: tuple[RecordSeen, ...] = ()
    late: bool = False
    recipients: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.at.utcoffset() is None:
            raise ValueError("a ledger entry needs a time with its zone")

    def canonical(self) -> bytes:
        """The entry as canonical JSON (RFC 8785), the bytes that are sealed, hashed and signed.

        The members stand in canonical order here already. Raises `ValueError` for text that is not Unicode (a lone
        surrogate), which RFC 8785 s.3.2.2.2 refuses.
        """
        return _utf8(
            {
                "about": self.about,
                "actor_id": self.actor_id,
                "actor_role": self.actor_role,
                "at": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "check_id": self.check_id,
                "entry_id": self.entry_id,
                "format": _FORMAT,
                "incident": self.incident,
                "late": self.late,
                "operation": self.operation,
                "reason": self.reason,
                "recipients": self.recipients,
                "records": [
                    {"fields": seen.fields, "grade": seen.grade, "record_id": seen.record_id, "version": seen.version}
                    for seen in self.records
                ],
                "status": self.status,
                "store": self.store,
                "via": self.via,
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> LedgerEntry:
        """The inverse of `canonical`. `ValueError` for anything that is not such an entry."""
        try:
            plain: dict[str, Any] = json.loads(raw)
            if plain.pop("format") != _FORMAT:
                raise ValueError("a ledger entry of a format this version does not read")
            operation = plain.pop("operation")
            entry = cls(
                at=datetime.fromisoformat(plain.pop("at")),
                operation=Operation(operation) if operation in set(Operation) else Event(operation),
                via=Via(plain.pop("via")),
                store=Basis(plain.pop("store")),
                about=tuple(plain.pop("about")),
                records=tuple(RecordSeen(**{**seen, "fields": tuple(seen["fields"])}) for seen in plain.pop("records")),
                recipients=tuple(plain.pop("recipients")),
                **plain,
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("these bytes are not a ledger entry") from None
        return entry


def search(
    entries: Iterable[LedgerEntry],
    *,
    actor: str | None = None,
    incident: str | None = None,
    marker: str | None = None,
    check: str | None = None,
    about: str | None = None,
) -> Iterator[LedgerEntry]:
    """The entries that fit everything given: actor id, incident reference, record id, check id, token looked for."""
    for entry in entries:
        if (
            (actor is None or entry.actor_id == actor)
            and (incident is None or entry.incident == incident)
            and (marker is None or any(seen.record_id == marker for seen in entry.records))
            and (check is None or entry.check_id == check)
            and (about is None or about in entry.about)
        ):
            yield entry


def canonical_json(value: Any) -> bytes:
    """RFC 8785 (JSON Canonicalization Scheme) for values without fractions.

    Members are sorted by the UTF-16 code units of their names, nothing is spaced, text is UTF-8 with the shortest
    escapes. Numbers are whole and within 2^53, where every JSON reader agrees; `ValueError` for any other, for a lone
    surrogate, and for what JSON has no form for.
    """
    return _utf8(_ordered(value))


def _utf8(ordered: Any) -> bytes:
    try:
        return _ENCODER.encode(ordered).encode()
    except UnicodeEncodeError:
        raise ValueError("text with a lone surrogate has no canonical form") from None


def _ordered(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("a JSON member is named by text")
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _ordered(value[name]) for name in names}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return value
    raise ValueError(
        f"{type(value).__name__} has no canonical form here: only text, truth, whole numbers to 2^53, lists"
    )
