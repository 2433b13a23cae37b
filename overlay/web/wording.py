"""What an answer is called on the page: one heading with its shape, then one card a place, strongest first.

The shape says what to do before a word is read: a filled square applies, a triangle must be asked about, an open
circle found nothing, a cross was not checked. Anything this module does not know for certain gets the cross.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from markers.model import Grade, Precision, Status, SubBuilding
from overlay.known_at import known_at
from overlay.web.times import clock

if TYPE_CHECKING:
    from overlay.disclosure import Shown
    from overlay.lookup import Answer, Understood

SQUARE, TRIANGLE, CIRCLE, CROSS = "square", "triangle", "circle", "cross"

_NOTHING_FOUND = {
    Precision.SUB_BUILDING: "NO MARKER FOR THIS HOME",
    Precision.BUILDING: "NO MARKER FOR THIS HOME",
    Precision.POINT: "NO MARKER AT THIS POSITION",
}
TREAT_AS_UNKNOWN = "COULD NOT CHECK: treat as unknown"
_TO_DO = ("Ask ", "Give ", "Ring ", "Correct ")


@dataclass(frozen=True, slots=True)
class Card:
    """The markers of one place. `loud` is the part in capitals; `ask` what a person must settle first.

    `numbers` are where the matches stand in the answer.
    """

    shape: str
    loud: str
    ask: str
    matches: tuple[Shown, ...]
    numbers: tuple[int, ...] = ()

    @property
    def heading(self) -> str:
        return f"{self.loud}: {self.ask}" if self.ask else self.loud


@dataclass(frozen=True, slots=True)
class Words:
    """An answer in the order it is read.

    `lines` stand under the heading; `unsettled` is what else could not be decided, or None; `cards` apply or may
    apply to this place, and when there are any the first repeats the heading; `context` is about other homes.
    `last_known` is repeated on every result that comes from an old copy.
    """

    shape: str
    loud: str
    ask: str
    lines: tuple[str, ...]
    unsettled: str | None
    advice: str | None
    cards: tuple[Card, ...]
    context: tuple[Card, ...]
    last_known: str | None

    @property
    def heading(self) -> str:
        return f"{self.loud}: {self.ask}" if self.ask else self.loud

    @property
    def spoken(self) -> str:
        """What a screen reader says when the answer arrives."""
        parts = (self.heading, self.last_known, *self.lines, self.advice)
        return " ".join(part if part[-1] in ".?!" else f"{part}." for part in parts if part)


def words_of(answer: Answer, now: datetime) -> Words:
    """The words of one answer, read at `now`. Pure."""
    cards, context = _cards(answer)
    last_known = _last_known(answer, now)
    if answer.status is Status.HIT and cards and answer.store == "current":
        first, asked = cards[0], answer.reason
        flat_missing = first.matches[0].sub_building is SubBuilding.NOT_GIVEN
        return Words(
            first.shape,
            first.loud,
            first.ask,
            tuple(line for line in (_place(answer.understood), asked if flat_missing else None) if line),
            None if flat_missing else asked,
            answer.advice,
            cards,
            context,
            last_known,
        )
    nothing = _NOTHING_FOUND.get(Precision(answer.understood.precision))
    if answer.status is Status.CLEAR and nothing and not cards and answer.store == "current" and not answer.reason:
        checked = f"Checked {clock(answer.as_of)} against all markers in force. {_known(answer.understood)}"
        lines = tuple(line for line in (answer.understood.text, checked) if line)
        return Words(CIRCLE, nothing, "", lines, None, answer.advice, (), context, last_known)
    loud, _, ask = TREAT_AS_UNKNOWN.partition(": ")
    why, advice = _why_and_advice(answer)
    return Words(CROSS, loud, ask, (why,) if why else (), None, advice, cards, context, last_known)


def _why_and_advice(answer: Answer) -> tuple[str, str]:
    """What could not be decided, and what to do now; sentences of the reason that say what to do lead the advice."""
    reason = (
        answer.reason or "This location is too wide to say whether a marker applies. Ask for number, street and flat."
    )
    sentences = re.split(r"(?<=[.?!]) +", reason)
    why = [sentence for sentence in sentences if not sentence.startswith(_TO_DO)]
    to_do = [sentence for sentence in sentences if sentence.startswith(_TO_DO)]
    return " ".join(why), " ".join([*to_do, answer.advice or "Treat as unknown until it is checked."])


def _place(understood: Understood) -> str | None:
    if understood.text is None:
        return None
    if understood.precision not in (Precision.SUB_BUILDING, Precision.BUILDING):
        return understood.text
    return f"{understood.text} ({'in the gazetteer' if understood.known else 'not in the gazetteer: confirm it'})"


def _known(understood: Understood) -> str:
    if understood.precision == Precision.POINT:
        return "Ask for the address: a position does not name a home."
    if understood.known:
        return "Address known to the gazetteer."
    return "Address not in the gazetteer: confirm it with the caller."


def _last_known(answer: Answer, now: datetime) -> str | None:
    if answer.store == "current":
        return None
    return f"LAST KNOWN {known_at(answer.as_of, now)}, store not answering: treat as unknown"


def _cards(answer: Answer) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """Matches grouped by the place they speak of, in the order they came: what may be here, then what is elsewhere."""
    groups: dict[tuple[bool, str, str, str], list[tuple[Shown, int]]] = {}
    for number, shown in enumerate(answer.matches):
        elsewhere = _is_elsewhere(shown, answer)
        groups.setdefault((elsewhere, *_called(shown, elsewhere=elsewhere)), []).append((shown, number))
    cards = [
        (key[0], Card(*key[1:], tuple(shown for shown, _ in found), tuple(number for _, number in found)))
        for key, found in groups.items()
    ]
    return tuple(card for aside, card in cards if not aside), tuple(card for aside, card in cards if aside)


def _is_elsewhere(shown: Shown, answer: Answer) -> bool:
    """Whether a match is surely about another home. A home nearby is, once the answer knows which home was meant."""
    if shown.grade is Grade.BUILDING:
        return shown.sub_building is SubBuilding.DIFFERENT
    if shown.grade is not Grade.NEARBY:
        return False
    decides = answer.status is Status.HIT and answer.matches[0].grade is Grade.NEARBY
    return not decides and answer.understood.precision in (Precision.SUB_BUILDING, Precision.BUILDING)


def _called(shown: Shown, *, elsewhere: bool) -> tuple[str, str, str]:
    """Shape, the loud part and the part to settle, of one match."""
    match shown.grade:
        case Grade.PREMISES:
            return SQUARE, "MARKER AT THIS HOME", ""
        case Grade.PHONE:
            return SQUARE, "MARKER ON THE CALLER'S NUMBER", ""
        case Grade.ZONE if shown.confidence >= 1:
            return SQUARE, "INSIDE A MARKED AREA", ""
        case Grade.ZONE:
            return TRIANGLE, "MAY BE INSIDE A MARKED AREA", "confirm where"
        case Grade.POSSIBLE:
            return TRIANGLE, "MAY BE THIS HOME", "confirm the address"
        case Grade.BUILDING if elsewhere:
            return TRIANGLE, "IN THIS BUILDING", "not this home"
        case Grade.BUILDING if shown.sub_building is None:
            return SQUARE, "MARKER ON THIS WHOLE BUILDING", ""
        case Grade.BUILDING:
            return TRIANGLE, "MARKER IN THIS BUILDING", "which flat?"
        case Grade.NEARBY if elsewhere:
            return TRIANGLE, "NEARBY", "not this home"
        case Grade.NEARBY:
            return TRIANGLE, "MARKER NEAR HERE", "which address?"
