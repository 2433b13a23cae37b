"""How far a checklist has come: each rule of checklists/progress.py on a small checklist of its own."""

from __future__ import annotations

import gc

import pytest

from checklists import compiled as making
from checklists.load import load_definitions
from checklists.progress import State, progress
from checklists.record import Happened
from tests.unit.runs import OPENED, Run, at, checklist, point

ADDED, LEFT, THERE = Happened.UNIT_ADDED, Happened.UNIT_LEFT, Happened.UNIT_ON_SCENE
CLOSING, CLOSED, REOPENED = Happened.CLOSING, Happened.CLOSED, Happened.REOPENED
BRIEF = point("brief", "on_dispatch", mandatory=True, due_minutes=3, repeat_per_unit=True, key="brief")


def caller(**more: object) -> Run:
    """A point that is asked again every ten minutes until a unit is there."""
    settings: dict[str, object] = {"mandatory": True, "repeat_minutes": 10, "stop_when": "unit_on_scene"} | more
    return Run(checklist(point("caller", **settings)))  # type: ignore[arg-type]


# Phases


def test_a_point_of_the_call_is_asked_with_the_checklist_and_due_so_long_after_it() -> None:
    state = Run(checklist(point("p", mandatory=True, due_minutes=2))).state(1, "p")
    assert (state.state, state.asked_at, state.due_at, state.overdue) == (State.OPEN, OPENED, at(2), False)
    assert state.again is None


@pytest.mark.parametrize(
    ("phase", "what"),
    [("on_dispatch", ADDED), ("on_scene", THERE), ("before_close", CLOSING)],
)
def test_a_point_waits_for_its_phase_and_is_asked_when_that_begins_the_first_time(phase: str, what: Happened) -> None:
    run = Run(checklist(point("p", phase, mandatory=True, due_minutes=2)))
    assert run.state(60, "p").state is State.WAITING
    assert run.state(60, "p").due_at is None
    assert run.now(60).left_open
    run.hear(5, what, "A1")
    run.hear(9, what, "A2")
    state = run.state(10, "p")
    assert (state.state, state.asked_at, state.due_at) == (State.OPEN, at(5), at(7))


def test_an_answer_before_its_phase_counts() -> None:
    run = Run(checklist(point("p", "on_dispatch", mandatory=True, due_minutes=2)))
    given = run.answer(1, "p")
    assert run.state(2, "p").state is State.DONE
    run.hear(5, ADDED, "A1")
    state = run.state(60, "p")
    assert (state.state, state.answer, state.asked_at) == (State.DONE, given, at(5))
    assert run.raised(60) == []


def test_sending_an_unnamed_unit_begins_the_phase_and_asks_no_unit() -> None:
    run = Run(checklist(point("p", "on_dispatch"), BRIEF))
    run.hear(1, ADDED)
    assert [(s.unit, s.state) for s in run.now(2).points] == [(None, State.OPEN), (None, State.WAITING)]


def test_something_that_concerns_no_point_changes_nothing() -> None:
    run = Run(checklist(point("p")))
    before = run.now(5)
    for what in (Happened.GRADE_LOWERED, REOPENED, LEFT, THERE, Happened.RESPONSE_OVERDUE):
        run.hear(1, what, "A1")
    assert run.now(5) == before


# Units


def test_what_is_asked_of_each_unit_waits_for_none_until_one_joins() -> None:
    run = Run(checklist(BRIEF))
    (waiting,) = run.now(60).points
    assert (waiting.unit, waiting.state, waiting.mandatory, run.now(60).left_open) == (
        None, State.WAITING, True, (waiting,),
    )  # fmt: skip


def test_each_unit_has_its_own_point_in_the_order_they_joined_due_from_its_own_joining() -> None:
    run = Run(checklist(BRIEF))
    run.hear(1, ADDED, "B2")
    run.answer(2, "brief", unit="B2")
    run.hear(5, ADDED, "A1")
    assert [(s.unit, s.state, s.due_at) for s in run.now(6).points] == [
        ("B2", State.DONE, at(4)),
        ("A1", State.OPEN, at(8)),
    ]


