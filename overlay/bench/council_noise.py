"""Recording errors as councils make them: the `address-errors` package (MIT, J. Lam, UCL), a second source of noise.

Its errors keep the record they came from but not always what tells it from its neighbour: a dropped flat number is one
of them. So each text says whether the home can still be told by it: the package's own check found no other home written
so, every number, letter and floor of the home is still there and no other, and no building name or "adjacent to" was
put in, which might name a second home at the same number.
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
_NAME_PUT_IN = ("BN1", "BN3", "DQ1", "DQ2")
_COLUMNS = ("uprn", "subname", "name", "number", "streetname", "townname", "postcode", "parentuprn", "usrn")
_NUMBERS = re.compile(r"\d+[A-Z]?|\b[A-Z]\b")
_FLOORS = re.compile(r"\b(?:GROUND|BASEMENT|FIRST|SECOND|THIRD|TOP|GARDEN|PENTHOUSE|EAST|WEST|ABOVE|MANAGERS?)\b")


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
    """A text with council errors. Tags: `council`, and the package's rules applied, as `council-SU7`."""

    text: str
    tags: tuple[str, ...]
    decidable: bool


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
        if not rules:
            continue
        home = by_id[row["source_uprn"]]
        text = " ".join(filter(None, (row["recorded_address"], row["recorded_postcode"])))
        kept = _telling(row["recorded_address"]) == _telling(f"{home.unit} {home.bname} {home.num} {home.street}")
        own = row["assigned_uprn"] == row["source_uprn"]
        tags = ("council", *(f"council-{rule}" for rule in rules))
        unlike = not row["collision"].startswith("matches_other") and not set(rules) & set(_NAME_PUT_IN)
        found[home.unique_id] = Recorded(text, tags, kept and own and unlike)
    return found


def _rules(row: dict[str, str]) -> tuple[str, ...]:
    codes = re.findall(r"\b[A-Z]{2}\d+", f"{row['applied_rules']} {row['postcode_edit']}")
    return tuple(sorted(set(codes)))


def _telling(text: str) -> Counter[str]:
    """The numbers, single letters and floors of a text."""
    plain = text.upper().replace("'", "")
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
