"""One try of a password or a code: counted before it is judged, against its own browser or against all strangers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from limits import RateLimitItem

from overlay.identity.access import Account
from overlay.identity.counters import ADDRESS_TRIES, CODE_TRIES, PASSWORD_TRIES
from overlay.identity.devices import known_device
from overlay.identity.door import Browser, Door
from overlay.identity.failures import failed


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was taken. `stranger` says that this browser never signed in to the account before."""

    door: Door
    what: str
    name: str
    account: Account | None
    stranger: bool
    key: tuple[str, ...]
    rule: RateLimitItem
    counted: int
    address: str | None = None

    def failed(self, now: datetime) -> None:
        """It was wrong. `StoreUnavailable`, `CountersAway`."""
        failed(self.door, self.what, self.name, self.account, self.counted, self.rule, now)

    def succeeded(self) -> None:
        """It was right: this browser starts again from nothing, and its address is as before. `CountersAway`."""
        self.door.counters.forget(self.rule, *self.key)
        if self.address is not None:
            self.door.counters.count(ADDRESS_TRIES, "address", self.address, amount=-1)


def password_try(door: Door, name: str, account: Account | None, browser: Browser, now: datetime) -> Try:
    """Take one password. `SlowDown`, `CountersAway`; both before anything is compared.

    An address is only held up by browsers unknown to the account they try, so that one person, or a stranger, behind
    the address of a control room does not keep the room out.
    """
    taken = _take(door, "sign_in", PASSWORD_TRIES, name, account, browser, now)
    if not taken.stranger:
        return taken
    address = door.vault.token("address", browser.address)
    door.counters.take(ADDRESS_TRIES, "address", address)
    return replace(taken, address=address)


def code_try(door: Door, account: Account, browser: Browser, now: datetime) -> Try:
    """Take one code of the second factor. `SlowDown`, `CountersAway`."""
    return _take(door, "code", CODE_TRIES, account.username, account, browser, now)


def _take(
    door: Door,
    what: str,
    rule: RateLimitItem,
    name: str,
    account: Account | None,
    browser: Browser,
    now: datetime,
) -> Try:
    name = name.strip().casefold()[:80]
    device = known_device(door.vault, browser.device, account.account_id, now) if account else None
    whom = door.vault.token("username", name)
    key = (what, whom, device or "strangers")
    return Try(door, what, name, account, device is None, key, rule, door.counters.take(rule, *key))
