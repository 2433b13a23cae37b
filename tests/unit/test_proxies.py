"""Who is believed about where a request comes from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.proxies import believed, networks

OURS = networks("10.0.0.0/24, 2001:db8::1")
SAID = {
    "HTTP_X_FORWARDED_FOR": "198.51.100.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "console.example",
    "HTTP_X_FORWARDED_PORT": "1",
    "HTTP_X_FORWARDED_PREFIX": "/p",
    "HTTP_FORWARDED": "for=198.51.100.7;proto=https",
    "HTTP_X_REAL_IP": "198.51.100.7",
}


def asked(peer: str, **said: str) -> dict[str, Any]:
    plain = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "real"}
    headers = {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in said.items()}
    return believed(OURS, {**plain, **headers})


def seen(environ: dict[str, Any]) -> tuple[str, str, str]:
    return environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ["HTTP_HOST"]


@pytest.mark.parametrize("peer", ["203.0.113.9", "10.0.1.1", "127.0.0.1", "2001:db8::2", "", "unix", "10.0.0.1.evil"])
def test_a_stranger_is_not_believed_and_nothing_it_said_is_left(peer: str) -> None:
    plain = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "real", "HTTP_ACCEPT": "x"}
    assert believed(OURS, {**plain, **SAID}) == plain
    assert believed((), {**plain, **SAID}) == plain


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"])
def test_a_proxy_of_ours_is_believed(peer: str) -> None:
    found = believed(OURS, {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "real", **SAID})
    assert seen(found) == ("198.51.100.7", "https", "console.example")
    assert not [name for name in found if "FORWARDED" in name or "REAL_IP" in name]


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.2.3.4, 198.51.100.7", "198.51.100.7"),  # what a client sent itself stands on the left
        ("10.0.0.9, 198.51.100.7", "198.51.100.7"),
        ("1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"),  # a second proxy of ours in between
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("198.51.100.7, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("2001:db8::77", "2001:db8::77"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(chain: str, client: str) -> None:
    assert asked("10.0.0.1", **{"for": chain})["REMOTE_ADDR"] == client


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("https, http", "http"),
        ("ftp", "http"),
        ("", "http"),
        ("https;", "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(said: str, scheme: str) -> None:
    assert asked("10.0.0.1", proto=said)["wsgi.url_scheme"] == scheme


def test_with_two_proxies_the_outer_one_says_the_scheme() -> None:
    chain = {"for": "198.51.100.7, 10.0.0.2", "proto": "http, https, http"}
    assert asked("10.0.0.1", **chain)["wsgi.url_scheme"] == "https"
    assert asked("10.0.0.1", **{**chain, "proto": "https"})["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "a\r\nX: y", "[::1", "x" * 300, "a:999999"])
def test_a_host_that_is_none_is_ignored(host: str) -> None:
    assert asked("10.0.0.1", host=host)["HTTP_HOST"] == "real"


@given(peer=st.ip_addresses(v=4).map(str), said=st.text(max_size=60), proto=st.text(max_size=9))
def test_whatever_is_said_something_sound_is_seen(peer: str, said: str, proto: str) -> None:
    found = asked(peer, **{"for": said, "proto": proto, "host": said})
    assert found["wsgi.url_scheme"] in ("http", "https")
    if not peer.startswith("10.0.0."):
        assert seen(found) == (peer, "http", "real")


@pytest.mark.parametrize(
    "text", ["proxy.example", "10.0.0.1/24", "10.0.0.0/99", "0.0.0.0/0", "::/0", "10.0.0.1;10.0.0.2"]
)
def test_what_is_no_network_or_everybody_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an address|everybody"):
        networks(text)
