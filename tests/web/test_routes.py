"""Every route has a guard, and every guard holds: role by role, credential by credential, record by record.

The authorisation matrix is generated from the route map, the table of roles and the rows below; a route without a row
fails the first test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle

import pytest
import requests
from flask import Flask

from markers.exchange import marker_id
from markers.ledger import Via
from markers.lifecycle import LifecycleRefused, Step
from markers.location import RawLocation
from markers.model import Place
from overlay import glass, identity
from overlay.app import create_app
from overlay.lookup import Asked, check
from overlay.roles import ROLES, Actor, Roles
from overlay.room import closing, opening
from overlay.security import Guard, guard_of
from overlay.services import Services
from overlay.settings import SHIPPED_CONFIG, Settings
from overlay.upkeep import feedback, list_plans, steps
from tests.conftest import Console
from tests.web.conftest import TIMEOUT_S, Visitor

CHECK = {"location": {"address": "14 Nowhere At All"}}
LINE = requests.Session()  # one connection, no memory of cookies
NOWHERE = {"location": "14 Nowhere At All"}
BOX: dict[str, object] = {"west": 596_000, "south": 178_000, "east": 596_500, "north": 179_500}
REVIEW = {"finding": "made_up", "note": ""}


@dataclass(frozen=True)
class Route:
    """One row: the permission (None is public), what is sent, how it ends for whoever may, by the record's state."""

    permission: str | None
    send: dict[str, object] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=lambda: {"": 200})


FOUND = {"open": 200, "closed": 200, "absent": 404}
REFUSED = {"open": 422, "closed": 422, "absent": 404}
ANY_REFUSED = {"open": 422, "closed": 422, "absent": 422}  # before it is looked for
WHEN_OPEN = {"open": 422, "closed": 409, "absent": 404}
WHEN_OPEN_DONE = {"open": 200, "closed": 409, "absent": 404}

KNOWN = {"in_force": 200, "future": 200, "over": 200, "absent": 404}
UNSAID = {"in_force": 422, "future": 422, "over": 422, "absent": 404}

