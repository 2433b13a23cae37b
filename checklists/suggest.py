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
    definitions: Iterable[Definition], incident_type: str | None, shown_categories: frozenset[str]
) -> tuple[Prompt, ...]:
    """Pure. `shown_categories` are those the asking role was shown, so a prompt can't reveal a withheld one."""
    prompts = []
    for definition in definitions:
        rule = definition.show_when
        if incident_type is not None and incident_type in rule.incident_types:
            why = "the incident's type"
        elif shown_categories.intersection(rule.marker_categories):
            why = "the marker shown"
        elif rule.any_incident:
            why = "every incident"
        else:
            continue
        prompts.append(Prompt(definition.id, definition.version, definition.title, why))
    return tuple(sorted(prompts, key=lambda prompt: prompt.why == "every incident"))
