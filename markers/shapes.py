"""A spatial index that can be changed: a shapely STRtree with the latest changes beside it.

An STRtree is fixed once built. Rebuilding 100,000 points for one changed marker would stall a check, so
changes wait in a short list that is scanned, until enough have gathered to build a new tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from shapely import STRtree
from shapely.geometry.base import BaseGeometry

_REBUILD_AFTER = 200


class Shapes:
    """Shapes by id, found by distance. Coordinates and distances in metres. Not thread-safe."""

    def __init__(self) -> None:
        self._shapes: dict[str, BaseGeometry] = {}
        self._tree = STRtree([])
        self._in_tree: list[str] = []
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._shapes)

    def ids(self) -> tuple[str, ...]:
        return tuple(self._shapes)

    def put(self, shape_id: str, shape: BaseGeometry) -> None:
        self._shapes[shape_id] = shape
        self._changed.add(shape_id)

    def remove(self, shape_id: str) -> None:
        if self._shapes.pop(shape_id, None) is not None:
            self._changed.add(shape_id)

    def within(self, place: BaseGeometry, distance_m: float) -> Iterator[tuple[str, float]]:
        """Every shape no farther than `distance_m` from `place`, with its distance; 0 where they touch."""
        if len(self._changed) > _REBUILD_AFTER:
            self._rebuild()
        found = [
            shape_id
            for number in self._tree.query(place, predicate="dwithin", distance=distance_m)
            if (shape_id := self._in_tree[number]) not in self._changed
        ]
        found += [
            shape_id
            for shape_id in self._changed
            if (shape := self._shapes.get(shape_id)) is not None and shape.distance(place) <= distance_m
        ]
        for shape_id in sorted(found):
            yield shape_id, float(self._shapes[shape_id].distance(place))

    def covers(self, shape_id: str, place: BaseGeometry) -> bool:
        """Whether the whole of `place` lies inside the shape."""
        return bool(self._shapes[shape_id].covers(place))

    def _rebuild(self) -> None:
        self._in_tree = list(self._shapes)
        self._tree = STRtree(list(self._shapes.values()))
        self._changed = set()
