"""Dates as lists have them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.dates import DateError, read_date

THIRD_OF_OCTOBER = date(2026, 10, 3)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-10-03", "2026/10/03", "2026.10.3", "20261003", "2026-10-03T00:00:00", "2026-10-03 00:00:00.000"),
        *("03/10/2026", "3/10/2026", "03-10-2026", "03.10.2026", "03 10 2026", "03/10/26", "3.10.26"),
        *("03/10/2026 00:00", "03/10/2026 00:00:00", "3/10/2026 14:30", "03/10/2026 12:00:00 AM"),
        *(
            "3 Oct 2026",
            "3 October 2026",
            "03-Oct-26",
            "3rd October 2026",
            "Sat 3 Oct 2026",
            "Saturday, 3 October 2026",
        ),
        *("Oct 3, 2026", "October 3rd 2026", "3 OCT 2026 00:00", "3Oct2026", "  3   Oct  2026 "),
        *("46298", "46298.0", "46298.5"),
        *("2026-10-02T23:00:00Z", "2026-10-03T00:00:00+01:00", "2026-10-03 12:00:00 +00:00"),
    ],
)
def test_one_day_written_in_many_ways(text):
    assert read_date(text) == THIRD_OF_OCTOBER


@pytest.mark.parametrize(
    ("number", "day"), [("32874", date(1990, 1, 1)), ("46000", date(2025, 12, 9)), ("73050", date(2099, 12, 31))]
)
def test_excel_day_numbers(number, day):
    """Day numbers as Excel shows them for these dates in the 1900 system."""
    assert read_date(number) == day


def test_29_february_only_in_leap_years():
    assert read_date("29/02/2028") == date(2028, 2, 29)
    with pytest.raises(DateError):
        read_date("29/02/2026")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "31/02/2026",
            "2026-02-31",
            "00/10/2026",
            "32 Oct 2026",
            "2026-13-32",
            "3 Oct",
            "10/2026",
            "October 2026",
            "2026",
        ),
        *(
            "soon",
            "n/a",
            "-",
            "0",
            "60",
            "1.5",
            "nan",
            "3 Ma 2026",
            "3 Octember 2026",
            "٣/١٠/٢٠٢٦",
            "3/10-2026",
            "1e5",
            "46298,5",
        ),
        *(
            "03/10/1826",
            "2206-10-03",
            "99999",
            "32873",
            "9" * 10_000,
            "2026-10-03T99:99:99Z",
            "0001-01-01T00:00:00+23:00",
        ),
    ],
)
def test_what_is_not_a_date_is_refused_with_what_to_write(text):
    with pytest.raises(DateError) as refused:
        read_date(text)
    assert len(str(refused.value)) < 160
    assert "Write 2026-02-28 or 28/02/2026." in str(refused.value) or "from 1990 to 2099" in str(refused.value)


def test_month_first_is_refused_where_it_shows():
    with pytest.raises(DateError, match=r"no month 25. If it is 25 December, write 2026-12-25\."):
        read_date("12/25/2026")
    with pytest.raises(DateError, match=r"no month 13. If it is 13 January, write 2026-01-13\."):
        read_date("2026-13-01")
    with pytest.raises(DateError, match=r"'2/31/2026' is not a date\. Write"):
        read_date("2/31/2026")
    with pytest.raises(DateError, match=r"'13/25/2026' is not a date\. Write"):
        read_date("13/25/2026")


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2099, 12, 31)))
def test_every_day_in_every_form(day):
    for text in (
        day.isoformat(),
        f"{day:%d/%m/%Y}",
        f"{day.day}.{day.month}.{day.year}",
        f"{day:%d %b %Y}",
        f"{day:%A, %d %B %Y}",
        str((day - date(1899, 12, 30)).days),
    ):
        assert read_date(text) == day


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_refused(text):
    try:
        assert isinstance(read_date(text), date)
    except DateError as error:
        assert str(error)
