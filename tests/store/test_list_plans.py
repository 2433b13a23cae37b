"""A list sent in: read, looked at, approved whole or in part by a second person, carried out once whoever is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from markers.commits import Commit, Write
from markers.exchange import marker_id
from markers.ledger import Operation
from markers.lifecycle import LifecycleRefused, Step
from markers.model import Marker, Place, Status
from markers.store_errors import StoreUnavailable
from overlay.list_plans import PARTS, PIECES, ListPlan, ListState, NoSuchList
from overlay.lookup import Asked, check
from overlay.room.attending import ATTENDANT
from overlay.upkeep import list_plans, list_views, placing, steps
from overlay.upkeep.change import person as person_of
from overlay.upkeep.erasing import erase
from overlay.upkeep.list_plans import ListWorker, approve, drop_unfinished, lay_down, purge_lists, turn_down
from overlay.upkeep.list_views import ListedView, Looked, view_plan
from overlay.upkeep.lists import UpkeepError
from tests.store.room import CASEY, DOMESTIC, HOME, Room, person
from tests.unit.test_placing import helpers_of_this_process

PRIYA, MORGAN = person("Priya", "ppu_officer"), person("Morgan", "ppu_supervisor")
HEADER = "reference,category,address,postcode,plan_category,plan_started,social_care_contact\n"
ROWS = [
    'CP-1,child_protection_plan,"Flat 3, 14 Tallow Yard",EC9A 1AB,neglect,2026-10-01,020 7946 0001\n',
    "CP-2,child_protection_plan,8 Foolscap Lane,EC9A 1AP,neglect,2026-10-01,020 7946 0001\n",
]
BAD = "CP-3,no such kind,1 Nowhere Row,,,,\n"


def sent(room: Room, *rows: str, complete_of: str = "", name: str = "list.csv") -> ListPlan:
    text = (HEADER + "".join(rows)).encode()
    return lay_down(room.services, PRIYA, name, text, complete_of, room.now)


def worked(room: Room, plan: ListPlan) -> ListPlan:
    worker = ListWorker()
    while worker.step(room.services):
        pass
    return room.services.lists.get(plan.list_id)[0]


def pieces(room: Room) -> list[str]:
    return [r.record_id for r in room.services.store.load(PIECES).records if r.plain is not None]


def carried_out(room: Room, plan: ListPlan, *parts: str, left_out: tuple[str, ...] = ()) -> ListPlan:
    approve(room.services, MORGAN, plan.list_id, parts, left_out, "", room.now)
    return worked(room, plan)


def test_a_list_warns_nobody_before_a_second_person_approved_it_and_then_all_it_names(room: Room) -> None:
    plan = worked(room, sent(room, *ROWS, BAD))
    assert plan.state is ListState.WAITING
    assert (plan.counts["new"], plan.counts["rejected"], plan.total) == (2, 1, 3)
    assert any("line 4, category" in note for note in plan.notes)
    assert check(room.services, CASEY, Asked(HOME), room.services.now()).status is Status.CLEAR
    with pytest.raises(LifecycleRefused, match="second person"):
        approve(room.services, PRIYA, plan.list_id, ("new",), (), "", room.now)
    with pytest.raises(LifecycleRefused, match="Choose what"):
        approve(room.services, MORGAN, plan.list_id, ("missing", "x"), (), "", room.now)
    done = carried_out(room, plan, "new")
    assert (done.state, done.done, done.total) == (ListState.DONE, 2, 2)
    answer = check(room.services, CASEY, Asked(HOME), room.services.now())
    assert answer.status is Status.HIT
    written = room.services.index.get(marker_id("CP-1"))
    assert written is not None
    assert (written.proposed_by, written.proposer, written.approved_by) == ("Priya", "priya", "Morgan")
    entries = [(e.reason, e.actor_id, e.operation) for e in room.ledger()]
    assert ("list_sent_in", "priya", Operation.COLLECTION) in entries
    assert ("list_approved", "morgan", Operation.ALTERATION) in entries
    assert ("import", "morgan", Operation.COLLECTION) in entries
    assert pieces(room) == [], "nothing of its rows stays"


def test_what_is_left_out_or_not_chosen_is_not_done(room: Room) -> None:
    carried_out(room, worked(room, sent(room, ROWS[0])), "new")
    again = worked(room, sent(room, ROWS[0].replace("neglect", "emotional abuse"), ROWS[1]))
    assert (again.counts["new"], again.counts["changed"], again.counts["unchanged"]) == (1, 1, 0)
    view = view_plan(room.services, MORGAN, again.list_id, room.now)
    assert [m.reference for m in view.new] == ["CP-2"]
    ((marker, changes),) = view.changed
    assert marker.reference == "CP-1"
    assert [(c.field, c.before, c.after) for c in changes if c.field == "plan_category"] == [
        ("plan_category", "neglect", "emotional abuse")
    ]
    assert room.ledger()[-1].reason == "list_page"
    carried_out(room, again, "new", "changed", left_out=(marker_id("CP-2"),))
    assert room.services.index.get(marker_id("CP-2")) is None
    changed = room.services.index.get(marker_id("CP-1"))
    assert changed is not None
    assert dict(changed.details)["plan_category"] == "emotional abuse"


def test_every_row_is_reached_by_its_page_and_by_its_reference(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_views, "MOST_SHOWN", 3)
    monkeypatch.setattr(list_plans, "_BATCH", 4)
    carried_out(room, worked(room, sent(room, *ROWS)), "new")
    row = "CP-{0},child_protection_plan,{0} Nowhere Row,,neglect,2026-10-01,020 7946 0001\n"
    new = [f"CP-{number}" for number in range(10, 21)]
    listed = [ROWS[0].replace("neglect", "emotional abuse"), *(row.format(name[3:]) for name in new)]
    plan = worked(room, sent(room, *listed, complete_of="child_protection_plan"))
    assert [plan.counts[part] for part in PARTS] == [11, 1, 1]
    assert plan.row_counts == ((3, 1, 0), (4, 0, 0), (4, 0, 0), (0, 0, 1))

    def seen(looked: Looked, of: ListPlan = plan) -> ListedView:
        return view_plan(room.services, MORGAN, of.list_id, room.now, looked)

    by_page = [[m.reference for m in seen(Looked({"new": page})).new] for page in range(1, 5)]
    assert by_page == [new[0:3], new[3:6], new[6:9], new[9:]]
    assert seen(Looked({"new": 99})).pages == {"new": (4, 4), "changed": (1, 1), "missing": (1, 1)}
    assert seen(Looked({"new": 0})).pages["new"] == (1, 4)
    assert [m.reference for m in seen(Looked({"new": 4})).missing] == ["CP-2"]

    last = seen(Looked(find="cp-20"))
    assert ([m.reference for m in last.new], last.changed, last.missing, last.more) == (["CP-20"], (), (), False)
    assert [m.reference for m in seen(Looked(find="CP-2")).missing] == ["CP-2"]
    assert [m.reference for m, _ in seen(Looked(find="CP-1")).changed] == ["CP-1"]
    assert seen(Looked(find="CP")).more
    assert seen(Looked(find="é")).ids == seen(Looked(find="CP-30")).ids == frozenset()

    older, version = room.services.lists.get(plan.list_id)
    write = Write("lists", plan.list_id, version, replace(older, row_counts=()).as_plain())
    room.services.store.commit(Commit("older", {}, (write,)))
    assert [m.reference for m in seen(Looked({"new": 2})).new] == new[3:6]

    carried_out(room, plan, *PARTS, left_out=tuple(map(marker_id, ("CP-20", "CP-2"))))
    kept = {marker.reference for marker in room.services.index.all()}
    assert kept == {"CP-1", "CP-2", *new[:-1]}
    assert room.services.proposals.waiting() == ()


def test_what_a_complete_list_lacks_is_proposed_to_end_and_not_ended(room: Room) -> None:
    carried_out(room, worked(room, sent(room, *ROWS)), "new")
    room.mark(replace(DOMESTIC, marker_id="da-9", reference="DA-9"))
    plan = worked(room, sent(room, ROWS[0], complete_of="child_protection_plan"))
    assert (plan.counts["missing"], plan.counts["unchanged"]) == (1, 1)
    assert [m.reference for m in view_plan(room.services, MORGAN, plan.list_id, room.now).missing] == ["CP-2"]
    carried_out(room, plan, "missing")
    (proposal,) = room.services.proposals.waiting()
    assert (proposal.step, proposal.marker.reference, proposal.by.actor_id) == (Step.END, "CP-2", "priya")
    assert proposal.why == "Not on the list list.csv."
    kept = room.services.index.get(marker_id("CP-2"))
    assert kept is not None
    assert kept.ending is None


def test_an_ending_that_asks_who_was_told_asks_whoever_approves_it(room: Room) -> None:
    room.mark(DOMESTIC)
    plan = carried_out(room, worked(room, sent(room, complete_of="domestic_abuse_risk")), "missing")
    assert plan.state is ListState.DONE
    assert plan.notes == ()
    (proposal,) = room.services.proposals.waiting()
    assert proposal.marker.ending is not None
    assert proposal.marker.ending.reason == "Its owner's list does not have it any more"
    with pytest.raises(LifecycleRefused, match="say if the subject was told"):
        steps.approve(room.services, MORGAN, proposal.proposal_id, "", room.now)
    ended = steps.approve(room.services, MORGAN, proposal.proposal_id, "", room.now, "Told by letter").ending
    assert ended is not None
    assert (ended.told, ended.by) == ("Told by letter", "Priya")


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"", b"nothing,known\n", b"PK\x03\x04x"])
def test_what_is_no_list_is_refused_and_nothing_of_it_is_kept(room: Room, content: bytes) -> None:
    plan = worked(room, lay_down(room.services, PRIYA, "x.xlsx", content, "", room.now))
    assert plan.state is ListState.REFUSED
    assert plan.notes[0].startswith("x.xlsx: ")
    assert pieces(room) == []


def test_a_list_is_turned_down_with_a_reason_or_taken_back_and_nothing_is_done(room: Room) -> None:
    first, second = (worked(room, sent(room, *ROWS)) for _ in range(2))
    with pytest.raises(LifecycleRefused, match="Say in a line why"):
        turn_down(room.services, MORGAN, first.list_id, "", room.now)
    turn_down(room.services, MORGAN, first.list_id, "last month's", room.now)
    turn_down(room.services, PRIYA, second.list_id, "", room.now)
    assert pieces(room) == []
    assert worked(room, first).state is ListState.TURNED_DOWN
    assert room.services.index.get(marker_id("CP-1")) is None
    with pytest.raises(LifecycleRefused, match="nothing to decide"):
        approve(room.services, MORGAN, first.list_id, ("new",), (), "", room.now)
    with pytest.raises(LifecycleRefused, match="nothing to decide"):
        turn_down(room.services, MORGAN, first.list_id, "x", room.now)


def many(count: int) -> list[str]:
    return [f"CP-{n},child_protection_plan,{n} Nowhere Row,,neglect,2026-10-01,020 7946 0001\n" for n in range(count)]


@pytest.mark.parametrize("steps_done", [1, 2, 3])
def test_killed_at_any_batch_the_next_attendant_goes_on_and_writes_each_row_once(room: Room, steps_done: int) -> None:
    plan = sent(room, *many(450))
    broken_off = ListWorker()
    for _ in range(steps_done):
        broken_off.step(room.services)
    plan = worked(room, plan)
    assert (plan.state, plan.counts["new"]) == (ListState.WAITING, 450)
    approve(room.services, MORGAN, plan.list_id, ("new",), (), "", room.now)
    broken_off = ListWorker()
    for _ in range(steps_done):
        broken_off.step(room.services)
    done = worked(room, plan)
    assert (done.state, done.done, done.notes) == (ListState.DONE, 450, ())
    assert sum(m.reference.startswith("CP-") for m in room.services.index.all()) == 450
    assert {m.version for m in room.services.index.all()} == {1}
    assert sum(e.reason == "import" for e in room.ledger()) == 450
    assert pieces(room) == []


def test_rows_no_list_needs_and_lists_of_long_ago_are_erased(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise RuntimeError("killed")

    waiting = worked(room, sent(room, *ROWS))
    finished = worked(room, sent(room, ROWS[1]))
    with monkeypatch.context() as patched:
        patched.setattr(list_plans, "_erase", broken)
        with pytest.raises(RuntimeError):
            turn_down(room.services, MORGAN, finished.list_id, "no", room.now)
    assert len(pieces(room)) == 4
    assert purge_lists(room.services, ATTENDANT, room.now) == 0
    assert {piece.partition(".")[0] for piece in pieces(room)} == {waiting.list_id}
    room.later(days=31)
    assert purge_lists(room.services, ATTENDANT, room.now) == 1
    with pytest.raises(NoSuchList):
        room.services.lists.get(finished.list_id)
    assert room.services.lists.get(waiting.list_id)[0].state is ListState.WAITING


def test_a_list_that_was_not_sent_whole_is_refused_in_the_end(room: Room) -> None:
    half = ListPlan("l1", "list.csv", person_of(PRIYA), PRIYA.role, room.now, "", 3)
    room.services.store.commit(Commit("c1", {}, (Write("lists", "l1", 0, half.as_plain()),)))
    room.services.catch_up("lists")
    assert worked(room, half).state is ListState.SENDING
    purge_lists(room.services, ATTENDANT, room.now)
    assert room.services.lists.get("l1")[0].state is ListState.SENDING
    room.later(minutes=11)
    purge_lists(room.services, ATTENDANT, room.now)
    assert room.services.lists.get("l1")[0].state is ListState.REFUSED


def test_nothing_is_erased_while_a_list_may_hold_it_and_a_restore_drops_what_waits(room: Room) -> None:
    room.mark(replace(DOMESTIC, ends_on=DOMESTIC.starts_on))
    plan = worked(room, sent(room, *ROWS))
    with pytest.raises(LifecycleRefused, match="A list that was sent in may hold it"):
        erase(room.services, MORGAN, "da-1", "asked to", room.now)
    drop_unfinished(room.services, ATTENDANT, room.now)
    assert room.services.lists.get(plan.list_id)[0].state is ListState.TURNED_DOWN
    assert pieces(room) == []
    erase(room.services, MORGAN, "da-1", "asked to", room.now)
    assert room.services.index.get("da-1") is None


def test_a_place_taken_meanwhile_is_said_and_not_written(room: Room) -> None:
    plan = worked(room, sent(room, *ROWS))
    other = 'CP-77,child_protection_plan,"Flat 3, 14 Tallow Yard",EC9A 1AB,neglect,2026-10-01,020 7946 0001\n'
    carried_out(room, worked(room, sent(room, other)), "new")
    done = carried_out(room, plan, "new")
    assert done.notes == ("CP-1: not written, CP-77 has its place by now.",)
    assert room.services.index.get(marker_id("CP-1")) is None
    assert room.services.index.get(marker_id("CP-2")) is not None
    assert steps.marker_of(room.services, marker_id("CP-77")).version == 1


def test_a_marker_whose_row_has_a_slip_in_it_is_not_missing_from_the_list(room: Room) -> None:
    carried_out(room, worked(room, sent(room, *ROWS)), "new")
    slip = ROWS[1].replace("2026-10-01", "soon")
    plan = worked(room, sent(room, ROWS[0], slip, complete_of="child_protection_plan"))
    assert (plan.counts["missing"], plan.counts["rejected"]) == (0, 1)
    assert any("what the list lacks is not known" in note for note in plan.notes)


def test_what_somebody_changed_after_the_list_was_read_is_not_overwritten(room: Room) -> None:
    carried_out(room, worked(room, sent(room, ROWS[0])), "new")
    plan = worked(room, sent(room, ROWS[0].replace("neglect", "emotional abuse")))
    stands = steps.marker_of(room.services, marker_id("CP-1"))
    now = room.services.now()
    amended = steps.propose(room.services, PRIYA, Step.AMEND, replace(stands, headline="Two children"), "", now)
    steps.approve(room.services, MORGAN, amended.proposal_id, "", now)
    done = carried_out(room, plan, "changed")
    assert done.notes == ("CP-1: not written, somebody changed it after the list was read.",)
    kept = steps.marker_of(room.services, marker_id("CP-1"))
    assert (kept.headline, dict(kept.details)["plan_category"]) == ("Two children", "neglect")


def test_a_store_that_is_away_loses_no_row_and_one_bad_list_stops_nothing_else(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = worked(room, sent(room, *ROWS))
    approve(room.services, MORGAN, plan.list_id, ("new",), (), "", room.now)
    worker = ListWorker()

    def away(*_: object) -> int:
        raise UpkeepError("away") from StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(list_plans, "import_markers", away)
        with pytest.raises(StoreUnavailable):
            worker.step(room.services)
    assert worked(room, plan).notes == ()
    assert room.services.index.get(marker_id("CP-2")) is not None

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(list_plans, "plan_import", fault)
        bad = worked(room, sent(room, ROWS[0]))
    assert bad.state is ListState.REFUSED
    assert "fault of this program (RuntimeError)" in bad.notes[-1]


def test_kinds_that_somebody_is_not_shown_they_do_not_change_by_a_list(room: Room) -> None:
    kind = room.services.categories["child_protection_plan"]
    narrow = replace(kind, disclosure={**kind.disclosure, "ppu_officer": "headline"})
    whole, room.services.categories = room.services.categories, {**room.services.categories, kind.code: narrow}
    plan = worked(room, sent(room, *ROWS))
    assert (plan.counts["new"], plan.counts["rejected"]) == (0, 2)
    room.services.categories = whole
    plan = worked(room, sent(room, *ROWS))
    narrow = replace(kind, disclosure={**kind.disclosure, "ppu_supervisor": "headline"})
    room.services.categories = {**whole, kind.code: narrow}
    done = carried_out(room, plan, "new")
    assert "who approved is not shown markers of this kind" in done.notes[0]
    assert room.services.index.get(marker_id("CP-1")) is None


def test_a_place_that_is_taken_is_named_only_in_a_look_that_is_logged(room: Room) -> None:
    carried_out(room, worked(room, sent(room, ROWS[0])), "new")
    plan = worked(room, sent(room, ROWS[0].replace("CP-1", "CP-5")))
    assert plan.counts["doubled"] == 1
    view_plan(room.services, MORGAN, plan.list_id, room.now)
    assert [seen.record_id for seen in room.ledger()[-1].records] == [marker_id("CP-1")]


def test_a_long_list_is_placed_by_helpers_and_by_none_when_they_are_gone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_WORTH_HELPERS", 2)
    monkeypatch.setattr(placing, "_CHUNK", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    homes = ("Flat 3, 14 Tallow Yard", "8 foolscap ln", "18 Tallow Yard", "1 Nowhere Row", "20 Talow Yard") * 4
    rows = [replace(DOMESTIC, marker_id=f"m{n}", place=Place(home, "EC9A 1AB")) for n, home in enumerate(homes)]
    alone = [placing.place_on_gazetteer(room.services, row) for row in rows]
    assert len({row.place.premises_id for row in alone}) > 2
    mixed: list[Marker | str] = [*rows[:7], "no marker", *rows[7:]]
    helped = list(placing.placed(room.services, iter(mixed), len(mixed)))
    assert helped == [*alone[:7], "no marker", *alone[7:]]
    impatient = list(placing.placed(room.services, rows, len(rows), 0.0))
    assert None in impatient, "helpers take a moment to start"
    assert [row for row in impatient if row is not None] == alone
    going_on = placing.placed(room.services, rows, len(rows))
    first = next(going_on)
    for child in helpers_of_this_process():
        os.kill(child, signal.SIGKILL)
    assert [first, *going_on] == alone
    begun = placing.placed(room.services, rows, len(rows))
    next(begun)
    assert helpers_of_this_process()
    begun.close()
    assert helpers_of_this_process() == []
