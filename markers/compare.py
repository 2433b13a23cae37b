"""Two written addresses -> the same home, another flat, another building, or an honest doubt.

Vetoes come before scores: another unit, a number outside the range or of the wrong parity, another street type, a
key word of the street unmatched. No similarity outweighs a veto. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from markers.fits import number_fit, same_district, unit_fit
from markers.parts import Reading, Written, is_block
from markers.slips import FAR_SLIP, Alignment, align, word_cost
from markers.vocabulary import (
    BUILDING_KINDS,
    GENERIC,
    KINDS,
    NUMBER_WORDS,
    PARTS,
    PREFIXES,
    STREET_KINDS,
    TOWNS,
)

__all__ = ["Comparison", "Doubt", "Doubted", "Judged", "Verdict", "compare", "confidence", "judge", "reasons"]


class Verdict(StrEnum):
    """How an asked address stands to a home."""

    SAME = "same"
    POSSIBLE = "possible"
    NOT_GIVEN = "not_given"
    DIFFERENT = "different"
    ELSEWHERE = "elsewhere"


_BASE_CONFIDENCE = {
    Verdict.SAME: 0.99,
    Verdict.POSSIBLE: 0.6,
    Verdict.NOT_GIVEN: 0.5,
    Verdict.DIFFERENT: 0.9,
    Verdict.ELSEWHERE: 0.0,
}
_ORDER = {
    Verdict.SAME: 0,
    Verdict.POSSIBLE: 1,
    Verdict.NOT_GIVEN: 2,
    Verdict.DIFFERENT: 3,
    Verdict.ELSEWHERE: 4,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A verdict, the reasons a person reads in two seconds, and how sure it is (0 to 1)."""

    verdict: Verdict
    why: tuple[str, ...]
    confidence: float


class Doubted(Enum):
    """What a doubt is about."""

    NUMBER_MISSING = auto()
    NUMBER = auto()
    STREET = auto()
    NAME_MISSING = auto()
    WORDS = auto()
    UNIT = auto()
    NO_UNIT_ON_RECORD = auto()
    POSTCODE = auto()
    TEXT = auto()


class Doubt(NamedTuple):
    """One reason why it is not surely the same home, in words a person reads."""

    about: Doubted
    text: str


class Judged(NamedTuple):
    """The verdict with everything a resolver needs to rule out a runner-up.

    `cost` counts spelling slips. `loose` counts what was assumed rather than read: a number inside a range, a name
    left out, a reinterpretation such as 37A = Flat A; -1 means written letter for letter the same. `doubts` name what
    stops it being the same home. `named` says that the home's name was among the asked words, `leftover` how many
    asked words the home does not have, `postcode` is same, part (outward half agrees), differs (its last half does) or
    district (another district), "" if not compared.
    """

    verdict: Verdict
    cost: int
    loose: int
    asked: Reading | None
    home: Reading | None
    found: Alignment | None
    doubts: tuple[Doubt, ...] = ()
    named: bool = False
    postcode: str = ""
    leftover: int = 0

    def doubts_about(self, *about: Doubted) -> bool:
        """Is any doubt about one of these?"""
        return any(doubt.about in about for doubt in self.doubts)


def _postcodes(asked: Written, home: Written) -> str:
    if not asked.outward or not home.outward:
        return ""
    if not same_district(asked.outward, home.outward):
        return "district"
    if asked.postcode and home.postcode:
        return "same" if asked.postcode == home.postcode else "differs"
    return "part"


