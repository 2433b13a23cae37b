"""What can be wrong with a definition, one thing each: said once, with line, field and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checklists.definition import DefinitionError, Fault
from checklists.load import SHIPPED_DEFINITIONS, load_definitions, read_files
from checklists.references import Known
from checklists.strict_yaml import LARGEST_FILE

SMALL = """\
id: small
title: Small
version: 1
approval: {status: draft}
show_when: {any_incident: true}
non_answers:
  not_known: {label: Not known}
  not_asked: {label: Not asked, needs_reason: true}
sections:
  - id: all
    letter: A
    title: All
    points:
      - id: weapons
        number: 1
        title: Weapons
        prompt: Any weapons?
        who: call_handler
        phase: on_call
        answer:
          type: multi
          options:
            none: None
            blade: Blade
          none_of: [none]
        note_required_if: [blade]
        raises: {codes: [blade]}
      - id: parts
        number: 2
        title: Parts
        prompt: Each part.
        who: dispatcher
        phase: on_dispatch
        mandatory_if: {point: weapons, any_of: [blade]}
        due_minutes: 5
        repeat_minutes: 5
        stop_when: unit_on_scene
        answer:
          type: set
          items:
            seen: {title: Seen, answer: {type: yes_no}}
            answer: {title: Answer, answer: {type: count}}
            grade: {title: Grade, answer: {type: listed, list: grades}}
            looked: {title: Looked, answer: {type: checks, items: {home: Home}}}
        raises: {"no": [seen], some: [answer]}
