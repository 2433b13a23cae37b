"""The invented home: found by every check, and seen in no list, count or search for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from markers.location import RawLocation
from markers.model import PROOF_OF_LIFE, Grade, Status
from overlay import auditing
from overlay.folders import proof_of
from overlay.identity import create_token
from overlay.lookup import Asked, check
from overlay.proof import PROOF_ADDRESS, PROOF_POSTCODE, Proof
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.lists import import_markers, plan_import
from overlay.upkeep.proof_marker import prepare_proof
from overlay.viewing import view_day
from tests.store.test_lookup import OPERATOR
from tests.unit.test_matching import FLAT_3, NOW

HOME = Asked(RawLocation(address=PROOF_ADDRESS, postcode=PROOF_POSTCODE))


@pytest.fixture
def services(room) -> Services:
    prepare_proof(room.services, room.services.now())
    return room.services


def prover(services: Services) -> Actor:
    bearer = proof_of(services.settings).token_file.read_text().strip()
    found = services.access.actor_for_token(bearer, services.now())
    assert found is not None
    return found


def test_the_prover_finds_its_marker_and_may_do_nothing_else(services):
    actor = prover(services)
    answer = check(services, actor, HOME, services.now())
    assert answer.status is Status.HIT
    assert [(shown.grade, shown.reference) for shown in answer.matches] == [(Grade.PREMISES, "PROOF-OF-LIFE")]
    assert actor.scopes == frozenset({"checks.make", "proof_of_life"})
    assert proof_of(services.settings).token_file.stat().st_mode & 0o077 == 0


def test_made_once_and_left_alone_after(services):
    before = services.index.get(PROOF_OF_LIFE), services.index.position, prover(services)
    prepare_proof(services, services.now())
    assert (services.index.get(PROOF_OF_LIFE), services.index.position, prover(services)) == before


def test_renewed_long_before_it_ends(services):
    years = services.now() + timedelta(days=2_000)
    before = services.index.get(PROOF_OF_LIFE)
    prepare_proof(services, years)
    after = services.index.get(PROOF_OF_LIFE)
    assert after.ends_on > before.ends_on
    assert after.version == before.version + 1
    bearer = proof_of(services.settings).token_file.read_text().strip()
    assert services.access.actor_for_token(bearer, years + timedelta(days=300)) is not None


def test_no_list_has_it(services):
    import_markers(services, OPERATOR, plan_import(services, [FLAT_3]), NOW)
    assert [marker.reference for marker in services.index.all()] == [FLAT_3.reference]
    rows = services.listing.rows(services.index, services.now())
    assert [row.marker.reference for row in rows] == [FLAT_3.reference]
    years = services.now() + timedelta(days=2_000)
    prepare_proof(services, years)
    assert [row.marker.reference for row in services.listing.rows(services.index, years)] == [FLAT_3.reference]


def test_its_looks_are_kept_apart_from_peoples(services):
    actor = prover(services)
    check(services, actor, HOME, services.now())
    check(services, OPERATOR, HOME, services.now())
    now = services.now()
    everything = auditing.sought(services, auditing.Question(), now)
    found, _ = auditing.find_all(services, everything, 100)
    assert actor.actor_id not in {one.entry.actor_id for one in found}
    assert OPERATOR.actor_id in {one.entry.actor_id for one in found}
    own = auditing.sought(services, auditing.Question(actor="Proof of life"), now)
    found, _ = auditing.find_all(services, own, 100)
    assert {one.entry.actor_id for one in found} == {actor.actor_id}
    named = auditing.sought(services, auditing.Question(marker=PROOF_OF_LIFE), now)
    found, _ = auditing.find_all(services, named, 100)
    assert {actor.actor_id, OPERATOR.actor_id} <= {one.entry.actor_id for one in found}
    digest = view_day(services, OPERATOR, now.date(), now)
    looks = [look for marker in digest.markers for look in marker.looks if marker.marker_id == PROOF_OF_LIFE]
    assert {look.who for look in looks} == {OPERATOR.actor_id}


def test_another_token_of_the_same_name_is_not_kept_apart(services):
    bearer = create_token(services.store, services.access, "Proof of life", "service", services.now(), 10)
    other = services.access.actor_for_token(bearer, services.now())
    check(services, other, HOME, services.now())
    everything = auditing.sought(services, auditing.Question(), services.now())
    found, _ = auditing.find_all(services, everything, 100)
    assert other.actor_id in {one.entry.actor_id for one in found}


def test_nothing_is_clear_while_the_proof_is_wrong(services):
    home = Asked(RawLocation(address="Flat 3, 14 Tallow Yard, EC9A 1AB"))
    assert check(services, OPERATOR, home, services.now()).status is Status.CLEAR
    proof_of(services.settings).write(
        Proof("wrong", "a test home that carries a marker was answered “no marker”.", services.now())
    )
    answer = check(services, OPERATOR, home, services.now())
    assert answer.status is Status.COULD_NOT_CHECK
    assert "may be missing markers" in answer.reason
    assert services.state(services.now()).kind == "unproven"
    proof_of(services.settings).write(Proof("failed", "the console could not be reached.", services.now()))
    assert check(services, OPERATOR, home, services.now()).status is Status.CLEAR
    assert services.state(services.now()).kind == "unproven"
    proof_of(services.settings).write(Proof("proved"))
    assert check(services, OPERATOR, home, services.now()).status is Status.CLEAR
    assert services.state(services.now()).kind == "current"


def test_whatever_else_is_asked_with_its_token_is_seen_by_auditors(services):
    import_markers(services, OPERATOR, plan_import(services, [FLAT_3]), NOW)
    actor = prover(services)
    check(services, actor, Asked(RawLocation(address="Flat 3, 14 Tallow Yard, EC9A 1AB")), services.now())
    check(services, actor, Asked(RawLocation(address="Flat 4, 14 Tallow Yard, EC9A 1AB")), services.now())
    now = services.now()
    found, _ = auditing.find_all(services, auditing.sought(services, auditing.Question(), now), 100)
    assert sum(one.entry.actor_id == actor.actor_id for one in found) == 2
    digest = view_day(services, OPERATOR, now.date(), now)
    shown = [look.who for marker in digest.markers for look in marker.looks if marker.reference == FLAT_3.reference]
    assert "Proof of life" in shown
