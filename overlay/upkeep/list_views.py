"""A list that was sent in as public protection sees it, some of its rows at a time; logged before it is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from markers.ledger import RecordSeen
from markers.lifecycle import Change, differences
from markers.model import Marker
from overlay.list_plans import PARTS, PIECES, ListPlan, ListState
from overlay.lookup import NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.desk import LISTED, may_see_whole
from overlay.upkeep.list_plans import rows_of
from overlay.viewing import look_logged

MOST_SHOWN: Final = 100
_AT_ONCE = 20
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """Which rows are looked at: a page of each part, counted from 1, or those whose reference holds some letters."""

    pages: Mapping[str, int] = field(default_factory=dict)
    find: str = ""


@dataclass(frozen=True, slots=True)
class ListedView:
    """A list with some of its rows: new ones, changed ones with what differs, and markers that it lacks.

    `pages` is of each part which page it is and of how many; of none where rows were found by their reference, of
    which `more` says that there are others.
    """

    plan: ListPlan
    new: tuple[Marker, ...] = ()
    changed: tuple[tuple[Marker, tuple[Change, ...]], ...] = ()
    missing: tuple[Marker, ...] = ()
    pages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    more: bool = False

    @property
    def ids(self) -> frozenset[str]:
        """Of every row that is shown."""
        changed = (marker for marker, _ in self.changed)
        return frozenset(marker.marker_id for marker in (*self.new, *changed, *self.missing))


def view_plan(services: Services, actor: Actor, list_id: str, now: datetime, looked: Looked = Looked()) -> ListedView:
    """Raises NoSuchList, NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`."""
    services.freshen("lists")
    plan, _ = services.lists.get(list_id)
    if plan.state is not ListState.WAITING and not plan.named:
        return ListedView(plan)
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        view = _shown(services, actor, plan, looked) if plan.state is ListState.WAITING else ListedView(plan)
        named = (*(marker.marker_id for marker, _ in view.changed), *plan.named)
        standing = [*map(services.index.get, dict.fromkeys(named)), *view.missing]
        records = tuple(RecordSeen(m.marker_id, m.version, None, LISTED) for m in standing if m is not None)
        if look_logged(services, actor, "list_page", records, at, now):
            return view
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def _shown(services: Services, actor: Actor, plan: ListPlan, looked: Looked) -> ListedView:
    pages: dict[str, tuple[int, int]] = {}
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    more = False
    if looked.find:
        for row in _found(services, plan, looked.find.casefold()):
            more = len(rows[row["part"]]) >= MOST_SHOWN
            if more:
                break
            rows[row["part"]].append(row)
    else:
        held = _held(services, plan)
        for number, part in enumerate(PARTS):
            counts = [piece[number] for piece in held]
            last = max(1, -(-sum(counts) // MOST_SHOWN))
            page = min(max(1, looked.pages.get(part, 1)), last)
            pages[part] = page, last
            rows[part] = _rows(services, plan, part, counts, page)

    def markers(part: str) -> Iterator[Marker]:
        for row in rows[part]:
            marker = _marker(services, row)
            if marker is not None and may_see_whole(services, actor, marker.category):
                yield marker

    changed = (
        (marker, differences(stands, marker) if (stands := services.index.get(marker.marker_id)) is not None else ())
        for marker in markers("changed")
    )
    return ListedView(plan, tuple(markers("new")), tuple(changed), tuple(markers("missing")), pages, more)


def _held(services: Services, plan: ListPlan) -> Sequence[Sequence[int]]:
    """How many rows of each part every piece holds; counted anew of a list that was read before that was kept."""
    if len(plan.row_counts) == len(plan.row_pieces):
        return plan.row_counts
    pieces = (rows_of(services, [piece]) for piece in plan.row_pieces)
    return [[sum(row["part"] == part for row in rows) for part in PARTS] for rows in pieces]


def _rows(services: Services, plan: ListPlan, part: str, counts: list[int], page: int) -> list[dict[str, Any]]:
    """The rows of one page of a part, from the few pieces that hold them."""
    first, before, skip = (page - 1) * MOST_SHOWN, 0, 0
    wanted: list[str] = []
    for piece, count in zip(plan.row_pieces, counts, strict=True):
        if count and before < first + MOST_SHOWN and before + count > first:
            skip = skip if wanted else first - before
            wanted.append(piece)
        before += count
    held = [row for row in rows_of(services, wanted) if row["part"] == part]
    return held[skip : skip + MOST_SHOWN]


def _found(services: Services, plan: ListPlan, letters: str) -> Iterator[dict[str, Any]]:
    """Every row whose reference holds these letters; a piece that does not hold them is not read row by row."""
    needle = json.dumps(letters)[1:-1].encode() if letters.isascii() else b""
    for first in range(0, len(plan.row_pieces), _AT_ONCE):
        for record in services.store.records(PIECES, plan.row_pieces[first : first + _AT_ONCE]):
            plain = record.plain or b"[]"
            if needle in plain.lower() or b'"missing"' in plain:
                yield from _named(services, json.loads(plain), letters)


def _named(services: Services, rows: Iterable[dict[str, Any]], letters: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        marker = row.get("marker") or services.index.get(row["id"])
        reference = marker["reference"] if isinstance(marker, dict) else marker.reference if marker is not None else ""
        if letters in reference.casefold():
            yield row


def _marker(services: Services, row: dict[str, Any]) -> Marker | None:
    return services.index.get(row["id"]) if row["part"] == "missing" else Marker.from_dict(row["marker"])
