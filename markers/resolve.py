"""A written address x the gazetteer x the marked homes -> what was understood and which marked homes it concerns.

The gazetteer is asked first; marked homes are then joined to the home it found. Comparing the text with the marked
homes directly is the backstop for homes the gazetteer lacks. A home is claimed only when every other home it could
be has been ruled out.
"""

from __future__ import annotations

from dataclasses import dataclass

from markers.address import Reading, Written, normalise, normalise_postcode, read_address
from markers.choose import Choice, Weighed, choose, known_street_of, telling
from markers.compare import Doubted, Judged, Verdict, confidence, judge, reasons
from markers.fits import number_fit, unit_fit
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.mending import part_words
from markers.model import Precision, Premises
from markers.rivals import Rivals, number_slipped, rivalled
from markers.slips import align
from markers.vocabulary import TOWNS

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


def resolve(asked: Written, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    """Understand a written address and find the marked homes it concerns. Never raises for any text."""
    if all(TOWNS.issuperset(reading.words) for reading in asked.readings):
        return _without_words(asked, gazetteer, marked)
    asked = _parted(asked, gazetteer, marked)
    choice = choose(asked, gazetteer)
    warnings: list[str] = []
    if asked.cut:
        warnings.append("text too long: only its beginning was read")
    if choice.sure is not None:
        if any(one.judged.verdict is Verdict.NOT_GIVEN for one in choice.same_building):
            warnings.append("Flats are on record at this address too. Ask whether it is one of them.")
        return _sure(asked, choice.sure, gazetteer, marked, warnings)
    return _unsure(asked, choice, gazetteer, marked, warnings)


def _parted(asked: Written, gazetteer: Gazetteer, marked: MarkedHomes) -> Written:
    """The same text, names that run into their type set apart."""

    def knows(word: str) -> bool:
        if gazetteer.knows_word(word) or marked.knows_word(word):
            return True
        return bool(gazetteer.spellings(word) or marked.spellings(word))

    if all(len(word) < 7 or knows(word) for word in asked.readings[0].words):
        return asked
    parted = part_words(asked.text, knows)
    if parted.count(" ") == normalise(asked.text).count(" "):
        return asked
    return read_address(parted, asked.postcode)


def resolve_premises(home: Premises, gazetteer: Gazetteer, marked: MarkedHomes) -> Resolution:
    """The same for a home of the gazetteer that is already known, by its UPRN."""
    written = gazetteer.written(home)
    weighed = Weighed(home, written, judge(written, written))
    return _sure(written, weighed, gazetteer, marked, [])


def _sure(asked: Written, sure: Weighed, gazetteer: Gazetteer, marked: MarkedHomes, warnings: list[str]) -> Resolution:
    home, judged = sure.home, sure.judged
    if judged.postcode == "differs":
        warnings.append(f"postcode {asked.postcode} given, gazetteer has {home.postcode}")
    rivals = Rivals(asked, marked, judged)
    ids: dict[str, None] = dict.fromkeys(marked.at_premises(home.premises_id))
    ids.update(dict.fromkeys(rivals.ids()))
    ids.update(dict.fromkeys(marked.of_building(sure.written)))
    alike = frozenset(marked.alike(asked))
    found = [
        one
        for home_id in ids
        if (one := _marked_near_sure(home_id, asked, sure, gazetteer, marked, alike=home_id in alike)) is not None
    ]
    reading = sure.written.readings[0] if sure.written.readings else None
    in_unit = reading is not None and reading.unit is not None
    doubtful = not rivals.to_the_letter and rivalled(asked, sure, {one.home_id for one in found}, rivals)
    return Resolution(
        precision=Precision.SUB_BUILDING if in_unit else Precision.BUILDING,
        understood=_label(home),
        home=home,
        candidates=(),
        known=True,
        decidable=not doubtful,
        problem=f"Read as {home.address}, but not surely. {_CONFIRM}" if doubtful else None,
        marked=_ordered(found),
        warnings=tuple(warnings),
    )


def _marked_near_sure(
    home_id: str, asked: Written, sure: Weighed, gazetteer: Gazetteer, marked: MarkedHomes, *, alike: bool
) -> MarkedHome | None:
    """`alike`: the marked home is written letter for letter like what was asked."""
    premises = marked.premises(home_id)
    if premises.premises_id == sure.home.premises_id or (premises.uprn and premises.uprn == sure.home.uprn):
        return MarkedHome(home_id, Verdict.SAME, reasons(sure.judged, asked, sure.written), confidence(sure.judged))
    if alike:
        theirs = marked.written(home_id)
        if asked.postcode in (None, theirs.postcode):
            return _marked(home_id, judge(asked, theirs), asked, theirs)
    ours = sure.written.outward
    # Asked first, as it takes no reading: of a unit's number there are hundreds all over the country.
    apart = bool(ours) and marked.outward(home_id) not in (None, ours)
    known = gazetteer.knows_id(premises.premises_id)
    if known and apart:
        return None  # both are on record, in two districts
    theirs = marked.written(home_id)
    resolved = judge(sure.written, theirs)
    if known and resolved.verdict is Verdict.ELSEWHERE:
        return None
    if known:
        if resolved.verdict in (Verdict.SAME, Verdict.POSSIBLE):
            # Two homes of the gazetteer are two homes, but a list may hold one of them twice.
            typed = judge(asked, theirs)
            other_name = (Doubted.STREET, Doubted.NAME_MISSING)
            named_apart = (resolved.cost > 0 or resolved.doubts_about(*other_name)) and (
                typed.cost > sure.judged.cost or typed.doubts_about(*other_name)
            )
            if resolved.doubts_about(Doubted.NUMBER_MISSING) or typed.verdict is Verdict.ELSEWHERE or named_apart:
                return None
            if typed.named and not sure.judged.named:
                return _marked(home_id, typed, asked, theirs, Verdict.POSSIBLE)
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
    asked: Written, choice: Choice, gazetteer: Gazetteer, marked: MarkedHomes, warnings: list[str]
) -> Resolution:
    known_street = known_street_of(asked, gazetteer)
    rivals = Rivals(asked, marked)
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
        if verdict is Verdict.SAME and _only_possible(premises, judged, asked, choice, known_street, gazetteer):
            verdict = Verdict.POSSIBLE
        found.append(_marked(home_id, judged, asked, theirs, verdict))
    for one in choice.could_be:
        for home_id in marked.at_premises(one.home.premises_id):
            if all(held.home_id != home_id for held in found):
                found.append(_marked(home_id, one.judged, asked, one.written, Verdict.POSSIBLE))
    same = [one for one in found if one.verdict is Verdict.SAME]
    if len({(marked.written(one.home_id).plain, marked.written(one.home_id).postcode) for one in same}) > 1:
        found = [
            MarkedHome(one.home_id, Verdict.POSSIBLE, one.why, one.confidence) if one in same else one for one in found
        ]
    reading = telling(asked)
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
        precision = Precision.SUB_BUILDING
        understood = f"{reading.unit.text}, {_building_name(others[0])}"
        problem = f"{understood} is not on record. Ask again which flat."
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
    if decidable and (rivalled(asked, None, listed, rivals) or number_slipped(asked, known_street, gazetteer, marked)):
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


def _only_possible(
    premises: Premises,
    judged: Judged,
    asked: Written,
    choice: Choice,
    known_street: tuple[str, ...] | None,
    gazetteer: Gazetteer,
) -> bool:
    """Is a marked home that reads the same still only possible, because the gazetteer could not settle on it?"""
    if judged.loose < 0:
        return len(choice.could_be) > 1 and any(one.home.premises_id == premises.premises_id for one in choice.could_be)
    in_gazetteer = gazetteer.knows_id(premises.premises_id)
    if in_gazetteer or choice.could_be or judged.loose:
        return True
    home = judged.home
    if home is not None and home.number is None and home.street and judged.postcode != "same":
        words = {word for reading in asked.readings for word in reading.words}
        if words.isdisjoint(home.street):
            return True  # a house name alone is found in many streets
    return judged.cost > 0 and (home is None or home.key != known_street)


def _says_home(reading: Reading, street: tuple[str, ...]) -> bool:
    """Is there a number, right at this street, and no other number left over?"""
    if reading.number is None or reading.spare:
        return False
    found = align(reading.words, street)
    if found is None or found.cost:
        return False
    return found.start == reading.at or found.end == reading.at == len(reading.words)


def _building_name(one: Weighed) -> str:
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
