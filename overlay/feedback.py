"""What the control room said of markers, in memory, following the store: wrong place, moved, still right."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Self

from overlay.following import Records

COLLECTION: Final = "feedback"
KINDS: Final = {"wrong_place": "wrong place", "moved": "moved away", "still_right": "still right"}


class NoSuchFeedback(Exception):
    """No feedback of that id: never was one, or it went with its marker."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One person's word on one marker, as they were shown it. `kind` is one of KINDS.

    `settled_at`, `settled_by` and `settled_why` are set once public protection has dealt with it.
    """

    feedback_id: str
    marker_id: str
    version: int
    kind: str
    word: str
    by_id: str
    by_name: str
    role: str
    at: datetime
    incident: str | None = None
    settled_at: datetime | None = None
    settled_by: str = ""
    settled_why: str = ""

    def as_plain(self) -> bytes:
        """The content of the sealed record."""
        plain = asdict(self)
        plain.pop("feedback_id")
        for name in ("at", "settled_at"):
            plain[name] = plain[name].isoformat() if plain[name] is not None else None
        return json.dumps(plain).encode()

    @classmethod
    def from_plain(cls, feedback_id: str, content: bytes) -> Self:
        """The inverse of `as_plain`."""
        plain = json.loads(content)
        for name in ("at", "settled_at"):
            plain[name] = datetime.fromisoformat(plain[name]) if plain[name] is not None else None
        return cls(feedback_id=feedback_id, **plain)


class FeedbackBook(Records[Feedback]):
    """Feedback as of `position`, with the version of each record."""

    def __init__(self) -> None:
        super().__init__(Feedback.from_plain, NoSuchFeedback)

    def waiting(self) -> tuple[Feedback, ...]:
        """What nobody has dealt with, the oldest in front."""
        kept = [feedback for feedback, _ in self.all() if feedback.settled_at is None]
        return tuple(sorted(kept, key=lambda feedback: feedback.at))

    def of_marker(self, marker_id: str) -> tuple[tuple[Feedback, int], ...]:
        """All that was said of one marker, the newest in front, with the versions of the records."""
        kept = [one for one in self.all() if one[0].marker_id == marker_id]
        return tuple(sorted(kept, key=lambda one: one[0].at, reverse=True))
