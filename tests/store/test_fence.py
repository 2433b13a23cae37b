"""A store that was put back, wiped or swapped under its anchors: could not check, until a person decides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.gazetteer import Gazetteer
from markers.location import RawLocation
from markers.model import Status
from markers.sealer import Sealer, SealRefused
from markers.server import EmbeddedServer
from markers.store import Store
from markers.store_errors import StoreBehind
from overlay.accepting import NotAccepted, accept
from overlay.identity import create_account
from overlay.lookup import Along, Answer, Asked, Finding, check
from overlay.sealing import signing_key
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import
from tests.store.test_lookup import HOME, OPERATOR
from tests.unit.test_matching import FLAT_3, HOMES, NOW, at_home

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", anchors=tmp_path / "media")


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    started = start(settings)
    started.gazetteer = Gazetteer.load(settings.data / "gazetteer", HOMES)
    import_markers(started, OPERATOR, plan_import(started, [FLAT_3]), NOW)
    yield started
    started.close()
    stop(settings)


def start(settings: Settings) -> Services:
    return Services.start(settings, follow=False)


def ask(services: Services) -> Answer:
    return check(services, OPERATOR, Asked(HOME, "CAD-1"), services.now())


def seal(services: Services) -> None:
    store = services.fence.store  # as the sealer's process, which no fence holds back but its own
    key = signing_key(services.settings, store, services.anchors)
    Sealer(store, key, services.anchors, services.ledger_index).step(services.now())


def stop(settings: Settings) -> None:
    server = EmbeddedServer(settings.data / "store")
    server.ensure()
    server.stop()


def put_back(settings: Settings, backup: Path) -> None:
    """Stop the store's server and put an older copy of its log in its place, or nothing."""
    stop(settings)
    shutil.rmtree(settings.data / "store" / ("appendonlydir" if backup.exists() else ""))
    if backup.exists():
        shutil.copytree(backup, settings.data / "store" / "appendonlydir")


@pytest.fixture
def restored(services: Services, settings: Settings, tmp_path: Path) -> Services:
    """A process started on a store that was put back to before four looks, which had been anchored."""
    ask(services)
    seal(services)
    stop(settings)
    shutil.copytree(settings.data / "store" / "appendonlydir", tmp_path / "backup")
    EmbeddedServer(settings.data / "store").ensure()
    for _ in range(4):
        ask(services)
    seal(services)
    put_back(settings, tmp_path / "backup")
    return start(settings)


def test_a_new_data_folder_starts_and_checks_without_any_anchor(services: Services) -> None:
    assert ask(services).status is Status.HIT
    assert services.anchors.last() is None
    assert services.trouble is None


def test_an_anchored_store_starts_and_checks_as_before(services: Services, settings: Settings) -> None:
    ask(services)
    seal(services)
    again = start(settings)
    assert (again.trouble, again.store.floor) == (None, again.store.ledger_end())
    assert ask(again).store == "current"
    again.close()


def test_a_store_put_back_answers_could_not_check_and_takes_nothing(restored: Services, settings: Settings) -> None:
    end = restored.fence.store.ledger_end()
    answer = ask(restored)
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")
    assert answer.reason is not None
    assert answer.reason.startswith("Store replaced or restored: a supervisor must decide.")
    assert [found.reference for found in answer.matches] == ["M3"]
    assert restored.spool.pending() == 1
    assert restored.state(restored.now()).words.endswith("store replaced or restored: a supervisor must decide")
    with pytest.raises(StoreBehind):
        create_account(restored.store, restored.access, "jay", "J", "auditor", PASSWORD, restored.now(), OPERATOR)
    with pytest.raises(StoreBehind):
        restored.spool.replay(restored.store)
    assert restored.fence.store.ledger_end() == end
    with pytest.raises(SealRefused, match="was put back"):
        seal(start(settings))
    restored.close()


def test_a_process_that_was_running_all_along_sees_it_too(services: Services, restored: Services) -> None:
    with pytest.raises(StoreBehind):
        services.mind_fence()
    assert ask(services).status is Status.COULD_NOT_CHECK
    restored.close()


def test_a_wiped_store_answers_could_not_check(services: Services, settings: Settings, tmp_path: Path) -> None:
    seal(services)
    put_back(settings, tmp_path / "none")
    wiped = start(settings)
    answer = ask(wiped)
    assert (answer.status, answer.store) == (Status.COULD_NOT_CHECK, "last_known")
    assert "a supervisor must decide" in str(answer.reason)
    wiped.close()


def test_even_without_the_anchors_the_data_folder_knows_how_far_the_ledger_was(
    services: Services, settings: Settings, tmp_path: Path
) -> None:
    seal(services)
    put_back(settings, tmp_path / "none")
    shutil.rmtree(tmp_path / "media")
    wiped = start(settings)
    assert ask(wiped).status is Status.COULD_NOT_CHECK
    wiped.close()


