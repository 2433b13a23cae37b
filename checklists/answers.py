"""An answer as it was sent -> as it is kept, or why it can't be; and as a person reads it. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from checklists.definition import AnswerType, Definition, Item, Point

LONGEST_NOTE: Final = 2_000
LONGEST_NAME: Final = 120
CHECKED: Final[Mapping[str, str]] = {
    "clear": "clear", "hit": "hit", "failed": "could not be checked", "not_done": "not done",
}  # fmt: skip
_EARLIEST, _LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_LOCAL = ZoneInfo("Europe/London")
_ZONES_APART = timedelta(hours=15)


class AnswerRefused(Exception):  # noqa: N818 - named by what it says
    """An answer that can't be taken; nothing was recorded. `field` is what it is about, dotted."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{reason} Nothing was recorded.")
        self.field = field
        self.reason = reason


class Read(NamedTuple):
    """What is kept of an answer: `value` is None where `non_answer` is not."""

    value: Any
    non_answer: str | None
    note: str


class _Context(NamedTuple):
    definition: Definition
    allowed: tuple[str, ...]
    lists: Mapping[str, Sequence[str]]
    call_signs: Sequence[str]


def read_answer(
    definition: Definition,
    point_id: str,
    value: Any,
    non_answer: str | None,
    note: str,
    *,
    lists: Mapping[str, Sequence[str]],
    call_signs: Sequence[str],
) -> Read:
    """The answer as it is kept, in the shapes of checklists/definition.py.

    `lists` are the codes of the force's own lists, `call_signs` those the incident has. Raises AnswerRefused.
    """
    point = next((point for point in definition.points if point.id == point_id), None)
    if point is None:
        raise AnswerRefused("point", f"{definition.title} has no point of that name.")
    tidy = _text("note", note, LONGEST_NOTE, "The note") if note.strip() else ""
    allowed = tuple(definition.non_answers) if point.non_answers is None else point.non_answers
    context = _Context(definition, allowed, lists, call_signs)
    if non_answer is not None:
        if value is not None:
            raise AnswerRefused("value", "Give an answer or say why there is none, not both.")
        _non_answer(context, "non_answer", non_answer, tidy)
        if non_answer in point.note_required_if and not tidy:
            raise AnswerRefused("note", f"Add a note: “{_label(definition, non_answer)}” needs one.")
        return Read(None, non_answer, tidy)
    if value is None:
        raise AnswerRefused("value", "Give an answer, or say why there is none.")
    kept = _value(context, "value", point.answer, value)
    needing = [code for code in codes_in(point.answer, kept) if code in point.note_required_if]
    if needing and not tidy:
        label = in_words(point, kept, None, "", definition)
        raise AnswerRefused("note", f"Add a note: “{label}” needs one.")
    return Read(kept, None, tidy)


def codes_in(answer: AnswerType, value: Any) -> tuple[str, ...]:
    """The codes chosen in a value, those of non-answers inside a set included. Free text holds none."""
    match answer.type:
        case "choice" | "listed":
            return (value,)
        case "multi":
            return tuple(value)
        case "checks":
            return tuple(value.values())
        case "set":
            found: list[str] = []
            for code, given in value.items():
                found += (given["non_answer"],) if _is_non_answer(given) else codes_in(answer.items[code].answer, given)
            return tuple(found)
        case _:
            return ()


def in_words(
    point: Point,
    value: Any,
    non_answer: str | None,
    note: str,
    definition: Definition,
    lists: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The answer as a person reads it. `lists` map the force's own lists, code to title."""
    if non_answer is not None:
        said = _label(definition, non_answer)
    else:
        said = _said(definition, point.answer, value, lists or {})
    return f"{said} ({note})" if note else said


def _value(context: _Context, field: str, answer: AnswerType, value: Any) -> Any:
    match answer.type:
        case "yes_no":
            if not isinstance(value, bool):
                raise AnswerRefused(field, "Answer yes or no.")
            return value
        case "choice":
            return _one_of(field, value, answer.options)
        case "listed":
            return _one_of(field, value, context.lists.get(answer.list, ()))
        case "multi":
            return _some_of(field, value, tuple(answer.options), answer.none_of, answer.options)
        case "call_signs":
            return _some_of(field, value, tuple(context.call_signs), (), {})
        case "text":
            if not isinstance(value, str):
                raise AnswerRefused(field, "Answer in words.")
            return _text(field, value, answer.longest, "The answer")
        case "count":
            if type(value) is not int or not 0 <= value <= answer.largest:
                raise AnswerRefused(field, f"Answer with a whole number from 0 to {answer.largest}.")
            return value
        case "ack" | "person_time":
            return _who_when(field, value)
        case "checks":
            return _checks(field, value, answer.items)
        case "set":
            return _set(context, field, value, answer.items)


def _one_of(field: str, value: Any, codes: Sequence[str] | Mapping[str, str]) -> str:
    if not isinstance(value, str) or value not in codes:
        raise AnswerRefused(field, f"Choose one of: {', '.join(codes)}.")
    return value


def _some_of(
    field: str, value: Any, codes: tuple[str, ...], none_of: tuple[str, ...], labels: Mapping[str, str]
) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(code, str) for code in value):
        raise AnswerRefused(field, "Choose one or more.")
    unknown = [code for code in value if code not in codes]
    if unknown:
        raise AnswerRefused(field, f"Choose from: {', '.join(codes) or 'nothing, as there is none yet'}.")
    alone = next((code for code in none_of if code in value), None)
    if alone is not None and len(set(value)) > 1:
        raise AnswerRefused(field, f"“{labels[alone]}” stands alone: take it or the others.")
    return [code for code in codes if code in value]


