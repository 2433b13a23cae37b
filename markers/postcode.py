"""UK postcodes as people write them: full, run together, outward part only, O for 0 and I for 1."""

from __future__ import annotations

import re
from functools import lru_cache

from markers.vocabulary import FLAT_WORDS, POSTCODE_AREAS

_STRICT = re.compile(r"([A-Z]{1,2}[0-9][0-9A-Z]?)([0-9][A-Z]{2})")
_LOOSE = re.compile(r"([A-Z]{1,2}[0-9OIL][0-9A-Z]?)([0-9OIL][A-Z01]{2})")
_OUTWARD = re.compile(r"([A-Z]{1,2})[0-9][0-9A-Z]?")
_ORDINALS = frozenset({"1ST", "2ND", "3RD", "4TH", "5TH", "6TH", "7TH", "8TH", "9TH"})
_INWARD_BEGUN = re.compile(r"[0-9][A-Z]?")
_SEPARATORS = frozenset({",", "-", "/", "&"})
_FIRST = frozenset("0123456789OIL")
_TO_DIGIT = str.maketrans("OIL", "011")
_TO_LETTER = str.maketrans("01", "OI")


def _area(outward: str) -> str:
    return outward[:2] if outward[1:2].isalpha() else outward[:1]


@lru_cache(maxsize=16_384)
def normalise_postcode(text: str | None) -> str | None:
    """ "EC9A 1AB" of anything that reads as a full postcode, else None.

    Letters typed for digits (O, I, L) and digits for letters are put right where the position decides it
    (the inward part is digit, letter, letter) and the area is one in use.
    """
    if not text:
        return None
    packed = text.upper().replace(" ", "")
    if not packed.isalnum():
        packed = "".join([ch for ch in packed if ch.isalnum()])
    packed = packed[:9]
    if match := _STRICT.fullmatch(packed):
        return f"{match[1]} {match[2]}"
    if match := _LOOSE.fullmatch(packed):
        head = match[1]
        area = _area(head) if head[1:2] not in "OIL" or head[:2] in POSTCODE_AREAS else head[:1]
        outward = area + head[len(area) : len(area) + 1].translate(_TO_DIGIT) + head[len(area) + 1 :].replace("O", "0")
        inward = match[2][0].translate(_TO_DIGIT) + match[2][1:].translate(_TO_LETTER)
        fixed = _STRICT.fullmatch(outward + inward)
        mended = sum(a != b for a, b in zip(packed, outward + inward, strict=False))
        if fixed and area in POSTCODE_AREAS and mended <= 2 and any(ch.isdigit() for ch in packed):
            return f"{outward} {inward}"
    return None


def take_postcode(tokens: list[str]) -> tuple[str | None, str | None, list[str]]:
    """(full postcode, outward part, the other tokens). The last full postcode wins; an outward part counts
    only where it ends the text (a post town may follow), so that `Flat B4` stays a flat."""
    token = ""
    for at in range(len(tokens) - 1, -1, -1):
        after, token = token, tokens[at]
        long = len(token)
        if not 2 <= long <= 7 or not token[0].isalpha():
            continue
        if long <= 4 and len(after) == 3 and after[0] in _FIRST:
            joined = normalise_postcode(token + after)
            if joined and after not in _ORDINALS and (_area(token) in POSTCODE_AREAS or at + 2 == len(tokens)):
                return joined, joined.split(" ")[0], tokens[:at] + tokens[at + 2 :]
        if long >= 5 and not token.isalpha() and token[-3:] not in _ORDINALS:
            joined = normalise_postcode(token)
            if joined and _area(joined) in POSTCODE_AREAS:
                return joined, joined.split(" ")[0], tokens[:at] + tokens[at + 1 :]
    return _take_outward(tokens)


def _take_outward(tokens: list[str]) -> tuple[str | None, str | None, list[str]]:
    """An outward part, with the first of the inward part where that was written (`EC9A 1`), where one may stand."""
    for at in range(len(tokens) - 1, -1, -1):
        token = tokens[at]
        if not 2 <= len(token) <= 4 or token.isalpha() or not token[0].isalpha():
            continue
        match = _OUTWARD.fullmatch(token)
        if match is None or match[1] not in POSTCODE_AREAS:
            continue
        after = tokens[at + 1 :]
        ends = _is_end(after[1:]) or (at == 0 and (after[1] in FLAT_WORDS or after[1][0].isdecimal()))
        inward = bool(after) and _INWARD_BEGUN.fullmatch(after[0]) is not None and ends
        if inward or _is_end(after) or at == 0:
            # N1 may be a flat's letter and number, EC9A may not.
            telling = len(match[1]) == 2 or not tokens[at][-1].isdigit() or not after
            if telling and len(tokens) > 1 + inward:
                return None, tokens[at], tokens[:at] + after[inward:]
    return None, None, tokens


def _is_end(after: list[str]) -> bool:
    """Does the address end here: nothing more, a separator, or a post town?"""
    return not after or after[0] in _SEPARATORS or after[0] in ("LONDON", "UK")
