"""Which checklists are suggested, and why: never more than what the asking role was shown."""

from __future__ import annotations

from typing import Any

import pytest

from checklists.definition import Definition
from checklists.load import load_definitions
from checklists.suggest import Prompt, suggested

SHIPPED = load_definitions()


def checklist(name: str, **show_when: Any) -> Definition:
    question = {"id": "asked", "title": "Asked", "prompt": "Asked?", "who": "dispatcher", "phase": "on_call"}
    return Definition.model_validate(
        {
            "id": name,
            "title": name.title(),
            "version": 3,
            "approval": {"status": "draft"},
            "show_when": show_when,
            "non_answers": {},
            "sections": [{"id": "all", "title": "All", "points": [{**question, "answer": {"type": "yes_no"}}]}],
        }
    )


def reasons(
    of: Definition, incident_type: str | None = None, *shown: tuple[str, str], silent: bool = False
) -> list[str]:
    found = suggested([of], incident_type, frozenset(shown), silent_from_marked_number=silent)
    return [prompt.why for prompt in found]


def test_a_checklist_of_every_incident_is_suggested_whatever_it_is() -> None:
    every = checklist("every", any_incident=True)
    assert suggested([every], None, frozenset()) == (Prompt("every", 3, "Every", "every incident"),)


def test_the_type_suggests_what_names_it_and_no_other() -> None:
    domestic = checklist("domestic", incident_types=["domestic"])
    assert reasons(domestic, "domestic") == ["the incident's type"]
    assert reasons(domestic, "theft") == reasons(domestic, None) == []


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ((("flood", "premises"),), ["the marker shown"]),
        ((("flood", "zone"), ("flood", "phone")), ["the marker shown"]),
        ((("flood", "zone"),), []),
        ((("fire", "premises"),), []),
        ((), []),
    ],
)
def test_a_marker_suggests_by_its_category_and_how_it_matched(
    shown: tuple[tuple[str, str], ...], why: list[str]
) -> None:
    flood = checklist("flood", marker_categories=["flood"], grades=["premises", "phone"])
    assert reasons(flood, None, *shown) == why


def test_a_marker_suggests_however_it_matched_where_the_checklist_does_not_say() -> None:
    assert reasons(checklist("flood", marker_categories=["flood"]), None, ("flood", "nearby")) == ["the marker shown"]


def test_a_silent_call_from_a_marked_number_suggests_what_asks_for_it_and_names_no_marker() -> None:
    silent = checklist("silent", silent_or_dropped_from_marked_number=True, marker_categories=["flood"])
    assert reasons(silent, None, silent=True) == ["a silent or dropped call from a marked number"]
    assert reasons(silent, None) == []
    assert reasons(checklist("flood", marker_categories=["flood"]), None, silent=True) == []


def test_each_is_suggested_once_for_the_plainest_of_its_reasons_and_those_of_every_incident_come_last() -> None:
    every = checklist("every", any_incident=True)
    much = checklist("much", any_incident=True, incident_types=["domestic"], marker_categories=["flood"])
    found = suggested([every, much], "domestic", frozenset({("flood", "premises")}))
    assert [(prompt.checklist, prompt.why) for prompt in found] == [
        ("much", "the incident's type"),
        ("every", "every incident"),
    ]


def test_of_those_that_ship_a_marker_that_was_not_shown_suggests_nothing() -> None:
    assert [prompt.checklist for prompt in suggested(SHIPPED, "theft", frozenset())] == ["thrive"]
    shown = frozenset({("domestic_abuse_risk", "phone")})
    assert [prompt.checklist for prompt in suggested(SHIPPED, "theft", shown)] == [
        "domestic_abuse_20",
        "marker_domestic_abuse_risk",
        "units_to_marked_place",
        "thrive",
    ]