# The route map as it is meant to be.
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/"): Route("console.open"),
    ("GET", "/check"): Route("console.open", ends={"": 303}),
    ("POST", "/check"): Route("checks.make", NOWHERE),
    ("POST", "/break-glass"): Route("break_glass.open", NOWHERE),
    ("POST", "/break-glass/end"): Route("break_glass.open", NOWHERE),
    ("GET", "/broken-glass"): Route("break_glass.review"),
    ("POST", "/broken-glass/<glass_id>/end"): Route(
        "break_glass.review", ends={"ended": 409, "reviewed": 409, "absent": 404}
    ),
    ("POST", "/broken-glass/<glass_id>/review"): Route(
        "break_glass.review", REVIEW, {"open": 422, "ended": 422, "reviewed": 422, "absent": 404}
    ),
    ("GET", "/store-state"): Route("console.open"),
    ("GET", "/events"): Route("incidents.read"),
    ("GET", "/notices"): Route("break_glass.told"),
    ("GET", "/control-room"): Route("room.supervise"),
    ("GET", "/board"): Route("incidents.read"),
    ("POST", "/incidents"): Route("incidents.work", {"incident": "CAD 1", **NOWHERE}),
    ("GET", "/incidents/<incident_id>"): Route("incidents.read", ends=FOUND),
    ("POST", "/incidents/<incident_id>/answers"): Route("incidents.work", {"point": "?"}, REFUSED),
    ("POST", "/incidents/<incident_id>/units"): Route("incidents.dispatch", {"call_sign": "?"}, REFUSED),
    ("POST", "/incidents/<incident_id>/handoffs"): Route("incidents.dispatch", {"what": "?"}, REFUSED),
    ("POST", "/incidents/<incident_id>/grade"): Route("incidents.work", {"grade": "?"}, WHEN_OPEN),
    ("POST", "/incidents/<incident_id>/place"): Route("incidents.work", {"act": "call", "call": "?"}, REFUSED),
    ("POST", "/incidents/<incident_id>/notes"): Route("incidents.work", {"text": ""}, REFUSED),
    ("POST", "/incidents/<incident_id>/raises"): Route("raises.take", {"key": "?"}, REFUSED),
    ("POST", "/incidents/<incident_id>/close"): Route("incidents.close", {"reason": ""}, REFUSED),
    ("POST", "/premises/complete"): Route("checks.make", {"address": "14 tall"}),
    ("POST", "/premises/ground"): Route("checks.make", BOX),
    ("GET", "/disclosures"): Route("disclosures.read"),
    ("GET", "/desk"): Route("markers.read"),
    ("GET", "/markers"): Route("markers.read"),
    ("POST", "/markers"): Route("markers.read", {"words": "x"}),
    ("POST", "/markers/views"): Route("markers.read", {"title": ""}, {"": 422}),
    ("POST", "/markers/views/<view_id>/remove"): Route("markers.read", ends={"absent": 404}),
    ("GET", "/lists"): Route("markers.read"),
    ("POST", "/lists"): Route("markers.propose", {"complete_of": ""}, {"": 422}),
    ("GET", "/lists/<list_id>"): Route("markers.read", ends={"finished": 200, "absent": 404}),
    ("POST", "/lists/<list_id>/rows"): Route("markers.read", {"go": "new:2"}, {"finished": 200, "absent": 404}),
    ("POST", "/lists/<list_id>/approve"): Route("markers.import", ends={"finished": 422, "absent": 404}),
    ("POST", "/lists/<list_id>/turn-down"): Route("markers.propose", {"why": ""}, {"finished": 422, "absent": 404}),
    ("GET", "/markers/reconcile"): Route("markers.read"),
    ("POST", "/markers/reconcile"): Route("markers.read", {"category": "court_order"}, {"": 422}),
    ("POST", "/markers/export"): Route("markers.export", {"form": "csv", "words": "nothing so named"}),
    ("GET", "/markers/map"): Route("markers.count"),
    ("POST", "/markers/map"): Route("markers.read", {"words": "x"}),
    ("POST", "/markers/map/view"): Route("markers.read", BOX),
    ("POST", "/markers/map/figures"): Route("markers.count"),
    ("GET", "/markers/new"): Route("markers.propose"),
    ("POST", "/markers/new"): Route("markers.propose", {"category": "court_order"}, {"": 422}),
    ("POST", "/markers/preview"): Route("markers.propose", {"category": "court_order"}),
    ("GET", "/markers/provisional"): Route("markers.provisional"),
    ("POST", "/markers/provisional"): Route("markers.provisional", {"category": "court_order"}, {"": 422}),
    ("GET", "/markers/<marker_id>/amend"): Route("markers.propose", ends=KNOWN),
    ("POST", "/markers/<marker_id>/amend"): Route("markers.propose", {"address": ""}, UNSAID),
    ("POST", "/markers/<marker_id>/confirm"): Route("markers.confirm", {"evidence": ""}, UNSAID),
    ("POST", "/markers/<marker_id>/end"): Route("markers.propose", {"reason": ""}, UNSAID),
    ("POST", "/markers/<marker_id>/keep"): Route("markers.approve", ends=UNSAID),
    ("POST", "/markers/<marker_id>/dismiss"): Route("markers.approve", ends=UNSAID),
    ("POST", "/markers/<marker_id>/erase"): Route("markers.erase", {"sure": ""}, UNSAID),
    ("POST", "/feedback"): Route("feedback.give", {"kind": "moved", "check": "none", "number": "0"}, {"": 422}),
    ("POST", "/feedback/<feedback_id>/settle"): Route("markers.confirm", {"why": ""}, {"open": 303, "absent": 404}),
    ("GET", "/proposals/<proposal_id>"): Route("markers.read", ends={"open": 200, "decided": 200, "absent": 404}),
    ("POST", "/proposals/<proposal_id>/approve"): Route("markers.approve", ends={"decided": 422, "absent": 404}),
    ("POST", "/proposals/<proposal_id>/turn-down"): Route(
        "markers.propose", {"why": "no"}, {"decided": 422, "absent": 404}
    ),
    ("GET", "/markers/<marker_id>"): Route(
        "markers.read", ends={"in_force": 200, "future": 200, "over": 200, "absent": 404}
    ),
    ("GET", "/ledger"): Route("ledger.search"),
    ("POST", "/ledger"): Route("ledger.search", {"incident": "CAD-none"}),
    ("POST", "/ledger/export"): Route("ledger.export", {"incident": "CAD-none"}),
    ("GET", "/account"): Route("console.open"),
    ("POST", "/account/end-session"): Route("console.open", {"session": "0" * 64}, {"": 303}),
    ("POST", "/account/second-factor"): Route("console.open", {"password": ""}, {"": 422}),
    ("POST", "/account/recovery-codes"): Route("console.open", {"password": ""}, {"": 422}),
    ("POST", "/account/password"): Route("console.open", {"password": ""}, {"": 422}),
    ("GET", "/accounts"): Route("accounts.manage"),
    ("POST", "/accounts"): Route("accounts.manage", {"username": "?"}, {"": 422}),
    ("GET", "/accounts/<account_id>"): Route("accounts.manage", ends={"open": 200, "disabled": 200, "absent": 404}),
    ("POST", "/accounts/<account_id>/role"): Route("accounts.manage", {"role": "?"}, {"open": 422, "absent": 404}),
    ("POST", "/accounts/<account_id>/password"): Route(
        "accounts.manage", {"password": "short"}, {"open": 422, "disabled": 422, "absent": 404}
    ),
    ("POST", "/accounts/<account_id>/disable"): Route("accounts.manage", ends={"disabled": 200, "absent": 404}),
    ("POST", "/accounts/<account_id>/enable"): Route("accounts.manage", ends={"absent": 404}),
    ("POST", "/accounts/<account_id>/second-factor"): Route("accounts.manage", ends={"disabled": 200, "absent": 404}),
    ("POST", "/accounts/<account_id>/sessions"): Route("accounts.manage", ends={"disabled": 200, "absent": 404}),
    ("GET", "/tokens"): Route("tokens.manage"),
    ("POST", "/tokens"): Route("tokens.manage", {"role": "?"}, {"": 422}),
    ("POST", "/tokens/revoke"): Route("tokens.manage", {"token": "0" * 64}, {"": 409}),
    ("GET", "/sign-in"): Route(None),
    ("POST", "/sign-in"): Route(None),
    ("POST", "/sign-out"): Route(None),
    ("GET", "/sign-in/code"): Route(None),
    ("POST", "/sign-in/code"): Route(None),
    ("GET", "/sign-in/second-factor"): Route(None),
    ("POST", "/sign-in/second-factor"): Route(None),
    ("GET", "/sign-in/single-sign-on"): Route(None),
    ("GET", "/sign-in/single-sign-on/return"): Route(None),
    ("POST", "/active"): Route(None),
    ("POST", "/lock"): Route(None),
    ("GET", "/unlock"): Route(None),
    ("POST", "/unlock"): Route(None),
    ("GET", "/static/<path:filename>"): Route(None),
    ("GET", "/healthz"): Route(None),
    ("GET", "/readyz"): Route(None),
    ("POST", "/api/v1/checks"): Route("checks.make", CHECK),
    ("POST", "/api/v1/incidents"): Route("incidents.work", {"reference": "CAD 1"}, {"": 422}),
    ("GET", "/api/v1/incidents"): Route("incidents.read"),
    ("GET", "/api/v1/events"): Route("incidents.read"),
    ("GET", "/api/v1/incidents/<incident_id>"): Route("incidents.read", ends=FOUND),
    ("POST", "/api/v1/incidents/<incident_id>/changes"): Route("incidents.work", {"note": "Seen"}, WHEN_OPEN_DONE),
    ("POST", "/api/v1/incidents/<incident_id>/grade"): Route(
        "incidents.work", {"grade": "made_up", "reason": "Because"}, WHEN_OPEN
    ),
    ("POST", "/api/v1/incidents/<incident_id>/units"): Route("incidents.dispatch", {"call_sign": "?"}, ANY_REFUSED),
    ("POST", "/api/v1/incidents/<incident_id>/answers"): Route(
        "incidents.work", {"run_id": "0", "point": "made_up"}, WHEN_OPEN
    ),
    ("GET", "/api/v1/incidents/<incident_id>/brief"): Route("incidents.dispatch", ends=FOUND),
    ("POST", "/api/v1/incidents/<incident_id>/handoffs"): Route(
        "incidents.dispatch", {"what": "read_out", "call_signs": ["C123"], "brief": "0" * 16}, WHEN_OPEN
    ),
    ("POST", "/api/v1/incidents/<incident_id>/raises"): Route("raises.take", {"keys": ["made up"]}, REFUSED),
    ("POST", "/api/v1/incidents/<incident_id>/close"): Route("incidents.close", {"reason": ""}, ANY_REFUSED),
    ("GET", "/api/v1/checklists"): Route("incidents.read"),
    ("GET", "/api/v1/openapi.json"): Route("api.describe"),
    ("GET", "/metrics"): Route("metrics.read"),
}
GUARDED = [(method, path) for (method, path), route in ROUTES.items() if route.permission is not None]
PROGRAMS = ("/api", "/metrics")  # asked by bearer token
PAGES = [row for row in GUARDED if not row[1].startswith(PROGRAMS)]
INTERFACE = [row for row in GUARDED if row[1].startswith(PROGRAMS)]
TABLE = Roles.load(SHIPPED_CONFIG / "roles.toml")


