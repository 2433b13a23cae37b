"""Definition files: what ships is whole, and every fault of a wrong one is said with its line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from checklists.definition import DefinitionError
from checklists.load import SHIPPED_DEFINITIONS, as_plain, fingerprint, from_plain, load_definitions, read_files
from checklists.references import Known
from overlay.configuration import known_names
from overlay.settings import Settings

THRIVE = (SHIPPED_DEFINITIONS / "thrive.yaml").read_text(encoding="utf-8")
PLAN = (SHIPPED_DEFINITIONS / "domestic_abuse_20.yaml").read_text(encoding="utf-8")


def faults(tmp_path: Path, text: str | bytes, known: Known | None = None) -> list[str]:
    path = tmp_path / "ours.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DefinitionError) as refused:
        read_files([path], known)
    return [str(fault).removeprefix(f"{path}:") for fault in refused.value.errors]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_what_ships_agrees_with_what_the_force_keeps(tmp_path: Path) -> None:
    found = {definition.id: definition for definition in load_definitions(known=known_names(Settings(data=tmp_path)))}
    assert [point.number for point in found["domestic_abuse_20"].points] == list(range(1, 21))
    assert [section.letter for section in found["thrive"].sections] == list("THRIVE")
    assert {d.approval.status for d in found.values()} == {"draft"}


def test_a_definition_comes_back_from_its_kept_form_with_the_same_fingerprint() -> None:
    for definition in load_definitions():
        again = from_plain(as_plain(definition))
        assert again == definition
        assert fingerprint(again) == fingerprint(definition)
    with pytest.raises(DefinitionError):
        from_plain(b"{}")


@pytest.mark.parametrize(
    ("change", "at", "said"),
    [
        (("title: THRIVE", "titel: THRIVE"), "titel: THRIVE", "titel is not a field here; did you mean title?"),
        (("who: call_handler", "who: anybody"), "who: anybody", "who: anybody is not one of"),
        (("codes: [now]", "codes: [soon]"), "codes: [soon]", "soon"),
        (("version: 1", "version: '1'"), "version: '1'", "version"),
        (("            now: Now", "            no: Now"), "            no: Now", "put it in quotes"),
        (("  any_incident: true", "  any_incident: &all true"), "  any_incident: &all true", "sets an anchor"),
        (("title: Threat\n", "title: *all\n"), "title: *all", "uses an alias"),
        (("title: Threat\n", "title: !!python/name:os.system x\n"), "title: !!python", "has a tag"),
        (
            ("id: source_of_threat", "id: when_it_happened"),
            "id: when_it_happened\n        title: Source",
            "when_it_happened",
        ),
        (("title: Threat\n", "title: Threat\n    title: Again\n"), "    title: Again", "twice"),
        (("version: 1", "version: 1\n\tkey: 2"), "\tkey", "tab"),
    ],
)
def test_each_fault_is_said_with_its_line(tmp_path: Path, change: tuple[str, str], at: str, said: str) -> None:
    assert change[0] in THRIVE
    text = THRIVE.replace(*change, 1)
    found = faults(tmp_path, text)
    line = line_of(text, at)
    assert any(fault.startswith(f"{line}:") and said in fault for fault in found), found


def test_every_fault_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    text = PLAN.replace("who: dispatcher", "who: nobody", 1).replace("due_minutes: 1\n", "due_minutes: soon\n", 1)
    text = text.replace("{point: weapons", "{point: wepons", 1)
    found = faults(tmp_path, text)
    assert len(found) == 3
    assert sorted(int(fault.partition(":")[0]) for fault in found) == [int(fault.partition(":")[0]) for fault in found]
    assert any("did you mean weapons?" in fault for fault in found)


def test_a_fault_in_a_list_of_definitions_is_said_too(tmp_path: Path) -> None:
    prompts = (SHIPPED_DEFINITIONS / "marker_prompts.yaml").read_text(encoding="utf-8")
    (found, *_) = faults(tmp_path, prompts.replace("    version: 1\n", "    version: 1\n    verzion: 2\n", 1))
    assert "did you mean version?" in found
    assert faults(tmp_path, THRIVE.replace("id: when_it_happened", "id: [a, b]", 1))


def test_names_the_force_does_not_keep_are_refused(tmp_path: Path) -> None:
    known = Known(categories=("child_protection_plan",), incident_types=("domestic",), lists={"grades": ("a",)})
    found = " ".join(faults(tmp_path, PLAN, known))
    for name in ("domestic_abuse_risk", "harassment_by_partner", "order_breach"):
        assert name in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ""),
        (b"\xff\xfe", ""),
        (b"- 1\n- 2\n", ""),
        (b"id: [", ""),
        (b"a: 1\n---\nb: 2\n", "second document"),
        (b"x: " + b"[" * 200 + b"]" * 200, "deep"),
        (b"#" * 300_000, "256"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "anchor"),
    ],
)
def test_what_is_no_definition_at_all_is_refused_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    found = faults(tmp_path, content)
    assert found
    assert said in " ".join(found)


def test_a_folder_without_definitions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError):
        load_definitions(tmp_path)
    (tmp_path / "a.yml").write_text(THRIVE)
    with pytest.raises(DefinitionError, match=r"call it \*.yaml"):
        load_definitions(tmp_path)


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(THRIVE)
    with pytest.raises(DefinitionError, match="another definition"):
        load_definitions(tmp_path)
