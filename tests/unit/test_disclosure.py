from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from markers.categories import load_categories
from markers.model import Category, Grade, Marker, Match, Place, SubBuilding
from overlay.disclosure import DisclosureError, check_table, for_actor
from overlay.roles import Actor, Roles

CONFIG = Path(__file__).resolve().parents[2] / "config"
CATEGORIES = load_categories(CONFIG / "categories.toml")
ROLES = Roles.load(CONFIG / "roles.toml")
CHECKING = frozenset(role for role in ROLES.titles if ROLES.allows(role, "checks.make"))
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SECRETS = ("REF-77", "child plan since", "PPU Quillmarket", "020 7946", "Flat 14C", "m-77")


def marker(category: str) -> Marker:
    return Marker(
        marker_id="m-77",
        reference="REF-77",
        category=category,
        place=Place(address="Flat 14C, Inkwell Tower", postcode="EC9A 1AB"),
        headline="child plan since May",
        action="Ask who is in the home",
        owner="PPU Quillmarket",
        owner_contact="020 7946 0012",
        starts_on=date(2026, 5, 1),
        review_on=date(2026, 10, 3),
        ends_on=date(2027, 5, 1),
        source="referral",
        source_reference="S-1",
        proposed_by="a",
        approved_by="b",
        recorded_at=NOW,
    )


def seen(category: str, role: str, grade: Grade, sub_building: SubBuilding | None = None, *, applies: bool = True):
    found = Match(marker(category), grade, ("Flat 14C carries a marker",), 0.9, sub_building, 43.2, applies=applies)
    return for_actor((found,), Actor("p", "A Person", role, "session"), CATEGORIES, NOW)[0]


def test_the_shipped_table_is_complete() -> None:
    check_table(CATEGORIES, ROLES.titles, CHECKING)


@pytest.mark.parametrize("role", sorted(CHECKING))
@pytest.mark.parametrize("category", sorted(CATEGORIES))
@pytest.mark.parametrize(("grade", "sub_building"), [(Grade.BUILDING, SubBuilding.DIFFERENT), (Grade.NEARBY, None)])
def test_another_home_tells_nothing_but_that_it_is_there(
    category: str, role: str, grade: Grade, sub_building: SubBuilding | None
) -> None:
    shown = seen(category, role, grade, sub_building, applies=False)
    assert not any(secret in repr(shown) for secret in SECRETS)
    assert (shown.category, shown.headline, shown.action, shown.detail) == (None, None, None, "withheld")
    assert shown.fields() == ("existence",)


@pytest.mark.parametrize("role", sorted(CHECKING))
@pytest.mark.parametrize("grade", [Grade.NEARBY, Grade.ZONE])
def test_near_and_zone_never_say_which_home(grade: Grade, role: str) -> None:
    shown = seen("domestic_abuse_risk", role, grade)
    assert shown.reference is None
    assert shown.marker_id is None
    if grade is Grade.NEARBY:
        assert shown.distance_m is None
        assert "14C" not in repr(shown.why)


def test_an_offender_is_action_only_for_the_call_handler_and_whole_for_the_dispatcher() -> None:
    call_handler = seen("registered_sex_offender", "call_handler", Grade.PREMISES, SubBuilding.SAME)
    assert call_handler.action is not None
    assert (call_handler.category, call_handler.headline, call_handler.reference, call_handler.detail) == (
        None,
        None,
        None,
        "withheld",
    )
    dispatcher = seen("registered_sex_offender", "dispatcher", Grade.PREMISES, SubBuilding.SAME)
    assert dispatcher.detail == "shown"
    assert dispatcher.reference == "REF-77"


def test_an_overdue_review_is_said() -> None:
    shown = seen("child_protection_plan", "call_handler", Grade.PREMISES, SubBuilding.SAME)
    assert shown.review == "unconfirmed_since:2026-10-03"


def changed(category: Category, **levels: str | None) -> dict[str, Category]:
    table = {**category.disclosure, **levels}
    return {category.code: replace(category, disclosure={role: level for role, level in table.items() if level})}


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ({"dispatcher": "everything"}, "must be one of"),
        ({"caretaker": "full"}, "not a role"),
        ({"auditor": None}, "says nothing of auditor"),
        ({"call_handler": "none"}, "must still be said to exist"),
    ],
)
def test_a_wrong_table_is_refused_at_boot(levels: dict[str, str | None], says: str) -> None:
    with pytest.raises(DisclosureError, match=says):
        check_table(changed(CATEGORIES["domestic_abuse_risk"], **levels), ROLES.titles, CHECKING)
