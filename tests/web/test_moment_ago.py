"""What one process recorded is on the next page that another serves, before its own news of it has come."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from overlay import identity
from overlay.app import create_app
from overlay.demo import DEMO_PASSWORD
from overlay.services import Services
from overlay.settings import Settings
from tests.conftest import Console
from tests.web.conftest import Visitor
from tests.web.test_desk_pages import approved, facts, fresh, proposed
from tests.web.test_glass_pages import WHY, asked

Page = Callable[[Visitor, str], str]


@pytest.fixture(scope="module")
def behind(console: Console) -> Iterator[Services]:
    """A process that hears of nothing unless it asks."""
    services = Services.start(Settings.read(console.environment()), follow=False)
    yield services
    services.close()


@pytest.fixture(scope="module")
def page(console: Console, behind: Services) -> Page:
    """A page as that process shows it to somebody who is signed in."""
    app = create_app(behind)

    def of(visitor: Visitor, path: str) -> str:
        client: FlaskClient = app.test_client()
        client.set_cookie("overlay-session", visitor.session.cookies["overlay-session"], domain="127.0.0.1")
        reply = client.get(path, base_url=console.url)
        assert reply.status_code == 200, reply.text
        return reply.text

    return of


@pytest.fixture
def own(console: Console, services: Services) -> tuple[Visitor, str]:
    """Somebody whose sessions are theirs alone, and their name."""
    name = f"moment.{secrets.token_hex(4)}"
    identity.create_account(
        services.store, services.access, name, "Kit Moment", "dispatcher", DEMO_PASSWORD, datetime.now(UTC)
    )
    visitor = Visitor(console.url)
    assert visitor.sign_in(name, DEMO_PASSWORD).status_code == 303
    return visitor, name


def test_accounts(page: Page, signed_in: Callable[[str], Visitor], services: Services) -> None:
    administrator, name, now = signed_in("administrator"), f"moment.{secrets.token_hex(4)}", datetime.now(UTC)
    page(administrator, "/accounts")
    made = identity.create_account(services.store, services.access, name, "Kit Moment", "auditor", DEMO_PASSWORD, now)
    assert name in page(administrator, "/accounts")
    identity.set_role(services.store, services.access, name, "ppu_officer", datetime.now(UTC))
    assert re.search(r'value="ppu_officer"\s+selected', page(administrator, f"/accounts/{made.account_id}"))


def test_tokens(page: Page, signed_in: Callable[[str], Visitor], services: Services) -> None:
    administrator, name = signed_in("administrator"), f"moment {secrets.token_hex(4)}"
    page(administrator, "/tokens")
    identity.create_token(services.store, services.access, name, "service", datetime.now(UTC), 1)
    assert name in page(administrator, "/tokens")


def test_ones_own_sessions(page: Page, own: tuple[Visitor, str], console: Console) -> None:
    here, name = own
    assert 'name="session"' not in page(here, "/account")
    elsewhere = Visitor(console.url)
    assert elsewhere.sign_in(name, DEMO_PASSWORD).status_code == 303
    assert page(here, "/account").count('name="session"') == 1


def test_a_lock(page: Page, own: tuple[Visitor, str]) -> None:
    here, _ = own
    page(here, "/")
    assert here.post("/lock", {}).status_code in (204, 303)
    assert 'name="password"' in page(here, "/unlock")


def test_broken_glass(page: Page, signed_in: Callable[[str], Visitor]) -> None:
    supervisor, incident = signed_in("control_room_supervisor"), f"CAD-{secrets.token_hex(3)}"
    page(supervisor, "/broken-glass")
    told = signed_in("call_handler").post("/break-glass", asked(incident, reason=WHY, password=DEMO_PASSWORD))
    assert f"Glass broken for incident {incident}" in told.text
    assert incident in page(supervisor, "/broken-glass")


def test_a_marker_and_a_change_to_it(page: Page, signed_in: Callable[[str], Visitor]) -> None:
    officer, supervisor = signed_in("ppu_officer"), signed_in("ppu_supervisor")
    officer.get("/desk")
    supervisor.get("/desk")
    page(officer, "/desk")
    form = fresh()
    proposal = proposed(officer, form)
    assert form["reference"] in page(supervisor, proposal)
    marker = approved(supervisor, proposal)
    assert facts(page(officer, marker))["Whom it is about"] == "victim"
