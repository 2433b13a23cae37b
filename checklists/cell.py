"""One point, for one unit where it is asked of each, while what happened is gone through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from checklists.compiled import CompiledPoint
from checklists.record import Answer
from checklists.states import PointState, Raise, RaiseKind, State

# Looked up once: an enum gives its members slowly.
_WAITING, _OPEN, _DONE, _OVER = State
_ANSWER, _OVERDUE, _UNANSWERED = RaiseKind.ANSWER, RaiseKind.OVERDUE, RaiseKind.UNANSWERED


@dataclass(slots=True, eq=False)
class Need:
    """Whether a point is mandatory, for all units alike. `since` is when another point's answer made it so."""

    mandatory: bool
    since: datetime | None = None


@dataclass(slots=True, eq=False)
class Cell:
    """A round begins whenever it is asked: `round` counts them, `again` says why, `repeated` that time alone did it.

    `counted_from` is what the next repeat counts from. `wanted`: something asks for it even when repeats have
    `stopped`. `looked` is the number of the entry at which time was last let pass over it.
    """

    compiled: CompiledPoint
    unit: str | None
    need: Need
    asked_at: datetime | None = None
    looked: int = 0
    answer: Answer | None = None
    earlier: tuple[Answer, ...] = ()
    again: str | None = None
    round: int = 1
    repeated: bool = False
    wanted: bool = False
    stopped: bool = False
    over: bool = False
    counted_from: datetime | None = None
    raises: dict[str, Raise] = field(default_factory=dict)

    @property
    def last_answer(self) -> Answer | None:
        """The last one given, also while it is asked anew."""
        return self.answer or (self.earlier[-1] if self.earlier else None)

    @property
    def open(self) -> bool:
        return self.asked_at is not None and self.answer is None and not self.over

    def due_at(self) -> datetime | None:
        """Its minutes after it was asked, or made mandatory if later; a repeat without minutes is due at once."""
        start, since, minutes = self.asked_at, self.need.since, self.compiled.due
        if start is None or (minutes is None and not self.repeated):
            return None
        if since is not None and since > start:
            start = since
        return start if minutes is None else start + minutes

    def silent_at(self) -> datetime | None:
        """When it has gone unanswered for too long."""
        if self.asked_at is None or self.compiled.unanswered is None:
            return None
        return self.asked_at + self.compiled.unanswered

    def repeats_at(self) -> datetime | None:
        """When it is asked again if nothing happens: never before its phase."""
        repeat, start, since = self.compiled.repeat, self.asked_at, self.counted_from
        if repeat is None or start is None or since is None or self.stopped or self.answer is None:
            return None
        return max(since + repeat, start)

    def settle(self, at: datetime) -> None:
        """What time alone has done to it by `at`: asked again, and late."""
        if self.answer is not None:
            again_at = self.repeats_at()
            if again_at is None or again_at > at:
                return
            self._round(again_at, "time to ask again")
            self.repeated = True
        if self.asked_at is None or self.over:
            return
        due_at, silent_at = self.due_at(), self.silent_at()
        if due_at is not None and due_at <= at and self.need.mandatory:
            self._raise_late("overdue:", _OVERDUE, due_at)
        if silent_at is not None and silent_at <= at:
            self._raise_late("unanswered:", _UNANSWERED, silent_at)

    def ask_again(self, at: datetime, why: str) -> None:
        """Ask anew what was answered or is over; what is open or waits stays as it is."""
        if self.answer is not None or self.over:
            self._round(None if self.asked_at is None else at, why)
        self.wanted = True

    def renew(self, why: str) -> None:
        """Ask anew from the start of its phase, which is still to come."""
        self._round(None, why)
        self.stopped = False

    def restart(self, at: datetime, why: str) -> None:
        """The incident was closed and is not any more: what is open is asked anew, and repeats begin no earlier."""
        if self.open:
            self._round(at, why)
        elif self.answer is not None:
            self.raise_answer(self.answer, at)
            if self.counted_from is not None and self.compiled.repeat is not None:
                self.counted_from = max(self.counted_from, at - self.compiled.repeat)

    def leave(self) -> None:
        self.stopped = True
        self.over = self.answer is None

    def stop(self) -> None:
        """Repeat it no more; a repeat that is still open lapses, unless something else asked for it too."""
        self.stopped = True
        self.over = self.over or (self.repeated and not self.wanted and self.answer is None)

    def take(self, answer: Answer) -> None:
        """An answer, in place of the one before it."""
        if self.answer is not None:
            self.earlier += (self.answer,)
        self.answer = answer
        if self.compiled.repeat is not None:
            self.counted_from = answer.at if self.asked_at is None else max(answer.at, self.asked_at)

    def raise_answer(self, answer: Answer, at: datetime) -> None:
        """Raise what an answer raises, as far as this round has not."""
        codes = _raised_by(self.compiled, answer)
        if codes:
            point, unit, raises = self.compiled.id, self.unit, self.raises
            matter = f"{point}|{unit or ''}|{self.round}|answer:"
            for code in codes:
                key = matter + code
                if key not in raises:
                    raises[key] = Raise(key, _ANSWER, point, unit, code, at)

    def _round(self, at: datetime | None, why: str) -> None:
        if self.answer is not None:
            self.earlier += (self.answer,)
            self.answer = None
        self.asked_at, self.again = at, why
        self.over = self.repeated = self.wanted = False
        self.round += 1

    def _raise_late(self, name: str, kind: RaiseKind, at: datetime) -> None:
        key = f"{self.compiled.id}|{self.unit or ''}|{self.round}|{name}"
        if key not in self.raises:
            self.raises[key] = Raise(key, kind, self.compiled.id, self.unit, None, at)

    def moments(self) -> Iterable[datetime | None]:
        """When time alone changes it, past ones included."""
        if self.answer is not None:
            return (self.repeats_at(),)
        if not self.open:
            return ()
        return self.due_at() if self.need.mandatory else None, self.silent_at()

    def is_changed_by(self, at: datetime) -> bool:
        """Whether time alone may have done anything to it by `at`."""
        return any(moment is not None and moment <= at for moment in self.moments())

    def copy(self) -> Cell:
        """One that may be changed while this stays as it is."""
        return replace(self, raises=dict(self.raises))

    def as_it_stands(self, seen: datetime, *, closed: bool) -> PointState:
        """`seen` is the latest moment that has been let pass over it."""
        due_at, mandatory, overdue = self.due_at(), self.need.mandatory, False
        if self.answer is not None:
            state = _DONE
        elif self.over or closed:
            state = _OVER
        elif self.asked_at is None:
            state = _WAITING
        else:
            state, overdue = _OPEN, mandatory and due_at is not None and due_at <= seen
        return PointState(
            self.compiled.point,
            self.unit,
            state,
            mandatory,
            self.asked_at,
            due_at,
            overdue,
            self.answer,
            self.earlier,
            self.again,
            tuple(self.raises.values()) if self.raises else (),
        )


def _raised_by(compiled: CompiledPoint, answer: Answer) -> Sequence[str]:
    raising, value = compiled.raising, answer.value
    if answer.non_answer is not None:
        return (answer.non_answer,) if answer.non_answer in raising else ()
    found: list[str] = []
    if raising:
        codes = compiled.codes(value)
        if not raising.isdisjoint(codes):
            found = [code for code in codes if code in raising]
    if compiled.no or compiled.some:
        items: dict[str, Any] = value if isinstance(value, dict) else {compiled.id: value}
        found += [f"no:{item}" for item in compiled.no if items.get(item) is False]
        found += [f"some:{item}" for item in compiled.some if _some(items.get(item))]
    return found


def _some(value: Any) -> bool:
    return value is True or (type(value) is int and value > 0)