def test_the_route_map_is_the_one_written_down_and_every_route_has_its_guard(app: Flask) -> None:
    found: dict[tuple[str, str], Guard | None] = {
        (method, rule.rule): guard_of(app, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {route: guard and guard.permission for route, guard in found.items()} == {
        row: route.permission for row, route in ROUTES.items()
    }
    for route, guard in found.items():
        assert guard is not None, route
        assert (guard.permission is None) == bool(guard.reason), route


def test_a_view_without_a_guard_answers_nobody(services: Services) -> None:
    app = create_app(services)
    app.add_url_rule("/open", "open", lambda: "unguarded words")
    app.add_url_rule("/api/v1/open", "api_open", lambda: "unguarded words")
    with app.test_client() as client:
        for path in ("/open", "/api/v1/open"):
            reply = client.get(path)
            assert reply.status_code == 500
            assert "unguarded words" not in reply.text


@pytest.fixture(scope="module")
def records(services: Services) -> dict[str, dict[str, str]]:
    """By the name in a route: the id of a record in each state."""
    now, store, access, book = services.now(), services.store, services.access, services.glass
    opener = _signed_in(services, "opener", "call_handler")
    actor = access.actor_for_session(opener, now)
    assert actor is not None
    ids = [
        glass.break_glass(store, access, book, actor, f"CAD-{n}", "For the tests of routes", now).glass_id
        for n in range(3)
    ]
    for over in ids[1:]:
        glass.end_glass(store, access, book, actor, over, now)
    by = access.actor_for_session(_signed_in(services, "reviewer", "ppu_supervisor"), now)
    assert by is not None
    glass.review_glass(store, access, book, by, ids[2], "justified", "", now)
    identity.create_account(store, access, "leaver", "A Leaver", "dispatcher", "three random words", now)
    identity.disable_account(store, access, "leaver", now)
    leaver = access.account("leaver")
    assert leaver is not None
    handler = Actor("os:test", "test", "control_room_supervisor", Via.CLI)
    worked = [
        opening.open_incident(
            services, handler, opening.Opening(f"CAD-R{n}", RawLocation(address="14 Nowhere At All")), now
        )[0].incident_id
        for n in range(2)
    ]
    closing.close(services, handler, worked[1], "For the tests of routes", now)
    wanted = replace(services.index.all()[0], version=0, ends_on=now.date() + timedelta(days=9), ending=None)
    proposed = [
        steps.propose(
            services,
            handler,
            Step.NEW,
            replace(
                wanted, marker_id=f"r{n}", reference=f"R-{n}", category="court_order",
                place=Place(address=f"{n} Nowhere At All"),
            ),
            "",
            now,
        ).proposal_id
        for n in range(2)
    ]  # fmt: skip
    steps.turn_down(services, handler, proposed[1], "", now)
    found = check(services, handler, Asked(RawLocation(address="Flat 3, 14 Tallow Yard, EC9A 1AB")), now)
    said = feedback.give(services, handler, found.check_id, 0, "moved", "", now)
    return {
        "feedback_id": {"open": said.feedback_id, "absent": "0" * 32},
        "view_id": {"absent": "0" * 32},
        "list_id": {"finished": _finished_list(services, now), "absent": "0" * 32},
        "proposal_id": {"open": proposed[0], "decided": proposed[1], "absent": "0" * 32},
        "incident_id": {"open": worked[0], "closed": worked[1], "absent": "0" * 32},
        "account_id": {"open": by.actor_id, "disabled": leaver.account_id, "absent": "0" * 32},
        "glass_id": {"open": ids[0], "ended": ids[1], "reviewed": ids[2], "absent": "0" * 32},
        "marker_id": {
            "in_force": marker_id("QM-0001"),
            "future": marker_id("QM-0041"),
            "over": marker_id("QM-0042"),
            "absent": marker_id("QM-9999"),
        },
    }


def _finished_list(services: Services, now: datetime) -> str:
    officer = Actor("list.officer", "L. Officer", "ppu_officer", Via.CLI)
    plan = list_plans.lay_down(services, officer, "l.csv", b"", "", now)
    with suppress(LifecycleRefused):  # the console's attendant may have refused it already
        list_plans.turn_down(services, officer, plan.list_id, "", now)
    return plan.list_id


def _signed_in(services: Services, username: str, role: str) -> str:
    password, now = "three random words", services.now()
    if services.access.account(username) is None:
        identity.create_account(services.store, services.access, username, username, role, password, now)
    return identity.sign_in(services.door, username, password, now).secret


def addresses(path: str, records: dict[str, dict[str, str]], ends: dict[str, int]) -> dict[str, str]:
    """The route's address for each state of its record."""
    for name, ids in records.items():
        if f"<{name}>" in path:
            return {state: path.replace(f"<{name}>", ids[state]) for state in ends}
    return {"": f"{path}?for_s=0" if path.endswith("/events") else path}  # a stream that ends at once


def send(
    console: Console, method: str, path: str, fields: dict[str, object] | None = None, **options: object
) -> requests.Response:
    if method == "POST":
        options["json" if path.startswith(PROGRAMS) else "data"] = fields
    cookies = options.pop("cookies", None)
    headers = {
        **options.pop("headers", {}),
        "Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items()),
    }
    try:
        return LINE.request(
            method, console.url + path, headers=headers, allow_redirects=False, timeout=TIMEOUT_S, **options
        )  # type: ignore[arg-type]
    finally:
        LINE.cookies.clear()


def assert_nobody(reply: requests.Response, method: str, path: str) -> None:
    """Whoever is not known gets nothing but the way in."""
    if method == "GET" and not path.startswith(PROGRAMS):
        assert (reply.status_code, reply.headers["Location"]) == (303, "/sign-in"), path
    else:
        assert reply.status_code == 401, path
    if path.startswith(PROGRAMS):
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_nobody_gets_nothing(console: Console, records: dict[str, dict[str, str]], method: str, path: str) -> None:
    route = ROUTES[method, path]
    for address in addresses(path, records, route.ends).values():
        assert_nobody(send(console, method, address, route.send), method, address)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "service"])
