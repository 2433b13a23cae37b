"""Typed words beside known ones: the same, a slip of it, or another; and where a known phrase stands in a text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from markers.vocabulary import KINDS, SAME_WORD, TOWNS

FAR_SLIP = 3
"""Two slips in a word of four to seven letters: perhaps that word, never surely."""


_SOUNDS = (
    (re.compile(r"OUGH"), "O", ("OUGH",)),
    (re.compile(r"PH"), "F", ("PH",)),
    (re.compile(r"^KN"), "N", ("KN",)),
    (re.compile(r"^WR"), "R", ("WR",)),
    (re.compile(r"CK|QU|Q"), "K", ("CK", "Q")),
    (re.compile(r"C(?=[EIY])|Z"), "S", ("C", "Z")),
    (re.compile(r"(?<![CS])C(?!H)"), "K", ("C",)),
    (re.compile(r"X"), "KS", ("X",)),
    (re.compile(r"(?<=[AEIOUY])(?:GH|H)(?=[^AEIOUY]|$)"), "", ("H",)),
    (re.compile(r"AI|AY|EI|EY|A(?=[^AEIOUY]E$)"), "A", ("A", "EI", "EY")),
    (re.compile(r"EE|EA|IE"), "E", ("EE", "EA", "IE")),
    (re.compile(r"OW|OU|OA"), "O", ("OW", "OU", "OA")),
    (re.compile(r"OO|UE|EW|UI"), "U", ("OO", "UE", "EW", "UI")),
    (re.compile(r"Y"), "I", ("Y",)),
    (re.compile(r"(?<=[^AEIOU])E(?=S?$)"), "", ("E",)),
    (re.compile(r"(.)\1+"), r"\1", ("",)),
)
"""Pattern, what it becomes, and letters without which it can't be there: most are not, and looking is a tenth of the
time."""


@lru_cache(maxsize=65536)
def sound(word: str) -> str:
    """How an English word sounds, coarsely: LAIN and LANE, WILLOWBY and WILLOUGHBY agree."""
    key = word
    for pattern, repl, telling in _SOUNDS:
        for letters in telling:
            if letters in key:
                key = pattern.sub(repl, key)
                break
    return key


@lru_cache(maxsize=262144)
def word_cost(asked: str, known: str) -> int:
    """0 the same word, 1 or 2 a plausible slip of it, `FAR_SLIP` one worth asking about, -1 another word.

    One slip of the fingers (a letter missing, added, changed, or two swapped) or the same sound costs 1; a slip in a
    three-letter word, or two in a long one, cost 2; two in a shorter one cost `FAR_SLIP`. Two different street or
    building types are never one another.
    """
    if asked == known or (asked, known) in SAME_WORD:
        return 0
    if asked[0] != known[0] and asked[-1] != known[-1]:
        return -1
    if asked in KINDS and known in KINDS:
        return -1
    shorter = min(len(asked), len(known))
    if shorter < 3 or abs(len(asked) - len(known)) > 3 or not (asked.isalpha() and known.isalpha()):
        return -1
    distance = OSA.distance(asked, known, score_cutoff=3)
    if distance == 1:
        return 1 if shorter >= 4 else 2
    if distance <= 3 and shorter >= 4 and sound(asked) == sound(known):
        return 1
    if distance == 2 and shorter >= 8:
        return 2
    if distance == 2 and shorter >= 4 and asked[0] == known[0]:
        return FAR_SLIP
    return -1


class Alignment(NamedTuple):
    """Where a home's phrase stands in the asked words, and how well it fits.

    `cost` 0 is letter for letter; each slip of spelling adds one. `slips` are the (asked, known) pairs that differ.
    `kind` is "" when the last word agrees, `missing` or `other` when street or building type is left out or another.
    """

    cost: int
    start: int
    end: int
    slips: tuple[tuple[str, str], ...] = ()
    kind: str = ""


@lru_cache(maxsize=65536)
def align(words: tuple[str, ...], phrase: tuple[str, ...], at: int = -1) -> Alignment | None:
    """The best place of a home's phrase among the asked words, or None when a key word of it is not there.

    Of places that fit alike the one at `at` is best, where the building number stands, else the first.
    """
    best: Alignment | None = None
    first = phrase[0]
    begins, ends = first[0], first[-1]
    for start, word in enumerate(words):
        if (word[0] != begins and word[-1] != ends) or not _may_begin(word, first):
            continue
        found = _align_at(words, phrase, start)
        if found is None:
            continue
        rank = (found.kind, found.cost, start != at)
        if best is None or rank < (best.kind, best.cost, best.start != at):
            best = found
    if best is None and phrase[0] == "ST" and len(phrase) > 2:
        # Saint is left out easily, but Mary Street and St Mary Street are two streets.
        rest = align(words, phrase[1:], at)
        return rest._replace(cost=rest.cost + 1) if rest is not None else None
    return best


@lru_cache(maxsize=262144)
def _may_begin(word: str, first: str) -> bool:
    """Is this the first word of a phrase, a slip of it, half of it, or it and the next word in one?

    Then they begin alike or end alike, as all of those do.
    """
    if word == first or word_cost(word, first) >= 0:
        return True
    return (len(first) > 5 and first.startswith(word)) or (len(word) > 5 and word.startswith(first))


def _align_at(words: tuple[str, ...], phrase: tuple[str, ...], start: int) -> Alignment | None:
    at, cost, n = start, 0, len(words)
    slips: list[tuple[str, str]] = []
    skip = False
    last = len(phrase) - 1
    for k, known in enumerate(phrase):
        if skip:
            skip = False
            continue
        asked = words[at] if at < n else ""
        step = word_cost(asked, known) if asked else -1
        if step >= 0:
            cost += step
            if step:
                slips.append((asked, known))
            at += 1
            continue
        if asked and at + 1 < n and len(known) > 5 and asked + words[at + 1] == known:
            at += 2
            continue
        if asked and k < last and len(asked) > 5 and asked == known + phrase[k + 1]:
            at += 1
            skip = True
            continue
        if k == last and k > 0 and known in KINDS:
            if asked in KINDS and asked not in TOWNS:
                return Alignment(cost, start, at + 1, tuple(slips), "other")
            return Alignment(cost, start, at, tuple(slips), "missing")
        return None
    return Alignment(cost, start, at, tuple(slips))
