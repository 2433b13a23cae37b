"""Written text levelled: case, spacing, accents and typographic signs that say nothing of which home is meant."""

from __future__ import annotations

import re
import unicodedata

LONGEST_TEXT = 1000
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´′＇"), None)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-"))
_HALF = str.maketrans({"½": " AND A HALF "})
_NOT_KEPT = re.compile(r"[^\w,/&-]|_")
_COMMAS = re.compile(r"[;:|()\[\]\n\r]")
_ASCII = str.maketrans(
    {
        letter: None if letter in "'`" else _NOT_KEPT.sub(" ", _COMMAS.sub(",", letter.upper()))
        for letter in map(chr, range(128))
    }
)
"""What all of the above make of a letter of ASCII, which nearly every text is made of: done in one go."""


def normalise(text: str) -> str:
    """Upper case, single spaces, plain letters: accents, apostrophes and typographic dashes are levelled.

    Keeps commas, hyphens, slashes and ampersands, which carry meaning. Idempotent for any Unicode text.
    """
    if not text.isascii():
        text = text.translate(_APOSTROPHES).translate(_DASHES).translate(_HALF)
        for _ in range(4):
            before = text
            decomposed = unicodedata.normalize("NFKD", text)
            text = "".join(ch for ch in decomposed if not unicodedata.combining(ch)).upper()
            text = text.translate(_APOSTROPHES).translate(_DASHES).replace("⁄", "/")
            if text == before:
                break
        text = _NOT_KEPT.sub(" ", _COMMAS.sub(",", text))
    else:
        text = text.translate(_ASCII)
    return ", ".join([" ".join(words) for part in text.split(",") if (words := part.split())])


def plain_text(normalised: str) -> str:
    """Normalised text without commas: what two writings of one address are compared by, letter for letter."""
    return " ".join(normalised.replace(",", " ").split())
