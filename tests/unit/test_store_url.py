"""The store's URL, in every form, and refused without being repeated: it may hold a password."""

from __future__ import annotations

import pytest

from markers.lines_to_store import pool_to
from markers.store_url import StoreUrl


def test_sentinels() -> None:
    url = StoreUrl.read(
        "rediss+sentinel://app:p%40ss@one.example:26380,10.0.0.2,[fd00::3]:1/overlay"
        "?sentinel_username=asks&sentinel_password=x&ssl_ca_certs=/etc/authority.crt"
    )
    assert (url.kind, url.service, url.tls) == ("sentinel", "overlay", True)
    assert url.nodes == (("one.example", 26380), ("10.0.0.2", 26379), ("fd00::3", 1))
    assert url.to_node == {"username": "app", "password": "p@ss", "ssl_ca_certs": "/etc/authority.crt"}
    assert url.to_sentinel == {"username": "asks", "password": "x", "ssl_ca_certs": "/etc/authority.crt"}
    assert "p@ss" not in repr(url)


def test_a_cluster() -> None:
    url = StoreUrl.read("redis+cluster://10.0.0.1,10.0.0.2:7000")
    assert (url.kind, url.nodes, url.tls) == ("cluster", (("10.0.0.1", 6379), ("10.0.0.2", 7000)), False)
    assert url.to_node == {}


@pytest.mark.parametrize("url", ["unix:///run/store.sock", "redis://host", "rediss://user:secret@host:1/0"])
def test_one_server(url: str) -> None:
    assert StoreUrl.read(url).kind == "alone"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://secret@host", "is not one of"),
        ("redis+sentinel://:secret@host:1", "names no service"),
        ("redis+sentinel://:secret@host:1/", "names no service"),
        ("redis+sentinel://:secret@host:one/overlay", "is not one of"),
        ("redis+sentinel://:secret@,host/overlay", "is not one of"),
        ("redis+cluster://:secret@host:1/0", "a cluster has none"),
        ("redis+cluster://:secret@host:1?retry=5", "options that are not known: retry"),
    ],
)
def test_others_are_refused_in_words(url: str, reason: str) -> None:
    for read in (StoreUrl.read, lambda url: pool_to(url, "quill", 0.3)):
        with pytest.raises(ValueError, match=reason) as refusal:
            read(url)
        assert "secret" not in str(refusal.value)


def test_tls_is_spoken_to_nodes_when_the_url_says_so() -> None:
    pool = pool_to("rediss+cluster://host:1?ssl_ca_certs=/etc/authority.crt", "quill", 0.3)
    line = pool.make_connection()
    assert line.ca_certs == "/etc/authority.crt"
    assert line.check_hostname
