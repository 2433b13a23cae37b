"""`overlay bench list`: a long list of markers sent in on its page, read, approved by a second person and carried out.

The page's own worker does it, in this process, on a data folder of its own; every row names a real address.
"""

from __future__ import annotations

import csv
import io
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markers.gazetteer import Gazetteer
from markers.ledger import Via
from markers.model import Premises
from overlay.bench.match import resident_mb
from overlay.bench.scale import sample
from overlay.folders import data_folders
from overlay.list_plans import ListPlan, ListState
from overlay.roles import Actor
from overlay.services import Services
from overlay.settings import Settings
from overlay.upkeep.list_plans import ListWorker, approve, lay_down

_SENDER = Actor("os:bench", "A. Bench", "ppu_officer", Via.CLI)
_APPROVER = Actor("os:second", "B. Second", "ppu_supervisor", Via.CLI)


@dataclass(frozen=True, slots=True)
class ListReport:
    """Rows, and how many became markers; seconds to read and to carry out.

    `worked_s` are processor seconds of this process and its helpers while it did both. `before_mb` is resident before
    anything is read, `reading_mb` the most while the list was read, `done_mb` after its markers are in the index.
    """

    rows: int
    written: int
    on_known_homes: int
    read_s: float
    carried_out_s: float
    worked_s: float
    before_mb: float
    reading_mb: float
    done_mb: float
    load_before: float


def bench_list(settings: Settings, gazetteer: Path, rows: int, seed: int, say: Callable[[str], None]) -> ListReport:
    """Lay out the gazetteer and the list in a temporary folder, walk it through, and remove it all again."""
    load_before = os.getloadavg()[0]
    homes = sample(random.Random(seed), gazetteer, rows)  # noqa: S311 - which addresses, not a secret
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(update={"data": Path(folder) / "data", "store_url": None})
        data_folders(own.data)
        services = Services.start(own.model_copy(update={"store_timeout_s": 5.0}), follow=False)
        try:
            say(f"Loading {rows:,} addresses ...")
            services.gazetteer = Gazetteer.load(own.data / "gazetteer", homes)
            content = _written(homes)
            before_mb = resident_mb()
            worked = _worked_s()
            say(f"Reading a list of {rows:,} rows ...")
            plan = lay_down(services, _SENDER, "list.csv", content, "", services.now())
            read_s, reading_mb = _worked_off(services)
            _stands(services, plan, ListState.WAITING)
            approve(services, _APPROVER, plan.list_id, ("new",), (), "", services.now())
            say("Carrying it out ...")
            carried_out_s, _ = _worked_off(services)
            done = _stands(services, plan, ListState.DONE)
            markers = services.index.all()
            return ListReport(
                rows=rows,
                written=done.done,
                on_known_homes=sum(one.place.premises_id is not None for one in markers),
                read_s=read_s,
                carried_out_s=carried_out_s,
                worked_s=_worked_s() - worked,
                before_mb=before_mb,
                reading_mb=reading_mb,
                done_mb=resident_mb(),
                load_before=load_before,
            )
        finally:
            services.close()


def _written(homes: Sequence[Premises]) -> bytes:
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(("reference", "category", "address", "postcode", "why"))
    sheet.writerows((f"LIST-{number}", "temporary", h.address, h.postcode, "") for number, h in enumerate(homes))
    return text.getvalue().encode()


def _worked_off(services: Services) -> tuple[float, float]:
    """Seconds until the worker has nothing left to do, and the most megabytes meanwhile."""
    worker, began, most = ListWorker(), time.monotonic(), resident_mb()
    while worker.step(services):
        most = max(most, resident_mb())
    return time.monotonic() - began, most


def _stands(services: Services, plan: ListPlan, state: ListState) -> ListPlan:
    """The list as it stands. Raises RuntimeError if it stands elsewhere."""
    now, _ = services.lists.get(plan.list_id)
    if now.state is not state:
        raise RuntimeError(f"the list is {now.state}, not {state}: {now.notes[:3]}")
    return now


def _worked_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
