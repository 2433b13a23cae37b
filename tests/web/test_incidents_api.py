"""The room for another program: opened, worked and closed over HTTP, each refusal with its field."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S

_numbers = itertools.count(1)
HOME = {"address": "Flat 12, Octavo Tower"}
Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(console: Console, bearer: Callable[[str], dict[str, str]]) -> Ask:
    """`ask(path, body, role)`: a POST with a body, a GET without."""

    def send(path: str, body: dict[str, Any] | None = None, role: str = "service") -> requests.Response:
        return requests.request(
            "GET" if body is None else "POST",
            f"{console.url}/api/v1{path}",
            json=body,
            headers=bearer(role),
            timeout=TIMEOUT_S,
        )

    return send


def opened(ask: Ask, **more: Any) -> dict[str, Any]:
    body = {"reference": f"CAD-A{next(_numbers)}", "type": "domestic", "location": HOME, **more}
    reply = ask("/incidents", body)
    assert reply.status_code == 201, reply.text
    told: dict[str, Any] = reply.json()
    return told


def run_of(told: dict[str, Any], checklist: str) -> dict[str, Any]:
    return next(run for run in told["runs"] if run["checklist"] == checklist)


def point_of(told: dict[str, Any], point: str, unit: str | None = None) -> dict[str, Any]:
    return next(p for run in told["runs"] for p in run["points"] if (p["point"], p["unit"]) == (point, unit))


def test_a_bridge_works_an_incident_from_its_opening_to_its_close(ask: Ask) -> None:
    told = opened(ask, call="dropped", caller_number="07700 900123")
    at = f"/incidents/{told['incident']['incident_id']}"
    assert (told["check"]["status"], told["call"]) == ("hit", "dropped")
    run = run_of(told, "domestic_abuse_20")["run_id"]
    told = ask(f"{at}/answers", {"run_id": run, "point": "safe_to_talk", "value": "dropped"}).json()
    answer = point_of(told, "safe_to_talk")["answer"]
    assert (answer["value"], answer["non_answer"]) == ("dropped", None)
    assert any(matter["code"] == "dropped" for matter in told["raises"])
    told = ask(f"{at}/units", {"call_sign": "C123"}).json()
    assert told["units"][0]["brief"] == "not briefed yet"
    brief = ask(f"{at}/brief").json()
    assert any("Domestic abuse marker" in line for line in brief["say"])
    for what in ("read_out", "read_back"):
        body = {"what": what, "call_signs": ["C123"], "brief": brief["fingerprint"]}
        told = ask(f"{at}/handoffs", body).json()
    assert told["units"][0]["brief"] is None
    assert point_of(told, "brief_units", "C123")["state"] == "done"
    assert (
        ask(f"{at}/grade", {"grade": "immediate", "reason": "Dropped call"}).json()["incident"]["grade"] == "immediate"
    )
    told = ask(f"{at}/changes", {"location": {"address": "8 Foolscap Lane, EC9A 1AP"}}).json()
    assert told["check"]["status"] == "clear"
    assert told["units"][0]["brief"] is not None
    listed = ask("/incidents").json()["incidents"]
    assert told["incident"]["incident_id"] in [incident["incident_id"] for incident in listed]
    closed = ask(f"{at}/close", {"reason": "Units are clear"}).json()
    assert closed["incident"]["closed_at"] is not None
    late = ask(f"{at}/units", {"call_sign": "C124"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:overlay:problem:room")
    found = ask(f"/incidents?reference={told['incident']['reference'].lower()}").json()["incidents"]
    assert [incident["incident_id"] for incident in found] == [told["incident"]["incident_id"]]


def test_an_answer_that_came_first_is_not_overwritten(ask: Ask) -> None:
    told = opened(ask)
    at, run = f"/incidents/{told['incident']['incident_id']}", run_of(told, "domestic_abuse_20")["run_id"]
    first = ask(f"{at}/answers", {"run_id": run, "point": "safe_to_talk", "value": "silent"}).json()
    second = ask(f"{at}/answers", {"run_id": run, "point": "safe_to_talk", "value": "dropped"})
    assert (second.status_code, second.json()["type"]) == (409, "urn:overlay:problem:answer-moved")
    seen = point_of(first, "safe_to_talk")["answer"]["answer_id"]
    body = {"run_id": run, "point": "safe_to_talk", "value": "dropped", "seen": seen}
    assert [old["value"] for old in point_of(ask(f"{at}/answers", body).json(), "safe_to_talk")["earlier"]] == [
        "silent"
    ]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("answers", {"run_id": "RUN", "point": "safe_to_talk", "value": 7}, "value"),
        ("answers", {"run_id": "RUN", "point": "made_up", "value": True}, "point"),
        ("answers", {"run_id": "0", "point": "safe_to_talk", "value": True}, "run_id"),
        ("answers", {"run_id": "RUN", "point": "brief_units", "value": None}, "unit"),
        ("answers", {"run_id": "RUN", "point": "brief_units", "unit": "C9", "value": None}, "unit"),
        ("answers", {"run_id": "RUN", "point": "safe_to_talk", "unit": "C9", "value": "silent"}, "unit"),
        ("units", {"call_sign": "c 1/2"}, "call_sign"),
        ("units", {"call_sign": "C9", "act": "left"}, "call_sign"),
        ("units", {"call_sign": "C9", "act": "state", "state": "dancing"}, "state"),
        ("handoffs", {"what": "read_out", "call_signs": ["C9"], "brief": "0" * 16}, "call_signs"),
        ("grade", {"grade": "urgent", "reason": "Because"}, "grade"),
        ("changes", {}, "body"),
        ("changes", {"note": "a", "type": "domestic"}, "body"),
        ("changes", {"caller_number": "07700 900123"}, "body"),
        ("changes", {"type": "made_up"}, "type"),
        ("changes", {"linked_reference": "a b"}, "reference"),
        ("close", {"reason": ""}, "reason"),
    ],
)
def test_a_refusal_names_the_field_and_nothing_is_half_saved(
    ask: Ask, path: str, body: dict[str, Any], field: str
) -> None:
    told = opened(ask)
    at = f"/incidents/{told['incident']['incident_id']}"
    if "run_id" in body:
        body = {**body, "run_id": body["run_id"].replace("RUN", run_of(told, "domestic_abuse_20")["run_id"])}
    reply = ask(f"{at}/{path}", body)
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["field"].startswith(field.removesuffix("s")), reply.text
    assert ask(at).json()["incident"]["version"] == told["incident"]["version"]


@pytest.mark.parametrize("reference", ["", "CAD 1", "CAD/1", "<i>1</i>", "C" * 65, "x" * 10_000, "CAD-\x00"])
def test_an_odd_reference_opens_nothing(ask: Ask, reference: str) -> None:
    reply = ask("/incidents", {"reference": reference, "location": HOME})
    assert reply.status_code == 422
    assert "reference" in reply.json()["errors"][0]["field"]


def test_a_reference_is_opened_once(ask: Ask) -> None:
    told = opened(ask)
    again = ask("/incidents", {"reference": told["incident"]["reference"].lower(), "location": HOME})
    assert again.status_code == 409


def test_a_withheld_kind_is_in_no_checklist_point_or_raise_of_a_call_handler(ask: Ask) -> None:
    told = opened(ask, location={"address": "Penthouse 1, Quarto Tower"}, type=None)
    at = f"/incidents/{told['incident']['incident_id']}"
    assert "marker_registered_sex_offender" in ask(at, role="dispatcher").text
    mine = ask(at, role="call_handler")
    assert "offender" not in mine.text.casefold()
    assert ask(f"{at}/brief", role="call_handler").status_code == 403


def test_the_checklists_are_listed(ask: Ask) -> None:
    listed = {one["checklist"]: one for one in ask("/checklists").json()["checklists"]}
    assert listed["thrive"]["status"] == "draft"


def test_a_place_is_added_and_removed(ask: Ask) -> None:
    told = opened(ask, location={"address": "8 Foolscap Lane, EC9A 1AP"}, type=None)
    at = f"/incidents/{told['incident']['incident_id']}/changes"
    place = {"location": {"address": "Flat 12, Octavo Tower"}, "label": "Suspect's home"}
    told = ask(at, {"added_place": place}).json()
    (also,) = told["also"]
    assert told["check"]["status"] == "clear"
    assert (also["label"], also["check"]["status"], also["changed"]) == ("Suspect's home", "hit", False)
    assert any(run["checklist"] == "domestic_abuse_20" for run in told["runs"])
    twice = ask(at, {"added_place": place})
    assert twice.status_code == 422
    assert "has that place already" in twice.text
    assert ask(at, {"added_place": place, "note": "and this"}).status_code == 422
    told = ask(at, {"removed_place": also["place_id"]}).json()
    assert told["also"] == []
    assert ask(at, {"removed_place": also["place_id"]}).status_code == 422
