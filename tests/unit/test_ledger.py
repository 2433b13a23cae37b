"""Ledger entries: the law's operations, canonical bytes as RFC 8785 has them, and finding entries again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.ledger import Basis, Event, LedgerEntry, Operation, RecordSeen, Via, canonical_json, search

LOOK = LedgerEntry(
    entry_id="5f0c",
    at=datetime(2026, 11, 23, 22, 5, 1, 250, UTC),
    operation=Operation.CONSULTATION,
    actor_id="a-17",
    actor_role="call_handler",
    via=Via.WEB,
    incident="CAD-4521-23NOV26",
    reason="incident_response",
    check_id="c-1",
    status="hit",
    about=("ab" * 32,),
    records=(RecordSeen("m-1", 3, "premises", ("headline", "action")), RecordSeen("m-2", 1)),
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | words
entries = st.builds(
    LedgerEntry,
    entry_id=words,
    at=st.datetimes(min_value=datetime(1000, 1, 2), timezones=st.timezones()),  # noqa: DTZ001 - zones are drawn
    operation=st.sampled_from([*Operation, *Event]),
    actor_id=words,
    actor_role=words,
    via=st.sampled_from(Via),
    incident=maybe,
    reason=maybe,
    check_id=maybe,
    status=maybe,
    store=st.sampled_from(Basis),
    about=st.lists(words).map(tuple),
    records=st.lists(
        st.builds(
            RecordSeen,
            record_id=words,
            version=st.integers(0, 2**53 - 1),
            grade=maybe,
            fields=st.lists(words).map(tuple),
        )
    ).map(tuple),
    late=st.booleans(),
    recipients=st.lists(words).map(tuple),
)


def test_the_operations_are_those_of_section_62() -> None:
    assert [str(operation) for operation in Operation] == [
        "collection",
        "alteration",
        "consultation",
        "disclosure",
        "combination",
        "erasure",
    ]


def test_an_entry_has_these_very_bytes() -> None:
    assert LOOK.canonical() == (
        b'{"about":["' + b"ab" * 32 + b'"],"actor_id":"a-17","actor_role":"call_handler",'
        b'"at":"2026-11-23T22:05:01.000250Z","check_id":"c-1","entry_id":"5f0c","format":1,'
        b'"incident":"CAD-4521-23NOV26","late":false,"operation":"consultation","reason":"incident_response",'
        b'"recipients":[],"records":[{"fields":["headline","action"],"grade":"premises","record_id":"m-1","version":3},'
        b'{"fields":[],"grade":null,"record_id":"m-2","version":1}],"status":"hit","store":"current","via":"web"}'
    )


@given(entry=entries)
def test_an_entry_is_canonical_and_comes_back(entry: LedgerEntry) -> None:
    raw = entry.canonical()
    assert raw == canonical_json(json.loads(raw))
    # The same moment: in the hour a clock goes back, two of them can differ by their zone's rules alone.
    assert LedgerEntry.from_bytes(raw) == replace(entry, at=entry.at.astimezone(UTC))
    assert LedgerEntry.from_bytes(raw).canonical() == raw


def test_time_is_kept_as_utc_whatever_zone_it_came_in() -> None:
    summer = replace(LOOK, at=LOOK.at.astimezone(timezone(timedelta(hours=1))))
    assert summer.canonical() == LOOK.canonical()
    with pytest.raises(ValueError, match="zone"):
        replace(LOOK, at=datetime(2026, 11, 23))  # noqa: DTZ001 - that is the fault


@pytest.mark.parametrize("version", [-1, 2**53])
def test_a_version_no_reader_agrees_on_is_refused(version: int) -> None:
    with pytest.raises(ValueError, match="version"):
        RecordSeen("m-1", version)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b"\xff",
        LOOK.canonical()[:-1],
        LOOK.canonical().replace(b"consultation", b"browsing"),
        LOOK.canonical().replace(b'"format":1', b'"format":2'),
        LOOK.canonical().replace(b'"status"', b'"outcome"'),
        LOOK.canonical().replace(b'"fields":[]', b'"fields":0'),
        LOOK.canonical().replace(b"23T22:05:01.000250Z", b"23T22:05:01"),
    ],
)
def test_bytes_that_are_not_an_entry_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own words where it is not even JSON
        LedgerEntry.from_bytes(raw)


def test_rfc_8785_sorting_sample() -> None:
    """RFC 8785 s.3.2.3: by UTF-16 code units, so the emoji (D83D DE00) comes before U+FB33."""
    sample = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_json(sample)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_rfc_8785_text_and_literals_sample() -> None:
    """RFC 8785 s.3.2.2 without its numbers, which are fractions."""
    sample = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f", "literals": [None, True, False]}
    expected = '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical_json(sample) == expected.encode()


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, -(2**53), b"x", {1: 2}, object(), "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical form|named by text"):
        canonical_json({"x": [value]})


def test_an_actor_named_by_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        replace(LOOK, actor_id="\udcff").canonical()


def test_searching_takes_every_condition_together() -> None:
    other = replace(LOOK, entry_id="2", actor_id="a-18", incident=None, records=(), check_id="c-2", about=())
    third = replace(LOOK, entry_id="3", records=(RecordSeen("m-9", 1),))
    log = [LOOK, other, third]
    assert list(search(log)) == log
    assert list(search(log, actor="a-17")) == [LOOK, third]
    assert list(search(log, incident="CAD-4521-23NOV26", marker="m-9")) == [third]
    assert list(search(log, marker="m-2")) == [LOOK]
    assert list(search(log, check="c-2")) == [other]
    assert list(search(log, about="ab" * 32)) == [LOOK, third]
    assert list(search(log, actor="a-18", marker="m-1")) == []
