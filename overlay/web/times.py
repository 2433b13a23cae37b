"""Times, dates and reviews as people read them: Europe/London, 24 hours, the year only where it is not this one."""

from __future__ import annotations

from datetime import date, datetime

from markers.model import LONDON
from overlay.hours import Contact


def clock(moment: datetime) -> str:
    """`14:02:11`, from an aware datetime."""
    return f"{moment.astimezone(LONDON):%H:%M:%S}"


def day(value: date | datetime | str, today: datetime) -> str:
    """`3 Oct`, or `3 Oct 2025` outside the year of `today`. Takes a date, an aware datetime or an ISO date."""
    if isinstance(value, str):
        value = date.fromisoformat(value)
    elif isinstance(value, datetime):
        value = value.astimezone(LONDON).date()
    year = "" if value.year == today.astimezone(LONDON).year else f" {value.year}"
    return f"{value.day} {value:%b}{year}"


def moment(value: datetime, today: datetime) -> str:
    """`14:02`, or `3 Oct 14:02` on another day than that of `today`. Takes an aware datetime."""
    local = value.astimezone(LONDON)
    same_day = local.date() == today.astimezone(LONDON).date()
    return f"{local:%H:%M}" if same_day else f"{day(value, today)} {local:%H:%M}"


def ring_words(contact: Contact, today: datetime) -> str:
    """Whom to ring now, and from when somebody else."""
    until = f" (until {moment(contact.until, today)})" if contact.until is not None else ""
    return f"{contact.words}{until}"


def review_words(review: str | None, today: datetime) -> str:
    """A marker's review in words, from `current`, `provisional` or `unconfirmed_since:DATE`; empty when withheld."""
    if review is None:
        return ""
    state, _, since = review.partition(":")
    if state == "unconfirmed_since":
        return f"unconfirmed since {day(since, today)}"
    return {"current": "review in date", "provisional": "provisional: public protection has not confirmed it"}[state]