"""
KNOWN = Known(categories=("flood",), incident_types=("domestic",), lists={"grades": ("immediate",)})


def faults(tmp_path: Path, content: str | bytes, known: Known = KNOWN) -> list[Fault]:
    path = tmp_path / "ours.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(DefinitionError) as refused:
        read_files([path], known)
    assert all(fault.file == str(path) and str(fault).isprintable() for fault in refused.value.errors)
    return list(refused.value.errors)


def changed(old: str, new: str) -> str:
    """The small definition with one thing else."""
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


def test_the_small_definition_is_right_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(SMALL)
    (found,) = read_files([path], KNOWN)
    assert found.id == "small"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert read_files([path], KNOWN) == (found,)


POINT = "sections.0.points"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("title: Small", "title:", "title", "is empty; give it words"),
        ("title: Small", "title: ' '", "title", "is blank"),
        ("title: Small", "title: ''", "title", "is blank"),
        ("title: Small", "title: yes", "title", "yes without quotes is read as true; put it in quotes"),
        ("title: Small", "title: off", "title", "off without quotes is read as false; put it in quotes"),
        ("title: Small", "title: 12", "title", "12 without quotes is read as a number; put it in quotes"),
        ("title: Small", "title: 2026-01-31", "title", "2026-01-31 without quotes is read as a date"),
        ("title: Small", "title: 2026-02-31", "title", "is no date; put text in quotes"),
        ("title: Small", "title: 2026-01-31 10:00:00", "title", "is read as a time"),
        ("title: Small", "title: [Small]", "title", "must be text"),
        ("title: Small", f"title: {'x' * 1001}", "title", "is longer than 1000 characters"),
        ("title: Small", 'title: "Sm\\tall"', "title", "holds a tab; use spaces"),
        ("title: Small", 'title: "Sm\\rall"', "title", "can't be seen (U+000D)"),
        ("title: Small", 'title: "\\e[2J"', "title", "can't be seen (U+001B)"),
        ("title: Small", "title: =", "title", "is read as something else"),
        ("title: Small", "titles: Small", "titles", "titles is not a field here; did you mean title?"),
        ("id: small", "id: Small One", "id", "must be a code: small letters"),
        ("id: small", "<<: {a: 1}\nid: small", "<<", "<< as a key is read as something else"),
        ("version: 1", "version: 0", "version", "must be 1 or more"),
        ("version: 1", "version: 1.5", "version", "1.5 is read as a number with a fraction"),
        ("version: 1", "version: 0x1f", "version", "0x1f is read as a number in an unusual form"),
        ("version: 1", "version: one", "version", "must be a whole number"),
        ("version: 1", "version: true", "version", "must be a whole number"),
        ("version: 1\n", "", "version", "is missing"),
        ("{status: draft}", "draft", "approval", "must be a table of fields"),
        ("{status: draft}", "{status: final}", "approval.status", "final is not one of draft or approved"),
        ("{status: draft}", "{status: draft, by: A}", "approval.by", "by is not a field here"),
        ("{status: draft}", "{status: draft, review_due: soon}", "approval.review_due", "must be a date: 2026-01-31"),
        ("{status: draft}", "{status: approved, approved_by: A. Lead}", "approval.approved_on", "is missing"),
        ("{status: draft}", "{status: approved, approved_on: 2026-01-31}", "approval.approved_by", "is missing"),
        ("{any_incident: true}", "{any_incident: 'true'}", "show_when.any_incident", "must be true or false"),
        ("{any_incident: true}", "{}", "show_when", "opens the checklist on nothing"),
        ("{any_incident: true}", "{any_incidents: true}", "show_when.any_incidents", "did you mean any_incident?"),
        ("{any_incident: true}", "{incident_types: domestic}", "show_when.incident_types", "must be a list"),
        ("{any_incident: true}", "{incident_types: [domestik]}", "show_when.incident_types.0", "mean domestic?"),
        ("{any_incident: true}", "{marker_categories: [fire]}", "show_when.marker_categories.0", "known are: flood"),
        ("{any_incident: true}", "{any_incident: true, grades: [zone]}", "show_when.grades", "name its marker_categor"),
        ("{label: Not known}", "Not known", "non_answers.not_known", "must be a table of fields"),
        ("{label: Not known}", "{lable: Not known, label: A}", "non_answers.not_known.lable", "did you mean label?"),
        ("  not_known: {label", "  Not-known: {label", "non_answers.Not-known", "must be a code"),
        ("  not_known: {label", "  no: {label", "non_answers.no", "no as a key is read as false; put it in quotes"),
        ("  not_known: {label", "  on: {label", "non_answers.on", "on as a key is read as true; put it in quotes"),
        ("  not_known: {label", "  ~: {label", "non_answers.~", "~ as a key is read as nothing"),
        ("  not_known: {label", "  1: {label", "non_answers.1", "1 as a key is read as a number"),
        ("  not_known: {label", "  1.5: {label", "non_answers.1.5", "1.5 as a key is read as a number"),
        ("  not_known: {label", "  [a]: {label", "non_answers", "has a key that is not text"),
        ("  not_known: {label", '  "\\e[1m": {label', "non_answers.\\u001b[1m", "must be a code"),
        ("letter: A", "letter: AB", "sections.0.letter", "must be one capital letter"),
        ("letter: A", "leter: A", "sections.0.leter", "did you mean letter?"),
        ("who: call_handler", "who: handler", f"{POINT}.0.who", "handler is not one of"),
        ("phase: on_call", "phase: 5", f"{POINT}.0.phase", "5 without quotes is read as a number"),
        ("prompt: Any weapons?\n", "prompt: Any?\n        promt: Any?\n", f"{POINT}.0.promt", "did you mean prompt?"),
        ("number: 2", "number: 1", f"{POINT}.1.number", "another point has the number 1"),
        ("id: parts", "id: weapons", f"{POINT}.1.id", "another point has the id weapons"),
        ("type: multi", "type: multy", f"{POINT}.0.answer.type", "multy is not a type of answer; did you mean multi?"),
        ("          type: multi\n", "", f"{POINT}.0.answer", "needs a type, one of yes_no"),
        ("none_of: [none]", "none_of: [nothing]", f"{POINT}.0.answer.none_of.0", "nothing is not an option here"),
        ("none_of: [none]", "noneof: [none]", f"{POINT}.0.answer.noneof", "did you mean none_of?"),
        ("            blade: Blade\n", "", f"{POINT}.0.answer.options", "needs at least 2"),
        ("blade: Blade", "blade: Blade\n            blade: Knife", f"{POINT}.0.answer.options.blade", "twice"),
        ("blade: Blade", "blade: Blade\n            not_known: N", f"{POINT}.0.answer.options.not_known", "call one"),
        (
            "note_required_if: [blade]",
            "note_required_if: [gun]",
            f"{POINT}.0.note_required_if.0",
            "gun is not an option",
        ),
        ("{codes: [blade]}", "{codes: [blades]}", f"{POINT}.0.raises.codes.0", "did you mean blade?"),
        ("{codes: [blade]}", "{code: [blade]}", f"{POINT}.0.raises.code", "did you mean codes?"),
        ("{codes: [blade]}", "", f"{POINT}.0.raises", "must be a table of fields"),
        ("{point: weapons,", "{point: wepons,", f"{POINT}.1.mandatory_if.point", "did you mean weapons?"),
        ("{point: weapons,", "{point: parts,", f"{POINT}.1.mandatory_if.point", "is this point itself"),
        ("{point: weapons,", "{point: [weapons],", f"{POINT}.1.mandatory_if.point", "must be text"),
        ("any_of: [blade]", "any_of: [gun]", f"{POINT}.1.mandatory_if.any_of.0", "gun is not an answer of weapons"),
        ("any_of: [blade]", "any_of: []", f"{POINT}.1.mandatory_if.any_of", "needs at least 1"),
        ("due_minutes: 5", "due_minutes: 20000", f"{POINT}.1.due_minutes", "must be 10080 or less"),
        ("        repeat_minutes: 5\n", "", f"{POINT}.1.stop_when", "stops what is not repeated"),
        ("seen: {title: Seen,", "parts: {title: Seen,", f"{POINT}.1.answer.items.parts", "is called as its point is"),
        ("{title: Answer,", "{titel: A, title: B,", f"{POINT}.1.answer.items.answer.titel", "did you mean title?"),
        ("{type: count}", "{type: count, most: 3}", f"{POINT}.1.answer.items.answer.answer.most", "known are: largest"),
        ("{type: count}", "{type: set}", f"{POINT}.1.answer.items.answer.answer.type", "set is not a type of answer"),
        ("list: grades", "list: ranks", f"{POINT}.1.answer.items.grade.answer.list", "ranks is not one of"),
        ("{home: Home}", "[home]", f"{POINT}.1.answer.items.looked.answer.items", "must be a table of code"),
        ('{"no": [seen]', "{no: [seen]", f"{POINT}.1.raises.no", "no as a key is read as false"),
        ('"no": [seen]', '"no": [answer]', f"{POINT}.1.raises.no.0", "answered yes or no"),
        ("some: [answer]", "some: [grade]", f"{POINT}.1.raises.some.0", "counted or answered yes or no"),
        (
            "phase: on_dispatch",
            "phase: before_close\n        repeat_per_unit: true",
            f"{POINT}.1.repeat_per_unit",
            "nobody",
        ),
        (
            "phase: on_dispatch",
            "phase: on_dispatch\n        non_answers: [no_idea]",
            f"{POINT}.1.non_answers.0",
            "no_idea",
        ),
        (
            '{"no": [seen], some: [answer]}',
            "{codes: [hit, immediate, not_known, extended]}",
            f"{POINT}.1.raises.codes.3",
            "extended is not an option or non-answer",
        ),
    ],
)
def test_one_thing_wrong_is_one_fault_at_its_line(tmp_path: Path, old: str, new: str, field: str, said: str) -> None:
    text = changed(old, new)
    found = [fault for fault in faults(tmp_path, text) if fault.field == field]
    assert [said in fault.reason for fault in found] == [True], faults(tmp_path, text)
    row = text.split("\n")[found[0].line - 1]
    named = next(step for step in reversed(field.split(".")) if not step.isdigit())
    assert named in row or "missing" in said or any(part.strip() in row for part in new.split("\n") if part.strip())


def test_a_point_may_name_only_the_non_answers_it_allows(tmp_path: Path) -> None:
    text = changed("{codes: [blade]}", "{codes: [not_asked]}\n        non_answers: [not_known]")
    (fault,) = faults(tmp_path, text)
    assert fault.field == f"{POINT}.0.raises.codes.0"


def test_names_that_are_kept_elsewhere_are_passed_over_where_they_are_not_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    text = SMALL.replace("{any_incident: true}", "{incident_types: [any], marker_categories: [thing]}")
    path.write_text(text.replace('{"no": [seen], some: [answer]}', "{codes: [whatever_grade]}"))
    assert read_files([path])


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "holds nothing"),
        (b"# only words\n", 1, "holds nothing"),
        (b"id: a\ntitle: \xff\n", 2, "is not UTF-8"),
        (b"id: a\n\ttitle: b\n", 2, "holds a tab"),
        (b"id: a\ntitle: b # \tnote\n", 2, "holds a tab"),
        (b"id: a\rtitle: b\n", 1, "U+000D"),
        ("id: a\ntitle: \u202eb\n".encode(), 2, "U+202E"),
        ("id: a\ntitle: b\u200b\n".encode(), 2, "U+200B"),
        (b"id: a\ntitle: b\x00\n", 2, "U+0000"),
        (b"id: a\ntitle: [b\n", 3, "is not valid YAML"),
        (b"id: a\ntitle: *b\n", 2, "uses an alias (*b)"),
        (b"id: a\ntitle: &b c\n", 2, "sets an anchor (&b)"),
        (b"id: a\ntitle: !b c\n", 2, "has a tag (!b)"),
        (b"id: a\ntitle: !%1bb c\n", 2, "has a tag (!\\u001bb)"),
        (b"id: a\ntitle: !!python/object/apply:os.system [ls]\n", 2, "has a tag"),
        (b"id: a\n---\nid: b\n", 2, "second document"),
        (b"id: " + b"[" * 21 + b"]" * 21, 1, "nested more than 20 deep"),
        (b"id: " + b"[" * 100_000, 1, "nest"),
    ],
)
def test_what_is_refused_of_any_yaml_is_said_with_its_line(
    tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    found = faults(tmp_path, content)
    assert any(fault.line == line and said in fault.reason for fault in found), found


def test_a_bomb_of_anchors_is_refused_before_any_of_it_is_built(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    found = faults(tmp_path, "\n".join(rows))
    assert len(found) == 60
    assert {fault.line for fault in found} == set(range(1, 61))


def test_a_file_may_be_as_large_as_is_said_and_no_larger(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(SMALL + "#" * (LARGEST_FILE - len(SMALL)))
    assert read_files([path], KNOWN)
    (fault,) = faults(tmp_path, SMALL + "#" * (LARGEST_FILE - len(SMALL) + 1))
    assert (fault.line, "is over 256 KiB" in fault.reason) == (0, True)
    assert str(fault).startswith(f"{path}: is over")


def test_several_faults_are_all_said_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = SMALL.replace("version: 1", "version: one").replace("who: call_handler", "who: nobody")
    text = text.replace("number: 2", "number: 1").replace("point: weapons", "point: weapon")
    lines = text.split("\n")
    found = faults(tmp_path, text)
    assert [(fault.line, fault.field) for fault in found] == [
        (lines.index("version: one") + 1, "version"),
        (lines.index("        who: nobody") + 1, f"{POINT}.0.who"),
        (len(lines) - lines[::-1].index("        number: 1"), f"{POINT}.1.number"),
        (next(n for n, line in enumerate(lines, 1) if "point: weapon," in line), f"{POINT}.1.mandatory_if.point"),
    ]


def test_the_faults_of_every_file_are_said_and_one_that_cannot_be_read_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL.replace("version: 1", "version: 0"))
    (tmp_path / "b.yaml").write_text(SMALL.replace("title: Small", "title:"))
    with pytest.raises(DefinitionError) as refused:
        read_files([tmp_path / "a.yaml", tmp_path / "nowhere.yaml", tmp_path / "b.yaml"])
    found = [(Path(fault.file).name, fault.line, fault.field) for fault in refused.value.errors]
    assert found == [("a.yaml", 3, "version"), ("nowhere.yaml", 0, ""), ("b.yaml", 1, "id"), ("b.yaml", 2, "title")]
    assert str(refused.value).endswith("(and 3 more)")


def test_a_list_of_definitions_may_not_be_empty_nor_hold_one_twice(tmp_path: Path) -> None:
    one = "\n".join("    " + line for line in SMALL.splitlines())
    twice = f"definitions:\n  - {one.strip()}\n  - {one.strip()}\n"
    (fault,) = faults(tmp_path, twice)
    assert (fault.line, fault.field) == (len(SMALL.splitlines()) + 2, "definitions.1.id")
    assert f"ours.yaml:{2}" in fault.reason
    assert any(fault.field == "definitions" for fault in faults(tmp_path, "definitions: []\n"))


def test_what_ships_has_no_fault() -> None:
    assert len(load_definitions()) == 6


LINES = [path.read_text(encoding="utf-8").split("\n")[:140] for path in sorted(SHIPPED_DEFINITIONS.glob("*.yaml"))]
ODD = st.sampled_from(
    ["", "~", "no", "1", "1.5", "[]", "{}", "[a, 1]", "{a: b}", "answer", "raises", "items", "points", "&a x", "*a",
     "!!x y", '"\\e[1m"', "\ufeff", "x: y", "- x", "'", "|", "2026-01-01", "<<", "=", "---", "%YAML 9", "? a", "\r"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_that_anybody_spoilt_is_read_or_refused_with_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = list(data.draw(st.sampled_from(LINES)))
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        key, colon, value = lines[number].partition(":")
        indent = key[: len(key) - len(key.lstrip(" -"))]
        lines[number] = data.draw(
            st.sampled_from(["", lines[number].strip(), f"{lines[number]}\n{lines[number]}"])
            | ODD.map(lambda odd, i=indent, v=value: f"{i}{odd}:{v}")
            | ODD.map(lambda odd, k=key, c=colon: f"{k}{c} {odd}")
        )
    path = tmp_path_factory.getbasetemp() / "spoilt.yaml"
    path.write_bytes("\n".join(lines).encode())
    try:
        assert read_files([path])
    except DefinitionError as refused:
        assert all(fault.line > 0 and str(fault).isprintable() for fault in refused.errors)
