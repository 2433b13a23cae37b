"""Incidents over HTTP: opened from a check, answered by form, never overwritten in silence, nothing lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
import requests

from tests.web.conftest import Visitor

SignedIn = Callable[[str], Visitor]
_numbers = itertools.count(1)
HOME = "Flat 12, Octavo Tower"
OFFENDER = "Penthouse 1, Quarto Tower"


def opened(visitor: Visitor, location: str = HOME, **more: str) -> str:
    """A new incident's path."""
    visitor.get("/")
    form = {"incident": f"CAD-W{next(_numbers)}", "location": location, "incident_type": "", "caller": "", **more}
    reply = visitor.post("/incidents", form)
    assert reply.status_code == 303, reply.text
    return reply.headers["Location"]


def run_of(page: str, title: str) -> str:
    found = re.search(rf'id="run-([0-9a-f]+)"[^>]*><span class="run__title">{re.escape(title)}', page)
    assert found, title
    return found[1]


def point_of(page: str, point: str) -> str:
    found = re.search(rf'<li class="point[^>]*id="(p-[0-9a-f]+-{point}[^"]*)".*?</li>', page, re.DOTALL)
    assert found, point
    return found[0]


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, name
    return found[1]


def answer(visitor: Visitor, path: str, point: str, **given: str) -> requests.Response:
    """Answer a point with the hidden fields its form holds now."""
    part = point_of(visitor.get(path).text, point)
    fields = {name: hidden(part, name) for name in ("part", "run_id", "point", "seen")}
    return visitor.post(f"{path}/answers", {**fields, **given})


@pytest.fixture
def handler(signed_in: SignedIn) -> Visitor:
    return signed_in("call_handler")


def test_the_result_of_a_check_offers_to_open_an_incident_of_it(handler: Visitor) -> None:
    handler.get("/")
    page = handler.post(
        "/check", {"location": HOME, "incident": "CAD-9", "incident_type": "domestic", "caller": ""}
    ).text
    assert 'action="/incidents"' in page
    assert 'name="incident" value="CAD-9"' in page


def test_an_incident_shows_its_check_and_what_to_ask(handler: Visitor) -> None:
    page = handler.get(opened(handler, incident_type="domestic")).text
    for words in ("MARKER AT THIS HOME", "Domestic abuse risk", "Twenty point domestic abuse plan", "THRIVE"):
        assert words in page
    assert "<title>Incident" in page
    assert HOME not in page.partition("</title>")[0]


def test_a_reference_that_is_open_already_leads_to_its_incident(handler: Visitor) -> None:
    path = opened(handler, incident="CAD-TWICE")
    again = handler.post("/incidents", {"incident": "cad-twice", "location": HOME, "incident_type": "", "caller": ""})
    assert again.headers["Location"] == path


def test_a_reference_that_is_open_elsewhere_is_said_and_what_was_typed_is_checked(handler: Visitor) -> None:
    opened(handler, incident="CAD-ELSEWHERE")
    other = {"incident": "CAD-ELSEWHERE", "location": "8 Foolscap Lane, EC9A 1AP", "incident_type": "", "caller": ""}
    reply = handler.post("/incidents", other)
    assert "at another place" in reply.text
    assert "8 Foolscap Lane" in reply.text


@pytest.mark.parametrize(
    ("field", "sent", "said"),
    [
        ("incident", "CAD 1/2", "CAD reference"),
        ("incident", "", "CAD reference"),
        ("location", "", "No check was made"),
        ("call", "shouting", "A call is"),
    ],
)
def test_what_can_t_be_opened_is_said_and_what_was_typed_stays(
    handler: Visitor, field: str, sent: str, said: str
) -> None:
    form = {"incident": "CAD-ODD", "location": "8 Foolscap Lane", "incident_type": "", "caller": "", field: sent}
    reply = handler.post("/incidents", form)
    assert said in reply.text
    if field != "location":
        assert "8 Foolscap Lane" in reply.text


def test_an_answer_is_kept_and_shown_in_words(handler: Visitor) -> None:
    path = opened(handler, incident_type="domestic")
    assert answer(handler, path, "safe_to_talk", value="silent").status_code == 303
    part = point_of(handler.get(path).text, "safe_to_talk")
    assert "point--done" in part
    assert "Silent" in part


