"""Which checklists an incident opens, and the words that say why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from checklists.definition import Definition


@dataclass(frozen=True, slots=True)
class Prompt:
    """A checklist to open. `why` never says more than the categories it was given."""

    checklist: str
    version: int
    title: str
    why: str


def suggested(
    definitions: Iterable[Definition],
    incident_type: str | None,
    shown: frozenset[tuple[str, str]],
    *,
    silent_from_marked_number: bool = False,
) -> tuple[Prompt, ...]:
    """Pure. `shown` are category and grade of what the asking role was shown, so a prompt can't reveal what was not."""
    prompts = []
    for definition in definitions:
        rule = definition.show_when
        if incident_type is not None and incident_type in rule.incident_types:
            why = "the incident's type"
        elif silent_from_marked_number and rule.silent_or_dropped_from_marked_number:
            why = "a silent or dropped call from a marked number"
        elif any(category in rule.marker_categories and _fits(grade, rule.grades) for category, grade in shown):
            why = "the marker shown"
        elif rule.any_incident:
            why = "every incident"
        else:
            continue
        prompts.append(Prompt(definition.id, definition.version, definition.title, why))
    return tuple(sorted(prompts, key=lambda prompt: prompt.why == "every incident"))


def _fits(grade: str, grades: tuple[str, ...]) -> bool:
    return not grades or grade in grades