def judge(asked: Written, home: Written, *, lenient: bool = False) -> Judged:
    """The verdict with what it rests on; `compare` puts it into words.

    `lenient` is for a street nobody knows: another type of street, or the same number and postcode, is then worth
    asking about, never more.
    """
    postcode = _postcodes(asked, home)
    if asked.plain and asked.plain == home.plain and postcode in ("", "same", "part"):
        ours = asked.readings[0] if asked.readings else None
        theirs = home.readings[0] if home.readings else None
        return Judged(Verdict.SAME, 0, -1, ours, theirs, None, named=True, postcode=postcode)
    best: Judged | None = None
    best_rank: tuple[int, int, int, int] | None = None
    for its in home.readings:
        theirs_number = its.number
        for mine in asked.readings:
            number = mine.number
            # Most pairs end here: numbers apart, or one reinterpretation against another.
            if number is not None and theirs_number is not None:
                if number.hi < theirs_number.lo or number.lo > theirs_number.hi:
                    continue
            elif (number is not None or mine.bare) and its.bare:
                continue
            if (its.unsure and not all(other.unsure for other in home.readings)) or (
                its.rank and (mine.unit is None or mine.rank or mine.bare)
            ):
                continue
            found = _judge_readings(asked, mine, home, its, postcode, lenient=lenient)
            if found is None:
                continue
            rank = (_ORDER[found.verdict], found.cost + found.loose, found.cost, len(found.doubts))
            if best_rank is None or rank < best_rank:
                best, best_rank = found, rank
    if best is None:
        return Judged(Verdict.ELSEWHERE, 0, 0, None, None, None, postcode=postcode)
    return best


