"""The steps of a marker's life on a real store: each whole or not at all, in the ledger, and in the very next check."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from markers.commits import Commit, Write
from markers.ledger import Operation
from markers.lifecycle import LifecycleRefused, Outdated, Proposal, Step
from markers.model import Marker, Place, Point, State, Status
from markers.sealed import SealedStore
from overlay.feedback import Feedback, NoSuchFeedback
from overlay.listing import Search
from overlay.lookup import Asked, check
from overlay.room.attending import ATTENDANT, rematch
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep import feedback, steps
from overlay.upkeep.change import HISTORIES, Doubled, page_id
from overlay.upkeep.desk import view_desk, view_list, view_proposal
from overlay.upkeep.erasing import erase, erase_again, learn_erased, purge_proposals
from overlay.upkeep.history import history, version_of
from overlay.upkeep.looking_back import looking_back
from overlay.viewing import NoSuchMarker
from tests.store.room import CASEY, DOMESTIC, HOME, NUMBER, OFFENDER, QUIET, ROBIN, Room, person

PRIYA, MORGAN = person("Priya", "ppu_officer"), person("Morgan", "ppu_supervisor")
NEW = replace(DOMESTIC, version=0, subject="victim")


def status(room: Room, services: Services | None = None) -> Status:
    return check(services or room.services, CASEY, Asked(HOME), room.now).status


def propose(room: Room, wanted: Marker = NEW, step: Step = Step.NEW, why: str = "seen") -> Proposal:
    return steps.propose(room.services, PRIYA, step, wanted, why, room.now)


def in_force(room: Room, wanted: Marker = NEW) -> Marker:
    return steps.approve(room.services, MORGAN, propose(room, wanted).proposal_id, "", room.now)


def test_a_marker_warns_once_a_second_person_approved_and_every_step_is_in_the_ledger(room: Room) -> None:
    proposal = propose(room)
    assert status(room) is Status.CLEAR
    with pytest.raises(LifecycleRefused, match="yourself"):
        steps.approve(room.services, PRIYA, proposal.proposal_id, "", room.now)
    marker = steps.approve(room.services, MORGAN, proposal.proposal_id, "", room.now)
    assert (marker.version, marker.place.premises_id is not None) == (1, True)
    assert status(room) is Status.HIT
    told = [
        (entry.operation, entry.reason, entry.actor_id) for entry in room.ledger() if entry.operation != "consultation"
    ]
    assert told == [
        (Operation.COLLECTION, "proposed_new", "priya"),
        (Operation.ALTERATION, "approved_new", "morgan"),
    ]
    assert "Tallow" not in "".join(entry.canonical().decode() for entry in room.ledger())
    assert [page.what for page in history(room.services, marker)] == ["approved_new"]


def test_another_process_finds_it_in_its_very_next_check(room: Room) -> None:
    other = Services.start(Settings(data=room.services.settings.data), follow=False)
    try:
        other.gazetteer = room.services.gazetteer
        assert status(room, other) is Status.CLEAR
        in_force(room)
        assert status(room, other) is Status.HIT
    finally:
        other.close()


def test_a_whole_life(room: Room) -> None:
    services = room.services
    marker = in_force(room)
    amended = propose(room, replace(marker, headline="Higher risk"), Step.AMEND)
    view = view_proposal(services, MORGAN, amended.proposal_id, room.now)
    assert [(change.field, change.after) for change in view.changes] == [("headline", "Higher risk")]
    assert not view.moved
    assert {title for title, _ in view.seen_as} >= {"Call handler", "Dispatcher"}
    marker = steps.approve(services, MORGAN, amended.proposal_id, "", room.now)
    assert (marker.version, marker.headline) == (2, "Higher risk")
    room.later(days=400)
    assert services.index.get(marker.marker_id).state_at(room.now) is State.ENDED  # type: ignore[union-attr]
    room.now -= timedelta(days=390)
    marker = steps.confirm(services, PRIYA, marker.marker_id, 2, "rang the owner", room.now)
    ending = steps.propose_ending(services, PRIYA, marker.marker_id, 3, "moved", "told", "", room.now)
    assert status(room) is Status.HIT
    marker = steps.approve(services, MORGAN, ending.proposal_id, "", room.now)
    assert status(room) is Status.CLEAR
    pages = history(services, marker)
    assert [page.what for page in pages] == ["approved_end", "confirmed", "approved_amend", "approved_new"]
    assert pages[1].why == "rang the owner"
    assert pages[2].changes is not None
    assert pages[3].changes is None
    before = version_of(services, marker.marker_id, 1)
    assert before is not None
    assert before.headline == DOMESTIC.headline
    erase(services, MORGAN, marker.marker_id, "kept too long", room.now)
    assert services.erased.all() == {marker.marker_id: room.now}
    assert services.index.get(marker.marker_id) is None
    assert services.proposals.of_marker(marker.marker_id) == ()
    names = [page_id(marker.marker_id, number) for number in range(1, 6)]
    assert services.store.records(HISTORIES, names) == []
    assert room.ledger()[-1].operation is Operation.ERASURE
    assert room.ledger()[-1].records[0].fields == ()
    assert "kept too long" not in room.ledger()[-1].canonical().decode()
    with pytest.raises(NoSuchMarker):
        steps.marker_of(services, marker.marker_id)


def test_one_live_marker_a_place_and_kind_whatever_comes_at_once(room: Room) -> None:
    def one(number: int) -> str:
        wanted = replace(NEW, marker_id=f"da-{number}", reference=f"DA-{number}")
        try:
            proposal = steps.propose(room.services, person(f"p{number}", "ppu_officer"), Step.NEW, wanted, "", room.now)
            return steps.approve(room.services, MORGAN, proposal.proposal_id, "", room.now).reference
        except Doubled:
            return ""

    with ThreadPoolExecutor(20) as pool:
        made = [reference for reference in pool.map(one, range(100, 300)) if reference]
    live = [m for m in room.services.index.all() if not m.state_at(room.now).over]
    assert [marker.reference for marker in live] == made
    assert len(made) == 1
    with pytest.raises(Doubled, match=f"{made[0]} is a live marker"):
        propose(room)


def test_two_approved_at_once_for_one_place_become_one(room: Room) -> None:
    first, second = propose(room), None
    assert second is None
    with pytest.raises(Doubled, match="Priya has proposed this already"):
        propose(room, replace(NEW, marker_id="da-9", reference="DA-9"))
    room.mark(replace(DOMESTIC, marker_id="da-8", reference="DA-8"))  # a list brought it meanwhile
    with pytest.raises(Doubled, match="DA-8 is a live marker"):
        steps.approve(room.services, MORGAN, first.proposal_id, "", room.now)


def test_a_number_is_held_like_a_home(room: Room) -> None:
    in_force(room, replace(NUMBER, version=0, subject="victim"))
    with pytest.raises(Doubled):
        propose(room, replace(NUMBER, version=0, marker_id="da-7", reference="DA-7"))


def test_a_marker_that_is_over_gives_its_place_up_to_the_next(room: Room) -> None:
    old = in_force(room)
    room.later(days=500)
    fresh = replace(
        NEW, marker_id="da-5", reference="DA-5", starts_on=room.now.date(),
        review_on=room.now.date(), ends_on=room.now.date() + timedelta(days=30),
    )  # fmt: skip
    assert in_force(room, fresh).reference == "DA-5"
    given_up = room.services.index.get(old.marker_id)
    assert given_up is not None
    assert [page.what for page in history(room.services, given_up)] == ["place_given_up", "approved_new"]


def test_an_edit_on_an_old_version_tells_what_stands_and_changes_nothing(room: Room) -> None:
    marker = in_force(room)
    steps.confirm(room.services, MORGAN, marker.marker_id, 1, "rang", room.now)
    with pytest.raises(Outdated) as error:
        propose(room, replace(marker, headline="x"), Step.AMEND)
    assert error.value.current.version == 2
    waiting = propose(room, replace(error.value.current, headline="x"), Step.AMEND)
    steps.confirm(room.services, MORGAN, marker.marker_id, 2, "rang", room.now)
    assert view_proposal(room.services, MORGAN, waiting.proposal_id, room.now).moved
    with pytest.raises(Outdated):
        steps.approve(room.services, MORGAN, waiting.proposal_id, "", room.now)


def test_what_is_turned_down_or_taken_back_frees_the_place_and_stays_to_be_read(room: Room) -> None:
    first = propose(room)
    with pytest.raises(LifecycleRefused, match="Say in a line"):
        steps.turn_down(room.services, MORGAN, first.proposal_id, "", room.now)
    steps.turn_down(room.services, MORGAN, first.proposal_id, "wrong flat", room.now)
    second = propose(room)
    room.later(minutes=1)
    steps.turn_down(room.services, PRIYA, second.proposal_id, "", room.now)
    assert [entry.reason for entry in room.ledger()] == ["proposed_new", "turned_down", "proposed_new", "withdrawn"]
    assert [p.proposal_id for p in room.services.proposals.decided()] == [second.proposal_id, first.proposal_id]
    assert room.services.proposals.waiting() == ()
    assert status(room) is Status.CLEAR


class TestProvisional:
    def test_it_warns_at_once_is_said_to_be_provisional_and_lapses(self, room: Room) -> None:
        steps.add_provisional(room.services, ROBIN, NEW, "crew saw it", room.now)
        answer = check(room.services, CASEY, Asked(HOME), room.now)
        assert (answer.status, answer.matches[0].review) == (Status.HIT, "provisional")
        assert [m.reference for m in view_desk(room.services, MORGAN, room.now).provisional] == ["DA-1"]
        room.later(hours=72)
        assert status(room) is Status.CLEAR
        with pytest.raises(LifecycleRefused, match="lapsed"):
            steps.keep(room.services, MORGAN, "da-1", "", room.now)

    def test_while_the_office_is_at_work_it_takes_a_word_why_it_can_not_wait(self, room: Room) -> None:
        room.later(hours=9)  # noon on a Monday
        with pytest.raises(LifecycleRefused, match="at its desk now: ring PPU desk") as refused:
            steps.add_provisional(room.services, ROBIN, NEW, "", room.now)
        assert refused.value.field == "why"
        assert status(room) is Status.CLEAR
        steps.add_provisional(room.services, ROBIN, NEW, "nobody answers", room.now)
        assert status(room) is Status.HIT

    def test_public_protection_keeps_it_or_dismisses_it(self, room: Room) -> None:
        steps.add_provisional(room.services, ROBIN, NEW, "", room.now)
        with pytest.raises(LifecycleRefused, match="DA-1 already"):
            steps.add_provisional(room.services, ROBIN, NEW, "", room.now)
        with pytest.raises(Doubled):
            steps.add_provisional(room.services, ROBIN, replace(NEW, marker_id="da-3", reference="DA-3"), "", room.now)
        steps.keep(room.services, MORGAN, "da-1", "so it is", room.now)
        room.later(hours=100)
        assert status(room) is Status.HIT
        steps.add_provisional(room.services, ROBIN, replace(NUMBER, version=0), "", room.now)
        steps.dismiss(room.services, MORGAN, "da-2", "other number", room.now)
        assert room.services.index.get("da-2").state_at(room.now) is State.ENDED  # type: ignore[union-attr]


class TestConfirming:
    def test_the_next_review_is_on_a_working_day(self, room: Room) -> None:
        room.now = datetime(2026, 10, 31, 12, tzinfo=UTC)  # 56 days on is Boxing Day, a Saturday after a bank holiday
        in_force(room)
        confirmed = steps.confirm(room.services, PRIYA, "da-1", 1, "rang", room.now)
        assert confirmed.review_on == date(2026, 12, 24)

    def test_it_takes_evidence_and_a_known_kind(self, room: Room) -> None:
        marker = in_force(room)
        with pytest.raises(LifecycleRefused, match="what you checked"):
            steps.confirm(room.services, PRIYA, marker.marker_id, 1, "", room.now)
        room.services.categories = {}
        with pytest.raises(LifecycleRefused, match="no longer kept"):
            steps.confirm(room.services, PRIYA, marker.marker_id, 1, "rang", room.now)

    def test_two_at_once_leave_one_confirmation(self, room: Room) -> None:
        marker = in_force(room)

        def one(_: int) -> bool:
            try:
                steps.confirm(room.services, PRIYA, marker.marker_id, 1, "rang", room.now)
            except Outdated:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(one, range(8))) == 1
        assert room.services.index.get(marker.marker_id).version == 2  # type: ignore[union-attr]


class TestErasing:
    def test_what_stands_is_not_erased_and_a_reason_is_asked(self, room: Room) -> None:
        marker = in_force(room)
        with pytest.raises(LifecycleRefused, match="still stands"):
            erase(room.services, MORGAN, marker.marker_id, "why not", room.now)
        room.later(days=500)
        with pytest.raises(LifecycleRefused, match="Say in a line"):
            erase(room.services, MORGAN, marker.marker_id, "", room.now)
        assert room.services.erased.all() == {}

    def test_without_its_register_nothing_is_erased(self, room: Room) -> None:
        marker = in_force(room)
        room.later(days=500)
        (room.services.settings.data / "erased").write_text("in the way")
        with pytest.raises(OSError, match=r"exists|directory"):
            erase(room.services, MORGAN, marker.marker_id, "over", room.now)
        assert room.services.index.get(marker.marker_id) is not None

    def test_a_restored_store_shows_nothing_of_it_and_it_is_erased_again(self, room: Room) -> None:
        marker = in_force(room)
        room.services.erased.add(marker.marker_id, room.now)  # as if the store were from before the erasure
        again = Services.start(Settings(data=room.services.settings.data), follow=False)
        try:
            again.gazetteer = room.services.gazetteer
            assert again.index.get(marker.marker_id) is None
            assert status(room, again) is Status.CLEAR
            assert erase_again(again, ATTENDANT, room.now) == 1
            assert erase_again(again, ATTENDANT, room.now) == 0
            assert again.store.records("markers", [marker.marker_id]) == []
            assert again.store.records(HISTORIES, [page_id(marker.marker_id, 1)]) == []
        finally:
            again.close()

    def test_another_machine_keeps_it_in_its_own_register(self, room: Room, tmp_path: Path) -> None:
        first, second = in_force(room), in_force(room, replace(OFFENDER, version=0))
        elsewhere = Settings(data=tmp_path / "other", store_url=room.services.store_url)
        shutil.copytree(room.services.settings.data / "keys", elsewhere.data / "keys")
        other = Services.start(elsewhere, follow=False)
        try:
            assert learn_erased(other) == 0
            room.later(days=500)
            erase(room.services, MORGAN, first.marker_id, "over", room.now)
            assert learn_erased(other) == 1
            assert learn_erased(other) == 0
            assert other.erased.all() == room.services.erased.all() == {first.marker_id: room.now}
            room.services.erased.add(second.marker_id, room.now)  # as if the store were from before that erasure
            assert erase_again(room.services, ATTENDANT, room.later(hours=1)) == 1
            assert learn_erased(other) == 1
            assert other.erased.all() == room.services.erased.all()
        finally:
            other.close()

    def test_the_log_of_the_store_is_written_without_it(self, room: Room) -> None:
        marker, data = in_force(room), room.services.settings.data
        store = SealedStore(room.services.store_url, "quill", room.services.vault)
        sealed = next(kept.blob for page in store.kept("markers") for kept in page)
        store.close()

        def in_the_log() -> bool:
            files = [path for path in (data / "store" / "appendonlydir").iterdir() if path.suffix != ".manifest"]
            return any(sealed in path.read_bytes() for path in files)

        room.later(days=500)
        erase(room.services, MORGAN, marker.marker_id, "over", room.now)
        assert in_the_log()
        until = time.monotonic() + 10
        while not room.services.store.rewrite_log() or in_the_log():
            assert time.monotonic() < until
            time.sleep(0.2)

    def test_a_marker_of_the_same_reference_recorded_since_is_found(self, room: Room) -> None:
        old = in_force(room)
        room.later(days=500)
        erase(room.services, MORGAN, old.marker_id, "over", room.now)
        anew = replace(NEW, starts_on=room.now.date(), review_on=room.now.date(), ends_on=room.later(days=1).date())
        in_force(room, anew)
        assert status(room) is Status.HIT
        assert erase_again(room.services, ATTENDANT, room.now) == 0
        again = Services.start(Settings(data=room.services.settings.data), follow=False)
        try:
            again.gazetteer = room.services.gazetteer
            assert status(room, again) is Status.HIT
        finally:
            again.close()

    def test_a_clock_set_back_makes_no_marker_that_nobody_would_find(self, room: Room) -> None:
        old = in_force(room)
        room.later(days=500)
        erase(room.services, MORGAN, old.marker_id, "over", room.now)
        room.later(days=-499)
        with pytest.raises(LifecycleRefused, match="clock"):
            in_force(room)

    def test_proposals_go_when_their_time_is_over(self, room: Room) -> None:
        first = propose(room)
        steps.turn_down(room.services, MORGAN, first.proposal_id, "wrong flat", room.now)
        assert purge_proposals(room.services, ATTENDANT, room.later(days=30)) == 0
        waiting = propose(room)
        assert purge_proposals(room.services, ATTENDANT, room.later(days=1)) == 1
        assert [kept.proposal_id for kept, _ in room.services.proposals.all()] == [waiting.proposal_id]
        assert (room.ledger()[-1].operation, room.ledger()[-1].reason) == (Operation.ERASURE, "retention")


def test_lists_show_what_a_search_asks_for(room: Room) -> None:
    in_force(room)
    in_force(room, replace(NUMBER, version=0, subject="victim"))

    def found(**asked: Any) -> list[str]:
        view = view_list(room.services, MORGAN, Search(**asked), room.now)
        return [marker.reference for marker in view.markers]

    assert found() == ["DA-1", "DA-2"]
    assert found(words="tallow 14") == ["DA-1"]
    assert found(words="+447700") == ["DA-2"]
    assert found(category="court_order") == []
    assert found(owner="nobody") == []
    assert found(state="provisional") == []
    room.later(days=80)
    assert found(state="due") == ["DA-1", "DA-2"]
    steps.confirm(room.services, PRIYA, "da-1", 1, "rang", room.now)
    assert found(state="due") == ["DA-2"]
    desk = view_desk(room.services, MORGAN, room.now)
    assert (desk.overdue_count, [m.reference for m in desk.overdue], desk.workload[0][1:]) == (1, ["DA-2"], (2, 1))
    assert desk.with_whom == (("Head of public protection", 1),)
    assert any(day >= desk.overdue[0].review_on for day, _ in desk.escalated)
    looks = [entry for entry in room.ledger() if entry.reason == "marker_list"]
    assert {seen.record_id for seen in looks[0].records} == {"da-1", "da-2"}


def test_a_list_says_what_is_doubled_and_leaves_reviews_and_endings_alone(room: Room, tmp_path: Path) -> None:
    from overlay.upkeep.lists import plan_import

    room.mark(DOMESTIC, replace(NUMBER, marker_id="n9", reference="N-9", place=Place(phone="+447700900999")))
    ending = steps.propose_ending(room.services, PRIYA, "n9", 1, "moved", "told", "", room.now)
    steps.approve(room.services, MORGAN, ending.proposal_id, "", room.now)
    back = plan_import(room.services, [replace(NUMBER, marker_id="n9", reference="N-9")])
    assert (back.ended, back.new, back.changed, back.unchanged) == (("N-9",), (), (), 0)
    steps.confirm(room.services, PRIYA, "da-1", 1, "rang", room.now)
    again = plan_import(room.services, [replace(DOMESTIC, headline="from the list")])
    assert again.changed[0].confirmed_by == "Priya"
    twice = plan_import(room.services, [replace(DOMESTIC, marker_id="da-6", reference="DA-6")])
    assert twice.doubled == (("DA-6", "DA-1"),)
    own = [replace(NUMBER, marker_id=f"n{i}", reference=f"N-{i}") for i in range(2)]
    assert plan_import(room.services, own).doubled == (("N-1", "N-0"),)
    over = replace(NUMBER, marker_id="n2", reference="N-2", ends_on=room.now.date() - timedelta(days=1))
    assert plan_import(room.services, [own[0], over]).doubled == ()


def test_looking_back_tells_who_asked_here_before_and_what_is_open_now(room: Room) -> None:
    check(room.services, CASEY, Asked(HOME, "CAD-3"), room.now)
    check(room.services, CASEY, Asked(QUIET, "CAD-4"), room.now)
    incident = room.open("CAD-5")
    marker = in_force(room)
    back = looking_back(room.services, marker, room.now)
    assert [(look.incident, look.role) for look in back.look_ups] == [
        ("CAD-5", "Call handler"), ("CAD-3", "Call handler"),
    ]  # fmt: skip
    assert back.open_incidents == ()
    assert rematch(room.services, room.now) == 1
    assert looking_back(room.services, marker, room.now).open_incidents == ((incident.incident_id, "CAD-5"),)
    assert looking_back(room.services, marker, room.later(days=91)).look_ups == ()
    assert looking_back(room.services, replace(marker, place=Place(zone_wkt="POINT (1 1)")), room.now).look_ups == ()


def test_a_brief_says_what_is_not_confirmed(room: Room) -> None:
    incident = room.open("CAD-6")
    steps.add_provisional(room.services, ROBIN, NEW, "", room.now)
    rematch(room.services, room.now)
    told = room.look(incident).brief.not_on_open_channel
    assert "Provisional: public protection has not confirmed it." in told
    room.later(hours=73)
    assert rematch(room.services, room.now) == 1
    assert room.get(incident).checked.status == "clear"  # type: ignore[union-attr]


class TestPlace:
    def test_what_is_left_over_from_another_address_is_refused(self, room: Room) -> None:
        marker = in_force(room)
        assert marker.place.uprn is not None
        elsewhere = replace(marker.place, address="18 Tallow Yard", postcode="EC9A 1AB", premises_id=None, point=None)
        with pytest.raises(LifecycleRefused, match="the address reads as 18 Tallow Yard") as error:
            propose(room, replace(marker, place=elsewhere), Step.AMEND)
        assert error.value.field == "uprn"
        far = replace(elsewhere, uprn=None, point=Point(1_000, 1_000))
        with pytest.raises(LifecycleRefused, match="m from 18 Tallow Yard") as error:
            propose(room, replace(marker, place=far), Step.AMEND)
        assert error.value.field == "easting"
        moved = propose(room, replace(marker, place=replace(elsewhere, uprn=None)), Step.AMEND)
        assert moved.marker.place.premises_id not in (None, marker.place.premises_id)
        assert moved.marker.place.uprn == moved.marker.place.premises_id

    def test_a_place_no_gazetteer_has_keeps_what_was_typed(self, room: Room) -> None:
        nowhere = Place(address="Flat 9, 9 Nowhere Row", uprn="123", point=Point(596_000, 179_000))
        place = propose(room, replace(NEW, place=nowhere)).marker.place
        assert place == nowhere

    @pytest.mark.parametrize(
        ("place", "field"),
        [
            (Place(point=Point(1_000, 1_000)), "easting"),
            (Place(point=Point(530_000, 180_000), radius_m=500.0), "easting"),
            (Place(zone_wkt="POLYGON ((530000 180000, 530100 180000, 530100 180100, 530000 180000))"), "zone_wkt"),
        ],
    )
    def test_what_lies_wholly_outside_the_area_is_refused(self, room: Room, place: Place, field: str) -> None:
        with pytest.raises(LifecycleRefused, match="outside Quillmarket") as refused:
            propose(room, replace(NEW, place=place))
        assert refused.value.field == field

    def test_what_reaches_into_the_area_is_taken(self, room: Room) -> None:
        boundary = room.services.area.boundary
        assert boundary is not None
        edge, middle = boundary.bounds[0] - 20, (boundary.bounds[1] + boundary.bounds[3]) / 2
        place = Place(point=Point(edge, middle), radius_m=5_000.0)
        assert propose(room, replace(NEW, place=place)).marker.place == place


class TestFeedback:
    def told(self, room: Room, kind: str = "moved", word: str = "neighbour says so", number: int = 0) -> Feedback:
        answer = check(room.services, CASEY, Asked(HOME, "CAD-9"), room.now)
        return feedback.give(room.services, CASEY, answer.check_id, number, kind, word, room.now)

    def test_it_lands_on_the_desk_with_who_said_it_and_of_which_version(self, room: Room) -> None:
        marker = in_force(room)
        said = self.told(room)
        assert (said.marker_id, said.version, said.incident) == (marker.marker_id, 1, "CAD-9")
        assert [one.word for one, _ in view_desk(room.services, MORGAN, room.now).feedback] == ["neighbour says so"]
        entry = next(entry for entry in room.ledger() if entry.reason == "feedback_moved")
        assert (entry.actor_id, entry.incident) == ("casey", "CAD-9")
        assert b"neighbour" not in entry.canonical()
        feedback.settle(room.services, PRIYA, said.feedback_id, "moved it", room.now)
        assert view_desk(room.services, MORGAN, room.now).feedback == ()
        with pytest.raises(LifecycleRefused, match="Priya has dealt with it"):
            feedback.settle(room.services, MORGAN, said.feedback_id, "again", room.now)

    def test_a_kind_that_is_withheld_is_told_of_without_being_named(self, room: Room) -> None:
        room.mark(OFFENDER)
        answer = check(room.services, CASEY, Asked(HOME), room.now)
        assert answer.matches[0].marker_id is None
        assert feedback.give(room.services, CASEY, answer.check_id, 0, "wrong_place", "", room.now).marker_id == "rso-1"

    def test_only_ones_own_check_and_what_it_showed_can_be_spoken_of(self, room: Room) -> None:
        in_force(room)
        answer = check(room.services, CASEY, Asked(HOME), room.now)
        for actor, check_id, number in (
            (ROBIN, answer.check_id, 0),
            (CASEY, "made up", 0),
            (CASEY, answer.check_id, 1),
            (CASEY, answer.check_id, -1),
        ):
            with pytest.raises(LifecycleRefused, match="not known any more"):
                feedback.give(room.services, actor, check_id, number, "moved", "", room.now)

    def test_what_can_not_be_kept_is_refused(self, room: Room) -> None:
        in_force(room)
        with pytest.raises(LifecycleRefused, match="Choose"):
            self.told(room, kind="made up")
        with pytest.raises(LifecycleRefused, match="301 characters"):
            self.told(room, word="x" * 301)
        said = self.told(room)
        with pytest.raises(LifecycleRefused, match="what was done"):
            feedback.settle(room.services, PRIYA, said.feedback_id, "", room.now)
        with pytest.raises(NoSuchFeedback):
            feedback.settle(room.services, PRIYA, "none", "done", room.now)

    def test_it_goes_with_its_marker(self, room: Room) -> None:
        marker = in_force(room)
        self.told(room)
        room.later(days=500)
        erase(room.services, MORGAN, marker.marker_id, "over", room.now)
        assert room.services.feedback.of_marker(marker.marker_id) == ()
        assert room.services.store.load("feedback").records == ()

    def test_a_record_that_can_not_be_read_stops_nothing(self, room: Room) -> None:
        for collection in ("feedback", "proposals"):
            write = Write(collection, "odd", 0, b"{}")
            room.services.store.commit(Commit(f"odd-{collection}", {}, (write,), ()))
            room.services.catch_up(collection)
        assert room.services.feedback.waiting() == ()
        assert room.services.proposals.waiting() == ()
