"""Lists of markers that were sent in, in memory, following the store: read, decided by a second person, carried out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from markers.lifecycle import Decision, Person
from overlay.following import Records

COLLECTION: Final = "lists"
PIECES: Final = "list_pieces"  # the file, and its rows once they are read; gone when the list is finished
PARTS: Final = {"new": "New", "changed": "Changed", "missing": "Missing from the list: propose that they end"}


class NoSuchList(Exception):
    """No list of that id: never was one, or it was purged."""


class ListState(StrEnum):
    """Where a list stands."""

    SENDING = "sending"
    READING = "reading"
    WAITING = "waiting"  # for a second person
    CARRYING_OUT = "carrying_out"
    DONE = "done"
    TURNED_DOWN = "turned_down"
    REFUSED = "refused"  # it can't be read; `notes` says why


@dataclass(frozen=True, slots=True)
class ListPlan:
    """One list and what it would do.

    `complete_of` is the category that it names every marker of, empty when it says nothing of those it lacks. `counts`
    are rows by what they would do (`new`, `changed`, `unchanged`, `missing`, `ended`, `doubled`, `unfindable`,
    `rejected`); `row_counts` how many rows of each of PARTS every row piece holds; `notes` say what is wrong with those
    that would do nothing. `parts` and `left_out` (marker ids) are what a second person approved. `done` of `total` rows
    are read, then carried out.
    """

    list_id: str
    name: str
    by: Person
    role: str
    at: datetime
    complete_of: str
    file_pieces: int
    state: ListState = ListState.SENDING
    row_pieces: tuple[str, ...] = ()
    row_counts: tuple[tuple[int, ...], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    decision: Decision | None = None
    decided_role: str = ""
    parts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    named: tuple[str, ...] = ()  # markers that `notes` name beside those of the list
    done: int = 0
    total: int = 0

    @property
    def finished(self) -> bool:
        return self.state in (ListState.DONE, ListState.TURNED_DOWN, ListState.REFUSED)

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every record that holds something of its rows."""
        return (*(f"{self.list_id}.f{number}" for number in range(self.file_pieces)), *self.row_pieces)

    def as_plain(self) -> bytes:
        """The content of the sealed record."""
        plain = asdict(self)
        plain.pop("list_id")
        plain["at"] = self.at.isoformat()
        if self.decision is not None:
            plain["decision"]["at"] = self.decision.at.isoformat()
        return json.dumps(plain).encode()

    @classmethod
    def from_plain(cls, list_id: str, content: bytes) -> Self:
        """The inverse of `as_plain`."""
        plain: dict[str, Any] = json.loads(content)
        decision = plain.pop("decision")
        if decision is not None:
            at = datetime.fromisoformat(decision["at"])
            decision = Decision(decision["accepted"], Person(**decision["by"]), at, decision["why"])
        plain |= {name: tuple(plain[name]) for name in ("row_pieces", "notes", "parts", "left_out", "named")}
        plain["row_counts"] = tuple(map(tuple, plain.get("row_counts", ())))
        plain |= {"by": Person(**plain["by"]), "at": datetime.fromisoformat(plain["at"])}
        return cls(list_id=list_id, **{**plain, "state": ListState(plain["state"]), "decision": decision})


class ListBook(Records[ListPlan]):
    """Lists as of `position`, with the version of each record."""

    def __init__(self) -> None:
        super().__init__(ListPlan.from_plain, NoSuchList)

    def newest(self) -> tuple[ListPlan, ...]:
        """All of them, the newest in front."""
        return tuple(sorted((plan for plan, _ in self.all()), key=lambda plan: plan.at, reverse=True))

    def unfinished(self) -> tuple[ListPlan, ...]:
        """Those that are read, wait or are carried out, the oldest in front."""
        return tuple(plan for plan in reversed(self.newest()) if not plan.finished)
