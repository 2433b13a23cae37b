"""The public protection desk over HTTP: a marker's whole life, and what is refused on the way."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from markers.ledger import LedgerEntry, Operation, Via
from markers.model import Place
from overlay.app import create_app
from overlay.roles import Actor
from overlay.services import Services, running
from overlay.settings import Settings
from overlay.upkeep.lists import import_markers, plan_import
from tests.conftest import Console
from tests.store.room import NUMBER
from tests.web.conftest import TIMEOUT_S, Visitor

_LOADER = Actor("os:test", "test", "service", Via.CLI)
FORM = {
    "category": "domestic_abuse_risk",
    "version": "0",
    "address": "",
    "postcode": "",
    "headline": "High risk home",
    "action": "Ask who is there.",
    "subject": "victim",
    "fact": "Two reports in May",
    "owner": "PPU Quillmarket",
    "owner_contact": "ext 301",
    "why": "Strategy meeting",
}


@pytest.fixture
def officer(signed_in: Callable[[str], Visitor]) -> Visitor:
    visitor = signed_in("ppu_officer")
    visitor.get("/desk")
    return visitor


@pytest.fixture
def supervisor(signed_in: Callable[[str], Visitor]) -> Visitor:
    visitor = signed_in("ppu_supervisor")
    visitor.get("/desk")
    return visitor


@pytest.fixture
def handler(signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in("call_handler")


def fresh(**changes: str) -> dict[str, str]:
    """A form for a home of its own that no gazetteer has."""
    name = secrets.token_hex(4)
    return {**FORM, "reference": f"DA-{name}", "address": f"Flat 1, {int(name, 16) % 900 + 1} Zq{name} Row", **changes}


def proposed(officer: Visitor, form: dict[str, str]) -> str:
    reply = officer.post("/markers/new", form)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["Location"])


def approved(supervisor: Visitor, proposal: str) -> str:
    reply = supervisor.post(f"{proposal}/approve", {"why": ""})
    assert reply.status_code == 303, reply.text
    return str(reply.headers["Location"]).partition("?")[0]


def check(handler: Visitor, address: str) -> str:
    handler.get("/")
    return handler.post("/check", {"location": address}).text


def facts(page: str) -> dict[str, str]:
    rows = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {name: " ".join(re.sub("<[^>]+>", " ", text).split()) for name, text in rows}


def test_a_whole_life_through_the_pages(officer: Visitor, supervisor: Visitor, handler: Visitor) -> None:
    form = fresh()
    proposal = proposed(officer, form)
    own = officer.get(proposal).text
    assert "You proposed this, so somebody else decides" in own
    assert "Not in the gazetteer" in own
    assert "MARKER AT THIS HOME" not in check(handler, form["address"])
    assert form["reference"] in supervisor.get("/desk").text
    seen = supervisor.get(proposal).text
    assert facts(seen)["Why"] == "Strategy meeting"
    assert re.search(r"Call handler</th>.*?</td><td>facts, source</td>", seen, re.DOTALL)
    marker = approved(supervisor, proposal)
    assert "MARKER AT THIS HOME" in check(handler, form["address"])
    assert officer.post(f"{proposal}/approve", {}).status_code == 403
    assert supervisor.post(f"{proposal}/approve", {}).status_code == 422

    page = officer.get(marker).text
    assert facts(page)["Whom it is about"] == "victim"
    assert "Approved and put in force" in page
    assert f"proposed by {facts(seen)['Proposed by'].partition(',')[0]}" in page
    confirmed = officer.post(f"{marker}/confirm", {"version": "1", "evidence": "Rang social care"})
    assert confirmed.headers["Location"].endswith("?done=confirmed")
    again = officer.post(f"{marker}/confirm", {"version": "1", "evidence": "Rang social care"})
    assert again.status_code == 409
    assert "Rang social care" in again.text

    change = officer.get(f"{marker}/amend").text
    assert 'name="version" value="2"' in change
    amended = officer.post(f"{marker}/amend", {**form, "version": "2", "headline": "Higher risk", "fact": ""})
    assert amended.status_code == 303, amended.text
    told = supervisor.get(amended.headers["Location"]).text
    assert re.search(r"Headline</th><td[^>]*>High risk home</td><td[^>]*>Higher risk</td>", told)
    assert re.search(r"Facts</th><td[^>]*>Two reports in May</td><td[^>]*>nothing</td>", told)
    approved(supervisor, amended.headers["Location"])
    assert "Higher risk" in officer.get(marker).text

    refused = officer.post(f"{marker}/end", {"version": "3", "reason": "moved", "told": "", "why": "left"})
    assert refused.status_code == 422
    assert "say if the subject was told" in refused.text
    ended = officer.post(f"{marker}/end", {"version": "3", "reason": "moved", "told": "letter", "why": "left"})
    approved(supervisor, ended.headers["Location"])
    assert "MARKER AT THIS HOME" not in check(handler, form["address"])
    over = supervisor.get(marker).text
    assert "The person has moved away. Told by letter" in facts(over)["Ended"]
    assert supervisor.post(f"{marker}/erase", {"why": "kept too long"}).status_code == 422
    gone = supervisor.post(f"{marker}/erase", {"why": "kept too long", "sure": "yes"})
    assert gone.headers["Location"] == "/desk?done=erased"
    assert supervisor.get(marker).status_code == 404
    assert supervisor.get(proposal).status_code == 404


def test_everything_typed_is_there_again_with_what_is_wrong_linked_to_its_box(officer: Visitor) -> None:
    wrong = fresh(address="", subject="", ends_on="2020-01-01", phone="12", headline="Keep <this> & that")
    reply = officer.post("/markers/new", wrong)
    assert reply.status_code == 422
    for field in ("subject", "phone", "ends_on"):
        assert f'href="#{field}"' in reply.text, field
    assert 'value="Keep &lt;this&gt; &amp; that"' in reply.text
    assert "Strategy meeting" in reply.text
    nowhere = officer.post("/markers/new", fresh(address=""))
    assert "Say where it is" in nowhere.text
    assert 'href="#address"' in nowhere.text


def test_a_kind_of_its_own_fields_asks_for_those_that_are_compulsory(officer: Visitor) -> None:
    reply = officer.post("/markers/new", fresh(category="child_protection_plan"))
    assert reply.status_code == 422
    assert {"#plan_category", "#plan_started", "#social_care_contact"} <= set(re.findall(r'href="(#\w+)"', reply.text))
    whole = fresh(
        category="child_protection_plan", plan_category="neglect", plan_started="2026-11-01",
        social_care_contact="Duty desk",
    )  # fmt: skip
    page = officer.get(proposed(officer, whole)).text
    assert facts(page)["Category of the plan"] == "neglect"
    assert facts(page)["Plan started"] == "1 Nov"


def test_a_change_on_an_old_version_tells_what_the_other_changed_and_keeps_what_was_typed(
    officer: Visitor, supervisor: Visitor
) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    theirs = officer.post(f"{marker}/amend", {**form, "version": "1", "headline": "Theirs"})
    approved(supervisor, theirs.headers["Location"])
    mine = officer.post(f"{marker}/amend", {**form, "version": "1", "action": "My own action"})
    assert mine.status_code == 409
    assert "Somebody changed this to: Theirs." in mine.text
    assert "My own action" in mine.text
    assert 'name="version" value="2"' in mine.text
    assert officer.post(f"{marker}/amend", {**form, "version": "2", "action": "My own action"}).status_code == 303


def test_a_process_that_has_not_heard_of_a_marker_yet_learns_of_it_when_asked(
    console: Console, officer: Visitor, supervisor: Visitor
) -> None:
    def of(path: str) -> dict[str, str]:
        reply = client.get(path, base_url=console.url)
        assert reply.status_code == 200
        return {"csrf_token": re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', reply.text)[0]}

    for ask in ("page", "form", "change"):
        form = fresh()
        with running(Settings.read(console.environment())) as behind:
            client = create_app(behind).test_client()
            client.set_cookie("overlay-session", officer.session.cookies["overlay-session"], domain="127.0.0.1")
            token = of("/")
            marker = approved(supervisor, proposed(officer, form))
            if ask == "change":
                sent = {**form, **token, "version": "1", "headline": "Another"}
                assert client.post(f"{marker}/amend", data=sent, base_url=console.url).status_code == 303
            else:
                of(marker if ask == "page" else f"{marker}/amend")


def test_a_place_that_is_taken_names_what_has_it(officer: Visitor, supervisor: Visitor) -> None:
    form = fresh(address="8 Foolscap Lane", postcode="EC9A 1AP")
    proposal = proposed(officer, form)
    twice = officer.post("/markers/new", {**form, "reference": "DA-TWICE"})
    assert twice.status_code == 409
    assert f'href="{proposal}"' in twice.text
    marker = approved(supervisor, proposal)
    thrice = officer.post("/markers/new", {**form, "reference": "DA-TWICE"})
    assert thrice.status_code == 409
    assert f'href="{marker}"' in thrice.text
    assert "is a live marker of this kind at this place already" in thrice.text
    ended = officer.post(f"{marker}/end", {"version": "1", "reason": "wrong_place", "told": "tried"})
    approved(supervisor, ended.headers["Location"])


def test_nobody_approves_their_own_and_a_proposal_is_taken_back(supervisor: Visitor) -> None:
    proposal = proposed(supervisor, fresh())
    own = supervisor.post(f"{proposal}/approve", {})
    assert own.status_code == 422
    assert "A second person has to approve it" in own.text
    assert supervisor.post(f"{proposal}/turn-down", {"why": ""}).status_code == 303
    assert "turned down by" in facts(supervisor.get(proposal).text)["Decision"]


def test_an_officer_takes_back_their_own_and_nobody_elses(officer: Visitor, supervisor: Visitor) -> None:
    theirs = proposed(supervisor, fresh())
    assert officer.post(f"{theirs}/turn-down", {"why": "no"}).status_code == 403
    assert supervisor.post(f"{theirs}/turn-down", {}).status_code == 303


def test_the_control_room_adds_one_that_warns_at_once_until_somebody_decides(
    signed_in: Callable[[str], Visitor], supervisor: Visitor, handler: Visitor
) -> None:
    room = signed_in("control_room_supervisor")
    room.get("/markers/provisional?category=domestic_abuse_risk")
    kept, dropped = fresh(), fresh()
    for form in (kept, dropped):
        reply = room.post("/markers/provisional", form)
        assert reply.status_code == 303, reply.text
        assert form["reference"] not in reply.headers["Location"]
        assert "Added: it warns from now on" in room.get(reply.headers["Location"]).text
    assert "provisional: public protection has not confirmed it" in check(handler, kept["address"])
    desk = supervisor.get("/desk").text
    listed = {
        form["reference"]: re.search(rf'href="(/markers/[^"]+)">{form["reference"]}<', desk) for form in (kept, dropped)
    }
    assert all(listed.values())
    keep, drop = (str(listed[form["reference"]][1]) for form in (kept, dropped))  # type: ignore[index]
    supervisor.get(keep)
    assert supervisor.post(f"{keep}/keep", {"why": "so it is"}).status_code == 303
    assert supervisor.post(f"{drop}/dismiss", {"why": ""}).status_code == 422
    assert supervisor.post(f"{drop}/dismiss", {"why": "another flat"}).status_code == 303
    assert "MARKER AT THIS HOME" in check(handler, kept["address"])
    assert "MARKER AT THIS HOME" not in check(handler, dropped["address"])


def test_the_list_is_searched_and_paged_and_what_is_asked_is_in_no_url(officer: Visitor) -> None:
    everything = officer.get("/markers").text
    assert "page 1 of" in everything
    assert "Later page" in everything
    assert "Earlier page" not in everything
    assert "Earlier page" in officer.post("/markers", {"page": "2"}).text
    assert "No markers" in officer.post("/markers", {"words": "nothing like this"}).text
    found = officer.post("/markers", {"words": "qm-0001"})
    assert (found.status_code, "QM-0001" in found.text) == (200, True)
    assert "words=" not in everything + found.text
    assert officer.get("/markers?state=due").text.count("unconfirmed since") >= 9
    for odd in ({"page": "99999"}, {"page": "-1"}, {"page": "x"}, {"state": "odd"}, {"category": "odd"}):
        assert officer.post("/markers", odd).status_code == 200, odd


def test_being_told_what_has_a_place_is_a_look_like_any_other(
    officer: Visitor, signed_in: Callable[[str], Visitor], services: Services
) -> None:
    taken = fresh(address="Flat 12, Octavo Tower", postcode="")
    told = officer.post("/markers/new", taken)
    assert told.status_code == 409
    entry = LedgerEntry.from_bytes(next(iter(services.store.ledger(services.store.ledger_end() - 1))).entry)
    assert (entry.operation, entry.reason) == (Operation.CONSULTATION, "place_taken")
    assert entry.records[0].record_id in told.text
    room = signed_in("control_room_supervisor")
    room.get("/markers/provisional")
    assert room.post("/markers/provisional", taken).status_code == 409


def test_a_change_of_nothing_and_a_word_too_long_are_refused(officer: Visitor, supervisor: Visitor) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    amend = officer.get(f"{marker}/amend").text
    values = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', amend))
    same = officer.post(
        f"{marker}/amend", {**form, **{k: v for k, v in values.items() if k not in ("csrf_token", "subject")}}
    )
    assert same.status_code == 422
    assert "Nothing differs" in same.text
    long = officer.post("/markers/new", fresh(why="x" * 1001))
    assert long.status_code == 422
    assert "up to 1,000" in long.text


def test_a_start_to_come_is_not_found_before_its_day(officer: Visitor, supervisor: Visitor, handler: Visitor) -> None:
    form = fresh(starts_on=(datetime.now(UTC) + timedelta(days=3)).date().isoformat())
    marker = approved(supervisor, proposed(officer, form))
    assert "not yet in force" in facts(officer.get(marker).text)["State"]
    assert "MARKER AT THIS HOME" not in check(handler, form["address"])


def test_who_is_not_shown_a_kind_whole_changes_none_of_it(console: Console) -> None:
    for role in ("call_handler", "dispatcher", "auditor"):
        visitor = Visitor(console.url)
        visitor.sign_in(*console.accounts[role])
        visitor.get("/account")
        assert visitor.get("/desk").status_code == 403
        assert visitor.post("/markers/new", fresh()).status_code == 403


def test_one_press_on_a_match_tells_its_owner_who_deals_with_it(
    officer: Visitor, supervisor: Visitor, handler: Visitor
) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    answer = check(handler, form["address"])
    sent = dict(re.findall(r'type="hidden" name="(check|number)" value="([^"]*)"', answer))
    told = handler.post("/feedback", {**sent, "kind": "moved", "word": "Gone <b>since</b> May"})
    assert "Told its owner: moved away." in told.text
    part = handler.post("/feedback", {**sent, "kind": "still_right"}, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div class="feedback"')
    odd = handler.post("/feedback", {**sent, "number": "x", "kind": "moved"})
    assert (odd.status_code, "not known any more" in odd.text) == (422, True)
    desk = officer.get("/desk").text
    assert "Gone &lt;b&gt;since&lt;/b&gt; May" in desk
    page = officer.get(marker).text
    assert "Said to be wrong or moved: 1 time" in page
    settle = re.search(r'action="(/feedback/[^"]+/settle)"', page)
    assert settle
    assert officer.post(settle[1], {"why": ""}).headers["Location"].endswith("?done=not_settled")
    assert officer.post(settle[1], {"why": "Rang; proposed the change"}).headers["Location"].endswith("?done=settled")
    assert "Rang; proposed the change" in officer.get(marker).text


def test_a_form_is_offered_homes_and_the_ground_under_its_map(officer: Visitor) -> None:
    officer.get("/markers/new?category=court_order")
    homes = officer.post("/premises/complete", {"address": "12 octav"}).json()
    assert [home["address"] for home in homes] == ["Flat 12, Octavo Tower, Scriptor Walk, London"]
    assert homes[0]["uprn"]
    assert officer.post("/premises/complete", {}).json() == []
    box = {"west": "595900", "south": "178900", "east": "596100", "north": "179100"}
    told = officer.post("/premises/ground", box).json()
    assert told["homes"]
    assert told["streets"]
    assert len(told["outline"][0]) > 4
    for wrong in ({"west": "nan"}, {"east": "595900"}, {"north": "x"}, {"east": "9e9"}):
        assert officer.post("/premises/ground", {**box, **wrong}).status_code == 400


def test_the_list_goes_on_to_the_map_with_its_search_and_in_another_order(officer: Visitor) -> None:
    officer.get("/markers")
    page = officer.post("/markers/map", {"words": "octavo", "state": "live"})
    assert page.status_code == 200
    assert 'value="octavo"' in page.text
    wide = {"west": "590000", "south": "170000", "east": "600000", "north": "190000"}
    told = officer.post("/markers/map/view", {**wide, "words": "octavo", "state": "live"}).json()
    assert told["here"] == len(told["markers"]) > 0
    assert all("octavo" in one["where"].casefold() for one in told["markers"])
    by_reference = officer.post("/markers", {"order": "reference", "state": "live"}).text
    references = re.findall(r'<td><a href="/markers/[^"]+">([^<]+)</a>', by_reference)
    assert references == sorted(references, key=str.casefold)
    assert "by reference" in by_reference


def test_the_control_room_learns_how_many_stand_where_and_no_more(signed_in: Callable[[str], Visitor]) -> None:
    supervisor = signed_in("control_room_supervisor")
    page = supervisor.get("/markers/map").text
    assert "half-kilometre square" in page
    assert "As a list" not in page
    told = supervisor.post("/markers/map/figures", {}).json()
    assert set(told) == {"clusters"}
    assert all(one["count"] is None or one["count"] >= 5 for one in told["clusters"])
    assert all(one["east"] % 500 == 250 for one in told["clusters"])
    box = {"west": "590000", "south": "170000", "east": "600000", "north": "190000"}
    assert supervisor.post("/markers/map/view", box).status_code == 403


def test_the_control_room_sees_late_reviews_that_went_on_in_figures_alone(
    signed_in: Callable[[str], Visitor], console: Console
) -> None:
    reference, today = f"LATE-{secrets.token_hex(4)}", datetime.now(UTC).date()
    with running(Settings.read(console.environment())) as services:
        late = [
            replace(
                NUMBER,
                marker_id=secrets.token_hex(16),
                reference=f"{reference}-{to}-{number}",
                place=Place(phone=f"+4477009{secrets.randbelow(100_000):05}"),
                starts_on=today - timedelta(days=100),
                review_on=day,
                ends_on=today + timedelta(days=100),
            )
            for (day, to), count in zip(services.desk.late_since(today), (6, 2), strict=True)
            for number in range(count)
        ]
        import_markers(services, _LOADER, plan_import(services, late), services.now())
    supervisor = signed_in("control_room_supervisor")
    until(supervisor, "/control-room", r"<b>(\d+|\d+,\d+) with Head of public protection</b>")
    page = supervisor.get("/control-room").text
    assert re.search(r"<b>[Ff]ewer than five with Public protection supervisor</b>", page)
    assert "Public protection’s desk has which they are" in page
    assert "/markers?state=due" not in page
    assert reference not in page


def test_another_list_is_compared_and_nothing_of_it_is_kept(officer: Visitor, console: Console) -> None:
    page = officer.get("/markers/reconcile").text
    assert "Nothing of it is kept" in page
    content = b'reference,address,postcode\nMET-1,"Flat 3, 14 Tallow Yard",EC9A 1AB\nMET-2,8 Foolscap Lane,EC9A 1AP\n'
    sent = {"csrf_token": (None, officer.form_token), "category": (None, "child_protection_plan")}
    reply = officer.session.post(
        f"{officer.base}/markers/reconcile", files={**sent, "list": ("met.csv", content)}, timeout=TIMEOUT_S
    )
    assert reply.status_code == 200, reply.text
    assert "<b>1</b> on both" in reply.text
    assert "MET-2" in reply.text
    for name, bad, said in (("x.pdf", b"%PDF-1", "this is a PDF"), ("", b"", "No list was chosen")):
        files = {**sent, **({"list": (name, bad)} if name else {})}
        refused = officer.session.post(f"{officer.base}/markers/reconcile", files=files, timeout=TIMEOUT_S)
        assert refused.status_code == 422
        assert said in refused.text
    big = officer.session.post(
        f"{officer.base}/markers/reconcile", files={**sent, "list": ("big.csv", b"x" * 34_000_000)}, timeout=60
    )
    assert big.status_code == 413
    assert not any(b"MET-2" in path.read_bytes() for path in console.data.rglob("*") if path.is_file())


def test_a_list_is_taken_out_by_permission(officer: Visitor, supervisor: Visitor) -> None:
    officer.get("/markers")
    assert officer.post("/markers/export", {"form": "csv"}).status_code == 403
    supervisor.get("/markers")
    reply = supervisor.post("/markers/export", {"form": "csv", "state": "live", "words": "octavo"})
    assert reply.status_code == 200
    assert reply.headers["Content-Disposition"].startswith("attachment; filename=OFFICIAL-SENSITIVE-markers-")
    assert reply.headers["Cache-Control"] == "no-store"
    rows = reply.content.decode("utf-8-sig").splitlines()
    assert rows[0].startswith("handling,reference,category,")
    assert all(row.startswith("OFFICIAL-SENSITIVE,") for row in rows[1:] if row[:1] != " ")
    assert supervisor.post("/markers/export", {"form": "pdf"}).status_code == 404
    book = supervisor.post("/markers/export", {"form": "xlsx", "state": "live"})
    assert book.content.startswith(b"PK")


def sent_list(visitor: Visitor, rows: str, complete_of: str = "") -> str:
    """A list's page once it was read."""
    visitor.get("/lists")
    files = {
        "csrf_token": (None, visitor.form_token),
        "complete_of": (None, complete_of),
        "list": ("ppu list.csv", f"reference,category,address,subject\n{rows}".encode()),
    }
    reply = visitor.session.post(f"{visitor.base}/lists", files=files, allow_redirects=False, timeout=TIMEOUT_S)
    assert reply.status_code == 303, reply.text
    path = str(reply.headers["Location"])
    until_list(visitor, path, "Waits for a second person")
    return path