@pytest.mark.parametrize(("method", "path"), PAGES)
def test_a_page_opens_to_the_roles_that_hold_its_permission_whatever_its_record(
    signed_in: Callable[[str], Visitor], records: dict[str, dict[str, str]], role: str, method: str, path: str
) -> None:
    """Whoever may not is told the same whether or not there is such a record."""
    visitor, route = signed_in(role), ROUTES[method, path]
    assert route.permission is not None
    for state, address in addresses(path, records, route.ends).items():
        reply = visitor.get(address) if method == "GET" else visitor.post(address, dict(route.send))  # type: ignore[arg-type]
        expected = route.ends[state] if TABLE.allows(role, route.permission) else 403
        assert reply.status_code == expected, (state, reply.text)
        if expected == 403:
            assert "does not hold the permission" in reply.text


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), INTERFACE)
def test_the_interface_opens_to_the_roles_that_hold_its_permission(
    console: Console,
    bearer: Callable[[str], dict[str, str]],
    records: dict[str, dict[str, str]],
    role: str,
    method: str,
    path: str,
) -> None:
    route = ROUTES[method, path]
    assert route.permission is not None
    allowed = TABLE.allows(role, route.permission)
    for state, address in addresses(path, records, route.ends).items():
        reply = send(console, method, address, route.send, headers=bearer(role))
        assert reply.status_code == (route.ends[state] if allowed else 403), (state, reply.text)
        if not allowed:
            assert reply.json()["type"] == "urn:overlay:problem:not-allowed"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Another force's area, with a store, keys and people of its own."""
    other = Services.start(Settings(data=tmp_path_factory.mktemp("x") / "data", area="city_of_london"), follow=False)
    yield other
    other.close()


