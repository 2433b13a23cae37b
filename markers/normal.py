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
_COMMA_SPACE = re.compile(r"\s*(?:,\s*)+")
_SPACES = re.compile(r"\s+")


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
    else:
        text = text.replace("'", "").replace("`", "").upper()
    text = _NOT_KEPT.sub(" ", _COMMAS.sub(",", text))
    text = _COMMA_SPACE.sub(", ", text)
    return _SPACES.sub(" ", text).strip(" ,")


def plain_text(normalised: str) -> str:
    """Normalised text without commas: what two writings of one address are compared by, letter for letter."""
    return _SPACES.sub(" ", normalised.replace(",", " ")).strip()
