"""Locking out those who guess, and never a control room: counters in the store, and device cookies."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import pytest

from markers.ledger import Event
from overlay import identity
from overlay.identity import counters, devices, passwords
from overlay.identity.devices import known_device, remember_device
from tests.store.desk import NOW, OTHER, PASSWORD, Desk

pytestmark = pytest.mark.usefixtures("quick_hashes")

ROOM = "192.0.2.1"


def known(desk: Desk, account: identity.Account, address: str = ROOM) -> identity.Browser:
    return identity.Browser(address, remember_device(desk.vault, "", account.account_id, NOW))


def wrong(desk: Desk, browser: identity.Browser, name: str = "ada") -> type[Exception]:
    with pytest.raises(identity.IdentityError) as refusal:
        identity.sign_in(desk.door(), name, OTHER, NOW, browser)
    return refusal.type


def test_strangers_who_hammer_a_name_lock_out_strangers_alone(desk: Desk, ada: identity.Account) -> None:
    hers = known(desk, ada)
    outcomes = [wrong(desk, identity.Browser(f"198.51.100.{number}")) for number in range(12)]
    assert outcomes == [identity.SignInRefused] * 10 + [identity.SlowDown] * 2
    with pytest.raises(identity.SlowDown) as slow:
        identity.sign_in(desk.door(), "ada", PASSWORD, NOW, identity.Browser(ROOM))
    assert 1 <= slow.value.wait_s <= 15 * 60
    assert identity.sign_in(desk.door(), "ada", PASSWORD, NOW, hers).needs == "nothing"


def test_a_known_browser_that_guesses_locks_itself_out_and_nobody_else(desk: Desk, ada: identity.Account) -> None:
    first, second = known(desk, ada), known(desk, ada)
    assert [wrong(desk, first) for _ in range(11)][-1] is identity.SlowDown
    assert identity.sign_in(desk.door(), "ada", PASSWORD, NOW, second).needs == "nothing"
    assert identity.sign_in(desk.door(), "ada", PASSWORD, NOW, identity.Browser(ROOM)).needs == "nothing"


def test_a_room_behind_one_address_is_not_held_up_by_one_who_hammers_from_it(desk: Desk, ada: identity.Account) -> None:
    for number in range(110):
        wrong(desk, identity.Browser(ROOM), f"nobody{number}")
    assert wrong(desk, identity.Browser(ROOM), "nobody-yet") is identity.SlowDown
    assert wrong(desk, identity.Browser("198.51.100.1"), "nobody-yet") is identity.SignInRefused
    assert identity.sign_in(desk.door(), "ada", PASSWORD, NOW, known(desk, ada)).needs == "nothing"


def test_a_shift_that_signs_in_on_new_browsers_behind_one_address_uses_nothing_up(
    desk: Desk, ada: identity.Account
) -> None:
    for _ in range(counters.ADDRESS_TRIES.amount + 5):
        desk.sign_in("ada", PASSWORD, NOW, ROOM)


def test_tries_are_counted_for_every_process_at_once(desk: Desk, ada: identity.Account, desk_url: str) -> None:
    for _ in range(5):
        wrong(desk, identity.Browser(ROOM))
    desk.counters = identity.Counters(desk_url, desk.store.area, timeout_s=2)
    assert [wrong(desk, identity.Browser(ROOM)) for _ in range(6)][-1] is identity.SlowDown


def test_a_right_password_forgets_the_wrong_ones(desk: Desk, ada: identity.Account) -> None:
    for _ in range(9):
        wrong(desk, identity.Browser(ROOM))
    desk.sign_in("ada", PASSWORD, NOW, ROOM)
    assert [wrong(desk, identity.Browser(ROOM)) for _ in range(10)] == [identity.SignInRefused] * 10


def test_a_name_nobody_has_is_locked_like_any_other(desk: Desk, ada: identity.Account) -> None:
    for name in ("ada", "nobody"):
        outcomes = [wrong(desk, identity.Browser(f"198.51.100.{number}"), name) for number in range(11)]
        assert outcomes == [identity.SignInRefused] * 10 + [identity.SlowDown]


def test_without_the_counters_nobody_signs_in(desk: Desk, ada: identity.Account) -> None:
    desk.counters = identity.Counters("redis://127.0.0.1:1", desk.store.area, timeout_s=0.2)
    for password in (PASSWORD, OTHER):
        with pytest.raises(identity.SignInBusy, match="store that counts tries"):
            identity.sign_in(desk.door(), "ada", password, NOW, known(desk, ada))
    assert not desk.access.sessions(ada.account_id)


def test_counters_that_hang_are_given_up_at_once(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counters_of = identity.Counters(f"redis://127.0.0.1:{silent.getsockname()[1]}", desk.store.area, timeout_s=0.3)
        started = time.monotonic()
        with pytest.raises(identity.SignInBusy):
            counters_of.take(counters.PASSWORD_TRIES, "a")
        assert time.monotonic() - started < 1.5, "one wait, not four"


def test_the_counters_lie_in_the_areas_own_slot_and_name_nobody(desk: Desk, ada: identity.Account) -> None:
    wrong(desk, identity.Browser(ROOM))
    names = list(desk.counters._storage.get_connection().scan_iter(match=b"*", count=1000))
    ours = [name.decode() for name in names if f"{{{desk.store.area}}}:tries" in name.decode()]
    assert len(ours) == 3, "the name's, the address's and the ledger's own"
    for name in ours:
        assert name.startswith(f"wmo:{{{desk.store.area}}}:tries:")
        assert "ada" not in name.split(":")[2:]
        assert ROOM not in name


def test_failures_reach_the_ledger_without_a_name_and_without_end(
    desk: Desk, ada: identity.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(15):
        wrong(desk, identity.Browser(ROOM))
    found = [entry for entry in desk.entries() if entry.operation is Event.SIGN_IN]
    assert [entry.reason for entry in found] == ["sign_in_failed", "sign_in_locked"]
    for entry in found:
        assert entry.about == (desk.vault.token("username", "ada"),)
        assert entry.records[0].record_id == ada.account_id
        assert entry.actor_id == "nobody"
        assert b'"ada"' not in entry.canonical()
    monkeypatch.setattr("overlay.identity.failures.LISTED", counters.RateLimitItemPerHour(5))
    for number in range(20):
        wrong(desk, identity.Browser(ROOM), f"nobody{number}")
    reasons = [entry.reason for entry in desk.entries() if entry.operation is Event.SIGN_IN]
    assert reasons == ["sign_in_failed", "sign_in_locked", *["sign_in_failed"] * 4, "more_failures_not_listed"]


def test_a_device_cookie_serves_all_who_share_the_screen_and_ends_in_ninety_days(
    desk: Desk, ada: identity.Account
) -> None:
    bea = identity.create_account(desk.store, desk.access, "bea", "Bea Quill", "dispatcher", OTHER, NOW)
    cookie = remember_device(desk.vault, "", ada.account_id, NOW)
    assert known_device(desk.vault, cookie, bea.account_id, NOW) is None
    cookie = remember_device(desk.vault, cookie, bea.account_id, NOW)
    device = known_device(desk.vault, cookie, ada.account_id, NOW)
    assert device
    assert known_device(desk.vault, cookie, bea.account_id, NOW) == device
    assert known_device(desk.vault, cookie, ada.account_id, NOW + devices.KEPT)
    assert known_device(desk.vault, cookie, ada.account_id, NOW + devices.KEPT + timedelta(days=1)) is None


def test_a_device_cookie_can_t_be_made_up_or_moved(desk: Desk, ada: identity.Account) -> None:
    cookie = remember_device(desk.vault, "", ada.account_id, NOW)
    device, _, tag = cookie.partition(".")
    later = f"{int(tag.split('-')[0]) + 1}-{tag.split('-')[1]}"
    for forged in (f"{'0' * 32}.{tag}", f"{device}.{later}", f"{device}.", device, "", "x" * 5000, cookie + ".1-2"):
        assert known_device(desk.vault, forged, ada.account_id, NOW) is None
    assert known_device(desk.vault, cookie, "another", NOW) is None


def test_a_device_cookie_stays_small_however_many_share_the_screen(desk: Desk) -> None:
    cookie = ""
    for number in range(60):
        cookie = remember_device(desk.vault, cookie, f"account{number}", NOW)
    assert len(cookie) < 2048
    assert known_device(desk.vault, cookie, "account59", NOW)
    assert known_device(desk.vault, cookie, "account0", NOW) is None
    renewed = remember_device(desk.vault, cookie, "account59", NOW + timedelta(days=1))
    assert len(renewed) == len(cookie)


def test_strangers_never_hold_the_last_turn_of_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    assert passwords._strangers.acquire(timeout=1)
    assert passwords._turns.acquire(timeout=1)
    try:
        with pytest.raises(identity.SignInBusy):
            passwords.is_password(None, PASSWORD, stranger=True)
        assert not passwords.is_password(None, PASSWORD)
    finally:
        passwords._turns.release()
        passwords._strangers.release()