@pytest.mark.parametrize(
    ("point", "given", "said"),
    [
        ("safe_to_talk", {"value": "shouts"}, "Choose one of"),
        ("safe_to_talk", {}, "Give an answer, or say why there is none"),
        ("safe_to_talk", {"non_answer": "not_asked"}, "needs a reason"),
        ("children_and_dependants", {"value.children": "-1"}, "whole number"),
        ("exact_premises", {"value": "not_confirmed"}, "Add a note"),
    ],
)
def test_an_answer_that_can_t_be_taken_is_refused_in_words_and_what_was_typed_stays(
    handler: Visitor, point: str, given: dict[str, str], said: str
) -> None:
    path = opened(handler, incident_type="domestic")
    reply = answer(
        handler, path, point, note="Typed so far" if "note" not in said and "reason" not in said else "", **given
    )
    assert reply.status_code == 422
    part = point_of(reply.text, point)
    assert said in part
    if "note" not in said and "reason" not in said:
        assert "Typed so far" in part
    assert "point--open" in point_of(handler.get(path).text, point)


def test_an_answer_on_an_old_version_is_not_silently_overwritten(handler: Visitor, signed_in: SignedIn) -> None:
    path = opened(handler, incident_type="domestic")
    part = point_of(handler.get(path).text, "safe_to_talk")
    fields = {name: hidden(part, name) for name in ("part", "run_id", "point", "seen")}
    assert answer(signed_in("dispatcher"), path, "safe_to_talk", value="silent").status_code == 303
    mine = handler.post(f"{path}/answers", {**fields, "value": "speaks_freely"})
    assert mine.status_code == 409
    shown = point_of(mine.text, "safe_to_talk")
    assert "has answered this since you opened it" in shown
    assert "checked> Speaks freely" in shown
    assert "Silent" in point_of(handler.get(path).text, "safe_to_talk")
    seen = hidden(shown, "seen")
    again = handler.post(f"{path}/answers", {**fields, "seen": seen, "value": "speaks_freely"})
    assert again.status_code == 303
    assert "Before: Silent" in point_of(handler.get(path).text, "safe_to_talk")


def test_a_withheld_kind_shows_in_no_prompt_timeline_or_count(handler: Visitor, signed_in: SignedIn) -> None:
    path = opened(handler, OFFENDER)
    dispatcher, mine = signed_in("dispatcher").get(path).text, handler.get(path).text
    assert "Registered sex offender" in dispatcher
    assert "Pass only what is needed" in dispatcher
    for word in ("offender", "Pass only", "Who was present", "Units sent to a marked place"):
        assert word.casefold() not in mine.casefold()
    assert "detail withheld" in mine.casefold()
    board = handler.get("/board").text
    assert "offender" not in board.casefold()


def test_units_are_added_briefed_and_taken_off(signed_in: SignedIn) -> None:
    devon = signed_in("dispatcher")
    path = opened(devon)
    assert devon.post(f"{path}/units", {"call_sign": "c123"}).status_code == 303
    page = devon.get(path).text
    assert "Brief C123: not briefed yet." in page
    brief = hidden(page, "brief")
    for what in ("read_out", "read_back"):
        told = devon.post(f"{path}/handoffs", {"what": what, "call_sign": "C123", "brief": brief})
        assert told.status_code == 303
    assert "read back" in devon.get(path).text
    twice = devon.post(f"{path}/units", {"call_sign": "C123"})
    assert (twice.status_code, "C123 is on this incident already" in twice.text) == (422, True)
    devon.post(f"{path}/units", {"act": "leave", "call_sign": "C123"})
    late = devon.post(f"{path}/handoffs", {"what": "read_out", "call_sign": "C123", "brief": brief})
    assert "C123 has left this incident" in late.text


def test_a_brief_that_changed_since_it_was_shown_is_not_recorded_as_told(signed_in: SignedIn) -> None:
    devon = signed_in("dispatcher")
    path = opened(devon)
    devon.post(f"{path}/units", {"call_sign": "C200"})
    brief = hidden(devon.get(path).text, "brief")
    devon.post(f"{path}/place", {"act": "place", "location": "8 Foolscap Lane, EC9A 1AP"})
    late = devon.post(f"{path}/handoffs", {"what": "read_out", "call_sign": "C200", "brief": brief})
    assert (late.status_code, "Read the new one" in late.text) == (409, True)


def test_a_lower_grade_without_a_supervisor_is_refused_and_what_was_typed_stays(handler: Visitor) -> None:
    path = opened(handler)
    assert handler.post(f"{path}/grade", {"grade": "immediate", "reason": "Now"}).status_code == 303
    lower = handler.post(f"{path}/grade", {"grade": "extended", "reason": "He has left the place"})
    assert lower.status_code == 422
    assert "A lower grade needs the name of the supervisor" in lower.text
    assert 'value="He has left the place"' in lower.text


def test_closing_lists_what_is_open_takes_a_reason_and_takes_no_more_after(
    handler: Visitor, signed_in: SignedIn
) -> None:
    path = opened(handler, incident_type="domestic")
    devon = signed_in("dispatcher")
    assert "Safe to talk?" in re.search(r"mandatory points are open:</b>([^<]*)", devon.get(path).text)[1]  # type: ignore[index]
    assert devon.post(f"{path}/close", {"reason": ""}).status_code == 422
    assert devon.post(f"{path}/close", {"reason": "Units are clear"}).status_code == 303
    late = handler.post(f"{path}/grade", {"grade": "immediate", "reason": "Late"})
    assert (late.status_code, "is closed. Reopen it first." in late.text) == (409, True)
    page = handler.get(path).text
    assert "CLOSED" in page
    assert "left open: " in page
    assert path not in devon.get("/board").text


