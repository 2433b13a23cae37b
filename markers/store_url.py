"""Where the store is, as its URL names it: one server, the primary that Sentinels know, or an area's node of a cluster.

    unix://PATH   redis://[USER:PASSWORD@]HOST:PORT   rediss://...      one server
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],.../SERVICE[?OPTION=...]
    redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],...[?OPTION=...]

`rediss+sentinel` and `rediss+cluster` speak TLS to every machine named or told of. Options are redis-py's own
(`ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` ...), and `sentinel_username`, `sentinel_password` for the Sentinels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Node = tuple[str, int]
"""Host and port."""

_FLEET: Final = re.compile(r"(redis|rediss)\+(sentinel|cluster)://")
_PORTS: Final = {"sentinel": 26379, "cluster": 6379}
_ALONE: Final = ("unix://", "redis://", "rediss://")
_OPTIONS: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_keyfile_password")
SHAPES: Final = (
    "unix://PATH, redis://HOST:PORT, rediss://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT,HOST:PORT/SERVICE or "
    "redis+cluster://HOST:PORT,HOST:PORT"
)
"""What may be written, for a message that must not repeat a URL: it may hold a password."""


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A URL of the store, read. `nodes` are the Sentinels, or nodes of the cluster to begin with; empty for `alone`.

    `to_node` and `to_sentinel` are redis-py's own arguments for a connection, without host and port.
    """

    kind: Literal["alone", "sentinel", "cluster"]
    nodes: tuple[Node, ...] = ()
    service: str = ""
    tls: bool = False
    to_node: dict[str, Any] = field(default_factory=dict, repr=False)
    to_sentinel: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, url: str) -> StoreUrl:
        """Raises ValueError for anything else; the message never repeats the URL."""
        found = _FLEET.match(url)
        if found is None:
            if not url.startswith(_ALONE):
                raise ValueError(f"the store's URL is not one of {SHAPES}")
            return cls("alone", tls=url.startswith("rediss://"))
        kind: Literal["sentinel", "cluster"] = "sentinel" if found[2] == "sentinel" else "cluster"
        places, _, query = url[found.end() :].partition("?")
        hosts, _, named = places.partition("/")
        account, at, hosts = hosts.rpartition("@") if "@" in hosts else ("", "", hosts)
        user, _, password = account.partition(":")
        options = dict(parse_qsl(query))
        odd = sorted(set(options) - {*_OPTIONS, "sentinel_username", "sentinel_password"})
        if odd:
            raise ValueError(f"the store's URL has options that are not known: {', '.join(odd)}")
        if kind == "sentinel" and not re.fullmatch(r"[A-Za-z0-9._-]+", named):
            raise ValueError("the store's URL names no service: redis+sentinel://HOST:PORT,HOST:PORT,HOST:PORT/SERVICE")
        if kind == "cluster" and named:
            raise ValueError("the store's URL names a database, but a cluster has none: leave out what is behind /")
        tls = found[1] == "rediss"
        shared = {name: value for name, value in options.items() if name in _OPTIONS}
        own = {"username": unquote(user) or None, "password": unquote(password) or None} if at else {}
        return cls(
            kind,
            tuple(_node(part, _PORTS[kind]) for part in hosts.split(",")),
            named,
            tls,
            {**shared, **own},
            {**shared, **_of_sentinels(options)},
        )


def _of_sentinels(options: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("sentinel_"): value for name, value in options.items() if name.startswith("sentinel_")}


def _node(written: str, port: int) -> Node:
    try:
        parts = urlsplit(f"//{written}")
        host, given = parts.hostname, parts.port
    except ValueError:
        host, given = None, None
    if not host or parts.path or parts.username:
        raise ValueError(f"the store's URL is not one of {SHAPES}")
    return host, given or port
