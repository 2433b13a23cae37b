"""The table of roles: what ships, and what a wrong table says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from markers.ledger import Via
from overlay.roles import PERMISSIONS, ROLES, Actor, Roles, RolesError

SHIPPED = Path(__file__).parents[2] / "config" / "roles.toml"

SEEING = {"console.open", "checks.make"}
WORKING = {"incidents.read", "incidents.work"}
DISPATCHING = WORKING | {"incidents.dispatch", "incidents.close"}
UPKEEP = {
    *("markers.count", "markers.read", "markers.propose", "markers.confirm", "disclosures.read", "break_glass.told"),
}
EXPECTED = {
    "call_handler": SEEING | WORKING | {"feedback.give", "break_glass.open"},
    "dispatcher": SEEING | DISPATCHING | {"feedback.give", "break_glass.open"},
    "control_room_supervisor": SEEING
    | DISPATCHING
    | {"feedback.give", "raises.take", "markers.count", "markers.provisional"}
    | {"break_glass.told", "break_glass.review", "room.supervise"},
    "ppu_officer": SEEING | UPKEEP,
    "ppu_supervisor": SEEING
    | UPKEEP
    | {"markers.import", "markers.export", "markers.approve", "markers.erase", "break_glass.review"},
    "auditor": {"console.open", "ledger.search", "ledger.export"},
    "administrator": {"console.open", "accounts.manage", "tokens.manage", "api.describe", "metrics.read"},
    "service": DISPATCHING | {"checks.make", "api.describe", "metrics.read"},
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_shipped_table_cell_by_cell(role: str, permission: str) -> None:
    assert Roles.load(SHIPPED).allows(role, permission) is (permission in EXPECTED[role])


def test_an_unknown_role_holds_nothing_and_an_unknown_permission_is_a_mistake() -> None:
    roles = Roles.load(SHIPPED)
    assert not roles.allows("chief_constable", "checks.make")
    with pytest.raises(KeyError):
        roles.allows("call_handler", "checks.mkae")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("[auditor]", "[auditer]"), "unknown role 'auditer'"),
        (lambda text: text.replace('"ledger.search"', '"ledger.serach"'), "unknown permission 'ledger.serach'"),
        (lambda text: text.replace("[service]", "[dispatcher.more]"), "[dispatcher] has an unknown key 'more'"),
        (lambda text: text[: text.index("[service]")], "role 'service' is missing"),
        (lambda text: text.replace('title = "Auditor"\n', ""), "[auditor] needs a 'title'"),
        (lambda text: text.replace('asks = "the dispatcher"\n', ""), "[call_handler] needs 'asks'"),
        (
            lambda text: text[: text.rindex("permissions")] + 'permissions = "checks.make"',
            "[service] needs 'permissions'",
        ),
        (
            lambda text: text.replace('"ledger.search",', '"ledger.search", "checks.make",'),
            "[auditor] may not hold both 'ledger.search' and 'checks.make'",
        ),
        (lambda text: text.replace('"accounts.manage"', '"checks.make"'), "[administrator] may not hold both"),
        (lambda text: text + "= nonsense", "not valid TOML"),
    ],
)
def test_a_wrong_table_is_refused_with_the_file_and_the_place(tmp_path: Path, change, said: str) -> None:
    wrong = tmp_path / "roles.toml"
    wrong.write_text(change(SHIPPED.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RolesError) as refusal:
        Roles.load(wrong)
    assert str(wrong) in str(refusal.value)
    assert said in str(refusal.value)


def test_a_token_does_what_its_role_and_its_own_scopes_both_allow() -> None:
    roles = Roles.load(SHIPPED)
    bridge = Actor("t1", "CAD bridge", "service", Via.API)
    assert roles.may(bridge, "checks.make")
    assert roles.may(replace(bridge, scopes=frozenset({"checks.make"})), "checks.make")
    assert not roles.may(replace(bridge, scopes=frozenset({"api.describe"})), "checks.make")
    assert not roles.may(replace(bridge, scopes=frozenset({"ledger.search"})), "ledger.search")


def test_every_role_has_a_title_that_people_read() -> None:
    roles = Roles.load(SHIPPED)
    assert [roles.title(role) for role in EXPECTED] == [roles.titles[role] for role in EXPECTED]
    assert roles.title("ppu_officer") == "Public protection officer"


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RolesError, match=r"roles\.toml: the table of roles can't be read"):
        Roles.load(tmp_path / "roles.toml")
