"""What is put before the supervisor, who has it now, and to whom it goes if nobody takes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from checklists.progress import Raise, RaiseKind
from checklists.record import Event
from overlay.incidents.entries import Acknowledged
from overlay.incidents.model import Incident
from overlay.incidents.rules import RaisedTo, Rules
from overlay.incidents.runs import RunState, visible


@dataclass(frozen=True, slots=True)
class Raised:
    """One matter of one incident. `key` is what acknowledging it names.

    `point` is the title of what was asked, `code` the answer's code that raised it. `with_whom` has had it since
    `since`; `goes_on_at` is when the next person has it too, None when there is none or it was acknowledged.
    """

    key: str
    incident_id: str
    reference: str
    checklist: str
    point: str
    unit: str | None
    kind: RaiseKind
    code: str | None
    at: datetime
    with_whom: RaisedTo
    step: int
    since: datetime
    goes_on_at: datetime | None
    acknowledged: Acknowledged | None


def raised(
    incident: Incident, states: tuple[RunState, ...], known: frozenset[str], rules: Rules, now: datetime
) -> tuple[Raised, ...]:
    """Everything raised of an incident that a role may know of, oldest first."""
    found = []
    for state in states:
        if not visible(state.run, known):
            continue
        titles = {point.id: point.title for point in state.progress.definition.points}
        for matter in (*state.progress.raises, *_events(state)):
            if matter.at > now:
                continue
            key = f"{state.run.run_id}/{matter.key}"
            taken = incident.acknowledged.get(key)
            step, since, goes_on_at = _reached(rules.raised_to, matter.at, taken.at if taken else now)
            found.append(
                Raised(
                    key=key,
                    incident_id=incident.incident_id,
                    reference=incident.reference,
                    checklist=state.progress.definition.title,
                    point=titles.get(matter.point, matter.point),
                    unit=matter.unit,
                    kind=matter.kind,
                    code=matter.code,
                    at=matter.at,
                    with_whom=rules.raised_to[step],
                    step=step,
                    since=since,
                    goes_on_at=None if taken else goes_on_at,
                    acknowledged=taken,
                )
            )
    return tuple(sorted(found, key=lambda matter: matter.at))


def _events(state: RunState) -> Iterator[Raise]:
    """What happened that the checklist puts before the supervisor whatever was answered."""
    when = frozenset(trigger.value for trigger in state.progress.definition.raises_when)
    for number, told in enumerate(state.run.happened):
        if isinstance(told, Event) and told.what.value in when:
            said = f"{told.why[:1].upper()}{told.why[1:]}"
            yield Raise(f"event|{number}|{told.what}", RaiseKind.EVENT, said, None, None, told.at)


def _reached(chain: tuple[RaisedTo, ...], at: datetime, until: datetime) -> tuple[int, datetime, datetime | None]:
    """How far along the chain a matter had come, since when, and when it goes on."""
    since = at
    for step, person in enumerate(chain[:-1]):
        goes_on_at = since + person.patience
        if until < goes_on_at:
            return step, since, goes_on_at
        since = goes_on_at
    return len(chain) - 1, since, None