def test_a_unit_added_twice_is_asked_once() -> None:
    run = Run(checklist(BRIEF))
    run.hear(1, ADDED, "A1")
    given = run.answer(2, "brief", unit="A1")
    run.hear(5, ADDED, "A1")
    assert (run.state(6, "brief", "A1").answer, len(run.now(6).points)) == (given, 1)


def test_a_unit_that_left_is_asked_nothing_and_its_answers_stay() -> None:
    run = Run(checklist(BRIEF, point("camera", "on_dispatch", mandatory=True, due_minutes=5, repeat_per_unit=True)))
    run.hear(0, ADDED, "A1")
    run.answer(1, "brief", unit="A1")
    run.hear(2, LEFT, "A1")
    run.hear(3, LEFT, "A1")
    assert [s.state for s in run.now(60).points] == [State.DONE, State.OVER]
    assert (run.now(60).left_open, run.raised(60), run.now(2).until) == ((), [], None)


def test_an_answer_for_a_unit_that_left_is_kept() -> None:
    run = Run(checklist(BRIEF))
    run.hear(0, ADDED, "A1")
    run.hear(2, LEFT, "A1")
    given = run.answer(3, "brief", unit="A1")
    assert (run.state(4, "brief", "A1").state, run.state(4, "brief", "A1").answer) == (State.DONE, given)


def test_a_unit_that_comes_back_is_asked_anew_and_what_it_said_is_kept() -> None:
    run = Run(checklist(BRIEF))
    run.hear(0, ADDED, "A1")
    given = run.answer(1, "brief", unit="A1")
    run.hear(2, LEFT, "A1")
    run.hear(9, ADDED, "A1")
    state = run.state(10, "brief", "A1")
    assert (state.state, state.earlier, state.due_at, state.again) == (State.OPEN, (given,), at(12), "A1 is back")


def test_an_answer_for_a_unit_nobody_added_is_kept_and_counts_for_no_other() -> None:
    run = Run(checklist(BRIEF))
    stray = run.answer(1, "brief", unit="Z9")
    assert [(s.unit, s.state) for s in run.now(2).points] == [(None, State.WAITING), ("Z9", State.DONE)]
    run.hear(3, ADDED, "A1")
    assert [(s.unit, s.state) for s in run.now(4).points] == [("Z9", State.DONE), ("A1", State.OPEN)]
    run.hear(5, ADDED, "Z9")
    assert [(s.unit, s.state, s.answer) for s in run.now(6).points] == [
        ("A1", State.OPEN, None),
        ("Z9", State.DONE, stray),
    ]


def test_an_answer_that_names_no_unit_is_kept_beside_those_of_the_units() -> None:
    run = Run(checklist(BRIEF))
    given = run.answer(1, "brief", unit="")
    run.hear(2, ADDED, "A1")
    assert [(s.unit, s.answer) for s in run.now(3).points] == [(None, given), ("A1", None)]


def test_a_unit_on_scene_begins_the_phase_for_itself_alone_among_units() -> None:
    run = Run(checklist(point("seen", "on_scene", repeat_per_unit=True, due_minutes=1), point("all", "on_scene")))
    run.hear(0, ADDED, "A1")
    run.hear(0, ADDED, "A2")
    run.hear(4, THERE, "A2")
    assert [(s.unit, s.state) for s in run.now(5).points] == [
        ("A1", State.WAITING),
        ("A2", State.OPEN),
        (None, State.OPEN),
    ]


def test_a_unit_that_is_not_on_the_incident_is_asked_nothing_though_it_be_there() -> None:
    run = Run(checklist(point("seen", "on_scene", repeat_per_unit=True), point("all", "on_scene")))
    run.hear(1, THERE, "A1")
    assert [(s.unit, s.state) for s in run.now(2).points] == [(None, State.WAITING), (None, State.OPEN)]


def test_a_point_for_each_unit_of_the_call_is_asked_as_it_joins_and_one_before_closing_when_closing_has_begun() -> None:
    run = Run(checklist(point("c", repeat_per_unit=True), point("e", "before_close", repeat_per_unit=True)))
    run.hear(1, ADDED, "A1")
    run.hear(4, CLOSING)
    run.hear(6, ADDED, "A2")
    assert [(s.point.id, s.unit, s.asked_at) for s in run.now(7).points] == [
        ("c", "A1", at(1)), ("c", "A2", at(6)), ("e", "A1", at(4)), ("e", "A2", at(6)),
    ]  # fmt: skip


