"""The auditor's page over a real console: what it finds, what it says of the proof, and what it leaves a mark of."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable

import pytest

from markers.checkpoints import PublicKey, Statement, key_files
from markers.ledger import LedgerEntry, Operation
from markers.merkle import includes
from overlay.identity.access import PROVES
from overlay.services import Services
from tests.conftest import Console
from tests.web.conftest import Visitor


@pytest.fixture
def auditor(signed_in: Callable[[str], Visitor]) -> Visitor:
    visitor = signed_in("auditor")
    visitor.get("/ledger")
    return visitor


@pytest.fixture
def looked(signed_in: Callable[[str], Visitor], console: Console) -> tuple[str, str]:
    """A call handler's look at a marked home under an incident of its own: incident and address as it was typed."""
    incident = f"CAD-{uuid.uuid4().hex[:8]}"
    address = next(address for address, expect in console.tries if expect == "hit")
    handler = signed_in("call_handler")
    handler.get("/")
    assert handler.post("/check", {"location": address.casefold(), "incident": incident}).status_code == 200
    return incident, address


def rows(text: str) -> list[list[str]]:
    found = re.findall(r"<tr>\s*(<th scope=\"row\">.*?)</tr>", text, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found]
    return [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in cells]


def last_entry(services: Services) -> LedgerEntry:
    """The last one but for the proof of life, which goes on meanwhile."""
    recent = services.store.ledger(max(0, services.store.ledger_end() - 20))
    entries = (LedgerEntry.from_bytes(record.entry) for record in recent)
    return [entry for entry in entries if entry.reason != PROVES][-1]


def test_the_page_says_how_far_the_ledger_is_signed_and_anchored(auditor: Visitor, looked: tuple[str, str]) -> None:
    until, all_signed = time.monotonic() + 90, r"The ledger holds \d[\d,]* entries; 0 wait for a checkpoint\."
    while not re.search(all_signed, text := auditor.get("/ledger").text):
        assert time.monotonic() < until, text
        time.sleep(2.5)  # looking is an entry too: the sealer, which signs each second, needs longer than that
    assert re.search(r"Last signed checkpoint: \d+ \w{3} \d\d:\d\d:\d\d, up to entry [\d,]+\.", text)
    assert re.search(r"Last anchor, outside the store: \d+ \w{3} \d\d:\d\d:\d\d, up to entry [\d,]+\.", text)
    assert "Not being proved" not in text


def test_a_look_is_found_by_everything_it_is_known_by_with_who_what_and_its_proof(
    auditor: Visitor, looked: tuple[str, str], console: Console, services: Services
) -> None:
    incident, address = looked
    handler = console.accounts["call_handler"][0]
    (row,) = rows(auditor.post("/ledger", {"incident": incident}).text)
    assert row[2] == f"{handler} Call handler, console"
    assert row[3] == "Looked: marker found incident response"
    assert re.fullmatch(rf"{incident} check [0-9a-f]{{8}}", row[4])
    told = re.search(r"(QM-\d+), premises: existence, ", row[5])
    assert told is not None, row[5]
    until = time.monotonic() + 15
    while "anchored" not in row[6].split(", ")[-1] or "not" in row[6]:
        assert time.monotonic() < until
        time.sleep(0.2)
        (row,) = rows(auditor.post("/ledger", {"incident": incident}).text)
    assert re.fullmatch(r"covered by the checkpoint of \d\d:\d\d:\d\d, anchored", row[6])
    reference = told[1]
    entry = services.ledger_search.find(incident=incident)[0].entry
    for asked in (
        {"address": address},
        {"address": address.upper().replace(",", " ")},
        {"marker": reference},
        {"marker": reference.lower()},
        {"marker": entry.records[0].record_id},
        {"actor": handler.upper()},
        {"check": entry.check_id or ""},
        {"since": "2026-01-01T00:00", "incident": incident},
    ):
        assert row[0] in [found[0] for found in rows(auditor.post("/ledger", asked).text)], asked
    for asked in (
        {"incident": incident, "actor": "nobody"},
        {"incident": incident, "until": "2026-01-01T00:00"},
        {"incident": incident, "marker": "NONE-1"},
        {"address": "Flat 77, 14 Nowhere At All"},
    ):
        assert "No entry fits" in auditor.post("/ledger", asked).text, asked


