"""What is signed of the ledger: how far it reached, as what tree, when; and a person's word that a store may go on.

Both are signed notes (C2SP signed-note and tlog-checkpoint, version 1): lines of text, an empty line, and a line with
the signer's name, a short hash of the key and an Ed25519 signature over the text.

    overlay-ledger/AREA            the origin, which is the signer's name too
    SIZE                           how many entries, in decimal; the last one's sequence number
    ROOT                           base64 of the tree's hash (markers/merkle.py)
    time 2026-11-25T14:02:11.123456Z
    leaves BASE64                  the leaf hashes of the newest entries, since the statement before
    in place of N, by NAME: WHY    an acceptance only: the ledger had been signed up to N

The leaf hashes stand in the signed text so that anybody who holds it can name the first entry that is not the one
that was signed.

The same key signs backups and snapshots (`SigningKey.sign_file`), under a first line that no statement has, so that
no signature can pass for another.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from markers.merkle import HASH_BYTES, hashes

_ED25519: Final = b"\1"
_ORIGIN: Final = "overlay-ledger/"
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_NOTE: Final = re.compile(
    r"(?P<text>(?P<origin>[^\n\s]+)\n(?P<size>0|[1-9][0-9]*)\n(?P<root>[A-Za-z0-9+/]{43}=)\ntime (?P<time>[^\n ]+)\n"
    r"(?:leaves (?P<leaves>[^\n]+)\n)?"
    r"(?:in place of (?P<instead>0|[1-9][0-9]*), by (?P<by>[^\n:]+): (?P<why>[^\n]+)\n)?)"
    r"\n— (?P<name>[^\n\s]+) (?P<signature>[A-Za-z0-9+/=]+)\n"
)
_WORDS: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def key_files(folder: Path, area: str) -> tuple[Path, Path]:
    """Where an area's signing key and its public half lie."""
    return folder / f"ledger-{area}.key", folder / f"ledger-{area}.pub"


class KeyRefused(Exception):  # noqa: N818 - reads as the fact it states
    """The key that signs the ledger can't be used. The message never holds it."""


