"""What one role is shown of each match: a pure table, applied after matching and before anything else.

The ladder, from `config/categories.toml`, each step with what is below it: `existence` is the grade and what to do;
`headline` the category, its headline, reference, owner and contact; `narrative` the facts and the opinion; `source`
where they come from. A role that may check always learns that something applies: withholding that would read as clear.
Matches that only speak of another home say neither which nor what of. Broken glass raises a person to the category's
own step for one incident (overlay/glass.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from markers.model import Category, Grade, Marker, Match, SubBuilding
from overlay.roles import Actor

LEVELS = ("none", "existence", "headline", "narrative", "source")
_EXISTENCE, _HEADLINE, _NARRATIVE, _SOURCE = range(1, 5)
# No distances: two positions could be crossed to find the home.
_ELSEWHERE = {Grade.BUILDING: "another flat in this building", Grade.NEARBY: "a home close to the place given"}
_MARKER_FIELDS = (
    *("reference", "category", "headline", "action", "owner", "owner_contact"),
    *("fact", "opinion", "source", "source_reference"),
)
_WITHHELD = (*_MARKER_FIELDS, "marker_id", "category_title", "distance_m", "review", "ask")
# Words of a title or headline that tell nothing of what it is.
_SAY_NOTHING = frozenset(("a", "an", "and", "at", "by", "for", "her", "here", "him", "his", "home", "house", "in", "is",
                          "it", "lives", "of", "on", "or", "the", "to"))  # fmt: skip


class DisclosureError(ValueError):
    """A disclosure table that can't be used, in one line."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A match as far as one person may see it; None is withheld or does not apply.

    `ask` is who may say what is withheld of a marker that applies.
    """

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
    fact: str | None
    opinion: str | None
    source: str | None
    source_reference: str | None
    review: str | None
    detail: str
    ask: str | None

    def fields(self) -> tuple[str, ...]:
        """Names of the marker's fields that were disclosed, for the ledger."""
        return ("existence", *(name for name in _MARKER_FIELDS if getattr(self, name) is not None))


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A match and what was shown of it. The match itself goes no further than the ledger's entry."""

    match: Match
    shown: Shown


def check_table(categories: Mapping[str, Category], roles: Mapping[str, str], checking: frozenset[str]) -> None:
    """Refuse a table with unknown roles or levels, a gap, or `none` for a role that may check.

    `roles` are the known role names; `checking` those that hold the permission to check. Where one of them is shown no
    more than existence, the category's action may not name what is withheld. Raises DisclosureError.
    """
    for category in categories.values():
        where = f"categories.{category.code}"
        for place, level in (*category.disclosure.items(), ("break_glass", category.break_glass)):
            field = f"disclosure.{place}" if place != "break_glass" else place
            if place not in roles and place != "break_glass":
                raise DisclosureError(f"{where}.disclosure names {place}, which is not a role.")
            if level not in LEVELS:
                raise DisclosureError(f"{where}.{field} is {level!r}; it must be one of {', '.join(LEVELS)}.")
        for role in roles:
            if role not in category.disclosure:
                raise DisclosureError(f"{where}.disclosure says nothing of {role}.")
            if category.disclosure[role] == "none" and role in checking:
                raise DisclosureError(
                    f"{where}.disclosure.{role} is none, but that role checks locations: "
                    "a withheld marker must still be said to exist. Use existence."
                )
        if "existence" in category.disclosure.values() and gives_away(category.action, category):
            raise DisclosureError(
                f"{where}.action names what the category is, and some roles are shown no more than the action."
            )


def shows_all(role: str, category: Category | None) -> bool:
    """Whether a role is shown every part of a category's markers: who is not can't change or approve them."""
    return category is not None and category.disclosure.get(role) == LEVELS[_SOURCE]


def names_it(role: str, category: Category | None) -> bool:
    """Whether a role is told what kind of marker one of a category is."""
    return category is not None and LEVELS.index(category.disclosure.get(role, LEVELS[0])) >= _HEADLINE