def _judge_readings(
    asked: Written, ours: Reading, home: Written, theirs: Reading, postcode: str, *, lenient: bool
) -> Judged | None:
    """One pair of readings; `judge` has already passed over those whose numbers lie apart."""
    if theirs.bare and (ours.spare or not _may_be_flat(ours, theirs)):
        return None
    if theirs.rank:
        number = home.readings[0].number
        # Of `Flat 14, Octavo Tower` the 14 is no house number, of `Flat, 14 Octavo Street` no flat's.
        misread = number is not None if theirs.number is None else number is None and is_block(theirs.key)
        if theirs.spare or misread:
            return None
    loose = ours.rank + theirs.rank + theirs.bare
    doubts: list[Doubt] = []
    key = theirs.key
    by_name = theirs.number is None
    if theirs.number is not None:
        if ours.number is None:
            if ours.bare:
                return None
            if not GENERIC.issuperset(theirs.name):
                key, by_name = theirs.name, True
            elif _only_number_missing(ours, theirs):
                doubts.append(Doubt(Doubted.NUMBER_MISSING, f"number {theirs.number.text} not given"))
            else:
                return None
            loose += 1
        else:
            fit = number_fit(ours.number, theirs.number)
            if fit < 0:
                return None
            if fit == 2:
                doubts.append(Doubt(Doubted.NUMBER, f"{ours.number.text} / {theirs.number.text}"))
            loose += fit
    elif ours.number is not None:
        if ours.unit is None or ours.rank or not is_block(key):
            return None
        loose += 1
        doubts.append(Doubt(Doubted.NUMBER, f"number {ours.number.text} not on record"))
    if not key:
        return None
    found = align(ours.words, key, ours.at)
    if found is None and lenient and postcode == "same" and not by_name and ours.number is not None:
        return _by_postcode(ours, theirs, key)
    other_type = found is not None and found.kind == "other" and postcode != "same"
    if by_name and theirs.number is None and ours.number is None and (found is None or other_type):
        return _by_place(ours, theirs, postcode)
    if found is None or (theirs.bare and found.kind):
        return None
    words = ours.words
    explained = set(range(found.start, found.end))
    if found.kind == "other":
        if postcode != "same" and (by_name or not lenient):
            return None
        doubts.append(Doubt(Doubted.STREET, f"type differs: {words[found.end - 1].title()} / {key[-1].title()}"))
    elif found.kind == "missing":
        doubts.append(Doubt(Doubted.STREET, f"{key[-1].title()} not written"))
    if found.cost >= FAR_SLIP:
        doubts += [
            Doubt(Doubted.STREET, f"{typed.lower()} / {known.title()}")
            for typed, known in found.slips
            if word_cost(typed, known) == FAR_SLIP
        ]
    named = False
    if theirs.locality:
        explained.update(i for i, word in enumerate(words) if word in theirs.locality)
    for phrase in (theirs.name, theirs.street):
        if phrase and phrase is not key and phrase != key:
            other = align(words, phrase)
            if other is not None and not other.kind:
                explained.update(range(other.start, other.end))
                named = named or phrase is theirs.name
            else:
                known = set(phrase) - KINDS
                explained.update(i for i, word in enumerate(words) if word in known)
    if found.end < len(words) and found.end not in explained:
        follows = words[found.end]
        if follows in KINDS and not found.kind and not _starts_phrase(words, found.end, ours.at):
            return None
    before = found.start - 1
    if before >= 0 and before not in explained and words[before] in PREFIXES and ours.at != found.start:
        if words[before] != "ST" or postcode != "same":
            return None
        doubts.append(Doubt(Doubted.STREET, f"St {' '.join(key).title()} / {' '.join(key).title()}"))
        explained.add(before)
    apart = _words_apart(ours, found, explained)
    if apart is None:
        return None
    doubts += apart
    if by_name and theirs.number is None and theirs.unit is None:
        if key[-1] in STREET_KINDS:
            doubts.append(Doubt(Doubted.STREET, "only a street on record"))
        elif not any(word in KINDS for word in key) and ours.number is None:
            beside = [i for i in (found.start - 1, found.end) if 0 <= i < len(words) and i not in explained]
            if beside and words[beside[0]] not in TOWNS:
                doubts.append(Doubt(Doubted.WORDS, f"'{words[beside[0]].lower()}' not on record"))
    doubts += _strange_words(ours, theirs, found, explained)
    leftover = sum(1 for i, word in enumerate(words) if i not in explained and word not in TOWNS)
    unit = unit_fit(ours.unit, theirs.unit)
    doubts += [
        Doubt(Doubted.WORDS, f"'{word.lower()}' unexplained")
        for i, word in enumerate(words)
        if word in NUMBER_WORDS and i not in explained
    ]
    if ours.spare:
        doubts.append(Doubt(Doubted.NUMBER, f"number {ours.spare[0]} unexplained"))
    if ours.unsure:
        doubts.append(Doubt(Doubted.TEXT, ours.unsure))
    if ours.rank and ours.number is not None and ours.unit is not None and not ours.unit.ident and not ours.unit.floors:
        doubts.append(Doubt(Doubted.NUMBER, f"{ours.number.text} may be the flat, not the number"))
    if asked.beside:
        doubts.append(Doubt(Doubted.TEXT, "beside the address, not at it"))
    if asked.cut:
        doubts.append(Doubt(Doubted.TEXT, "text too long to read whole"))
    if postcode == "district":
        doubts.append(Doubt(Doubted.POSTCODE, f"postcode district {asked.outward} / {home.outward}"))
    if theirs.number is not None and theirs.name and not named and not by_name:
        loose += 1
        stray = _stray_name(words, explained)
        if stray and theirs.name[-1] in KINDS:
            doubts.append(Doubt(Doubted.WORDS, f"{stray.title()} / {' '.join(theirs.name).title()}"))
    if by_name and (theirs.street or theirs.bare):
        kinds = [word for i, word in enumerate(words) if i not in explained and word in KINDS]
        stray = _stray_name(words, explained) or " ".join(kinds)
        if stray and theirs.bare:
            return None
        if stray:
            doubts.append(Doubt(Doubted.WORDS, f"'{stray.lower()}' not on record"))
    if unit == "different":
        verdict = Verdict.DIFFERENT
    elif unit == "not_given":
        verdict = Verdict.NOT_GIVEN
    elif unit == "extra":
        verdict = Verdict.POSSIBLE
        asked_for = ours.unit.text if ours.unit else ""
        doubts.append(Doubt(Doubted.NO_UNIT_ON_RECORD, f"{asked_for} asked, no flat on record"))
    elif unit == "unsure":
        verdict = Verdict.POSSIBLE
        # Never which flat it is: whoever asked for another one must not learn that.
        doubts.append(Doubt(Doubted.UNIT, f"{ours.unit.text if ours.unit else ''} may be this one, written otherwise"))
    else:
        verdict = Verdict.POSSIBLE if doubts else Verdict.SAME
    return Judged(verdict, found.cost, loose, ours, theirs, found, tuple(doubts), named, postcode, leftover)


