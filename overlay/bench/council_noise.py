"""Recording errors as councils make them: the `address-errors` package (MIT, J. Lam, UCL), a second source of noise.

Its errors keep the record they came from but not always what tells it from its neighbour. A text that lost a number, a
letter or a floor of its home says so. One that now has another's (a wrong floor, a second building name, "adjacent to",
a neighbour's label) names another home as well as any text could: it is left out, because no reader could know better.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from address_errors import Controls, Corruptor, Profile, load_components

_PREVALENCE = 5.0
"""Times the errors of real councils: about three records in four get one, whole blocks the same."""
_PUT_IN = re.compile(r"added|replaced|PN2|DQ[12]")
_COLUMNS = ("uprn", "subname", "name", "number", "streetname", "townname", "postcode", "parentuprn", "usrn")
_NUMBERS = re.compile(r"\d+[A-Z]?|\b[A-Z]\b")
_FLOORS = re.compile(r"\b(?:GROUND|BASEMENT|FIRST|SECOND|THIRD|TOP|GARDEN|PENTHOUSE|EAST|WEST|ABOVE|MANAGERS?)\b")


_SHORT_FLOORS = {"1ST": "FIRST", "2ND": "SECOND", "3RD": "THIRD", "GRD": "GROUND", "GND": "GROUND"}


class Parts(Protocol):
    """An address in its parts, as the components table of the package wants it."""

    @property
    def unit(self) -> str: ...
    @property
    def bname(self) -> str: ...
    @property
    def num(self) -> str: ...
    @property
    def street(self) -> str: ...
    @property
    def postcode(self) -> str: ...
    @property
    def bid(self) -> str: ...
    @property
    def sid(self) -> str: ...
    @property
    def unique_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """A text with council errors. Tags: `council`, and the package's rules applied, as `council-SU7`.

    `whole` where every number, letter and floor of the home is still in it.
    """

    text: str
    tags: tuple[str, ...]
    whole: bool


def recorded(homes: Sequence[Parts], seed: int) -> dict[str, Recorded]:
    """Texts by `unique_id`, only of records that got an error. The same seed gives the same texts."""
    by_id = {home.unique_id: home for home in homes}
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        table = Path(folder) / "components.csv"
        _write(table, homes)
        records = load_components(table)
    generator = Corruptor(Profile.load(), rates="pooled", seed=seed, controls=Controls(prevalence=_PREVALENCE))
    generator.index(records)
    found: dict[str, Recorded] = {}
    for row in generator.generate([record["uprn"] for record in records]):
        rules = _rules(row)
        names_another = row["collision"].startswith("matches_other") or row["assigned_uprn"] != row["source_uprn"]
        if not rules or names_another or _PUT_IN.search(row["applied_rules"]):
            continue
        home = by_id[row["source_uprn"]]
        text = " ".join(filter(None, (row["recorded_address"], row["recorded_postcode"])))
        told = _telling(row["recorded_address"])
        own = _telling(f"{home.unit} {home.bname} {home.num} {home.street}")
        if told <= own:
            tags = ("council", *(f"council-{rule}" for rule in rules))
            found[home.unique_id] = Recorded(text, tags, told == own)
    return found


def _rules(row: dict[str, str]) -> tuple[str, ...]:
    codes = re.findall(r"\b[A-Z]{2}\d+", f"{row['applied_rules']} {row['postcode_edit']}")
    return tuple(sorted(set(codes)))


def _telling(text: str) -> Counter[str]:
    """The numbers, single letters and floors of a text."""
    plain = text.upper().replace("'", "")
    for short, floor in _SHORT_FLOORS.items():
        plain = re.sub(rf"\b{short}\b", floor, plain)
    return Counter(_NUMBERS.findall(plain)) + Counter(_FLOORS.findall(plain))


def _write(path: Path, homes: Sequence[Parts]) -> None:
    shared = Counter(home.bid for home in homes)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for home in homes:
            parent = home.bid if shared[home.bid] > 1 else ""
            parts = (home.unique_id, home.unit, home.bname, home.num, home.street, "LONDON", home.postcode)
            writer.writerow((*(part.upper() for part in parts), parent, home.sid))
