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
        "markers.read": "open a marker's own page",
        "markers.propose": "propose markers, changes to them and their ending, and take one's own proposal back",
        "markers.approve": "approve or turn down what another person proposed, and keep or dismiss provisional markers",
        "markers.confirm": "confirm at review that a marker is still right",
        "markers.provisional": "add a marker at once that lapses unless public protection keeps it",
        "feedback.give": "tell a marker's owner that it is on the wrong place, moved or still right",
        "markers.export": "take a list of markers out of the system",
        "markers.erase": "erase a marker that is over, and every trace of what it said",
        "disclosures.read": "see to whom markers were shown",
        "incidents.read": "see incidents and their prompts",
        "incidents.work": "open incidents, answer prompts, grade, and say what changed",
        "incidents.dispatch": "put units on incidents and record what they were told",
        "incidents.close": "close incidents and open them again",
        "raises.take": "take what was raised on oneself, by name",
        "break_glass.open": "see withheld detail for one incident, for a reason, for at most 15 minutes",
        "break_glass.told": "be told at once that somebody broke the glass",
        "break_glass.review": "review why somebody broke the glass",
        "room.supervise": "see what is overdue in the control room",
        "ledger.search": "search the consultation ledger",
        "ledger.export": "export what a ledger search found, with its proof",
        "accounts.manage": "create, change and disable accounts, and end their sessions",
        "tokens.manage": "create and revoke service tokens",
        "metrics.read": "read counts and times of the service, in Prometheus's form",
        "api.describe": "read the description of the HTTP interface",
    }
)

_CONTENT = (
    *("checks.make", "markers.import", "markers.count", "markers.read", "disclosures.read", "break_glass.open"),
    *("markers.propose", "markers.approve", "markers.confirm", "markers.provisional", "markers.erase"),
    "markers.export",
    "feedback.give",
    *("incidents.read", "incidents.work", "incidents.dispatch", "incidents.close", "raises.take"),
)
_OPENING = ("accounts.manage", "tokens.manage")
# Whoever reads the ledger, looks after accounts or sees markers does not do another of the three: nobody audits their
# own activity (Police National Database code of practice), and administrators see no marker content.
NEVER_TOGETHER: tuple[tuple[str, str], ...] = (
    *((reading, seeing) for reading in ("ledger.search", "ledger.export") for seeing in (*_CONTENT, *_OPENING)),
    *((opening, seeing) for opening in _OPENING for seeing in _CONTENT),
)


class RolesError(ValueError):
    """The table of roles is unreadable or names something unknown. The message names the file and the place."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking.

    `actor_id` is the record of the account or service token; `via` the way in, as the ledger names it;
    `credential` is the record of the session or token presented, empty on the command line. `scopes` are the only
    permissions a service token was given; None leaves all that the role holds.
    """

    actor_id: str
    name: str
    role: str
    via: Via
    credential: str = ""
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """The table: a title and a set of permissions for every role, and whom it asks for what it is not shown."""

    titles: Mapping[str, str]
    permissions: Mapping[str, frozenset[str]]
    asks: Mapping[str, str]

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
        asks: dict[str, str] = {}
        for role in ROLES:
            titles[role], permissions[role], asks[role] = _row(path, role, table.get(role))
        return cls(MappingProxyType(titles), MappingProxyType(permissions), MappingProxyType(asks))

    def allows(self, role: str, permission: str) -> bool:
        """Whether the role holds the permission. An unknown permission is a programming error: `KeyError`."""
        if permission not in PERMISSIONS:
            raise KeyError(permission)
        return permission in self.permissions.get(role, frozenset())

    def may(self, actor: Actor, permission: str) -> bool:
        """Whether this actor may: the role holds the permission, and so does the token where one was presented."""
        return self.allows(actor.role, permission) and (actor.scopes is None or permission in actor.scopes)

    def title(self, role: str) -> str:
        """The role's name as people read it."""
        return self.titles[role]


def _row(path: Path, role: str, row: Any) -> tuple[str, frozenset[str], str]:
    if not isinstance(row, dict):
        raise RolesError(f"{path}: role '{role}' is missing")
    for key in row:
        if key not in ("title", "permissions", "asks"):
            raise RolesError(f"{path}: [{role}] has an unknown key '{key}'; it takes 'title', 'permissions' and 'asks'")
    title, names, asks = row.get("title"), row.get("permissions"), row.get("asks", "")
    if not isinstance(title, str) or not title.strip():
        raise RolesError(f"{path}: [{role}] needs a 'title'")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RolesError(f"{path}: [{role}] needs 'permissions', a list of names")
    for name in names:
        if name not in PERMISSIONS:
            raise RolesError(
                f"{path}: [{role}] names an unknown permission '{name}'; known permissions are {', '.join(PERMISSIONS)}"
            )
    held = frozenset(names)
    for one, other in NEVER_TOGETHER:
        if one in held and other in held:
            raise RolesError(f"{path}: [{role}] may not hold both '{one}' and '{other}'")
    if not isinstance(asks, str) or ("checks.make" in held and not asks.strip()):
        raise RolesError(f"{path}: [{role}] needs 'asks', whom it asks for what of a marker is not shown to it")
    return title.strip(), held, asks.strip()