# Asked anew


def test_a_changed_brief_asks_every_unit_that_is_there_for_its_briefing_and_nothing_else() -> None:
    camera = point("camera", "on_dispatch", repeat_per_unit=True, key="video")
    run = Run(checklist(BRIEF, camera, point("other")))
    for unit in ("A1", "A2", "A3"):
        run.hear(0, ADDED, unit)
        run.answer(1, "brief", unit=unit)
        run.answer(1, "camera", unit=unit)
    run.answer(1, "other")
    run.hear(2, LEFT, "A3")
    run.hear(5, Happened.BRIEF_CHANGED, why="the location moved")
    assert [(s.point.id, s.unit) for s in run.now(6).open] == [("brief", "A1"), ("brief", "A2")]
    state = run.state(6, "brief", "A1")
    assert (state.again, state.due_at, len(state.earlier)) == ("the location moved", at(8), 1)


def test_a_brief_that_changed_for_one_unit_asks_that_one() -> None:
    run = Run(checklist(BRIEF, point("for_all", "on_dispatch", key="brief")))
    for unit in ("A1", "A2"):
        run.hear(0, ADDED, unit)
        run.answer(1, "brief", unit=unit)
    run.answer(1, "for_all")
    run.hear(5, Happened.BRIEF_CHANGED, "A2")
    assert [(s.point.id, s.unit) for s in run.now(6).open] == [("brief", "A2"), ("for_all", None)]
    assert run.state(6, "brief", "A2").again == "brief changed"


def test_a_changed_brief_leaves_one_that_is_open_open_as_it_was() -> None:
    run = Run(checklist(BRIEF))
    run.hear(0, ADDED, "A1")
    before = run.now(2)
    run.hear(2, Happened.BRIEF_CHANGED)
    assert run.now(2) == before


def test_a_redo_asks_all_anew_says_why_and_keeps_what_was_said() -> None:
    run = Run(checklist(point("p", due_minutes=2), point("late", "on_scene"), BRIEF, redo_when=("grade_lowered",)))
    run.hear(0, ADDED, "A1")
    run.hear(0, ADDED, "A2")
    first, early = run.answer(1, "p"), run.answer(1, "late")
    briefed, gone = run.answer(1, "brief", unit="A1"), run.answer(1, "brief", unit="A2")
    run.hear(2, LEFT, "A2")
    run.hear(5, Happened.GRADE_LOWERED, why="the grade was lowered")
    run.hear(5, Happened.UNIT_DIVERTED)
    assert [(s.state, s.earlier, s.again) for s in run.now(6).points] == [
        (State.OPEN, (first,), "the grade was lowered"),
        (State.WAITING, (early,), "the grade was lowered"),
        (State.OPEN, (briefed,), "the grade was lowered"),
        (State.DONE, (), None),
    ]
    assert run.state(6, "p").due_at == at(7)
    assert run.state(6, "brief", "A2").answer == gone


def test_a_redo_leaves_what_is_open_due_as_it_was() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=4), redo_when=("new_call_linked",)))
    run.hear(3, Happened.NEW_CALL_LINKED)
    assert run.state(3, "p").due_at == at(4)


def test_a_changed_marker_asks_anew_only_after_the_first_answer() -> None:
    run = Run(checklist(point("p"), point("q"), redo_when=("marker_match_changed",)))
    run.hear(1, Happened.MARKER_MATCH_CHANGED)
    run.answer(2, "p")
    assert run.state(3, "p").state is State.DONE
    run.hear(3, Happened.MARKER_MATCH_CHANGED)
    assert run.state(4, "p").state is State.OPEN


# Repeats


