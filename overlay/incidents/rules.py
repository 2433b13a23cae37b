"""How the room works its incidents: `config/incidents.toml`, read at boot."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_NEEDED_STATES = ("assigned", "on_scene", "diverted")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class RulesError(ValueError):
    """The file is unreadable or says something that can't be. The message names the file and the place."""


@dataclass(frozen=True, slots=True)
class RaisedTo:
    """Somebody a raise goes to, and for how long it is theirs alone."""

    title: str
    contact: str
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """The file, checked. `grades`, `unit_states` and `contact_methods` map code to title; grades most urgent first."""

    grades: Mapping[str, str]
    silent_floor: str
    unit_states: Mapping[str, str]
    contact_methods: Mapping[str, str]
    call_sign: re.Pattern[str]
    call_sign_example: str
    raised_to: tuple[RaisedTo, ...]
    kept_closed: timedelta

    @property
    def lists(self) -> Mapping[str, Mapping[str, str]]:
        """The lists that answers of the type `listed` choose from."""
        return {"grades": self.grades, "contact_methods": self.contact_methods}

    def lowers(self, before: str | None, after: str) -> bool:
        """Whether a grade is less urgent than the one before it; one no longer in the file was the most urgent."""
        order = list(self.grades)
        return before is not None and order.index(after) > (order.index(before) if before in order else 0)

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Raises RulesError."""
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RulesError(f"{path}: {error}.") from error
        try:
            return _read(table)
        except RulesError as error:
            raise RulesError(f"{path}: {error}") from None


def _read(table: dict[str, Any]) -> Rules:
    grades = _codes(table, "grades")
    states = _codes(table, "unit_states")
    missing = [state for state in _NEEDED_STATES if state not in states]
    if missing:
        raise RulesError(f"unit_states lacks {', '.join(missing)}, which prompts go by.")
    floor = _text(table, "silent_call", "floor")
    if floor not in grades:
        raise RulesError(f"silent_call.floor is {floor!r}; it must be one of {', '.join(grades)}.")
    pattern, example = _text(table, "call_signs", "pattern"), _text(table, "call_signs", "example")
    try:
        call_sign = re.compile(pattern)
    except re.error as error:
        raise RulesError(f"call_signs.pattern is not a regular expression: {error}.") from error
    if not call_sign.fullmatch(example):
        raise RulesError("call_signs.example does not fit call_signs.pattern.")
    return Rules(
        grades=grades,
        silent_floor=floor,
        unit_states=states,
        contact_methods=_codes(table, "contact_methods"),
        call_sign=call_sign,
        call_sign_example=example,
        raised_to=_raised_to(table),
        kept_closed=timedelta(days=_whole(_table(table, "retention"), "retention.closed_days", 1, 3660)),
    )


def _raised_to(table: dict[str, Any]) -> tuple[RaisedTo, ...]:
    rows = table.get("raised_to")
    if not isinstance(rows, list) or not rows:
        raise RulesError("raised_to must name at least one person a raised prompt goes to.")
    return tuple(
        RaisedTo(
            _text({"raised_to": row}, "raised_to", "title"),
            _text({"raised_to": row}, "raised_to", "contact"),
            timedelta(minutes=_whole(row, "raised_to.minutes", 1, 1440)),
        )
        for row in rows
    )


def _codes(table: dict[str, Any], name: str) -> dict[str, str]:
    rows = table.get(name)
    if not isinstance(rows, list) or not rows:
        raise RulesError(f"{name} must be a list of tables, each with a code and a title.")
    codes: dict[str, str] = {}
    for row in rows:
        code, title = _text({name: row}, name, "code"), _text({name: row}, name, "title")
        if not _CODE.fullmatch(code):
            raise RulesError(f"{name}: the code {code!r} must be small letters, digits and _.")
        if code in codes:
            raise RulesError(f"{name}: the code {code} stands there twice.")
        codes[code] = title
    return codes


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name)
    if not isinstance(found, dict):
        raise RulesError(f"{name} is missing or is not a table.")
    return found


def _text(table: dict[str, Any], name: str, key: str) -> str:
    found = _table(table, name).get(key)
    if not isinstance(found, str) or not found.strip():
        raise RulesError(f"{name}.{key} must be text.")
    return found


def _whole(table: dict[str, Any], name: str, least: int, most: int) -> int:
    found = table.get(name.rpartition(".")[2])
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise RulesError(f"{name} must be a whole number from {least} to {most}.")
    return found
