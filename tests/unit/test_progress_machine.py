"""Anything that can happen to a checklist, in any order, under any clock: nothing is lost, dropped or raised twice."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from checklists.definition import Trigger
from checklists.progress import Fold, PointState, Progress, RaiseKind, State, progress
from checklists.record import Answer, Entry, Event, Happened
from tests.unit.runs import OPENED, checklist, point

UNITS = ("A1", "A2", "A3")
YES_NO = {"type": "yes_no"}
PARTS = {
    "type": "set",
    "items": {
        "seen": {"title": "Seen", "answer": YES_NO},
        "children": {"title": "Children", "answer": {"type": "count"}},
    },
}
BLADE = {"point": "weapons", "any_of": ["blade", "not_known"]}
DEFINITION = checklist(
    point("weapons", mandatory=True, due_minutes=3, raises={"codes": ["blade", "not_known"]}),
    point("parts", mandatory=True, answer=PARTS, raises={"no": ["seen"], "some": ["children"]}),
    point("told", "on_dispatch", mandatory=True, due_minutes=5, raises={"unanswered_after_minutes": 10}),
    point("approach", "on_dispatch", mandatory_if=BLADE, due_minutes=5),
    point("caller", mandatory=True, due_minutes=4, repeat_minutes=10, stop_when="unit_on_scene"),
    point("watch", "on_dispatch", mandatory_if=BLADE, repeat_minutes=7, raises={"codes": ["overdue"]}),
    point("brief", "on_dispatch", mandatory=True, due_minutes=3, repeat_per_unit=True, key="brief"),
    point("camera", "on_dispatch", due_minutes=5, repeat_per_unit=True, mandatory_if={**BLADE, "point": "kit"}),
    point("kit", "on_scene", mandatory=True, due_minutes=2, repeat_per_unit=True, raises={"codes": ["blade"]}),
    point("welfare", "on_dispatch", repeat_per_unit=True, repeat_minutes=8, stop_when="unit_on_scene", mandatory=True),
    point("end", "before_close", mandatory=True, due_minutes=6),
    redo_when=("marker_match_changed", "grade_lowered", "unit_diverted"),
)
EACH = frozenset(p.id for p in DEFINITION.points if p.repeat_per_unit)
REDO = frozenset(Happened(trigger.value) for trigger in DEFINITION.redo_when)
REPEATED = frozenset(p.id for p in DEFINITION.points if p.repeat_minutes is not None)

Key = tuple[str, str | None]
forwards = st.one_of(st.just(0), st.integers(1, 12), st.integers(0, 60))
steps = st.one_of(forwards, forwards, st.integers(-45, -1), st.just(600))
CODES = st.sampled_from(["calm", "blade", "overdue"])


class Machine(RuleBasedStateMachine):
    """Everything is recorded under a clock that mostly goes forwards; then the state is looked at somewhat later."""

    def __init__(self) -> None:
        super().__init__()
        self.happened: list[Entry] = []
        self.kept = Fold(DEFINITION, OPENED)
        self.at = self.now = OPENED
        self.before: Progress | None = None
        self.before_now = OPENED
        self.last: Entry | None = None
        self.shown: dict[str, Any] = {}
        self.wait = timedelta()

    def record(self, entry: Entry, wait: int) -> None:
        self.at = entry.at
        self.last = entry
        self.happened.append(entry)
        self.kept.add([entry])
        self.wait = timedelta(minutes=wait)

    def later(self, minutes: int) -> datetime:
        return self.at + timedelta(minutes=minutes)

    def answered(
        self, minutes: int, name: str, unit: str | None, value: Any, non_answer: str | None, wait: int
    ) -> None:
        number = f"a{len(self.happened)}"
        given = Answer(number, name, self.later(minutes), "Ann", value, non_answer, "", unit)
        self.record(given, wait)

    @rule(
        minutes=steps,
        name=st.sampled_from([p.id for p in DEFINITION.points if p.id != "parts"]),
        unit=st.sampled_from(UNITS),
        value=CODES,
        non_answer=st.sampled_from([None, None, None, "not_known"]),
        wait=forwards,
    )
    def answer(self, minutes: int, name: str, unit: str, value: str, non_answer: str | None, wait: int) -> None:
        self.answered(minutes, name, unit if name in EACH else None, None if non_answer else value, non_answer, wait)

    @rule(minutes=steps, seen=st.booleans(), children=st.integers(0, 2), wait=forwards)
    def answer_parts(self, minutes: int, seen: bool, children: int, wait: int) -> None:
        self.answered(minutes, "parts", None, {"seen": seen, "children": children}, None, wait)

    @rule(
        minutes=steps,
        what=st.sampled_from([Happened.UNIT_ADDED] * 3 + [Happened.UNIT_ON_SCENE] * 2 + [Happened.UNIT_LEFT]),
        unit=st.sampled_from(UNITS),
        wait=forwards,
    )
    def move_unit(self, minutes: int, what: Happened, unit: str, wait: int) -> None:
        self.record(Event(what, self.later(minutes), unit), wait)

    @rule(minutes=steps, unit=st.sampled_from([None, *UNITS]), wait=forwards)
    def change_brief(self, minutes: int, unit: str | None, wait: int) -> None:
        self.record(Event(Happened.BRIEF_CHANGED, self.later(minutes), unit, "a marker changed"), wait)

    @rule(minutes=steps, what=st.sampled_from(list(Trigger)), wait=forwards)
    def trigger(self, minutes: int, what: Trigger, wait: int) -> None:
        self.record(Event(Happened(what.value), self.later(minutes), None), wait)

    @rule(
        minutes=steps,
        what=st.sampled_from([Happened.CLOSING, Happened.CLOSED, Happened.REOPENED, Happened.REOPENED]),
        wait=forwards,
    )
    def close(self, minutes: int, what: Happened, wait: int) -> None:
        self.record(Event(what, self.later(minutes), None), wait)

    @rule(wait=forwards)
    def only_time(self, wait: int) -> None:
        self.last = None
        self.wait += timedelta(minutes=wait)

    @invariant()
    def all_of_it(self) -> None:
        now = self.at + self.wait
        found = progress(DEFINITION, OPENED, tuple(self.happened), now)
        for moment in (now + timedelta(days=1), OPENED, now):
            assert self.kept.at(moment) == progress(DEFINITION, OPENED, self.happened, moment)
        every_answer_is_somewhere(found, self.happened)
        nothing_is_raised_twice(found)
        states_agree_with_themselves(found, self.happened)
        done_means_answered_since_it_was_asked(found, self.happened)
        until_is_honest(found, self.happened, now)
        if self.last is None:
            self.goes_on(self.before, found, None)
        else:
            just_before = progress(DEFINITION, OPENED, self.happened[:-1], self.at)
            just_after = progress(DEFINITION, OPENED, self.happened, self.at)
            self.goes_on(just_before, just_after, self.last)
            self.goes_on(just_after, found, None)
            self.shown |= {matter.key: matter for matter in (*just_before.raises, *just_after.raises)}
            if self.before is not None and self.at >= self.before_now:
                self.shown |= {matter.key: matter for matter in self.before.raises}
        raised = {matter.key: matter for matter in found.raises}
        assert all(raised.get(key) == matter for key, matter in self.shown.items())
        self.before, self.before_now = found, now

    def goes_on(self, before: Progress | None, after: Progress, entry: Entry | None) -> None:
        """From one look to the next with one entry between them at most, and no clock that went back."""
        if before is None:
            return
        self.nothing_mandatory_slips_away(before, after, entry)
        self.due_stays(before, after)
        assert set(before.raises) <= set(after.raises)
        earlier = self.happened[:-1] if entry is not None else self.happened
        if is_closed(earlier) and is_closed(self.happened):
            assert before.raises == after.raises

    def nothing_mandatory_slips_away(self, before: Progress, found: Progress, entry: Entry | None) -> None:
        """A mandatory point stops being listed only for an answer, a unit that left, or an end that was recorded."""
        gone = {key_of(s): s for s in before.left_open}
        for state in found.left_open:
            gone.pop(key_of(state), None)
        for (name, unit), state in gone.items():
            match entry:
                case Answer(point="weapons") if name in ("approach", "watch"):
                    pass
                case Answer(point="kit") if name == "camera":
                    pass
                case Answer():
                    assert (entry.point, entry.unit) == (name, unit)
                case Event(what=Happened.CLOSED):
                    pass
                case Event(what=Happened.UNIT_ADDED):
                    assert name in EACH
                    assert unit is None
                case Event(what=Happened.UNIT_LEFT):
                    assert unit == entry.unit
                case Event(what=Happened.UNIT_ON_SCENE):
                    assert state.point.stop_when == "unit_on_scene"
                    assert state.earlier
                case _:
                    raise AssertionError(f"{name} was dropped by {entry}")

    def due_stays(self, before: Progress, found: Progress) -> None:
        """As long as a point is asked as it was, and as mandatory as it was, it is due when it was."""
        old = {key_of(s): s for s in before.points}
        for state in found.points:
            was = old.get(key_of(state))
            if (
                was is not None
                and was.state is state.state is State.OPEN
                and (was.asked_at, was.mandatory, was.earlier) == (state.asked_at, state.mandatory, state.earlier)
            ):
                assert state.due_at == was.due_at


def key_of(state: PointState) -> Key:
    return state.point.id, state.unit


def is_closed(happened: list[Entry]) -> bool:
    closed = False
    for entry in happened:
        if isinstance(entry, Event) and entry.what in (Happened.CLOSED, Happened.REOPENED):
            closed = entry.what is Happened.CLOSED
    return closed


def every_answer_is_somewhere(found: Progress, happened: list[Entry]) -> None:
    """Each in exactly one state, of its own point and unit, in the order given; the one that stands is the last."""
    kept = Counter(a.answer_id for s in found.points for a in (*s.earlier, *((s.answer,) if s.answer else ())))
    assert kept == Counter(entry.answer_id for entry in happened if isinstance(entry, Answer))
    for state in found.points:
        mine = [e for e in happened if isinstance(e, Answer) and (e.point, e.unit) == key_of(state)]
        assert [*state.earlier, *((state.answer,) if state.answer else ())] == mine


def nothing_is_raised_twice(found: Progress) -> None:
    keys = [matter.key for matter in found.raises]
    assert len(keys) == len(set(keys))
    assert [m for s in found.points for m in s.raises] == list(found.raises)


def states_agree_with_themselves(found: Progress, happened: list[Entry]) -> None:
    closed, present, joined = is_closed(happened), set[str](), list[str]()
    for entry in happened:
        if isinstance(entry, Event) and entry.unit is not None:
            if entry.what is Happened.UNIT_ADDED:
                present.add(entry.unit)
                joined += [entry.unit] if entry.unit not in joined else []
            elif entry.what is Happened.UNIT_LEFT:
                present.discard(entry.unit)
    assert len({key_of(s) for s in found.points}) == len(found.points)
    for name in EACH:
        assert [s.unit for s in found.points if s.point.id == name and s.unit in joined] == joined
    for state in found.points:
        each = state.point.id in EACH
        assert (state.state is State.DONE) == (state.answer is not None)
        if state.state is State.OPEN:
            assert not closed
            assert state.asked_at is not None
            assert not each or state.unit in present
            assert state.due_at is None or state.due_at >= state.asked_at
        if state.state is State.WAITING:
            assert not closed
            assert state.asked_at is state.due_at is None
        if state.overdue:
            assert state.mandatory
            assert state.state is State.OPEN
            assert any(m.kind is RaiseKind.OVERDUE and m.at <= (state.due_at or m.at) for m in state.raises)
        if state.again is None and not closed:
            assert not state.earlier or state.answer is not None


def done_means_answered_since_it_was_asked(found: Progress, happened: list[Entry]) -> None:
    """Beside the fold: where each point's last answer stands in the record, and where it was last asked anew."""
    for state in found.points:
        answered, asked = last_of(key_of(state), happened)
        if state.answer is not None:
            assert answered > asked
        elif answered > asked:
            assert state.point.id in REPEATED


