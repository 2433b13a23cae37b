"""The HTTP interface's shapes of incidents: what may be sent and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from checklists.definition import Definition
from checklists.progress import PointState, State
from overlay.api.models import CheckResponse, LocationIn, Text, _Shape
from overlay.incidents.model import Incident
from overlay.incidents.raises import Raised
from overlay.room.view import IncidentView

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Reference = Annotated[Text, Field(min_length=1, max_length=64)]
CallSign = Annotated[Text, Field(min_length=1, max_length=20)]
Line = Annotated[Text, Field(max_length=2000)]


class OpenIncidentIn(_Shape):
    """An incident to open: its place is checked in the same commit."""

    reference: Reference
    type: Code | None = None
    call: Literal["connected", "silent", "dropped"] = "connected"
    location: LocationIn = LocationIn()
    caller_number: Annotated[Text, Field(max_length=40)] | None = None


class PlaceIn(_Shape):
    """A place that concerns the incident beside its own. `label` says what it is."""

    location: LocationIn
    label: Annotated[Text, Field(max_length=120)] = ""


class ChangeIncidentIn(_Shape):
    """What changed of an incident; exactly one of the parts. Whatever concerns a place checks it again."""

    location: LocationIn | None = None
    added_place: PlaceIn | None = None
    removed_place: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    type: Code | None = None
    call: Literal["connected", "silent", "dropped"] | None = None
    caller_number: Annotated[Text, Field(max_length=40)] | None = None
    note: Line | None = None
    linked_reference: Reference | None = None


class GradeIn(_Shape):
    """A grade and its reason; a lower one needs the supervisor who agreed."""

    grade: Code
    reason: Line
    supervisor: Annotated[Text, Field(max_length=120)] | None = None


class UnitIn(_Shape):
    """A unit: `add` it, say its `state`, or that it `left`."""

    call_sign: CallSign
    act: Literal["add", "state", "left"] = "add"
    state: Code | None = None
    why: Line = ""


class AnswerIn(_Shape):
    """An answer, or a non-answer. `seen` is the `answer_id` that stood when the person saw the point."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")]
    point: Code
    unit: CallSign | None = None
    value: Any = None
    non_answer: Code | None = None
    note: Line = ""
    seen: Annotated[str, Field(pattern=r"^[0-9a-f]{0,32}$")] = ""


class HandOffIn(_Shape):
    """What was passed to units; `brief` is the `fingerprint` of the script it was."""

    what: Literal["read_out", "copied", "read_back"]
    call_signs: Annotated[tuple[CallSign, ...], Field(min_length=1, max_length=60, strict=False)]
    brief: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class CloseIn(_Shape):
    """Close it, or open it again."""

    act: Literal["begin", "close", "reopen"] = "close"
    reason: Line = ""


class TakeRaiseIn(_Shape):
    """Take raises on oneself, by their keys."""

    keys: Annotated[
        tuple[Annotated[Text, Field(max_length=300)], ...], Field(min_length=1, max_length=500, strict=False)
    ]
    note: Line = ""


class AnswerOut(_Shape):
    """An answer as it was recorded."""

    answer_id: str
    at: datetime
    by: str
    value: Any
    non_answer: str | None
    note: str


class PointOut(_Shape):
    """One point as it stands."""

    point: str
    title: str
    prompt: str
    who: str
    phase: str
    unit: str | None
    state: State
    mandatory: bool
    due_at: datetime | None
    overdue: bool
    again: str | None
    answer: AnswerOut | None
    earlier: tuple[AnswerOut, ...]

    @classmethod
    def of(cls, state: PointState) -> PointOut:
        point = state.point
        return cls(
            point=point.id,
            title=point.title,
            prompt=point.prompt,
            who=point.who,
            phase=point.phase,
            unit=state.unit,
            state=state.state,
            mandatory=state.mandatory,
            due_at=state.due_at,
            overdue=state.overdue,
            again=state.again,
            answer=_answer(state.answer) if state.answer else None,
            earlier=tuple(_answer(answer) for answer in state.earlier),
        )


class RunOut(_Shape):
    """One checklist of the incident that the asking role may know of."""

    run_id: str
    checklist: str
    version: int
    title: str
    points: tuple[PointOut, ...]


class UnitOut(_Shape):
    """One call sign and what it still has to be told."""

    call_sign: str
    state: str
    since: datetime
    left: bool
    brief: str | None


