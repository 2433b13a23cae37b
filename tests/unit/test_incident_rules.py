"""config/incidents.toml: what ships, and what a wrong one says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overlay.incidents.rules import Rules, RulesError
from overlay.settings import SHIPPED_CONFIG

SHIPPED = SHIPPED_CONFIG / "incidents.toml"


def test_what_ships_orders_grades_from_the_most_urgent() -> None:
    rules = Rules.load(SHIPPED)
    assert next(iter(rules.grades)) == rules.silent_floor == "immediate"
    assert rules.lowers("immediate", "extended")
    assert not rules.lowers("extended", "immediate")
    assert not rules.lowers(None, "extended")
    assert rules.lowers("gone_from_the_file", "extended")
    assert rules.lists["grades"] is rules.grades


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + "= nonsense", "incidents.toml"),
        (lambda text: text.replace("[[grades]]", "[[grade]]"), "grades must be a list"),
        (lambda text: text.replace('code = "extended"', 'code = "immediate"'), "immediate stands there twice"),
        (lambda text: text.replace('code = "extended"', 'code = "Not So"'), "small letters"),
        (lambda text: text.replace('title = "Extended"', "title = 3"), "grades.title must be text"),
        (lambda text: text.replace('code = "on_scene"', 'code = "there"'), "unit_states lacks on_scene"),
        (lambda text: text.replace('floor = "immediate"', 'floor = "urgent"'), "silent_call.floor is 'urgent'"),
        (lambda text: text.replace("[silent_call]", "[silent]"), "silent_call is missing"),
        (lambda text: text.replace('pattern = "[A-Z0-9]{2,10}"', 'pattern = "["'), "not a regular expression"),
        (lambda text: text.replace('example = "C123"', 'example = "c-1"'), "does not fit"),
        (lambda text: text.replace("[[raised_to]]", "[[raised]]"), "raised_to must name"),
        (lambda text: text.replace("minutes = 5", "minutes = 0"), "raised_to.minutes must be a whole number"),
        (lambda text: text.replace("closed_days = 365", "closed_days = true"), "retention.closed_days"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    wrong = tmp_path / "incidents.toml"
    wrong.write_text(change(SHIPPED.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RulesError) as refused:
        Rules.load(wrong)
    assert str(wrong) in str(refused.value)
    assert said in str(refused.value)
