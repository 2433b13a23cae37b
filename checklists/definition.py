"""The shape of a checklist definition: what is asked, of whom, when, how it may be answered, and what follows.

A definition is data that a force approves and versions. Values of answers are plain JSON:

    yes_no       true or false
    choice       a code of `options`
    multi        a list of codes of `options`, in their order; one of `none_of` stands alone
    text         text, one line or several, not empty
    count        a whole number from 0 to `largest`
    ack          {"name": who gave it, "at": when, ISO 8601}
    person_time  {"name": who, "at": when, ISO 8601}
    checks       {code of an item: "clear", "hit", "failed" or "not_done"}
    listed       a code of the force's own list `list` (grades, contact_methods)
    call_signs   a list of call signs of the incident
    set          {code of an item: its value, or {"non_answer": code, "reason": text}}; every item is there
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

CODE = r"^[a-z][a-z0-9_]{0,59}$"
Code = Annotated[str, Field(pattern=CODE)]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
Minutes = Annotated[int, Field(ge=1, le=10_080)]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a definition: where, and what to do. `line` is 0 where there is no line."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.field, self.reason) if part)


class DefinitionError(ValueError):
    """Definitions that can't be used. Its words are one line; `errors` are all that was found."""

    def __init__(self, errors: Iterable[Fault]) -> None:
        self.errors = tuple(errors)
        more = len(self.errors) - 1
        super().__init__(f"{self.errors[0]}" + (f" (and {more} more)" if more else ""))


class Who(StrEnum):
    """Whose point it is; anyone who may answer may answer it, and is named."""

    CALL_HANDLER = "call_handler"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"


class Phase(StrEnum):
    """When a point is asked; its minutes count from the start of its phase."""

    ON_CALL = "on_call"
    ON_DISPATCH = "on_dispatch"
    ON_SCENE = "on_scene"
    BEFORE_CLOSE = "before_close"


class Trigger(StrEnum):
    """What happens to an incident that can ask for a checklist again."""

    MARKER_MATCH_CHANGED = "marker_match_changed"
    NEW_CALL_LINKED = "new_call_linked"
    CALL_DROPPED_OR_SILENT = "call_dropped_or_silent"
    GRADE_LOWERED = "grade_lowered"
    UNIT_DIVERTED = "unit_diverted"
    RESPONSE_OVERDUE = "response_overdue"
    LOCATION_CHANGED = "location_changed"


