"""Places for answers: checks have some of their own, and whoever has to wait is let in by rank."""

from __future__ import annotations

import threading
import time

import pytest

from overlay.threads import InHand, Places, Rank

SOON = 0.05


def taken(places: Places, rank: Rank, most: int = 100) -> int:
    """How many places a rank gets when nobody else asks."""
    got = 0
    while got < most and places.enter(rank, 0):
        got += 1
    return got


@pytest.mark.parametrize(("places", "check", "work", "refresh"), [(16, 16, 12, 8), (4, 4, 3, 2), (1, 1, 1, 1)])
def test_the_last_places_are_for_checks(places: int, check: int, work: int, refresh: int) -> None:
    assert taken(Places(places), Rank.CHECK) == check
    assert taken(Places(places), Rank.WORK) == work
    assert taken(Places(places), Rank.REFRESH) == refresh
    full_of_work = Places(places)
    assert taken(full_of_work, Rank.WORK) + taken(full_of_work, Rank.CHECK) == places


def test_a_place_that_was_left_is_given_again() -> None:
    places = Places(2)
    assert taken(places, Rank.CHECK) == 2
    places.leave()
    assert places.enter(Rank.CHECK, 0)
    assert not places.enter(Rank.CHECK, SOON)


class Asker(threading.Thread):
    """Somebody who waits for a place and notes when it came."""

    def __init__(self, places: Places, rank: Rank, order: list[Rank]) -> None:
        super().__init__(daemon=True)
        self.places, self.rank, self.order = places, rank, order
        self.start()

    def run(self) -> None:
        if self.places.enter(self.rank, 10):
            self.order.append(self.rank)


def settle(places: Places, waiting: int) -> None:
    end = time.monotonic() + 5
    while sum(places._waiting.values()) != waiting:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_whoever_waits_is_let_in_by_rank() -> None:
    places, order = Places(1), list[Rank]()
    assert places.enter(Rank.CHECK, 0)
    for count, rank in enumerate((Rank.REFRESH, Rank.WORK, Rank.REFRESH, Rank.CHECK), 1):
        Asker(places, rank, order)
        settle(places, count)
    for left in (3, 2, 1, 0):
        places.leave()
        settle(places, left)
    end = time.monotonic() + 5
    while len(order) < 4 and time.monotonic() < end:
        time.sleep(0.005)
    assert order == [Rank.CHECK, Rank.WORK, Rank.REFRESH, Rank.REFRESH]


def test_a_refresh_does_not_pass_a_check_that_waits() -> None:
    places, order = Places(4), list[Rank]()
    assert taken(places, Rank.CHECK) == 4
    Asker(places, Rank.CHECK, order)
    settle(places, 1)
    assert not places.enter(Rank.REFRESH, 0)
    places.leave()
    settle(places, 0)
    assert not places.enter(Rank.REFRESH, 0)


def test_many_at_once_never_have_more_than_there_are_and_all_come_through() -> None:
    places, lock = Places(4), threading.Lock()
    now = most = through = 0

    def ask(rank: Rank) -> None:
        nonlocal now, most, through
        for _ in range(20):
            assert places.enter(rank, 60)
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.0005)
            with lock:
                now -= 1
                through += 1
            places.leave()

    threads = [threading.Thread(target=ask, args=(list(Rank)[number % 3],)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert through == 480
    assert most <= 4
    assert places._taken == 0


def test_the_oldest_in_hand_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    in_hand = InHand()
    assert in_hand.longest_s() == 0
    first = in_hand.begin()
    now = 103.0
    second = in_hand.begin()
    now = 104.0
    assert in_hand.longest_s() == 4
    in_hand.end(first)
    in_hand.end(first)
    assert in_hand.longest_s() == 1
    in_hand.end(second)
    assert in_hand.longest_s() == 0
