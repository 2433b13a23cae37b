"""How the public protection unit works, from `config/public_protection.toml`; every error names file and field."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from overlay.settings import SettingsError

_TABLES = {"reviews": {"due_days"}, "provisional": {"hours"}, "proposals": {"kept_days"}, "ending": {"reasons", "told"}}


@dataclass(frozen=True, slots=True)
class DeskRules:
    """What holds at the desk.

    `due_days` is how many days ahead a review is called due; `provisional` how long a marker added out of hours lasts
    unless it is kept; `decided_kept` how long a proposal can be read after it was decided. `ending_reasons` and `told`
    are pairs of code and words.
    """

    due_days: int
    provisional: timedelta
    decided_kept: timedelta
    ending_reasons: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, str], ...]


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
        due_days=_whole(path, "reviews.due_days", content["reviews"]["due_days"]),
        provisional=timedelta(hours=_whole(path, "provisional.hours", content["provisional"]["hours"])),
        decided_kept=timedelta(days=_whole(path, "proposals.kept_days", content["proposals"]["kept_days"])),
        ending_reasons=_pairs(path, "ending.reasons", content["ending"]["reasons"]),
        told=_pairs(path, "ending.told", content["ending"]["told"]),
    )


def _whole(path: Path, name: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 3_660:
        raise SettingsError(f"{path}: {name} must be a whole number from 1 to 3660.")
    return value


def _pairs(path: Path, name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) and text for text in value.values()):
        raise SettingsError(f'{path}: {name} must be a table of code = "words", with one entry or more.')
    return tuple(value.items())