@pytest.fixture(scope="module")
def spent_sessions(services: Services, elsewhere: Services) -> Callable[[str], dict[str, str]]:
    """Sessions of a role that open nothing any more, or never did here, by what became of them."""
    known: dict[str, dict[str, str]] = {}

    def of(role: str) -> dict[str, str]:
        if role in known:
            return known[role]
        now, store, access, name = services.now(), services.store, services.access, f"over.{role}"
        signed_out = _signed_in(services, name, role)
        identity.sign_out(store, access, signed_out, now)
        long_ago = now - services.policy.shift - timedelta(seconds=1)
        expired = identity.sign_in(services.door, name, "three random words", long_ago).secret
        moved = _signed_in(services, name, role)
        identity.set_role(store, access, name, "auditor" if role != "auditor" else "dispatcher", now)
        changed = _signed_in(services, name, role)
        identity.set_password(store, access, name, "four other random words", now)
        disabled = identity.sign_in(services.door, name, "four other random words", now).secret
        identity.disable_account(store, access, name, now)
        known[role] = {
            "signed out": signed_out,
            "account disabled": disabled,
            "role changed": moved,
            "password changed": changed,
            "past its shift": expired,
            "of another area": _signed_in(elsewhere, f"far.{role}", role),
            "made up": "x" * 43,
        }
        return known[role]

    return of