def until_list(visitor: Visitor, path: str, words: str) -> None:
    until(visitor, path, f"<b>{re.escape(words)}</b>")


def until(visitor: Visitor, path: str, pattern: str) -> None:
    for _ in range(150):
        if re.search(pattern, visitor.get(path).text):
            return
        time.sleep(0.1)
    raise AssertionError(visitor.get(path).text)


def test_a_list_is_sent_in_looked_at_and_approved_in_part(
    officer: Visitor, supervisor: Visitor, handler: Visitor
) -> None:
    name = secrets.token_hex(4)
    home, other = (f"Flat {n}, {int(name, 16) % 900 + 1} Zq{name} Row" for n in (1, 2))
    marked = ((1, "domestic_abuse_risk", home), (2, "domestic_abuse_risk", other), (3, "no kind", "x"))
    rows = "".join(f'L-{name}-{number},{kind},"{where}",victim\n' for number, kind, where in marked)
    path = sent_list(officer, rows)
    page = officer.get(path).text
    assert "You sent this in" in page
    assert "Approve what is chosen" not in page
    assert "line 4, category" in page
    assert officer.post(f"{path}/approve", {"parts": "new"}).status_code == 403
    page = supervisor.get(path).text
    assert f"L-{name}-2" in page
    refused = supervisor.post(f"{path}/approve", {"why": "as typed"})
    assert refused.status_code == 422
    assert "Choose what of it is to be done" in refused.text
    assert "as typed" in refused.text
    left = re.search(
        rf'name="leave_out" value="([^"]+)"[^>]*> leave out<span class="govuk-visually-hidden"> L-{name}-2', page
    )
    assert left
    assert f"L-{name}-1" not in check(handler, home)
    assert supervisor.post(f"{path}/approve", {"parts": "new", "leave_out": left[1]}).status_code == 303
    until_list(supervisor, path, "Done")
    assert f"L-{name}-1" in check(handler, home)
    assert f"L-{name}-1" in supervisor.post("/markers", {"words": f"L-{name}-1", "state": "all"}).text
    assert "No markers" in supervisor.post("/markers", {"words": f"L-{name}-2", "state": "all"}).text
    progress = supervisor.get(path, headers={"HX-Request": "true"}).text
    assert progress.lstrip().startswith('<div id="list-progress"')
    again = sent_list(officer, rows)
    assert officer.post(f"{again}/turn-down", {"why": ""}).status_code == 303
    assert "Turned down" in officer.get(again).text


