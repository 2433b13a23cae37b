from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from markers.categories import load_categories
from markers.ledger import Via
from markers.model import Category, Grade, Marker, Match, Place, SubBuilding
from overlay.disclosure import LEVELS, DisclosureError, Shown, check_table, for_actor, gives_away, names_it, shows_all
from overlay.roles import Actor, Roles

CONFIG = Path(__file__).resolve().parents[2] / "config"
CATEGORIES = load_categories(CONFIG / "categories.toml")
ROLES = Roles.load(CONFIG / "roles.toml")
CHECKING = frozenset(role for role in ROLES.titles if ROLES.allows(role, "checks.make"))
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SECRETS = (
    *("REF-77", "child plan since", "PPU Quillmarket", "020 7946", "Flat 14C", "m-77"),
    *("two children", "on purpose", "referral", "S-1"),
)
LADDER = {
    "existence": {"action"},
    "headline": {"reference", "category", "headline", "owner", "owner_contact"},
    "narrative": {"fact", "opinion"},
    "source": {"source", "source_reference"},
}
# Category by category: who is shown how much. What ships is a starting point for a force; a change is made knowingly.
OPEN = {
    "call_handler": "headline",
    "dispatcher": "narrative",
    "control_room_supervisor": "narrative",
    "ppu_officer": "source",
    "ppu_supervisor": "source",
    "auditor": "none",
    "administrator": "none",
    "service": "headline",
}
SHIPPED = {
    **dict.fromkeys(CATEGORIES, OPEN),
    "registered_sex_offender": {**OPEN, "call_handler": "existence", "service": "existence"},
}


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
        fact="two children live here",
        opinion="the visits are missed on purpose",
    )


def disclosed(role: str, *matches: Match, categories=CATEGORIES, glass_broken: bool = False) -> list[Shown]:
    actor = Actor("p", "A Person", role, Via.WEB)
    found = for_actor(matches, actor, categories, NOW, ask=ROLES.asks[role], glass_broken=glass_broken)
    return [item.shown for item in found]


def seen(
    category: str,
    role: str,
    grade: Grade,
    sub_building: SubBuilding | None = None,
    *,
    applies: bool = True,
    glass_broken: bool = False,
) -> Shown:
    found = Match(marker(category), grade, ("Flat 14C carries a marker",), 0.9, sub_building, 43.2, applies=applies)
    return disclosed(role, found, glass_broken=glass_broken)[0]


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


@pytest.mark.parametrize("role", ROLES.titles)
@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_the_shipped_ladder_cell_by_cell(category: str, role: str) -> None:
    level = LEVELS.index(SHIPPED[category][role])
    may = {"existence"}
    for step in LEVELS[1 : level + 1]:
        may |= LADDER[step]
    shown = seen(category, role, Grade.PREMISES, SubBuilding.SAME)
    assert set(shown.fields()) == may
    assert (shown.ask is None) == (level >= LEVELS.index("headline"))
    assert shown.detail == ("shown" if level >= LEVELS.index("headline") else "withheld")
    assert (shown.review is None) == (level == 0)


@pytest.mark.parametrize("role", ROLES.titles)
@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_the_desk_names_and_shows_what_the_ladder_allows(category: str, role: str) -> None:
    level = LEVELS.index(SHIPPED[category][role])
    assert names_it(role, CATEGORIES[category]) == (level >= LEVELS.index("headline"))
    assert shows_all(role, CATEGORIES[category]) == (level == LEVELS.index("source"))
    assert not names_it("no such role", CATEGORIES[category])
    assert not names_it(role, None)
    assert not shows_all(role, None)


@pytest.mark.parametrize("role", sorted(CHECKING))
@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_broken_glass_raises_a_person_to_the_categorys_own_step_and_never_lowers(category: str, role: str) -> None:
    level = max(LEVELS.index(SHIPPED[category][role]), LEVELS.index("narrative"))
    shown = seen(category, role, Grade.PREMISES, SubBuilding.SAME, glass_broken=True)
    assert set(shown.fields()) == {"existence"}.union(*(LADDER[step] for step in LEVELS[1 : level + 1]))
    context = seen(category, role, Grade.BUILDING, SubBuilding.DIFFERENT, applies=False, glass_broken=True)
    assert context.fields() == ("existence",)


