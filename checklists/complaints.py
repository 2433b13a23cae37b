"""What pydantic finds wrong with a definition, in words that say what to write instead."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from checklists import definition as shape
from checklists.references import not_known
from checklists.strict_yaml import Place, Reading

_ANSWERS: Final[dict[str, type[BaseModel]]] = {
    "yes_no": shape.YesNo,
    "choice": shape.Choice,
    "multi": shape.Multi,
    "text": shape.Text,
    "count": shape.Count,
    "ack": shape.Ack,
    "person_time": shape.PersonTime,
    "checks": shape.Checks,
    "listed": shape.Listed,
    "call_signs": shape.CallSigns,
    "set": shape.Set,
}
_PARTS: Final[dict[str, type[BaseModel]]] = {
    "approval": shape.Approval,
    "show_when": shape.ShowWhen,
    "mandatory_if": shape.MandatoryIf,
    "raises": shape.Raises,
}
_TEXT: Final = "must be text"
_WHOLE: Final = "must be a whole number"
_SHORT: Final = {
    "missing": "is missing",
    "tuple_type": "must be a list: [one, another]",
    "dict_type": "must be a table of code: what it is",
    "model_type": "must be a table of fields",
    "model_attributes_type": "must be a table of fields",
    "bool_type": "must be true or false",
    "int_type": _WHOLE,
    "date_type": "must be a date: 2026-01-31",
    "date_from_datetime_parsing": "must be a date: 2026-01-31",
    "date_from_datetime_inexact": "must be a date: 2026-01-31",
    "string_too_short": "is blank; give it words",
}
_CODE: Final = "must be a code: small letters, digits and _, a letter first, at most 60 in all"


def stands(error: ErrorDetails) -> bool:
    """Whether it is a fault of its own: what is only too short without its faulty parts is not."""
    return error["type"] != "too_short" or len(error["input"]) < error["ctx"]["min_length"]


def complaint(error: ErrorDetails, top: Place, reading: Reading) -> tuple[Place, str]:
    """The place in the file and what to say of it; `top` is where the definition stands in the file."""
    place, at_key = _place(error["loc"], top, reading)
    if error["type"] == "union_tag_invalid":
        place = (*place, "type")
    return place, _CODE if at_key else _words(error, place, top, reading)


def _place(loc: tuple[int | str, ...], top: Place, reading: Reading) -> tuple[Place, bool]:
    """Pydantic's way to the fault, without the steps that stand for no part of the file."""
    place, steps = top, list(loc)
    while steps:
        step = steps.pop(0)
        if place and place[-1] == "answer" and step == reading.written.get((*place, "type")) and step in _ANSWERS:
            if not steps:
                break
            step = steps.pop(0)
        if step == "[key]":
            return place, True
        place = (*place, step)
    return place, False


def _words(error: ErrorDetails, place: Place, top: Place, reading: Reading) -> str:
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return not_known(str(place[-1]), "a field here", _fields(place[len(top) :], place, reading))
    if kind in ("string_type", "enum", "literal_error") and not isinstance(given, str):
        return _not_text(given, reading.written.get(place))
    if kind in ("enum", "literal_error"):
        return f"{given} is not one of {context['expected'].replace(chr(39), '')}"
    if kind == "union_tag_invalid":
        return not_known(str(context["tag"]), "a type of answer", _allowed(context["expected_tags"]))
    if kind == "union_tag_not_found":
        return "needs a type, one of " + ", ".join(_ANSWERS)
    if kind == "string_pattern_mismatch":
        return _CODE if context["pattern"] == shape.CODE else "must be one capital letter"
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    if kind == "too_short":
        return f"needs at least {context['min_length']}"
    if kind == "greater_than_equal":
        return f"must be {context['ge']} or more"
    if kind == "less_than_equal":
        return f"must be {context['le']} or less"
    return _SHORT.get(kind, error["msg"])


def _not_text(given: Any, written: str | None) -> str:
    if given is None:
        return "is empty; give it words"
    if isinstance(given, bool):
        return f"{written} without quotes is read as {'true' if given else 'false'}; put it in quotes"
    if isinstance(given, int):
        return f"{written} without quotes is read as a number; put it in quotes"
    if isinstance(given, date):
        return f"{written} without quotes is read as a date; put it in quotes"
    return _TEXT


def _allowed(tags: str) -> tuple[str, ...]:
    return tuple(tag.strip(" '") for tag in tags.split(","))


def _fields(within: Place, place: Place, reading: Reading) -> tuple[str, ...]:
    """The fields that the part of the file around a place may have; `within` is the place in its definition."""
    part: type[BaseModel]
    match within[:-1]:
        case ():
            part = shape.Definition
        case ("approval" | "show_when" as name,) | ("sections", _, "points", _, "mandatory_if" | "raises" as name):
            part = _PARTS[str(name)]
        case ("non_answers", _):
            part = shape.NonAnswer
        case ("sections", _):
            part = shape.Section
        case ("sections", _, "points", _):
            part = shape.Point
        case ("sections", _, "points", _, "answer", "items", _):
            part = shape.Item
        case _:
            part = _ANSWERS[reading.written[(*place[:-1], "type")]]
    return tuple(part.model_fields)
