"""What is put right in a text that is read a second time: number words, letters for figures, words run together."""

from __future__ import annotations

import re
from collections.abc import Callable

from markers.items import close_to
from markers.normal import LONGEST_TEXT, normalise
from markers.vocabulary import FLAT_WORDS, KINDS, NUMBER_WORDS

_LOOKS_LIKE_A_NUMBER = re.compile(r"(?=[IOL\d]*\d)(?=\d*[IOL])[IOL\d]{2,4}[A-Z]?")
_RUN_TOGETHER = re.compile(r"[A-HJKM-Z]\d{1,3}")
_TO_FIGURES = str.maketrans("IOL", "101")
_LONG_KINDS = tuple(sorted((kind for kind in KINDS if len(kind) >= 4), key=len, reverse=True))
_MISSPELT_KINDS = tuple((kind, len(kind)) for kind in _LONG_KINDS if len(kind) >= 5)
_SHORT_KINDS = ("ST", "RD", "LN", "CT", "SQ", "HSE", "TWR")


def part_words(text: str, knows: Callable[[str], bool]) -> str:
    """The text with names that run into their type set apart: `tallowyard` is TALLOW YARD where nobody knows it.

    `knows` says whether a word is one of some known name or street.
    """
    normalised = normalise(text[:LONGEST_TEXT])
    return " ".join(_parted(token, knows) for token in normalised.split(" "))


def _parted(token: str, knows: Callable[[str], bool]) -> str:
    word = token.rstrip(",")
    if len(word) < 7 or not word.isalpha() or knows(word):
        return token
    if word.endswith(_LONG_KINDS):
        for kind in _LONG_KINDS:
            if word.endswith(kind) and len(word) - len(kind) >= 3:
                return f"{word[: -len(kind)]} {token[len(word) - len(kind) :]}"
    longest = len(word) - 4
    for kind, long in _MISSPELT_KINDS:
        for length in (long, long - 1, long + 1):
            # One slip of a word leaves its first letter or its last.
            if length > longest or (word[-length] != kind[0] and word[-1] != kind[-1]):
                continue
            stem = word[:-length]
            if close_to(word[-length:], (kind,)) and knows(stem):
                return f"{stem} {kind}{token[len(word) :]}"
    for short in _SHORT_KINDS:
        if word.endswith(short) and len(word) - len(short) >= 4 and knows(word[: -len(short)]):
            return f"{word[: -len(short)]} {token[len(word) - len(short) :]}"
    return token


def figures_of(tokens: list[str]) -> list[str]:
    """Number words as figures: `TWENTY ONE` and `TWENTY-ONE` are 21."""
    if NUMBER_WORDS.keys().isdisjoint(tokens) and "-" not in "".join(tokens):
        return tokens
    figures: list[str] = []
    tens = 0
    for typed in (part for token in tokens for part in _said(token)):
        number = NUMBER_WORDS.get(typed, 0)
        if tens and 0 < number < 10:
            figures[-1] = str(tens + number)
        else:
            figures.append(str(number) if number else typed)
        tens = number if number >= 20 else 0
    return figures


def _said(token: str) -> list[str]:
    parts = token.split("-") if "-" in token else [token]
    return parts if all(part in NUMBER_WORDS for part in parts) else [token]


def mended(tokens: list[str]) -> tuple[list[str], str]:
    """Numbers typed with letters that look like figures (`I4`, `1O`, `l2`), or run together with their flat's letter
    (`A3` for Flat A, 3), and what was taken for what."""
    for typed in tokens:
        if not (typed.isalpha() or typed == "," or typed.isdecimal()):
            break
    else:
        return tokens, ""
    mended: list[str] = []
    changed: list[str] = []
    alone = sum(any(ch.isdecimal() for ch in token) for token in tokens) == 1
    for token in tokens:
        if token.isalpha() or token.isdecimal():
            mended.append(token)
            continue
        if _LOOKS_LIKE_A_NUMBER.fullmatch(token):
            now = [token.translate(_TO_FIGURES)]
        elif alone and _RUN_TOGETHER.fullmatch(token):
            now = [*(() if mended and mended[-1] in FLAT_WORDS else ("FLAT",)), token[0], token[1:]]
        else:
            now = [token]
        if now != [token]:
            changed.append(f"{token} read as {' '.join(now).title()}")
        mended += now
    return mended, ", ".join(changed)
