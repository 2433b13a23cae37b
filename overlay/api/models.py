"""The HTTP interface's shapes: what may be asked and what is answered. Its description is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from markers.ledger import Basis
from markers.location import LONGEST_ADDRESS, RawLocation
from markers.model import Grade, Precision, Status, SubBuilding
from overlay.lookup import Answer, Asked
from overlay.plain_text import is_plain_text


def _plain_text(text: str) -> str:
    if not is_plain_text(text):
        raise ValueError("holds characters that are not text")
    return text


Text = Annotated[str, AfterValidator(_plain_text)]
_ONLY_WHEN_SHOWN = ("fact", "opinion", "source", "source_reference")
Metres = Annotated[float, Field(allow_inf_nan=False)]
Degrees = Annotated[float, Field(allow_inf_nan=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class IncidentIn(_Shape):
    """Which incident the check is for."""

    reference: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None


class LocationIn(_Shape):
    """Where. Any of the fields, alone or together; metres are British National Grid, degrees WGS 84."""

    address: Annotated[Text, Field(max_length=LONGEST_ADDRESS)] | None = None
    postcode: Annotated[Text, Field(max_length=16)] | None = None
    uprn: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = None
    grid_reference: Annotated[Text, Field(max_length=32)] | None = None
    easting: Metres | None = None
    northing: Metres | None = None
    longitude: Degrees | None = None
    latitude: Degrees | None = None
    uncertainty_m: Annotated[float, Field(allow_inf_nan=False, ge=0)] | None = None


class CheckRequest(_Shape):
    """One check of one location."""

    incident: IncidentIn | None = None
    location: LocationIn = LocationIn()
    caller_number: Annotated[Text, Field(max_length=40)] | None = None
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")] = "incident_response"

    def asked(self) -> Asked:
        """The same in the core's terms."""
        incident = self.incident or IncidentIn()
        return Asked(
            location=RawLocation(**self.location.model_dump(), phone=self.caller_number),
            incident_reference=incident.reference,
            incident_type=incident.type,
            reason=self.reason,
        )


class UnderstoodOut(_Shape):
    """How the location was read; `known` when the gazetteer has it."""

    text: str | None
    known: bool


class LocationOut(_Shape):
    """What was understood of the location, how precisely, and what to be wary of."""

    understood: UnderstoodOut
    precision: Precision
    warnings: tuple[str, ...]


class MatchOut(_Shape):
    """One marker, as far as the asking role may see it; null is withheld or does not apply.

    `fact`, `opinion`, `source` and `source_reference` are there only for a role that is shown them.
    """

    marker_id: str | None
    reference: str | None
    category: str | None
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
    detail: Literal["shown", "withheld"]
    fact: str | None = None
    opinion: str | None = None
    source: str | None = None
    source_reference: str | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_shown(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Facts, opinion and source stand there only for a role that is shown them."""
        told: dict[str, Any] = whole(self)
        return {name: value for name, value in told.items() if value is not None or name not in _ONLY_WHEN_SHOWN}


class PromptOut(_Shape):
    """A checklist to open, and why."""

    checklist: str
    version: int
    why: str


class CheckResponse(_Shape):
    """The answer. Anything but a 200 with `status` `clear` is not a clear."""

    check_id: str
    status: Status
    reason: str | None
    as_of: datetime
    store: Basis
    location: LocationOut
    matches: tuple[MatchOut, ...]
    prompts: tuple[PromptOut, ...]
    ledger_entry: str

    @classmethod
    def of(cls, answer: Answer) -> CheckResponse:
        """The answer in the interface's shape."""
        return cls(
            check_id=answer.check_id,
            status=answer.status,
            reason=answer.reason,
            as_of=answer.as_of,
            store=Basis(answer.store),
            location=LocationOut(
                understood=UnderstoodOut(text=answer.understood.text, known=answer.understood.known),
                precision=Precision(answer.understood.precision),
                warnings=answer.warnings,
            ),
            matches=tuple(
                MatchOut(**{name: getattr(shown, name) for name in MatchOut.model_fields}) for shown in answer.matches
            ),
            prompts=tuple(
                PromptOut(checklist=prompt.checklist, version=prompt.version, why=prompt.why)
                for prompt in answer.prompts
            ),
            ledger_entry=answer.ledger_entry,
        )


class FieldProblem(_Shape):
    """What is wrong with one field."""

    field: str
    reason: str


class ProblemOut(_Shape):
    """RFC 9457. `status` is the HTTP status; `check` is there when a check was asked for: it was not made."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    error_id: str | None = None
    check: Literal["could_not_check"] | None = None


class StreamEventOut(_Shape):
    """One server-sent event; `data` is a JSON object, `id` what to go on from."""

    event: Literal["incidents", "markers", "reload", "store", "ended"]
    id: str = Field(pattern=r"^\d+-\d+(-\d+)?$")
    data: str


class HealthOut(_Shape):
    """Whether the service is alive or ready, in words."""

    status: Literal["alive", "ready", "not_ready"]
    detail: str
    process: str | None = Field(None, description="Tells one web worker from another; of /healthz alone.")
