"""The radio brief: a short script of what units have to know, and what must not go on an open channel. Pure.

What it is made from is the same for every role that briefs, so one fingerprint says whether a unit was told all of it;
the words are only what the asking role is shown (Data Protection Act 2018 s.62: passing it on is a disclosure).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from checklists.progress import PointState
from markers.model import Category, Grade
from overlay.disclosure import Disclosed, Shown
from overlay.incidents.entries import HandedOff, Located, PlaceAdded, PlaceRemoved, UnitAdded
from overlay.incidents.model import Incident, Place, applying, marked
from overlay.incidents.runs import RunState

_UNSURE = {
    "provisional": "Provisional: public protection has not confirmed it.",
    "unconfirmed_since": "Nobody has confirmed it since {since}.",
}
_MAY_BE = {
    Grade.POSSIBLE: "May be this home: ",
    Grade.BUILDING: "In this building, flat not known: ",
    Grade.ZONE: "In this area: ",
    Grade.NEARBY: "Close by: ",
    Grade.PHONE: "On the caller's number: ",
}
_RING_IN = "Warning marker at this address: ring control before you go in."


@dataclass(frozen=True, slots=True)
class Brief:
    """`say` may be read out on any channel; `not_on_open_channel` by telephone or point to point only.

    `fingerprint` is what a hand-off records: the same as long as a unit would be told the same.
    """

    fingerprint: str
    say: tuple[str, ...]
    not_on_open_channel: tuple[str, ...]
    markers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class UnitBrief:
    """Where one unit stands with the brief. `why` says what it still has to be told, None when it has all of it."""

    call_sign: str
    told_at: datetime | None
    read_back_at: datetime | None
    why: str | None


def brief_of(
    incident: Incident,
    states: tuple[RunState, ...],
    shown: tuple[Disclosed, ...],
    also: tuple[tuple[Place, tuple[Disclosed, ...]], ...],
    categories: Mapping[str, Category],
    grades: Mapping[str, str],
    types: Mapping[str, str],
    said: Mapping[str, str],
) -> Brief:
    """`shown` are the matches of the incident's own place as the asking role may see them, `also` those of its other
    places; `said` are the answers that units must hear, title to words."""
    head = [f"{incident.reference}."]
    if incident.incident_type is not None and incident.incident_type in types:
        head.append(f"{types[incident.incident_type]}.")
    if incident.graded is not None and incident.graded.grade in grades:
        head.append(f"{grades[incident.graded.grade]}.")
    say = [" ".join(head)]
    where = incident.checked.understood if incident.checked is not None else None
    typed = incident.place.address if incident.place is not None else None
    if where or typed:
        say.append(f"Go to: {where or typed}.")
    private: list[str] = []
    for item in shown:
        if item.match.applies:
            on_air, off_air = _lines(item.shown, categories.get(item.match.marker.category))
            say.append(on_air)
            private += off_air
    for place, matches in also:
        named = where_also(place)
        say.append(f"Also {named}.")
        for item in matches:
            if item.match.applies:
                on_air, off_air = _lines(item.shown, categories.get(item.match.marker.category))
                say.append(f"At {named}: {on_air}")
                private += [f"At {named}: {line}" for line in off_air]
    say += [f"{title}: {words}." for title, words in said.items()]
    for checked in incident.checks:
        say += checked.warnings
    told = (*shown, *(item for _, matches in also for item in matches))
    return Brief(
        fingerprint=fingerprint_of(incident, states),
        say=tuple(dict.fromkeys(say)),
        not_on_open_channel=tuple(dict.fromkeys(private)),
        markers=tuple(
            dict.fromkeys((i.match.marker.marker_id, i.match.marker.version) for i in told if i.match.applies)
        ),
    )


def where_also(place: Place) -> str:
    """An added place in words: what it is, and where."""
    understood = place.checked.understood if place.checked is not None else None
    return ", ".join(filter(None, (place.label, understood or place.where.address)))


def _lines(shown: Shown, category: Category | None) -> tuple[str, tuple[str, ...]]:
    radio = category.radio if category is not None and shown.category is not None else ""
    may_be = _MAY_BE.get(shown.grade, "")
    on_air = f"{may_be}{radio}" if radio else f"{may_be}{_RING_IN}"
    told = [text for text in (shown.headline, shown.action, shown.fact) if text]
    state, _, since = (shown.review or "").partition(":")
    if state in _UNSURE:
        told.append(_UNSURE[state].format(since=since))
    if shown.ask is not None:
        told.append(f"Detail withheld: ask {shown.ask}.")
    return on_air, tuple(f"{may_be}{text}" for text in told)


def fingerprint_of(incident: Incident, states: tuple[RunState, ...]) -> str:
    """Of all that a unit must be told of an incident: its place, what applies there, the answers that go with it."""
    checked = incident.checked
    told = {
        "place": checked.understood if checked is not None else None,
        "markers": sorted(applying(checked)) if checked is not None else [],
        "also": [[where_also(p), sorted(applying(p.checked)) if p.checked is not None else []] for p in incident.also],
        "answers": [[point.point.id, answer.value] for point in to_say(states) for answer in (point.answer,) if answer],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def to_say(states: tuple[RunState, ...]) -> tuple[PointState, ...]:
    """The answered points that units must hear of, whoever may see their checklist."""
    return tuple(
        point for state in states for point in state.progress.points if point.point.briefed and point.answer is not None
    )


def unit_briefs(incident: Incident, fingerprint: str) -> tuple[UnitBrief, ...]:
    """Every unit present, and why it has to be briefed (again)."""
    told = [hand_off for hand_off in incident.hand_offs if hand_off.what in ("read_out", "read_back")]
    back = [hand_off for hand_off in incident.hand_offs if hand_off.what == "read_back"]
    anyone_told = bool(told)
    found = []
    for unit in incident.units:
        if unit.left_at is not None:
            continue
        joined = _joined(incident, unit.call_sign)
        mine = [h for h in told if unit.call_sign in h.call_signs and _after(incident, h, joined)]
        mine_back = [h for h in back if unit.call_sign in h.call_signs and _after(incident, h, joined)]
        last = mine[-1] if mine else None
        found.append(
            UnitBrief(
                unit.call_sign,
                last.at if last else None,
                mine_back[-1].at if mine_back and mine_back[-1].brief == fingerprint else None,
                _why(incident, last, fingerprint, anyone_told=anyone_told),
            )
        )
    return tuple(found)


def _why(incident: Incident, last: HandedOff | None, fingerprint: str, *, anyone_told: bool) -> str | None:
    if last is None:
        return "joined after the others were briefed" if anyone_told else "not briefed yet"
    if last.brief == fingerprint:
        return None
    since = incident.log[incident.log.index(last) :]
    if any(isinstance(entry, PlaceAdded) for entry in since):
        return "another place was added since"
    if {(marker_id, version) for marker_id, version, _ in marked(incident)} != set(last.markers):
        return "what is marked there changed since"
    if any(isinstance(entry, Located | PlaceRemoved) for entry in since):
        return "the location moved since"
    return "there is more to tell since"


def _joined(incident: Incident, call_sign: str) -> int:
    """Where in the log the unit joined, the last time."""
    return max(
        n for n, entry in enumerate(incident.log) if isinstance(entry, UnitAdded) and entry.call_sign == call_sign
    )


def _after(incident: Incident, hand_off: HandedOff, place: int) -> bool:
    return any(entry is hand_off for entry in incident.log[place:])
