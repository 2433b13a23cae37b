"""What can be recorded of an incident. An incident is the list of its entries; none is ever changed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Final, get_type_hints

from markers.location import RawLocation


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it: the record of their account or token, their name and role as they were then."""

    actor_id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What every entry holds. The order of entries, not `at`, says what came first."""

    at: datetime
    by: Person


@dataclass(frozen=True, slots=True)
class Opened(Entry):
    """The first entry of every incident. `reference` is the CAD's."""

    reference: str


@dataclass(frozen=True, slots=True)
class Typed(Entry):
    """The incident's type, a code of config/incident_types.toml; None when it is not known yet."""

    incident_type: str | None


@dataclass(frozen=True, slots=True)
class Called(Entry):
    """How the call stands: `connected`, `silent` or `dropped`; `number` is the caller's."""

    number: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Located(Entry):
    """Where it is, as it was given; the newest counts."""

    place: RawLocation


@dataclass(frozen=True, slots=True)
class Seen:
    """One match of a check, without the marker's content: its record may be erased, and is read anew to show it."""

    marker_id: str
    version: int
    category: str
    grade: str
    sub_building: str | None
    distance_m: float | None
    confidence: float
    why: tuple[str, ...]
    applies: bool


@dataclass(frozen=True, slots=True)
class Checked(Entry):
    """One check of the incident's place and number. `about` are the ledger's tokens of where, `seen` every match.

    `same` are tokens of the home and the number alone, by which repeat calls are counted.
    """

    check_id: str
    status: str
    reason: str | None
    store: str
    understood: str | None
    precision: str
    known: bool
    warnings: tuple[str, ...]
    about: tuple[str, ...]
    same: tuple[str, ...]
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class PlaceAdded(Entry):
    """Another place that concerns it, such as where the suspect went. `label` says what it is, and may be empty."""

    place_id: str
    label: str
    place: RawLocation


@dataclass(frozen=True, slots=True)
class PlaceChecked(Checked):
    """One check of an added place."""

    place_id: str


@dataclass(frozen=True, slots=True)
class PlaceRemoved(Entry):
    """An added place concerns it no more. `why` may be empty."""

    place_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Graded(Entry):
    """The grade and why. `supervisor` is who agreed to a lower one."""

    grade: str
    reason: str
    lowered: bool
    supervisor: str | None


@dataclass(frozen=True, slots=True)
class RunOpened(Entry):
    """A checklist was opened. `definition` is the fingerprint of its wording, which stays for as long as the incident.

    `because` holds `every`, `type`, `silent` or `marker:CATEGORY`, as many as there were.
    """

    run_id: str
    checklist: str
    definition: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered(Entry):
    """One answer, as checklists/record.py has it."""

    run_id: str
    answer_id: str
    point: str
    unit: str | None
    value: Any
    non_answer: str | None
    note: str


@dataclass(frozen=True, slots=True)
class UnitAdded(Entry):
    """A unit was assigned."""

    call_sign: str


@dataclass(frozen=True, slots=True)
class UnitMoved(Entry):
    """`state` is a code of [[unit_states]] in config/incidents.toml."""

    call_sign: str
    state: str


@dataclass(frozen=True, slots=True)
class UnitLeft(Entry):
    """A unit is no longer on the incident. `why` may be empty."""

    call_sign: str
    why: str


@dataclass(frozen=True, slots=True)
class HandedOff(Entry):
    """What was passed to units. `what` is `read_out`, `copied` or `read_back`; `markers`: id and version of each.

    `brief` names the script: its fingerprint, so that a later one that says something else is known to.
    """

    what: str
    call_signs: tuple[str, ...]
    brief: str
    markers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Acknowledged(Entry):
    """Somebody took a raise on themselves. `key` is `RUN_ID/KEY OF THE RAISE`."""

    key: str
    note: str


@dataclass(frozen=True, slots=True)
class Linked(Entry):
    """Another call belongs to the same incident."""

    reference: str


@dataclass(frozen=True, slots=True)
class Noted(Entry):
    """A line for whoever reads the incident next."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed(Entry):
    """Finished, with the points that were left open and why it was closed all the same."""

    reason: str
    left_open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closing(Entry):
    """Somebody means to close it: the points before closing are asked now."""


@dataclass(frozen=True, slots=True)
class Reopened(Entry):
    """Open again."""

    reason: str


KINDS: Final[dict[str, type[Entry]]] = {
    kind.__name__: kind
    for kind in (
        Opened, Typed, Called, Located, Checked, PlaceAdded, PlaceChecked, PlaceRemoved, Graded, RunOpened, Answered,
        UnitAdded, UnitMoved, UnitLeft, HandedOff, Acknowledged, Linked, Noted, Closing, Closed, Reopened,
    )
}  # fmt: skip


def as_plain(entry: Entry) -> list[Any]:
    """The entry as JSON: its kind, time, person, and its own fields in order."""
    own: list[Any] = []
    for name, _ in _own(type(entry).__name__):
        value = getattr(entry, name)
        if isinstance(value, RawLocation):
            value = {key: given for key in RawLocation.__slots__ if (given := getattr(value, key)) is not None}
        elif name == "seen":
            value = [[getattr(seen, key) for key in Seen.__slots__] for seen in value]
        own.append(value)
    by = entry.by
    return [type(entry).__name__, entry.at.isoformat(), [by.actor_id, by.name, by.role], *own]


def from_plain(plain: list[Any], people: dict[tuple[str, ...], Person]) -> Entry:
    """The inverse of `as_plain`. `people` are those met so far, so that one person is one object.

    Raises KeyError, TypeError or ValueError for what is not an entry.
    """
    kind = KINDS[plain[0]]
    who = tuple(plain[2])
    by = people.get(who) or people.setdefault(who, Person(*who))
    own = [
        convert(value) if convert is not None else value
        for (_, convert), value in zip(_own(plain[0]), plain[3:], strict=True)
    ]
    return kind(datetime.fromisoformat(plain[1]), by, *own)


@cache
def _own(name: str) -> tuple[tuple[str, Any], ...]:
    """The fields of a kind beside those every entry has, each with what makes it from JSON where that is needed."""
    kind = KINDS[name]
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _CONVERTERS.get(str(hints[field.name])))
        for field in fields(kind)
        if field.name not in ("at", "by")
    )


def _pairs(values: list[list[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(pair) for pair in values)


def _seen(values: list[list[Any]]) -> tuple[Seen, ...]:
    return tuple(
        Seen(**{**dict(zip(Seen.__slots__, value, strict=True)), "why": tuple(value[Seen.__slots__.index("why")])})
        for value in values
    )


_CONVERTERS: Final[dict[str, Any]] = {
    str(tuple[str, ...]): tuple,
    str(tuple[tuple[str, int], ...]): _pairs,
    str(tuple[Seen, ...]): _seen,
    str(RawLocation): lambda value: RawLocation(**value),
}
