"""`overlay bench progress`: how long it takes to say how far a checklist has come, beside writing its answers out.

The run is a long one of the twenty point plan: four units, every point answered, and answered again, 60 answers in all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final

from checklists.definition import AnswerType, Definition, Point
from checklists.load import load_definitions
from checklists.progress import Fold, progress
from checklists.record import Answer, Entry, Event, Happened
from overlay.bench.check import Report
from overlay.bench.timing import time_in_turn

UNITS: Final = ("QM11", "QM12", "QM21", "QM90")
AIM_MS: Final = 0.2
_OPENED: Final = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


def bench_progress(answers: int, rounds: int) -> Report:
    """Time `progress` over one run, at moments a second apart, and one pass of the same answers through JSON."""
    definition = next(d for d in load_definitions() if d.id == "domestic_abuse_20")
    happened = run_of(definition, answers)
    later = happened[-1].at
    plain = [_plain(entry) for entry in happened if isinstance(entry, Answer)]

    def whole(number: int) -> object:
        return progress(definition, _OPENED, happened, later + timedelta(seconds=number))

    ready = iter([_gone_through(definition, happened[:-1]) for _ in range(rounds + rounds // 10)])

    def one_more(number: int) -> object:
        kept = next(ready)
        kept.add(happened[-1:])
        return kept.at(later + timedelta(seconds=number))

    def floor(_: int) -> object:
        return [json.dumps(answer) for answer in plain]

    whole_name, more_name = f"progress of {answers} answers, from nothing", f"progress of {answers} answers, one more"
    timings = time_in_turn({"each answer to JSON": floor, whole_name: whole, more_name: one_more}, rounds)
    least = timings["each answer to JSON"].p50
    return Report(
        timings,
        (
            ("p50 after one more answer, ms", timings[more_name].p50, AIM_MS),
            ("p99 after one more answer, ms", timings[more_name].p99, AIM_MS),
            ("p50 from nothing, ms", timings[whole_name].p50, AIM_MS),
            ("p50 from nothing over the answers to JSON", timings[whole_name].p50 / least, 2.0),
        ),
    )


def _gone_through(definition: Definition, happened: tuple[Entry, ...]) -> Fold:
    kept = Fold(definition, _OPENED)
    kept.add(happened)
    return kept


def run_of(definition: Definition, answers: int) -> tuple[Entry, ...]:
    """Units sent, each point answered in turn and for each unit, half a minute apart, until there are enough."""
    at, happened = _OPENED, list[Entry]()
    for call_sign in UNITS:
        at += timedelta(seconds=20)
        happened.append(Event(Happened.UNIT_ADDED, at, call_sign))
    happened.append(Event(Happened.UNIT_ON_SCENE, at + timedelta(seconds=20), UNITS[0]))
    asked = [(p, unit) for p in definition.points for unit in (UNITS if p.repeat_per_unit else (None,))]
    for number, (point, unit) in enumerate(islice(cycle(asked), answers)):
        at += timedelta(seconds=30)
        happened.append(Answer(f"{number:016x}", point.id, at, "A. Bench", _answered(point), None, "", unit))
    return tuple(happened)


def _answered(point: Point) -> Any:
    return _value(point.answer)


def _value(answer: AnswerType) -> Any:
    match answer.type:
        case "yes_no":
            return True
        case "choice":
            return next(iter(answer.options))
        case "multi":
            return [code for code in answer.options if code not in answer.none_of][:3]
        case "count":
            return 2
        case "ack" | "person_time":
            return {"name": "A. Bench", "at": _OPENED.isoformat()}
        case "checks":
            return dict.fromkeys(answer.items, "clear")
        case "call_signs":
            return list(UNITS)
        case "set":
            return {code: _value(item.answer) for code, item in answer.items.items()}
        case _:
            return "As they said it."


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        name: str(value) if name == "at" else value for name in Answer.__slots__ for value in (getattr(answer, name),)
    }
