"""Answers as they are kept: every type, every refusal with its place, and how each reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checklists.answers import AnswerRefused, Read, codes_in, in_words, read_answer
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


FREE = Definition.model_validate(
    {
        "id": "free",
        "title": "Free",
        "version": 1,
        "approval": {"status": "draft"},
        "show_when": {"any_incident": True},
        "non_answers": {"not_known": {"label": "Not known"}},
        "sections": [
            {
                "id": "all",
                "title": "All",
                "points": [
                    {
                        "id": name,
                        "title": name,
                        "prompt": name,
                        "who": "dispatcher",
                        "phase": "on_call",
                        "answer": answer,
                    }
                    | more
                    for name, answer, more in (
                        ("sure", {"type": "yes_no"}, {"non_answers": []}),
                        ("many", {"type": "count", "largest": 3}, {"note_required_if": ["not_known"]}),
                        ("ways", {"type": "listed", "list": "contact_methods"}, {"note_required_if": ["telephone"]}),
                        ("units", {"type": "call_signs"}, {}),
                        ("homes", {"type": "checks", "items": {"home": "Home"}}, {"note_required_if": ["failed"]}),
                        ("said", {"type": "text", "longest": 5}, {}),
                        (
                            "parts",
                            {
                                "type": "set",
                                "items": {
                                    name: {"title": name, "answer": {"type": "yes_no"}, "optional": True}
                                    for name in ("one", "two")
                                },
                            },
                            {"note_required_if": ["not_known"]},
                        ),
                    )
                ],
            }
        ],
    }
)


@pytest.mark.parametrize(
    ("point", "value", "note", "field"),
    [
        ("sure", 1, "", "value"),
        ("many", 4, "", "value"),
        ("many", 1.0, "", "value"),
        ("ways", "telephone", "", "note"),
        ("ways", "pigeon", "", "value"),
        ("units", ["C9"], "", "value"),
        ("units", [["C123"]], "", "value"),
        ("homes", {"home": "gone"}, "", "value.home"),
        ("homes", {"home": "failed"}, "", "note"),
        ("said", "123456", "", "value"),
        ("said", " \n ", "", "value"),
        ("said", "\ud800", "", "value"),
        ("said", "a\ufffd", "", "value"),
        ("parts", {}, "", "value"),
        ("parts", {"one": None}, "", "value"),
        ("parts", {"one": {"non_answer": "not_known", "reason": 5}}, "", "value.one"),
        ("parts", {"one": {"non_answer": ["not_known"]}}, "", "value.one"),
        ("parts", {"one": {"non_answer": "not_known"}}, "", "note"),
    ],
)
def test_each_type_refuses_what_it_does_not_take(point: str, value: Any, note: str, field: str) -> None:
    assert refused(point, value, note=note, of=FREE).field == field


def test_a_point_that_allows_no_way_out_takes_none_and_one_that_wants_a_note_with_it_says_so() -> None:
    assert refused("sure", non_answer="not_known", of=FREE).field == "non_answer"
    assert refused("many", non_answer="not_known", of=FREE).field == "note"
    assert read("many", non_answer="not_known", note="Hung up", of=FREE) == (None, "not_known", "Hung up")


def test_parts_that_may_be_left_out_are_left_out() -> None:
    assert read("parts", {"two": True, "one": None}, of=FREE).value == {"two": True}
    one = {"one": {"non_answer": "not_known", "reason": ""}}
    assert read("parts", one, note="Why", of=FREE) == (one, None, "Why")


def test_call_signs_are_those_of_the_incident_each_once_in_its_order() -> None:
    assert read("units", ["C124", "C123", "C124"], of=FREE).value == ["C123", "C124"]
    with pytest.raises(AnswerRefused, match="there is none yet"):
        read_answer(FREE, "units", ["C123"], None, "", lists=LISTS, call_signs=())


@pytest.mark.parametrize(
    ("point", "value", "words"),
    [
        ("sure", False, "No"),
        ("sure", True, "Yes"),
        ("many", 0, "0"),
        ("ways", "telephone", "By telephone"),
        ("ways", "dropped_since", "dropped_since"),
        ("units", ["C123", "C124"], "C123, C124"),
        ("homes", {"home": "failed"}, "Home: could not be checked"),
        ("said", "Go", "Go"),
        ("parts", {"one": True, "two": {"non_answer": "not_known", "reason": ""}}, "one: Yes; two: Not known"),
    ],
)
def test_each_type_reads_as_words(point: str, value: Any, words: str) -> None:
    asked = next(known for known in FREE.points if known.id == point)
    lists = {"contact_methods": {"telephone": "By telephone"}}
    assert in_words(asked, value, None, "", FREE, lists) == words
    assert in_words(asked, value, None, "Note", FREE, lists) == f"{words} (Note)"


def test_an_old_non_answer_that_the_wording_no_longer_has_reads_as_its_code() -> None:
    assert in_words(FREE.points[0], None, "refused", "", FREE) == "refused"


def test_codes_in_an_answer_are_those_chosen_and_never_words() -> None:
    found = {point.id: point for point in FREE.points}
    assert codes_in(found["ways"].answer, "telephone") == ("telephone",)
    assert codes_in(found["homes"].answer, {"home": "hit"}) == ("hit",)
    assert codes_in(found["said"].answer, "blade") == codes_in(found["units"].answer, ["C123"]) == ()
    assert codes_in(found["parts"].answer, {"one": True, "two": {"non_answer": "not_known"}}) == ("not_known",)
