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
_STRICT = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+"'
_EASY = rb'"[^"]*+"'  # as good where nothing is escaped and nothing would have to be, and twice as fast
_ODD: Final = bytes(range(0x20)) + b"\\"


def _one_of(*kinds: type[Operation | Event | Via | Basis]) -> bytes:
    return b"|".join(name.value.encode() for kind in kinds for name in kind)


def _entry(text: bytes) -> re.Pattern[bytes]:
    maybe = rb"(?:null|%b)" % text
    texts = rb"\[(?:%b(?:,%b)*)?\]" % (text, text)
    record = rb'\{"fields":%b,"grade":%b,"record_id":%b,"version":(?:0|[1-9][0-9]{0,15})\}' % (texts, maybe, text)
    return re.compile(
        rb'\{"about":%b,"actor_id":%b,"actor_role":%b,' % (texts, text, text)
        + rb'"at":"((\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{6}Z)","check_id":%b,' % maybe
        + rb'"entry_id":(%b),"format":1,"incident":%b,"late":(?:true|(false)),' % (text, maybe)
        + rb'"operation":"(%b)","reason":%b,"recipients":%b,' % (_one_of(Operation, Event), maybe, texts)
        + rb'"records":(\[(?:%b(?:,%b)*)?\]),"status":%b,' % (record, record, maybe)
        + rb'"store":"(?:%b)","via":"(?:%b)"\}' % (_one_of(Basis), _one_of(Via))
    )


_ENTRY: Final = _entry(_STRICT)
_EASY_ENTRY: Final = _entry(_EASY)
_LONG_VERSION: Final = re.compile(rb'"version":([0-9]{16})\}')

Shape = tuple[bytes, bytes, bool, bytes]
"""What verification looks at: the time (written so that it sorts as time does), entry id, whether late, operation."""


def shape_of(raw: bytes) -> Shape | None:
    """The shape of an entry's bytes, or None when they are not a canonical entry."""
    easy = len(raw.translate(None, _ODD)) == len(raw)
    found = (_EASY_ENTRY if easy else _ENTRY).fullmatch(raw)
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