class Part(BaseModel):
    """Frozen; a field that is not known is refused, never passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class YesNo(Part):
    """Yes or no."""

    type: Literal["yes_no"]


class Choice(Part):
    """One of `options`, code to label."""

    type: Literal["choice"]
    options: Annotated[dict[Code, Words], Field(min_length=2)]


class Multi(Part):
    """Any of `options`; each of `none_of` says that none of the others holds."""

    type: Literal["multi"]
    options: Annotated[dict[Code, Words], Field(min_length=2)]
    none_of: tuple[Code, ...] = Field(default=(), strict=False)


class Text(Part):
    """Free text of up to `longest` characters."""

    type: Literal["text"]
    longest: Annotated[int, Field(ge=1, le=4000)] = 2000


class Count(Part):
    """A whole number from 0."""

    type: Literal["count"]
    largest: Annotated[int, Field(ge=1)] = 99


class Ack(Part):
    """Given by a named person or call sign, at a time."""

    type: Literal["ack"]


class PersonTime(Part):
    """A named person and a time."""

    type: Literal["person_time"]


class Checks(Part):
    """Named checks, each clear, a hit, failed or not done."""

    type: Literal["checks"]
    items: Annotated[dict[Code, Words], Field(min_length=1)]


class Listed(Part):
    """One of a list that the force keeps beside the definitions."""

    type: Literal["listed"]
    list: Literal["grades", "contact_methods"]


class CallSigns(Part):
    """Call signs of units of the incident."""

    type: Literal["call_signs"]


SimpleType = Annotated[
    YesNo | Choice | Multi | Text | Count | Ack | PersonTime | Checks | Listed | CallSigns, Field(discriminator="type")
]


class Item(Part):
    """One named part of a set."""

    title: Words
    answer: SimpleType
    optional: bool = False


class Set(Part):
    """Named parts, each with its own answer or non-answer."""

    type: Literal["set"]
    items: Annotated[dict[Code, Item], Field(min_length=1)]


AnswerType = Annotated[
    YesNo | Choice | Multi | Text | Count | Ack | PersonTime | Checks | Listed | CallSigns | Set,
    Field(discriminator="type"),
]


class NonAnswer(Part):
    """A way to close a point without an answer. It is an answer too, so nobody has to guess."""

    label: Words
    needs_reason: bool = False


class MandatoryIf(Part):
    """Mandatory once another point of the same checklist has any of these in its answer."""

    point: Code
    any_of: tuple[str, ...] = Field(min_length=1, strict=False)


class Raises(Part):
    """Which answers are put before the control room supervisor.

    `codes`: any of these chosen, anywhere in the answer, codes of non-answers included. `no`: these items (or the
    point itself, under its own id) answered no. `some`: these items counted above nought or answered yes.
    `unanswered_after_minutes`: nothing said so long after it was asked.
    """

    codes: tuple[Code, ...] = Field(default=(), strict=False)
    no: tuple[Code, ...] = Field(default=(), strict=False)
    some: tuple[Code, ...] = Field(default=(), strict=False)
    unanswered_after_minutes: Minutes | None = None


class Point(Part):
    """One thing to ask or do. A mandatory point is answered or closed with a reason; it never holds up a unit.

    `repeat_per_unit`: asked for every call sign of the incident. `repeat_minutes`: asked again so long after each
    answer, until `stop_when`. `prefill`: what the system knows is filled in and confirmed by a person. `key`: which of
    the board's one-key answers it takes. `briefed`: units must hear its answer. An answer of the list `grades` is the
    incident's grade.
    """

    id: Code
    number: Annotated[int, Field(ge=1)] | None = None
    title: Words
    prompt: Words
    who: Who = Field(strict=False)
    phase: Phase = Field(strict=False)
    mandatory: bool = False
    mandatory_if: MandatoryIf | None = None
    answer: AnswerType
    non_answers: tuple[Code, ...] | None = Field(default=None, strict=False)
    note_required_if: tuple[Code, ...] = Field(default=(), strict=False)
    due_minutes: Minutes | None = None
    repeat_minutes: Minutes | None = None
    repeat_per_unit: bool = False
    stop_when: Literal["unit_on_scene"] | None = None
    raises: Raises = Raises()
    prefill: Literal["marker_match", "call_history", "grade"] | None = None
    key: Literal["brief", "video", "supervisor", "caller"] | None = None
    briefed: bool = False
    quality: bool = False


class Section(Part):
    """Points that belong together under one question."""

    id: Code
    letter: Annotated[str, Field(pattern="^[A-Z]$")] | None = None
    title: Words
    asks: Words | None = None
    points: tuple[Point, ...] = Field(min_length=1, strict=False)


class ShowWhen(Part):
    """Any one of these opens the checklist."""

    any_incident: bool = False
    incident_types: tuple[Code, ...] = Field(default=(), strict=False)
    marker_categories: tuple[Code, ...] = Field(default=(), strict=False)
    grades: tuple[Literal["premises", "phone", "zone", "possible", "building", "nearby"], ...] = Field(
        default=(), strict=False
    )
    silent_or_dropped_from_marked_number: bool = False


class Approval(Part):
    """Who answers for the wording. A draft may be used for practice and says so on the screen."""

    status: Literal["draft", "approved"]
    approved_by: Words | None = None
    approved_on: date | None = Field(default=None, strict=False)
    review_due: date | None = Field(default=None, strict=False)


class Definition(Part):
    """One checklist: `id` and `version` identify what a person was asked.

    `redo_when` asks all of it again, `raises_when` puts what happened before the supervisor.
    """

    id: Code
    title: Words
    version: Annotated[int, Field(ge=1)]
    approval: Approval
    show_when: ShowWhen
    redo_when: tuple[Annotated[Trigger, Field(strict=False)], ...] = Field(default=(), strict=False)
    raises_when: tuple[Annotated[Trigger, Field(strict=False)], ...] = Field(default=(), strict=False)
    non_answers: dict[Code, NonAnswer]
    sections: tuple[Section, ...] = Field(min_length=1, strict=False)

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point in the order it is asked."""
        return tuple(point for section in self.sections for point in section.points)