def test_a_script_is_given_the_parts_that_changed_and_a_form_is_sent_back(handler: Visitor) -> None:
    path = opened(handler)
    handler.get(path)
    reply = handler.post(f"{path}/notes", {"text": "Neighbour called too"}, headers={"HX-Request": "true"})
    assert reply.text.lstrip().startswith('<div id="work"')
    assert "Neighbour called too" in reply.text
    assert handler.post(f"{path}/notes", {"text": "x" * 3000}).status_code == 422


def test_the_supervisor_sees_what_is_raised_and_takes_it_by_name(handler: Visitor, signed_in: SignedIn) -> None:
    path = opened(handler, incident_type="domestic")
    answer(handler, path, "safe_to_talk", value="dropped")
    robin = signed_in("control_room_supervisor")
    page = robin.get("/control-room").text
    row = next(row for row in page.split("<tr>") if f'href="{path}"' in row)
    assert "Safe to talk?: <b>dropped</b>" in row
    taken = robin.post(f"{path}/raises", {"key": hidden(row, "key"), "back": "control-room"})
    assert taken.headers.get("Location") == "/control-room", re.findall(r'"wrong"[^<]*<?', taken.text)
    assert f'href="{path}"' not in robin.get("/control-room").text
    assert "Raise taken" in robin.get(path).text
    assert handler.post(f"{path}/raises", {"key": hidden(row, "key")}).status_code == 403


def test_an_incident_that_is_not_there_says_so(handler: Visitor) -> None:
    assert handler.get("/incidents/" + "0" * 32).status_code == 404
    assert handler.get("/incidents/..%2f").status_code == 404


def test_the_board_says_when_nothing_was_found_and_what_could_not_be_checked(
    handler: Visitor, signed_in: SignedIn
) -> None:
    clear = opened(handler, "8 Foolscap Lane, EC9A 1AP")
    vague = opened(handler, "Blotter Street, EC9A 1AR")
    board = signed_in("dispatcher").get("/board").text
    rows = {path: part for part in board.split("<li ") for path in (clear, vague) if f'href="{path}"' in part}
    assert re.search(r"no marker at \d\d:\d\d:\d\d", rows[clear])
    assert "could not be checked" in rows[vague]
    assert "no marker" not in rows[vague]


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "²"])
def test_the_board_takes_any_page_number(signed_in: SignedIn, page: str) -> None:
    assert signed_in("dispatcher").get(f"/board?page={page}").status_code == 200


def test_another_place_is_added_checked_again_and_removed(handler: Visitor) -> None:
    path = opened(handler, "8 Foolscap Lane, EC9A 1AP")
    page = handler.get(path).text
    assert "Another place concerns it too" in page
    reply = handler.post(f"{path}/place", {"act": "also", "location": HOME, "label": "Suspect's home"})
    assert reply.status_code == 303
    page = handler.get(path).text
    assert "Also <b>Suspect&#39;s home, Flat 12, Octavo Tower" in page
    assert "MARKER AT THIS HOME" in page
    assert "NO MARKER FOR THIS HOME" in page
    assert "Twenty point domestic abuse plan" in page
    board = handler.get("/board").text
    row = re.search(rf'<li class="row[^>]*id="row-{path.rpartition("/")[2]}".*?</li>', board, re.DOTALL)
    assert row
    assert "8 Foolscap Lane, EC9A 1AP · also Suspect&#39;s home, Flat 12, Octavo Tower" in row[0]
    assert "Domestic abuse risk, at another place (Suspect&#39;s home)" in row[0]
    assert "at this home" not in row[0], "what is marked at another place is never said of this one"
    place = hidden(page.split('id="also"')[1], "place_id")
    assert handler.post(f"{path}/place", {"act": "again", "place_id": place}).status_code == 303
    reply = handler.post(f"{path}/place", {"act": "also", "location": HOME, "label": "Typed words"})
    assert reply.status_code == 422
    assert "has that place already" in reply.text
    assert 'value="Typed words"' in reply.text
    assert handler.post(f"{path}/place", {"act": "remove", "place_id": place}).status_code == 303
    page = handler.get(path).text
    assert "Also <b>" not in page
    assert "An added place concerns it no more" in page
    assert handler.post(f"{path}/place", {"act": "again", "place_id": place}).status_code == 422
    assert handler.post(f"{path}/place", {"act": "remove", "place_id": "../x"}).status_code == 422
