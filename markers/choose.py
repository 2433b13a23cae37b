"""A written address x the gazetteer -> the one home it surely is, or those it could be and what to ask.

A home is chosen only when every other home it could be has been ruled out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from markers.address import Reading, Written
from markers.compare import Doubted, Judged, Verdict, judge
from markers.fits import same_district
from markers.gazetteer import Gazetteer, Place
from markers.model import Premises
from markers.slips import word_cost
from markers.vocabulary import KINDS, TOWNS


@dataclass(frozen=True, slots=True)
class Weighed:
    home: Premises
    written: Written
    judged: Judged


@dataclass(frozen=True, slots=True)
class Choice:
    """The gazetteer's answer: one sure home, or those it could be, or none."""

    sure: Weighed | None
    could_be: tuple[Weighed, ...]
    same_building: tuple[Weighed, ...]
    doubt: str | None = None
    lenient: bool = False


def _weigh(asked: Written, gazetteer: Gazetteer, places: Iterable[Place], *, lenient: bool = False) -> list[Weighed]:
    weighed = []
    known = gazetteer.known
    for place in places:
        home, written = known(place)
        judged = judge(asked, written, lenient=lenient)
        if judged.verdict is not Verdict.ELSEWHERE:
            weighed.append(Weighed(home, written, judged))
    return weighed


def _weigh_near(asked: Written, gazetteer: Gazetteer, places: Iterable[Place]) -> list[Weighed]:
    """Weigh homes; where a postcode district was given, those of others only if no home in it is meant."""
    far: list[Place] = []
    if asked.outward:
        near: list[Place] = []
        for place in places:
            outward = gazetteer.known(place)[1].outward
            (near if outward is None or same_district(asked.outward, outward) else far).append(place)
        places = near
    weighed = _weigh(asked, gazetteer, places)
    if far and not any(one.judged.verdict is Verdict.SAME for one in weighed):
        weighed += _weigh(asked, gazetteer, far)
    return weighed


def choose(asked: Written, gazetteer: Gazetteer) -> Choice:
    """The home of the gazetteer these words surely mean, or those they could mean."""
    compared = gazetteer.comparable(asked)
    weighed = _weigh_near(asked, gazetteer, compared)
    same = [one for one in weighed if one.judged.verdict is Verdict.SAME]
    if not same and gazetteer.count:
        wider = gazetteer.comparable(asked, wide=True)
        weighed += _weigh(asked, gazetteer, [place for place in wider if place not in compared])
        if not weighed and known_street_of(asked, gazetteer) is None:
            could_be = _weigh(asked, gazetteer, dict.fromkeys((*compared, *wider)), lenient=True)
            return Choice(None, tuple(could_be), (), lenient=True)
        same = [one for one in weighed if one.judged.verdict is Verdict.SAME]
    neighbours = tuple(one for one in weighed if one.judged.verdict in (Verdict.NOT_GIVEN, Verdict.DIFFERENT))
    possible = tuple(sorted((one for one in weighed if one.judged.verdict is Verdict.POSSIBLE), key=_nearness))
    if not same:
        return Choice(None, possible, neighbours)
    same.sort(key=lambda one: _merit(one, asked))
    best = _merit(same[0], asked)
    # A home may stand under two addresses, as its council and the post write it.
    leaders = list({one.home.premises_id: one for one in same if _merit(one, asked) == best}.values())
    if len(leaders) > 1:
        return Choice(None, tuple(leaders), neighbours, _which(leaders))
    leader = leaders[0]
    if leader.judged.home is not None and leader.judged.home.bare:
        unnumbered = [one for one in possible if one.judged.doubts_about(Doubted.NUMBER_MISSING)]
        if unnumbered:
            return Choice(None, (leader, *unnumbered), neighbours, _which([leader, *unnumbered]))
    if leader.judged.postcode == "differs" and leader.judged.loose >= 0:
        # The postcode of one and the spelling of the other: two slips of spelling are likelier than a whole postcode.
        # The same holds for another type of street.
        nearer = [
            one
            for one in (*same, *possible)
            if one.judged.postcode == "same"
            and one.judged.cost <= leader.judged.cost + 2
            and all(doubt.about is Doubted.STREET for doubt in one.judged.doubts)
        ]
        if nearer:
            return Choice(None, (leader, *nearer), neighbours, _which([leader, *nearer]))
    rivals = _rival_phrases(leader, gazetteer)
    if rivals:
        others = tuple(home for phrase in rivals for home in gazetteer.on_phrase(phrase, 1))
        elsewhere = tuple(Weighed(home, gazetteer.written(home), leader.judged) for home in others)
        names = " or ".join(" ".join(phrase).title() for phrase in rivals[:2])
        key = leader.judged.home.key if leader.judged.home else ()
        return Choice(
            None, (leader, *elsewhere), neighbours, f"{' '.join(key).title()} or {names}? Ask which, and have it spelt."
        )
    place = _other_place(leader, gazetteer)
    if place:
        there = gazetteer.on_phrase(place, 2)
        named = tuple(Weighed(home, gazetteer.written(home), leader.judged) for home in there)
        doubt = f"{leader.home.address}, but {' '.join(place).title()} is named too. Ask which."
        return Choice(None, (leader, *named), neighbours, doubt)
    if not _settled(leader, (*neighbours, *possible)):
        return Choice(None, (leader,), neighbours, "Flat missing")
    return Choice(leader, (leader,), neighbours)


