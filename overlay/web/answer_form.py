"""A point's form -> an answer as checklists/answers.py reads it. What can't be one is refused there, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.datastructures import MultiDict

from checklists.definition import AnswerType, Point
from markers.model import LONDON

_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]?([0-5]\d)")
_LATER_IS_YESTERDAY = timedelta(minutes=5)


def value_of(point: Point, form: MultiDict[str, str], now: datetime) -> Any:
    """The value the form holds, None where nothing was filled in. Times are clock times in London, now when empty."""
    return _value(point.answer, form, "value", now)


def _value(answer: AnswerType, form: MultiDict[str, str], name: str, now: datetime) -> Any:
    given = form.get(name, "").strip()
    match answer.type:
        case "yes_no":
            return {"yes": True, "no": False}.get(given, given or None)
        case "multi" | "call_signs":
            return form.getlist(name) or None
        case "count":
            return int(given) if re.fullmatch(r"\d{1,6}", given, re.ASCII) else (given or None)
        case "ack" | "person_time":
            return {"name": given, "at": _at(form.get(f"{name}.time", ""), now)} if given else None
        case "checks":
            ended = {code: form.get(f"{name}.{code}", "") for code in answer.items}
            return ended if any(ended.values()) else None
        case "set":
            parts = {code: _part(item.answer, form, f"{name}.{code}", now) for code, item in answer.items.items()}
            filled = {code: part for code, part in parts.items() if part is not None}
            return filled or None
        case _:
            return given or None


def _part(answer: AnswerType, form: MultiDict[str, str], name: str, now: datetime) -> Any:
    value = _value(answer, form, name, now)
    skipped = form.get(f"{name}.non_answer", "")
    if value is None and skipped:
        return {"non_answer": skipped, "reason": form.get("note", "").strip()}
    return value


def _at(text: str, now: datetime) -> str:
    """A clock time of the last day as ISO 8601; now when empty; as typed when it is none, to be refused in words."""
    if not text.strip():
        return now.isoformat()
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return text
    local = now.astimezone(LONDON).replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    at = local.astimezone(UTC)
    return (at - timedelta(days=1) if at > now + _LATER_IS_YESTERDAY else at).isoformat()


def filled_in(point: Point, value: Any) -> Mapping[str, Any]:
    """What a form shows for a value: its parts by the names that `value_of` reads."""
    return dict(_filled(point.answer, value, "value")) if value is not None else {}


def _filled(answer: AnswerType, value: Any, name: str) -> list[tuple[str, Any]]:
    match answer.type:
        case "yes_no":
            return [(name, "yes" if value else "no")]
        case "ack" | "person_time":
            at = datetime.fromisoformat(value["at"]).astimezone(LONDON)
            return [(name, value["name"]), (f"{name}.time", f"{at:%H:%M}")]
        case "checks":
            return [(f"{name}.{code}", ended) for code, ended in value.items()]
        case "set":
            found: list[tuple[str, Any]] = []
            for code, part in value.items():
                if isinstance(part, dict) and "non_answer" in part:
                    found.append((f"{name}.{code}.non_answer", part["non_answer"]))
                else:
                    found += _filled(answer.items[code].answer, part, f"{name}.{code}")
            return found
        case _:
            return [(name, value)]