def test_a_row_is_found_by_its_reference_and_what_is_ticked_stays_ticked(officer: Visitor, supervisor: Visitor) -> None:
    name = secrets.token_hex(4)
    rows = "".join(f'P-{name}-{n:03},domestic_abuse_risk,"{n} Zq{name} Row",victim\n' for n in range(1, 131))
    path = sent_list(officer, rows)
    page = supervisor.get(path).text
    assert "Rows 1 to 100 of 130" in page
    assert f"P-{name}-130" not in page
    first, second = (re.findall(rf'value="(\w+-[\w-]+ P-{name}-{n})"', page)[0] for n in ("001", "002"))
    state = {"parts": "new", "leave_out": first, "page_new": "1", "why": "as typed"}
    page = supervisor.post(f"{path}/rows", {**state, "go": "new:2"}).text
    assert "Rows 101 to 130 of 130" in page
    assert f"P-{name}-130" in page
    assert "as typed" in page
    assert re.search(rf'name="leave_out" value="{first}" checked', page), "it is left out on another page"
    assert second not in page
    found = supervisor.post(f"{path}/rows", {**state, "page_new": "2", "go": "find", "find": f"p-{name}-002"}).text
    assert re.findall(r'name="leave_out" value="([^"]+)"( checked)?', found) == [(first, " checked"), (second, "")]
    nothing = supervisor.post(f"{path}/rows", {"go": "find", "find": "<nothing>"}).text
    assert "&lt;nothing&gt; in its reference" in nothing
    assert "Rows 1 to 100" in supervisor.post(f"{path}/rows", {"go": "all", "find": "x", "page_new": "no"}).text
    sent = {"parts": "new", "leave_out": [first, second], "page_new": "2"}
    assert supervisor.post(f"{path}/approve", sent).status_code == 303
    until_list(supervisor, path, "Done")
    found = supervisor.post("/markers", {"words": f"P-{name}", "state": "all", "order": "reference"}).text
    assert f"P-{name}-003" in found
    assert f"P-{name}-001" not in found
    assert f"P-{name}-002" not in found
    assert officer.post(f"{path}/rows", {"go": "new:2"}).status_code == 200, "a list that is done has no rows any more"


