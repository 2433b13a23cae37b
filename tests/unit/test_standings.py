"""A checklist is gone through once and continued: always what going through it anew would say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checklists.progress import progress
from checklists.record import Answer, Entry, Event, Happened
from overlay.incidents import entries as e
from overlay.incidents.model import Incident, Run
from overlay.incidents.runs import Standings
from tests.unit.runs import OPENED, at, checklist, point

SMALL = checklist(
    point("weapons", mandatory=True, due_minutes=3, raises={"codes": ["blade"]}),
    point("caller", mandatory=True, due_minutes=4, repeat_minutes=10),
    point("brief", "on_dispatch", mandatory=True, due_minutes=3, repeat_per_unit=True, key="brief"),
)
WORDINGS = {"w1": SMALL}
HAPPENED: tuple[Entry, ...] = (
    Event(Happened.UNIT_ADDED, at(1), "A1"),
    Answer("a1", "weapons", at(2), "Ann", "blade"),
    Answer("a2", "caller", at(3), "Ann", "calm"),
    Event(Happened.BRIEF_CHANGED, at(2), None, "a marker changed"),
    Answer("a3", "brief", at(6), "Ann", "calm", unit="A1"),
    Event(Happened.CLOSED, at(7), None),
    Event(Happened.REOPENED, at(8), None),
    Answer("a4", "caller", at(30), "Ann", "blade"),
)


def incident(happened: tuple[Entry, ...], version: int = 0) -> Incident:
    """An incident with one checklist that has heard this much."""
    opened = e.Opened(OPENED, e.Person("p", "P", "dispatcher"), "QM1")
    run = Run("r1", "small", "w1", ("every",), OPENED, happened)
    return Incident(
        incident_id="i1",
        version=version or len(happened) + 1,
        log=(opened,),
        reference="QM1",
        opened=opened,
        incident_type=None,
        call=None,
        place=None,
        checked=None,
        also=(),
        graded=None,
        units=(),
        runs=(run,),
        hand_offs=(),
        acknowledged={},
        closed=None,
    )


def anew(happened: tuple[Entry, ...], minutes: float) -> object:
    return progress(SMALL, OPENED, happened, at(minutes))


@given(st.lists(st.tuples(st.integers(0, len(HAPPENED)), st.integers(0, 60)), max_size=12))
@settings(deadline=None)
def test_whatever_version_is_asked_for_when(asked: list[tuple[int, int]]) -> None:
    standings = Standings()
    for count, minutes in asked:
        (found,) = standings.of(incident(HAPPENED[:count]), WORDINGS, at(minutes))
        assert found.progress == anew(HAPPENED[:count], minutes)


def test_an_incident_that_is_not_the_one_before_it_is_gone_through_anew() -> None:
    standings = Standings()
    standings.of(incident(HAPPENED[:4]), WORDINGS, at(5))
    other = (*HAPPENED[:2], replace(HAPPENED[2], by="Ben"), *HAPPENED[3:5])
    (found,) = standings.of(incident(other), WORDINGS, at(9))
    assert found.progress == anew(other, 9)


def test_an_answer_to_a_point_that_is_not_there_leaves_nothing_half_gone_through() -> None:
    standings = Standings()
    standings.of(incident(HAPPENED[:2]), WORDINGS, at(3))
    with pytest.raises(KeyError):
        standings.of(incident((*HAPPENED[:3], Answer("x", "no such point", at(4), "Ann", "calm"))), WORDINGS, at(5))
    (found,) = standings.of(incident(HAPPENED[:3], version=9), WORDINGS, at(5))
    assert found.progress == anew(HAPPENED[:3], 5)


def test_many_threads_at_once_each_get_their_own_version() -> None:
    standings = Standings()

    def one(number: int) -> bool:
        count = number % (len(HAPPENED) + 1)
        (found,) = standings.of(incident(HAPPENED[:count]), WORDINGS, at(number % 50))
        return found.progress == anew(HAPPENED[:count], number % 50)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(600)))


def test_what_is_gone_is_forgotten() -> None:
    standings = Standings()
    standings.of(incident(HAPPENED[:2]), WORDINGS, at(3))
    standings.forget(frozenset())
    (found,) = standings.of(incident(HAPPENED[:1]), WORDINGS, at(3) + timedelta(minutes=1))
    assert found.progress == anew(HAPPENED[:1], 4)
