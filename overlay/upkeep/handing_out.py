"""A list of markers that leaves the system: by permission, in the ledger before a byte of it is given.

Whoever asks has been found to hold `markers.export`: the page's route, the command's person.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from markers.handing_out import as_csv, as_workbook, columns_of
from markers.ledger import RecordSeen
from markers.lifecycle import said
from markers.model import LONDON, Marker
from overlay.listing import Search, found
from overlay.lookup import NothingDisclosed
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.desk import may_see_whole
from overlay.viewing import look_logged

FORMS: Final = {"csv": as_csv, "xlsx": as_workbook}
_TRIES = 8


def hand_out(services: Services, actor: Actor, search: Search, form: str, now: datetime) -> tuple[bytes, int]:
    """The markers a search finds as a file, and how many they are. `form` is one of FORMS.

    Raises KeyError, NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`.
    """
    write = FORMS[form]
    markers = listed(services, actor, search, now)
    return write(markers, columns_of(services.categories)), len(markers)


def listed(services: Services, actor: Actor, search: Search, now: datetime) -> list[Marker]:
    """The markers a search finds that this person may take out, once the ledger says so. Raises as `hand_out`."""
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        rows = services.listing.rows(services.index, now, search.order)
        of_all = found(rows, search, now.astimezone(LONDON).date())
        markers = [marker for marker in of_all if may_see_whole(services, actor, marker.category)]
        seen = tuple(
            RecordSeen(marker.marker_id, marker.version, None, ("existence", *sorted(said(marker))))
            for marker in markers
        )
        if look_logged(services, actor, "marker_export", seen, at, now):
            return markers
    raise NothingDisclosed("Markers are changing faster than they can be listed. Ask again.")
