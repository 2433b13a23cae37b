"""What may become of a marker: who may, when, and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from markers import lifecycle
from markers.lifecycle import Change, LifecycleRefused, Outdated, Person, Proposal, Step
from markers.model import Category, Detail, Ending, Marker, Place, Point, State

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
PAT, SAM = Person("pat", "Pat Officer"), Person("sam", "Sam Supervisor")
KIND = Category(
    "domestic_abuse_risk", "Domestic abuse risk", "High risk", "Send two.", 30, 180, 0.0, {}, subjects=("victim",),
    details=(Detail("plan", "Plan", compulsory=True), Detail("other", "Other")), tell_subject=True,
)  # fmt: skip
MARKER = Marker(
    marker_id="m-1", reference="DA-1", category="domestic_abuse_risk",
    place=Place(address="Flat 3, 14 Tallow Yard", postcode="EC9A 1AB", point=Point(596000.4, 179000)),
    headline="High risk", action="Send two.", owner="PPU", owner_contact="ext 1", starts_on=TODAY,
    review_on=TODAY + timedelta(days=30), ends_on=TODAY + timedelta(days=180), source="report", source_reference="",
    proposed_by="Pat Officer", approved_by="Sam Supervisor", recorded_at=NOW, version=3, fact="Reported twice",
)  # fmt: skip
NEW = replace(MARKER, version=0)


def proposed(step: Step = Step.AMEND, by: Person = PAT, **changes: Any) -> Proposal:
    wanted = replace(MARKER, **(changes or {"headline": "Higher risk"}))
    return replace(lifecycle.propose(step, wanted, MARKER, by, "because", NOW), proposal_id="p-1")


def refused(field: str, *call: Any, **named: Any) -> str:
    with pytest.raises(LifecycleRefused) as error:
        call[0](*call[1:], **named)
    assert error.value.field == field
    return error.value.reason


class TestOfANewerVersion:
    PLAIN = MARKER.as_dict() | {"seen_by": "night desk", "more": {"a": [1, None]}}

    def test_what_is_not_known_is_kept_as_it_came_and_differs_in_nothing_here(self) -> None:
        found = Marker.from_dict(self.PLAIN)
        assert found.as_dict() == self.PLAIN
        assert found.state_at(NOW) is MARKER.state_at(NOW)
        assert lifecycle.differences(MARKER, found) == ()

    def test_an_amendment_and_an_ending_leave_it(self) -> None:
        found = Marker.from_dict(self.PLAIN)
        wanted = replace(MARKER, headline="Higher risk")  # as typed in a form that does not know of it
        amended = lifecycle.propose(Step.AMEND, wanted, found, PAT, "", NOW).marker
        assert (amended.headline, amended.more) == ("Higher risk", found.more)
        assert lifecycle.end(found, "over", "told", KIND, NOW).more == found.more
        assert lifecycle.propose(Step.NEW, replace(NEW, marker_id="m-2"), None, PAT, "", NOW).marker.more == ()

    @pytest.mark.parametrize(
        "changed",
        [
            {"place": {"address": "Flat 3, 14 Tallow Yard", "floors": "2-4"}},
            {"ending": {"at": NOW.isoformat(), "reason": "over", "told": "", "by": "", "until": "June"}},
            {"starts_on": "soon"},
        ],
    )
    def test_where_and_whether_it_warns_is_not_guessed(self, changed: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)):
            Marker.from_dict(self.PLAIN | changed)


class TestState:
    @pytest.mark.parametrize(
        ("changes", "state"),
        [
            ({}, State.IN_FORCE),
            ({"starts_on": TODAY + timedelta(days=1)}, State.FUTURE),
            ({"ends_on": TODAY}, State.IN_FORCE),
            ({"ends_on": TODAY - timedelta(days=1)}, State.ENDED),
            ({"ending": Ending(NOW, "over", "", "PAT")}, State.ENDED),
            ({"ending": Ending(NOW + timedelta(seconds=1), "over", "", "PAT")}, State.IN_FORCE),
            ({"provisional_until": NOW + timedelta(seconds=1)}, State.PROVISIONAL),
            ({"provisional_until": NOW}, State.LAPSED),
            ({"provisional_until": NOW, "ending": Ending(NOW, "over", "", "PAT")}, State.ENDED),
        ],
    )
    def test_it_comes_from_dates_and_approvals_at_that_moment(self, changes: Any, state: State) -> None:
        assert replace(MARKER, **changes).state_at(NOW) is state

    def test_a_clock_that_is_behind_neither_hides_what_was_recorded_nor_brings_back_what_was_ended(self) -> None:
        past_midnight = datetime(2026, 11, 24, 0, 5, tzinfo=UTC)
        begun = replace(MARKER, starts_on=date(2026, 11, 24), recorded_at=past_midnight)
        assert begun.state_at(past_midnight - timedelta(hours=1)) is State.IN_FORCE
        assert replace(begun, recorded_at=NOW).state_at(NOW) is State.FUTURE
        ended = replace(begun, ending=Ending(past_midnight, "over", "", "PAT"))
        assert ended.state_at(past_midnight - timedelta(hours=1)) is State.ENDED

    def test_a_clock_that_was_ahead_when_it_was_recorded_does_not_end_it_early(self) -> None:
        ahead = replace(MARKER, recorded_at=NOW + timedelta(days=400))
        assert ahead.state_at(NOW) is State.IN_FORCE
        assert replace(ahead, provisional_until=NOW + timedelta(hours=1)).state_at(NOW) is State.PROVISIONAL

    def test_what_applies_and_what_is_over(self) -> None:
        assert [state for state in State if state.applies] == [State.IN_FORCE, State.PROVISIONAL]
        assert [state for state in State if state.over] == [State.LAPSED, State.ENDED]

    def test_a_provisional_one_says_so_and_a_late_review_since_when(self) -> None:
        assert replace(MARKER, provisional_until=NOW).review_at(NOW) == "provisional"
        assert MARKER.review_at(NOW) == "current"
        assert replace(MARKER, review_on=TODAY - timedelta(days=1)).review_at(NOW) == "unconfirmed_since:2026-11-22"

    def test_everything_is_read_back_as_it_was_written(self) -> None:
        whole = replace(
            MARKER, subject="victim", details=(("plan", "neglect"),), proposer="pat", provisional_until=NOW,
            confirmed_at=NOW, confirmed_by="Pat", ending=Ending(NOW, "over", "told", "Pat"),
        )  # fmt: skip
        for marker in (MARKER, whole):
            assert Marker.from_dict(marker.as_dict()) == marker
        assert "ending" not in MARKER.as_dict()


class TestPropose:
    def test_a_new_one_waits_as_version_one_with_its_proposer(self) -> None:
        made = lifecycle.propose(Step.NEW, NEW, None, PAT, "seen", NOW)
        assert (made.marker.version, made.marker.proposer, made.marker.approved_by) == (1, "pat", "")
        assert made.open
        assert made.why == "seen"

    def test_a_reference_that_is_taken_is_refused(self) -> None:
        assert "DA-1 already" in refused("reference", lifecycle.propose, Step.NEW, NEW, MARKER, PAT, "", NOW)

    def test_one_that_could_never_warn_is_refused(self) -> None:
        over = replace(NEW, ends_on=TODAY - timedelta(days=1))
        assert "never warn" in refused("ends_on", lifecycle.propose, Step.NEW, over, None, PAT, "", NOW)

    @pytest.mark.parametrize("step", [Step.AMEND, Step.END])
    def test_what_others_changed_since_is_said_with_what_stands(self, step: Step) -> None:
        with pytest.raises(Outdated) as error:
            lifecycle.propose(step, replace(MARKER, version=2, headline="x"), MARKER, PAT, "", NOW)
        assert error.value.current is MARKER

    def test_what_is_gone_or_over_is_not_amended(self) -> None:
        assert "no such" in refused("marker", lifecycle.propose, Step.AMEND, MARKER, None, PAT, "", NOW)
        over = replace(MARKER, ends_on=TODAY - timedelta(days=1))
        assert "over" in refused("marker", lifecycle.propose, Step.AMEND, MARKER, over, PAT, "", NOW)

    def test_a_change_that_changes_nothing_is_refused(self) -> None:
        assert "Nothing differs" in refused("marker", lifecycle.propose, Step.AMEND, MARKER, MARKER, PAT, "", NOW)

    def test_an_ending_says_if_the_subject_was_told_where_the_kind_asks(self) -> None:
        assert "told" in refused("told", lifecycle.end, MARKER, "over", "", KIND, NOW)
        assert lifecycle.end(MARKER, "over", "tried", KIND, NOW).ending == Ending(NOW, "over", "tried", "")
        assert lifecycle.end(MARKER, "over", "", None, NOW).ending is not None

    def test_a_proposal_is_read_back_as_it_was_written(self) -> None:
        made = proposed()
        decided = lifecycle.decide(made, accepted=True, by=SAM, why="", now=NOW)
        for one in (made, decided):
            assert Proposal.from_plain("p-1", one.as_plain()) == one


class TestDecide:
    def test_a_second_person_puts_it_in_force(self) -> None:
        later = NOW + timedelta(hours=1)
        marker = lifecycle.accept(proposed(), MARKER, SAM, later)
        assert (marker.version, marker.headline, marker.approved_by) == (4, "Higher risk", "Sam Supervisor")
        assert (marker.proposed_by, marker.recorded_at) == ("Pat Officer", later)

    def test_nobody_approves_their_own(self) -> None:
        assert "yourself" in refused("person", lifecycle.accept, proposed(), MARKER, PAT, NOW)

    def test_what_stands_must_still_be_what_it_was_made_from(self) -> None:
        with pytest.raises(Outdated):
            lifecycle.accept(proposed(), replace(MARKER, version=4), SAM, NOW)
        new = lifecycle.propose(Step.NEW, NEW, None, PAT, "", NOW)
        assert lifecycle.accept(new, None, SAM, NOW).version == 1
        assert "already" in refused("reference", lifecycle.accept, new, MARKER, SAM, NOW)

    def test_one_whose_last_day_passed_while_it_waited_is_not_approved(self) -> None:
        new = lifecycle.propose(Step.NEW, replace(NEW, ends_on=TODAY), None, PAT, "", NOW)
        assert "waited" in refused("ends_on", lifecycle.accept, new, None, SAM, NOW + timedelta(days=2))

    def test_an_ending_ends_when_it_is_approved_and_by_whom_it_was_proposed(self) -> None:
        later = NOW + timedelta(hours=5)
        ended = lifecycle.end(MARKER, "over", "told", KIND, NOW)
        made = lifecycle.propose(Step.END, ended, MARKER, PAT, "", NOW)
        marker = lifecycle.accept(made, MARKER, SAM, later)
        assert marker.ending == Ending(later, "over", "told", "Pat Officer")
        assert marker.state_at(later) is State.ENDED
        assert marker.state_at(later - timedelta(hours=1)) is State.ENDED, (
            "a clock that is behind does not bring it back"
        )

    def test_an_ending_that_a_list_proposes_leaves_it_to_the_approver_to_say_who_was_told(self) -> None:
        made = lifecycle.propose(
            Step.END, lifecycle.end(MARKER, "not on it", "", KIND, NOW, by_list=True), MARKER, PAT, "", NOW
        )
        assert lifecycle.asks_if_told(made, KIND)
        assert not lifecycle.asks_if_told(made, replace(KIND, tell_subject=False))
        assert not lifecycle.asks_if_told(made, None)
        assert not lifecycle.asks_if_told(proposed(), KIND)
        assert "told" in refused("told", lifecycle.accept, made, MARKER, SAM, NOW, KIND)
        marker = lifecycle.accept(made, MARKER, SAM, NOW, KIND, "Told by letter")
        assert marker.ending == Ending(NOW, "not on it", "Told by letter", "Pat Officer")
        said = lifecycle.propose(Step.END, lifecycle.end(MARKER, "over", "Tried", KIND, NOW), MARKER, PAT, "", NOW)
        assert not lifecycle.asks_if_told(said, KIND)
        kept = lifecycle.accept(said, MARKER, SAM, NOW, KIND, "Told by letter").ending
        assert kept is not None
        assert kept.told == "Tried"

    def test_approving_a_change_to_a_provisional_one_keeps_it(self) -> None:
        standing = replace(MARKER, provisional_until=NOW + timedelta(hours=1))
        made = lifecycle.propose(Step.AMEND, replace(standing, headline="x"), standing, PAT, "", NOW)
        assert lifecycle.accept(made, standing, SAM, NOW).provisional_until is None

    def test_turning_down_takes_a_reason_and_what_is_decided_stays_so(self) -> None:
        made = proposed()
        refused("why", lifecycle.decide, made, accepted=False, by=SAM, why="", now=NOW)
        down = lifecycle.decide(made, accepted=False, by=SAM, why="wrong flat", now=NOW)
        assert not down.open
        assert "Sam Supervisor turned down" in refused("proposal", lifecycle.accept, down, MARKER, SAM, NOW)
        up = lifecycle.decide(made, accepted=True, by=SAM, why="", now=NOW)
        assert "approved" in refused("proposal", lifecycle.decide, up, accepted=False, by=SAM, why="x", now=NOW)


class TestProvisional:
    def added(self) -> Marker:
        return lifecycle.provisional(NEW, SAM, timedelta(hours=72), NOW)

    def test_it_warns_at_once_and_lapses(self) -> None:
        marker = self.added()
        assert (marker.version, marker.proposer, marker.starts_on) == (1, "sam", TODAY)
        assert marker.state_at(NOW) is State.PROVISIONAL
        assert marker.state_at(NOW + timedelta(hours=72)) is State.LAPSED

    def test_another_person_keeps_it_in_time(self) -> None:
        kept = lifecycle.keep(self.added(), PAT, NOW)
        assert (kept.version, kept.provisional_until, kept.approved_by) == (2, None, "Pat Officer")
        assert "yourself" in refused("person", lifecycle.keep, self.added(), SAM, NOW)
        assert "lapsed" in refused("marker", lifecycle.keep, self.added(), PAT, NOW + timedelta(hours=73))
        assert "nothing to keep" in refused("marker", lifecycle.keep, MARKER, PAT, NOW)

    def test_or_dismisses_it_with_a_reason(self) -> None:
        gone = lifecycle.dismiss(self.added(), PAT, "not so", NOW)
        assert gone.state_at(NOW) is State.ENDED
        assert gone.ending == Ending(NOW, "not so", "", "Pat Officer")
        refused("reason", lifecycle.dismiss, self.added(), PAT, "", NOW)
        refused("marker", lifecycle.dismiss, MARKER, PAT, "not so", NOW)


class TestConfirm:
    def test_the_next_review_is_set_by_the_kind_and_never_after_the_end(self) -> None:
        marker = lifecycle.confirm(MARKER, KIND, 3, PAT, NOW)
        assert (marker.review_on, marker.confirmed_at, marker.confirmed_by) == (
            TODAY + timedelta(days=30), NOW, "Pat Officer",
        )  # fmt: skip
        short = replace(MARKER, ends_on=TODAY + timedelta(days=3))
        assert lifecycle.confirm(short, KIND, 3, PAT, NOW).review_on == short.ends_on
        earlier = lifecycle.confirm(MARKER, KIND, 3, PAT, NOW, lambda day: day - timedelta(days=2))
        assert earlier.review_on == TODAY + timedelta(days=28)

    def test_what_changed_since_or_is_provisional_or_over_is_not_confirmed(self) -> None:
        with pytest.raises(Outdated):
            lifecycle.confirm(MARKER, KIND, 2, PAT, NOW)
        provisional = replace(MARKER, provisional_until=NOW + timedelta(hours=1))
        assert "provisional" in refused("marker", lifecycle.confirm, provisional, KIND, 3, PAT, NOW)
        over = replace(MARKER, ends_on=TODAY - timedelta(days=1))
        refused("marker", lifecycle.confirm, over, KIND, 3, PAT, NOW)


def test_only_what_is_over_is_erased() -> None:
    refused("marker", lifecycle.erasable, MARKER, NOW)
    lifecycle.erasable(replace(MARKER, provisional_until=NOW), NOW)


def test_differences_are_field_by_field_and_leave_the_bookkeeping_out() -> None:
    after = replace(
        MARKER, headline="x", fact="", details=(("plan", "neglect"),), version=9, recorded_at=NOW + timedelta(days=1),
        place=replace(MARKER.place, point=Point(1, 2), radius_m=5.0), ending=Ending(NOW, "over", "told", "Pat"),
        confirmed_at=NOW,
    )  # fmt: skip
    assert set(lifecycle.differences(MARKER, after)) == {
        Change("headline", "High risk", "x"),
        Change("fact", "Reported twice", ""),
        Change("plan", "", "neglect"),
        Change("point", "596000 179000", "1 2"),
        Change("radius_m", "", "5"),
        Change("ending_reason", "", "over"),
        Change("ending_told", "", "told"),
        Change("confirmed_at", "", "2026-11-23 22:00"),
    }
    assert lifecycle.differences(MARKER, MARKER) == ()


def test_what_a_kind_asks_for_and_a_marker_does_not_say() -> None:
    assert KIND.lacking(MARKER) == ("Whom it is about", "Plan")
    assert KIND.lacking(replace(MARKER, subject="victim", details=(("plan", "x"),))) == ()
