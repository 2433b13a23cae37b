"""When public protection can be rung, and on which days it works. Pure: the hour is passed in.

Bank holidays are computed by python-holidays from its own tables (Banking and Financial Dealings Act 1971, and what
was proclaimed), so nothing is asked of a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

from holidays import country_holidays

from markers.model import LONDON

OFFICE, ON_CALL, COVER = "office", "on_call", "cover"
_LOOKED_AHEAD = 30  # days; no office is closed for longer


@dataclass(frozen=True, slots=True)
class Span:
    """From one hour to another of each of these days (0 is Monday). An end of midnight, 00:00, is that of the day."""

    days: frozenset[int]
    begins: time
    ends: time

    def holds(self, at: datetime) -> bool:
        """Whether it covers a moment, on its day alone."""
        clock = at.time()
        return at.weekday() in self.days and self.begins <= clock and (clock < self.ends or self.ends == time())


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is to be rung: `which` is office, on_call or cover; another takes over at `until`, if anybody does."""

    which: str
    words: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Hours:
    """The office's hours and those of the person on call; whoever covers is there at all others.

    `region` names the bank holidays, as `GB-ENG`; `closed` are further days on which the office does not work.
    """

    office: Span
    on_call: Span
    region: str
    closed: frozenset[date]

    def works_on(self, day: date) -> bool:
        """Whether it is a working day."""
        return (
            day.weekday() in self.office.days and day not in self.closed and day not in holidays(self.region, day.year)
        )

    def which(self, at: datetime) -> str:
        """Who is there at a moment."""
        here = at.astimezone(LONDON)
        if self.works_on(here.date()) and self.office.holds(here):
            return OFFICE
        return ON_CALL if self.on_call.holds(here) else COVER

    def changes_at(self, at: datetime) -> datetime | None:
        """The next moment at which somebody else is there; None if that is further off than a month."""
        now = self.which(at)
        return next((moment for moment in self._edges(at) if self.which(moment) != now), None)

    def _edges(self, at: datetime) -> Iterator[datetime]:
        first = at.astimezone(LONDON).date()
        clocks = sorted({time(), self.office.begins, self.office.ends, self.on_call.begins, self.on_call.ends})
        for day in (first + timedelta(days=n) for n in range(_LOOKED_AHEAD)):
            for clock in clocks:
                moment = datetime.combine(day, clock, LONDON)
                if moment > at:
                    yield moment

    def working_day_before(self, day: date) -> date:
        """The day itself, or the working day before it: what is due on a day off is due earlier, never later."""
        return next((d for n in range(_LOOKED_AHEAD) if self.works_on(d := day - timedelta(days=n))), day)

    def days_on(self, day: date, count: int) -> date:
        """`count` working days after a day."""
        while count > 0:
            day += timedelta(days=1)
            count -= self.works_on(day)
        return day

    def days_ago(self, today: date, count: int) -> date:
        """The latest day since which `count` working days have passed, today included."""
        day = today
        while count > 0:
            count -= self.works_on(day)
            day -= timedelta(days=1)
        return day


@cache
def holidays(region: str, year: int) -> frozenset[date]:
    """The bank holidays of a year. Raises NotImplementedError for a region that is not known."""
    country, _, part = region.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))