@pytest.mark.parametrize("role", [role for role in ROLES if role != "service"])
def test_a_session_that_is_over_opens_no_page_of_any_role(
    console: Console,
    records: dict[str, dict[str, str]],
    spent_sessions: Callable[[str], dict[str, str]],
    role: str,
) -> None:
    # Every way a session can be over on every page for one role; the others take them in turn.
    secrets = list(spent_sessions(role).values())
    turns = cycle([secrets] if role == "ppu_supervisor" else [[secret] for secret in secrets])
    for method, path in PAGES:
        route = ROUTES[method, path]
        for address in addresses(path, records, route.ends).values():
            for secret in next(turns):
                reply = send(console, method, address, route.send, cookies={"overlay-session": secret})
                assert_nobody(reply, method, address)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_that_is_over_opens_nothing(
    console: Console, services: Services, elsewhere: Services, records: dict[str, dict[str, str]], role: str
) -> None:
    now, store, access = services.now(), services.store, services.access
    revoked = identity.create_token(store, access, f"revoked {role}", role, now, 30)
    identity.revoke_token(store, access, identity.secret_id(revoked)[:12], now)
    spent = {
        "revoked": revoked,
        "past its end": identity.create_token(store, access, f"past {role}", role, now - timedelta(days=2), 1),
        "of another area": identity.create_token(elsewhere.store, elsewhere.access, f"far {role}", role, now, 30),
    }
    # Each process that knew it hears of its end by itself, within a second (test_revocation.py): all of them here.
    in_a_row, until = 0, time.monotonic() + 20
    while in_a_row < 16:
        assert time.monotonic() < until
        page = f"{console.url}/api/v1/openapi.json"
        known = requests.get(page, headers={"Authorization": f"Bearer {revoked}"}, timeout=9)
        in_a_row = in_a_row + 1 if known.status_code == 401 else 0
    for method, path in INTERFACE:
        route = ROUTES[method, path]
        for address in addresses(path, records, route.ends).values():
            for bearer in spent.values():
                reply = send(console, method, address, route.send, headers={"Authorization": f"Bearer {bearer}"})
                assert_nobody(reply, method, address)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_cookie_never_opens_the_interface_and_a_token_never_opens_a_page(
    console: Console,
    signed_in: Callable[[str], Visitor],
    bearer: Callable[[str], dict[str, str]],
    records: dict[str, dict[str, str]],
    method: str,
    path: str,
) -> None:
    route = ROUTES[method, path]
    for address in addresses(path, records, route.ends).values():
        for role in ("call_handler", "ppu_supervisor", "administrator", "auditor"):
            if path.startswith(PROGRAMS):
                reply = send(console, method, address, route.send, cookies=signed_in(role).session.cookies.get_dict())
            else:
                reply = send(console, method, address, route.send, headers=bearer(role))
            assert_nobody(reply, method, address)


