"""What a stream tells, and that its places are given back."""

from __future__ import annotations

import gc
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.commits import Changes, Record
from overlay.feed import BEAT_S, Feed, Mark, Sight, Stream, TooManyStreams, changed, message
from overlay.identity import Standing
from overlay.incidents.book import IncidentBook

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FOREVER = NOW + timedelta(days=3000)


@dataclass
class Told:
    """The copies of a process, moved by hand."""

    book: IncidentBook = field(default_factory=IncidentBook)
    markers: int = 1
    accepted: int = 0
    access: int = 1
    store: str = "current"
    looks: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sight(self) -> Sight:
        self.looks += 1
        return Sight(Mark(self.book.position, self.markers, self.accepted), self.access, self.store)

    def news(self, after: int) -> tuple[int, frozenset[str] | None]:
        return self.book.news(after)

    def change(self, *ids: str) -> None:
        records = tuple(Record(incident_id, 1, None) for incident_id in ids)
        self.book.apply(Changes(self.book.position + 1, records))


def stays(_: datetime) -> Standing:
    return Standing(FOREVER)


def events(received: bytes) -> list[tuple[str, str, dict[str, object]]]:
    """Name, id and data of each."""
    blocks = received.decode().strip().split("\n\n") if received else []
    found = [re.fullmatch(r"event: (\w+)\nid: (\S+)\ndata: (.*)", block) for block in blocks]
    assert all(found), received
    return [(match[1], match[2], json.loads(match[3])) for match in found if match]


def missed(feed: Feed, after: str | None) -> list[tuple[str, str, dict[str, object]]]:
    stream = feed.stream("somebody", after, stays, longest_s=0)
    return events(b"".join(stream))


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_an_id_is_read_back_as_it_was_written(incidents: int, markers: int, accepted: int) -> None:
    mark = Mark(incidents, markers, accepted)
    assert Mark.read(str(mark)) == mark


@given(st.text())
def test_any_other_text_is_no_id(text: str) -> None:
    assert Mark.read(text) is None or re.fullmatch(r"\d+-\d+(-\d+)?", text)


@pytest.mark.parametrize("odd", ["", "1", "1-", "-1-2", "1-2-3-4", "1-2\n", " 1-2", "٣-٤", "9" * 19 + "-1", "reload"])
def test_odd_ids_are_told_to_load_everything_again(odd: str) -> None:
    assert [name for name, _, _ in missed(Feed(Told(), 9), odd)] == ["reload", "store"]


def test_what_changed_is_told_as_ids_alone_and_markers_as_one_word() -> None:
    assert changed(Mark(1, 1), Mark(1, 1), frozenset()) == b""
    assert changed(Mark(1, 1), Mark(3, 1), frozenset({"b", "a"})) == message("incidents", Mark(3, 1), ids=["a", "b"])
    assert changed(Mark(1, 1), Mark(1, 4), frozenset()) == message("markers", Mark(1, 4))


def test_a_client_cut_off_between_two_events_misses_neither() -> None:
    (first, first_id, _), (second, second_id, _) = events(changed(Mark(1, 1), Mark(2, 2), frozenset({"a"})))
    assert (first, first_id, second, second_id) == ("incidents", "2-1", "markers", "2-2")


@pytest.mark.parametrize(
    ("before", "after", "ids"),
    [
        (Mark(1, 1), Mark(5, 1), None),
        (Mark(9, 1), Mark(5, 1), frozenset()),
        (Mark(5, 9), Mark(5, 1), frozenset()),
        (Mark(5, 1), Mark(6, 1, 70), frozenset({"a"})),
        (Mark(5, 1), Mark(6, 1), frozenset(str(number) for number in range(501))),
    ],
)
def test_forgotten_future_restored_and_too_much_all_mean_load_again(
    before: Mark, after: Mark, ids: frozenset[str] | None
) -> None:
    assert events(changed(before, after, ids)) == [("reload", str(after), {})]


@given(st.lists(st.one_of(st.lists(st.sampled_from("abcdef"), min_size=1), st.just("markers"), st.just("cut"))))
def test_whatever_happens_and_however_often_it_is_cut_off_a_client_misses_nothing(steps: list[list[str] | str]) -> None:
    source = Told()
    feed = Feed(source, 9)
    last, wanted, got = str(source.sight().mark), set[str](), set[str]()
    marked = heard_marked = 0
    for step in [*steps, "cut"]:
        if step == "markers":
            source.markers += 1
            marked = source.markers
        elif step == "cut":
            for name, at, data in missed(feed, last):
                last = at
                assert name != "reload"
                if name == "incidents":
                    got |= set(data["ids"])  # type: ignore[call-overload]
                heard_marked = source.markers if name == "markers" else heard_marked
            assert got == wanted
            assert heard_marked == marked
            got, wanted = set(), set()
        else:
            source.change(*step)
            wanted |= set(step)


