"""A definition made ready for going through many answers: plain slots, looked up once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from checklists.definition import AnswerType, Definition, Phase, Point

Codes = Callable[[Any], Collection[str]]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPoint:
    """One point. `codes` gives the codes inside a value, `raises` says whether any answer raises something.

    `dependents` are the places of the points that an answer here makes mandatory; `depends_on` the codes that make
    this one so.
    """

    place: int
    id: str
    point: Point
    phase: Phase
    per_unit: bool
    mandatory: bool
    dependents: tuple[int, ...]
    depends_on: frozenset[str]
    key_brief: bool
    due: timedelta | None
    repeat: timedelta | None
    stops_on_scene: bool
    unanswered: timedelta | None
    codes: Codes
    raises: bool
    raising: frozenset[str]
    no: tuple[str, ...]
    some: tuple[str, ...]


class Phases(NamedTuple):
    """The points of each phase."""

    on_call: tuple[CompiledPoint, ...]
    on_dispatch: tuple[CompiledPoint, ...]
    on_scene: tuple[CompiledPoint, ...]
    before_close: tuple[CompiledPoint, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """All points in order and by id; those of each phase, asked once or of each unit; those a unit on scene stops."""

    points: tuple[CompiledPoint, ...]
    by_id: dict[str, CompiledPoint]
    once: Phases
    each: Phases
    stopping: tuple[CompiledPoint, ...]
    redo_when: frozenset[str]


_made: dict[int, tuple[weakref.ref[Definition], Compiled]] = {}


def compiled(definition: Definition) -> Compiled:
    """The definition made ready: once for each object, and for as long as that lives."""
    name = id(definition)
    kept = _made.get(name)
    if kept is None or kept[0]() is not definition:
        kept = weakref.ref(definition, lambda gone: _forget(name, gone)), _compile(definition)
        _made[name] = kept
    return kept[1]


def _forget(name: int, gone: weakref.ref[Definition]) -> None:
    kept = _made.get(name)
    if kept is not None and kept[0] is gone:
        del _made[name]


def _compile(definition: Definition) -> Compiled:
    points = definition.points
    dependents: dict[str, list[int]] = {}
    for place, point in enumerate(points):
        if point.mandatory_if is not None:
            dependents.setdefault(point.mandatory_if.point, []).append(place)
    ready = tuple(_point(place, point, tuple(dependents.get(point.id, ()))) for place, point in enumerate(points))
    return Compiled(
        ready,
        {point.id: point for point in ready},
        _phases(point for point in ready if not point.per_unit),
        _phases(point for point in ready if point.per_unit),
        tuple(point for point in ready if point.stops_on_scene),
        frozenset(trigger.value for trigger in definition.redo_when),
    )


def _phases(points: Iterable[CompiledPoint]) -> Phases:
    points = tuple(points)
    return Phases(*(tuple(point for point in points if point.phase is phase) for phase in Phase))


def _point(place: int, point: Point, dependents: tuple[int, ...]) -> CompiledPoint:
    raises = point.raises
    return CompiledPoint(
        place=place,
        id=point.id,
        point=point,
        phase=point.phase,
        per_unit=point.repeat_per_unit,
        mandatory=point.mandatory,
        dependents=dependents,
        depends_on=frozenset(point.mandatory_if.any_of if point.mandatory_if is not None else ()),
        key_brief=point.key == "brief",
        due=_duration(point.due_minutes),
        repeat=_duration(point.repeat_minutes),
        stops_on_scene=point.stop_when == "unit_on_scene",
        unanswered=_duration(raises.unanswered_after_minutes),
        codes=_codes(point.answer),
        raises=bool(raises.codes or raises.no or raises.some),
        raising=frozenset(raises.codes),
        no=raises.no,
        some=raises.some,
    )


def _duration(minutes: int | None) -> timedelta | None:
    return None if minutes is None else timedelta(minutes=minutes)


def _codes(answer: AnswerType) -> Codes:
    """What finds the codes in a value of this type. Free text and names hold none, whatever they read like."""
    if answer.type == "set":
        parts = {code: _CODES[item.answer.type] for code, item in answer.items.items() if item.answer.type in _CODES}
        return lambda value: _of_set(parts, value)
    return _CODES.get(answer.type, lambda _: ())


_CODES: Final[dict[str, Codes]] = {
    "choice": lambda value: (value,),
    "listed": lambda value: (value,),
    "multi": lambda value: value,
    "checks": lambda value: value.values(),
}


def _of_set(parts: dict[str, Codes], value: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for code, given in value.items():
        if isinstance(given, dict) and "non_answer" in given:
            found.append(given["non_answer"])
        elif code in parts:
            found += parts[code](given)
    return found
