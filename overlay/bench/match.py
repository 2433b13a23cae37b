"""`overlay bench match`: a labelled set through the real gazetteer, index and matcher, and what came of it.

Homes and markers go the way a force's own would: the gazetteer is loaded, each marker's written address is placed on
it as `overlay markers import` does, then every text is matched, one after the other, in this process. Real addresses
may be among them, so no marker has a category.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from markers.address import read_address
from markers.gazetteer import Gazetteer
from markers.index import MarkerIndex
from markers.location import LocationError, RawLocation, read_location
from markers.matching import Distances, Outcome, match
from markers.model import Marker, Place, Precision, Premises, Status
from markers.resolve import resolve
from overlay.bench.matchset import MatchSet
from overlay.bench.score import Judged, Score, judge_outcome, score
from overlay.bench.timing import Timing

_NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
_STARTS, _REVIEW, _ENDS = ((_NOW + timedelta(days=days)).date() for days in (-30, 30, 300))


@dataclass(frozen=True, slots=True)
class MatchReport:
    """`timing` is of single texts in their order, nothing warmed up; `rate` in it is the batch rate, which is the same
    loop. `misplaced` counts markers whose own address was read as another home of the gazetteer, `unplaced` those
    that were read as none. `memory_mb` is this process's resident memory after the run."""

    score: Score
    judged: tuple[Judged, ...]
    timing: Timing
    homes: int
    markers: int
    misplaced: int
    unplaced: int
    memory_mb: float


def bench_match(labelled: MatchSet, say: Callable[[str], None]) -> MatchReport:
    """Load, match, judge. Everything lies in a temporary folder and is removed again."""
    twins = labelled.twins()
    say(f"Loading {len(labelled.homes):,} homes and {len(labelled.marked):,} markers ...")
    with loaded(labelled.homes, labelled.marked) as (gazetteer, index):
        placed = [(marker.reference, marker.place.premises_id) for marker in index.all()]
        say(f"Matching {len(labelled.queries):,} texts ...")
        judged: list[Judged] = []
        seconds: list[float] = []
        for query in labelled.queries:
            began = time.perf_counter()
            outcome = ask(query.text, gazetteer, index)
            seconds.append(time.perf_counter() - began)
            true_ids = twins.get(query.true_uid, frozenset({query.true_uid} - {""}))
            judged.append(judge_outcome(query, outcome, true_ids))
        memory = resident_mb()
    return MatchReport(
        score=score(judged),
        judged=tuple(judged),
        timing=Timing.of(seconds, sum(seconds)),
        homes=len(labelled.homes),
        markers=len(labelled.marked),
        misplaced=sum(home is not None and home not in twins.get(uid, {uid}) for uid, home in placed),
        unplaced=sum(home is None for _, home in placed),
        memory_mb=memory,
    )


@contextmanager
def loaded(homes: Iterable[Premises], marked: Iterable[Premises]) -> Iterator[tuple[Gazetteer, MarkerIndex]]:
    """A gazetteer of `homes` and an index with one marker on each of `marked`, whose reference is the home's id."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        gazetteer = Gazetteer.load(Path(folder) / "gazetteer", homes)
        index = MarkerIndex()
        index.replace(0, [marker_on(home, _placed(home, gazetteer, index)) for home in marked], gazetteer)
        yield gazetteer, index


def _placed(home: Premises, gazetteer: Gazetteer, index: MarkerIndex) -> str | None:
    """The gazetteer's home that an import would put a marker on, by the UPRN or what is written."""
    known = gazetteer.by_uprn(home.uprn) if home.uprn else None
    known = known or resolve(read_address(home.address, home.postcode), gazetteer, index.homes).home
    return known.premises_id if known else None


def ask(text: str, gazetteer: Gazetteer, index: MarkerIndex) -> Outcome:
    """One typed text, as `overlay check` would match it; text that is refused could not be checked."""
    try:
        location = read_location(RawLocation(address=text))
    except LocationError as error:
        return Outcome(Status.COULD_NOT_CHECK, (), str(error), None, Precision.UNKNOWN, False, None, ())  # noqa: FBT003
    return match(location, index, gazetteer, {}, Distances(), _NOW)


def marker_on(home: Premises, premises_id: str | None) -> Marker:
    """A marker without content on a home the gazetteer knows as `premises_id`; its reference is the home's id."""
    return Marker(
        marker_id=f"marker {home.premises_id}",  # never the gazetteer's own id: an index would take one for the other
        reference=home.premises_id,
        category="",
        place=Place(home.address, home.postcode, home.uprn, premises_id),
        headline="",
        action="",
        owner="",
        owner_contact="",
        starts_on=_STARTS,
        review_on=_REVIEW,
        ends_on=_ENDS,
        source="bench",
        source_reference="",
        proposed_by="a",
        approved_by="b",
        recorded_at=_NOW,
    )


def resident_mb() -> float:
    """Resident memory of this process in megabytes (10^6 bytes), from the kernel's count of pages."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
