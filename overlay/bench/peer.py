"""`uk_address_matcher` (MIT; DuckDB and Splink), the best-known free matcher of UK addresses, on the same data.

It resolves a text to one address of the gazetteer; that address is then joined to the markers on it. What it cleans and
indexes beforehand is prepared once and not counted, as our gazetteer is. Two threads, as many as our machine of
reference has cores. Imported only here, and only when asked for.
"""

from __future__ import annotations

import csv
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markers.model import Premises
from overlay.bench.matchset import MatchSet
from overlay.bench.score import Share
from overlay.bench.timing import Timing

THREADS = 2
SETTINGS = {"default": (-20.0, 0.0), "cautious": (5.0, 5.0)}
"""Name -> least match weight and least lead over the next candidate. `default` is the package's own; it names no
cautious one, so that is ours: 32 to 1 for the match and against the runner-up. Exact matches pass both."""


class PeerError(Exception):
    """The peer can't be run; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The address a text was resolved to; weight and lead are None for an exact match or an only candidate."""

    home_id: str
    weight: float | None
    lead: float | None

    def passes(self, weight: float, lead: float) -> bool:
        """Whether it is answered at all under these thresholds."""
        return (self.weight is None or self.weight >= weight) and (self.lead is None or self.lead >= lead)


@dataclass(frozen=True, slots=True)
class PeerScore:
    """Of "this home", under one setting."""

    setting: str
    precision: Share
    recall: Share
    wrong_homes: int


@dataclass(frozen=True, slots=True)
class PeerTimes:
    """Seconds to prepare the gazetteer, single texts one after the other, and texts a second in one batch."""

    prepare_s: float
    single: Timing
    batch_size: int
    batch_rate: float


class Peer:
    """The peer with a prepared gazetteer."""

    def __init__(self, folder: Path, homes: Sequence[Premises]) -> None:
        try:
            import duckdb
            from uk_address_matcher import AddressMatcher, prepare_canonical_folder
        except ImportError as error:
            raise PeerError(
                "uk-address-matcher is not installed. Install it beside the overlay: pip install 'overlay[bench-peer]'"
            ) from error
        logging.getLogger("uk_address_matcher").setLevel(logging.ERROR)
        logging.getLogger("splink").setLevel(logging.ERROR)
        self._folder = folder
        self._matcher: Any = AddressMatcher
        self._con: Any = duckdb.connect(config={"threads": THREADS})
        rows = [(home.premises_id, home.address, home.postcode or "") for home in homes]
        began = time.perf_counter()
        known = self._table("homes", ("unique_id", "address_concat", "postcode"), rows)
        prepare_canonical_folder(known, folder / "prepared", con=self._con, show_progress="off")
        self.prepare_s = time.perf_counter() - began

    def close(self) -> None:
        """Let go of its memory."""
        self._con.close()

    def ask(self, texts: Sequence[str]) -> dict[int, Answer]:
        """The answers by position in `texts`, of those that have one, under the default setting."""
        texts_by_id = [(str(number), text) for number, text in enumerate(texts)]
        asked = self._table("asked", ("unique_id", "address_concat"), texts_by_id)
        matcher = self._matcher(
            canonical_addresses=self._folder / "prepared", addresses_to_match=asked, con=self._con, show_progress="off"
        )
        with matcher.match() as result:
            found = result.matches()
            rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        return {
            int(row["unique_id"]): Answer(
                str(row["resolved_canonical_id"]), row.get("match_weight"), row.get("distinguishability")
            )
            for row in rows
            if row["resolved_canonical_id"] is not None
        }

    def times(self, texts: Sequence[str], singles: int, batch: Sequence[str]) -> tuple[PeerTimes, dict[int, Answer]]:
        """Time `singles` texts one by one, then `batch` at once; also the batch's answers."""
        seconds: list[float] = []
        for text in texts[:singles]:
            began = time.perf_counter()
            self.ask([text])
            seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        answers = self.ask(batch)
        rate = len(batch) / (time.perf_counter() - began)
        return PeerTimes(self.prepare_s, Timing.of(seconds, sum(seconds)), len(batch), rate), answers

    def _table(self, name: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Any:
        path = self._folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
        return self._con.read_csv(str(path), header=True, all_varchar=True)


@contextmanager
def peer_of(homes: Sequence[Premises]) -> Iterator[Peer]:
    """The peer over these homes, in a temporary folder. Raises PeerError where it is not installed."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        peer = Peer(Path(folder), homes)
        try:
            yield peer
        finally:
            peer.close()


def peer_match(labelled: MatchSet, singles: int, say: Callable[[str], None]) -> tuple[tuple[PeerScore, ...], PeerTimes]:
    """Score and time the peer on a labelled set."""
    say("Preparing the peer ...")
    texts = [query.text or " " for query in labelled.queries]
    with peer_of(labelled.homes) as peer:
        say(f"Matching with the peer: {singles} texts singly, then {len(texts):,} at once ...")
        times, answers = peer.times(texts[:: max(1, len(texts) // singles)], singles, texts)
    scores = tuple(_score(labelled, answers, name, *limits) for name, limits in SETTINGS.items())
    return scores, times


def _score(labelled: MatchSet, answers: dict[int, Answer], name: str, weight: float, lead: float) -> PeerScore:
    twins = labelled.twins()
    marked = {home.premises_id for home in labelled.marked}
    marked |= {twin for uid in marked for twin in twins.get(uid, ())}
    right = wrong = found = exact = 0
    for number, query in enumerate(labelled.queries):
        exact += query.cls == "exact"
        answer = answers.get(number)
        if answer is None or not answer.passes(weight, lead) or answer.home_id not in marked:
            continue
        is_right = answer.home_id in twins.get(query.true_uid, {query.true_uid})
        right += is_right
        wrong += not is_right
        found += is_right and query.cls == "exact"
    return PeerScore(name, Share(right, right + wrong), Share(found, exact), wrong)
