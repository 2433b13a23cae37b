"""The pattern says of any bytes what reading and writing them again says."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.ledger import LedgerEntry, RecordSeen, canonical_json
from markers.ledger_shape import shape_of
from tests.unit.test_ledger import LOOK, entries


@given(entries)
def test_every_entry_as_it_is_written_has_its_shape(entry: LedgerEntry) -> None:
    raw = entry.canonical()
    shape = shape_of(raw)
    assert shape is not None
    plain = json.loads(raw)
    at, entry_id, late, operation = shape
    assert (at.decode(), late, operation.decode()) == (plain["at"], plain["late"], plain["operation"])
    assert json.loads(entry_id) == plain["entry_id"]


@given(entries, st.data())
def test_bytes_with_the_shape_are_the_canonical_form_of_an_entry(entry: LedgerEntry, data: st.DataObject) -> None:
    raw = bytearray(entry.canonical())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    changed = bytes(raw)
    if shape_of(changed) is not None:
        assert canonical_json(json.loads(changed)) == changed
        assert LedgerEntry.from_bytes(changed).canonical() == changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"format":1', b'"format":2'),
        (b'"format":1', b'"format": 1'),
        (b'"about":[', b'"About":['),
        (b'"late":false', b'"late":0'),
        (b'"operation":"consultation"', b'"operation":"peek"'),
        (b'"via":"web"', b'"via":"post"'),
        (b'"store":"current"', b'"store":"gone"'),
        (b"2026-11-23T22", b"2026-11-33T22"),
        (b"2026-11-23T22:05:01.000250Z", b"2026-11-23T22:05:01Z"),
        (b"T22:05:01", b"T24:05:01"),
        (b"T22:05:01", b"T22:60:01"),
        (b"T22:05:01", b"T22:05:60"),
        (b"2026-11-23", b"0000-11-23"),
        (b'"version":3', b'"version":03'),
        (b'"version":3', b'"version":9007199254740992'),
        (b'"version":3', b'"version":3.0'),
        (b'"a-17"', b'"a\\u002d17"'),
        (b'"a-17"', b'"a\\/17"'),
        (b'"a-17"', b'"a\\u000a17"'),
        (b'"a-17"', b'"a\x0a17"'),
        (b'"a-17"', b'"\xff17"'),
        (b'"a-17"', b'"\xed\xa0\x80"'),
        (b'"a-17"', b"null"),
        (b"}", b"}\n"),
    ],
)
def test_what_is_not_canonical_or_no_entry_has_no_shape(old: bytes, new: bytes) -> None:
    raw = LOOK.canonical()
    assert shape_of(raw) is not None
    assert raw.count(old)
    assert shape_of(raw[::-1].replace(old[::-1], new[::-1], 1)[::-1]) is None


def test_the_largest_version_that_every_reader_agrees_on_passes() -> None:
    assert shape_of(replace(LOOK, records=(RecordSeen("m", 2**53 - 1),)).canonical()) is not None


def test_hostile_text_takes_no_longer_than_its_length() -> None:
    hostile = LOOK.canonical()[:-1] + b'"' + b'\\"' * 50_000
    began = time.thread_time()
    assert shape_of(hostile) is None
    assert shape_of(b'{"about":["' + b"a" * 500_000) is None
    assert time.thread_time() - began < 1
