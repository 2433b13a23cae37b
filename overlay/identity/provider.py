"""Which provider of single sign-on an area trusts, and what its groups are here: the file's `[single_sign_on]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from overlay.roles import ROLES

RETURN = "/sign-in/single-sign-on/return"
_TEXTS = ("title", "issuer", "client_id", "console")
_OPTIONAL = {"groups_claim": "groups", "scope": "openid profile groups"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ProviderError(ValueError):
    """The table can't be used. The message names the field."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenID provider. `issuer` is compared letter by letter; `console` is this console's own address outside.

    `roles` maps a group of the provider to a role; whoever is in no such group, or in those of two roles, is refused.
    """

    title: str
    issuer: str
    client_id: str
    console: str
    roles: Mapping[str, str]
    groups_claim: str
    scope: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, table: Mapping[str, Any], secret: str | None) -> Provider | None:
        """The provider, None for an empty table. `ProviderError`."""
        if not table:
            return None
        for name in table:
            if name not in (*_TEXTS, *_OPTIONAL, "roles"):
                raise ProviderError(f"[single_sign_on] has an unknown key '{name}'")
        texts = {name: _text(table, name) for name in _TEXTS}
        for name in ("issuer", "console"):
            _encrypted(name, texts[name])
        if urlsplit(texts["console"]).path not in ("", "/"):
            raise ProviderError(
                "[single_sign_on] console is an address without a path, such as https://console.example"
            )
        if not secret:
            raise ProviderError("[single_sign_on] needs the client's secret: set OVERLAY_SINGLE_SIGN_ON_SECRET_FILE")
        optional = {name: _text({name: usual, **table}, name) for name, usual in _OPTIONAL.items()}
        if "openid" not in optional["scope"].split():
            raise ProviderError("[single_sign_on] scope has to hold 'openid'")
        return cls(**texts, **optional, roles=_roles(table.get("roles")), secret=secret)

    @property
    def return_address(self) -> str:
        """Where the provider sends people back to; it must be registered there just so."""
        return self.console.rstrip("/") + RETURN

    def role_of(self, groups: Iterable[str]) -> str | None:
        """The one role these groups stand for; None for none or several."""
        found = {self.roles[group] for group in groups if group in self.roles}
        return found.pop() if len(found) == 1 else None


def encrypted(address: str) -> bool:
    """Whether what is sent there can't be read on the way: https, or this machine itself."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _encrypted(name: str, address: str) -> None:
    parts = urlsplit(address)
    if not encrypted(address) or parts.query or parts.fragment or parts.username:
        raise ProviderError(f"[single_sign_on] {name} is an https:// address without user, query or fragment")


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ProviderError(f"[single_sign_on] needs '{name}', a text")
    return value.strip()


def _roles(table: Any) -> Mapping[str, str]:
    if not isinstance(table, dict) or not table:
        raise ProviderError("[single_sign_on.roles] maps at least one group of the provider to a role")
    people = tuple(role for role in ROLES if role != "service")
    for group, role in table.items():
        if role not in people:
            raise ProviderError(f"[single_sign_on.roles] '{group}' is no role of people; those are {', '.join(people)}")
    return MappingProxyType(dict(table))
