"""Codes of the second factor and recovery codes: RFC 6238's own numbers, used once, by whichever process."""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from overlay import identity
from overlay.identity import second_factor
from overlay.identity.devices import remember_device
from tests.store.desk import NOW, OTHER, PASSWORD, Desk

pytestmark = pytest.mark.usefixtures("quick_hashes")

# RFC 6238 appendix B, the SHA-1 rows; its codes have eight digits, ours their last six.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
    (20000000000, "353130"),
]  # fmt: skip
STEP = timedelta(seconds=second_factor.STEP_S)


@pytest.fixture
def strict(desk: Desk) -> Desk:
    """An area that requires the second factor."""
    desk.policy = identity.Policy()
    return desk


@pytest.fixture
def enrolled(strict: Desk, ada: identity.Account) -> tuple[str, tuple[str, ...]]:
    """The secret on Ada's device, and her recovery codes."""
    return enrol(strict)


def enrol(desk: Desk) -> tuple[str, tuple[str, ...]]:
    begun = identity.sign_in(desk.door(), "ada", PASSWORD, NOW)
    assert begun.needs == "enrolment"
    _, secret = identity.new_factor(desk.door(), begun.secret, NOW)
    _, codes = identity.enrol(desk.door(), begun.secret, second_factor.code_at(secret, NOW), NOW)
    return secret, codes


def begin(desk: Desk, now: datetime = NOW) -> str:
    begun = identity.sign_in(desk.door(), "ada", PASSWORD, now)
    assert begun.needs == "code"
    return begun.secret


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES)
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert second_factor.code_at(RFC_SECRET, moment) == code
    assert second_factor.step_of(RFC_SECRET, code, moment) == seconds // 30


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off_and_no_more(steps: int, taken: bool) -> None:
    code = second_factor.code_at(RFC_SECRET, NOW + steps * STEP)
    assert (second_factor.step_of(RFC_SECRET, code, NOW) is not None) == taken


