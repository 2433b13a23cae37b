from __future__ import annotations

import random

from shapely import Point, box

from markers.shapes import Shapes


def test_finds_what_a_plain_scan_finds_through_changes() -> None:
    rng = random.Random(7)
    shapes = Shapes()
    plain: dict[str, Point] = {}
    for step in range(1500):
        shape_id = f"s{rng.randrange(400)}"
        if rng.random() < 0.25:
            shapes.remove(shape_id)
            plain.pop(shape_id, None)
        else:
            point = Point(rng.uniform(0, 1000), rng.uniform(0, 1000))
            shapes.put(shape_id, point)
            plain[shape_id] = point
        if step % 25 == 0:
            place = Point(rng.uniform(0, 1000), rng.uniform(0, 1000))
            found = dict(shapes.within(place, 80))
            assert found == {name: p.distance(place) for name, p in plain.items() if p.distance(place) <= 80}
    assert len(shapes) == len(plain)
    assert set(shapes.ids()) == set(plain)


def test_covers_needs_the_whole_place() -> None:
    shapes = Shapes()
    shapes.put("zone", box(0, 0, 100, 100))
    assert shapes.covers("zone", box(10, 10, 20, 20))
    assert not shapes.covers("zone", box(90, 90, 110, 110))