def _who_when(field: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != {"name", "at"} or not isinstance(value["name"], str):
        raise AnswerRefused(field, "Say who, and when.")
    name = _text(f"{field}.name", value["name"], LONGEST_NAME, "The name")
    return {"name": " ".join(name.split()), "at": _time(f"{field}.at", value["at"])}


def _time(field: str, text: Any) -> str:
    say = "Give the time as date and time with its zone, like 2026-11-25T03:14:00Z."
    try:
        at = datetime.fromisoformat(text)
        if at.utcoffset() is None or abs(at.utcoffset() or timedelta()) > _ZONES_APART:
            raise AnswerRefused(field, say)
        at = at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise AnswerRefused(field, say) from None
    if not _EARLIEST <= at < _LATEST:
        raise AnswerRefused(field, "That time can't be right: it lies before 2020 or after 2099.")
    return at.isoformat()


def _checks(field: str, value: Any, items: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(items):
        raise AnswerRefused(field, f"Say of each how its check ended: {', '.join(items)}.")
    return {code: _one_of(f"{field}.{code}", value[code], CHECKED) for code in items}


def _set(context: _Context, field: str, value: Any, items: Mapping[str, Item]) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(items):
        raise AnswerRefused(field, f"Answer its parts: {', '.join(items)}.")
    kept: dict[str, Any] = {}
    for code, item in items.items():
        place = f"{field}.{code}"
        given = value.get(code)
        if given is None:
            if not item.optional:
                raise AnswerRefused(place, f"“{item.title}” is not answered: answer it, or say why there is none.")
        elif _is_non_answer(given):
            reason = given.get("reason", "")
            if not set(given) <= {"non_answer", "reason"} or not isinstance(reason, str):
                raise AnswerRefused(place, "Say why there is no answer, and the reason.")
            tidy = _text(place, reason, LONGEST_NOTE, "The reason") if reason.strip() else ""
            _non_answer(context, place, given["non_answer"], tidy)
            kept[code] = {"non_answer": given["non_answer"], "reason": tidy}
        else:
            kept[code] = _value(context, place, item.answer, given)
    if not kept:
        raise AnswerRefused(field, "Answer at least one part.")
    return kept


def _is_non_answer(given: Any) -> bool:
    return isinstance(given, dict) and "non_answer" in given


def _non_answer(context: _Context, field: str, code: Any, reason: str) -> None:
    if not isinstance(code, str) or code not in context.allowed:
        raise AnswerRefused(field, f"Why there is no answer is one of: {', '.join(context.allowed)}.")
    if context.definition.non_answers[code].needs_reason and not reason:
        raise AnswerRefused(field, f"“{_label(context.definition, code)}” needs a reason: add a note.")


def _text(field: str, text: str, longest: int, what: str) -> str:
    tidy = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
    if len(tidy) > longest:
        raise AnswerRefused(field, f"{what} is {len(tidy):,} characters; up to {longest:,} can be taken.")
    if (
        any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in tidy)
        or "\ufffd" in tidy
    ):
        raise AnswerRefused(field, f"{what} holds characters that are not text. Type it again.")
    if not tidy:
        raise AnswerRefused(field, f"{what} is empty.")
    return tidy


def _label(definition: Definition, code: str) -> str:
    found = definition.non_answers.get(code)
    return found.label if found is not None else code


def _said(definition: Definition, answer: AnswerType, value: Any, lists: Mapping[str, Mapping[str, str]]) -> str:
    match answer.type:
        case "yes_no":
            return "Yes" if value else "No"
        case "choice":
            return str(answer.options.get(value, value))
        case "listed":
            return str(lists.get(answer.list, {}).get(value, value))
        case "multi":
            return ", ".join(answer.options.get(code, code) for code in value)
        case "call_signs":
            return ", ".join(value)
        case "ack" | "person_time":
            return f"{value['name']} {datetime.fromisoformat(value['at']).astimezone(_LOCAL):%H:%M}"
        case "checks":
            return "; ".join(f"{answer.items.get(code, code)}: {CHECKED[ended]}" for code, ended in value.items())
        case "set":
            return "; ".join(
                f"{answer.items[code].title}: "
                + (
                    _label(definition, given["non_answer"]) + (f" ({given['reason']})" if given["reason"] else "")
                    if _is_non_answer(given)
                    else _said(definition, answer.items[code].answer, given, lists)
                )
                for code, given in value.items()
            )
        case _:
            return str(value)