@pytest.mark.parametrize("code", ["", "0", "28708", "2870822", "２８７０８２", "28708\ud800", "x" * 10_000])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert second_factor.step_of(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_no_session_exists_before_the_factor_was_given(strict: Desk, ada: identity.Account) -> None:
    begun = identity.sign_in(strict.door(), "ada", PASSWORD, NOW)
    assert begun.needs == "enrolment"
    assert not strict.access.sessions(ada.account_id)
    for book in (strict.access, strict.beside()):
        assert book.actor_for_session(begun.secret, NOW) is None
    with pytest.raises(identity.CodeRefused):
        identity.give_code(strict.door(), begun.secret, "000000", NOW)
    with pytest.raises(identity.CodeRefused):
        identity.enrol(strict.door(), begun.secret, "12345", NOW)
    assert strict.access.second_factor(ada.account_id) is None


def test_the_first_code_sets_the_factor_up_and_signs_in(strict: Desk, ada: identity.Account) -> None:
    begun = identity.sign_in(strict.door(), "ada", PASSWORD, NOW)
    account, secret = identity.new_factor(strict.door(), begun.secret, NOW)
    assert account.account_id == ada.account_id
    code = second_factor.code_at(secret, NOW)
    session, codes = identity.enrol(strict.door(), begun.secret, code, NOW)
    actor = strict.beside().actor_for_session(session, NOW)
    assert actor is not None
    assert actor.actor_id == ada.account_id
    assert len(set(codes)) == 10
    with pytest.raises(identity.StartAgain):
        identity.enrol(strict.door(), begun.secret, code, NOW)


def test_a_code_signs_in_once_and_never_again(strict: Desk, enrolled: tuple[str, tuple[str, ...]]) -> None:
    later = NOW + 2 * STEP
    code = second_factor.code_at(enrolled[0], later)
    assert identity.give_code(strict.door(), begin(strict, later), code, later)
    for moment in (later, later + STEP):
        with pytest.raises(identity.CodeRefused):
            identity.give_code(strict.door(), begin(strict, moment), code, moment)


def test_the_code_that_enrolled_does_not_sign_in(strict: Desk, enrolled: tuple[str, tuple[str, ...]]) -> None:
    with pytest.raises(identity.CodeRefused):
        identity.give_code(strict.door(), begin(strict), second_factor.code_at(enrolled[0], NOW), NOW)


def test_of_two_processes_with_the_same_code_at_once_one_wins(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    later = NOW + 2 * STEP
    code = second_factor.code_at(enrolled[0], later)
    waiting = [begin(strict, later) for _ in range(3)]
    doors = [strict.door(strict.beside()) for _ in waiting]
    outcomes: list[str] = []
    start = threading.Barrier(len(waiting))

    def give(door: identity.Door, secret: str) -> None:
        start.wait()
        try:
            identity.give_code(door, secret, code, later)
            outcomes.append("in")
        except identity.CodeRefused:
            outcomes.append("refused")

    threads = [threading.Thread(target=give, args=pair) for pair in zip(doors, waiting, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in", "refused", "refused"]


def test_a_recovery_code_signs_in_once_however_it_is_typed(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]], ada: identity.Account
) -> None:
    _, codes = enrolled
    typed = codes[3].lower().replace("-", " ")
    assert identity.give_code(strict.door(), begin(strict), typed, NOW)
    with pytest.raises(identity.CodeRefused):
        identity.give_code(strict.door(), begin(strict), codes[3], NOW)
    factor = strict.access.second_factor(ada.account_id)
    assert factor is not None
    assert len(factor.recovery) == 9
    assert identity.give_code(strict.door(), begin(strict), codes[4], NOW)


def test_a_sign_in_that_waits_for_its_code_ends_in_ten_minutes_and_with_the_account(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    secret, _ = enrolled
    late = NOW + timedelta(minutes=10)
    waiting = begin(strict)
    with pytest.raises(identity.StartAgain):
        identity.give_code(strict.door(), waiting, second_factor.code_at(secret, late), late)
    waiting = begin(strict)
    identity.end_sessions(strict.store, strict.access, "ada", NOW)
    with pytest.raises(identity.StartAgain):
        identity.give_code(strict.door(), waiting, second_factor.code_at(secret, NOW + STEP), NOW)


def test_after_a_reset_the_next_sign_in_sets_up_another(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]], ada: identity.Account
) -> None:
    secret, codes = enrolled
    later = NOW + 2 * STEP
    session = identity.give_code(strict.door(), begin(strict), second_factor.code_at(secret, later), later)
    identity.reset_second_factor(strict.store, strict.access, "ada", later)
    assert strict.access.actor_for_session(session, later) is None
    assert strict.access.second_factor(ada.account_id) is None
    again, _ = enrol(strict)
    assert again != secret
    with pytest.raises(identity.CodeRefused):
        identity.give_code(strict.door(), begin(strict), codes[0], NOW)


def test_where_it_is_optional_only_those_who_have_one_are_asked(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    actor = desk.access.actor_for_session(secret, NOW)
    assert actor is not None
    waiting = identity.begin_enrolment(desk.door(), actor, NOW)
    _, new = identity.new_factor(desk.door(), waiting, NOW)
    session, _ = identity.enrol(desk.door(), waiting, second_factor.code_at(new, NOW), NOW)
    assert desk.access.actor_for_session(secret, NOW) is None, "every other session ends"
    assert desk.access.actor_for_session(session, NOW) is not None
    assert identity.sign_in(desk.door(), "ada", PASSWORD, NOW).needs == "code"


def test_proving_again_takes_password_and_code_and_uses_the_code_up(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    secret, codes = enrolled
    session = identity.give_code(strict.door(), begin(strict), codes[0], NOW)
    actor = strict.access.actor_for_session(session, NOW)
    assert actor is not None
    later = NOW + 2 * STEP
    code = second_factor.code_at(secret, later)
    for password, wrong in ((OTHER, code), (PASSWORD, ""), (PASSWORD, "000000")):
        with pytest.raises(identity.SignInRefused):
            identity.reauthenticate(strict.door(), actor, password, wrong, later)
    identity.reauthenticate(strict.door(), actor, PASSWORD, code, later)
    kept = strict.access.session(session)
    assert kept is not None
    assert kept.authenticated_at == later
    with pytest.raises(identity.CodeRefused):
        identity.reauthenticate(strict.door(), actor, PASSWORD, code, later)


def test_neither_codes_nor_their_secret_can_be_read_in_the_ledger_or_found_by_hash_alone(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    secret, codes = enrolled
    ledger = b"".join(entry.canonical() for entry in strict.entries())
    kept = b"".join(record.plain or b"" for record in strict.store.load("access").records)
    for code in codes:
        for form in (code, code.replace("-", "")):
            assert form.encode() not in kept + ledger
    assert secret.encode() not in ledger


def test_five_wrong_codes_hold_up_that_browser_alone(
    strict: Desk, enrolled: tuple[str, tuple[str, ...]], ada: identity.Account
) -> None:
    secret, _ = enrolled
    for _ in range(5):
        with pytest.raises(identity.CodeRefused):
            identity.give_code(strict.door(), begin(strict), "000000", NOW)
    code = second_factor.code_at(secret, NOW + STEP)
    with pytest.raises(identity.SlowDown):
        identity.give_code(strict.door(), begin(strict), code, NOW)
    known = identity.Browser("192.0.2.1", remember_device(strict.vault, "", ada.account_id, NOW))
    assert identity.give_code(strict.door(), begin(strict), code, NOW, known)


def test_a_factor_of_another_account_opens_nothing(strict: Desk, enrolled: tuple[str, tuple[str, ...]]) -> None:
    identity.create_account(strict.store, strict.access, "bea", "Bea Quill", "dispatcher", OTHER, NOW)
    begun = identity.sign_in(strict.door(), "bea", OTHER, NOW)
    code = second_factor.code_at(enrolled[0], NOW + STEP)
    for take in (identity.give_code, identity.enrol):
        with pytest.raises(identity.CodeRefused):
            take(strict.door(), begun.secret, code, NOW)


def test_a_book_holds_a_session_as_it_was_written(strict: Desk, enrolled: tuple[str, tuple[str, ...]]) -> None:
    factor = strict.access.second_factor(next(iter(strict.access.accounts())).account_id)
    assert factor is not None
    assert strict.beside().second_factor(factor.account_id) == factor
    assert replace(factor, last_step=0) != factor