def test_a_repeat_is_asked_again_so_long_after_its_last_answer_and_due_so_long_after_that() -> None:
    run = caller(due_minutes=4)
    run.answer(1, "caller")
    run.answer(3, "caller")
    assert (run.state(12.9, "caller").state, run.now(12.9).until) == (State.DONE, at(13))
    state = run.state(13, "caller")
    assert (state.state, state.asked_at, state.due_at, state.again) == (State.OPEN, at(13), at(17), "time to ask again")
    assert len(state.earlier) == 2
    assert run.raised(20) == [("overdue", None, 17)]


def test_a_repeat_without_minutes_is_due_when_it_is_asked_again_and_not_the_first_time() -> None:
    run = caller()
    assert (run.state(60, "caller").due_at, run.raised(60)) == (None, [])
    run.answer(1, "caller")
    assert run.state(11, "caller").due_at == at(11)
    assert run.raised(11) == [("overdue", None, 11)]


def test_a_unit_on_scene_stops_the_repeats() -> None:
    run = caller()
    run.answer(1, "caller")
    run.hear(5, THERE, "A1")
    assert (run.state(60, "caller").state, run.now(6).until) == (State.DONE, None)


def test_an_open_repeat_lapses_when_a_unit_is_on_scene_and_the_first_asking_does_not() -> None:
    run = caller()
    run.hear(1, THERE, "A1")
    assert run.state(2, "caller").state is State.OPEN
    run = caller()
    given = run.answer(1, "caller")
    run.hear(12, THERE, "A1")
    run.hear(13, THERE, "A2")
    state = run.state(14, "caller")
    assert (state.state, state.earlier, run.now(14).left_open) == (State.OVER, (given,), ())


def test_a_lapsed_repeat_is_asked_again_by_a_redo_and_one_a_redo_asked_for_too_does_not_lapse() -> None:
    definition = checklist(
        point("caller", mandatory=True, repeat_minutes=10, stop_when="unit_on_scene"), redo_when=("location_changed",)
    )
    run = Run(definition)
    run.answer(1, "caller")
    run.hear(12, THERE, "A1")
    run.hear(13, Happened.LOCATION_CHANGED)
    assert (run.state(14, "caller").state, run.state(14, "caller").asked_at) == (State.OPEN, at(13))
    run = Run(definition)
    run.answer(1, "caller")
    run.hear(12, Happened.LOCATION_CHANGED)
    run.hear(13, THERE, "A1")
    assert run.state(14, "caller").state is State.OPEN


def test_a_repeat_of_a_unit_stops_with_that_unit_alone() -> None:
    run = Run(checklist(point("ok", "on_dispatch", repeat_per_unit=True, repeat_minutes=5, stop_when="unit_on_scene")))
    for unit in ("A1", "A2"):
        run.hear(0, ADDED, unit)
        run.answer(1, "ok", unit=unit)
    run.hear(2, THERE, "A1")
    assert [s.state for s in run.now(9).points] == [State.DONE, State.OPEN]


def test_a_repeat_answered_before_its_phase_is_asked_again_no_sooner_than_the_phase() -> None:
    run = Run(checklist(point("caller", "on_dispatch", repeat_minutes=10)))
    run.answer(1, "caller")
    assert (run.state(30, "caller").state, run.now(30).until) == (State.DONE, None)
    run.hear(20, ADDED, "A1")
    assert (run.state(20, "caller").state, run.state(20, "caller").asked_at) == (State.OPEN, at(20))


# Mandatory because of another answer


def weapons(**more: object) -> Run:
    rule = {"point": "weapons", "any_of": ["blade", "not_asked"]}
    approach = point("approach", "on_dispatch", mandatory_if=rule, due_minutes=5, **more)  # type: ignore[arg-type]
    return Run(checklist(point("weapons"), approach, redo_when=("location_changed",)))


def test_another_answer_makes_a_point_mandatory_and_due_from_then_or_from_its_phase() -> None:
    run = weapons()
    assert not run.state(1, "approach").mandatory
    run.answer(2, "weapons", "blade")
    assert (run.state(3, "approach").mandatory, run.state(3, "approach").due_at) == (True, None)
    run.hear(4, ADDED, "A1")
    assert run.state(5, "approach").due_at == at(9)
    run = weapons()
    run.hear(0, ADDED, "A1")
    assert (run.state(8, "approach").due_at, run.state(8, "approach").overdue) == (at(5), False)
    run.answer(8, "weapons", "blade")
    run.answer(9, "weapons", "blade")
    assert run.state(10, "approach").due_at == at(13)
    assert run.raised(20) == [("overdue", None, 13)]


