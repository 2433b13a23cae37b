"""Which code reads addresses here: a packed reading of any other code is not taken for a marked home."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_READ_BY = (
    "address",
    "filing",
    "items",
    "lexicon",
    "mending",
    "names",
    "normal",
    "parts",
    "postcode",
    "slips",
    "terms",
    "units",
    "vocabulary",
)
"""Every module that has a say in what an address reads as, or is filed under."""


@cache
def reading_version() -> str | None:
    """A digest of the modules' own text, so that no change of a word list can be forgotten; None without their text."""
    folder = Path(__file__).parent
    try:
        texts = [(folder / f"{name}.py").read_bytes() for name in _READ_BY]
    except OSError:
        return None
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