def last_of(key: Key, happened: list[Entry]) -> tuple[int, int]:
    """The places of a point's last answer and of what last asked it anew, -1 where there is none."""
    (name, unit), answered, asked, any_answer = key, -1, -1, False
    closed = pending = here = once_here = False
    for number, entry in enumerate(happened):
        if isinstance(entry, Answer):
            any_answer = True
            if (entry.point, entry.unit) == key:
                answered = number
            continue
        what = entry.what
        if name in EACH and entry.unit == unit and unit is not None:
            if what is Happened.UNIT_ADDED and not here:
                asked = number if once_here else asked
                here = once_here = True
            elif what is Happened.UNIT_LEFT:
                here = False
        redo = what in REDO and (what is not Happened.MARKER_MATCH_CHANGED or any_answer or closed)
        brief = what is Happened.BRIEF_CHANGED and name == "brief" and entry.unit in (None, unit)
        if redo or brief:
            if closed:
                pending = pending or redo_later(what, entry.unit, key)
            elif name not in EACH or here:
                asked = number
        if what is Happened.CLOSED:
            closed = True
        elif what is Happened.REOPENED and closed:
            if pending and (name not in EACH or here):
                asked = number
            closed = pending = False
    return answered, asked


def redo_later(what: Happened, unit: str | None, key: Key) -> bool:
    return what is not Happened.BRIEF_CHANGED or (key[0] == "brief" and unit in (None, key[1]))


def until_is_honest(found: Progress, happened: list[Entry], now: datetime) -> None:
    def seen(at: datetime) -> tuple[object, ...]:
        other = progress(DEFINITION, OPENED, happened, at)
        return other.points, other.raises

    same = found.points, found.raises
    if found.until is None:
        assert seen(now + timedelta(days=30)) == same
    else:
        assert found.until > now
        assert seen(now + (found.until - now) / 2) == same
        assert seen(found.until - timedelta(microseconds=1)) == same
        assert seen(found.until) != same


def test_no_order_of_answers_units_redos_closings_and_clocks_loses_an_answer_or_raises_twice() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine, settings=settings(max_examples=60, stateful_step_count=35, deadline=None)
    )
