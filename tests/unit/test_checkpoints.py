"""Signed statements: the form of C2SP's signed notes and checkpoints, and nothing else that reads as one."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from markers.checkpoints import KeyRefused, NotSigned, PublicKey, SigningKey, Statement, notes

NOW = datetime(2026, 11, 25, 14, 2, 11, 123456, UTC)
KEY = SigningKey("quill", bytes(range(32)))
LEAVES = (b"\1" * 32, b"\2" * 32)
TOLD = KEY.sign(7, b"\3" * 32, NOW, LEAVES)
ACCEPTED = KEY.sign(0, b"\4" * 32, NOW, accept=(9, "A Supervisor", "the disk: replaced"))

# The published example of the format's first implementation (golang.org/x/mod/sumdb/note).
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_a_checkpoint_is_written_as_the_standard_has_it() -> None:
    text, _, signature = TOLD.note.partition("\n\n")
    assert text.split("\n") == [
        "overlay-ledger/quill",
        "7",
        base64.b64encode(b"\3" * 32).decode(),
        "time 2026-11-25T14:02:11.123456Z",
        f"leaves {base64.b64encode(b''.join(LEAVES)).decode()}",
    ]
    dash, name, signed = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("—", "overlay-ledger/quill")
    raw = base64.b64decode(signed)
    assert raw[:4].hex() == KEY.public.line.split("+")[1]
    Ed25519PublicKey.from_public_bytes(KEY.public.raw).verify(raw[4:], f"{text}\n".encode())


def test_keys_are_named_and_hashed_as_others_do() -> None:
    key = PublicKey.read(NEUMANN)
    assert key.line == f"{NEUMANN}\n"
    signature = base64.b64decode(NEUMANN_SIGNATURE)
    assert signature[:4].hex() == NEUMANN.split("+")[1]
    Ed25519PublicKey.from_public_bytes(key.raw).verify(signature[4:], NEUMANN_TEXT.encode())
    assert PublicKey.read(KEY.public.line) == KEY.public
    assert KEY.public.fingerprint.startswith("SHA256:")


@pytest.mark.parametrize(
    "line", ["", "a", "a+b+c", NEUMANN[:-4], NEUMANN.replace("c74", "c75"), "x" + NEUMANN, "a+b+é"]
)
def test_what_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.read(line)


@pytest.mark.parametrize("told", [TOLD, ACCEPTED])
def test_a_statement_is_read_back_and_holds_for_its_own_key_alone(told: Statement) -> None:
    assert Statement.read(told.note) == told
    KEY.public.check(told)
    for other in (SigningKey("quill", bytes(32)), SigningKey("other", bytes(range(32)))):
        with pytest.raises(NotSigned, match="another key"):
            other.public.check(told)
    for changed in (
        replace(told, size=told.size + 2),
        replace(told, root=b"\5" * 32),
        replace(told, at=NOW + timedelta(microseconds=1)),
        replace(told, leaves=()) if told.leaves else replace(told, why="x"),
        replace(told, signature=told.signature[:-1] + b"x"),
        replace(told, signature=told.signature[:20]),
    ):
        with pytest.raises(NotSigned):
            KEY.public.check(changed)
    assert (TOLD.accepts, ACCEPTED.accepts) == (False, True)


def test_a_time_in_any_zone_is_the_same_statement() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert KEY.sign(7, b"\3" * 32, elsewhere, LEAVES).note == TOLD.note


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n1\n"),
        ("\n7\n", "\n-7\n"),
        ("time 2026-11-25", "time 2026-11-31"),
        ("123456Z", "123456+00:00"),
        ("123456Z", "123456"),
        ("time ", "when "),
        ("leaves ", "leaves A"),
        ("leaves ", "leaves AAAA"),
        ("— overlay-ledger/quill", "— overlay-ledger/other"),
        ("— ", "- "),
        ("\n\n", "\n\n\n"),
        ("AwM=", "AwN="),
    ],
)
def test_what_is_not_exactly_a_statement_is_none_or_not_signed(old: str, new: str) -> None:
    assert old in TOLD.note
    with pytest.raises(NotSigned):
        KEY.public.check(Statement.read(TOLD.note.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("by", "why"), [("", "x"), ("x", ""), ("a\nb", "x"), ("a", "b\nc"), ("a: b", "x"), ("\u2028", "x")]
)
def test_words_of_an_acceptance_stay_on_their_line(by: str, why: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        KEY.sign(0, b"\4" * 32, NOW, accept=(9, by, why))


def test_a_file_of_notes_comes_apart_and_damage_is_none() -> None:
    text = f"{TOLD.note}\n{ACCEPTED.note}\n"
    assert [told for told, _ in notes(text)] == [TOLD, ACCEPTED]
    assert list(notes(text))[-1][1] == len(text)
    assert [told for told, _ in notes(text[:-30])] == [TOLD, None]
    assert [told for told, _ in notes(text.replace("time", "tide", 1))] == [None, ACCEPTED]
    assert [told for told, _ in notes(text.replace("-25T", "-35T", 1))] == [None, ACCEPTED]
    assert list(notes("")) == []


@given(st.text(max_size=300))
def test_no_text_makes_reading_fail_otherwise(text: str) -> None:
    for told, _ in notes(text):
        assert told is None
