"""What a check of an incident's place showed then, and what differs since: by kind and grade, never by a home.

A role that is not told what kind a marker is reads "Detail withheld", then as now; of other homes nothing is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from markers.model import Category, Grade
from overlay.disclosure import names_it

_GRADES = {
    Grade.PREMISES: "at this home",
    Grade.PHONE: "on this number",
    Grade.ZONE: "in this area",
    Grade.POSSIBLE: "may be this home",
    Grade.BUILDING: "in this building, flat not known",
    Grade.NEARBY: "close by",
}


class Match(Protocol):
    """What is compared: one match of a check, as it was kept or as it is now."""

    @property
    def marker_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def category(self) -> str: ...
    @property
    def grade(self) -> str: ...


def differences(
    then: Iterable[Match], now: Iterable[Match], role: str, categories: Mapping[str, Category]
) -> tuple[tuple[str, str], ...]:
    """What applied then beside what applies now, for each marker that differs; empty text where there was none."""
    before, after = ({match.marker_id: match for match in matches} for matches in (then, now))
    found = []
    for marker_id in dict.fromkeys((*before, *after)):
        old, new = before.get(marker_id), after.get(marker_id)
        words = tuple(_words(match, role, categories) for match in (old, new))
        if words[0] != words[1]:
            found.append(words)
        elif old is not None and new is not None and old.version != new.version:
            found.append((words[0], f"{words[1]}; what it says has changed"))
    return tuple((first, second) for first, second in found)


def _words(match: Match | None, role: str, categories: Mapping[str, Category]) -> str:
    if match is None:
        return ""
    category = categories.get(match.category)
    title = category.title if category is not None and names_it(role, category) else "Detail withheld"
    return f"{title}, {_GRADES.get(Grade(match.grade), match.grade)}"
