"""What a marker said before: a page for each of its versions, read when somebody asks for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from markers.lifecycle import Change, Person, differences
from markers.model import Marker
from overlay.services import Services
from overlay.upkeep.change import HISTORIES, page_id

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Page:
    """One step of a marker's life: what was done (a short code), by whom, when and why, and what it changed.

    `proposed_by` is set where another person did so. `changes` is None where the version before is not kept: the first
    one, or one from before histories were kept.
    """

    version: int
    what: str
    by: Person
    at: datetime
    why: str
    proposed_by: str | None
    changes: tuple[Change, ...] | None


def history(services: Services, marker: Marker) -> tuple[Page, ...]:
    """The newest step in front, the last 500 of them. Raises `StoreUnavailable`, `VaultError`."""
    first = max(1, marker.version - _LONGEST)
    names = [page_id(marker.marker_id, version) for version in range(first, marker.version + 1)]
    pages: list[Page] = []
    before: Marker | None = None
    for record in services.store.records(HISTORIES, names):
        plain = json.loads(record.plain or b"")
        said = Marker.from_dict(plain["marker"])
        follows = before is not None and before.version == said.version - 1
        pages.append(
            Page(
                said.version,
                plain["what"],
                Person(*plain["by"]),
                datetime.fromisoformat(plain["at"]),
                plain["why"],
                said.proposed_by if plain["what"].startswith("approved_") else None,
                differences(before, said) if follows and before is not None else None,
            )
        )
        before = said
    return tuple(reversed(pages))


def version_of(services: Services, marker_id: str, version: int) -> Marker | None:
    """What one version said, where it is kept. Raises `StoreUnavailable`, `VaultError`."""
    kept = services.store.records(HISTORIES, [page_id(marker_id, version)])
    return Marker.from_dict(json.loads(kept[0].plain or b"")["marker"]) if kept else None
