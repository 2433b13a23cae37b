"""The known home of a written place and nothing else: what a list of a hundred thousand rows asks as often.

The same home as `markers.resolve` finds, which also says which marked homes a text concerns and takes twice as long.
Those bear on the home by their words alone, so it is found in helper processes that have no markers, and stands unless
a marked home has one of the words that the gazetteer did not know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from markers.address import Written, read_address
from markers.gazetteer import Gazetteer
from markers.helpers import answer, helpers
from markers.homes import MarkedHomes
from markers.model import Place, Premises
from markers.parents import without_a_row
from markers.resolve import resolve

Found = tuple[Premises | None, tuple[str, ...]]
"""The home a place is, if it is surely one, and the words by which marked homes could make it another."""
_HELD = 1_000
_LESS_URGENT = 5


class Placing:
    """Finds one home after the other; with `marked` no word is left open. Not thread-safe."""

    def __init__(self, gazetteer: Gazetteer, marked: MarkedHomes | None = None) -> None:
        self._gazetteer = gazetteer
        self._words = _WordsAlone(marked)

    def home_of(self, place: Place) -> Found:
        """By its UPRN, else by its written address, else the building whose UPRN only its parts name.

        Such a building has no address of its own to be found by: it is empty.
        """
        self._words.missed.clear()
        home = self._gazetteer.by_uprn(place.uprn) if place.uprn else None
        if home is None and place.address:
            home = resolve(read_address(place.address, place.postcode), self._gazetteer, self._words).home
        if home is None and place.uprn:
            building = without_a_row(place.uprn, self._gazetteer)
            home = replace(building, address="") if building is not None else None
        return home, tuple(self._words.missed)


class _WordsAlone(MarkedHomes):
    """The words of marked homes and none of the homes. `missed` are those asked for where there are none."""

    def __init__(self, marked: MarkedHomes | None) -> None:
        super().__init__()
        self._marked = marked
        self.missed: dict[str, None] = {}

    def knows_word(self, word: str) -> bool:
        if self._marked is not None:
            return self._marked.knows_word(word)
        self.missed[word] = None
        return False

    def spellings(self, word: str) -> tuple[str, ...]:
        if self._marked is not None:
            return self._marked.spellings(word)
        self.missed[word] = None
        return ()

    def candidates(self, asked: Written, *, wide: bool = True) -> tuple[str, ...]:  # noqa: ARG002 - there are none
        return ()

    def of_building(self, home: Written) -> tuple[str, ...]:  # noqa: ARG002 - there are none
        return ()


def holds(found: Found, marked: MarkedHomes) -> bool:
    """Whether a home that was found without the marked homes is the one that is found with them."""
    return not any(marked.knows_word(word) or marked.spellings(word) for word in found[1])


@contextmanager
def placing_helpers(folder: Path, count: int) -> Iterator[Callable[[Sequence[Place | None]], list[Found]]]:
    """A call that places a chunk in whichever of `count` helpers is free; it may be used from many threads.

    The call raises HelperLostError when a helper is gone.
    """
    with helpers(count, __name__, str(folder)) as ask:
        yield ask


def serve(folder: str) -> None:
    """The helper's side. Checks come first: it takes what the others leave of a processor."""
    os.nice(_LESS_URGENT)
    placing = Placing(Gazetteer(Path(folder), homes_held=_HELD))
    answer(lambda places: [placing.home_of(place) if place is not None else (None, ()) for place in places])