def _by_postcode(ours: Reading, theirs: Reading, key: tuple[str, ...]) -> Judged | None:
    """Number and postcode agree, the street does not: worth asking about."""
    if unit_fit(ours.unit, theirs.unit) == "different":
        return None
    written = " ".join(ours.street or ours.words).title()
    doubt = Doubt(Doubted.STREET, f"{written} / {' '.join(key).title()}")
    return Judged(Verdict.POSSIBLE, FAR_SLIP, 0, ours, theirs, None, (doubt,), postcode="same")


def _by_place(ours: Reading, theirs: Reading, postcode: str) -> Judged | None:
    """Not the home's own name but what it stands in or on was written: a hotel with a flat in it, or the flat and
    street of a block without the block."""
    street = align(ours.words, theirs.street) if theirs.street else None
    if street is None or street.kind or ours.bare:
        return None
    if ours.unit is None:
        inside = theirs.street[-1] in BUILDING_KINDS and not ours.spare
        return Judged(Verdict.NOT_GIVEN, street.cost, 0, ours, theirs, street, postcode=postcode) if inside else None
    if not ours.unit.ident or unit_fit(ours.unit, theirs.unit) != "same":
        return None
    doubt = Doubt(Doubted.NAME_MISSING, f"{' '.join(theirs.name).title()} not written")
    return Judged(Verdict.POSSIBLE, street.cost, 1, ours, theirs, street, (doubt,), postcode=postcode)


def _words_apart(ours: Reading, found: Alignment, explained: set[int]) -> list[Doubt] | None:
    """Doubts about words that stand where only the name of another place would: between the number (or flat) and the
    phrase it belongs to, or before a phrase that has neither. None when they make it another place."""
    words = ours.words

    def unexplained(low: int, high: int) -> list[int]:
        return [i for i in range(low, high) if i not in explained and words[i] not in TOWNS]

    by_number = ours.number is not None or ours.bare
    anchor = ours.at if by_number else ours.unit_at
    if anchor < 0:
        stray = unexplained(0, found.start)
        text = " ".join(words[i].lower() for i in stray)
        return [Doubt(Doubted.WORDS, f"'{text}' not on record")] if stray else []
    if ours.number is not None and found.end <= anchor < len(words) and unexplained(anchor, anchor + 1):
        text = " ".join(words[i].lower() for i in unexplained(anchor, len(words)))
        return [Doubt(Doubted.WORDS, f"number {ours.number.text} stands before '{text}'")]
    between = unexplained(*((anchor, found.start) if anchor <= found.start else (found.end, anchor)))
    if not between:
        return []
    if by_number and (anchor <= found.start or any(words[i] in KINDS for i in between)):
        return None
    text = " ".join(words[i].lower() for i in between)
    return [
        Doubt(
            Doubted.WORDS,
            f"'{text}' between {'number' if by_number else 'flat'} and {'street' if by_number else 'name'}",
        )
    ]


_COMPASS = frozenset({"NORTH", "SOUTH", "EAST", "WEST", "UPPER", "LOWER", "N", "S", "E", "W"})


def _strange_words(ours: Reading, theirs: Reading, found: Alignment, explained: set[int]) -> list[Doubt]:
    """Doubts about words that would not be there if this home were meant: another town, a quarter of the compass behind
    the street, a part of a building before the number, or a word that makes the number none."""
    words, strange = ours.words, []
    for i, word in enumerate(words):
        if i in explained:
            continue
        following = words[i + 1] if i + 1 < len(words) else ""
        if i in ours.led and word not in TOWNS:
            strange.append(f"'{word.lower()}' before the number")
        elif word in PARTS and (i < max(ours.at, ours.unit_at) or i == found.end):
            strange.append(f"'{word.lower()}' not on record")
        elif len(word) == 1 and i == found.end and (word != "A" or not following):
            strange.append(f"'{word.lower()}' behind the street")
        elif word in TOWNS and word != "LONDON" and _has_other_town(theirs, word):
            strange.append(f"{word.title()} / {' '.join(theirs.locality).title()}")
        elif i == found.end and word in _COMPASS and following not in TOWNS:
            strange.append(f"'{word.lower()}' behind the street")
    return [Doubt(Doubted.WORDS, text) for text in strange]