def test_a_page_is_not_sent_from_another_site(
    console: Console, signed_in: Callable[[str], Visitor], records: dict[str, dict[str, str]]
) -> None:
    """Neither without the form's own mark nor, with it, from elsewhere."""
    for method, path in PAGES:
        if method == "GET":
            continue
        route = ROUTES[method, path]
        assert route.permission is not None
        role = next(role for role in ROLES if TABLE.allows(role, route.permission))
        visitor = signed_in(role)
        for address in addresses(path, records, route.ends).values():
            unmarked = send(console, method, address, route.send, cookies=visitor.session.cookies.get_dict())
            assert unmarked.status_code == 403, address
            foreign = visitor.post(address, dict(route.send), headers={"Sec-Fetch-Site": "cross-site"})  # type: ignore[arg-type]
            assert foreign.status_code == 403, address


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wmo_", "Basic YTpi", "wmo_x", "Bearer wmo_" + "x" * 43, "Bearer " + "x" * 5000],
)
def test_an_odd_authorisation_header_is_nobody(console: Console, header: str) -> None:
    assert send(console, "POST", "/api/v1/checks", CHECK, headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/checks", 405),
        ("DELETE", "/check", 405),
        ("GET", "/break-glass", 405),
        ("GET", "/proposals", 404),
        ("OPTIONS", "/", 405),
        ("TRACE", "/sign-in", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
    ],
)
def test_what_is_not_there_is_said_and_no_more(console: Console, method: str, path: str, status: int) -> None:
    prepared = requests.Request(method, console.url).prepare()
    prepared.url = console.url + path  # as written, dots and all
    with requests.Session() as session:
        reply = session.send(prepared, allow_redirects=False, timeout=TIMEOUT_S)
    assert reply.status_code == status
    assert "nothing" not in reply.text.casefold().replace("nothing is kept", "").replace("nothing was", "")
    if path.startswith(PROGRAMS):
        assert reply.json()["status"] == status
    if status == 405:
        assert reply.headers["Allow"]
