"""Device cookies: a browser that once signed in as somebody is told apart from strangers trying that name.

After OWASP, "Slow Down Online Guessing Attacks with Device Cookies". One cookie a browser, for all who share it: a
random device id, and for each account the day and a keyed tag of device, account and day. It opens nothing; it only
gives tries a counter of their own, so that strangers who hammer a name lock out strangers alone.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

from markers.vault import Vault

KEPT = timedelta(days=90)
MOST_ACCOUNTS = 40
_COOKIE = re.compile(r"([0-9a-f]{32})((?:\.[0-9]{1,6}-[0-9a-f]{32})*)")
_DAY_S = 86_400


def known_device(vault: Vault, cookie: str, account_id: str, now: datetime) -> str | None:
    """The device's id, if it signed in to this account within `KEPT`; None for any other cookie."""
    device_id, _ = _read(cookie)
    mine = (day for day, tag in _tags(cookie) if _is_tag(vault, device_id, account_id, day, tag))
    return device_id if any(_fresh(day, now) for day in mine) else None


def remember_device(vault: Vault, cookie: str, account_id: str, now: datetime) -> str:
    """The cookie with this account added, or renewed; a new device where there was no usable cookie."""
    device_id, _ = _read(cookie)
    others = [
        (day, tag)
        for day, tag in _tags(cookie)
        if _fresh(day, now) and not _is_tag(vault, device_id, account_id, day, tag)
    ]
    device_id = device_id or secrets.token_hex(16)
    today = _day(now)
    kept = [(today, _tag(vault, device_id, account_id, today)), *others][:MOST_ACCOUNTS]
    return ".".join((device_id, *(f"{day}-{tag}" for day, tag in kept)))


def _read(cookie: str) -> tuple[str, str]:
    found = _COOKIE.fullmatch(cookie) if len(cookie) < 4096 else None
    return (found[1], found[2]) if found else ("", "")


def _tags(cookie: str) -> Iterator[tuple[int, str]]:
    for part in _read(cookie)[1].split(".")[1:]:
        day, _, tag = part.partition("-")
        yield int(day), tag


def _is_tag(vault: Vault, device_id: str, account_id: str, day: int, tag: str) -> bool:
    return hmac.compare_digest(_tag(vault, device_id, account_id, day), tag)


def _tag(vault: Vault, device_id: str, account_id: str, day: int) -> str:
    return vault.token("device", f"{device_id}|{account_id}|{day}")[:32]


def _day(now: datetime) -> int:
    return int(now.timestamp()) // _DAY_S


def _fresh(day: int, now: datetime) -> bool:
    return 0 <= _day(now) - day <= KEPT.days