def test_an_ending_that_a_list_proposes_asks_its_approver_who_was_told(
    officer: Visitor, supervisor: Visitor, handler: Visitor
) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    path = sent_list(officer, "", complete_of="domestic_abuse_risk")
    found = supervisor.post(f"{path}/rows", {"go": "find", "find": form["reference"]}).text
    assert f"{form['reference']}</a>" in found
    page = supervisor.get(path).text
    others = [told for told in re.findall(r'name="leave_out" value="([^"]+)"', page) if form["reference"] not in told]
    pages = int((re.findall(r'value="missing:(\d+)">Last', page) or ["1"])[0])
    for number in range(2, pages + 1):
        page = supervisor.post(f"{path}/rows", {"go": f"missing:{number}"}).text
        told = re.findall(r'name="leave_out" value="([^"]+)"', page)
        others += [one for one in told if form["reference"] not in one]
    assert supervisor.post(f"{path}/approve", {"parts": "missing", "leave_out": others}).status_code == 303
    until_list(supervisor, path, "Done")
    proposal = re.findall(r'href="(/proposals/[^"]+)"', supervisor.get(marker).text)[0]
    page = supervisor.get(proposal).text
    assert "Was the subject told?" in page
    assert "Its owner&#39;s list does not have it any more" in page
    refused = supervisor.post(f"{proposal}/approve", {"why": "rang them", "told": ""})
    assert refused.status_code == 422
    assert 'href="#told"' in refused.text
    assert "rang them" in refused.text
    assert supervisor.post(f"{proposal}/approve", {"told": "letter"}).status_code == 303
    assert "Told by letter" in supervisor.get(marker).text
    assert form["reference"] not in check(handler, form["address"])


