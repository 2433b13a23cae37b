"""The console over https with a certificate made here, and what it refuses to serve with."""

from __future__ import annotations

import re
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from overlay.run import CannotRun, refuse_exposed
from overlay.settings import Settings, SettingsError
from tests.conftest import Console, free_port
from tests.store.commands import Folder
from tests.web.conftest import TIMEOUT_S, Visitor

NOW = datetime.now(UTC)


def certificate(folder: Path, name: str = "console", *, begins: int = -1, ends: int = 90) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, valid between two days from now, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths[1].chmod(0o600)
    return paths


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console on https, believed by this process alone."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = certificate(folder)
    extra = {"OVERLAY_TLS_CERT": str(cert), "OVERLAY_TLS_KEY": str(key), "OVERLAY_PROXIES": "127.0.0.1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(cert))
        running = Console(folder / "data", free_port(), extra)
        running.start()
        yield running
        running.stop()


def test_cookies_are_bound_to_this_host_and_sent_encrypted_alone(secure: Console) -> None:
    visitor = Visitor(secure.url)
    cookies = [visitor.get("/sign-in").headers["Set-Cookie"]]
    reply = visitor.sign_in(*secure.accounts["call_handler"])
    assert reply.status_code == 303
    cookies.append(reply.headers["Set-Cookie"])
    for cookie in cookies:
        name, *attributes = cookie.replace("; ", ";").split(";")
        assert name.startswith("__Host-overlay-")
        assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
        assert not [attribute for attribute in attributes if attribute.startswith("Domain")]
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/nothing", "/static/console.js", "/healthz", "/metrics"])
def test_every_answer_over_https_says_to_stay_there(secure: Console, path: str) -> None:
    assert requests.get(secure.url + path, timeout=TIMEOUT_S).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_check_and_the_figures_over_https(secure: Console) -> None:
    secure.wait_proved()
    headers = {"Authorization": f"Bearer {secure.token()}"}
    made = r'overlay_requests_total\{method="POST",route="/api/v1/checks",status="200"\} ([0-9.]+)'

    def counted() -> float:
        return float(
            re.findall(made, requests.get(f"{secure.url}/metrics", headers=headers, timeout=TIMEOUT_S).text)[0]
        )

    before = counted()
    address, expect = secure.tries[0]
    asked = {"location": {"address": address}}
    reply = requests.post(f"{secure.url}/api/v1/checks", json=asked, headers=headers, timeout=TIMEOUT_S)
    assert reply.json()["status"] == expect
    assert counted() == before + 1


def test_only_newer_protocols_are_spoken(secure: Console) -> None:
    def spoken(version: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cafile=secure.extra["OVERLAY_TLS_CERT"])
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", secure.port), 5) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as line:
                    return line.version()
            except (ssl.SSLError, ConnectionResetError):
                return None

    assert spoken(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert spoken(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert spoken(ssl.TLSVersion.TLSv1_1) is None


def test_plain_http_is_not_answered_on_the_port(secure: Console) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{secure.port}/healthz", timeout=TIMEOUT_S)


def test_a_proxy_of_ours_says_that_the_client_spoke_plainly(secure: Console) -> None:
    headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "http"}
    reply = requests.get(f"{secure.url}/sign-in", headers=headers, timeout=TIMEOUT_S)
    assert "Strict-Transport-Security" not in reply.headers
    assert reply.headers["Set-Cookie"].startswith("overlay-form=")


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "Forwarded", "X-Forwarded-Ssl", "Front-End-Https"])
def test_a_stranger_who_says_https_is_not_believed(console: Console, header: str) -> None:
    said = {header: "proto=https" if header == "Forwarded" else "https", "X-Forwarded-Host": "evil.example"}
    reply = requests.get(f"{console.url}/", headers=said, allow_redirects=False, timeout=TIMEOUT_S)
    assert "Strict-Transport-Security" not in reply.headers
    assert reply.headers["Location"] == "/sign-in"
    assert "evil.example" not in str(reply.headers) + reply.text


def given(cert: Path | None, key: Path | None, **more: Any) -> Settings:
    return Settings.read({}, tls_cert=cert, tls_key=key, **more)


def refused(cert: Path | None, key: Path | None, **more: Any) -> str:
    with pytest.raises((CannotRun, SettingsError)) as error:
        refuse_exposed(given(cert, key, **more), NOW)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_served_with_is_refused_in_words(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    other, other_key = certificate(tmp_path, "other")
    refuse_exposed(given(cert, key), NOW)
    refuse_exposed(given(cert, key, host="0.0.0.0"), NOW)  # noqa: S104 - what is tried out
    assert "go together" in refused(cert, None)
    assert "go together" in refused(None, key)
    assert "can't be read" in refused(tmp_path / "none.pem", key)
    assert "can't be read" in refused(cert, tmp_path / "none.key")
    assert "is not the key of the certificate" in refused(cert, other_key)
    assert "is not the key of the certificate" in refused(other, key)
    assert "holds no certificate" in refused(key, key)
    assert "holds no private key" in refused(cert, _private(tmp_path / "text.key", b"text"))
    assert " ended on " in refused(*certificate(tmp_path, "past", begins=-9, ends=-1))
    assert " begins on " in refused(*certificate(tmp_path, "future", begins=3))
    (tmp_path / "link.key").symlink_to(key)
    refuse_exposed(given(cert, tmp_path / "link.key"), NOW)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_open_to_others_is_refused_also_behind_a_link(tmp_path: Path, mode: int) -> None:
    cert, key = certificate(tmp_path)
    key.chmod(mode)
    (tmp_path / "link.key").symlink_to(key)
    for path in (key, tmp_path / "link.key"):
        assert f"chmod 600 {key}" in refused(cert, path)
    assert stat.S_IMODE(key.stat().st_mode) == mode


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    assert "has a password" in refused(cert, _private(tmp_path / "locked.key", locked))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "console.example"])  # noqa: S104 - what is refused
def test_other_machines_are_not_served_in_the_clear(tmp_path: Path, host: str) -> None:
    said = refused(None, None, host=host)
    assert said.startswith(f"{host} can be reached from other machines")
    assert "--tls-cert" in said
    refuse_exposed(given(None, None, host=host, proxies="10.0.0.1"), NOW)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_is(host: str) -> None:
    refuse_exposed(given(None, None, host=host), NOW)


def test_the_command_refuses_in_one_line_before_it_starts_anything(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    folder = Folder(tmp_path / "data")
    assert "go together" in folder.process("run", "--tls-cert", cert).last_refusal
    folder.environment["OVERLAY_HOST"] = "0.0.0.0"  # noqa: S104 - what is refused
    assert "other machines" in folder.process("run").last_refusal
    folder.environment["OVERLAY_PROXIES"] = "everybody"
    assert "not an address or a network" in folder.process("run").last_refusal
    assert not (tmp_path / "data" / "store").exists()


def _private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path