class RaiseOut(_Shape):
    """A matter put before the supervisor."""

    key: str
    point: str
    unit: str | None
    kind: str
    code: str | None
    at: datetime
    with_whom: str
    acknowledged_by: str | None

    @classmethod
    def of(cls, matter: Raised) -> RaiseOut:
        return cls(
            key=matter.key,
            point=matter.point,
            unit=matter.unit,
            kind=matter.kind,
            code=matter.code,
            at=matter.at,
            with_whom=matter.with_whom.title,
            acknowledged_by=matter.acknowledged.by.name if matter.acknowledged else None,
        )


class IncidentSummary(_Shape):
    """An incident in the order of the board."""

    incident_id: str
    reference: str
    type: str | None
    grade: str | None
    opened_at: datetime
    closed_at: datetime | None
    version: int
    need: str
    open: int
    overdue: int
    raised: int


class PlaceOut(_Shape):
    """A place that was added to an incident. `changed`: its last check would end otherwise now."""

    place_id: str
    label: str
    check: CheckResponse | None
    changed: bool


class IncidentOut(_Shape):
    """One incident as the asking role may see it. `changed`: the last check of its place would end otherwise now."""

    incident: IncidentSummary
    call: str | None
    check: CheckResponse | None
    changed: bool
    also: tuple[PlaceOut, ...]
    units: tuple[UnitOut, ...]
    runs: tuple[RunOut, ...]
    raises: tuple[RaiseOut, ...]

    @classmethod
    def of(cls, seen: IncidentView) -> IncidentOut:
        incident, standing = seen.incident, seen.standing
        briefs = {brief.call_sign: brief.why for brief in standing.units}
        return cls(
            incident=summary(
                incident, standing.need.name.casefold(), standing.open, standing.overdue, len(standing.waiting_raises)
            ),
            call=incident.call.state if incident.call else None,
            check=CheckResponse.of(seen.answer) if seen.answer else None,
            changed=seen.shown.place.changed,
            also=tuple(
                PlaceOut(
                    place_id=place.place_id,
                    label=place.label,
                    check=CheckResponse.of(answer) if answer else None,
                    changed=shown.changed,
                )
                for place, answer, shown in zip(incident.also, seen.also, seen.shown.also, strict=True)
            ),
            units=tuple(
                UnitOut(
                    call_sign=unit.call_sign,
                    state=unit.state,
                    since=unit.state_at,
                    left=unit.left_at is not None,
                    brief=briefs.get(unit.call_sign),
                )
                for unit in incident.units
            ),
            runs=tuple(
                RunOut(
                    run_id=run.run.run_id,
                    checklist=run.run.checklist,
                    version=run.progress.definition.version,
                    title=run.progress.definition.title,
                    points=tuple(PointOut.of(point) for point in run.progress.points),
                )
                for run in standing.runs
            ),
            raises=tuple(RaiseOut.of(matter) for matter in standing.raises),
        )


class IncidentsOut(_Shape):
    """Open incidents, the one that needs somebody first in front. `open` counts all of them."""

    incidents: tuple[IncidentSummary, ...]
    open: int


class BriefOut(_Shape):
    """The radio brief. `not_on_open_channel` goes by telephone or point to point only."""

    fingerprint: str
    say: tuple[str, ...]
    not_on_open_channel: tuple[str, ...]


class ChecklistOut(_Shape):
    """A checklist definition by name."""

    checklist: str
    version: int
    title: str
    status: str

    @classmethod
    def of(cls, definition: Definition) -> ChecklistOut:
        return cls(
            checklist=definition.id,
            version=definition.version,
            title=definition.title,
            status=definition.approval.status,
        )


class ChecklistsOut(_Shape):
    """The checklists that incidents are opened with now."""

    checklists: tuple[ChecklistOut, ...]


def summary(incident: Incident, need: str, open_points: int, overdue: int, raised: int) -> IncidentSummary:
    """An incident in one line."""
    return IncidentSummary(
        incident_id=incident.incident_id,
        reference=incident.reference,
        type=incident.incident_type,
        grade=incident.graded.grade if incident.graded else None,
        opened_at=incident.opened.at,
        closed_at=incident.closed.at if incident.closed else None,
        version=incident.version,
        need=need,
        open=open_points,
        overdue=overdue,
        raised=raised,
    )


def _answer(answer: Any) -> AnswerOut:
    return AnswerOut(
        answer_id=answer.answer_id,
        at=answer.at,
        by=answer.by,
        value=answer.value,
        non_answer=answer.non_answer,
        note=answer.note,
    )