def test_the_room_says_from_an_incident_what_moved_and_the_amendment_is_filled_in(
    officer: Visitor, supervisor: Visitor, handler: Visitor
) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    handler.get("/")
    opened = handler.post(
        "/incidents",
        {"incident": f"CAD-{secrets.token_hex(4)}", "location": form["address"], "incident_type": "", "caller": ""},
    )
    incident = str(opened.headers["Location"])
    page = handler.get(incident).text
    fields = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("number", "incident", "mark")}
    assert fields["incident"] == incident.rpartition("/")[2]
    handler.post(f"{incident}/place", {"act": "again"})
    again = re.findall(r'name="mark" value="([^"]*)"', handler.get(incident).text)[0]
    assert again != fields["mark"], "what says a marker at one check says nothing of it at another"
    fields["mark"] = again
    wrong = handler.post("/feedback", {**fields, "mark": "0" * 32, "kind": "moved"})
    assert wrong.status_code == 422
    assert "changed since the page was shown" in wrong.text
    told = handler.post("/feedback", {**fields, "kind": "moved", "word": "3 Inkhorn Court"})
    assert told.status_code == 200, told.text
    assert "Told its owner: moved away." in told.text
    page = officer.get(marker).text
    assert "Found by checks" in page
    assert "as this home" in page
    link = re.search(rf'href="({re.escape(marker)}/amend\?feedback=[^"]+)"', page)
    assert link
    amend = officer.get(link[1]).text
    assert 'value="3 Inkhorn Court, London"' in amend
    assert 'value="EC9A 1AD"' in amend
    assert re.search(r"<textarea[^>]*name=\"why\"[^>]*>[^<]*Casey Underhill[^<]*moved away\. 3 Inkhorn Court", amend)
    assert officer.get(f"{marker}/amend?feedback={'0' * 32}").status_code == 404


