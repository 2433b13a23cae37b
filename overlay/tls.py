"""The certificate the console serves with: looked at before anything is served, and refused in words."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from markers.private_file import NotPrivate, read_private
from overlay.settings import SettingsError

log = structlog.get_logger()

_SOON_DAYS = 21


def check_certificate(certificate: Path, key: Path, now: datetime) -> None:
    """Raises SettingsError for files that are missing, unreadable, not a pair, out of their time, or a key others may
    read. A certificate that ends within three weeks is said in the log."""
    chain = _chain(certificate)
    public = _public_key_of(key)
    if chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public:
        raise SettingsError(f"The TLS key {key} is not the key of the certificate {certificate}. Name a pair.")
    if now < chain[0].not_valid_before_utc:
        raise SettingsError(f"The TLS certificate {certificate} begins on {chain[0].not_valid_before_utc:%d %B %Y}.")
    left = chain[0].not_valid_after_utc - now
    if left.total_seconds() <= 0:
        raise SettingsError(f"The TLS certificate {certificate} ended on {chain[0].not_valid_after_utc:%d %B %Y}.")
    if left.days < _SOON_DAYS:
        log.warning("tls_certificate_ends_soon", days=left.days)


def trusting(certificate: Path) -> ssl.SSLContext:
    """How this machine asks its own console: nobody but the holder of this very certificate is believed."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False  # asked at an address, which a certificate seldom names
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The TLS certificate {path} can't be read ({error.strerror}).") from error
    except ValueError as error:
        raise SettingsError(f"The TLS certificate {path} holds no certificate in PEM.") from error


def _public_key_of(path: Path) -> bytes:
    try:
        raw = read_private(path.resolve(), "TLS key")
        public = load_pem_private_key(raw, None).public_key()
    except NotPrivate as error:
        raise SettingsError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    except OSError as error:
        raise SettingsError(f"The TLS key {path} can't be read ({error.strerror}).") from error
    except TypeError as error:
        raise SettingsError(f"The TLS key {path} has a password, and nobody is there to type it.") from error
    except ValueError as error:
        raise SettingsError(f"The TLS key {path} holds no private key in PEM.") from error
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
