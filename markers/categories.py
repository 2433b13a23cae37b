"""Reads the kinds of marker an area keeps from `categories.toml`; every error names file, line, category and field."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from markers.model import SUBJECTS, Category, Detail
from markers.written import MARKER_COLUMNS

_TEXTS = ("title", "headline", "action")
_DAYS = ("review_days", "longest_days")
_OTHER = ("nearby_m", "disclosure", "break_glass", "narrative", "radio", "subjects", "details", "tell_subject")
_DETAIL = ("title", "kind", "compulsory", "choices")
_KINDS = ("text", "date", "choice")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")


class CategoryError(ValueError):
    """A category file that can't be used, in one line."""


def load_categories(path: Path) -> dict[str, Category]:
    """Categories by code. Raises CategoryError for a missing, unreadable or incomplete file."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise CategoryError(f"{path}: can't be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CategoryError(f"{path}: not valid TOML: {error}.") from error
    tables = content.get("categories")
    if not isinstance(tables, dict) or not tables:
        raise CategoryError(f"{path}: holds no [categories.CODE] table.")
    return {code: _Reader(path, text, code).read(table) for code, table in tables.items()}


class _Reader:
    """One category's table, and where in the file it stands."""

    def __init__(self, path: Path, text: str, code: str) -> None:
        self._path, self._lines, self._code = path, text.splitlines(), code

    def read(self, table: Any) -> Category:
        if not isinstance(table, dict):
            raise self._refused("", "must be a table")
        if not _CODE.fullmatch(self._code):
            raise self._refused("", "must be named in small letters, digits and _")
        for name in _TEXTS:
            if not isinstance(table.get(name), str) or not table[name].strip():
                raise self._refused(name, "must be a text")
        for name in _DAYS:
            if type(table.get(name)) is not int or table[name] < 1:
                raise self._refused(name, "must be a whole number of days, 1 or more")
        nearby = table.get("nearby_m", 0)
        if type(nearby) not in (int, float) or not 0 <= nearby < float("inf"):
            raise self._refused("nearby_m", "must be a distance in metres, 0 or more")
        disclosure = table.get("disclosure")
        if not isinstance(disclosure, dict):
            raise self._refused("disclosure", "must be a table of role = level")
        break_glass = table.get("break_glass", "none")
        if not isinstance(break_glass, str):
            raise self._refused("break_glass", "must be a level of disclosure")
        radio = table.get("radio", "")
        if not isinstance(radio, str):
            raise self._refused("radio", "must be a text, empty where nothing may be said on an open channel")
        unknown = sorted(set(table) - {*_TEXTS, *_DAYS, *_OTHER})
        if unknown:
            raise self._refused(unknown[0], "is not a field of a category")
        return Category(
            code=self._code,
            title=table["title"],
            headline=table["headline"],
            action=table["action"],
            review_days=table["review_days"],
            longest_days=table["longest_days"],
            nearby_m=float(nearby),
            disclosure=dict(disclosure),
            break_glass=break_glass,
            narrative=self._yes_or_no(table, "narrative", unsaid=True),
            radio=radio.strip(),
            subjects=self._subjects(table.get("subjects", [])),
            details=self._details(table.get("details", {})),
            tell_subject=self._yes_or_no(table, "tell_subject", unsaid=False),
        )

    def _yes_or_no(self, table: dict[str, Any], name: str, *, unsaid: bool, part: str = "") -> bool:
        value = table.get(name, unsaid)
        if not isinstance(value, bool):
            raise self._refused(part + name, "must be true or false")
        return value

    def _subjects(self, given: Any) -> tuple[str, ...]:
        if not isinstance(given, list) or any(kind not in SUBJECTS for kind in given):
            raise self._refused("subjects", f"must be a list of some of {', '.join(SUBJECTS)}")
        return tuple(dict.fromkeys(given))

    def _details(self, given: Any) -> tuple[Detail, ...]:
        if not isinstance(given, dict):
            raise self._refused("details", "must be tables, each [categories.CODE.details.NAME]")
        return tuple(self._detail(name, table) for name, table in given.items())

    def _detail(self, name: str, table: Any) -> Detail:
        part = f"details.{name}"
        if not isinstance(table, dict):
            raise self._refused(part, "must be a table")
        if not _NAME.fullmatch(name) or name in MARKER_COLUMNS:
            raise self._refused(part, "must be a name of its own in small letters, digits and _")
        unknown = sorted(set(table) - set(_DETAIL))
        if unknown:
            raise self._refused(f"{part}.{unknown[0]}", "is not known of a detail")
        title, kind = table.get("title"), table.get("kind", "text")
        if not isinstance(title, str) or not title.strip():
            raise self._refused(f"{part}.title", "must be a text")
        if kind not in _KINDS:
            raise self._refused(f"{part}.kind", f"must be one of {', '.join(_KINDS)}")
        choices = table.get("choices", [])
        if not isinstance(choices, list) or not all(isinstance(choice, str) and choice.strip() for choice in choices):
            raise self._refused(f"{part}.choices", "must be a list of texts")
        if (kind == "choice") != (len(choices) > 1):
            raise self._refused(f"{part}.choices", "must hold two or more for a choice, and nothing for any other kind")
        compulsory = self._yes_or_no(table, "compulsory", unsaid=False, part=f"{part}.")
        return Detail(name, title.strip(), kind, compulsory, tuple(dict.fromkeys(map(str.strip, choices))))

    def _refused(self, name: str, reason: str) -> CategoryError:
        where = ".".join(filter(None, ("categories", self._code, name)))
        return CategoryError(f"{self._path}, line {self._line(name)}: {where} {reason}.")

    def _line(self, name: str) -> int:
        """The line a field stands on; that of the nearest table around it where it is missing."""
        at, wanted = 1, ["categories", self._code, *filter(None, name.split("."))]
        table: list[str] = []
        nearest = 0
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line)
            key = re.match(r"\s*([A-Za-z0-9_\"'-]+)\s*=", line)
            if header:
                table = [part.strip().strip("\"'") for part in header[1].split(".")]
                here = table
            elif key:
                here = [*table, key[1].strip("\"'")]
            else:
                continue
            if here == wanted[: len(here)] and len(here) > nearest:
                at, nearest = number, len(here)
        return at
