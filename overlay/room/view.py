"""One incident as one person may see it: looked at and logged first, then put together for a page or a program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checklists.progress import PointState, State
from markers.ledger import Basis
from markers.model import LONDON, Status
from overlay.incidents.board import Standing, standing_of
from overlay.incidents.book import COLLECTION
from overlay.incidents.brief import Brief
from overlay.incidents.model import Incident
from overlay.incidents.prefill import Told, earlier_calls, prefilled
from overlay.incidents.runs import RunState, known_categories, lacking
from overlay.lookup import Answer, Understood
from overlay.roles import Actor
from overlay.room.briefing import script
from overlay.room.looks import Shown, ShownPlace, look
from overlay.services import Services


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident for one person. `answer` is its last check, shown as their role may see it now; `also` those of the
    places that were added, in their order."""

    incident: Incident
    standing: Standing
    shown: Shown
    answer: Answer | None
    also: tuple[Answer | None, ...]
    brief: Brief
    earlier_calls: int
    lacking: tuple[str, ...]

    def prefill(self, state: PointState) -> Any:
        """What a form begins with where nothing was answered."""
        if state.state is not State.OPEN or state.point.prefill is None:
            return None
        told = Told(self.answer.status, self.answer.reason, self.answer.matches) if self.answer is not None else None
        return prefilled(state.point, self.incident, told, self.earlier_calls)

    def run(self, run_id: str) -> RunState | None:
        return next((run for run in self.standing.runs if run.run.run_id == run_id), None)


def view(services: Services, actor: Actor, incident_id: str, now: datetime, reason: str = "incident") -> IncidentView:
    """Raises NoSuchIncident, NotAllowedAnyMore, NothingDisclosed."""
    services.freshen(COLLECTION)  # another process may have made the change that this page is about
    (shown,) = look(services, actor, (services.incidents.get(incident_id),), now, reason)
    incident = shown.incident
    known = known_categories(services.categories, actor.role)
    states = services.standings.of(incident, services.wordings, now)
    standing, _ = standing_of(incident, states, known, services.rules, now)
    return IncidentView(
        incident=incident,
        standing=standing,
        shown=shown,
        answer=answer_of(services, shown.place, now),
        also=tuple(answer_of(services, place, now) for place in shown.also),
        brief=script(services, actor, shown, now),
        earlier_calls=earlier_calls(incident, services.incidents.all(), now),
        lacking=lacking(incident, services.wordings),
    )


def answer_of(services: Services, shown: ShownPlace, now: datetime) -> Answer | None:
    """The last check of a place in the form of an answer.

    It stands only while it would end the same now, against markers that are current: an earlier check that found
    nothing is never shown as clear of a marker that came since, nor while the store can't be asked.
    """
    checked = shown.checked
    if checked is None:
        return None
    status, reason, store, as_of = Status(checked.status), checked.reason, Basis(checked.store), checked.at
    state = services.state(now)
    if shown.changed:
        since = f"What is marked here changed since the check of {checked.at.astimezone(LONDON):%H:%M:%S}: check again."
        status, reason = Status.COULD_NOT_CHECK, " ".join(filter(None, (since, checked.reason)))
    if state.kind != "current":
        status, store, as_of = Status.COULD_NOT_CHECK, Basis.LAST_KNOWN, services.last_contact
        reason = " ".join(filter(None, (f"{state.words}.", checked.reason)))
    return Answer(
        check_id=checked.check_id,
        status=status,
        reason=reason,
        advice="Treat as unknown until it is checked." if status is Status.COULD_NOT_CHECK else None,
        as_of=as_of,
        store=store,
        understood=Understood(checked.understood, checked.precision, checked.known),
        warnings=checked.warnings,
        matches=tuple(item.shown for item in shown.matches),
        prompts=(),
        ledger_entry="",
        ring=services.ring(now),
    )
