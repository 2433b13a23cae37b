"""Whether a definition agrees with itself and with what the force keeps: every name it uses is there.

It reads plain data as it stands in the file and passes over what has the wrong shape, which is said elsewhere, so that
a person gets every fault at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from checklists.strict_yaml import Place

CHECK_RESULTS: Final = ("clear", "hit", "failed", "not_done")
_NAMED: Final = 12

Found = Iterator[tuple[Place, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """The names a definition may use that are kept elsewhere; None is not checked. `lists` are the force's own."""

    categories: Collection[str] | None = None
    incident_types: Collection[str] | None = None
    lists: Mapping[str, Collection[str]] | None = None


def misfits(definition: Any, known: Known) -> Found:
    """Each with the place it is at."""
    whole = _table(definition)
    sections = _list(whole.get("sections"))
    points = [
        (("sections", s, "points", p), _table(point))
        for s, section in enumerate(sections)
        for p, point in enumerate(_list(_table(section).get("points")))
    ]
    yield from _approval(_table(whole.get("approval")))
    yield from _show_when(_table(whole.get("show_when")), known)
    yield from _twice(((("sections", n), _table(s)) for n, s in enumerate(sections)), "id", "section")
    yield from _twice(points, "id", "point")
    yield from _twice(points, "number", "point")
    by_id = {point["id"]: point for _, point in points if isinstance(point.get("id"), str)}
    non_answers = frozenset(_table(whole.get("non_answers")))
    for place, point in points:
        for below, reason in _point(point, by_id, non_answers, known):
            yield (*place, *below), reason


def not_known(name: str, what: str, names: Collection[str]) -> str:
    """Says that a name is not one of these, and the nearest that is or a few of them."""
    near = get_close_matches(name, sorted(names), 1)
    if near:
        return f"{name} is not {what}; did you mean {near[0]}?"
    some = ", ".join(sorted(names)[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
    return f"{name} is not {what}; known are: {some or 'none'}"


def _approval(approval: dict[str, Any]) -> Found:
    if approval.get("status") == "approved":
        for name in ("approved_by", "approved_on"):
            if approval.get(name) is None:
                yield ("approval", name), "is missing; what is approved says by whom and on what day"


def _show_when(rule: dict[str, Any], known: Known) -> Found:
    for name, what, names in (
        ("marker_categories", "a category of marker", known.categories),
        ("incident_types", "an incident type", known.incident_types),
    ):
        if names is not None:
            yield from _each(("show_when", name), rule.get(name), what, names)
    if rule.get("grades") and not rule.get("marker_categories"):
        yield ("show_when", "grades"), "says how a marker must match; name its marker_categories too"
    opens = ("any_incident", "incident_types", "marker_categories", "silent_or_dropped_from_marked_number")
    if not any(rule.get(name) for name in opens):
        yield ("show_when",), f"opens the checklist on nothing; give one of {', '.join(opens)}"


def _point(point: dict[str, Any], by_id: dict[str, dict[str, Any]], every: frozenset[str], known: Known) -> Found:
    answer, non_answers = _table(point.get("answer")), _non_answers(point, every)
    codes = _codes(answer, known)
    yield from _each(("non_answers",), point.get("non_answers"), "a non-answer of this checklist", every)
    for place, part in _parts(answer):
        none_of = _each((*place, "none_of"), part.get("none_of"), "an option here", _table(part.get("options")))
        yield from ((("answer", *below), reason) for below, reason in none_of)
        for code in sorted(every.intersection(_table(part.get("options")))):
            yield ("answer", *place, "options", code), "is a non-answer of this checklist too; call one otherwise"
    for item, _ in _items(answer):
        if item == point.get("id"):
            yield ("answer", "items", item), "is called as its point is; call it otherwise"
    if codes is not None:
        what = "an option or non-answer of this point"
        yield from _each(("note_required_if",), point.get("note_required_if"), what, codes | non_answers)
        yield from _each(("raises", "codes"), _at(point, "raises", "codes"), what, codes | non_answers)
    for name, kinds, what in (
        ("no", ("yes_no",), "answered yes or no"),
        ("some", ("count", "yes_no"), "counted or answered yes or no"),
    ):
        names = frozenset(
            item
            for item, part in ((point.get("id"), answer), *_items(answer))
            if isinstance(item, str) and part.get("type") in kinds
        )
        yield from _each(("raises", name), _at(point, "raises", name), f"an item here that is {what}", names)
    yield from _mandatory_if(point, by_id, every, known)
    yield from _repeats(point)


def _mandatory_if(
    point: dict[str, Any], by_id: dict[str, dict[str, Any]], every: frozenset[str], known: Known
) -> Found:
    rule = _table(point.get("mandatory_if"))
    name = rule.get("point")
    if not isinstance(name, str):
        return
    if name == point.get("id"):
        yield ("mandatory_if", "point"), "is this point itself; name another"
    elif name not in by_id:
        yield ("mandatory_if", "point"), not_known(name, "a point of this checklist", by_id)
    else:
        other = by_id[name]
        codes = _codes(_table(other.get("answer")), known)
        if codes is not None:
            names = codes | _non_answers(other, every)
            yield from _each(("mandatory_if", "any_of"), rule.get("any_of"), f"an answer of {name}", names)


def _repeats(point: dict[str, Any]) -> Found:
    if point.get("stop_when") is not None and point.get("repeat_minutes") is None:
        yield ("stop_when",), "stops what is not repeated; give repeat_minutes too"
    if point.get("repeat_per_unit") is True and point.get("phase") in ("on_call", "before_close"):
        reason = f"asks each unit, but nobody asks units in the phase {point['phase']}; use on_dispatch or on_scene"
        yield ("repeat_per_unit",), reason


def _non_answers(point: dict[str, Any], every: frozenset[str]) -> frozenset[str]:
    """Those a point allows."""
    own = point.get("non_answers")
    return every if own is None else frozenset(text for _, text in _texts(own))


def _codes(answer: dict[str, Any], known: Known) -> frozenset[str] | None:
    """Every code that can be in an answer; None where a list that is not at hand decides."""
    codes: frozenset[str] = frozenset()
    for _, part in _parts(answer):
        kind = part.get("type")
        if kind == "listed":
            if known.lists is None:
                return None
            codes |= frozenset(known.lists.get(str(part.get("list")), ()))
        elif kind == "checks":
            codes |= frozenset(CHECK_RESULTS)
        elif kind in ("choice", "multi"):
            codes |= frozenset(_table(part.get("options")))
    return codes


def _parts(answer: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The answer, or those of its items, each with its place."""
    if answer.get("type") == "set":
        yield from ((("items", item, "answer"), part) for item, part in _items(answer))
    else:
        yield (), answer


def _items(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if answer.get("type") == "set":
        for code, item in _table(answer.get("items")).items():
            yield code, _table(_table(item).get("answer"))


def _twice(things: Any, name: str, what: str) -> Found:
    seen: set[Any] = set()
    for place, thing in things:
        value = thing.get(name)
        if isinstance(value, str | int):
            if value in seen:
                yield (*place, name), f"another {what} has the {name} {value}"
            seen.add(value)


def _each(place: Place, names: Any, what: str, known: Collection[str]) -> Found:
    for number, name in _texts(names):
        if name not in known:
            yield (*place, number), not_known(name, what, known)


def _texts(value: Any) -> Iterator[tuple[int, str]]:
    return ((number, item) for number, item in enumerate(_list(value)) if isinstance(item, str))


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = _table(value).get(name)
    return value


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