def test_a_search_is_kept_as_a_view_of_ones_own_without_its_words(officer: Visitor, supervisor: Visitor) -> None:
    officer.get("/markers")
    title = f"Late {secrets.token_hex(3)}"
    asked = {
        "title": title,
        "words": "tallow",
        "category": "court_order",
        "state": "due",
        "owner": "PPU",
        "order": "owner",
    }
    kept = officer.post("/markers/views", asked)
    assert kept.status_code == 200
    assert 'value="tallow"' in kept.text, "the search goes on with its words"
    page = officer.get("/markers").text
    part = page[page.index(title) - 900 : page.index(title)]
    assert all(f'value="{text}"' in part for text in ("court_order", "due", "PPU", "owner"))
    assert "tallow" not in page
    assert title not in supervisor.get("/markers").text
    view = re.search(r'action="(/markers/views/[^"/]+/remove)"', page[page.index(title) :])
    assert view
    assert supervisor.post(view[1], {}).status_code == 404
    for wrong in ("", "x" * 61):
        refused = officer.post("/markers/views", {**asked, "title": wrong})
        assert refused.status_code == 422
        assert "a title of up to 60 characters" in refused.text
    assert officer.post("/markers/views", {**asked, "title": title.upper(), "category": ""}).status_code == 200
    assert officer.get("/markers").text.casefold().count(title.casefold()) == 1
    assert officer.post(view[1], {}).status_code == 303
    assert title.upper() not in officer.get("/markers").text