def _merit(one: Weighed, asked: Written) -> tuple[int, int, int, int]:
    """Lower is better; only a categorically better home wins. Exact street before slips of spelling, exact number
    before ranges, a home that has every word before one that lacks some, then the postcode where one was given."""
    judged = one.judged
    agreement = {"same": 0, "part": 0, "": 1, "district": 2, "differs": 2}[judged.postcode]
    return (judged.cost, max(-1, judged.loose - judged.named), judged.leftover, agreement if asked.outward else 0)


def _nearness(one: Weighed) -> tuple[bool, int, int]:
    """Which of those it could be comes first: one that has a flat where a flat was asked for, with fewest doubts."""
    judged = one.judged
    return judged.doubts_about(Doubted.NO_UNIT_ON_RECORD), len(judged.doubts), judged.cost


def _settled(leader: Weighed, others: Iterable[Weighed]) -> bool:
    """Is nothing left out that other homes of the building have? A shop's name may be left out when it is the only
    one at its number."""
    judged = leader.judged
    if judged.loose < 0 or judged.home is None or judged.asked is None:
        return True
    if judged.home.number is None or not judged.home.name or judged.named or judged.asked.unit is not None:
        return True
    number = judged.home.number
    homes = (one.judged.home for one in others)
    return not any(home is not None and home.number == number and home.unit is not None for home in homes)


def _rival_phrases(leader: Weighed, gazetteer: Gazetteer) -> list[tuple[str, ...]]:
    """Other known streets or buildings the typed name may as well be: the word as typed, or another spelling.

    Another spelling rivals when it is as near as the one that was read, or that one's own look-alike; where the very
    postcode agrees with the one that was read, only a nearer one does.
    """
    judged = leader.judged
    if judged.found is None or judged.home is None or not judged.found.slips:
        return []
    phrase = judged.home.key
    sure = judged.postcode == "same"
    rivals: list[tuple[str, ...]] = []
    for typed, known in judged.found.slips:
        cost, letters = word_cost(typed, known), OSA.distance(typed, known)
        near = [
            other
            for other in (typed, *gazetteer.spellings(typed))
            if (other == typed or word_cost(typed, other) <= cost)
            and (not sure or OSA.distance(typed, other) < letters)
        ]
        twins = () if sure else gazetteer.spellings(known)
        for other in dict.fromkeys((*near, *twins)):
            changed = tuple(other if word == known else word for word in phrase)
            if other != known and gazetteer.knows_phrase(changed):
                rivals.append(changed)
    return rivals


def _other_place(leader: Weighed, gazetteer: Gazetteer) -> tuple[str, ...]:
    """A known street or building of two words or more that the text names and the home has nothing to do with."""
    if leader.judged.asked is None or not leader.judged.leftover:
        return ()
    words = leader.judged.asked.words
    own = {word for reading in leader.written.readings for word in reading.words}
    strange = [all(word_cost(word, other) < 0 for other in own) for word in words]
    open_to_any = [word in KINDS or word in TOWNS for word in words]
    for start in range(len(words) - 1):
        for end in range(min(len(words), start + 4), start + 1, -1):
            foreign = [strange[i] for i in range(start, end) if not open_to_any[i]]
            if foreign and all(foreign) and gazetteer.knows_phrase(words[start:end]):
                return words[start:end]
    return ()


def _which(leaders: list[Weighed]) -> str:
    return f"{len(leaders)} homes read like this: {leaders[0].home.address} or {leaders[1].home.address}. Ask which."


def telling(asked: Written) -> Reading:
    """The reading that says most: with a number in front of a street, and nothing left over."""
    return min(asked.readings, key=lambda r: (r.rank, r.number is None, len(r.spare)))


def known_street_of(asked: Written, gazetteer: Gazetteer) -> tuple[str, ...] | None:
    """The one street or building of the gazetteer these words name, letter for letter or by one plausible slip."""
    reading = telling(asked)
    words = reading.words
    start = reading.at if reading.number is not None and reading.at < len(words) else 0
    for first in (start, *range(len(words))):
        for end in range(min(len(words), first + 6), first, -1):
            phrase = words[first:end]
            if not all(word in TOWNS for word in phrase) and gazetteer.knows_phrase(phrase):
                return phrase
    found: set[tuple[str, ...]] = set()
    for end in range(min(len(words), start + 5), start + 1, -1):
        phrase = words[start:end]
        for i, word in enumerate(phrase):
            options = gazetteer.spellings(word)
            if word not in KINDS:
                found.update(
                    changed
                    for other in options
                    if gazetteer.knows_phrase(changed := (*phrase[:i], other, *phrase[i + 1 :]))
                )
            else:
                continue
        if found:
            break
    return found.pop() if len(found) == 1 else None
