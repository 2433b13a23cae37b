"""Accounts, sessions and service tokens, against a real Valkey."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters

from markers.commits import Changes
from markers.ledger import Event, Via
from overlay import identity
from overlay.identity import AccessBook, passwords
from overlay.roles import Roles
from overlay.settings import SHIPPED_CONFIG
from tests.store.desk import NOW, OTHER, PASSWORD, Desk


def test_whoever_signs_in_is_known_by_the_cookie_everywhere(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in(" ADA ", PASSWORD, NOW)
    for book in (desk.access, desk.beside()):
        actor = book.actor_for_session(secret, NOW)
        assert actor is not None
        assert (actor.actor_id, actor.name, actor.role, actor.via) == (
            ada.account_id,
            "Ada Quill",
            "call_handler",
            Via.WEB,
        )
        assert book.standing(actor, NOW) == book.position


@pytest.mark.parametrize(
    ("username", "password"), [("ada", OTHER), ("nobody", PASSWORD), ("", ""), ("ada", "\ud800" * 12)]
)
def test_a_refusal_never_says_which_part_was_wrong(
    desk: Desk, ada: identity.Account, username: str, password: str
) -> None:
    with pytest.raises(identity.SignInRefused) as refusal:
        desk.sign_in(username, password, NOW)
    assert str(refusal.value) == str(identity.SignInRefused())
    assert not desk.access.sessions(ada.account_id)


def test_a_disabled_account_is_refused_in_the_same_words_and_its_sessions_end(
    desk: Desk, ada: identity.Account
) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    actor = desk.access.actor_for_session(secret, NOW)
    assert actor is not None
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    assert desk.access.actor_for_session(secret, NOW) is None
    assert desk.access.standing(actor, NOW) is None
    with pytest.raises(identity.SignInRefused) as refusal:
        desk.sign_in("ada", PASSWORD, NOW)
    assert str(refusal.value) == str(identity.SignInRefused())


def test_an_account_disabled_elsewhere_cannot_sign_in_here(desk: Desk, ada: identity.Account) -> None:
    behind = desk.beside()
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    with pytest.raises(identity.SignInRefused):
        desk.sign_in("ada", PASSWORD, NOW, access=behind)


@pytest.mark.parametrize("how", ["password", "role"])
def test_a_new_password_or_role_ends_every_session(desk: Desk, ada: identity.Account, how: str) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    if how == "password":
        identity.set_password(desk.store, desk.access, "ada", OTHER, NOW)
    else:
        identity.set_role(desk.store, desk.access, "ada", "dispatcher", NOW)
    assert desk.access.actor_for_session(secret, NOW) is None
    assert not desk.access.sessions(ada.account_id)
    again = desk.sign_in("ada", OTHER if how == "password" else PASSWORD, NOW)
    assert desk.access.actor_for_session(again, NOW) is not None
    if how == "password":
        with pytest.raises(identity.SignInRefused):
            desk.sign_in("ada", PASSWORD, NOW)


def test_a_session_lasts_one_shift_and_is_tidied_at_the_next_sign_in(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    end = NOW + timedelta(hours=12)
    assert desk.access.actor_for_session(secret, end - timedelta(microseconds=1)) is not None
    assert desk.access.actor_for_session(secret, end) is None
    desk.sign_in("ada", PASSWORD, end)
    assert len(desk.access.sessions(ada.account_id)) == 1


def test_signing_out_ends_that_session_alone_and_twice_is_once(desk: Desk, ada: identity.Account) -> None:
    first = desk.sign_in("ada", PASSWORD, NOW)
    second = desk.sign_in("ada", PASSWORD, NOW)
    identity.sign_out(desk.store, desk.access, first, NOW)
    identity.sign_out(desk.store, desk.access, first, NOW)
    assert desk.access.actor_for_session(first, NOW) is None
    assert desk.beside().actor_for_session(second, NOW) is not None


def test_a_name_is_taken_once_in_whatever_case_and_even_by_two_processes_at_once(desk: Desk) -> None:
    outcomes: list[object] = []

    def create(access: AccessBook, username: str) -> None:
        try:
            outcomes.append(
                identity.create_account(desk.store, access, username, "Somebody", "dispatcher", PASSWORD, NOW)
            )
        except identity.NameTaken as taken:
            outcomes.append(taken)

    books = [desk.beside(), desk.beside()]
    threads = [
        threading.Thread(target=create, args=(book, name)) for book, name in zip(books, ("bo.x", "BO.X"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Account", "NameTaken"]
    with pytest.raises(identity.NameTaken, match=r"'bo\.x' is taken"):
        identity.create_account(desk.store, desk.access, "Bo.X", "Another", "dispatcher", PASSWORD, NOW)
    assert len(desk.access.accounts()) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "elevenchars"}, "12 to 256"),
        ({"password": "x" * 257}, "12 to 256"),
        ({"password": "\ud800" * 12}, "12 to 256"),
        ({"role": "chief"}, "no such role"),
        ({"username": "a b"}, "username"),
        ({"username": "é" * 4}, "username"),
        ({"name": " "}, "name"),
        ({"name": "Ada\x00"}, "name"),
        ({"name": "Ada\u202eQuill"}, "name"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_kept(desk: Desk, changed: dict[str, str], said: str) -> None:
    fields = {"username": "ada", "name": "Ada Quill", "role": "call_handler", "password": PASSWORD, **changed}
    with pytest.raises(identity.Refused, match=said) as refusal:
        identity.create_account(desk.store, desk.access, **fields, now=NOW)
    assert "Nothing was changed" in str(refusal.value)
    assert desk.entries() == []


def test_the_same_password_typed_with_composed_or_separate_accents_is_one_password(desk: Desk) -> None:
    identity.create_account(desk.store, desk.access, "zoe", "Zoë", "dispatcher", "café au lait!", NOW)
    assert desk.sign_in("zoe", "cafe\u0301 au lait!", NOW)


def test_a_token_works_until_it_is_revoked(desk: Desk) -> None:
    bearer = identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 30)
    assert re.fullmatch(r"wmo_[A-Za-z0-9_-]{43}", bearer)
    beside = desk.beside()
    actor = beside.actor_for_token(bearer, NOW)
    assert actor is not None
    assert (actor.name, actor.role, actor.via) == ("CAD bridge", "service", Via.API)
    token = identity.revoke_token(desk.store, desk.access, desk.access.tokens()[0].short_id, NOW)
    assert token.revoked_at == NOW
    assert desk.access.actor_for_token(bearer, NOW) is None
    assert desk.access.standing(actor, NOW) is None
    beside.apply(desk.store.changes("access", beside.position))
    assert beside.actor_for_token(bearer, NOW) is None


def test_a_token_ends_by_itself_and_a_wrong_one_never_works(desk: Desk, ada: identity.Account) -> None:
    bearer = identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 1)
    secret = desk.sign_in("ada", PASSWORD, NOW)
    assert desk.access.actor_for_token(bearer, NOW + timedelta(days=1)) is None
    for wrong in (bearer[:-1], bearer.upper(), "", "wmo_", "\ud800", secret, f"wmo_{secret}"):
        assert desk.access.actor_for_token(wrong, NOW) is None
    assert desk.access.actor_for_session(bearer, NOW) is None


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_token_lasts_a_year_at_most(desk: Desk, days: int) -> None:
    with pytest.raises(identity.Refused, match="1 to 366 days"):
        identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, days)


@pytest.mark.parametrize("token_id", ["", "deadbeef", "0" * 64])
def test_revoking_nothing_in_particular_is_refused(desk: Desk, token_id: str) -> None:
    identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 1)
    with pytest.raises(identity.NoSuchToken):
        identity.revoke_token(desk.store, desk.access, token_id, NOW)


def test_the_ledger_tells_who_did_what_and_nothing_readable_of_it(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    identity.sign_out(desk.store, desk.access, secret, NOW)
    identity.set_password(desk.store, desk.access, "ada", OTHER, NOW)
    bearer = identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 1)
    identity.revoke_token(desk.store, desk.access, desk.access.tokens()[0].token_id, NOW)
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    entries = desk.entries()
    assert [entry.reason for entry in entries] == [
        "account_created", "signed_in", "signed_out", "password_set",
        "token_created", "token_revoked", "account_disabled",
    ]  # fmt: skip
    assert {entry.operation for entry in entries} == {Event.SIGN_IN, Event.ACCESS}
    assert {entry.actor_id for entry in entries if entry.operation is Event.SIGN_IN} == {ada.account_id}
    # Ids are hexadecimal: quoted names only, so that a chance "ada" in one of them is not taken for the person.
    text = json.dumps([json.loads(entry.canonical()) for entry in entries])
    for readable in ('"ada"', "Ada ", "CAD bridge", PASSWORD, OTHER, secret, bearer, "argon2"):
        assert readable.casefold() not in text.casefold().replace("account_disabled", "")


def test_a_closed_account_that_is_let_in_again_signs_in_anew_and_not_by_an_old_session(
    desk: Desk, ada: identity.Account
) -> None:
    old = desk.sign_in("ada", PASSWORD, NOW)
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    with pytest.raises(identity.SignInRefused):
        desk.sign_in("ada", PASSWORD, NOW)
    identity.enable_account(desk.store, desk.access, "ada", NOW)
    assert desk.access.actor_for_session(old, NOW) is None
    assert desk.access.actor_for_session(desk.sign_in("ada", PASSWORD, NOW), NOW) is not None
    assert "account_enabled" in [entry.reason for entry in desk.entries()]


def test_a_failed_change_leaves_no_entry(desk: Desk, ada: identity.Account) -> None:
    before = len(desk.entries())
    with pytest.raises(identity.NoSuchAccount):
        identity.disable_account(desk.store, desk.access, "eve", NOW)
    assert len(desk.entries()) == before


def test_neither_secret_nor_password_lies_in_a_record(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    bearer = identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 1)
    kept = b"".join(record.plain or b"" for record in desk.store.load("access").records)
    for word in (secret, bearer, bearer.removeprefix("wmo_"), PASSWORD):
        assert word.encode() not in kept


def test_old_changes_and_the_same_changes_twice_do_nothing(desk: Desk, ada: identity.Account) -> None:
    before = desk.store.changes("access", 0)
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    after = desk.store.changes("access", 0)
    for changes in (after, before, after):
        desk.access.apply(changes)
    account = desk.access.account("ada")
    assert account is not None
    assert account.disabled
    assert desk.access.position == after.position


def test_a_book_that_fell_far_behind_forgets_what_was_erased(desk: Desk, ada: identity.Account) -> None:
    secret = desk.sign_in("ada", PASSWORD, NOW)
    behind = desk.beside()
    identity.sign_out(desk.store, desk.access, secret, NOW)
    assert behind.actor_for_session(secret, NOW) is not None
    behind.replace(desk.store.load("access"))
    assert behind.actor_for_session(secret, NOW) is None


def test_an_unknown_name_costs_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extract_parameters(passwords.NOBODYS_HASH) == extract_parameters(PasswordHasher().hash("x"))
    assert not passwords.is_password(None, PASSWORD)
    compared: list[str] = []
    real = passwords._hasher

    class Watched:
        def verify(self, kept: str, text: bytes) -> bool:
            compared.append(kept)
            return real.verify(kept, text)

    monkeypatch.setattr(passwords, "_hasher", Watched())
    assert not passwords.is_password(None, PASSWORD)
    assert compared == [passwords.NOBODYS_HASH]


def test_no_more_hashes_run_at_once_than_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, running, most, lock = passwords.hash_password(PASSWORD), 0, 0, threading.Lock()
    real = passwords._hasher

    class Counted:
        def verify(self, kept: str, text: bytes) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return real.verify(kept, text)
            finally:
                with lock:
                    running -= 1

    monkeypatch.setattr(passwords, "_hasher", Counted())
    threads = [threading.Thread(target=passwords.is_password, args=(kept, PASSWORD)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_ONCE


def test_waiting_too_long_for_a_turn_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    for _ in range(passwords.AT_ONCE):
        assert passwords._turns.acquire(timeout=1)
    try:
        with pytest.raises(identity.SignInBusy):
            passwords.is_password(None, PASSWORD)
    finally:
        passwords._turns.release(passwords.AT_ONCE)


def test_proving_again_who_one_is_takes_ones_own_password(desk: Desk, ada: identity.Account) -> None:
    door = desk.door()
    secret = desk.sign_in("ada", PASSWORD, NOW)
    actor = desk.access.actor_for_session(secret, NOW)
    assert actor is not None
    identity.create_account(desk.store, desk.access, "bea", "Bea Quill", "dispatcher", OTHER, NOW)
    identity.reauthenticate(door, actor, PASSWORD, "", NOW)
    for wrong in (OTHER, ""):
        with pytest.raises(identity.SignInRefused):
            identity.reauthenticate(door, actor, wrong, "", NOW)
    identity.disable_account(desk.store, desk.access, "ada", NOW)
    with pytest.raises(identity.SignInRefused):
        identity.reauthenticate(door, actor, PASSWORD, "", NOW)


def test_a_record_of_a_version_that_knows_more_opens_no_door_and_stops_nothing(desk: Desk) -> None:
    book = identity.AccessBook()
    bearer = identity.create_token(desk.store, desk.access, "CAD bridge", "service", NOW, 10)
    (token,) = desk.store.load("access").records
    plain = json.loads(token.plain or b"{}") | {"only_at_night": True}
    newer = replace(token, record_id="f" * 64, plain=json.dumps(plain).encode())
    book.replace(Changes(1, (newer, token)))
    assert [known.token_id for known in book.tokens()] == [token.record_id]
    assert book.actor_for_token(bearer, NOW) is not None
    assert book.position == 1


def test_nobody_makes_a_token_whose_looks_are_kept_apart(desk: Desk) -> None:
    with pytest.raises(identity.Refused, match="no permission"):
        identity.known_scopes(Roles.load(SHIPPED_CONFIG / "roles.toml"), "service", ["checks.make", "proof_of_life"])
