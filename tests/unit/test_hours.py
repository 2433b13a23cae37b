"""When public protection can be rung and on which days it works, and what a wrong file of it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.desk import load_desk
from overlay.hours import COVER, OFFICE, ON_CALL, Hours, Span
from overlay.settings import SHIPPED_CONFIG, SettingsError

SHIPPED = SHIPPED_CONFIG / "public_protection.toml"
HOURS = Hours(
    Span(frozenset(range(5)), time(8), time(16)),
    Span(frozenset(range(7)), time(6), time(23)),
    "GB-ENG",
    frozenset({date(2026, 12, 29)}),
)
# The bank holidays of England and Wales for 2026 and 2027 as they are published, written down by hand.
BANK_HOLIDAYS = {
    *(date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 4), date(2026, 5, 25), date(2026, 8, 31)),
    *(date(2026, 12, 25), date(2026, 12, 28)),
    *(date(2027, 1, 1), date(2027, 3, 26), date(2027, 3, 29), date(2027, 5, 3), date(2027, 5, 31), date(2027, 8, 30)),
    *(date(2027, 12, 27), date(2027, 12, 28)),
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_weekdays_the_office_is_closed_are_the_bank_holidays_and_its_own() -> None:
    days = [date.fromordinal(n) for n in range(date(2026, 1, 1).toordinal(), date(2028, 1, 1).toordinal())]
    off = {day for day in days if day.weekday() < 5 and not HOURS.works_on(day)}
    assert off == BANK_HOLIDAYS | {date(2026, 12, 29)}


@pytest.mark.parametrize(
    ("moment", "which", "until"),
    [
        ("2026-11-25T08:00", OFFICE, "2026-11-25T16:00"),  # a Wednesday, in winter time
        ("2026-11-25T15:59", OFFICE, "2026-11-25T16:00"),
        ("2026-11-25T16:00", ON_CALL, "2026-11-25T23:00"),
        ("2026-11-25T23:00", COVER, "2026-11-26T06:00"),
        ("2026-11-25T03:00", COVER, "2026-11-25T06:00"),
        ("2026-11-28T12:00", ON_CALL, "2026-11-28T23:00"),  # Saturday
        ("2026-12-25T12:00", ON_CALL, "2026-12-25T23:00"),  # Christmas Day, a Friday
        ("2026-12-29T12:00", ON_CALL, "2026-12-29T23:00"),  # closed by the force
        ("2026-07-01T07:30", OFFICE, "2026-07-01T15:00"),  # British Summer Time: 08:30 in London
        ("2026-03-29T00:30", COVER, "2026-03-29T05:00"),  # the night the clocks go forward
        ("2026-10-25T00:30", COVER, "2026-10-25T06:00"),  # and back
    ],
)
def test_who_is_there(moment: str, which: str, until: str) -> None:
    assert (HOURS.which(at(moment)), HOURS.changes_at(at(moment))) == (which, at(until))


def test_nobody_takes_over_from_somebody_who_is_always_there() -> None:
    always = Hours(HOURS.office, Span(frozenset(range(7)), time(), time()), "GB-ENG", HOURS.closed)
    assert always.which(at("2026-11-25T03:00")) == ON_CALL
    only = Hours(Span(frozenset(range(7)), time(), time()), always.on_call, "GB-ENG", frozenset())
    assert only.changes_at(at("2026-11-25T03:00")) is None


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 40))
def test_working_days_there_and_back(day: date, count: int) -> None:
    later = HOURS.days_on(day, count)
    assert HOURS.works_on(later)
    between = [date.fromordinal(n) for n in range(day.toordinal() + 1, later.toordinal() + 1)]
    assert sum(map(HOURS.works_on, between)) == count
    ago = HOURS.days_ago(later, count)
    assert ago >= day
    assert not any(map(HOURS.works_on, between[: (ago - day).days]))
    assert HOURS.days_on(ago, count) == later
    assert HOURS.working_day_before(later) == later
    before = HOURS.working_day_before(day)
    assert before <= day
    assert HOURS.works_on(before)


def test_what_ships_says_to_whom_late_reviews_go() -> None:
    desk = load_desk(SHIPPED)
    assert (desk.due_working_days, len(desk.escalated)) == (10, 2)
    late = desk.late_since(date(2026, 12, 30))
    assert late == (
        (date(2026, 12, 14), "Head of public protection"),
        (date(2026, 12, 21), "Public protection supervisor"),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("due_working_days = 10", "due_working_days = 0"), "reviews.due_working_days"),
        (lambda text: text.replace("working_days = 10, to", "working_days = 5, to"), "more working days"),
        (lambda text: text.replace('to = "Head of public protection"', 'to = " "'), "reviews.escalated.to"),
        (lambda text: text.replace(', to = "Head of public protection"', ""), "reviews.escalated must be a list"),
        (lambda text: text.replace('"GB-ENG"', '"Atlantis"'), "hours.bank_holidays is 'Atlantis'"),
        (lambda text: text.replace("closed = []", 'closed = ["2026-12-24"]'), "hours.closed must be a list of dates"),
        (lambda text: text.replace('"08:00"', '"8 am"'), "hours.office.from is '8 am'"),
        (lambda text: text.replace('to = "16:00"', 'to = "07:00"'), "hours.office.to must be later"),
        (lambda text: text.replace('"sun"]', '"sunday"]'), "hours.on_call.days"),
        (lambda text: text.replace('from = "06:00"\n', ""), "hours.on_call must have days, from and to"),
        (lambda text: text.replace("[hours.on_call]", "[hours.night]"), "hours.night is not known"),
    ],
)
def test_a_wrong_file_is_refused_with_its_field(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    wrong = tmp_path / "public_protection.toml"
    text = change(SHIPPED.read_text(encoding="utf-8"))
    assert text != SHIPPED.read_text(encoding="utf-8")
    wrong.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_desk(wrong)
    assert str(wrong) in str(refused.value)
    assert said in str(refused.value)