def test_a_search_is_in_the_ledger_before_anything_is_shown_and_holds_no_text(
    auditor: Visitor, looked: tuple[str, str], services: Services
) -> None:
    incident, address = looked
    before = services.store.ledger_end()
    auditor.post("/ledger", {"address": address, "incident": incident})
    assert services.store.ledger_end() == before + 1
    entry = last_entry(services)
    assert (entry.operation, entry.reason, entry.actor_role) == (Operation.CONSULTATION, "ledger_search", "auditor")
    assert services.vault.token("searched-incident", incident) in entry.about
    assert set(entry.about) & set(services.ledger_search.find(incident=incident)[0].entry.about)
    assert incident.encode() not in entry.canonical()


def test_nobody_reads_their_own_entries(auditor: Visitor, console: Console) -> None:
    name = console.accounts["auditor"][0]
    text = auditor.post("/ledger", {"actor": name}).text
    assert rows(text) == []
    assert re.search(r"\d+ entries are your own: another auditor reads those\.", text)
    text = auditor.post("/ledger", {}).text
    assert not any(row[2].startswith(f"{name} ") for row in rows(text))


def test_older_entries_are_read_on_from_where_the_page_ended(
    auditor: Visitor, signed_in: Callable[[str], Visitor]
) -> None:
    incident = f"CAD-{uuid.uuid4().hex[:8]}"
    handler = signed_in("call_handler")
    for _ in range(28):
        handler.get("/")
        handler.post("/check", {"location": "14 Nowhere At All", "incident": incident})
    first = auditor.post("/ledger", {"incident": incident}).text
    before = re.search(r'name="before" value="(\d+)"', first)
    assert before is not None
    older = auditor.post("/ledger", {"incident": incident, "before": before[1]}).text
    numbers = [int(row[0]) for row in rows(first) + rows(older)]
    assert (len(rows(first)), len(rows(older))) == (25, 3)
    assert numbers == sorted(set(numbers), reverse=True)
    assert "Older entries" not in older
    assert "Back to the newest" in older


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("since", "yesterday"),
        ("until", "2026-13-01T00:00"),
        ("actor", "x" * 501),
        ("incident", "a\x00b"),
        ("before", "-1"),
        ("before", "9" * 30),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_searched(
    auditor: Visitor, services: Services, field: str, text: str
) -> None:
    before = services.store.ledger_end()
    reply = auditor.post("/ledger", {field: text})
    assert reply.status_code == 422
    assert 'class="audit__problem" role="alert"' in reply.text
    assert services.store.ledger_end() == before


def test_an_export_holds_each_entry_with_a_proof_anybody_can_check(
    auditor: Visitor, looked: tuple[str, str], services: Services, console: Console
) -> None:
    incident, _ = looked
    until = time.monotonic() + 15
    sequence = services.ledger_search.find(incident=incident)[0].sequence
    while (last := services.anchors.last()) is None or last.size < sequence:
        assert time.monotonic() < until
        time.sleep(0.1)
    reply = auditor.post("/ledger/export", {"incident": incident})
    assert reply.status_code == 200
    assert re.fullmatch(
        r"attachment; filename=OFFICIAL-SENSITIVE-ledger-\d{8}-\d{6}\.jsonl", reply.headers["Content-Disposition"]
    )
    head, *lines = [json.loads(line) for line in reply.text.splitlines()]
    assert next(iter(head.items())) == ("handling", "OFFICIAL-SENSITIVE")
    assert (head["entries"], head["own_entries_left_out"], head["more_were_found"]) == (1, 0, False)
    told = Statement.read(head["checkpoint"])
    PublicKey.read(key_files(console.data / "keys", services.area.code)[1].read_text()).check(told)
    (line,) = lines
    assert (line["sequence"], line["entry"]["incident"]) == (sequence, incident)
    path = [base64.b64decode(node) for node in line["inclusion"]]
    assert includes(told.root, told.size, sequence - 1, bytes.fromhex(line["leaf"]), path)
    entry = last_entry(services)
    assert (entry.operation, entry.reason, len(entry.recipients)) == (Operation.DISCLOSURE, "ledger_export", 1)


def test_the_way_to_the_ledger_is_on_every_page_of_who_may_read_it_and_of_nobody_else(
    auditor: Visitor, signed_in: Callable[[str], Visitor]
) -> None:
    assert auditor.get("/").text.count('href="/ledger"') == 2
    for role in ("call_handler", "administrator", "ppu_supervisor"):
        assert "/ledger" not in signed_in(role).get("/").text
