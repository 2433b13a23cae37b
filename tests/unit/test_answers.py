"""Answers as they are kept: every type, every refusal with its place, and how each reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checklists.answers import AnswerRefused, Read, in_words, read_answer
from checklists.definition import Definition, Point
from checklists.load import load_definitions

SHIPPED = {definition.id: definition for definition in load_definitions()}
PLAN = SHIPPED["domestic_abuse_20"]
LISTS = {"grades": ("immediate", "extended"), "contact_methods": ("telephone",)}
AT = "2026-11-23T03:00:00+00:00"
POINTS = [(definition, point) for definition in SHIPPED.values() for point in definition.points]


def read(point: str, value: Any = None, non_answer: str | None = None, note: str = "", of: Definition = PLAN) -> Read:
    return read_answer(of, point, value, non_answer, note, lists=LISTS, call_signs=("C123", "C124"))


def refused(*arguments: Any, **more: Any) -> AnswerRefused:
    with pytest.raises(AnswerRefused) as error:
        read(*arguments, **more)
    assert str(error.value).endswith("Nothing was recorded.")
    return error.value


@pytest.mark.parametrize(
    ("point", "given_value", "kept"),
    [
        ("safe_to_talk", "silent", "silent"),
        ("weapons", ["dog", "blade"], ["blade", "dog"]),
        (
            "tell_response_supervisor",
            {"name": " Sgt  Quill ", "at": "2026-11-23T03:00:00Z"},
            {"name": "Sgt Quill", "at": AT},
        ),
        (
            "children_and_dependants",
            {
                "children": 2, "dependent_adults": 0, "where_now": " Upstairs\r\n ", "safe_now": True,
                "plan_marker_seen": {"non_answer": "not_known"},
            },
            {
                "children": 2, "dependent_adults": 0, "where_now": "Upstairs", "safe_now": True,
                "plan_marker_seen": {"non_answer": "not_known", "reason": ""},
            },
        ),
    ],
)  # fmt: skip
def test_an_answer_is_kept_in_one_form(point: str, given_value: Any, kept: Any) -> None:
    assert read(point, given_value) == (kept, None, "")
    assert read(point, kept).value == kept


@pytest.mark.parametrize(
    ("point", "value", "field", "said"),
    [
        ("nothing", True, "point", "no point of that name"),
        ("safe_to_talk", None, "value", "or say why there is none"),
        ("safe_to_talk", "shouts", "value", "Choose one of"),
        ("safe_to_talk", ["silent"], "value", "Choose one of"),
        ("weapons", [], "value", "Choose one or more"),
        ("weapons", "blade", "value", "Choose one or more"),
        ("weapons", ["spoon"], "value", "Choose from"),
        ("weapons", ["none_reported", "blade"], "value", "stands alone"),
        ("tell_response_supervisor", "Sgt Quill", "value", "Say who, and when"),
        ("tell_response_supervisor", {"name": "", "at": AT}, "value.name", "is empty"),
        ("tell_response_supervisor", {"name": "Q", "at": "2026-11-23T03:00:00"}, "value.at", "with its zone"),
        ("tell_response_supervisor", {"name": "Q", "at": "2026-11-23T03:00:00+23:00"}, "value.at", "with its zone"),
        ("tell_response_supervisor", {"name": "Q", "at": "soon"}, "value.at", "with its zone"),
        ("tell_response_supervisor", {"name": "Q", "at": 5}, "value.at", "with its zone"),
        ("tell_response_supervisor", {"name": "Q", "at": "1999-01-01T00:00:00Z"}, "value.at", "before 2020"),
        ("children_and_dependants", {"children": True}, "value.children", "whole number"),
        ("children_and_dependants", {"children": -1}, "value.children", "whole number"),
        ("children_and_dependants", {"children": 1}, "value.dependent_adults", "is not answered"),
        ("children_and_dependants", {"dogs": 1}, "value", "Answer its parts"),
        ("children_and_dependants", [], "value", "Answer its parts"),
        ("children_and_dependants", {"children": {"non_answer": "no"}}, "value.children", "is one of"),
        ("children_and_dependants", {"children": {"non_answer": "not_asked"}}, "value.children", "needs a reason"),
        ("children_and_dependants", {"children": {"non_answer": "not_known", "more": 1}}, "value.children", "Say why"),
        ("checks_and_history", {"address_marker": "clear"}, "value", "Say of each"),
        ("first_words", {"words": "x" * 4001}, "value.words", "characters; up to"),
        ("first_words", {"words": "a\x00b"}, "value.words", "not text"),
        ("first_words", {"words": 7}, "value.words", "in words"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(point: str, value: Any, field: str, said: str) -> None:
    error = refused(point, value)
    assert error.field == field
    assert said in error.reason


def test_no_answer_is_an_answer_with_a_reason_where_it_needs_one() -> None:
    assert read("weapons", non_answer="not_known") == (None, "not_known", "")
    assert refused("weapons", non_answer="not_asked").field == "non_answer"
    assert read("weapons", non_answer="not_asked", note="Line went dead").note == "Line went dead"
    assert refused("weapons", ["blade"], non_answer="not_known").field == "value"
    assert refused("weapons", non_answer="refused").field == "non_answer"


def test_some_answers_need_a_note() -> None:
    assert refused("exact_premises", "not_confirmed").field == "note"
    assert read("exact_premises", "not_confirmed", note="Caller is a child").note == "Caller is a child"
    assert refused("exact_premises", "not_confirmed", note="x" * 2001).field == "note"


def test_codes_of_what_is_typed_freely_raise_and_need_nothing() -> None:
    """Somebody called Blade is a name, not a weapon."""
    told = {"whereabouts": "elsewhere", "description": "present", "warning_word": "blade"}
    assert read("suspect_now", told).value == told


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from([AT]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def likely(draw: st.DrawFn, point: Point) -> Any:
    """A value near to what the point takes, so that acceptance is tried as well."""
    return draw(json_values | _value(point.answer))


def _value(answer: Any) -> st.SearchStrategy[Any]:
    match answer.type:
        case "yes_no":
            return st.booleans()
        case "choice":
            return st.sampled_from(list(answer.options))
        case "multi":
            return st.lists(st.sampled_from(list(answer.options)), max_size=3)
        case "count":
            return st.integers(-1, 120)
        case "ack" | "person_time":
            return st.fixed_dictionaries({"name": st.text(max_size=5), "at": st.just(AT)})
        case "checks":
            return st.fixed_dictionaries({code: st.sampled_from(["clear", "hit", "x"]) for code in answer.items})
        case "listed":
            return st.sampled_from(["immediate", "telephone", "x"])
        case "call_signs":
            return st.lists(st.sampled_from(["C123", "C9"]), max_size=2)
        case "set":
            parts = {
                code: _value(item.answer) | st.just({"non_answer": "not_known"}) for code, item in answer.items.items()
            }
            return st.fixed_dictionaries({}, optional=parts) | st.fixed_dictionaries(parts)
        case _:
            return st.text(max_size=30)


@given(st.data())
def test_any_value_for_any_point_is_refused_in_words_or_kept_as_it_is_kept(data: st.DataObject) -> None:
    definition, point = data.draw(st.sampled_from(POINTS))
    value = data.draw(likely(point))
    note = data.draw(st.sampled_from(["", "A note"]))
    try:
        kept = read_answer(definition, point.id, value, None, note, lists=LISTS, call_signs=("C123",))
    except AnswerRefused as error:
        assert error.field.startswith(("value", "note"))
        assert error.reason
        return
    again = read_answer(definition, point.id, kept.value, None, kept.note, lists=LISTS, call_signs=("C123",))
    assert again == kept
    assert json.loads(json.dumps(kept.value)) == kept.value
    assert in_words(point, kept.value, None, kept.note, definition)


@pytest.mark.parametrize(
    ("point", "value", "words"),
    [
        ("safe_to_talk", "silent", "Silent"),
        ("weapons", ["blade", "dog"], "Blade, Dog"),
        ("tell_response_supervisor", {"name": "Sgt Quill", "at": "2026-07-01T02:00:00+00:00"}, "Sgt Quill 03:00"),
        ("suspect_now", {"whereabouts": "present", "description": {"non_answer": "not_asked", "reason": "Line dead"}},
         "Whereabouts: Present; Description: Not asked (Line dead)"),
    ],
)  # fmt: skip
def test_an_answer_reads_as_a_person_would_say_it(point: str, value: Any, words: str) -> None:
    asked = next(known for known in PLAN.points if known.id == point)
    assert in_words(asked, value, None, "", PLAN) == words


def test_a_non_answer_reads_with_its_note() -> None:
    assert in_words(PLAN.points[0], None, "not_asked", "Line dead", PLAN) == "Not asked (Line dead)"
