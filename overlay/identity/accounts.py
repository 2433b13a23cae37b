"""Local accounts: create, change password or role, disable. A name once taken stays taken.

One name, one account: every change commits expecting the position at which the book was looked at, so two
accounts of one name can't both be new.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import replace
from datetime import datetime

from markers.commits import Write
from markers.ledger import Event
from markers.store import Store
from overlay.identity.access import AccessBook, Account
from overlay.identity.changes import COMMAND_LINE, IdentityError, Planned, Refused, change, put, remove
from overlay.identity.passwords import hash_password
from overlay.roles import ROLES, Actor

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
LONGEST_NAME = 100


class NameTaken(IdentityError):
    """The username belongs to somebody, perhaps to a disabled account."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The username '{username}' is taken. Nothing was changed; choose another.")


class NoSuchAccount(IdentityError):
    """No account of that name."""

    def __init__(self, username: str) -> None:
        super().__init__(f"There is no account '{username}'. Nothing was changed.")


def create_account(
    store: Store,
    access: AccessBook,
    username: str,
    name: str,
    role: str,
    password: str,
    now: datetime,
    by: Actor = COMMAND_LINE,
) -> Account:
    """A new account. `Refused` for a bad field, `NameTaken`, `StoreUnavailable`."""
    username = _username(username)
    name, role = readable_name(name), known_role(role)
    account_id = secrets.token_hex(16)
    account = Account(
        account_id=account_id,
        version=0,
        username=username,
        name=name,
        role=role,
        password=hash_password(password),
        disabled=False,
        epoch=1,
        created_at=now,
        changed_at=now,
    )

    def plan() -> Planned:
        if access.account(username) is not None:
            raise NameTaken(username)
        return Planned(
            (put(account),), Event.ACCESS, "account_created", account_id, ("username", "name", "role", "password")
        )

    change(store, access, by, now, plan)
    return replace(account, version=1)


def set_password(
    store: Store, access: AccessBook, username: str, password: str, now: datetime, by: Actor = COMMAND_LINE
) -> None:
    """A new password; every session of the account ends. `Refused`, `NoSuchAccount`, `StoreUnavailable`."""
    hashed = hash_password(password)

    def plan() -> Planned:
        account = _existing(access, username)
        if account.subject:
            raise Refused("password", "An account of the single sign-on has no password here.")
        changed = replace(account, password=hashed, epoch=account.epoch + 1, changed_at=now)
        return Planned(
            (put(changed), *_sessions_end(access, account)),
            Event.ACCESS,
            "password_set",
            account.account_id,
            ("password",),
        )

    change(store, access, by, now, plan)


def set_role(
    store: Store, access: AccessBook, username: str, role: str, now: datetime, by: Actor = COMMAND_LINE
) -> None:
    """Another role; every session of the account ends. `Refused`, `NoSuchAccount`, `StoreUnavailable`."""
    role = known_role(role)

    def plan() -> Planned:
        account = _existing(access, username)
        changed = replace(account, role=role, epoch=account.epoch + 1, changed_at=now)
        return Planned(
            (put(changed), *_sessions_end(access, account)), Event.ACCESS, "role_set", account.account_id, ("role",)
        )

    change(store, access, by, now, plan)


def disable_account(store: Store, access: AccessBook, username: str, now: datetime, by: Actor = COMMAND_LINE) -> None:
    """The account may no longer sign in and its sessions end. `NoSuchAccount`, `StoreUnavailable`."""
    _stand(store, access, username, now, by, disabled=True)


def enable_account(store: Store, access: AccessBook, username: str, now: datetime, by: Actor = COMMAND_LINE) -> None:
    """The account may sign in again, as it did before. `NoSuchAccount`, `StoreUnavailable`."""
    _stand(store, access, username, now, by, disabled=False)


def end_sessions(store: Store, access: AccessBook, username: str, now: datetime, by: Actor = COMMAND_LINE) -> None:
    """Every session of the account ends, on every process. `NoSuchAccount`, `StoreUnavailable`."""

    def plan() -> Planned:
        account = _existing(access, username)
        changed = replace(account, epoch=account.epoch + 1, changed_at=now)
        return Planned(
            (put(changed), *_sessions_end(access, account)), Event.ACCESS, "sessions_ended", account.account_id
        )

    change(store, access, by, now, plan)


def reset_second_factor(
    store: Store, access: AccessBook, username: str, now: datetime, by: Actor = COMMAND_LINE
) -> None:
    """The account has no second factor any more and its sessions end; the next sign-in sets up another.

    `NoSuchAccount`, `StoreUnavailable`.
    """

    def plan() -> Planned:
        account = _existing(access, username)
        factor = access.second_factor(account.account_id)
        changed = replace(account, epoch=account.epoch + 1, changed_at=now)
        gone = () if factor is None else (remove(factor),)
        return Planned(
            (put(changed), *gone, *_sessions_end(access, account)),
            Event.ACCESS,
            "second_factor_reset",
            account.account_id,
            ("second_factor",),
        )

    change(store, access, by, now, plan)


def readable_name(name: str) -> str:
    """A person's or program's name as it will be shown. `Refused` when empty, too long or not plain text."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(letter).startswith("C") for letter in name):
        raise Refused("name", f"A name has 1 to {LONGEST_NAME} characters of plain text.")
    return name


def known_role(role: str) -> str:
    """The role, if there is one of that name. `Refused` with the names there are."""
    if role not in ROLES:
        raise Refused("role", f"There is no such role. The roles are {', '.join(ROLES)}.")
    return role


def _username(username: str) -> str:
    username = username.strip().casefold()
    if not _USERNAME.fullmatch(username):
        raise Refused(
            "username",
            "A username has 2 to 64 of a-z, 0-9, dot, hyphen and underscore, starting with a letter or digit.",
        )
    return username


def _existing(access: AccessBook, username: str) -> Account:
    account = access.account(username)
    if account is None:
        raise NoSuchAccount(username.strip())
    return account


def _stand(store: Store, access: AccessBook, username: str, now: datetime, by: Actor, *, disabled: bool) -> None:
    def plan() -> Planned:
        account = _existing(access, username)
        changed = replace(account, disabled=disabled, epoch=account.epoch + 1, changed_at=now)
        reason = "account_disabled" if disabled else "account_enabled"
        writes = (put(changed), *_sessions_end(access, account))
        return Planned(writes, Event.ACCESS, reason, account.account_id, ("disabled",))

    change(store, access, by, now, plan)


def _sessions_end(access: AccessBook, account: Account) -> tuple[Write, ...]:
    return tuple(remove(kept) for kept in access.openings(account.account_id))
