"""How a labelled query came out, and what many of them add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markers.matching import Outcome
from markers.model import Grade, Status, SubBuilding
from overlay.bench.matchset import LabelledQuery

WRONG, RIGHT = "premises WRONG", "premises right"
POSSIBLE, NOT_GIVEN, DIFFERENT = "possible right", "building not_given", "building different"
CLEAR, COULD_NOT_CHECK, OTHER = "clear", "could_not_check", "other"
COLUMNS = (RIGHT, WRONG, POSSIBLE, NOT_GIVEN, DIFFERENT, CLEAR, COULD_NOT_CHECK, OTHER)
"""The ways a check can come out, one a query: `other` is a hit on nothing but another home that is `possible`."""
_DOUBT = frozenset({POSSIBLE, NOT_GIVEN, COULD_NOT_CHECK, OTHER})


@dataclass(frozen=True, slots=True)
class Judged:
    """One query, the column it falls in, and whether the marker of the home that was meant came up in any grade.

    `true_ids` are that home and others written exactly like it. `outcome` is what the matcher said.
    """

    query: LabelledQuery
    outcome: Outcome
    true_ids: frozenset[str]
    column: str
    surfaced: bool

    @property
    def failure(self) -> str | None:
        """What is wrong with it, gravest first; None where it came out as it should."""
        cls = self.query.cls
        if self.column == WRONG:
            return "wrong home"
        if cls == "exact" and not self.surfaced:
            return "not surfaced"
        if cls == "exact" and self.outcome.status is Status.CLEAR:
            return "said clear"
        if cls == "exact" and self.column == DIFFERENT:
            return "told apart"
        if self.query.decidable and self.column in _DOUBT:
            return "doubt"
        read_as_meant = self.outcome.home is not None and self.outcome.home.premises_id in self.true_ids
        if not self.query.decidable and self.outcome.status is Status.CLEAR and not read_as_meant:
            return "clear though vague"
        return None


def judge_outcome(query: LabelledQuery, outcome: Outcome, true_ids: frozenset[str]) -> Judged:
    """Put one query in its column. A marker's reference is the id of the home it was put on."""
    ids = {
        grade: {item.marker.reference for item in outcome.matches if item.grade is grade and item.applies}
        for grade in (Grade.PREMISES, Grade.POSSIBLE)
    }
    not_given = any(
        item.grade is Grade.BUILDING and item.sub_building is SubBuilding.NOT_GIVEN for item in outcome.matches
    )
    if ids[Grade.PREMISES] - true_ids:
        column = WRONG
    elif ids[Grade.PREMISES]:
        column = RIGHT
    elif ids[Grade.POSSIBLE] & true_ids:
        column = POSSIBLE
    elif ids[Grade.POSSIBLE]:
        column = OTHER
    elif not_given:
        column = NOT_GIVEN
    elif outcome.status is Status.COULD_NOT_CHECK:
        column = COULD_NOT_CHECK
    elif outcome.status is Status.HIT:
        column = OTHER
    else:
        column = DIFFERENT if any(item.grade is Grade.BUILDING for item in outcome.matches) else CLEAR
    surfaced = any(item.marker.reference in true_ids for item in outcome.matches)
    return Judged(query, outcome, true_ids, column, surfaced)


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, with its 95 % interval."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """0 to 1; 1 where there was nothing to get wrong."""
        return self.part / self.whole if self.whole else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval, 95 % (E. B. Wilson, JASA 22, 1927): sound for shares near 0 and 1 too."""
        if not self.whole:
            return 0.0, 1.0
        z = 1.959964
        share, n = self.value, self.whole
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2%} ({low:.2%} to {high:.2%}; {self.part:,} of {self.whole:,})"

    def as_dict(self) -> dict[str, float | int]:
        """JSON-ready; shares 0 to 1."""
        low, high = self.interval
        return {"part": self.part, "whole": self.whole, "share": self.value, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Score:
    """What a set of queries adds up to. `wrong_homes`, `unsurfaced`, `said_clear` count texts: another home shown as
    this home; a marked home that came up in no grade; a marked home answered "no marker"."""

    by_class: dict[str, Counter[str]]
    by_tag: dict[str, Counter[str]]
    precision: Share
    recall: Share
    doubt: Share
    wrong_homes: int
    unsurfaced: int
    said_clear: int
    clear_though_vague: int


def score(judged: Sequence[Judged]) -> Score:
    """Precision: of queries answered with "this home", how many named no other home. Recall: of texts that mean a
    marked home, how many came back as it. Doubt: of decidable texts, how many ended without a decision."""
    exact = [one for one in judged if one.query.cls == "exact"]
    decidable = [one for one in judged if one.query.decidable]
    right, wrong = _count(judged, {RIGHT}), _count(judged, {WRONG})
    return Score(
        by_class=_table((one.query.cls, one.column) for one in judged),
        by_tag=_table((tag, one.column) for one in judged for tag in one.query.tags or ("untagged",)),
        precision=Share(right, right + wrong),
        recall=Share(_count(exact, {RIGHT}), len(exact)),
        doubt=Share(_count(decidable, _DOUBT), len(decidable)),
        wrong_homes=wrong,
        unsurfaced=sum(not one.surfaced for one in exact),
        said_clear=sum(one.outcome.status is Status.CLEAR for one in exact),
        clear_though_vague=sum(one.failure == "clear though vague" for one in judged),
    )


def _count(judged: Iterable[Judged], columns: Iterable[str]) -> int:
    wanted = set(columns)
    return sum(one.column in wanted for one in judged)


def _table(pairs: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    table: dict[str, Counter[str]] = {}
    for row, column in pairs:
        table.setdefault(row, Counter())[column] += 1
    return table
