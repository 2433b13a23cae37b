"""The second factor: a code of six digits that changes every 30 seconds (RFC 6238), or a recovery code.

A code is good for one step either side of now, and once: the step it belongs to is kept, and nothing at or before it is
taken again. Recovery codes have 123 bits, so a plain hash is enough to keep them by (ASVS 5.0, 6.5.2).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from datetime import datetime

import pyotp

from overlay.identity.access import SecondFactor

STEP_S = 30
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is read as another
_GROUPS, _GROUP = 5, 5  # 25 letters of 31: 123 bits
_NOT_CODE = re.compile(r"[\s-]+")


def new_secret() -> str:
    """160 random bits in base32, as authenticator apps take them."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, username: str, issuer: str) -> str:
    """What an authenticator app reads from a QR code (`otpauth://totp/...`)."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def code_at(secret: str, now: datetime) -> str:
    """The code of this moment."""
    return pyotp.TOTP(secret).generate_otp(_step(now))


def step_of(secret: str, code: str, now: datetime, after: int = 0) -> int | None:
    """The step the code belongs to: at most one away from now, and later than `after`; None for any other code."""
    typed, otp = _NOT_CODE.sub("", code), pyotp.TOTP(secret)
    found = None
    for step in range(_step(now) - DRIFT_STEPS, _step(now) + DRIFT_STEPS + 1):
        if hmac.compare_digest(otp.generate_otp(step).encode(), typed.encode("utf-8", "replace")) and step > after:
            found = step
    return found


def used(factor: SecondFactor, code: str, now: datetime) -> SecondFactor | None:
    """The factor after this code was used up; None when the code is wrong, old, or was used before."""
    step = step_of(factor.secret, code, now, factor.last_step)
    if step is not None:
        return replace(factor, last_step=step)
    spent = recovery_id(code)
    if spent not in factor.recovery:
        return None
    return replace(factor, recovery=tuple(kept for kept in factor.recovery if kept != spent))


def new_recovery_codes() -> tuple[str, ...]:
    """Ten codes as a person writes them down: `ABCDE-FGHJK-...`."""
    return tuple(
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    )


def recovery_id(code: str) -> str:
    """What is kept of a recovery code: the SHA-256 of its letters."""
    return hashlib.sha256(_NOT_CODE.sub("", code).upper().encode("utf-8", "replace")).hexdigest()


def _step(now: datetime) -> int:
    return int(now.timestamp()) // STEP_S
