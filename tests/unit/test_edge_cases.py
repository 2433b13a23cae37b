"""21 hard pairs of another project: the right home, or an honest `possible` that lists it, and never another home."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from markers.address import read_address
from markers.compare import Verdict
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.model import Premises
from markers.resolve import resolve

CASES = yaml.safe_load((Path(__file__).parent.parent / "data/edge_cases/addresses.yaml").read_text("utf-8"))[
    "addresses"
]
HONESTLY_POSSIBLE = {1, 4, 6, 7, 8, 9, 10, 13, 14}
"""A floor for a flat, a letter for a number, another type of street: worth asking about, never claimed."""


@pytest.mark.parametrize("number", range(1, len(CASES) + 1))
def test_the_right_home_or_an_honest_doubt(tmp_path: Path, number: int) -> None:
    text, postcode = CASES[number - 1]["messy_address"]
    homes = [
        Premises(f"{place}", address, code)
        for place, (address, code) in enumerate(CASES[number - 1]["canonical_addresses"])
    ]
    marked = MarkedHomes()
    for home in homes:
        marked.put(home.premises_id, home)
    found = resolve(read_address(text, postcode), Gazetteer.load(tmp_path, homes), marked)
    claimed = [one.home_id for one in found.marked if one.verdict is Verdict.SAME]
    if number in HONESTLY_POSSIBLE:
        assert claimed == []
        assert not found.decidable
        assert "0" in [one.home_id for one in found.marked if one.verdict is Verdict.POSSIBLE]
    else:
        assert claimed == ["0"]
        assert found.home == homes[0]
