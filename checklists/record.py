"""What happened to one incident, as far as its checklists are concerned: answers, and events that ask for more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Happened(StrEnum):
    """What an incident's checklists have to hear of."""

    UNIT_ADDED = "unit_added"
    UNIT_LEFT = "unit_left"
    UNIT_ON_SCENE = "unit_on_scene"
    UNIT_DIVERTED = "unit_diverted"
    RESPONSE_OVERDUE = "response_overdue"
    BRIEF_CHANGED = "brief_changed"
    MARKER_MATCH_CHANGED = "marker_match_changed"
    LOCATION_CHANGED = "location_changed"
    GRADE_LOWERED = "grade_lowered"
    CALL_DROPPED_OR_SILENT = "call_dropped_or_silent"
    NEW_CALL_LINKED = "new_call_linked"
    CLOSING = "closing"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one point, kept for good. `value` is JSON as checklists/definition.py says, None for a non-answer.

    `unit` is the call sign, for a point that is asked of every unit. `by` is who said it, as a person reads it.
    """

    answer_id: str
    point: str
    at: datetime
    by: str
    value: Any = None
    non_answer: str | None = None
    note: str = ""
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `unit` where it is about one; `why` in a few words that give away no marker."""

    what: Happened
    at: datetime
    unit: str | None = None
    why: str = ""


Entry = Answer | Event
