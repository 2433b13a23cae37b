"""A person's own searches of the list of markers, by a title: kind, state, owner and order, and never the words.

Words are an address as a rule, and would stay here after a marker was erased.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from overlay.following import Records

COLLECTION: Final = "saved_views"
MOST: Final = 20
LONGEST_TITLE: Final = 60


class NoSuchView(Exception):
    """No saved view of that id is this person's."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """One search; `actor_id` is whose."""

    view_id: str
    actor_id: str
    title: str
    category: str
    owner: str
    state: str
    order: str

    def as_plain(self) -> bytes:
        """The content of the sealed record."""
        plain = asdict(self)
        plain.pop("view_id")
        return json.dumps(plain).encode()

    @classmethod
    def from_plain(cls, view_id: str, content: bytes) -> Self:
        """The inverse of `as_plain`."""
        return cls(view_id=view_id, **json.loads(content))


class ViewBook(Records[SavedView]):
    """Saved views as of `position`, with the version of each record."""

    def __init__(self) -> None:
        super().__init__(SavedView.from_plain, NoSuchView)

    def of(self, actor_id: str) -> tuple[SavedView, ...]:
        """One person's, by title."""
        own = (view for view, _ in self.all() if view.actor_id == actor_id)
        return tuple(sorted(own, key=lambda view: view.title.casefold()))