def test_another_history_as_long_as_the_anchored_one_is_seen(
    services: Services, restored: Services, settings: Settings
) -> None:
    """As if a program that minds no fence had gone on with the older copy."""
    key = signing_key(settings, restored.fence.store, restored.anchors)
    unminding = restored.fence.store
    restored.store.start_over()
    for _ in range(4):
        ask(restored)
    leaves = 4
    size = unminding.ledger_end()
    unminding.seal(size - leaves, size, key.sign(size, b"x" * 32, restored.now(), (b"x" * 32,) * leaves).note)
    another = start(settings)
    assert ask(another).status is Status.COULD_NOT_CHECK
    another.close()
    restored.close()


def test_anchors_of_another_hand_are_not_relied_on(services: Services, settings: Settings) -> None:
    seal(services)
    (path,) = services.anchors.files()
    path.write_text(path.read_text("utf-8").replace("time 20", "time 21"), "utf-8")
    another = start(settings)
    answer = ask(another)
    assert answer.status is Status.COULD_NOT_CHECK
    another.close()


def test_a_person_decides_and_every_process_goes_on_with_the_store_as_it_is(
    services: Services, restored: Services, settings: Settings
) -> None:
    ask(restored)
    end = restored.fence.store.ledger_end()
    for wrong in (end - 1, end + 1):
        with pytest.raises(NotAccepted, match=f"ends at entry {end}, not {wrong}"):
            accept(restored, OPERATOR, wrong, "A Supervisor", "disk replaced", restored.now())
    for by, reason in (("A\nB", "x"), ("A: B", "x"), ("A", ""), ("", "x")):
        with pytest.raises(NotAccepted, match="one line"):
            accept(restored, OPERATOR, end, by, reason, restored.now())
    told = accept(restored, OPERATOR, end, "A Supervisor", "disk replaced, backup of Monday", restored.now())
    assert (told.size, told.instead, told.by, told.why) == (
        end,
        end + 4,
        "A Supervisor",
        "disk replaced, backup of Monday",
    )
    seal(restored)  # so that the acceptance is not the newest statement any more
    for process in (restored, services, start(settings)):
        process.mind_fence()
        answer = ask(process)
        assert (answer.status, answer.store) == (Status.HIT, "current")
    restored.spool.replay(restored.store)
    seal(restored)
    statements = list(restored.anchors.statements())
    assert [one.accepts for one in statements].count(True) == 1
    assert statements[-1].size == restored.store.ledger_end()
    with pytest.raises(NotAccepted, match="nothing to accept"):
        accept(restored, OPERATOR, statements[-1].size, "A", "again", restored.now())
    restored.close()


def test_entries_that_were_changed_are_not_accepted_with_their_store(restored: Services, settings: Settings) -> None:
    key = signing_key(settings, restored.fence.store, restored.anchors)
    restored.store.start_over()
    ask(restored)
    end = restored.fence.store.ledger_end()
    restored.fence.store.seal(end - 1, end, key.sign(end, b"x" * 32, restored.now(), (b"x" * 32,)).note)
    with pytest.raises(NotAccepted, match="does not fit"):
        accept(restored, OPERATOR, end, "A", "b", restored.now())
    restored.close()


@pytest.mark.parametrize("how", ["accepted", "back after a start without it"])
def test_what_was_matched_on_another_store_is_matched_again_although_this_one_is_as_far(
    services: Services, settings: Settings, tmp_path: Path, how: str
) -> None:
    """Between a check's match and its commit; else a home that is marked only in the store of now would be clear."""
    ask(services)
    seen: list[Status] = []
    others: list[Services] = []

    def meanwhile(found: Finding) -> Along:
        if not seen:
            position = services.index.position
            put_back(settings, tmp_path / "none")
            other = start(settings.model_copy(update={"anchors": tmp_path / "other"}))
            for store in (other.store, other.fence.store, services.fence.store):
                store.start_over()
            other.store.floor = other.fence.store.floor = 0
            import_markers(other, OPERATOR, plan_import(other, [at_home("M4", HOMES[3])]), NOW)
            assert other.index.position == position
            others.append(other)
            services._load_anew()
            services.store.start_over() if how == "accepted" else services.store.wake()
        seen.append(found.outcome.status)
        return Along()

    if how != "accepted":
        services.store = Store(services.store_url, services.area.code, services.vault, timeout_s=2)
        services.store.resting = "it was away"
    asked = Asked(RawLocation(address=HOMES[3].address, postcode=HOMES[3].postcode), "CAD-1")
    answer = check(services, OPERATOR, asked, services.now(), meanwhile)
    others[0].close()
    assert (answer.status, seen) == (Status.HIT, [Status.CLEAR, Status.HIT])