def test_a_non_answer_can_make_a_point_mandatory() -> None:
    run = weapons()
    run.non_answer(1, "weapons", "not_asked")
    assert run.state(2, "approach").mandatory


def test_an_amended_answer_takes_it_back_and_what_was_raised_stays() -> None:
    run = weapons()
    run.hear(0, ADDED, "A1")
    run.answer(0, "weapons", "blade")
    run.answer(9, "weapons", "calm")
    assert not run.state(10, "approach").mandatory
    assert not run.state(10, "approach").overdue
    assert run.raised(10) == [("overdue", None, 5)]


def test_what_is_asked_anew_still_makes_another_mandatory_until_it_is_answered_otherwise() -> None:
    run = weapons()
    run.answer(1, "weapons", "blade")
    run.hear(2, Happened.LOCATION_CHANGED)
    assert run.state(3, "approach").mandatory
    run.answer(4, "weapons", "calm")
    assert not run.state(5, "approach").mandatory


def test_one_unit_s_new_answer_leaves_standing_what_another_said_before_it_was_asked_anew() -> None:
    rule = {"point": "kit", "any_of": ["blade"]}
    run = Run(
        checklist(
            point("kit", "on_dispatch", repeat_per_unit=True),
            point("shield", "on_scene", mandatory_if=rule),
            redo_when=("location_changed",),
        )
    )
    for unit, said in (("A1", "blade"), ("A2", "calm")):
        run.hear(0, ADDED, unit)
        run.answer(1, "kit", said, unit=unit)
    run.hear(2, Happened.LOCATION_CHANGED)
    run.answer(3, "kit", "calm", unit="A2")
    assert run.state(4, "shield").mandatory
    run.answer(5, "kit", "calm", unit="A1")
    assert not run.state(6, "shield").mandatory


def test_any_unit_s_answer_makes_it_mandatory_for_every_unit() -> None:
    rule = {"point": "kit", "any_of": ["blade"]}
    run = Run(
        checklist(
            point("kit", "on_dispatch", repeat_per_unit=True),
            point("shield", "on_scene", mandatory_if=rule, repeat_per_unit=True),
        )
    )
    run.hear(0, ADDED, "A1")
    run.hear(0, ADDED, "A2")
    run.answer(1, "kit", "blade", unit="A1")
    run.answer(2, "kit", "calm", unit="A2")
    assert [s.unit for s in run.now(3).left_open] == ["A1", "A2"]
    run.hear(4, ADDED, "A3")
    assert [s.unit for s in run.now(5).left_open] == ["A1", "A2", "A3"]


def test_a_repeat_without_minutes_that_is_made_mandatory_is_due_from_then() -> None:
    rule = {"point": "weapons", "any_of": ["blade"]}
    run = Run(checklist(point("weapons"), point("caller", mandatory_if=rule, repeat_minutes=10)))
    run.answer(1, "caller")
    run.answer(20, "weapons", "blade")
    assert run.raised(20) == [("overdue", None, 20)]


def test_a_point_that_is_always_mandatory_is_not_put_off_by_another_answer() -> None:
    run = weapons(mandatory=True)
    run.hear(0, ADDED, "A1")
    run.answer(4, "weapons", "blade")
    assert run.state(5, "approach").due_at == at(5)
    run.answer(6, "weapons", "calm")
    assert run.state(7, "approach").mandatory


# Raises


def test_an_answer_raises_its_codes_once_a_round_whatever_is_answered_later() -> None:
    run = Run(checklist(point("p", raises={"codes": ["blade", "not_known"]}), redo_when=("location_changed",)))
    run.answer(1, "p", "blade")
    run.answer(2, "p", "blade")
    run.answer(3, "p", "calm")
    run.answer(4, "p", "blade")
    assert run.raised(5) == [("answer", "blade", 1)]
    run.non_answer(5, "p", "not_known")
    run.non_answer(5, "p", "not_asked")
    assert run.raised(5) == [("answer", "blade", 1), ("answer", "not_known", 5)]
    run.hear(6, Happened.LOCATION_CHANGED)
    run.answer(7, "p", "blade")
    keys = [r.key for r in run.now(8).raises]
    assert keys == ["p||1|answer:blade", "p||1|answer:not_known", "p||2|answer:blade"]


