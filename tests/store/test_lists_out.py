"""Lists that leave and lists that are compared: whole, logged first, harmless to a spreadsheet, and read in again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from pyotp import TOTP

from markers.exchange import marker_id, read_markers
from markers.handing_out import CAVEAT
from markers.ledger import Operation, Via
from markers.model import LONDON, Marker, Place
from overlay import identity
from overlay.listing import Search
from overlay.services import running
from overlay.upkeep.handing_out import hand_out
from overlay.upkeep.lists import plan_import
from overlay.upkeep.reconciling import Reconciled, read_homes, reconcile
from tests.store.commands import Folder, write_csv
from tests.store.room import DOMESTIC, NUMBER, Room, person
from tests.store.test_cli import supervisor

MORGAN = person("Morgan", "ppu_supervisor")
EVIL: Marker = replace(
    DOMESTIC,
    headline="=HYPERLINK(1)",
    action="@SUM(A1)",
    fact="+1\n-2",
    subject="victim",
    marker_id=marker_id("DA-1"),
    starts_on=date(2026, 10, 1),
    place=replace(DOMESTIC.place, address="Flat 3, 14 Tallow Yard", postcode="EC9A 1AB"),
)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_list_goes_out_with_its_caveat_and_comes_back_unchanged(room: Room, tmp_path: Path, form: str) -> None:
    number = replace(NUMBER, marker_id=marker_id("DA-2"), starts_on=EVIL.starts_on)
    room.mark(replace(EVIL, headline="Marked: £5, café", action="Ask", fact="1 + 1 is 2"), number)
    before = len(room.ledger())
    content, count = hand_out(room.services, MORGAN, Search(), form, room.now)
    assert count == 2
    (entry,) = room.ledger()[before:]
    assert (entry.operation, entry.reason) == (Operation.CONSULTATION, "marker_export")
    assert {seen.record_id for seen in entry.records} == {EVIL.marker_id, number.marker_id}
    path = tmp_path / f"list.{form}"
    path.write_bytes(content)
    assert CAVEAT.encode() in content or form == "xlsx"
    warnings: list[str] = []
    today = room.now.astimezone(LONDON).date()
    back = list(read_markers(path, room.services.categories, today, "PPU", "Other", room.now, warnings.append))
    assert all(isinstance(one, Marker) for one in back), back
    assert warnings == ["Column handling is not known and was left out."]
    plan = plan_import(room.services, [one for one in back if isinstance(one, Marker)])
    assert (plan.unchanged, plan.new, plan.changed) == (2, (), ())


def test_no_cell_of_a_csv_list_runs_and_every_cell_of_a_workbook_is_text(room: Room, tmp_path: Path) -> None:
    room.mark(EVIL)
    text = hand_out(room.services, MORGAN, Search(), "csv", room.now)[0].decode("utf-8-sig")
    for evil in ("'=HYPERLINK(1)", "'@SUM(A1)", "'+1"):
        assert evil in text
    assert ",=" not in text
    path = tmp_path / "list.xlsx"
    path.write_bytes(hand_out(room.services, MORGAN, Search(), "xlsx", room.now)[0])
    sheet = load_workbook(path).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert "=HYPERLINK(1)" in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} == {"s"}
    assert sheet.oddFooter.center.text == CAVEAT
    assert [cell.value for cell in cells if cell.column == 1][1:] == [CAVEAT]


def test_a_search_that_finds_nothing_is_a_list_of_nothing_and_logged(room: Room) -> None:
    content, count = hand_out(room.services, MORGAN, Search(words="nothing"), "csv", room.now)
    assert (count, content.count(b"\r\n")) == (0, 1)
    assert room.ledger()[-1].records == ()


def compared(room: Room, tmp_path: Path, text: str) -> Reconciled:
    path = tmp_path / "met.csv"
    path.write_text(text)
    return reconcile(
        room.services, MORGAN, "domestic_abuse_risk", read_homes(room.services, path, lambda _: None), room.now
    )


def test_homes_are_compared_as_a_check_understands_them(room: Room, tmp_path: Path) -> None:
    elsewhere = replace(
        DOMESTIC,
        marker_id="da-5",
        reference="DA-5",
        place=Place(address="8 Foolscap Lane, London", postcode="EC9A 1AP"),
    )
    unknown = replace(DOMESTIC, marker_id="da-6", reference="DA-6", place=Place(address="1 Nowhere Row"))
    ended = replace(elsewhere, marker_id="da-7", reference="DA-7", ends_on=DOMESTIC.starts_on)
    room.mark(DOMESTIC, elsewhere, unknown, ended)
    found = compared(
        room,
        tmp_path,
        "reference,address,postcode\n"
        'M1,"14 Tallow Yard, flat 3",EC9A 1AB\n'
        "M2,1 nowhere row,\n"
        "M3,18 Tallow Yard,EC9A 1AB\n"
        'M4,"FLAT 3, 14 TALLOW YARD",ec9a 1ab\n'
        ",,\n"
        "M5,,\n"
        "M6,Blotter Street,\n",
    )
    assert [(b.theirs.reference, b.marker.reference, b.written) for b in found.both] == [
        ("M1", "DA-1", True), ("M2", "DA-6", False),
    ]  # fmt: skip
    assert [t.reference for t in found.theirs] == ["M3", "M6"]
    assert found.theirs[1].home is None
    assert [m.reference for m in found.ours] == ["DA-5"]
    assert [t.reference for t in found.twice] == ["M4"]
    assert [str(e) for e in found.errors] == ["line 7, address: missing. Write the home's address."]
    entry = room.ledger()[-1]
    assert (entry.operation, entry.reason) == (Operation.COMBINATION, "reconciled")
    assert {seen.record_id for seen in entry.records} == {"da-1", "da-5", "da-6"}
    assert b"Nowhere" not in entry.canonical()


class TestExportCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        folder = Folder(tmp_path / "data")
        rows = [
            {"reference": "DA-1", "category": "domestic_abuse_risk", "address": "3 Tallow Yard", "headline": "=1+1"},
            {"reference": "T-1", "category": "temporary", "address": "5 Tallow Yard", "owner": "Night desk"},
        ]
        listed = write_csv(tmp_path / "in.csv", rows)
        assert folder("markers", "import", listed, "--by", "A", "--approved-by", "B").code == 0
        return folder

    def test_a_list_goes_out_by_permission_whole_harmless_and_logged(self, folder: Folder, tmp_path: Path) -> None:
        by, password = supervisor(folder, tmp_path)
        out, book = tmp_path / "list.csv", tmp_path / "LIST.XLSX"
        done = folder("markers", "export", out, "--by", by, "--password-file", password)
        assert (done.code, done.out) == (0, f"{out}: 2 rows, OFFICIAL-SENSITIVE.\n")
        assert out.stat().st_mode & 0o777 == 0o600
        lines = out.read_bytes().decode("utf-8-sig").splitlines()
        assert [line.partition(",")[0] for line in lines] == ["handling", CAVEAT, CAVEAT]
        assert "'=1+1" in lines[1] + lines[2]
        told = folder(
            "markers", "export", book, "--by", by, "--password-file", "-", "--owner", "night desk", "--json",
            stdin="three random words\n",
        ).json  # fmt: skip
        assert told == {"file": str(book), "markers": 1, "handling": CAVEAT}
        sheet = load_workbook(book).active
        assert sheet is not None
        assert [row[1].value for row in sheet.iter_rows()] == ["reference", "T-1"]
        entries = [entry for entry in folder.ledger() if entry.reason == "marker_export"]
        assert [(entry.actor_role, entry.via, len(entry.records)) for entry in entries] == [
            ("ppu_supervisor", Via.CLI, 2),
            ("ppu_supervisor", Via.CLI, 1),
        ]
        with running(folder.settings()) as services:
            account = services.access.account(by)
            assert account is not None
            assert {entry.actor_id for entry in entries} == {account.account_id}
            assert services.access.sessions(account.account_id) == (), "signed out again"

    def test_who_may_not_or_is_not_gets_nothing(self, folder: Folder, tmp_path: Path) -> None:
        out = tmp_path / "list.csv"
        officer, password = supervisor(folder, tmp_path, "ppu_officer")
        may_not = folder("markers", "export", out, "--by", officer, "--password-file", password)
        assert "does not hold markers.export" in may_not.refusal
        wrong = folder("markers", "export", out, "--by", officer, "--password-file", "-", stdin="another password\n")
        assert wrong.refusal
        nobody = folder("markers", "export", out, "--by", "nobody", "--password-file", password)
        assert nobody.refusal == wrong.refusal
        odd = folder("markers", "export", out, "--by", officer, "--password-file", password, "--category", "odd")
        assert "There is no category odd" in odd.refusal
        nowhere = tmp_path / "none" / "list.csv"
        assert folder("markers", "export", nowhere, "--by", officer, "--password-file", password).refusal
        assert list(tmp_path.glob("*list.csv*")) == []
        assert not [entry for entry in folder.ledger() if entry.reason == "marker_export"]

    def test_a_second_factor_is_asked_for_and_has_to_be_there(self, folder: Folder, tmp_path: Path) -> None:
        by, password = supervisor(folder, tmp_path)
        text, out = password.read_text(), tmp_path / "list.csv"
        with running(folder.settings()) as services:
            door, now = services.door, services.now()
            strict = replace(door, policy=replace(door.policy, second_factor_required=True))
            begun = identity.sign_in(strict, by, text.strip(), now)
            key = identity.new_factor(strict, begun.secret, now)[1]
            identity.enrol(strict, begun.secret, TOTP(key).at(now - timedelta(seconds=30)), now)
        asked = ("markers", "export", out, "--by", by)
        done = folder(*asked, stdin=f"{text.strip()}\n{TOTP(key).now()}\n")
        assert done.code == 0, done
        assert done.out == f"{out}: 2 rows, OFFICIAL-SENSITIVE.\n"
        out.unlink()
        wrong = folder(*asked, stdin=f"{text.strip()}\n000000\n")
        assert (wrong.code, out.exists()) == (1, False)
