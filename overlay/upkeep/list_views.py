"""A list that was sent in as public protection sees it; logged before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markers.ledger import RecordSeen
from markers.lifecycle import Change, differences
from markers.model import Marker
from overlay.list_plans import ListPlan, ListState
from overlay.lookup import NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.desk import LISTED, may_see_whole
from overlay.upkeep.list_plans import rows_of
from overlay.viewing import look_logged

MOST_SHOWN: Final = 100
_MOST_PIECES = 10
_TRIES = 8


@dataclass(frozen=True, slots=True)
class ListedView:
    """A list with the first of its rows: new ones, changed ones with what differs, and markers that it lacks."""

    plan: ListPlan
    new: tuple[Marker, ...] = ()
    changed: tuple[tuple[Marker, tuple[Change, ...]], ...] = ()
    missing: tuple[Marker, ...] = ()


def view_plan(services: Services, actor: Actor, list_id: str, now: datetime) -> ListedView:
    """Raises NoSuchList, NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`."""
    services.freshen("lists")
    plan, _ = services.lists.get(list_id)
    if plan.state is not ListState.WAITING and not plan.named:
        return ListedView(plan)
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        view = _shown(services, actor, plan) if plan.state is ListState.WAITING else ListedView(plan)
        named = (*(marker.marker_id for marker, _ in view.changed), *plan.named)
        standing = [*map(services.index.get, dict.fromkeys(named)), *view.missing]
        records = tuple(RecordSeen(m.marker_id, m.version, None, LISTED) for m in standing if m is not None)
        if look_logged(services, actor, "list_page", records, at, now):
            return view
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def _shown(services: Services, actor: Actor, plan: ListPlan) -> ListedView:
    new: list[Marker] = []
    changed: list[tuple[Marker, tuple[Change, ...]]] = []
    missing: list[Marker] = []
    last = rows_of(services, plan.row_pieces[-2:]) if plan.counts.get("missing") else []
    first = rows_of(services, plan.row_pieces[:_MOST_PIECES])
    seen: set[str] = set()
    for row in (*first, *last):
        marker = services.index.get(row["id"]) if row["part"] == "missing" else Marker.from_dict(row["marker"])
        if marker is None or marker.marker_id in seen or not may_see_whole(services, actor, marker.category):
            continue
        seen.add(marker.marker_id)
        match row["part"]:
            case "new":
                new.append(marker)
            case "changed":
                stands = services.index.get(marker.marker_id)
                changed.append((marker, differences(stands, marker) if stands is not None else ()))
            case _:
                missing.append(marker)
    return ListedView(plan, tuple(new[:MOST_SHOWN]), tuple(changed[:MOST_SHOWN]), tuple(missing[:MOST_SHOWN]))
