"""Passwords: argon2id, never two ways of failing that can be told apart, never more at once than the machine can bear.

Parameters are RFC 9106's second recommended option (64 MiB, 3 passes), as argon2-cffi ships them: about
0.1 s of one core each (measured), so parallel hashes are capped, and strangers can't take the last turn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from overlay.identity.changes import IdentityError, Refused

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
AT_ONCE = 2
WAIT_S = 5.0

_hasher = PasswordHasher()
_turns = BoundedSemaphore(AT_ONCE)
_strangers = BoundedSemaphore(AT_ONCE - 1)  # one turn is left to browsers that signed in here before

# Of a password nobody kept: what is compared when there is no such account, with the same parameters as a real one.
NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$jVQd+OxxW6gT3DnwZCgeUQ$5iicJDMnzipvv4Y6e4W6u5DaZS4BHNLmEh0dNdV07P8"


class SignInBusy(IdentityError):
    """Too many passwords are being checked at this moment."""

    def __init__(self, words: str = "") -> None:
        super().__init__(words or "Too many people are signing in at this moment. Wait a few seconds and try again.")


def hash_password(password: str) -> str:
    """An argon2id hash (PHC string). `Refused` for a password that is too short or too long."""
    text = _as_bytes(password)
    length = len(unicodedata.normalize("NFC", password))
    if text is None or not SHORTEST_PASSWORD <= length <= LONGEST_PASSWORD:
        raise Refused(
            "password",
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters. Three random words do well.",
        )
    with _turn():
        return _hasher.hash(text)


def is_password(kept: str | None, password: str, *, stranger: bool = False) -> bool:
    """Whether the password made the hash. With no hash the same work is done, and the answer is no."""
    text = _as_bytes(password)
    with _turn(_strangers) if stranger else nullcontext(), _turn():
        try:
            _hasher.verify(kept or NOBODYS_HASH, text or b"")
        except VerifyMismatchError:
            return False
    return kept is not None and text is not None


def _as_bytes(password: str) -> bytes | None:
    try:
        return unicodedata.normalize("NFC", password).encode()[: LONGEST_PASSWORD * 4 + 1]
    except UnicodeEncodeError:
        return None


@contextmanager
def _turn(turns: BoundedSemaphore | None = None) -> Iterator[None]:
    turns = turns or _turns
    if not turns.acquire(timeout=WAIT_S):
        raise SignInBusy
    try:
        yield
    finally:
        turns.release()
