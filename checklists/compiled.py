"""A definition made ready for going through many answers: plain slots, looked up once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checklists.definition import AnswerType, Definition, Phase, Point

Codes = Callable[[Any], tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPoint:
    """One point. `codes` gives the codes inside a value; `depends` is the place of the point that makes it mandatory.

    `watched` says that another point depends on this one.
    """

    place: int
    point: Point
    phase: Phase
    per_unit: bool
    mandatory: bool
    depends: int | None
    depends_on: frozenset[str]
    watched: bool
    due: timedelta | None
    repeat: timedelta | None
    stops_on_scene: bool
    unanswered: timedelta | None
    codes: Codes
    raising: frozenset[str]
    no: tuple[str, ...]
    some: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """All points in order, their places by id, and the triggers that ask for all of it again."""

    points: tuple[CompiledPoint, ...]
    places: dict[str, int]
    redo_when: frozenset[str]


_made: dict[int, tuple[Definition, Compiled]] = {}


def compiled(definition: Definition) -> Compiled:
    """The definition made ready, once for each object; there are few, and they live as long as the process."""
    kept = _made.get(id(definition))
    if kept is None or kept[0] is not definition:
        kept = _made[id(definition)] = definition, _compile(definition)
    return kept[1]


def _compile(definition: Definition) -> Compiled:
    points = definition.points
    places = {point.id: place for place, point in enumerate(points)}
    watched = {point.mandatory_if.point for point in points if point.mandatory_if is not None}
    return Compiled(
        tuple(_point(place, point, places, watched=point.id in watched) for place, point in enumerate(points)),
        places,
        frozenset(trigger.value for trigger in definition.redo_when),
    )


def _point(place: int, point: Point, places: dict[str, int], *, watched: bool) -> CompiledPoint:
    rule = point.mandatory_if
    return CompiledPoint(
        place=place,
        point=point,
        phase=point.phase,
        per_unit=point.repeat_per_unit,
        mandatory=point.mandatory,
        depends=places[rule.point] if rule is not None else None,
        depends_on=frozenset(rule.any_of) if rule is not None else frozenset(),
        watched=watched,
        due=_duration(point.due_minutes),
        repeat=_duration(point.repeat_minutes),
        stops_on_scene=point.stop_when == "unit_on_scene",
        unanswered=_duration(point.raises.unanswered_after_minutes),
        codes=_codes(point.answer),
        raising=frozenset(point.raises.codes),
        no=point.raises.no,
        some=point.raises.some,
    )


def _duration(minutes: int | None) -> timedelta | None:
    return None if minutes is None else timedelta(minutes=minutes)


def _codes(answer: AnswerType) -> Codes:
    """What finds the codes in a value of this type. Free text and names hold none, whatever they read like."""
    match answer.type:
        case "choice" | "listed":
            return lambda value: (value,)
        case "multi":
            return tuple
        case "checks":
            return lambda value: tuple(value.values())
        case "set":
            parts = {code: _codes(item.answer) for code, item in answer.items.items()}
            return lambda value: _of_set(parts, value)
        case _:
            return lambda _: ()


def _of_set(parts: dict[str, Codes], value: dict[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for code, given in value.items():
        if isinstance(given, dict) and "non_answer" in given:
            found.append(given["non_answer"])
        else:
            found += parts[code](given)
    return tuple(found)