class NotSigned(ValueError):  # noqa: N818 - reads as the fact it states
    """A text that is not a statement of this ledger, or not by the key expected."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One signed statement: the ledger's first `size` entries have the tree `root`, at `at` (aware, UTC).

    `leaves` are the hashes of the newest entries, at most `size`. An acceptance has `by` and `why`, and says with
    `instead` how far the ledger had been signed that this one takes the place of. `signature` covers `text`.
    """

    origin: str
    size: int
    root: bytes
    at: datetime
    leaves: tuple[bytes, ...] = ()
    instead: int | None = None
    by: str | None = None
    why: str | None = None
    signature: bytes = field(default=b"", repr=False)

    @property
    def accepts(self) -> bool:
        """Whether this is a person's acceptance rather than a checkpoint."""
        return self.by is not None

    @property
    def text(self) -> str:
        """The signed text. `ValueError` for words that would not fit on their line."""
        lines = [self.origin, str(self.size), _base64(self.root), f"time {self.at.astimezone(UTC).strftime(_TIME)}"]
        if self.leaves:
            lines.append(f"leaves {_base64(b''.join(self.leaves))}")
        if self.by is not None and self.why is not None:
            if not _WORDS.fullmatch(self.by) or ":" in self.by or not _WORDS.fullmatch(self.why):
                raise ValueError("a name and a reason are one line of text each, and a name has no colon")
            lines.append(f"in place of {self.instead}, by {self.by}: {self.why}")
        return "\n".join((*lines, ""))

    @property
    def note(self) -> str:
        """The signed note, as it is kept."""
        return f"{self.text}\n— {self.origin} {_base64(self.signature)}\n"

    @classmethod
    def read(cls, note: str) -> Statement:
        """The inverse of `note`; the signature is not looked at. Raises NotSigned."""
        found = _NOTE.fullmatch(note)
        if found is None:
            raise NotSigned("this is not a signed statement of a ledger")
        return _statement(found)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What signatures are checked with: one ledger's name and its Ed25519 key (32 bytes)."""

    origin: str
    raw: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key, as people compare it."""
        return f"SHA256:{hashlib.sha256(self.raw).hexdigest()}"

    @property
    def line(self) -> str:
        """The key as C2SP writes a verifier key: name, hash, key."""
        return f"{self.origin}+{self._hash.hex()}+{_base64(_ED25519 + self.raw)}\n"

    @property
    def _hash(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @classmethod
    def read(cls, line: str) -> PublicKey:
        """The inverse of `line`. Raises KeyRefused."""
        origin, _, rest = line.strip().partition("+")
        try:
            raw = base64.b64decode(rest.partition("+")[2], validate=True)
        except ValueError:
            raw = b""
        key = cls(origin, raw[1:])
        if len(raw) != 33 or key.line != line.strip() + "\n":
            raise KeyRefused("this is not the public key of a ledger")
        return key

    def check(self, statement: Statement) -> None:
        """Raises NotSigned unless the statement is of this ledger and signed with this key."""
        if statement.origin != self.origin or statement.signature[:4] != self._hash:
            raise NotSigned("it is signed with another key")
        try:
            _verifier(self.raw).verify(statement.signature[4:], statement.text.encode())
        except InvalidSignature:
            raise NotSigned("its signature is not over what it says") from None

    def check_file(self, kind: str, content: bytes, signature: bytes) -> None:
        """Raises NotSigned unless `SigningKey.sign_file` made the signature for this kind and content."""
        if signature[:4] != self._hash:
            raise NotSigned("it is signed with another key")
        try:
            _verifier(self.raw).verify(signature[4:], _file_text(self.origin, kind, content))
        except InvalidSignature:
            raise NotSigned("its signature is not over what it says") from None


class SigningKey:
    """The private half: signs statements of one area's ledger."""

    def __init__(self, area: str, secret: bytes) -> None:
        """`secret` is 32 random bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PublicKey(f"{_ORIGIN}{area}", raw)

    @classmethod
    def create(cls, folder: Path, area: str) -> SigningKey:
        """Make a key in `folder`, durable: `ledger-AREA.key` (0600), and `ledger-AREA.pub` for whoever verifies.

        Raises KeyRefused when one is there already or the folder can't be written.
        """
        secret = os.urandom(32)
        try:
            path, _ = key_files(folder, area)
            fresh = _beside(path)
            _write(fresh, base64.b64encode(secret) + b"\n")
            try:
                os.link(fresh, path)
            finally:
                fresh.unlink()
            _sync_folder(folder)
        except FileExistsError:
            raise KeyRefused(f"a signing key is already in {folder}; it was left as it is") from None
        except OSError as error:
            raise KeyRefused(f"the ledger's signing key can't be written in {folder}: {error.strerror}") from None
        return cls.load(folder, area)

    @classmethod
    def load(cls, folder: Path, area: str) -> SigningKey:
        """Read the key. Raises KeyRefused when it is missing, open to group or others, or damaged."""
        path, public = key_files(folder, area)
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise KeyRefused(
                        f"the ledger's signing key {path} is open to group or others ({mode:04o}); "
                        f"run: chmod 600 {path}"
                    )
                key = cls(area, base64.b64decode(file.read().strip(), validate=True))
            _keep_public(public, key.public.line)
        except FileNotFoundError:
            raise KeyRefused(f"the ledger's signing key {path} is missing; restore it from the key backup") from None
        except ValueError:
            raise KeyRefused(f"the ledger's signing key {path} is damaged; restore it from the key backup") from None
        except OSError as error:
            raise KeyRefused(f"the ledger's signing key {path} can't be read: {error.strerror}") from None
        return key

    def sign(
        self,
        size: int,
        root: bytes,
        at: datetime,
        leaves: tuple[bytes, ...] = (),
        *,
        accept: tuple[int, str, str] | None = None,
    ) -> Statement:
        """A checkpoint, or with `accept` (the size given up, by whom, why) an acceptance."""
        instead, by, why = accept or (None, None, None)
        told = Statement(self.public.origin, size, root, at, leaves, instead, by, why)
        signature = self.public._hash + self._key.sign(told.text.encode())
        return Statement(told.origin, size, root, at, leaves, instead, by, why, signature)

    def sign_file(self, kind: str, content: bytes) -> bytes:
        """A signature over a file of some kind ("snapshot"), which is one over no other kind and no statement."""
        return self.public._hash + self._key.sign(_file_text(self.public.origin, kind, content))


def notes(text: str) -> Iterator[tuple[Statement | None, int]]:
    """The statements of a file of notes with an empty line after each, and the place each ends at (in characters).

    What can't be read between two of them, or at the end, comes as None.
    """
    at = 0
    while at < len(text):
        found = _NOTE.match(text, at)
        if found is not None:
            at = found.end()
            if text.startswith("\n", at):
                at += 1
            try:
                told = _statement(found)
            except NotSigned:
                told = None
            yield told, at
            continue
        later = text.find(f"\n{_ORIGIN}", at)
        at = len(text) if later == -1 else later + 1
        yield None, at


def _statement(found: re.Match[str]) -> Statement:
    try:
        told = Statement(
            found["origin"],
            int(found["size"]),
            base64.b64decode(found["root"], validate=True),
            _time(found["time"]),
            tuple(hashes(base64.b64decode(found["leaves"] or ""))),
            None if found["instead"] is None else int(found["instead"]),
            found["by"],
            found["why"],
            base64.b64decode(found["signature"], validate=True),
        )
    except ValueError:
        raise NotSigned("this is not a signed statement of a ledger") from None
    # Base64 can be written, and misread, in more ways than one; only the way it is signed is taken.
    if len(told.root) != HASH_BYTES or len(told.leaves) > told.size or told.note != found[0]:
        raise NotSigned("this is not a signed statement of a ledger")
    return told


def _file_text(origin: str, kind: str, content: bytes) -> bytes:
    # No statement begins with these words: one begins with its origin.
    return b"overlay file\n" + f"{kind}\n{origin}\n".encode() + content


@cache
def _verifier(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.utcoffset() is None or at.astimezone(UTC).strftime(_TIME) != text:
        raise ValueError("a time is written in one way only")
    return at.astimezone(UTC)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _keep_public(path: Path, line: str) -> None:
    try:
        if path.read_text("ascii") == line:
            return
    except (OSError, UnicodeDecodeError):
        pass
    fresh = _beside(path)
    _write(fresh, line.encode())
    fresh.replace(path)


def _beside(path: Path) -> Path:
    """A name that no other thread or process takes meanwhile."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
