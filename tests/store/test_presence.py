"""When sessions were last used, and what that never disturbs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from markers.store import Store
from overlay import identity
from tests.store.desk import NOW, PASSWORD, Desk

pytestmark = pytest.mark.usefixtures("quick_hashes")

MINUTE = timedelta(minutes=1)


def follow(desk: Desk) -> identity.Presence:
    other = identity.Presence()
    other.replace(desk.store.load("presence"))
    return other


def session_of(desk: Desk) -> identity.Session:
    session = desk.access.session(desk.sign_in("ada", PASSWORD, NOW))
    assert session is not None
    return session


def test_another_process_learns_of_it_and_the_position_of_access_stands_still(
    desk: Desk, ada: identity.Account
) -> None:
    session = session_of(desk)
    before = desk.store.changes("access", 0).position
    desk.presence.note(session.session_id, NOW + MINUTE)
    desk.presence.write(desk.store, desk.access.session_ids())
    assert follow(desk).seen(session.session_id) == NOW + MINUTE
    assert desk.store.changes("access", 0).position == before
    assert len(desk.entries()) == 2, "made and signed in; last-seen times are not in the ledger"


def test_it_is_written_once_a_minute_at_most(desk: Desk, ada: identity.Account) -> None:
    session = session_of(desk)
    for second in range(0, 181, 10):
        desk.presence.note(session.session_id, NOW + timedelta(seconds=second))
        desk.presence.write(desk.store, desk.access.session_ids())
    assert desk.store.changes("presence", 0).position == 4
    assert desk.presence.seen(session.session_id) == NOW + 3 * MINUTE


def test_two_processes_that_write_at_once_both_go_on(desk: Desk, ada: identity.Account) -> None:
    session, other = session_of(desk), identity.Presence()
    for presence in (desk.presence, other):
        presence.note(session.session_id, NOW + MINUTE)
    for presence in (desk.presence, other, other):
        presence.write(desk.store, desk.access.session_ids())
    assert other.seen(session.session_id) == NOW + MINUTE
    assert desk.store.changes("presence", 0).position == 1


def test_what_is_over_is_forgotten(desk: Desk, ada: identity.Account) -> None:
    session = session_of(desk)
    desk.presence.note(session.session_id, NOW)
    desk.presence.note("never a session", NOW)
    desk.presence.write(desk.store, desk.access.session_ids())
    assert [record.record_id for record in desk.store.load("presence").records] == [session.session_id]
    identity.end_sessions(desk.store, desk.access, "ada", NOW)
    desk.presence.write(desk.store, desk.access.session_ids())
    assert desk.store.load("presence").records == ()


def test_idle_or_locked_is_locked_and_use_is_not(desk: Desk, ada: identity.Account) -> None:
    session, door = session_of(desk), desk.door()
    idle = desk.policy.idle
    assert not identity.is_locked(door, session, NOW + idle - timedelta(seconds=1))
    assert identity.is_locked(door, session, NOW + idle)
    desk.presence.note(session.session_id, NOW + 5 * MINUTE)
    assert not identity.is_locked(door, session, NOW + idle)
    assert identity.is_locked(door, session, NOW + idle + 5 * MINUTE)


def test_while_the_store_is_away_a_person_at_work_is_not_locked_out(desk: Desk, ada: identity.Account) -> None:
    session = session_of(desk)
    gone = Store("redis://127.0.0.1:1", desk.store.area, desk.vault, timeout_s=0.1)
    for minute in range(30):
        desk.presence.note(session.session_id, NOW + minute * MINUTE)
        with pytest.raises(Exception, match="can't be reached"):
            desk.presence.write(gone, desk.access.session_ids())
        assert not identity.is_locked(desk.door(), session, NOW + minute * MINUTE)


def test_a_locked_session_makes_no_check_and_opens_by_its_password_alone(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    actor = desk.access.actor_for_session(secret, NOW)
    assert actor is not None
    assert desk.access.standing(actor, NOW) is not None
    identity.lock(desk.door(), actor, NOW)
    identity.lock(desk.door(), actor, NOW)
    assert desk.access.standing(actor, NOW) is None, "a check under way is not answered either"
    with pytest.raises(identity.SignInRefused):
        identity.unlock(desk.door(), secret, "not the password", NOW)
    fresh = identity.unlock(desk.door(), secret, PASSWORD, NOW + MINUTE)
    assert desk.access.actor_for_session(secret, NOW) is None, "the old secret opens nothing any more"
    session = desk.access.session(fresh)
    assert session is not None
    assert not identity.is_locked(desk.door(), session, NOW + MINUTE)
    assert session.expires_at == NOW + desk.policy.shift, "unlocking does not make a shift longer"
    with pytest.raises(identity.StartAgain):
        identity.unlock(desk.door(), secret, PASSWORD, NOW)
    reasons = [entry.reason for entry in desk.entries()]
    assert reasons == ["account_created", "signed_in", "locked", "sign_in_failed", "unlocked"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"second_factor": "no"}, "second_factor"),
        ({"second_factor": True}, "second_factor"),
        ({"idle_minutes": 0}, "idle_minutes"),
        ({"idle_minutes": 61}, "idle_minutes"),
        ({"idle_minutes": "10"}, "idle_minutes"),
        ({"shift_hours": 25}, "shift_hours"),
        ({"shift_hours": True}, "shift_hours"),
        ({"idle": 3}, "unknown key 'idle'"),
    ],
)
def test_a_policy_that_can_t_be_is_refused_by_its_field(table: dict[str, object], said: str) -> None:
    with pytest.raises(identity.PolicyError, match=said):
        identity.Policy.read(table)


def test_what_an_area_does_not_say_is_at_its_strictest() -> None:
    policy = identity.Policy.read({})
    assert policy == identity.Policy()
    assert policy.second_factor_required
    assert (policy.idle, policy.shift) == (timedelta(minutes=10), timedelta(hours=12))


def test_a_clock_put_back_locks_what_was_used_after_it_and_its_password_opens_it(
    desk: Desk, ada: identity.Account
) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    session = desk.access.session(secret)
    assert session is not None
    desk.presence.note(session.session_id, NOW + 5 * MINUTE)
    assert not identity.is_locked(desk.door(), session, NOW + 5 * MINUTE)
    an_hour_back = NOW - timedelta(hours=1)
    assert identity.is_locked(desk.door(), session, an_hour_back)
    opened = desk.access.session(identity.unlock(desk.door(), secret, PASSWORD, an_hour_back))
    assert opened is not None
    assert not identity.is_locked(desk.door(), opened, an_hour_back)
    assert identity.is_locked(desk.door(), opened, an_hour_back + desk.policy.idle)


def test_a_session_that_was_over_stays_over_when_the_clock_is_put_back(desk: Desk, ada: identity.Account) -> None:
    over = desk.sign_in("ada", PASSWORD, NOW)
    end = NOW + desk.policy.shift
    later = desk.sign_in("ada", PASSWORD, end - MINUTE)
    assert desk.access.actor_for_session(later, end) is not None, "somebody else's call is enough to see the time pass"
    assert desk.access.actor_for_session(over, end - timedelta(hours=1)) is None
    assert desk.access.actor_for_session(later, end - timedelta(hours=1)) is not None
    fresh = desk.sign_in("ada", PASSWORD, end - timedelta(hours=1))
    assert desk.access.actor_for_session(fresh, end) is not None
    desk.access.replace(desk.store.load("access"))
    assert desk.access.actor_for_session(over, end - timedelta(hours=1)) is None, "also once the copy was loaded anew"