def _has_other_town(home: Reading, town: str) -> bool:
    return town not in home.words and not TOWNS.isdisjoint(home.locality)


def _only_number_missing(ours: Reading, theirs: Reading) -> bool:
    """The same flat of the same street, the building's number left out: worth asking, never the same."""
    return bool(ours.unit and ours.unit.ident) and not ours.spare and unit_fit(ours.unit, theirs.unit) == "same"


def _may_be_flat(ours: Reading, theirs: Reading) -> bool:
    """May the bare number of the home's reading (`12 Quarto Tower`) be a flat, in the light of what was asked?

    A flat was asked in a block or a court, or nothing but the block itself. A yard or mews has houses.
    """
    if not theirs.key:
        return False
    if ours.unit is not None:
        return theirs.key[-1] in BUILDING_KINDS or theirs.key[-1] == "COURT"
    return ours.number is None and not ours.spare and theirs.key[-1] in BUILDING_KINDS


def _starts_phrase(words: tuple[str, ...], at: int, number_at: int) -> bool:
    """Does a new phrase begin here (a number stands before it), so that it does not belong to the one before?"""
    return at == number_at or words[at] == "ST"


def _stray_name(words: tuple[str, ...], explained: set[int]) -> str:
    """A building or street named in the asked words that the home does not have."""
    for i in range(1, len(words)):
        if i not in explained and i - 1 not in explained and words[i] in KINDS and words[i - 1] not in KINDS:
            return f"{words[i - 1]} {words[i]}"
    return ""


def compare(asked: Written, home: Written) -> Comparison:
    """How `asked` stands to `home`. `SAME` only when every part that could tell two homes apart agrees."""
    judged = judge(asked, home)
    return Comparison(judged.verdict, reasons(judged, asked, home), confidence(judged))


def confidence(judged: Judged) -> float:
    """0 to 1, falling with every slip, assumption and doubt; a rank for people, not a probability."""
    base = _BASE_CONFIDENCE[judged.verdict]
    off = 0.03 * judged.cost + 0.02 * max(0, judged.loose) + 0.05 * len(judged.doubts)
    off += 0.04 if judged.postcode in ("differs", "district") else 0.0
    return round(max(0.05, base - off), 2) if base else 0.0


def reasons(judged: Judged, asked: Written, home: Written) -> tuple[str, ...]:
    """What agreed, what did not: `14 = 14`, `bred read as Bread`, `postcode differs: EC9A 1AB / EC9A 1AC`."""
    if judged.verdict is Verdict.ELSEWHERE:
        return ("another address",)
    if judged.loose < 0:
        return ("written the same",)
    why: list[str] = []
    ours, theirs, found = judged.asked, judged.home, judged.found
    if ours is not None and theirs is not None:
        if judged.verdict is Verdict.NOT_GIVEN:
            why.append("flat not given")  # and never which flat the home is
        elif theirs.unit is not None and ours.unit is not None:
            sign = "=" if judged.verdict in (Verdict.SAME, Verdict.POSSIBLE) else "is not"
            if judged.verdict is not Verdict.POSSIBLE or ours.unit.ident == theirs.unit.ident:
                why.append(f"{ours.unit.text.lower()} {sign} {theirs.unit.text}")
        if ours.number is not None and theirs.number is not None:
            within = "within" if theirs.number != ours.number else "="
            why.append(f"{ours.number.text} {within} {theirs.number.text}")
    if found is not None:
        why.extend(f"{was.lower()} read as {known.title()}" for was, known in found.slips)
        if not found.slips and theirs is not None and not found.kind:
            why.append(" ".join(theirs.key).title())
    if judged.postcode == "differs":
        why.append(f"postcode differs: {asked.postcode} / {home.postcode}")
    elif judged.postcode == "same":
        why.append("postcode agrees")
    why.extend(doubt.text for doubt in judged.doubts)
    return tuple(why)
