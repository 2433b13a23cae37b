"""The file of categories: read whole, or refused with the file, the line and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from markers.categories import CategoryError, load_categories
from markers.model import SUBJECTS
from overlay.settings import SHIPPED_CONFIG

SHIPPED = SHIPPED_CONFIG / "categories.toml"
WHOLE = """\
[categories.order]
title = "Court order"
headline = "Order in force"
action = "Ask who is there."
review_days = 28
longest_days = 365
subjects = ["suspect"]

[categories.order.details.conditions]
title = "Conditions"
compulsory = true

[categories.order.details.kind]
title = "Kind"
kind = "choice"
choices = ["civil", "criminal"]

[categories.order.disclosure]
call_handler = "headline"
"""


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "categories.toml"
    path.write_text(text, encoding="utf-8")
    return load_categories(path)["order"]


def test_the_shipped_file_has_what_the_inspection_asked_for() -> None:
    categories = load_categories(SHIPPED)
    assert {"child_protection_plan", "domestic_abuse_risk", "registered_sex_offender"} <= set(categories)
    plan = categories["child_protection_plan"]
    assert {detail.name for detail in plan.details if detail.compulsory} == {
        "plan_category", "plan_started", "social_care_contact",
    }  # fmt: skip
    assert categories["domestic_abuse_risk"].subjects == ("victim", "suspect")
    assert categories["domestic_abuse_risk"].tell_subject
    assert not categories["registered_sex_offender"].narrative


def test_a_category_is_read_as_it_is_written(tmp_path: Path) -> None:
    category = load(tmp_path, WHOLE)
    assert category.subjects == ("suspect",)  # type: ignore[attr-defined]
    assert [(d.name, d.kind, d.compulsory, d.choices) for d in category.details] == [  # type: ignore[attr-defined]
        ("conditions", "text", True, ()),
        ("kind", "choice", False, ("civil", "criminal")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('title = "Court order"', "title = 3", 2, "categories.order.title must be a text"),
        ("review_days = 28", "review_days = 0", 5, "categories.order.review_days must be a whole number of days"),
        ("review_days = 28", "review_days = true", 5, "categories.order.review_days must be a whole number of days"),
        ("longest_days = 365\n", "", 1, "categories.order.longest_days must be a whole number of days"),
        ("longest_days = 365", "longest_days = 365\nnearby_m = -1", 7, "categories.order.nearby_m must be a distance"),
        ("longest_days = 365", "longest_days = 365\nnearby_m = inf", 7, "categories.order.nearby_m must be a distance"),
        ("longest_days = 365", "longest_days = 365\nnarrative = 1", 7, "narrative must be true or false"),
        ("longest_days = 365", "longest_days = 365\ntell_subject = 1", 7, "tell_subject must be true or false"),
        ("longest_days = 365", "longest_days = 365\nradio = 1", 7, "radio must be a text"),
        ("longest_days = 365", "longest_days = 365\nbreak_glass = 1", 7, "break_glass must be a level"),
        (WHOLE[WHOLE.index("[categories.order.details.cond"):], "details = 1\n[categories.order.disclosure]", 9,
         "details must be tables"),
        ("longest_days = 365", "longest_days = 365\ncolour = 1", 7, "categories.order.colour is not a field"),
        ('subjects = ["suspect"]', 'subjects = ["neighbour"]', 7, f"must be a list of some of {', '.join(SUBJECTS)}"),
        ('subjects = ["suspect"]', 'subjects = "suspect"', 7, "categories.order.subjects must be a list"),
        ('title = "Conditions"', 'title = ""', 10, "details.conditions.title must be a text"),
        ("compulsory = true", "compulsory = 1", 11, "details.conditions.compulsory must be true or false"),
        ("compulsory = true", "hint = 1", 11, "details.conditions.hint is not known"),
        ("details.conditions]", "details.address]", 9, "details.address must be a name of its own"),
        ("details.conditions]", "details.Bad]", 9, "details.Bad must be a name of its own"),
        ('[categories.order.details.conditions]\ntitle = "Conditions"\ncompulsory = true',
         "[categories.order.details]\nconditions = 1", 10, "details.conditions must be a table"),
        ('kind = "choice"', 'kind = "number"', 15, "details.kind.kind must be one of text, date, choice"),
        ('kind = "choice"', 'kind = "date"', 16, "details.kind.choices must hold two or more for a choice"),
        ('choices = ["civil", "criminal"]', 'choices = ["civil"]', 16, "details.kind.choices must hold two or more"),
        ('choices = ["civil", "criminal"]', "choices = [1, 2]", 16, "details.kind.choices must be a list of texts"),
        ('[categories.order.disclosure]\ncall_handler = "headline"', "", 1, "order.disclosure must be a table"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, before: str, after: str, line: int, said: str) -> None:
    assert before in WHOLE
    with pytest.raises(CategoryError) as error:
        load(tmp_path, WHOLE.replace(before, after, 1))
    assert f"categories.toml, line {line}: " in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no [categories.CODE] table"),
        ("[categories", "not valid TOML"),
        ("categories.order = 1", "line 1: categories.order must be a table"),
        (WHOLE.replace("order", "Order"), "categories.Order must be named in small letters"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CategoryError) as error:
        load(tmp_path, text)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CategoryError, match="can't be read"):
        load_categories(tmp_path / "none.toml")
