"""The list of markers: always the same as made anew, whatever changed and whatever the time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from markers.index import MarkerIndex
from markers.model import Marker
from overlay.listing import Listing, Search, found
from tests.unit.test_lifecycle import MARKER, NOW, TODAY

ORDERS: dict[str, Callable[[Marker], object]] = {
    "reference": lambda m: (m.reference.casefold(), m.marker_id),
    "kind": lambda m: (m.category, m.review_on, m.reference, m.marker_id),
    "owner": lambda m: (m.owner.casefold(), m.review_on, m.reference, m.marker_id),
    "changed": lambda m: (-m.recorded_at.timestamp(), m.marker_id),
}


def marker(number: int, chance: random.Random) -> Marker:
    return replace(
        MARKER,
        marker_id=f"m-{number}",
        reference=f"R-{number % 7}",
        review_on=TODAY + timedelta(days=chance.randrange(-5, 5)),
        starts_on=TODAY + timedelta(days=chance.choice((-9, 0, 3))),
        provisional_until=chance.choice((None, None, NOW + timedelta(hours=chance.randrange(1, 99)))),
        owner=chance.choice(("PPU", "desk", "Desk")),
        category=chance.choice(("x", "y")),
        recorded_at=NOW - timedelta(minutes=chance.randrange(50)),
    )


def test_it_is_as_if_made_anew_after_every_change_and_at_every_moment() -> None:
    chance = random.Random(20261125)
    index, listing, now = MarkerIndex(), Listing(), NOW
    index.replace(0, [marker(number, chance) for number in range(200)])
    for position in range(1, 300):
        numbers = chance.sample(range(260), chance.choice((1, 1, 2, 30)))
        changes = [(f"m-{n}", None if chance.random() < 0.3 else marker(n, chance)) for n in numbers]
        index.apply(position, changes)
        if chance.random() < 0.1:
            now += timedelta(hours=chance.randrange(40))
        if chance.random() < 0.5:
            continue  # several changes at once
        rows, anew = listing.rows(index, now), Listing().rows(index, now)
        assert [(row.marker, row.state) for row in rows] == [(row.marker, row.state) for row in anew]
        assert all(row.state is row.marker.state_at(now) for row in rows)
        for order, key in ORDERS.items():
            ordered = [row.marker for row in listing.rows(index, now, order)]
            assert ordered == sorted((row.marker for row in rows), key=key)
            for state in ("live", "due", "in_force", ""):
                here = found(listing.rows(index, now, order), Search(order=order, state=state), now.date())
                assert sorted(m.marker_id for m in here) == sorted(
                    m.marker_id for m in found(rows, Search(state=state), now.date())
                )
    assert listing.rows(index, now) is listing.rows(index, now)


def test_a_list_somebody_reads_stays_as_it_was_and_a_new_copy_is_taken_whole() -> None:
    chance = random.Random(1)
    index, listing = MarkerIndex(), Listing()
    index.replace(0, [marker(number, chance) for number in range(5)])
    before = listing.rows(index, NOW)
    index.apply(1, [("m-1", None)])
    assert len(before) == 5
    assert len(listing.rows(index, NOW)) == 4
    other = MarkerIndex()
    other.replace(1, [marker(9, chance)])
    assert [row.marker.marker_id for row in listing.rows(other, NOW)] == ["m-9"]


def test_what_is_no_longer_remembered_is_said() -> None:
    index = MarkerIndex()
    index.replace(5, [MARKER])
    assert index.changed_since(4) is None
    assert index.changed_since(5) == frozenset()
    index.apply(6, [("m-2", None)])
    assert index.changed_since(5) == {"m-2"}
    index.apply(7, [(f"x-{number}", None) for number in range(10_001)])
    assert index.changed_since(6) is None
    assert index.changed_since(7) == frozenset()


def test_every_part_of_a_search_narrows_it() -> None:
    chance = random.Random(2)
    index = MarkerIndex()
    index.replace(0, [marker(number, chance) for number in range(80)])
    rows = Listing().rows(index, NOW)
    every = found(rows, Search(state=""), TODAY)
    assert len(every) == 80
    assert {m.owner for m in found(rows, Search(owner="ppu", state=""), TODAY)} == {"PPU"}
    assert found(rows, Search(words="tallow 14", state=""), TODAY) == every
    assert found(rows, Search(words="r-3", state=""), TODAY) == [m for m in every if m.reference == "R-3"]
    assert all(m.review_on < TODAY for m in found(rows, Search(state="due"), TODAY))
    assert {m.state_at(NOW).value for m in found(rows, Search(state="future"), TODAY)} == {"future"}
