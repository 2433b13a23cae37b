"""Whether bytes are a canonical ledger entry, decided by one pattern: a million of them take seconds, not a minute.

It accepts what `LedgerEntry.canonical` writes (RFC 8785 form, members in order) and nothing else.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

from markers.ledger import Basis, Event, Operation, Via

_MOST: Final = 2**53 - 1
_TEXT = (
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+"'  # shortest escapes alone
)
_MAYBE = rb"(?:null|%b)" % _TEXT
_TEXTS = rb"\[(?:%b(?:,%b)*)?\]" % (_TEXT, _TEXT)
_RECORD = rb'\{"fields":%b,"grade":%b,"record_id":%b,"version":(?:0|[1-9][0-9]{0,15})\}' % (_TEXTS, _MAYBE, _TEXT)


def _one_of(*kinds: type[Operation | Event | Via | Basis]) -> bytes:
    return b"|".join(name.value.encode() for kind in kinds for name in kind)


_ENTRY: Final = re.compile(
    rb'\{"about":%b,"actor_id":%b,"actor_role":%b,' % (_TEXTS, _TEXT, _TEXT)
    + rb'"at":"((\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{6}Z)","check_id":%b,"entry_id":(%b),'
    % (_MAYBE, _TEXT)
    + rb'"format":1,"incident":%b,"late":(?:true|(false)),"operation":"(%b)",' % (_MAYBE, _one_of(Operation, Event))
    + rb'"reason":%b,"recipients":%b,"records":(\[(?:%b(?:,%b)*)?\]),' % (_MAYBE, _TEXTS, _RECORD, _RECORD)
    + rb'"status":%b,"store":"(?:%b)","via":"(?:%b)"\}' % (_MAYBE, _one_of(Basis), _one_of(Via))
)
_LONG_VERSION: Final = re.compile(rb'"version":([0-9]{16})\}')

Shape = tuple[bytes, bytes, bool, bytes]
"""What verification looks at: the time (written so that it sorts as time does), entry id, whether late, operation."""


def shape_of(raw: bytes) -> Shape | None:
    """The shape of an entry's bytes, or None when they are not a canonical entry."""
    found = _ENTRY.fullmatch(raw)
    if found is None:
        return None
    at, day, entry_id, in_time, operation, records = found.groups()
    if not _is_day(day) or not (raw.isascii() or _is_text(raw)):
        return None
    if len(records) > 2 and any(int(version) > _MOST for version in _LONG_VERSION.findall(records)):
        return None
    return at, entry_id, in_time is None, operation


@lru_cache(1024)
def _is_day(day: bytes) -> bool:
    try:
        date.fromisoformat(day.decode())
    except ValueError:
        return False
    return True


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
