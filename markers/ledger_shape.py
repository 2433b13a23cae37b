"""Whether bytes are a canonical ledger entry, decided by one pattern: a million of them take seconds, not a minute.

It accepts what `LedgerEntry.canonical` writes (RFC 8785 form, members in order) and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markers.ledger import Basis, Event, Operation, Via

_MOST: Final = 2**53 - 1
_TEXT = rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*)*"'  # shortest escapes alone
_MAYBE = rb"(?:null|%b)" % _TEXT
_TEXTS = rb"\[(?:%b(?:,%b)*)?\]" % (_TEXT, _TEXT)
_RECORD = rb'\{"fields":%b,"grade":%b,"record_id":%b,"version":(?:0|[1-9][0-9]{0,15})\}' % (_TEXTS, _MAYBE, _TEXT)


def _one_of(*kinds: type[Operation | Event | Via | Basis]) -> bytes:
    return b"|".join(name.value.encode() for kind in kinds for name in kind)


_ENTRY: Final = re.compile(
    rb'\{"about":%b,"actor_id":%b,"actor_role":%b,' % (_TEXTS, _TEXT, _TEXT)
    + rb'"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)","check_id":%b,"entry_id":(%b),' % (_MAYBE, _TEXT)
    + rb'"format":1,"incident":%b,"late":(true|false),"operation":"(%b)",' % (_MAYBE, _one_of(Operation, Event))
    + rb'"reason":%b,"recipients":%b,"records":(\[(?:%b(?:,%b)*)?\]),' % (_MAYBE, _TEXTS, _RECORD, _RECORD)
    + rb'"status":%b,"store":"(?:%b)","via":"(?:%b)"\}' % (_MAYBE, _one_of(Basis), _one_of(Via))
)
_LONG_VERSION: Final = re.compile(rb'"version":([0-9]{16})\}')


@dataclass(frozen=True, slots=True)
class Shape:
    """What verification looks at of one entry; `at` as it is written, which sorts as time does."""

    at: str
    entry_id: bytes
    late: bool
    operation: str


def shape_of(raw: bytes) -> Shape | None:
    """The shape of an entry's bytes, or None when they are not a canonical entry."""
    found = _ENTRY.fullmatch(raw)
    if found is None:
        return None
    at, entry_id, late, operation, records = found.groups()
    try:
        moment = at.decode()
        datetime.fromisoformat(moment)
        if not raw.isascii():
            raw.decode()
    except ValueError:
        return None
    if any(int(version) > _MOST for version in _LONG_VERSION.findall(records)):
        return None
    return Shape(moment, entry_id, late == b"true", operation.decode())
