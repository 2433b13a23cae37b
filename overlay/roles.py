"""Roles and what each may do: one table, `config/roles.toml`, read at boot."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from markers.ledger import Via

ROLES = (
    "call_handler",
    "dispatcher",
    "control_room_supervisor",
    "ppu_officer",
    "ppu_supervisor",
    "auditor",
    "administrator",
    "service",
)

PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        "console.open": "open the console's pages",
        "checks.make": "check a location for markers",
        "markers.import": "load a list of markers",
        "markers.count": "learn how many marked premises a vague location could mean",
        "ledger.search": "search and export the consultation ledger",
        "accounts.manage": "create, change and disable accounts",
        "tokens.manage": "create and revoke service tokens",
        "api.describe": "read the description of the HTTP interface",
    }
)

# Administrators see no marker content, and whoever reads the ledger is not in it as a checker.
NEVER_TOGETHER = (("administrator", "checks.make"), ("auditor", "checks.make"))


class RolesError(ValueError):
    """The table of roles is unreadable or names something unknown. The message names the file and the place."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking.

    `actor_id` is the record of the account or service token; `via` the way in, as the ledger names it;
    `credential` is the record of the session or token presented, empty on the command line.
    """

    actor_id: str
    name: str
    role: str
    via: Via
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Roles:
    """The table: a title and a set of permissions for every role."""

    titles: Mapping[str, str]
    permissions: Mapping[str, frozenset[str]]

    @classmethod
    def load(cls, path: Path) -> Roles:
        """Read the table. `RolesError` on a missing or unknown role, permission or key."""
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RolesError(f"{path}: the table of roles can't be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RolesError(f"{path}: not valid TOML: {error}") from error
        for role in table:
            if role not in ROLES:
                raise RolesError(f"{path}: unknown role '{role}'; known roles are {', '.join(ROLES)}")
        titles: dict[str, str] = {}
        permissions: dict[str, frozenset[str]] = {}
        for role in ROLES:
            titles[role], permissions[role] = _row(path, role, table.get(role))
        return cls(MappingProxyType(titles), MappingProxyType(permissions))

    def allows(self, role: str, permission: str) -> bool:
        """Whether the role holds the permission. An unknown permission is a programming error: `KeyError`."""
        if permission not in PERMISSIONS:
            raise KeyError(permission)
        return permission in self.permissions.get(role, frozenset())

    def title(self, role: str) -> str:
        """The role's name as people read it."""
        return self.titles[role]


def _row(path: Path, role: str, row: Any) -> tuple[str, frozenset[str]]:
    if not isinstance(row, dict):
        raise RolesError(f"{path}: role '{role}' is missing")
    for key in row:
        if key not in ("title", "permissions"):
            raise RolesError(f"{path}: [{role}] has an unknown key '{key}'; it takes 'title' and 'permissions'")
    title, names = row.get("title"), row.get("permissions")
    if not isinstance(title, str) or not title.strip():
        raise RolesError(f"{path}: [{role}] needs a 'title'")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RolesError(f"{path}: [{role}] needs 'permissions', a list of names")
    for name in names:
        if name not in PERMISSIONS:
            raise RolesError(
                f"{path}: [{role}] names an unknown permission '{name}'; known permissions are {', '.join(PERMISSIONS)}"
            )
        if (role, name) in NEVER_TOGETHER:
            raise RolesError(f"{path}: [{role}] may not hold '{name}'")
    return title.strip(), frozenset(names)
