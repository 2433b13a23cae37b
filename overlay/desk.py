"""How the public protection unit works, from `config/public_protection.toml`; every error names file and field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from overlay.hours import Hours, Span, holidays
from overlay.settings import SettingsError

_TABLES = {
    "reviews": {"due_working_days", "escalated"},
    "hours": {"bank_holidays", "closed", "office", "on_call"},
    "provisional": {"hours"},
    "proposals": {"kept_days"},
    "ending": {"reasons", "told"},
}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Escalation:
    """Whom an overdue review is put to after so many working days."""

    working_days: int
    to: str


@dataclass(frozen=True, slots=True)
class DeskRules:
    """What holds at the desk.

    `due_working_days` is how many ahead a review is called due, `escalated` to whom it goes when it is late, soonest
    first; `provisional` how long a marker added out of hours lasts unless it is kept; `decided_kept` how long a
    proposal can be read after it was decided. `ending_reasons` and `told` are pairs of code and words.
    """

    due_working_days: int
    escalated: tuple[Escalation, ...]
    hours: Hours
    provisional: timedelta
    decided_kept: timedelta
    ending_reasons: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, str], ...]

    def late_since(self, today: date) -> tuple[tuple[date, str], ...]:
        """To whom overdue reviews have gone by today, latest first: those that were due on a day or before it."""
        return tuple((self.hours.days_ago(today, step.working_days), step.to) for step in reversed(self.escalated))


def load_desk(path: Path) -> DeskRules:
    """Raises SettingsError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}.") from error
    for name, known in _TABLES.items():
        table = content.get(name)
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: the table [{name}] is missing.")
        for field in sorted(known.symmetric_difference(table)):
            what = "is missing" if field in known else "is not known"
            raise SettingsError(f"{path}: {name}.{field} {what}.")
    for name in sorted(set(content) - set(_TABLES)):
        raise SettingsError(f"{path}: {name} is not known.")
    return DeskRules(
        due_working_days=_whole(path, "reviews.due_working_days", content["reviews"]["due_working_days"]),
        escalated=_escalated(path, content["reviews"]["escalated"]),
        hours=_hours(path, content["hours"]),
        provisional=timedelta(hours=_whole(path, "provisional.hours", content["provisional"]["hours"])),
        decided_kept=timedelta(days=_whole(path, "proposals.kept_days", content["proposals"]["kept_days"])),
        ending_reasons=_pairs(path, "ending.reasons", content["ending"]["reasons"]),
        told=_pairs(path, "ending.told", content["ending"]["told"]),
    )


def _escalated(path: Path, value: Any) -> tuple[Escalation, ...]:
    name = "reviews.escalated"
    if not isinstance(value, list) or not all(
        isinstance(row, dict) and set(row) == {"working_days", "to"} for row in value
    ):
        raise SettingsError(f'{path}: {name} must be a list of {{ working_days = 5, to = "..." }}.')
    steps = [Escalation(_whole(path, f"{name}.working_days", row["working_days"]), row["to"]) for row in value]
    if not all(isinstance(step.to, str) and step.to.strip() for step in steps):
        raise SettingsError(f"{path}: {name}.to must say whom.")
    if [step.working_days for step in steps] != sorted({step.working_days for step in steps}):
        raise SettingsError(f"{path}: {name} must go on to more working days with each step.")
    return tuple(steps)


def _hours(path: Path, table: dict[str, Any]) -> Hours:
    region = table["bank_holidays"]
    try:
        holidays(str(region), 2026)
    except (NotImplementedError, ValueError) as error:
        raise SettingsError(
            f"{path}: hours.bank_holidays is {region!r}; name a country and part, as in GB-ENG."
        ) from error
    closed = table["closed"]
    if not isinstance(closed, list) or not all(type(day) is date for day in closed):
        raise SettingsError(f"{path}: hours.closed must be a list of dates, as in 2026-12-24.")
    return Hours(_span(path, "office", table), _span(path, "on_call", table), str(region), frozenset(closed))


def _span(path: Path, name: str, table: dict[str, Any]) -> Span:
    value = table[name]
    where = f"{path}: hours.{name}"
    if not isinstance(value, dict) or set(value) != {"days", "from", "to"}:
        raise SettingsError(f"{where} must have days, from and to.")
    days = value["days"]
    if not isinstance(days, list) or not days or not set(days) <= set(_DAYS):
        raise SettingsError(f"{where}.days must be a list of {', '.join(_DAYS)}.")
    begins, ends = (_clock(f"{where}.{part}", value[part]) for part in ("from", "to"))
    if ends != time() and ends <= begins:
        raise SettingsError(f"{where}.to must be later than from; 00:00 is the end of the day.")
    return Span(frozenset(_DAYS.index(day) for day in days), begins, ends)


def _clock(where: str, value: Any) -> time:
    try:
        return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - a time of day
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{where} is {value!r}; write an hour as in 08:00.") from error


def _whole(path: Path, name: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 3_660:
        raise SettingsError(f"{path}: {name} must be a whole number from 1 to 3660.")
    return value


def _pairs(path: Path, name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) and text for text in value.values()):
        raise SettingsError(f'{path}: {name} must be a table of code = "words", with one entry or more.')
    return tuple(value.items())
