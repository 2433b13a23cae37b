"""`overlay run --demo`: the invented neighbourhood and one account a role, through the walks real lists take."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from markers.exchange import RowError, marker_id, read_gazetteer, read_markers
from markers.gazetteer import Gazetteer, GazetteerError
from markers.ledger import Via
from markers.model import LONDON
from overlay import quillmarket
from overlay.identity import create_account
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings, SettingsError
from overlay.upkeep.lists import import_markers, plan_import

DEMO_AREA = "quillmarket"
# Published on purpose: it opens invented data on this machine's own loopback address and nothing else.
DEMO_PASSWORD = "tallow-yard-demo"  # noqa: S105 - see above
_Good = TypeVar("_Good")
_LOADER = Actor("system:demo", "Demo set-up", "service", Via.SYSTEM)


@dataclass(frozen=True, slots=True)
class Demo:
    """What to tell the person who started it."""

    accounts: tuple[tuple[str, str], ...]
    tries: tuple[quillmarket.Try, ...]


def renew(settings: Settings) -> None:
    """Lay the neighbourhood's gazetteer out anew where an older version of this program did."""
    if settings.area == DEMO_AREA:
        try:
            with suppress(OSError):  # a folder that can't be used is said where it is made
                Gazetteer.open(settings.data / "gazetteer")
        except GazetteerError:
            _load_gazetteer(settings, quillmarket.build())


def prepare(services: Services, now: datetime) -> Demo:
    """Lay out what is missing; a second run finds the first one's data. Raises SettingsError for a real area."""
    if services.settings.area != DEMO_AREA:
        raise SettingsError(f"--demo lays out invented data and works only with OVERLAY_AREA={DEMO_AREA}.")
    neighbourhood = quillmarket.build()
    folder = services.settings.data / "demo"
    if services.gazetteer.count == 0:
        services.gazetteer = _load_gazetteer(services.settings, neighbourhood)
    today = now.astimezone(LONDON).date()
    listed = (marker_id(row["reference"]) for row in quillmarket.marker_rows(neighbourhood, today))
    if any(services.index.get(known) is None for known in listed):
        _load_markers(services, folder, neighbourhood, today, now)
    for username, name, role in quillmarket.DEMO_ACCOUNTS:
        if services.access.account(username) is None:
            create_account(services.store, services.access, username, name, role, DEMO_PASSWORD, now)
    return Demo(
        accounts=tuple((username, services.roles.title(role)) for username, _, role in quillmarket.DEMO_ACCOUNTS),
        tries=neighbourhood.tries,
    )


def _load_gazetteer(settings: Settings, neighbourhood: quillmarket.Neighbourhood) -> Gazetteer:
    folder = settings.data / "demo"
    folder.mkdir(mode=0o700, exist_ok=True)
    quillmarket.write_gazetteer_csv(neighbourhood, folder / "gazetteer.csv")
    return Gazetteer.load(settings.data / "gazetteer", _all_good(read_gazetteer(folder / "gazetteer.csv")))


def _load_markers(
    services: Services, folder: Path, neighbourhood: quillmarket.Neighbourhood, today: date, now: datetime
) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "markers.csv"
    quillmarket.write_markers_csv(neighbourhood, path, today)
    rows = read_markers(path, services.categories, today, "demo.officer", "demo.supervisor", now)
    missing = [marker for marker in _all_good(rows) if services.index.get(marker.marker_id) is None]
    import_markers(services, _LOADER, plan_import(services, missing), now)


def _all_good(rows: Iterable[_Good | RowError]) -> list[_Good]:
    good: list[_Good] = []
    for row in rows:
        if isinstance(row, RowError):
            raise SettingsError(f"The demo data is damaged: {row}")
        good.append(row)
    return good
