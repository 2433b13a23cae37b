"""Every word of the known names, found by how a slip of it would look, in memory.

Two words that share a form (the word, or itself with one letter left out) or a sound may be slips of one another.
Forms are kept as sorted numbers beside the place of their word: a look-up takes 20 us where the search engine takes 90.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from markers.names import Names, hashed, write_names
from markers.postings import SortedPostings
from markers.sieve import Sieve, SieveWriter
from markers.slips import sound
from markers.terms import near_forms


def forms_of(word: str) -> set[str]:
    """The forms and the sound by which a word is found."""
    return {f"~{sound(word)}", *near_forms(word)}


def write_lexicon(folder: Path, words: Sequence[str]) -> None:
    """Write the files of these words."""
    write_names(folder, "w", words)
    forms, owners = array("Q"), array("I")
    for place, word in enumerate(words):
        found = forms_of(word)
        forms.extend(map(hashed, found))
        owners.extend([place] * len(found))
    order = np.argsort(np.frombuffer(forms, dtype="<u8"), kind="stable")
    known = SieveWriter()
    known.add(words)
    known.write(folder / "known.npy")
    np.save(folder / "forms.npy", np.frombuffer(forms, dtype="<u8")[order])
    np.save(folder / "owners.npy", np.frombuffer(owners, dtype="<u4")[order])


class Lexicon:
    """The words of a generation. OSError or ValueError where its files are not there or damaged.

    `known` holds every word.
    """

    def __init__(self, folder: Path) -> None:
        self.words = Names(folder, "w")
        self.known = Sieve(folder / "known.npy")
        self._forms = SortedPostings(np.load(folder / "forms.npy"), np.load(folder / "owners.npy"))

    def near(self, word: str) -> list[str]:
        """Every word that shares a form or the sound with this one, itself too."""
        return [self.words[place] for place in self._forms.of_any(map(hashed, forms_of(word)))]
