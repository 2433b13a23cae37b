"""Dates as they stand in lists: ISO, day first, in words, and the day numbers Excel leaves behind."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from markers.model import LONDON

FIRST_YEAR = 1990
LAST_YEAR = 2099

_ADVICE = "Write 2026-02-28 or 28/02/2026."
_EXCEL_EPOCH = date(1899, 12, 30)  # a day early: Excel counts a 29 February 1900 that never was
_TIME = r"(?:[t ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[ap]m)?)?"
_ISO = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_DAY_FIRST = re.compile(rf"(\d{{1,2}})([-/. ])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_DAY_MONTH = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th)?[-/., ]*([a-z]{{3,9}})[-/., ]*(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_MONTH_DAY = re.compile(rf"([a-z]{{3,9}})[-/. ]*(\d{{1,2}})(?:st|nd|rd|th)?[-/, ]+(\d{{4}}){_TIME}", re.ASCII)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", re.ASCII)
_EXCEL_DAY = re.compile(r"(\d{5})(?:\.\d+)?", re.ASCII)
_ZONED = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)? ?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


class DateError(ValueError):
    """A text that is not a date; the message says what to write instead."""


def read_date(text: str) -> date:
    """A date between 1990 and 2099. The day comes before the month; a time of day is passed over.

    A time with an offset from UTC is first brought to Europe/London. Five figures are an Excel day number
    (1900 system). Raises DateError.
    """
    text = " ".join(text.split())
    found = _read(text.casefold(), text)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise DateError(f"'{text}' is in the year {found.year}. Dates from {FIRST_YEAR} to {LAST_YEAR} are read.")
    return found


def _read(plain: str, text: str) -> date:
    if len(plain) > 40:
        raise DateError(f"'{text[:39]}…' is not a date. {_ADVICE}")
    if _ZONED.fullmatch(plain.upper()):
        return _zoned(text)
    if match := _ISO.fullmatch(plain):
        return _day(text, match[1], match[3], match[4])
    if match := _COMPACT.fullmatch(plain):
        return _day(text, match[1], match[2], match[3])
    if match := _EXCEL_DAY.fullmatch(plain):
        return _EXCEL_EPOCH + timedelta(days=int(match[1]))
    if match := _DAY_FIRST.fullmatch(plain):
        return _day(text, match[4], match[3], match[1])
    plain = _WEEKDAY.sub("", plain, count=1)
    if match := _DAY_MONTH.fullmatch(plain):
        return _day(text, match[3], _month(text, match[2]), match[1])
    if match := _MONTH_DAY.fullmatch(plain):
        return _day(text, match[3], _month(text, match[1]), match[2])
    raise DateError(f"'{text}' is not a date. {_ADVICE}")


def _zoned(text: str) -> date:
    try:
        return datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", "")).astimezone(LONDON).date()
    except (ValueError, OverflowError):
        raise DateError(f"'{text}' is not a date. {_ADVICE}") from None


def _month(text: str, name: str) -> str:
    months = [number for number, full in enumerate(_MONTHS, start=1) if full.startswith(name)]
    if len(months) != 1:
        raise DateError(f"'{text}' is not a date: '{name}' is not a month. {_ADVICE}")
    return str(months[0])


def _day(text: str, year: str, month: str, day: str) -> date:
    years = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(years, int(month), int(day))
    except ValueError:
        pass
    if int(month) > 12 and 1 <= int(day) <= 12:
        try:
            meant = date(years, int(day), int(month))
        except ValueError:
            raise DateError(f"'{text}' is not a date. {_ADVICE}") from None
        raise DateError(
            f"'{text}' is not a date: there is no month {month}. "
            f"If it is {meant.day} {_MONTHS[meant.month - 1].capitalize()}, write {meant.isoformat()}."
        )
    raise DateError(f"'{text}' is not a date. {_ADVICE}")
