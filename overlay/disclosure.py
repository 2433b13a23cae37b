"""What one role is shown of each match: a pure table, applied after matching and before anything else.

Levels, from `config/categories.toml`: `existence` is the grade and what to do; `headline` adds the category and its
headline; `full` adds reference, owner and contact. A role that may check always learns that something applies:
withholding that would read as clear. Matches that only speak of another home say neither which nor what of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from markers.model import Category, Grade, Match, SubBuilding
from overlay.roles import Actor

LEVELS = ("none", "existence", "headline", "full")
# No distances: two positions could be crossed to find the home.
_ELSEWHERE = {Grade.BUILDING: "another flat in this building", Grade.NEARBY: "a home close to the place given"}


_OF_ITS_OWN_HOME = (
    *("marker_id", "reference", "category", "category_title", "distance_m"),
    *("headline", "action", "owner", "owner_contact", "review"),
)


class DisclosureError(ValueError):
    """A disclosure table that can't be used, in one line."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A match as far as one person may see it; None is withheld or does not apply."""

    marker_id: str | None
    reference: str | None
    category: str | None
    category_title: str | None
    grade: Grade
    sub_building: SubBuilding | None
    distance_m: float | None
    confidence: float
    why: tuple[str, ...]
    headline: str | None
    action: str | None
    owner: str | None
    owner_contact: str | None
    review: str | None
    detail: str

    def fields(self) -> tuple[str, ...]:
        """Names of the marker's fields that were disclosed, for the ledger."""
        named = ("reference", "category", "headline", "action", "owner", "owner_contact")
        return ("existence", *(name for name in named if getattr(self, name) is not None))


def check_table(categories: Mapping[str, Category], roles: Mapping[str, str], checking: frozenset[str]) -> None:
    """Refuse a table with unknown roles or levels, a gap, or `none` for a role that may check.

    `roles` are the known role names; `checking` those that hold the permission to check. Raises DisclosureError.
    """
    for category in categories.values():
        for role, level in category.disclosure.items():
            if role not in roles:
                raise DisclosureError(f"categories.{category.code}.disclosure names {role}, which is not a role.")
            if level not in LEVELS:
                raise DisclosureError(
                    f"categories.{category.code}.disclosure.{role} is {level!r}; it must be one of {', '.join(LEVELS)}."
                )
        for role in roles:
            if role not in category.disclosure:
                raise DisclosureError(f"categories.{category.code}.disclosure says nothing of {role}.")
            if category.disclosure[role] == "none" and role in checking:
                raise DisclosureError(
                    f"categories.{category.code}.disclosure.{role} is none, but that role checks locations: "
                    "a withheld marker must still be said to exist. Use existence."
                )


def for_actor(
    matches: tuple[Match, ...], actor: Actor, categories: Mapping[str, Category], now: datetime
) -> tuple[Shown, ...]:
    """The matches as `actor` may see them, in the same order."""
    return tuple(_shown(match, actor, categories.get(match.marker.category), now) for match in matches)


@lru_cache(maxsize=256)
def _elsewhere(grade: Grade, sub_building: SubBuilding | None, confidence: float) -> Shown:
    """All that anyone is shown of a marker on another home: that there is one."""
    return Shown(
        grade=grade,
        sub_building=sub_building,
        confidence=confidence,
        why=(_ELSEWHERE.get(grade, "a marker on another place"),),
        detail="withheld",
        **dict.fromkeys(_OF_ITS_OWN_HOME),
    )


def _shown(match: Match, actor: Actor, category: Category | None, now: datetime) -> Shown:
    if not match.applies:
        return _elsewhere(match.grade, match.sub_building, match.confidence)
    marker = match.marker
    level = LEVELS.index(category.disclosure[actor.role]) if category is not None else LEVELS.index("existence")
    which_home = match.grade not in (Grade.ZONE, Grade.NEARBY)
    headline = level >= LEVELS.index("headline")
    full = level >= LEVELS.index("full")
    return Shown(
        marker_id=marker.marker_id if full and which_home else None,
        reference=marker.reference if full and which_home else None,
        category=marker.category if headline else None,
        category_title=category.title if headline and category is not None else None,
        grade=match.grade,
        sub_building=match.sub_building,
        distance_m=None if match.grade is Grade.NEARBY else match.distance_m,
        confidence=match.confidence,
        why=match.why if which_home or match.grade is Grade.ZONE else (_ELSEWHERE[match.grade],),
        headline=marker.headline if headline else None,
        action=marker.action if level >= LEVELS.index("existence") else None,
        owner=marker.owner if full else None,
        owner_contact=marker.owner_contact if full else None,
        review=marker.review_at(now) if level >= LEVELS.index("existence") else None,
        detail="shown" if full and which_home else "withheld",
    )