def test_codes_are_found_in_lists_checks_sets_and_their_non_answers_and_never_in_words() -> None:
    run = Run(
        checklist(
            point("many", answer={"type": "multi", "options": {"a": "A", "b": "B"}}, raises={"codes": ["b"]}),
            point("checks", answer={"type": "checks", "items": {"x": "X"}}, raises={"codes": ["failed"]}),
            point("grade", answer={"type": "listed", "list": "grades"}, raises={"codes": ["emergency"]}),
            point("words", answer={"type": "text"}, raises={"codes": ["not_known"]}),
            point(
                "parts",
                answer={
                    "type": "set",
                    "items": {
                        "where": {"title": "W", "answer": {"type": "choice", "options": {"here": "H", "gone": "G"}}},
                        "who": {"title": "W", "answer": {"type": "text"}},
                        "age": {"title": "A", "answer": {"type": "count"}},
                    },
                },
                raises={"codes": ["here", "not_known"]},
            ),
        )
    )
    run.answer(1, "many", ["a", "b"])
    run.answer(1, "checks", {"x": "failed"})
    run.answer(1, "grade", "emergency")
    run.answer(1, "words", "not_known")
    run.answer(1, "parts", {"where": "here", "who": "gone", "age": {"non_answer": "not_known", "reason": ""}})
    assert [r.code for r in run.now(2).raises] == ["b", "failed", "emergency", "here", "not_known"]


def test_no_and_some_raise_of_items_and_of_the_point_itself() -> None:
    yes_no, count = {"title": "Q", "answer": {"type": "yes_no"}}, {"title": "Q", "answer": {"type": "count"}}
    run = Run(
        checklist(
            point(
                "parts",
                answer={"type": "set", "items": {"seen": yes_no, "camera": yes_no, "children": count, "old": count}},
                raises={"no": ["seen", "camera"], "some": ["children", "old", "camera"]},
            ),
            point("itself", answer={"type": "yes_no"}, raises={"no": ["itself"]}),
        )
    )
    run.answer(1, "parts", {"seen": False, "camera": True, "children": 2, "old": 0})
    run.answer(2, "parts", {"seen": {"non_answer": "not_known", "reason": ""}})
    run.answer(1, "itself", False)
    run.answer(1, "itself", True)
    assert [r.code for r in run.now(3).raises] == ["no:seen", "some:children", "some:camera", "no:itself"]


def test_a_mandatory_point_that_is_late_is_raised_at_the_moment_it_was_due_though_it_be_answered_later() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2), point("advisory", due_minutes=2)))
    assert run.raised(1.9) == []
    assert (run.raised(2), [s.point.id for s in run.now(2).overdue]) == ([("overdue", None, 2)], ["p"])
    run.answer(5, "p")
    assert (run.raised(9), run.now(9).overdue) == ([("overdue", None, 2)], ())


def test_an_answer_in_time_raises_nothing() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2, raises={"unanswered_after_minutes": 3})))
    run.answer(1.9, "p")
    assert run.raised(60) == []


def test_nothing_said_for_long_is_raised_of_a_point_whether_or_not_it_is_mandatory() -> None:
    run = Run(checklist(point("p", raises={"unanswered_after_minutes": 10})))
    assert run.now(0).until == at(10)
    assert run.raised(10) == [("unanswered", None, 10)]
    assert (run.now(10).until, run.state(10, "p").overdue) == (None, False)


def test_an_answer_called_overdue_and_being_overdue_are_two_matters() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2, raises={"codes": ["overdue"]})))
    run.answer(3, "p", "overdue")
    assert run.raised(4) == [("overdue", None, 2), ("answer", "overdue", 3)]
    assert len({r.key for r in run.now(4).raises}) == 2