def test_glass_opens_nothing_where_the_category_says_so_or_the_role_sees_nothing() -> None:
    sealed = {"x": replace(CATEGORIES["registered_sex_offender"], code="x", break_glass="none")}
    found = Match(marker("x"), Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME)
    assert disclosed("call_handler", found, categories=sealed, glass_broken=True)[0].fields() == ("existence", "action")
    assert seen("court_order", "auditor", Grade.PREMISES, glass_broken=True).fields() == ("existence",)


def test_a_withheld_marker_says_whom_to_ask_in_the_same_words_whatever_it_is() -> None:
    hidden = {
        code: replace(category, disclosure={**category.disclosure, "call_handler": "existence"})
        for code, category in CATEGORIES.items()
    }
    shown = [
        disclosed(
            "call_handler",
            Match(marker(code), Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME),
            categories=hidden,
        )[0]
        for code in hidden
    ]
    assert len(set(shown)) == 1
    assert shown[0].ask == "the dispatcher"


def test_an_action_that_names_what_is_withheld_is_not_shown_to_whom_it_is_withheld_from() -> None:
    offender = CATEGORIES["registered_sex_offender"]
    telling = replace(marker("registered_sex_offender"), action="Tell the OFFENDER manager before you go in.")
    assert gives_away(telling.action, offender)
    assert not gives_away(offender.action, offender)
    found = Match(telling, Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME)
    assert disclosed("call_handler", found)[0].action == offender.action
    assert disclosed("dispatcher", found)[0].action == telling.action


def test_a_category_that_left_the_file_is_existence_to_everyone() -> None:
    found = Match(marker("gone"), Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME)
    assert {tuple(disclosed(role, found)[0].fields()) for role in CHECKING} == {("existence", "action")}


def test_the_order_of_equals_says_nothing_of_what_is_withheld() -> None:
    """Two markers of one home: whichever reference comes first, whoever sees neither sees the same list."""
    one = replace(marker("registered_sex_offender"), marker_id="1", reference="A-1", action="Ask who is in.")
    two = replace(marker("registered_sex_offender"), marker_id="2", reference="B-2", action="Ring first.")
    swapped = (replace(one, reference="B-2"), replace(two, reference="A-1"))

    def listed(role: str, pair: tuple[Marker, ...]) -> list[Shown]:
        found = (Match(item, Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME) for item in pair)
        return disclosed(role, *sorted(found, key=lambda match: match.marker.reference))

    assert listed("call_handler", (one, two)) == listed("call_handler", swapped)
    assert [shown.reference for shown in listed("dispatcher", swapped)] == ["A-1", "B-2"]


def test_stronger_matches_stay_in_front_whatever_is_shown_of_them() -> None:
    withheld = Match(marker("registered_sex_offender"), Grade.PREMISES, ("14 = 14",), 1.0, SubBuilding.SAME)
    open_one = Match(marker("court_order"), Grade.POSSIBLE, ("14 = 14",), 0.6)
    assert [shown.grade for shown in disclosed("call_handler", withheld, open_one)] == [Grade.PREMISES, Grade.POSSIBLE]


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
        ({"caretaker": "source"}, "not a role"),
        ({"auditor": None}, "says nothing of auditor"),
        ({"call_handler": "none"}, "must still be said to exist"),
    ],
)
def test_a_wrong_table_is_refused_at_boot(levels: dict[str, str | None], says: str) -> None:
    with pytest.raises(DisclosureError, match=says):
        check_table(changed(CATEGORIES["domestic_abuse_risk"], **levels), ROLES.titles, CHECKING)


def test_a_step_of_broken_glass_that_is_none_and_an_action_that_tells_are_refused_at_boot() -> None:
    order = CATEGORIES["court_order"]
    with pytest.raises(DisclosureError, match=r"court_order\.break_glass is 'all'"):
        check_table({"court_order": replace(order, break_glass="all")}, ROLES.titles, CHECKING)
    offender = CATEGORIES["registered_sex_offender"]
    telling = replace(offender, action="A registered person lives here.")
    with pytest.raises(DisclosureError, match=r"registered_sex_offender\.action names what the category is"):
        check_table({offender.code: telling}, ROLES.titles, CHECKING)
