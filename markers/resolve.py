"""A written address x the gazetteer x the marked homes -> what was understood and which marked homes it concerns.

The gazetteer is asked first; marked homes are then joined to the home it found. Comparing the text with the marked
homes directly is the backstop for homes the gazetteer lacks. A home is claimed only when every other home it could
be has been ruled out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_uppercase

from rapidfuzz.distance import OSA

from markers.address import Reading, Written, normalise, normalise_postcode, part_words, read_address
from markers.compare import (
    FAR_SLIP,
    Doubted,
    Judged,
    Verdict,
    align,
    confidence,
    judge,
    number_fit,
    reasons,
    unit_fit,
    word_cost,
)
from markers.gazetteer import Gazetteer, Known
from markers.homes import MarkedHomes
from markers.model import Precision, Premises
from markers.terms import asked_numbers, reading_numbers, slips_of_number
from markers.vocabulary import KINDS, TOWNS

__all__ = ["MarkedHome", "Resolution", "resolve", "resolve_premises"]

MOST_CANDIDATES = 10
_CONFIRM = "Ask to confirm flat, building, number and street."


@dataclass(frozen=True, slots=True)
class MarkedHome:
    """A marked home that is, may be, or shares the building of what was asked."""

    home_id: str
    verdict: Verdict
    why: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a location was understood to be.

    `home` is set only when surely this one. `candidates` are the homes it could be when unsure. `decidable` says
    whether "no marker here" may be said; if not, `problem` says what is missing and what to ask.
    """

    precision: Precision
    understood: str | None
    home: Premises | None
    candidates: tuple[Premises, ...]
    known: bool
    decidable: bool
    problem: str | None
    marked: tuple[MarkedHome, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Weighed:
    home: Premises
    written: Written
    judged: Judged


@dataclass(frozen=True, slots=True)
class _Choice:
    """The gazetteer's answer: one sure home, or those it could be, or none."""

    sure: _Weighed | None
    could_be: tuple[_Weighed, ...]
    same_building: tuple[_Weighed, ...]
    doubt: str | None = None
    lenient: bool = False


def resolve(asked: Written, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    """Understand a written address and find the marked homes it concerns. Never raises for any text."""
    if all(TOWNS.issuperset(reading.words) for reading in asked.readings):
        return _without_words(asked, gazetteer, marked)
    asked = _parted(asked, gazetteer, marked)
    choice = _choose(asked, gazetteer)
    warnings: list[str] = []
    if asked.cut:
        warnings.append("text too long: only its beginning was read")
    if choice.sure is not None:
        return _sure(asked, choice.sure, gazetteer, marked, warnings)
    return _unsure(asked, choice, gazetteer, marked, warnings)


def _parted(asked: Written, gazetteer: Gazetteer, marked: MarkedHomes) -> Written:
    """The same text, names that run into their type set apart."""

    def knows(word: str) -> bool:
        near = gazetteer.spellings(word) or marked.spellings(word)
        return bool(near) or gazetteer.knows_word(word) or marked.knows_word(word)

    if all(len(word) < 7 or knows(word) for word in asked.readings[0].words):
        return asked
    parted = part_words(asked.text, knows)
    if parted.count(" ") == normalise(asked.text).count(" "):
        return asked
    return read_address(parted, asked.postcode)


def resolve_premises(home: Premises, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    """The same for a home of the gazetteer that is already known, by its UPRN."""
    written = gazetteer.written(home)
    weighed = _Weighed(home, written, judge(written, written))
    return _sure(written, weighed, gazetteer, marked, [])


def _weigh(asked: Written, homes: Iterable[Known], *, lenient: bool = False) -> list[_Weighed]:
    weighed = []
    for home, written in homes:
        judged = judge(asked, written, lenient=lenient)
        if judged.verdict is not Verdict.ELSEWHERE:
            weighed.append(_Weighed(home, written, judged))
    return weighed


def _weigh_near(asked: Written, homes: Iterable[Known]) -> list[_Weighed]:
    """Weigh homes; where a postcode district was given, those of others only if no home in it is meant."""
    far: list[Known] = []
    if asked.outward:
        near = [known for known in homes if known[1].outward in (asked.outward, None)]
        far = [known for known in homes if known[1].outward not in (asked.outward, None)]
        homes = near
    weighed = _weigh(asked, homes)
    if far and not any(one.judged.verdict is Verdict.SAME for one in weighed):
        weighed += _weigh(asked, far)
    return weighed


def _choose(asked: Written, gazetteer: Gazetteer) -> _Choice:
    compared = gazetteer.comparable(asked)
    weighed = _weigh_near(asked, compared)
    same = [one for one in weighed if one.judged.verdict is Verdict.SAME]
    if not same and gazetteer.count:
        wider = gazetteer.comparable(asked, wide=True)
        weighed += _weigh(asked, [home for home in wider if home not in compared])
        if not weighed and _known_street(asked, gazetteer) is None:
            return _Choice(None, tuple(_weigh(asked, {*compared, *wider}, lenient=True)), (), lenient=True)
        same = [one for one in weighed if one.judged.verdict is Verdict.SAME]
    neighbours = tuple(one for one in weighed if one.judged.verdict in (Verdict.NOT_GIVEN, Verdict.DIFFERENT))
    possible = tuple(sorted((one for one in weighed if one.judged.verdict is Verdict.POSSIBLE), key=_nearness))
    if not same:
        return _Choice(None, possible, neighbours)
    same.sort(key=lambda one: _merit(one, asked))
    best = _merit(same[0], asked)
    # A home may stand under two addresses, as its council and the post write it.
    leaders = list({one.home.premises_id: one for one in same if _merit(one, asked) == best}.values())
    if len(leaders) > 1:
        return _Choice(None, tuple(leaders), neighbours, _which(leaders))
    leader = leaders[0]
    if leader.judged.home is not None and leader.judged.home.bare:
        unnumbered = [one for one in possible if one.judged.doubts_about(Doubted.NUMBER_MISSING)]
        if unnumbered:
            return _Choice(None, (leader, *unnumbered), neighbours, _which([leader, *unnumbered]))
    if leader.judged.postcode == "differs" and leader.judged.loose >= 0:
        nearer = [one for one in same if one.judged.postcode == "same" and one.judged.cost <= leader.judged.cost]
        if nearer:
            return _Choice(None, (leader, *nearer), neighbours, _which([leader, *nearer]))
    rivals = _rival_phrases(leader, gazetteer)
    if rivals:
        others = tuple(home for phrase in rivals for home in gazetteer.on_phrase(phrase, 1))
        elsewhere = tuple(_Weighed(home, gazetteer.written(home), leader.judged) for home in others)
        names = " or ".join(" ".join(phrase).title() for phrase in rivals[:2])
        key = leader.judged.home.key if leader.judged.home else ()
        return _Choice(
            None, (leader, *elsewhere), neighbours, f"{' '.join(key).title()} or {names}? Ask which, and have it spelt."
        )
    if not _settled(leader, (*neighbours, *possible)):
        return _Choice(None, (leader,), neighbours, "Flat missing")
    return _Choice(leader, (leader,), neighbours)


def _rivalled(asked: Written, read: _Weighed | None, listed: set[str], rivals: _Rivals) -> bool:
    """May the text mean a marked home that was read as elsewhere? Then nobody may be told that there is no marker.

    Asked only where the reading took some liberty. A marked home all of whose numbers are in the text, and whose
    building or street is too, may be what was meant, unless the home that was read explains words or numbers of the
    text that it leaves unexplained, or reads them with fewer slips. A home that was read to the letter is only
    rivalled by one that explains words which it leaves over.
    """
    explained = _explained(asked, read.written) if read is not None else {}
    to_the_letter = read is not None and read.judged.cost == 0 and read.judged.loose <= 0
    numbers = set(asked_numbers(asked))
    read_numbers = numbers & set(reading_numbers(read.written.readings[0])) if read is not None else set()
    for home_id in rivals.ids():
        theirs = rivals.marked.written(home_id)
        if home_id in listed or not theirs.readings:
            continue
        reading = theirs.readings[0]
        own = set(reading_numbers(reading))
        if reading.unit is not None and reading.unit.ident and _mentions(asked, reading.name):
            own = {reading.unit.ident}  # a named building is often said without its number
        if not (own and own <= numbers and (_mentions(asked, reading.name) or _mentions(asked, reading.street))):
            continue
        rival = _explained(asked, theirs)
        leaves_out = explained.keys() - rival.keys() or read_numbers - set(reading_numbers(reading))
        if leaves_out or (to_the_letter and rival.keys() == explained.keys()):
            continue
        if sum(rival[i] for i in explained) <= sum(explained.values()):
            return True
    return False


def _explained(asked: Written, home: Written) -> dict[int, int]:
    """Places of the asked words that are words of the home, each with what the slip of spelling costs."""
    known = {word for reading in home.readings for word in reading.words if word not in TOWNS}
    costs = {}
    for i, word in enumerate(asked.readings[0].words):
        if word in known:
            costs[i] = 0
        elif slips := [cost for other in known if 0 <= (cost := word_cost(word, other)) < FAR_SLIP]:
            costs[i] = min(slips)
    return costs


def _mentions(asked: Written, phrase: tuple[str, ...]) -> bool:
    keys = [word for word in phrase if word not in KINDS | TOWNS]
    return any(0 <= word_cost(word, key) < FAR_SLIP for key in keys for word in asked.readings[0].words)


def _merit(one: _Weighed, asked: Written) -> tuple[int, int, int, int]:
    """Lower is better; only a categorically better home wins. Exact street before slips of spelling, exact number
    before ranges, a home that has every word before one that lacks some, then the postcode where one was given."""
    judged = one.judged
    agreement = {"same": 0, "part": 0, "": 1, "district": 2, "differs": 2}[judged.postcode]
    return (judged.cost, max(-1, judged.loose - judged.named), judged.leftover, agreement if asked.outward else 0)


def _nearness(one: _Weighed) -> tuple[bool, int, int]:
    """Which of those it could be comes first: one that has a flat where a flat was asked for, with fewest doubts."""
    judged = one.judged
    return judged.doubts_about(Doubted.NO_UNIT_ON_RECORD), len(judged.doubts), judged.cost


def _settled(leader: _Weighed, others: Iterable[_Weighed]) -> bool:
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


def _rival_phrases(leader: _Weighed, gazetteer: Gazetteer) -> list[tuple[str, ...]]:
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


def _which(leaders: list[_Weighed]) -> str:
    return f"{len(leaders)} homes read like this: {leaders[0].home.address} or {leaders[1].home.address}. Ask which."


@dataclass(slots=True)
class _Rivals:
    """Marked homes the text may mean, looked up once and only when asked for."""

    asked: Written
    marked: MarkedHomes
    wide: bool = True
    found: tuple[str, ...] | None = None

    def ids(self) -> tuple[str, ...]:
        """Every marked home the text may mean; `wide` forgives slips of spelling in words that are known."""
        if self.found is None:
            self.found = self.marked.candidates(self.asked, wide=self.wide)
        return self.found


def _sure(asked: Written, sure: _Weighed, gazetteer: Gazetteer, marked: MarkedHomes, warnings: list[str]) -> Resolution:
    home, judged = sure.home, sure.judged
    if judged.postcode == "differs":
        warnings.append(f"postcode {asked.postcode} given, gazetteer has {home.postcode}")
    to_the_letter = judged.cost == 0 and judged.loose <= 0 and judged.leftover == 0
    rivals = _Rivals(asked, marked, wide=not to_the_letter)
    ids: dict[str, None] = dict.fromkeys(marked.at_premises(home.premises_id))
    ids.update(dict.fromkeys(rivals.ids()))
    ids.update(dict.fromkeys(marked.of_building(sure.written)))
    found = [one for home_id in ids if (one := _marked_near_sure(home_id, asked, sure, gazetteer, marked)) is not None]
    reading = sure.written.readings[0] if sure.written.readings else None
    in_unit = reading is not None and reading.unit is not None
    rivalled = not to_the_letter and _rivalled(asked, sure, {one.home_id for one in found}, rivals)
    return Resolution(
        precision=Precision.SUB_BUILDING if in_unit else Precision.BUILDING,
        understood=_label(home),
        home=home,
        candidates=(),
        known=True,
        decidable=not rivalled,
        problem=f"Read as {home.address}, but not surely. {_CONFIRM}" if rivalled else None,
        marked=_ordered(found),
        warnings=tuple(warnings),
    )


def _marked_near_sure(
    home_id: str, asked: Written, sure: _Weighed, gazetteer: Gazetteer, marked: MarkedHomes
) -> MarkedHome | None:
    premises, theirs = marked.premises(home_id), marked.written(home_id)
    if premises.premises_id == sure.home.premises_id or (premises.uprn and premises.uprn == sure.home.uprn):
        return MarkedHome(home_id, Verdict.SAME, reasons(sure.judged, asked, sure.written), confidence(sure.judged))
    if asked.plain == theirs.plain and asked.postcode in (None, theirs.postcode):
        judged = judge(asked, theirs)
        return _marked(home_id, judged, asked, theirs)
    known = gazetteer.knows_id(premises.premises_id)
    if known and theirs.outward and sure.written.outward and theirs.outward != sure.written.outward:
        return None  # both are on record, in two districts
    resolved = judge(sure.written, theirs)
    if known and resolved.verdict is Verdict.ELSEWHERE:
        return None
    if known:
        if resolved.verdict in (Verdict.SAME, Verdict.POSSIBLE):
            # Two homes of the gazetteer are two homes, but a list may hold one of them twice.
            typed = judge(asked, theirs)
            named_apart = (resolved.cost > 0 or resolved.doubts_about(Doubted.STREET)) and (
                typed.cost > sure.judged.cost or typed.doubts_about(Doubted.STREET)
            )
            if resolved.doubts_about(Doubted.NUMBER_MISSING) or typed.verdict is Verdict.ELSEWHERE or named_apart:
                return None
            other = _other_ident(resolved) or resolved.doubts_about(Doubted.NO_UNIT_ON_RECORD, Doubted.UNIT)
            return _marked(home_id, resolved, sure.written, theirs, Verdict.DIFFERENT if other else Verdict.POSSIBLE)
        return _marked(home_id, resolved, sure.written, theirs)
    typed = judge(asked, theirs)
    if resolved.verdict is Verdict.SAME and resolved.cost == 0 and resolved.loose <= 0:
        return _marked(home_id, resolved, sure.written, theirs)
    if typed.verdict is Verdict.SAME and typed.cost == 0 and typed.loose <= 0:
        return _marked(home_id, typed, asked, theirs)
    if Verdict.SAME in (typed.verdict, resolved.verdict):
        better = typed if typed.verdict is Verdict.SAME else resolved
        return _marked(home_id, better, asked, theirs, Verdict.POSSIBLE)
    if resolved.verdict is Verdict.ELSEWHERE:
        return None if typed.verdict is Verdict.ELSEWHERE else _marked(home_id, typed, asked, theirs)
    return _marked(home_id, resolved, sure.written, theirs)


def _other_ident(judged: Judged) -> bool:
    """Both have a flat number or letter, and not the same one."""
    ours = judged.asked.unit if judged.asked is not None else None
    theirs = judged.home.unit if judged.home is not None else None
    return (
        ours is not None and theirs is not None and ours.ident != theirs.ident and "" not in (ours.ident, theirs.ident)
    )


def _unsure(
    asked: Written, choice: _Choice, gazetteer: Gazetteer, marked: MarkedHomes, warnings: list[str]
) -> Resolution:
    known_street = _known_street(asked, gazetteer)
    rivals = _Rivals(asked, marked)
    possible_ids = {one.home.premises_id for one in choice.could_be}
    found = []
    for home_id in rivals.ids():
        premises, theirs = marked.premises(home_id), marked.written(home_id)
        judged = judge(asked, theirs, lenient=choice.lenient)
        if judged.verdict is Verdict.ELSEWHERE:
            if premises.premises_id in possible_ids:
                found.append(_marked(home_id, judged, asked, theirs, Verdict.POSSIBLE))
            continue
        verdict = judged.verdict
        if verdict is Verdict.SAME and judged.loose >= 0:
            in_gazetteer = premises.premises_id in possible_ids or gazetteer.knows_id(premises.premises_id)
            on_street = judged.home is not None and judged.home.key == known_street
            spelt = judged.cost == 0 or on_street
            if in_gazetteer or choice.could_be or judged.loose or not spelt:
                verdict = Verdict.POSSIBLE
        found.append(_marked(home_id, judged, asked, theirs, verdict))
    for one in choice.could_be:
        for home_id in marked.at_premises(one.home.premises_id):
            if all(held.home_id != home_id for held in found):
                found.append(_marked(home_id, one.judged, asked, one.written, Verdict.POSSIBLE))
    same = [one for one in found if one.verdict is Verdict.SAME]
    if len(same) > 1 and not any("written the same" in one.why for one in same):
        found = [
            MarkedHome(one.home_id, Verdict.POSSIBLE, one.why, one.confidence) if one in same else one for one in found
        ]
    reading = _telling(asked)
    precision, problem, decidable = Precision.UNKNOWN, None, False
    understood: str | None = None
    candidates = tuple(one.home for one in choice.could_be[:MOST_CANDIDATES])
    missing = [one for one in choice.same_building if one.judged.verdict is Verdict.NOT_GIVEN]
    others = [one for one in choice.same_building if one.judged.verdict is Verdict.DIFFERENT]
    if choice.doubt is not None and choice.doubt != "Flat missing":
        precision, problem = Precision.STREET, choice.doubt
    elif missing:
        count, some = gazetteer.in_building(missing[0].written)
        name = _building_name(missing[0])
        precision, understood = Precision.BUILDING, name
        candidates = candidates or some[:MOST_CANDIDATES]
        problem = f"Flat missing: {_homes(count)} at {name}. Ask for the flat."
    elif choice.could_be:
        doubts = choice.could_be[0].judged.doubts
        precision = Precision.BUILDING
        why = doubts[0].text if doubts else "unsure"
        problem = f"Not sure: {why}. Could be {candidates[0].address}. Ask to confirm."
    elif others and reading.unit is not None:
        precision, decidable = Precision.SUB_BUILDING, True
        understood = f"{reading.unit.text}, {_building_name(others[0])}"
        warnings.append("not in the gazetteer: confirm it with the caller")
    elif known_street is not None and _says_home(reading, known_street) and not asked.beside:
        precision = Precision.SUB_BUILDING if reading.unit is not None else Precision.BUILDING
        decidable = True
        unit = f"{reading.unit.text}, " if reading.unit is not None else ""
        understood = f"{unit}{reading.number.text if reading.number else ''} {' '.join(known_street).title()}"
        warnings.append("not in the gazetteer: confirm it with the caller")
    elif known_street is not None:
        precision = Precision.STREET
        understood = " ".join(known_street).title()
        problem = f"Only a street or area was understood: {understood}. Ask for the number or building."
    else:
        problem = "No street or building known by these words. Ask for the address or its postcode."
    listed = {one.home_id for one in found}
    if decidable and any(one.verdict is Verdict.DIFFERENT for one in found):
        decidable, problem = False, f"{understood} is not on record. Ask again which flat."
    if decidable and (_rivalled(asked, None, listed, rivals) or _number_slipped(asked, known_street, marked)):
        decidable, problem = False, f"{understood} is not on record. {_CONFIRM}"
    return Resolution(
        precision=precision,
        understood=understood,
        home=None,
        candidates=candidates,
        known=bool(candidates),
        decidable=decidable,
        problem=problem,
        marked=_ordered(found),
        warnings=tuple(warnings),
    )


def _number_slipped(asked: Written, street: tuple[str, ...] | None, marked: MarkedHomes) -> bool:
    """Is a home marked on this street whose number is one slip from the asked one, which is not on record?"""
    if street is None:
        return False
    numbers = (number for number in asked_numbers(asked) if number.rstrip(ascii_uppercase).isdecimal())
    return any(marked.on(street, slip) for number in numbers for slip in slips_of_number(number))


def _says_home(reading: Reading, street: tuple[str, ...]) -> bool:
    """Is there a number, right at this street, and no other number left over?"""
    if reading.number is None or reading.spare:
        return False
    found = align(reading.words, street)
    return found is not None and (found.start == reading.at or found.end == reading.at == len(reading.words))


def _telling(asked: Written) -> Reading:
    """The reading that says most: with a number in front of a street, and nothing left over."""
    return min(asked.readings, key=lambda r: (r.rank, r.number is None, len(r.spare)))


def _known_street(asked: Written, gazetteer: Gazetteer) -> tuple[str, ...] | None:
    """The one street or building of the gazetteer these words name, letter for letter or by one plausible slip."""
    reading = _telling(asked)
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


def _building_name(one: _Weighed) -> str:
    reading = one.judged.home
    if reading is None:
        return one.home.address
    number = f"{reading.number.text} " if reading.number is not None else ""
    return f"{number}{' '.join(reading.key).title()}"


def _homes(count: int) -> str:
    return f"{count} home" if count == 1 else f"{count} homes"


def _label(home: Premises) -> str:
    if home.postcode and normalise_postcode(home.postcode) and home.postcode not in home.address:
        return f"{home.address}, {home.postcode}"
    return home.address


def _marked(
    home_id: str, judged: Judged, asked: Written, theirs: Written, verdict: Verdict | None = None
) -> MarkedHome:
    return MarkedHome(home_id, verdict or judged.verdict, reasons(judged, asked, theirs), confidence(judged))


def _ordered(found: list[MarkedHome]) -> tuple[MarkedHome, ...]:
    order = list(Verdict)
    return tuple(sorted(found, key=lambda one: (order.index(one.verdict), -one.confidence, one.home_id)))


def _without_words(asked: Written, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    """Only numbers, a flat or a postcode: the homes of that postcode it could be, never decided."""
    found = [
        _marked(home_id, judge(asked, theirs), asked, theirs)
        for home_id in marked.candidates(asked)
        if asked.plain and (theirs := marked.written(home_id)).plain == asked.plain
    ]
    could_be: list[Premises] = []
    for home in gazetteer.in_postcode(asked.postcode) if asked.postcode else ():
        if _could_be(asked, gazetteer.written(home)):
            could_be.append(home)
            found.extend(
                MarkedHome(home_id, Verdict.POSSIBLE, (f"{asked.postcode} and number agree", "street not given"), 0.4)
                for home_id in marked.at_premises(home.premises_id)
            )
    problem = "No street or building in the text. Ask for the address."
    if could_be:
        problem = (
            f"Street missing: {_homes(len(could_be))} of {asked.postcode} it could be. Ask for the street or building."
        )
    return Resolution(
        Precision.UNKNOWN,
        asked.postcode if could_be else None,
        None,
        tuple(could_be[:MOST_CANDIDATES]),
        known=False,
        decidable=False,
        problem=problem,
        marked=_ordered(found),
        warnings=(),
    )


def _could_be(asked: Written, home: Written) -> bool:
    """Do unit and number, as far as they were written, agree?"""
    for ours in asked.readings:
        for theirs in home.readings[:1]:
            if ours.number is not None and (theirs.number is None or number_fit(ours.number, theirs.number) < 0):
                continue
            if (ours.unit is None and ours.number is None) or unit_fit(ours.unit, theirs.unit) in (
                "different",
                "extra",
            ):
                continue
            return True
    return False