def test_raises_of_a_point_are_with_its_state() -> None:
    run = Run(checklist(point("p", raises={"codes": ["blade"]}), point("q", raises={"codes": ["blade"]})))
    run.answer(1, "p", "blade")
    run.answer(2, "q", "blade")
    assert run.state(3, "q").raises == run.now(3).raises[1:]


# Clocks


def test_order_decides_what_stands_though_the_clock_went_back() -> None:
    run = Run(checklist(point("p")))
    first, second = run.answer(9, "p"), run.answer(3, "p")
    assert (run.state(10, "p").answer, run.state(10, "p").earlier) == (second, (first,))


def test_a_clock_that_went_back_reopens_no_repeat() -> None:
    run = caller(due_minutes=4)
    run.answer(30, "caller")
    run.answer(31, "caller")
    run.answer(2, "caller")
    assert run.state(11.9, "caller").state is State.DONE
    run = Run(checklist(point("caller", "on_dispatch", repeat_minutes=10)))
    run.hear(60, ADDED, "A1")
    run.answer(5, "caller")
    assert (run.state(61, "caller").state, run.now(61).until) == (State.DONE, at(70))


def test_lateness_that_any_entry_showed_stays_though_later_clocks_show_less() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=5), point("q")))
    run.answer(6, "q")
    run.answer(4, "p")
    assert run.raised(4) == [("overdue", None, 5)]


def test_a_clock_ahead_makes_nothing_late_that_is_asked_after_it() -> None:
    run = Run(checklist(point("p", "on_dispatch", mandatory=True, due_minutes=5), point("q")))
    run.answer(60, "q")
    run.hear(2, ADDED, "A1")
    assert run.raised(6) == []
    assert run.now(6).until == at(7)


def test_now_before_the_last_entry_undoes_nothing() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=5), point("q")))
    given = run.answer(6, "q")
    assert (run.state(1, "q").answer, run.raised(1)) == (given, [("overdue", None, 5)])
    assert run.state(1, "p").overdue
    assert run.now(1).until is None


# Closing


def test_closing_leaves_open_points_over_not_done_and_nothing_to_come() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2), point("q"), point("end", "before_close")))
    given = run.answer(1, "q")
    run.hear(1.5, CLOSED)
    closed = run.now(600)
    assert [s.state for s in closed.points] == [State.OVER, State.DONE, State.OVER]
    assert (closed.points[1].answer, closed.raises, closed.until, closed.left_open) == (given, (), None, ())
    assert (closed.open, closed.overdue, closed.done) == ((), (), 1)


def test_what_was_late_when_it_was_closed_is_raised_and_nothing_after() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2, raises={"unanswered_after_minutes": 9})))
    run.hear(5, CLOSED)
    run.hear(60, CLOSED)
    assert run.raised(600) == [("overdue", None, 2)]


def test_an_answer_to_a_closed_incident_is_kept_and_raised_only_when_it_is_reopened() -> None:
    run = Run(checklist(point("p", raises={"codes": ["blade"]})))
    run.hear(1, CLOSED)
    given = run.answer(2, "p", "blade")
    assert (run.state(3, "p").state, run.state(3, "p").answer, run.raised(3)) == (State.DONE, given, [])
    run.hear(9, REOPENED)
    assert run.raised(9) == [("answer", "blade", 9)]


def test_reopening_asks_what_was_left_open_anew_from_then_on() -> None:
    run = Run(checklist(point("p", mandatory=True, due_minutes=2), point("q"), point("w", "on_scene"), redo_when=()))
    run.answer(1, "q")
    run.hear(5, CLOSED)
    run.hear(100, REOPENED, why="the incident was reopened")
    state = run.state(101, "p")
    assert (state.state, state.due_at, state.again) == (State.OPEN, at(102), "the incident was reopened")
    assert [s.state for s in run.now(101).points] == [State.OPEN, State.DONE, State.WAITING]
    assert run.raised(102) == [("overdue", None, 2), ("overdue", None, 102)]