def test_news_older_than_is_remembered_is_load_again() -> None:
    source = Told()
    source.book.replace(Changes(50, ()))
    assert [name for name, _, _ in missed(Feed(source, 9), "49-1")] == ["reload", "store"]
    assert [name for name, _, _ in missed(Feed(source, 9), "50-1")] == ["store"]


class Reader(threading.Thread):
    """Reads a stream as the server would, noting when each part came."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.parts: list[tuple[float, bytes]] = []
        self.start()

    def run(self) -> None:
        for part in self.stream:
            self.parts.append((time.monotonic(), part))

    def names(self) -> list[str]:
        return [name for _, part in list(self.parts) for name, _, _ in events(part)]


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def source() -> Told:
    return Told()


@pytest.fixture
def feed(source: Told) -> Iterator[Feed]:
    running = Feed(source, 40)
    running.start()
    yield running
    running.close()


def test_a_burst_is_one_event_and_its_message_is_written_once(source: Told, feed: Feed) -> None:
    readers = [Reader(feed.stream(f"p{number}", None, stays)) for number in range(20)]
    wait_until(lambda: all(reader.parts for reader in readers))
    for number in range(10):
        source.change(f"i{number}")
    feed.moved()
    wait_until(lambda: all("incidents" in reader.names() for reader in readers))
    told = [[part for _, part in reader.parts if b"incidents" in part] for reader in readers]
    assert {len(parts) for parts in told} == {1}
    assert len({id(parts[0]) for parts in told}) == 1
    assert events(told[0][0])[0][2] == {"ids": [f"i{number}" for number in range(10)]}


def test_a_silent_stream_beats_with_the_word_for_the_store_and_does_not_poll(source: Told, feed: Feed) -> None:
    reader = Reader(feed.stream("p", None, stays))
    wait_until(lambda: len(reader.parts) == 1)
    looks = source.looks
    wait_until(lambda: len(reader.parts) == 3, BEAT_S * 3)
    gaps = [later - earlier for (earlier, _), (later, _) in zip(reader.parts, reader.parts[1:], strict=False)]
    assert all(1 < gap < BEAT_S + 0.5 for gap in gaps)
    assert source.looks - looks < 40
    source.store = "last_known"
    wait_until(lambda: len(reader.parts) == 4, 1)
    assert events(reader.parts[-1][1]) == [("store", "0-1", {"state": "last_known"})]


def test_a_stream_ends_in_the_moment_its_standing_does(feed: Feed) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=0.6)

    def stands(now: datetime) -> Standing:
        return Standing(ends) if now < ends else Standing(now, "over")

    reader = Reader(feed.stream("p", None, stands))
    reader.join(3)
    assert reader.names() == ["store", "ended"]
    assert (datetime.now(UTC) - ends).total_seconds() < 0.4
    assert feed.open_streams == 0


def test_a_change_of_access_ends_a_stream_within_a_second(source: Told, feed: Feed) -> None:
    standing = [Standing(FOREVER)]
    reader = Reader(feed.stream("p", None, lambda _: standing[0]))
    wait_until(lambda: len(reader.parts) == 1)
    standing[0] = Standing(NOW, "locked")
    source.access += 1  # by another thread of this process, which told nobody
    reader.join(1)
    assert events(reader.parts[-1][1]) == [("ended", "0-1", {"because": "locked"})]


def test_closing_the_feed_ends_every_stream_at_once(feed: Feed) -> None:
    readers = [Reader(feed.stream(f"p{number}", None, stays)) for number in range(30)]
    wait_until(lambda: all(reader.parts for reader in readers))
    feed.close()
    for reader in readers:
        reader.join(1)
        assert reader.names()[-1] == "ended"


def test_places_are_given_back_however_a_stream_goes() -> None:
    feed = Feed(Told(), 4)
    begun = feed.stream("a", None, stays)
    next(begun)
    begun.close()
    begun.close()
    never_begun = feed.stream("a", None, stays)
    never_begun.close()
    let_go = [feed.stream("a", None, stays)]
    assert feed.open_streams == 1
    let_go.clear()
    gc.collect()
    assert feed.open_streams == 0
    broken = feed.stream("a", None, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        next(broken)
    assert feed.open_streams == 0


def test_nobody_gets_more_than_there_are_and_one_person_not_all() -> None:
    feed = Feed(Told(), 48)
    held = [feed.stream("greedy", None, stays) for _ in range(6)]
    with pytest.raises(TooManyStreams):
        feed.stream("greedy", None, stays)
    held += [feed.stream(f"p{number}", None, stays) for number in range(42)]
    with pytest.raises(TooManyStreams):
        feed.check_room("another")
    held.pop().close()
    feed.check_room("another")
