"""What a check found then beside what applies now: nothing of it names a home, nor a kind to who is not told kinds."""

from __future__ import annotations

from dataclasses import replace

from markers.categories import load_categories
from overlay.incidents.entries import Seen
from overlay.settings import SHIPPED_CONFIG
from overlay.web.then_and_now import differences

CATEGORIES = load_categories(SHIPPED_CONFIG / "categories.toml")
ABUSE = Seen("m1", 1, "domestic_abuse_risk", "premises", "same", None, 1.0, ("flat 3 = Flat 3",), applies=True)
OFFENDER = replace(ABUSE, marker_id="m2", category="registered_sex_offender")


def told(then: list[Seen], now: list[Seen], role: str = "dispatcher") -> tuple[tuple[str, str], ...]:
    return differences(then, now, role, CATEGORIES)


def test_what_is_the_same_is_not_told() -> None:
    assert told([ABUSE, OFFENDER], [OFFENDER, ABUSE]) == ()
    assert told([], []) == ()


def test_what_came_went_moved_or_says_something_else() -> None:
    assert told([ABUSE], []) == (("Domestic abuse risk, at this home", ""),)
    assert told([], [ABUSE]) == (("", "Domestic abuse risk, at this home"),)
    assert told([ABUSE], [replace(ABUSE, grade="possible")]) == (
        ("Domestic abuse risk, at this home", "Domestic abuse risk, may be this home"),
    )
    assert told([ABUSE], [replace(ABUSE, version=2)]) == (
        ("Domestic abuse risk, at this home", "Domestic abuse risk, at this home; what it says has changed"),
    )


def test_a_kind_that_is_withheld_is_withheld_then_and_now() -> None:
    assert told([OFFENDER], [], "call_handler") == (("Detail withheld, at this home", ""),)
    gone = replace(ABUSE, category="no longer kept")
    assert told([], [gone]) == (("", "Detail withheld, at this home"),)
    assert not any("flat 3" in words for pair in told([ABUSE], []) for words in pair)