def test_an_incident_shows_what_was_marked_then_and_what_is_now(
    officer: Visitor, supervisor: Visitor, handler: Visitor
) -> None:
    form = fresh()
    marker = approved(supervisor, proposed(officer, form))
    handler.get("/")
    sent = {"incident": f"CAD-{secrets.token_hex(4)}", "location": form["address"], "incident_type": "", "caller": ""}
    incident = str(handler.post("/incidents", sent).headers["Location"])
    assert "What was marked at the last check" not in handler.get(incident).text
    version = re.search(r'name="version" value="(\d+)"', officer.get(f"{marker}").text)
    assert version
    ending = officer.post(f"{marker}/end", {"version": version[1], "reason": "moved", "told": "told", "why": ""})
    assert ending.status_code == 303, ending.text
    approved(supervisor, str(ending.headers["Location"]))
    for _ in range(100):  # the attendant matches it again by itself
        page = handler.get(incident).text
        if "was Domestic abuse risk, at this home, now nothing" in page:
            break
        time.sleep(0.1)
    assert "was Domestic abuse risk, at this home, now nothing" in page


def test_a_form_is_shown_as_each_role_would_see_its_marker(officer: Visitor, handler: Visitor) -> None:
    officer.get("/markers/new?category=registered_sex_offender")
    form = {**fresh(), "category": "registered_sex_offender", "subject": "convicted", "fact": "", "opinion": ""}
    told = officer.post("/markers/preview", form).text
    row = re.search(r"<th scope=\"row\">Call handler</th>(.*?)</tr>", told, re.DOTALL)
    assert row
    assert "High risk home" not in row[1]
    assert "Ask who is there." in row[1] or "dispatcher" in row[1]
    assert "High risk home" in told
    lacking = officer.post("/markers/preview", {"category": "registered_sex_offender"}).text
    assert "still to be filled in" in lacking
    handler.get("/")
    assert handler.post("/markers/preview", form).status_code == 403
