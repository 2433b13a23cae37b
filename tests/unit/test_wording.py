"""What an answer is called on the page: no combination of status, grade and store may read as clear when it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.model import Grade, Precision, Status, SubBuilding
from overlay.disclosure import Shown
from overlay.hours import Contact
from overlay.known_at import known_at
from overlay.lookup import Answer, Understood
from overlay.web.times import clock, day, review_words
from overlay.web.wording import Words, words_of

NOON = datetime(2026, 7, 3, 11, 0, 9, tzinfo=UTC)


def said(answer: Answer) -> Words:
    return words_of(answer, NOON)


def shown(grade: Grade, sub_building: SubBuilding | None = None, confidence: float = 1.0) -> Shown:
    return Shown(
        marker_id="m",
        reference="QM-1",
        category="domestic_abuse_risk",
        category_title="Domestic abuse risk",
        grade=grade,
        sub_building=sub_building,
        distance_m=None,
        confidence=confidence,
        why=("14 = 14",),
        headline="High risk",
        action="Keep the line open",
        owner="PPU",
        owner_contact="ext 1",
        fact=None,
        opinion=None,
        source=None,
        source_reference=None,
        review="current",
        detail="shown",
        ask=None,
    )


def answer(
    status: Status,
    *matches: Shown,
    reason: str | None = None,
    precision: Precision = Precision.SUB_BUILDING,
    store: str = "current",
    known: bool = True,
) -> Answer:
    return Answer(
        check_id="c",
        status=status,
        reason=reason,
        advice=None,
        as_of=NOON,
        store=store,
        understood=Understood("Flat 3, 14 Tallow Yard", precision.value, known),
        warnings=(),
        matches=matches,
        prompts=(),
        ledger_entry="e",
        ring=Contact("office", "PPU: ext 1", None),
    )


@pytest.mark.parametrize(
    ("match", "heading", "shape"),
    [
        (shown(Grade.PREMISES, SubBuilding.SAME), "MARKER AT THIS HOME", "square"),
        (shown(Grade.PHONE), "MARKER ON THE CALLER'S NUMBER", "square"),
        (shown(Grade.ZONE), "INSIDE A MARKED AREA", "square"),
        (shown(Grade.ZONE, confidence=0.5), "MAY BE INSIDE A MARKED AREA: confirm where", "triangle"),
        (shown(Grade.POSSIBLE, confidence=0.6), "MAY BE THIS HOME: confirm the address", "triangle"),
        (shown(Grade.BUILDING), "MARKER ON THIS WHOLE BUILDING", "square"),
        (shown(Grade.BUILDING, SubBuilding.NOT_GIVEN), "MARKER IN THIS BUILDING: which flat?", "triangle"),
        (shown(Grade.NEARBY), "MARKER NEAR HERE: which address?", "triangle"),
    ],
)
def test_each_grade_has_its_heading_and_shape(match: Shown, heading: str, shape: str) -> None:
    words = said(answer(Status.HIT, match))
    assert (words.heading, words.shape) == (heading, shape)
    assert words.cards[0].heading == heading


def test_markers_of_one_home_share_a_card_and_other_homes_stand_aside() -> None:
    home, other = shown(Grade.PREMISES, SubBuilding.SAME), shown(Grade.BUILDING, SubBuilding.DIFFERENT)
    words = said(answer(Status.HIT, home, home, other))
    assert [len(card.matches) for card in words.cards] == [2]
    assert [card.heading for card in words.context] == ["IN THIS BUILDING: not this home"]


def test_a_home_nearby_stands_aside_only_once_the_home_is_settled() -> None:
    near = shown(Grade.NEARBY)
    assert said(answer(Status.CLEAR, near)).context[0].heading == "NEARBY: not this home"
    vague = said(answer(Status.COULD_NOT_CHECK, near, reason="A postcode alone.", precision=Precision.AREA))
    assert [card.heading for card in vague.cards] == ["MARKER NEAR HERE: which address?"]
    assert vague.context == ()


def test_what_to_ask_comes_first_in_what_to_do() -> None:
    words = said(answer(Status.COULD_NOT_CHECK, reason="Flat missing: 3 homes here. Ask for the flat."))
    assert words.lines == ("Flat missing: 3 homes here.",)
    assert words.advice == "Ask for the flat. Treat as unknown until it is checked."


def test_a_hit_keeps_what_else_could_not_be_decided() -> None:
    words = said(answer(Status.HIT, shown(Grade.PHONE), reason="The address was not understood."))
    assert words.unsettled == "The address was not understood."


def test_a_clear_says_when_and_whether_the_address_is_known() -> None:
    known = said(answer(Status.CLEAR))
    assert known.lines[1] == "Checked 12:00:09 against all markers in force. Address known to the gazetteer."
    unknown = said(answer(Status.CLEAR, known=False))
    assert unknown.lines[1].endswith("Address not in the gazetteer: confirm it with the caller.")


matches = st.lists(
    st.builds(
        shown,
        st.sampled_from(Grade),
        st.sampled_from([None, *SubBuilding]),
        st.sampled_from([0.5, 1.0]),
    ),
    max_size=4,
)


@given(
    status=st.sampled_from(Status),
    found=matches,
    reason=st.sampled_from([None, "Flat missing. Ask for the flat."]),
    precision=st.sampled_from(Precision),
    store=st.sampled_from(["current", "last_known"]),
    known=st.booleans(),
)
def test_no_marker_is_said_only_of_a_home_or_position_surely_checked(
    status: Status, found: list[Shown], reason: str | None, precision: Precision, store: str, known: bool
) -> None:
    words = said(answer(status, *found, reason=reason, precision=precision, store=store, known=known))
    if "NO MARKER" in words.spoken or words.shape == "circle":
        assert status is Status.CLEAR
        assert store == "current"
        assert precision in (Precision.SUB_BUILDING, Precision.BUILDING, Precision.POINT)
        assert words.cards == ()
        assert reason is None
    if store != "current" or status is Status.COULD_NOT_CHECK:
        assert (words.shape, words.heading) == ("cross", "COULD NOT CHECK: treat as unknown")
    if store != "current":
        assert words.last_known == "LAST KNOWN 12:00:09, store not answering: treat as unknown"
    told = [match for card in (*words.cards, *words.context) for match in card.matches]
    assert sorted(map(id, told)) == sorted(map(id, found))


def test_what_was_last_known_on_another_day_never_reads_as_todays() -> None:
    old = answer(Status.COULD_NOT_CHECK, store="last_known")
    words = words_of(old, old.as_of + timedelta(days=2))
    assert words.last_known is not None
    assert words.last_known.startswith("LAST KNOWN 12:00:09 on Friday 3 July 2026, store not answering")
    assert known_at(datetime(2026, 11, 28, 23, 59, tzinfo=UTC), datetime(2026, 11, 29, 0, 1, tzinfo=UTC)) == (
        "23:59:00 on Saturday 28 November 2026"
    )


def test_times_are_local_and_years_are_said_when_they_differ() -> None:
    assert clock(NOON) == "12:00:09"
    assert day("2026-10-03", NOON) == "3 Oct"
    assert day("2025-10-03", NOON) == "3 Oct 2025"
    assert day(datetime(2026, 6, 30, 23, 30, tzinfo=UTC), NOON) == "1 Jul"
    assert review_words("unconfirmed_since:2026-06-03", NOON) == "unconfirmed since 3 Jun"
    assert review_words(None, NOON) == ""
    with pytest.raises(KeyError):
        review_words("anything else", NOON)