def gives_away(action: str, category: Category) -> bool:
    """Whether an action names what its category is: a word of the title or headline that says something."""
    return _names(action, f"{category.title} {category.headline}")


@lru_cache(maxsize=1024)
def _names(action: str, what: str) -> bool:
    return not (_words(what) - _SAY_NOTHING).isdisjoint(_words(action))


def for_actor(
    matches: tuple[Match, ...],
    actor: Actor,
    categories: Mapping[str, Category],
    now: datetime,
    *,
    ask: str,
    glass_broken: bool = False,
) -> tuple[Disclosed, ...]:
    """The matches as `actor` may see them, strongest first; between equals the order comes from what is shown.

    `ask` names whom this role asks for what is withheld.
    """
    seen = []
    for match in matches:
        category = categories.get(match.marker.category)
        level = _level(actor.role, category, glass_broken=glass_broken)
        seen.append(Disclosed(match, _shown(match, category, level, ask, now)))
    equals = groupby(seen, key=lambda item: (item.match.applies, item.match.grade, item.match.confidence))
    return tuple(item for _, group in equals for item in sorted(group, key=lambda item: _order(item.shown)))


def _order(shown: Shown) -> tuple[object, ...]:
    distance = -1.0 if shown.distance_m is None else shown.distance_m
    return (distance, shown.reference or "", shown.category or "", shown.action or "", shown.why)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.casefold()))


@lru_cache(maxsize=256)
def _elsewhere(grade: Grade, sub_building: SubBuilding | None, confidence: float) -> Shown:
    """All that anyone is shown of a marker on another home: that there is one."""
    return Shown(
        grade=grade,
        sub_building=sub_building,
        confidence=confidence,
        why=(_ELSEWHERE.get(grade, "a marker on another place"),),
        detail="withheld",
        **dict.fromkeys(_WITHHELD),
    )


def _shown(match: Match, category: Category | None, level: int, ask: str, now: datetime) -> Shown:
    if not match.applies:
        return _elsewhere(match.grade, match.sub_building, match.confidence)
    marker = match.marker
    which_home = match.grade not in (Grade.ZONE, Grade.NEARBY)
    headline = level >= _HEADLINE
    named = headline and which_home
    narrative = level >= _NARRATIVE and which_home
    source = level >= _SOURCE and which_home
    return Shown(
        marker_id=marker.marker_id if named else None,
        reference=marker.reference if named else None,
        category=marker.category if headline else None,
        category_title=category.title if headline and category is not None else None,
        grade=match.grade,
        sub_building=match.sub_building,
        distance_m=None if match.grade is Grade.NEARBY else match.distance_m,
        confidence=match.confidence,
        why=match.why if which_home or match.grade is Grade.ZONE else (_ELSEWHERE[match.grade],),
        headline=marker.headline if headline else None,
        action=_action(marker, category, level),
        owner=marker.owner if headline else None,
        owner_contact=marker.owner_contact if headline else None,
        fact=marker.fact or None if narrative else None,
        opinion=marker.opinion or None if narrative else None,
        source=marker.source or None if source else None,
        source_reference=marker.source_reference or None if source else None,
        review=marker.review_at(now) if level >= _EXISTENCE else None,
        detail="shown" if named else "withheld",
        ask=None if headline else ask,
    )


def _level(role: str, category: Category | None, *, glass_broken: bool) -> int:
    """A category that is no longer in the file is shown to nobody beyond existence."""
    if category is None:
        return _EXISTENCE
    own = LEVELS.index(category.disclosure[role])
    return max(own, LEVELS.index(category.break_glass)) if glass_broken and own >= _EXISTENCE else own


def _action(marker: Marker, category: Category | None, level: int) -> str | None:
    """What to do; for whom the category is withheld, in words that do not name it."""
    if level < _EXISTENCE:
        return None
    if level == _EXISTENCE and category is not None and gives_away(marker.action, category):
        return category.action
    return marker.action
