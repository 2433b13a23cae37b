"""Forwarded headers: believed only where a configured proxy sent them, ignored from anybody else.

Werkzeug's ProxyFix believes whoever connects; this asks first who that is. `X-Forwarded-For` is read from right to
left: each proxy appends the address it was asked from, so the first one that is no proxy of ours is the client, and
what stands left of it is the client's own invention.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Environ = dict[str, Any]

_FORWARDED = re.compile(r"HTTP_(X_FORWARDED(_[A-Z_]+)?|FORWARDED|X_REAL_IP)")
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. `ValueError` in words for anything else."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise ValueError(f"'{part}' is not an address or a network like 10.0.0.0/24") from None
        if found[-1].prefixlen == 0:
            raise ValueError(f"'{part}' is everybody: name the proxies alone")
    return tuple(found)


def believed(proxies: Iterable[Network], environ: Environ) -> Environ:
    """The environment of a WSGI request as the application may see it: no forwarded header is left in it.

    Where a proxy of ours asks, client, scheme and host are those it names.
    """
    known = tuple(proxies)
    said = {name: environ[name] for name in environ if _FORWARDED.fullmatch(name)}
    seen = {name: value for name, value in environ.items() if name not in said}
    peer = str(environ.get("REMOTE_ADDR", ""))
    if not _among(known, peer):
        return seen
    hops = 1
    for address in reversed(_listed(said.get("HTTP_X_FORWARDED_FOR", ""))):
        if not _is_address(address):
            break
        seen["REMOTE_ADDR"] = address
        if not _among(known, address):
            break
        hops += 1
    scheme = _at_hop(_listed(said.get("HTTP_X_FORWARDED_PROTO", "")), hops).lower()
    if scheme in ("http", "https"):
        seen["wsgi.url_scheme"] = scheme
    host = _at_hop(_listed(said.get("HTTP_X_FORWARDED_HOST", "")), hops)
    if _HOST.fullmatch(host):
        seen["HTTP_HOST"] = host
    return seen


def behind(proxies: Iterable[Network], application: Callable[..., Any]) -> Callable[..., Any]:
    """The application, seeing only what is believed."""
    known = tuple(proxies)

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Any:
        return application(believed(known, environ), start_response)

    return answer


def _listed(header: str) -> list[str]:
    return [part.strip() for part in header.split(",")] if header else []


def _at_hop(values: list[str], hops: int) -> str:
    """What the outermost of so many proxies said; each appends one value, or all but the last replace it."""
    return values[-min(hops, len(values))] if values else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _among(known: tuple[Network, ...], text: str) -> bool:
    if not _is_address(text):
        return False
    address = ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in known)
