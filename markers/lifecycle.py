"""What may become of a marker, who may do it and what follows. Pure: `now` is passed in, nothing is stored.

A marker is proposed by one person and approved by another, never the same (DESIGN rule 6: state comes from dates and
approvals). It is then confirmed at each review, amended or ended, each change proposed and approved in the same way.
A control room supervisor may add one at once out of hours: it warns at once and lapses unless public protection,
again another person, keeps it. Only what is over can be erased.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from markers.model import LONDON, Category, Ending, Marker, Place, State

_BOOKKEEPING = frozenset(
    (
        *("marker_id", "version", "recorded_at", "proposed_by", "approved_by", "proposer"),
        *("place", "ending", "details", "more"),
    )
)


class LifecycleRefused(ValueError):  # noqa: N818 - reads as what it is: a step refused
    """A step that can't be taken; nothing was changed. `field` is what it is about, `reason` what to do instead."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class Outdated(LifecycleRefused):
    """Somebody changed the marker after this was begun: `current` is what stands now."""

    def __init__(self, current: Marker) -> None:
        super().__init__("version", "Somebody else has changed this marker since: look at what stands now.")
        self.current = current


class Step(StrEnum):
    """What is proposed."""

    NEW = "new"
    AMEND = "amend"
    END = "end"


@dataclass(frozen=True, slots=True)
class Person:
    """Who did it: the account, and the name it had then."""

    actor_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a second person, or the proposer by withdrawing, made of a proposal."""

    accepted: bool
    by: Person
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A marker as somebody wants it to stand, until another person decides.

    `marker.version` is one more than the version it was made from (1 for a new one). `why` is the proposer's word.
    """

    proposal_id: str
    step: Step
    marker: Marker
    by: Person
    at: datetime
    why: str
    decision: Decision | None = None

    @property
    def open(self) -> bool:
        """Whether it waits for somebody."""
        return self.decision is None

    def as_plain(self) -> bytes:
        """The content of a sealed record."""
        plain: dict[str, Any] = {
            "step": self.step.value,
            "marker": self.marker.as_dict(),
            "by": [self.by.actor_id, self.by.name],
            "at": self.at.isoformat(),
            "why": self.why,
        }
        if self.decision is not None:
            by = [self.decision.by.actor_id, self.decision.by.name]
            at = self.decision.at.isoformat()
            plain["decision"] = {"accepted": self.decision.accepted, "by": by, "at": at, "why": self.decision.why}
        return json.dumps(plain).encode()

    @classmethod
    def from_plain(cls, proposal_id: str, content: bytes) -> Self:
        """The inverse of `as_plain`."""
        plain = json.loads(content)
        decision = plain.get("decision")
        if decision is not None:
            at = datetime.fromisoformat(decision["at"])
            decision = Decision(decision["accepted"], Person(*decision["by"]), at, decision["why"])
        return cls(
            proposal_id=proposal_id,
            step=Step(plain["step"]),
            marker=Marker.from_dict(plain["marker"]),
            by=Person(*plain["by"]),
            at=datetime.fromisoformat(plain["at"]),
            why=plain["why"],
            decision=decision,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs: its name, and what it says before and after; empty where it says nothing."""

    field: str
    before: str
    after: str


def propose(step: Step, wanted: Marker, current: Marker | None, by: Person, why: str, now: datetime) -> Proposal:
    """A proposal for `wanted`, made from `current` (None: there is none yet); its id is left empty.

    `wanted.version` is the version its writer looked at, 0 for a new one. Raises Outdated, LifecycleRefused.
    """
    if step is Step.NEW:
        if current is not None:
            raise LifecycleRefused(
                "reference",
                f"There is a marker {current.reference} already. Amend it, or give this one its own reference.",
            )
    else:
        current = _standing(current, wanted.version, now)
        if step is Step.AMEND and not differences(current, wanted):
            raise LifecycleRefused("marker", "Nothing differs from what stands. Change something, or go back.")
    if wanted.ends_on < now.astimezone(LONDON).date():
        raise LifecycleRefused("ends_on", f"{wanted.ends_on.isoformat()} is over: it would never warn anybody.")
    version, more = (1, ()) if current is None else (current.version + 1, current.more)
    kept = replace(
        wanted,
        version=version,
        proposed_by=by.name,
        proposer=by.actor_id,
        approved_by="",
        recorded_at=now,
        more=more,
    )
    return Proposal("", step, kept, by, now, why)


def end(
    marker: Marker, reason: str, told: str, category: Category | None, now: datetime, *, by_list: bool = False
) -> Marker:
    """The marker with its ending, to be proposed. Raises LifecycleRefused where the category asks who was told.

    A list knows nothing of that: what it proposes leaves it to whoever approves.
    """
    if not by_list:
        _said_if_told(told, category)
    return replace(marker, ending=Ending(now, reason, told, ""))


def asks_if_told(proposal: Proposal, category: Category | None) -> bool:
    """Has whoever approves this ending still to say whether the subject was told?"""
    ending = proposal.marker.ending
    return ending is not None and not ending.told and category is not None and category.tell_subject


def accept(
    proposal: Proposal,
    current: Marker | None,
    by: Person,
    now: datetime,
    category: Category | None = None,
    told: str = "",
) -> Marker:
    """The marker as it stands once `by` has approved. Raises Outdated, LifecycleRefused.

    `told` is whether the subject was told that it ends, where its proposer did not say.
    """
    _undecided(proposal)
    if proposal.by.actor_id == by.actor_id:
        raise LifecycleRefused("person", "You proposed this yourself. A second person has to approve it.")
    if proposal.step is Step.NEW:
        if current is not None:
            raise LifecycleRefused("reference", f"There is a marker {current.reference} already. Turn this one down.")
    else:
        _standing(current, proposal.marker.version - 1, now)
    if proposal.marker.ends_on < now.astimezone(LONDON).date():
        raise LifecycleRefused("ends_on", "Its last day has passed while it waited: turn it down, and propose it anew.")
    approved = replace(proposal.marker, approved_by=by.name, recorded_at=now, provisional_until=None)
    if approved.ending is not None:
        told = approved.ending.told or told
        _said_if_told(told, category)
        approved = replace(approved, ending=replace(approved.ending, at=now, by=proposal.by.name, told=told))
    return approved


def decide(proposal: Proposal, *, accepted: bool, by: Person, why: str, now: datetime) -> Proposal:
    """The proposal with what was decided. Its proposer may take it back, and only that. Raises LifecycleRefused."""
    _undecided(proposal)
    if not accepted and not why:
        raise LifecycleRefused("why", "Say in a line why, so that it can be put right.")
    return replace(proposal, decision=Decision(accepted, by, now, why))


def provisional(marker: Marker, by: Person, lasts: timedelta, now: datetime) -> Marker:
    """A new marker as the control room adds it out of hours: it warns at once, and lapses unless somebody keeps it."""
    return replace(
        marker,
        version=1,
        starts_on=now.astimezone(LONDON).date(),
        proposed_by=by.name,
        proposer=by.actor_id,
        approved_by="",
        recorded_at=now,
        provisional_until=now + lasts,
    )


def keep(marker: Marker, by: Person, now: datetime) -> Marker:
    """A provisional marker confirmed by public protection. Raises LifecycleRefused."""
    state = marker.state_at(now)
    if state is State.LAPSED:
        raise LifecycleRefused("marker", "It has lapsed. If it is still needed, propose it anew.")
    if state is not State.PROVISIONAL:
        raise LifecycleRefused("marker", "It is not provisional, so there is nothing to keep.")
    if marker.proposer == by.actor_id:
        raise LifecycleRefused("person", "You added this yourself. A second person has to keep it.")
    return replace(marker, version=marker.version + 1, provisional_until=None, approved_by=by.name, recorded_at=now)


def dismiss(marker: Marker, by: Person, reason: str, now: datetime) -> Marker:
    """A provisional marker that public protection does not keep: it ends at once. Raises LifecycleRefused."""
    if marker.state_at(now) is not State.PROVISIONAL:
        raise LifecycleRefused("marker", "It is not provisional. Propose its ending, and a second person approves.")
    if not reason:
        raise LifecycleRefused("reason", "Say in a line why it is not kept.")
    return replace(
        marker,
        version=marker.version + 1,
        approved_by=by.name,
        recorded_at=now,
        ending=Ending(now, reason, "", by.name),
    )


def confirm(
    marker: Marker,
    category: Category,
    seen_version: int,
    by: Person,
    now: datetime,
    working: Callable[[date], date] = lambda day: day,
) -> Marker:
    """The marker as reviewed today and still right: its next review is set by the category, never after its end.

    `working` gives the working day on or before a day: a review that would be due on another is due on that.

    Raises Outdated, LifecycleRefused.
    """
    current = _standing(marker, seen_version, now)
    if current.provisional_until is not None:
        raise LifecycleRefused("marker", "It is provisional: keep it or dismiss it. It has no review before that.")
    next_review = working(now.astimezone(LONDON).date() + timedelta(days=category.review_days))
    return replace(
        current,
        version=current.version + 1,
        review_on=min(next_review, current.ends_on),
        confirmed_at=now,
        confirmed_by=by.name,
        recorded_at=now,
    )


def erasable(marker: Marker, now: datetime) -> None:
    """Raises LifecycleRefused unless the marker is over: what still warns is ended first."""
    if not marker.state_at(now).over:
        raise LifecycleRefused("marker", "It still stands. End it first; then it can be erased.")


def differences(before: Marker, after: Marker) -> tuple[Change, ...]:
    """What differs between two versions, field by field, as a person reads it; not who recorded them and when."""
    old, new = said(before), said(after)
    names = dict.fromkeys((*old, *new))
    return tuple(
        Change(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name, "") != new.get(name, "")
    )


def said(marker: Marker) -> dict[str, str]:
    """What a marker says, by field in the order people read it, without its bookkeeping."""
    place = {part.name: _text(getattr(marker.place, part.name)) for part in fields(Place)}
    place.pop("premises_id")
    plain = {name: _text(getattr(marker, name)) for name in Marker.__slots__ if name not in _BOOKKEEPING}
    ending = marker.ending
    ended = {"ending_reason": ending.reason, "ending_told": ending.told} if ending is not None else {}
    return {name: text for name, text in {**plain, **place, **dict(marker.details), **ended}.items() if text}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case float():
            return f"{value:g}"
        case datetime():
            return f"{value.astimezone(LONDON):%Y-%m-%d %H:%M}"
        case _ if hasattr(value, "easting"):
            return f"{value.easting:.0f} {value.northing:.0f}"
        case _:
            return str(value)


def _standing(current: Marker | None, seen_version: int, now: datetime) -> Marker:
    """What stands, if it is what was looked at and can still be changed."""
    if current is None:
        raise LifecycleRefused("marker", "There is no such marker any more.")
    if current.version != seen_version:
        raise Outdated(current)
    if current.state_at(now).over:
        raise LifecycleRefused("marker", "It is over. If it is needed again, propose a new one.")
    return current


def _said_if_told(told: str, category: Category | None) -> None:
    if category is not None and category.tell_subject and not told:
        raise LifecycleRefused(
            "told", f"{category.title}: say if the subject was told that the marker ends, or how that was tried."
        )


def _undecided(proposal: Proposal) -> None:
    decision = proposal.decision
    if decision is not None:
        what = "approved" if decision.accepted else "turned down"
        raise LifecycleRefused(
            "proposal", f"{decision.by.name} {what} this at {decision.at.astimezone(LONDON):%H:%M on %d %b %Y}."
        )