def test_a_repeat_of_a_reopened_incident_is_asked_again_no_sooner_than_the_reopening() -> None:
    run = caller(due_minutes=4)
    run.answer(1, "caller")
    run.hear(5, CLOSED)
    run.hear(100, REOPENED)
    assert (run.state(100, "caller").asked_at, run.raised(103)) == (at(100), [])
    run = caller(due_minutes=4)
    run.answer(95, "caller")
    run.hear(96, CLOSED)
    run.hear(100, REOPENED)
    assert (run.state(101, "caller").state, run.now(101).until) == (State.DONE, at(105))


def test_what_would_ask_anew_of_a_closed_incident_does_when_it_is_reopened() -> None:
    run = Run(checklist(BRIEF, redo_when=("location_changed",)))
    run.hear(0, ADDED, "A1")
    run.answer(1, "brief", unit="A1")
    run.hear(2, CLOSED)
    run.hear(3, Happened.BRIEF_CHANGED, why="the marker changed")
    run.hear(4, Happened.LOCATION_CHANGED, why="the location moved")
    assert run.state(5, "brief", "A1").state is State.DONE
    run.hear(9, REOPENED)
    state = run.state(9, "brief", "A1")
    assert (state.state, state.asked_at, state.again) == (State.OPEN, at(9), "the marker changed")


# Until


def test_until_is_the_first_moment_that_changes_anything() -> None:
    run = Run(
        checklist(
            point("p", mandatory=True, due_minutes=5, raises={"unanswered_after_minutes": 3}),
            point("advisory", due_minutes=1),
            point("later", "on_scene", due_minutes=1, mandatory=True),
        )
    )
    assert [run.now(minutes).until for minutes in (0, 3, 5)] == [at(3), at(5), None]


# Definitions


def test_an_answer_to_a_point_the_definition_does_not_have_is_not_passed_over() -> None:
    run = Run(checklist(point("p")))
    run.answer(1, "q")
    with pytest.raises(KeyError):
        run.now(2)


def test_a_definition_is_made_ready_once_and_forgotten_with_it() -> None:
    definition = checklist(point("p"))
    name = id(definition)
    assert making.compiled(definition) is making.compiled(definition)
    assert name in making._made
    del definition
    gc.collect()
    assert name not in making._made


def test_another_definition_at_the_place_of_one_that_is_gone_is_made_ready_anew() -> None:
    first, second = checklist(point("p")), checklist(point("q"))
    made = making.compiled(first)
    making._made[id(second)] = making._made[id(first)]
    assert making.compiled(second) is not made
    assert list(making.compiled(second).by_id) == ["q"]
    making._forget(id(second), making._made[id(first)][0])
    assert id(second) in making._made
    making._forget(0, making._made[id(first)][0])


def test_the_shipped_checklists_start_open_on_the_call_and_waiting_for_the_rest() -> None:
    for definition in load_definitions():
        states = progress(definition, OPENED, (), OPENED).points
        assert [s.point.id for s in states] == [p.id for p in definition.points]
        for state in states:
            assert (state.state is State.OPEN) == (state.point.phase.value == "on_call")


def test_the_twenty_point_plan_makes_the_approach_mandatory_for_a_blade_and_tells_the_supervisor_of_the_camera() -> (
    None
):
    run = Run(next(d for d in load_definitions() if d.id == "domestic_abuse_20"))
    run.hear(1, ADDED, "A1")
    run.answer(2, "weapons", ["blade"])
    run.answer(3, "body_worn_video", "no_reply", unit="A1")
    assert run.state(4, "approach_and_backup").due_at == at(7)
    keys = {r.key for r in run.now(4).raises}
    assert {"weapons||1|answer:blade", "body_worn_video|A1|1|answer:no_reply"} <= keys


def test_it_is_pure_what_came_before_or_after_leaves_no_trace() -> None:
    run = Run(next(d for d in load_definitions() if d.id == "domestic_abuse_20"))
    run.hear(1, Happened.UNIT_ADDED, "A1")
    run.answer(2, "weapons", ["blade"])
    first, kept = run.now(30), list(run.happened)
    run.answer(3, "safe_to_talk", "silent")
    run.hear(4, Happened.CLOSED)
    assert run.now(40) != first
    assert run.happened[:2] == kept
    del run.happened[2:]
    assert run.now(30) == first
