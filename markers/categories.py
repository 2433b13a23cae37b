"""Reads the kinds of marker an area keeps from `categories.toml`; every error names file, category and field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from markers.model import Category

_TEXTS = ("title", "headline", "action")
_DAYS = ("review_days", "longest_days")


class CategoryError(ValueError):
    """A category file that can't be used, in one line."""


def load_categories(path: Path) -> dict[str, Category]:
    """Categories by code. Raises CategoryError for a missing, unreadable or incomplete file."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CategoryError(f"{path}: can't be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CategoryError(f"{path}: not valid TOML: {error}.") from error
    tables = content.get("categories")
    if not isinstance(tables, dict) or not tables:
        raise CategoryError(f"{path}: holds no [categories.CODE] table.")
    return {code: _category(path, code, table) for code, table in tables.items()}


def _category(path: Path, code: str, table: dict[str, Any]) -> Category:
    def refuse(field: str, reason: str) -> CategoryError:
        return CategoryError(f"{path}: categories.{code}.{field} {reason}.")

    for field in _TEXTS:
        if not isinstance(table.get(field), str) or not table[field].strip():
            raise refuse(field, "must be a text")
    for field in _DAYS:
        if not isinstance(table.get(field), int) or table[field] < 1:
            raise refuse(field, "must be a whole number of days, 1 or more")
    nearby = table.get("nearby_m", 0)
    if not isinstance(nearby, int | float) or nearby < 0:
        raise refuse("nearby_m", "must be a distance in metres, 0 or more")
    disclosure = table.get("disclosure")
    if not isinstance(disclosure, dict):
        raise refuse("disclosure", "must be a table of role = level")
    break_glass = table.get("break_glass", "none")
    if not isinstance(break_glass, str):
        raise refuse("break_glass", "must be a level of disclosure")
    narrative = table.get("narrative", True)
    if not isinstance(narrative, bool):
        raise refuse("narrative", "must be true or false")
    radio = table.get("radio", "")
    if not isinstance(radio, str):
        raise refuse("radio", "must be a text, empty where nothing may be said on an open channel")
    unknown = sorted(set(table) - {*_TEXTS, *_DAYS, "nearby_m", "disclosure", "break_glass", "narrative", "radio"})
    if unknown:
        raise refuse(unknown[0], "is not a field of a category")
    return Category(
        code=code,
        title=table["title"],
        headline=table["headline"],
        action=table["action"],
        review_days=table["review_days"],
        longest_days=table["longest_days"],
        nearby_m=float(nearby),
        disclosure=dict(disclosure),
        break_glass=break_glass,
        narrative=narrative,
        radio=radio.strip(),
    )
